/*
 * The entries of a directory over a run, each name made once and removed at most
 * once: what check_names.c, check_session.c and check_event.c begin with.
 * entry.c collects them.
 */
#ifndef ZABFS_TESTS_CLUSTER_ENTRY_H
#define ZABFS_TESTS_CLUSTER_ENTRY_H

#include "tests/cluster/verify.h"

struct entry {
	const char *name;
	const struct call *made; /* create, ecreate, rename */
	const struct call *gone; /* remove, eremove, rename, or NULL */
	uint64_t session;	 /* of an ephemeral; 0: not known */
	/* What a watcher was told: counted by check_event.c for one mount at a time. */
	uint32_t created, deleted, moved_from, moved_to;
	uint32_t cookie_from, cookie_to;
};

struct entries {
	const char *dir;
	struct entry *list;
	size_t count;
	struct words *words;
};

/* `names` or `eph`. */
void entries_collect(struct run *run, const char *dir, struct entries *entries);
void entries_free(struct entries *entries);
struct entry *entries_find(const struct entries *entries, const char *name);
/* A listing of the directory is what it may be, as far as its owner's hand goes. */
void entries_check_listing(struct run *run, const struct entries *entries, const struct call *call);
/* Whether the name is one of a listing's. The listing is cut into its words, once. */
struct words *listing_words(char *listing);

#endif
