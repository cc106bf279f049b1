/*
 * Writes that were answered when they were queued (`.zab/stream`, `.zab/async`):
 * how many are under way, what was the first that failed, and who waits for room
 * or for all of them. Used by zabstream.c and op_file.c.
 */
#ifndef ZABFS_FSD_FLOW_H
#define ZABFS_FSD_FLOW_H

#include "fsd/call.h"

#define FLOW_MAX WIRE_OUTSTANDING_MAX /* under way; who would add more waits */

struct flow {
	uint32_t outstanding;
	int error; /* errno of the first that failed and nobody was told of; 0: none */
	TAILQ_HEAD(calls, call) waits;
};

void flow_init(struct flow *flow);

void flow_begin(struct flow *flow);
/* errnum 0: it was done. */
void flow_end(struct flow *flow, int errnum);

/* Calls go() once there is room, or nothing under way: at once, or later. */
enum flow_until { FLOW_ROOM, FLOW_ALL };
void flow_wait(
    struct flow *flow, struct call *call, enum flow_until until, void (*go)(struct call *call));
/* For what else a call may wait for: at each end its go() is called again, out of the list. */
void flow_wait_any(struct flow *flow, struct call *call, void (*go)(struct call *call));
/* Whether nothing waits and nothing is under way. */
bool flow_idle(const struct flow *flow);

/* The first error since the last call, for fsync(2) and close(2). */
int flow_error(struct flow *flow);

#endif
