/*
 * When a mount knew which session was its own. sessions.c collects the readings
 * of .zab/session of one mount, in their order.
 */
#ifndef ZABFS_TESTS_CLUSTER_SESSIONS_H
#define ZABFS_TESTS_CLUSTER_SESSIONS_H

#include "tests/cluster/verify.h"

struct sessions {
	const char *mount;
	const struct call **list;
	size_t count;
};

void sessions_collect(const struct run *run, const char *mount, struct sessions *sessions);
void sessions_free(struct sessions *sessions);
/* The last reading that had ended, the first that had not begun: with any session. NULL: none. */
const struct call *sessions_before(const struct sessions *sessions, uint64_t when);
const struct call *sessions_after(const struct sessions *sessions, uint64_t when);
/* Whether the session was the mount's at some moment after `when`. */
bool sessions_lives_after(const struct sessions *sessions, uint64_t session, uint64_t when);
/* Whether another one was the mount's at some moment before `when`, after that one had been. */
bool sessions_over_before(const struct sessions *sessions, uint64_t session, uint64_t when);
/* How many there were. */
size_t sessions_distinct(const struct sessions *sessions);
/* Of a reading; 0 if it was not connected. */
uint64_t sessions_id(const struct call *call);

#endif
