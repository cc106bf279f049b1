/*
 * The tree in memory: znodes and sessions, changed only by transactions.
 * Deterministic: no clock, no randomness, no hash order. It serves every read;
 * the store keeps a fuzzy image of it (image.h).
 *
 * Nodes have an immutable 64-bit id, unique for ever: st_ino, the FUSE node id,
 * and the key of everything. Ids stay below 2^56 (the front end uses the byte
 * above). The root is TREE_ROOT. (parent, name) -> id is the only other index.
 */
#ifndef ZABFS_TREE_TREE_H
#define ZABFS_TREE_TREE_H

#include "replica/tree/txn.h"

#include <stdbool.h>

#define TREE_ROOT 1u
#define TREE_ID_MAX ((UINT64_C(1) << 56) - 1)
#define TREE_EPHEMERALS_MAX 262144 /* of one session: they go in one transaction */
#define TREE_LOCKS_MAX 16384	   /* of one session, waiting ones too: they are in its row */

struct tree;
struct znode;
struct session;

/* An empty tree: the root alone, mode 0755, uid and gid 0, zxid 0. Aborts without memory. */
struct tree *tree_new(void);
void tree_free(struct tree *tree);

/*
 * Applies one transaction, zxid above the last. Between tree_recovery_begin and
 * tree_recovery_end, over a fuzzy image, something that it expects and that does
 * not hold is normal (replica/README.md). In service it is not: whose history
 * that is has another tree, and this one is not to be used any more.
 */
void tree_apply(struct tree *tree, const struct txn *txn);
bool tree_fits(const struct tree *tree); /* everything that was applied in service did hold */
void tree_recovery_begin(struct tree *tree);
/*
 * Whether each node has its place below the root, and an id below the next one: then the tree is in
 * service, and usages are counted.
 */
bool tree_recovery_end(struct tree *tree);

uint64_t tree_applied(const struct tree *tree); /* zxid of the last transaction */
uint64_t tree_hash(const struct tree *tree);	/* sum of the nodes' and sessions' hashes */
uint64_t tree_next_id(const struct tree *tree); /* the least id never used */
uint64_t tree_last_id(const struct tree *tree); /* the greatest one that is there */
uint64_t tree_nodes(const struct tree *tree);	/* the root counts */
uint64_t tree_bytes(const struct tree *tree);	/* of all values */
uint64_t tree_ephemerals(const struct tree *tree);
uint64_t tree_sessions(const struct tree *tree);
/* The hash recomputed from nothing: a check of tree_hash, and slow. */
uint64_t tree_hash_slow(const struct tree *tree);

/* Nodes: borrowed until the next tree_apply. NULL: none. */
const struct znode *tree_node(const struct tree *tree, uint64_t id);
const struct znode *tree_child(const struct tree *tree, uint64_t parent, struct blob name);
/* The child with the least id above `after`; NULL: no more. */
const struct znode *tree_next_child(const struct tree *tree, uint64_t parent, uint64_t after);
/*
 * The nodes that are to be removed by now_ns, the earliest first: the next one after *at, which
 * starts as zeros. False: no more.
 */
struct tree_due {
	int64_t deadline_ns;
	uint64_t id;
};
bool tree_next_due(const struct tree *tree, int64_t now_ns, struct tree_due *at);

void znode_stat(const struct tree *tree, const struct znode *node, struct wire_stat *out);
struct blob znode_value(const struct znode *node);
struct blob znode_name(const struct znode *node);
uint64_t znode_id(const struct znode *node);
uint64_t znode_parent(const struct znode *node); /* 0: of the root */
uint32_t znode_mode(const struct znode *node); /* S_ISVTX: an ephemeral, if it isn't a directory */

/*
 * What a node takes with all that is below it: it counts, too, and so does its
 * value. Right after each transaction, but not in recovery.
 */
struct usage {
	int64_t nodes, bytes;
};
void znode_usage(const struct znode *node, struct usage *out);

/*
 * Limits of a directory's usage, 0: none; without any it has no quota. The request processor
 * refuses what would go beyond a hard one (prep.h); to apply it is no question of any.
 */
struct quota {
	int64_t nodes, bytes;
	bool hard;
};
static inline bool
quota_limits(const struct quota *quota)
{
	return quota->nodes != 0 || quota->bytes != 0;
}
bool quota_exceeded(const struct quota *quota, const struct usage *usage);
bool tree_has_quotas(const struct tree *tree);
void tree_quota(const struct tree *tree, uint64_t id, struct quota *out);
/*
 * The directories whose usage the last transaction has brought above their quota, not being so
 * before. The one with the least id above `after`; false: no more.
 */
bool tree_next_exceeded(const struct tree *tree, uint64_t after, uint64_t *id);

/*
 * Sessions. Replicated like nodes: id, secret, timeout, identity, ephemerals,
 * and the results of the writes that the front end has not yet acknowledged
 * (the retry table; bounded by WIRE_OUTSTANDING_MAX, since `acked` trims it).
 */
struct session_result {
	uint64_t rid;
	uint64_t zxid;
	uint64_t node; /* head.result_id */
	int32_t code;
};
const struct session *tree_session(const struct tree *tree, uint64_t id);
/* The session with the least id above `after`; NULL: no more. */
const struct session *tree_next_session(const struct tree *tree, uint64_t after);
uint64_t session_id(const struct session *session);
struct blob session_secret(const struct session *session);
uint32_t session_timeout_ms(const struct session *session);
struct blob session_identity(const struct session *session);
uint64_t session_acked(const struct session *session);
/* The kept result of a write; NULL: none (never seen, or acknowledged). */
const struct session_result *session_result(const struct session *session, uint64_t rid);
uint32_t session_results(const struct session *session);
uint32_t session_results_above(
    const struct session *session, uint64_t rid); /* with a greater one */
uint32_t session_ephemerals(const struct session *session);
/* The ephemeral with the least id above `after`: true and its id and handle (0: not held). */
bool session_next_ephemeral(
    const struct session *session, uint64_t after, uint64_t *id, uint64_t *handle);

/*
 * Locks: of a session, on a node (which may be gone meanwhile), told apart by `owner`, a number of
 * the front end's. Each has its place in the node's queue, in order of zxid, and the first ones
 * are held: one that is exclusive, or those that are shared.
 */
struct lock {
	uint64_t session, node, owner;
	uint64_t zxid; /* of the transaction that put it there */
	uint32_t exclusive;
};
/* NULL: none. Borrowed until the next tree_apply, like all that follow. */
const struct lock *tree_lock(
    const struct tree *tree, uint64_t session, uint64_t node, uint64_t owner);
bool tree_lock_is_held(const struct tree *tree, const struct lock *lock);
/* How many a node's queue has, those that wait too. */
void tree_lock_count(const struct tree *tree, uint64_t node, uint32_t *shared, uint32_t *exclusive);
/* The one behind zxid in a node's queue, or only among those that are exclusive; NULL: no more. */
const struct lock *tree_next_lock(
    const struct tree *tree, uint64_t node, uint64_t zxid, bool exclusive);
uint64_t tree_locks(const struct tree *tree); /* of all sessions */
/*
 * The locks that wait no longer since the last transaction: it gave them what they waited for, or
 * took them away. The one with the least zxid above `after`; false: no more.
 */
bool tree_next_settled(const struct tree *tree, uint64_t after, uint64_t *zxid, uint64_t *session);
uint32_t session_locks(const struct session *session);
/* The session's next lock behind this one (NULL: the first), by node and owner; NULL: no more. */
const struct lock *session_next_lock(const struct session *session, const struct lock *after);

#endif
