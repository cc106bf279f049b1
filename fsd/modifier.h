/*
 * The names of the directories below `.zab` that qualify an operation:
 * MODIFIER[,MODIFIER…] (zabfs(7)). Pure; used by zabdir.c and qualified.c.
 */
#ifndef ZABFS_FSD_MODIFIER_H
#define ZABFS_FSD_MODIFIER_H

#include "replica/lib/wire.h"

#include <stdbool.h>

#define MODIFIER_TEXT_MAX 64 /* no combination that makes sense is longer */

struct modifier {
	bool sequence;
	bool versioned; /* version=N: of what is there already; nothing else goes with it */
	uint32_t version;
	uint32_t owner;	 /* enum wire_owner, of what is created */
	uint64_t ttl_ms; /* of WIRE_TTL */
	uint64_t from;	 /* of events: a zxid, 0 for now */
	bool async;	 /* writes are answered when they are queued; nothing else goes with it */
};

/*
 * 0; ENOENT: no name of a modifier; EINVAL: a wrong argument, the same one twice, or some that
 * exclude each other.
 */
int modifier_parse(const char *text, struct modifier *out);

/* events[,from=ZXID]: 0, and the zxid, 0 for now; ENOENT: it is not that; EINVAL: no zxid. */
int modifier_events(const char *text, uint64_t *from);

/* The only version that is meant; -1: any. */
int64_t modifier_version(const struct modifier *modifier);

/* Whether a node with this owner is what the modifier would have created. */
bool modifier_made(const struct modifier *modifier, uint64_t owner, uint64_t session);

#endif
