/*
 * A transaction: what one request becomes. The leader's request processor
 * (prep.h) makes it, the log keeps it, every member applies it (tree.h).
 *
 * It names nodes by id, says where they stand (parent, name) and gives results
 * in absolute values (versions, times, sizes), so that applying it twice, or
 * over a fuzzy image that has caught some of it already, gives the same tree.
 * Nothing in it has to be computed by the one who applies it but the hash.
 * zxids of a node (czxid, mzxid, pzxid) are the transaction's own zxid.
 *
 * From the operations alone follows what watchers must be told (change.h), so
 * the change stream can be replayed from the log.
 */
#ifndef ZABFS_TREE_TXN_H
#define ZABFS_TREE_TXN_H

#include "replica/lib/wire.h"

enum txn_op_type {
	TXN_CREATE = 1,
	TXN_DELETE = 2,
	TXN_WRITE = 3,
	TXN_ATTR = 4,
	TXN_RENAME = 5,
	TXN_SESSION_OPEN = 6,
	TXN_SESSION_CLOSE =
	    7, /* its ephemerals go by TXN_DELETEs in front of it; its locks with it */
	TXN_LOCK = 8,
	TXN_UNLOCK = 9,
	TXN_QUOTA = 10,
};

/* parent_cversion: of the directory, afterwards; its pzxid and times follow the transaction's. */
#define TXN_OP_CREATE(F, S)                                                                        \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, parent, 0)                                                                       \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, u32, mode, 0)                                                                         \
	F(S, u32, uid, 0)                                                                          \
	F(S, u32, gid, 0)                                                                          \
	F(S, u64, owner, 0)                                                                        \
	F(S, u64, handle, 0)                                                                       \
	F(S, u32, parent_cversion, 0)                                                              \
	F(S, blob, value, WIRE_VALUE_MAX)

#define TXN_OP_DELETE(F, S)                                                                        \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, parent, 0)                                                                       \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, u32, mode, 0) /* for the change: what kind it was */                                  \
	F(S, u32, parent_cversion, 0)

/*
 * The value becomes `size` bytes long (cut, or filled with zeros), then `data`
 * is put at `offset`. A whole new value is offset 0 and size = data's length
 * with `whole`.
 */
#define TXN_OP_WRITE(F, S)                                                                         \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, parent, 0)                                                                       \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, u32, mode, 0) /* for the change: whose value it is */                                 \
	F(S, u32, version, 0)                                                                      \
	F(S, u32, size, 0)                                                                         \
	F(S, u32, offset, 0)                                                                       \
	F(S, u32, whole, 0)                                                                        \
	F(S, blob, data, WIRE_VALUE_MAX)

/* mtime: 1 sets the value's time to the transaction's. */
#define TXN_OP_ATTR(F, S)                                                                          \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, parent, 0)                                                                       \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, u32, aversion, 0)                                                                     \
	F(S, u32, mode, 0)                                                                         \
	F(S, u32, uid, 0)                                                                          \
	F(S, u32, gid, 0)                                                                          \
	F(S, u32, mtime, 0)

/* id moves; id2 is deleted there (0: none), or, with exchange, takes its place. */
#define TXN_OP_RENAME(F, S)                                                                        \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, parent, 0)                                                                       \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, u32, mode, 0)                                                                         \
	F(S, u64, id2, 0)                                                                          \
	F(S, u64, parent2, 0)                                                                      \
	F(S, blob, name2, WIRE_NAME_MAX)                                                           \
	F(S, u32, mode2, 0)                                                                        \
	F(S, u32, exchange, 0)                                                                     \
	F(S, u32, parent_cversion, 0)                                                              \
	F(S, u32, parent2_cversion, 0)

#define TXN_OP_SESSION_OPEN(F, S)                                                                  \
	F(S, u64, id, 0)                                                                           \
	F(S, blob, secret, WIRE_SECRET_LEN)                                                        \
	F(S, u32, timeout_ms, 0)                                                                   \
	F(S, blob, identity, WIRE_IDENTITY_MAX)

#define TXN_OP_SESSION_CLOSE(F, S) F(S, u64, id, 0) F(S, u32, expired, 0)

/* Of the head's session: its lock of this owner goes to the end of the node's queue. */
#define TXN_OP_LOCK(F, S)                                                                          \
	F(S, u64, node, 0)                                                                         \
	F(S, u64, owner, 0)                                                                        \
	F(S, u32, exclusive, 0)

#define TXN_OP_UNLOCK(F, S) F(S, u64, node, 0) F(S, u64, owner, 0)

/* Of a directory, afterwards; without a limit it has none. Nobody is told. */
#define TXN_OP_QUOTA(F, S)                                                                         \
	F(S, u64, id, 0)                                                                           \
	F(S, i64, nodes, 0)                                                                        \
	F(S, i64, bytes, 0)                                                                        \
	F(S, u32, hard, 0)

#define TXN_OPS(M)                                                                                 \
	M(CREATE, create)                                                                          \
	M(DELETE, delete)                                                                          \
	M(WRITE, write)                                                                            \
	M(ATTR, attr)                                                                              \
	M(RENAME, rename)                                                                          \
	M(SESSION_OPEN, session_open)                                                              \
	M(SESSION_CLOSE, session_close)                                                            \
	M(LOCK, lock)                                                                              \
	M(UNLOCK, unlock)                                                                          \
	M(QUOTA, quota)

#define TXN_STRUCT(NAME, name)                                                                     \
	struct txn_##name {                                                                        \
		TXN_OP_##NAME(CODEC_DECLARE, txn_##name)                                           \
	};
TXN_OPS(TXN_STRUCT)
#undef TXN_STRUCT

struct txn_op {
	enum txn_op_type type;
	union {
#define TXN_MEMBER(NAME, name) struct txn_##name name;
		TXN_OPS(TXN_MEMBER)
#undef TXN_MEMBER
	};
};

/*
 * The head. session 0: made by the leader itself (expiry). code: ERR_OK, or
 * why the request failed: then there are no operations, only an entry in the
 * session's retry table. (ERR_AGAIN may have one: a lock that has to wait, or an
 * older one that went before the new one was refused.) result_id: the node that
 * the reply will show, 0: none; of a MULTI that failed, the step. flags: WIRE_ECHO
 * as requested; TXN_MULTI.
 */
#define TXN_MULTI 256u
#define TXN_HEAD(F, S)                                                                             \
	F(S, u64, session, 0)                                                                      \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, i64, time_ns, 0)                                                                      \
	F(S, i32, code, 0)                                                                         \
	F(S, u64, result_id, 0)

struct txn_head {
	TXN_HEAD(CODEC_DECLARE, txn_head)
};

#define TXN_OPS_MAX 1048576 /* a session's ephemerals bound it in practice */

struct txn {
	uint64_t zxid; /* the log row's; not in the payload */
	struct txn_head head;
	uint32_t nops;
	struct txn_op *ops; /* owned by the zone that decoded or made it */
};

/* What the reply to a MULTI says: packed WIRE_RESULTs, appended. */
void txn_results(const struct txn *txn, msgpack_sbuffer *out);

/* The payload of a log row: flat msgpack arrays, [head fields…] and an [op, fields…] each. */
void txn_pack(msgpack_sbuffer *out, const struct txn *txn);

/*
 * Blobs are borrowed from `in`, ops from `zone`. 0, ERR_PROTO (also for what
 * no request processor makes: names, modes, ranges) or ERR_NOMEM.
 */
int txn_unpack(struct blob in, uint64_t zxid, msgpack_zone *zone, struct txn *out);

#endif
