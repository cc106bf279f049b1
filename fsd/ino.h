/*
 * The numbers that the kernel calls nodes by. A znode's is its id; what lives
 * under `.zab` has a kind in the top byte and the id of the znode it belongs
 * to below. So every number can be resolved by a process that has never seen
 * it (fsd/README.md, fact 11): nothing is allocated, but for the kinds of
 * qualified.h. Used all over fsd.
 */
#ifndef ZABFS_FSD_INO_H
#define ZABFS_FSD_INO_H

#include <stdbool.h>
#include <stdint.h>

enum ino_kind {
	INO_ZNODE = 0,	   /* the znode itself */
	INO_ZAB = 1,	   /* DIR/.zab */
	INO_DATA = 2,	   /* DIR/.zab/data: the directory's own value */
	INO_STATS = 3,	   /* DIR/.zab/stat */
	INO_STAT = 4,	   /* DIR/.zab/stat/NAME; of the znode NAME */
	INO_EPHEMERAL = 5, /* DIR/.zab/ephemeral */
	INO_HELD = 6,	   /* DIR/.zab/held */
	INO_ALIAS = 7,	   /* a znode reached through a modifier: facts 17, 18 */
	INO_SESSION = 8,   /* .zab/session; root only, as all that follow */
	INO_CLUSTER = 9,   /* .zab/cluster */
	INO_MEMBERS = 10,  /* .zab/cluster/members */
	INO_LEADER = 11,   /* .zab/cluster/leader */
	INO_EPOCH = 12,	   /* .zab/cluster/epoch */
	INO_METRICS = 13,  /* .zab/metrics */
	INO_MODIFIER = 14, /* DIR/.zab/MODIFIER[,MODIFIER…]: qualified.h */
	INO_REACHED = 15,  /* a znode found through one: qualified.h */
	INO_TXN = 16,	   /* .zab/txn */
	INO_STREAM = 17,   /* .zab/stream */
	INO_SYNC = 18,	   /* .zab/sync */
	INO_EVENTS = 19,   /* DIR/.zab/events: qualified.h */
	INO_QUOTA = 20,	   /* DIR/.zab/quota */
};

#define INO_NODE_MASK ((UINT64_C(1) << 56) - 1)

static inline uint64_t
ino_make(enum ino_kind kind, uint64_t node)
{
	return ((uint64_t)kind << 56) | (node & INO_NODE_MASK);
}

static inline enum ino_kind
ino_kind(uint64_t ino)
{
	return (enum ino_kind)(ino >> 56);
}

static inline uint64_t
ino_node(uint64_t ino)
{
	return ino & INO_NODE_MASK;
}

/* Whether it shows a directory's state below its `.zab`: who knows it wants to hear of that. */
static inline bool
ino_shows(uint64_t ino)
{
	enum ino_kind kind = ino_kind(ino);

	return (kind >= INO_ZAB && kind <= INO_HELD && kind != INO_STAT) || kind == INO_QUOTA;
}

#endif
