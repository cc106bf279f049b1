/*
 * The messages between a front end (fsd) and a replica, each declared once.
 *
 * A frame is a big-endian 32-bit length and that many bytes of msgpack: an
 * array (fixarray or array16) whose first element is the message's type, then
 * its fields in the order below. A frame is at most WIRE_FRAME_MAX bytes.
 *
 * Order. Both directions are FIFO. The front end opens with HELLO; the replica
 * answers WELCOME, and until then nothing may follow. A front end that
 * reattaches then sends an INTEREST for each node that its kernel knows and
 * RESUME; the replica answers with the CHANGEs since `seen` and RESUMED. A new
 * session sends RESUME alone. Requests may follow RESUME at once. A message
 * out of this order closes the connection.
 *
 * Changes before data: every CHANGE of a transaction is queued on a connection
 * before any REPLY or PONG that carries its zxid or a later one.
 *
 * Interest: each REPLY that names a node (its stat.id) and each entry of a
 * LIST with plus adds one to the connection's count for that node; FORGET takes
 * off. While the count is positive the node's changes are sent. The root
 * always counts.
 *
 * Exactly once: a write carries `rid`, which no other of the session's has, and
 * `acked`: the promise that no request with an id at or below it will be sent or
 * resent. One that comes all the same is ERR_PROTO. (That is all that is asked of
 * the order of rids: the front end may let greater ones past.) A write that was
 * already executed, or is under way, is answered with its first result
 * (fsd/README.md, fact 11: the kernel's request ids serve as rid). One that is
 * refused (ERR_BUSY, ERR_NOQUORUM, ERR_NOSPC) is not executed, and none with a
 * greater rid is before it comes again or `acked` has passed it.
 */
#ifndef ZABFS_LIB_WIRE_H
#define ZABFS_LIB_WIRE_H

#include "replica/lib/codec.h"
#include "replica/lib/wire_member.h"

#include <stdbool.h>

#define WIRE_PROTO 3	       /* one more with each message that others would not understand */
#define WIRE_NAME_MAX 255      /* bytes of a znode's name (NAME_MAX) */
#define WIRE_VALUE_MAX 1044480 /* bytes of a value: 1 MiB - 4 KiB, fsd/README.md, fact 16 */
#define WIRE_SECRET_LEN 16     /* bytes */
#define WIRE_IDENTITY_MAX 512  /* bytes of a session's description, "HOST:MOUNTPOINT" */
#define WIRE_LIST_MAX 131072   /* bytes of entries in one LIST reply */
#define WIRE_FRAME_MAX (WIRE_VALUE_MAX + 4096)
#define WIRE_OUTSTANDING_MAX 1024 /* writes of one session without a reply */

/* What is known of a node; the fields of ZooKeeper's Stat under their names. */
#define WIRE_STAT(F, S)                                                                            \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, parent, 0)                                                                       \
	F(S, u32, mode, 0) /* S_IFDIR, S_IFREG or S_IFLNK, and permission bits */                  \
	F(S, u32, uid, 0)                                                                          \
	F(S, u32, gid, 0)                                                                          \
	F(S, u32, size, 0) /* bytes of the value */                                                \
	F(S, u32, children, 0)                                                                     \
	F(S, u32, version, 0)                                                                      \
	F(S, u32, cversion, 0)                                                                     \
	F(S, u32, aversion, 0)                                                                     \
	F(S, u64, czxid, 0)                                                                        \
	F(S, u64, mzxid, 0)                                                                        \
	F(S, u64, pzxid, 0)                                                                        \
	F(S, u64, owner, 0)    /* session of an ephemeral, 0, or WIRE_OWNER_… */                 \
	F(S, u64, handle, 0)   /* of a held node: the front end's open file, else 0 */             \
	F(S, i64, birth_ns, 0) /* since the epoch of 1970, as all times here */                    \
	F(S, i64, mtime_ns, 0) /* value; of a directory: children */                               \
	F(S, i64, ctime_ns, 0) /* anything */

struct wire_stat {
	WIRE_STAT(CODEC_DECLARE, wire_stat)
};

/*
 * Nodes that the leader removes: no session's id reaches these bits (ZooKeeper's ephemeralOwner
 * says the same in the same way). A container goes when its last child has gone; the other when it
 * has had no child, and has not been changed, for so many milliseconds.
 */
#define WIRE_OWNER_CONTAINER (UINT64_C(1) << 63)
#define WIRE_OWNER_TTL (UINT64_C(1) << 62) /* | milliseconds */
#define WIRE_TTL_MAX ((UINT64_C(1) << 40) - 1)

/* Whether it is an ephemeral. */
static inline bool
wire_owner_is_session(uint64_t owner)
{
	return owner != 0 && owner < WIRE_OWNER_TTL;
}

/* 0: no such limit. */
static inline uint64_t
wire_owner_ttl_ms(uint64_t owner)
{
	return owner >> 62 == 1 ? owner - WIRE_OWNER_TTL : 0;
}

/*
 * Front end to replica. session 0: a new one; timeout_ms is a wish. serial: grows with each
 * connection of the session, so that what is still on its way through an older one is known.
 */
#define WIRE_HELLO(F, S)                                                                           \
	F(S, u32, proto, 0)                                                                        \
	F(S, u64, session, 0)                                                                      \
	F(S, blob, secret, WIRE_SECRET_LEN)                                                        \
	F(S, u64, serial, 0)                                                                       \
	F(S, u64, seen, 0) /* the last zxid whose changes were all received */                     \
	F(S, u32, timeout_ms, 0)                                                                   \
	F(S, blob, identity, WIRE_IDENTITY_MAX)                                                    \
	F(S, u32, whole, 0) /* only where the changes since `seen` are all in the log */

/* Only between WELCOME and RESUME. count: as many answers as named the node. */
#define WIRE_INTEREST(F, S) F(S, u64, id, 0) F(S, u32, count, 0)
#define WIRE_RESUME(F, S) F(S, u32, reserved, 0)
#define WIRE_FORGET(F, S) F(S, u64, id, 0) F(S, u32, count, 0)
/* sent_ns: the sender's monotonic clock, returned as it is. */
#define WIRE_PING(F, S) F(S, u64, sent_ns, 0)
/* Ends the session; its ephemerals go. Answered by BYE, after the commit. */
#define WIRE_CLOSE(F, S) F(S, u32, reserved, 0)

/* Reads: rid only matches the reply. */
#define WIRE_LOOKUP(F, S) F(S, u64, rid, 0) F(S, u64, parent, 0) F(S, blob, name, WIRE_NAME_MAX)
/* count: whether the reply counts as interest (a bare GETATTR does not). */
#define WIRE_GETATTR(F, S) F(S, u64, rid, 0) F(S, u64, id, 0) F(S, u32, count, 0)
/* The whole value, of one version, with its stat (never counts). */
#define WIRE_READ(F, S) F(S, u64, rid, 0) F(S, u64, id, 0)
/*
 * Children in order of their ids, those greater than `after`. The reply's data
 * is a run of wire_entry, at most `bytes` (bounded by WIRE_LIST_MAX); value of
 * REPLY.more: whether there are others. plus: entries carry a stat and count.
 */
#define WIRE_LIST(F, S)                                                                            \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, after, 0)                                                                        \
	F(S, u32, bytes, 0)                                                                        \
	F(S, u32, plus, 0)
/* A quorum round that begins after the request; the reply's zxid is its end. */
#define WIRE_SYNC(F, S) F(S, u64, rid, 0)
/*
 * What this member knows, as text in the reply's data (whose zxid is 0: it says nothing of the
 * tree). In place of HELLO, too, any number of times: who has no session asks as well.
 */
enum wire_what { WIRE_MEMBERS = 1, WIRE_LEADER, WIRE_EPOCH, WIRE_METRICS };
#define WIRE_REPORT(F, S) F(S, u64, rid, 0) F(S, u32, what, 0)
/*
 * That member is to lead. Answered when it does, or: ERR_INVAL, it is no voter; ERR_BUSY, it was
 * not up to date in time, and nothing has changed.
 */
#define WIRE_HAND_OVER(F, S) F(S, u64, rid, 0) F(S, u32, member, 0)
/* The node that the session's `handle` holds (WIRE_HELD). */
#define WIRE_FIND(F, S) F(S, u64, rid, 0) F(S, u64, handle, 0)
/*
 * What has changed below the directory, and in itself, above `after` (0: from now on) but for the
 * first `ops` operations of the next transaction: lines of text (zabfs(7)) in the reply's data, up
 * to and with the reply's zxid, and `more` operations of the one behind it. Waits while there is
 * none, but not with after 0; nor while much is unread on the connection: then the reply has no
 * text, and the question comes again. Paths begin at the node `root`; of what is not below it nothing is
 * said. `stream`: the front end's open file; dir 0 ends its wait (ERR_INTR).
 */
#define WIRE_EVENTS(F, S)                                                                          \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, root, 0)                                                                         \
	F(S, u64, dir, 0)                                                                          \
	F(S, u64, after, 0)                                                                        \
	F(S, u32, ops, 0)                                                                          \
	F(S, u64, stream, 0)
/*
 * When the session's lock of this owner (LOCK) waits no longer: ERR_OK, it is held; ERR_NONODE: it
 * is not there. Of those without an answer a connection has WIRE_AWAITS_MAX at most; more are
 * ERR_NOLCK.
 */
#define WIRE_AWAITS_MAX 16384
#define WIRE_AWAIT(F, S) F(S, u64, rid, 0) F(S, u64, id, 0) F(S, u64, owner, 0)
/* What there is room for at a node, or, where that is not there, in all: a packed WIRE_SPACE. */
#define WIRE_STATFS(F, S) F(S, u64, rid, 0) F(S, u64, id, 0)
/* A node's quota, and what it takes with all that is below it: a packed WIRE_USED. */
#define WIRE_USAGE(F, S) F(S, u64, rid, 0) F(S, u64, id, 0)

/*
 * Writes. flags: WIRE_ECHO asks for the change to be sent to its own
 * connection too, as if another had made it (operations through .zab/).
 * WIRE_SEQUENCE, of CREATE: the directory's cversion follows the name, in ten
 * digits. The reply to whatever made or changed a node has the node's name in
 * its data.
 */
#define WIRE_ECHO 1u
#define WIRE_SEQUENCE 2u

/*
 * owner, of CREATE: the session's ephemeral, held by `handle`, a container, or a node that lives
 * `handle` milliseconds.
 */
enum wire_owner {
	WIRE_PERSISTENT = 0,
	WIRE_EPHEMERAL = 1,
	WIRE_HELD = 2,
	WIRE_CONTAINER = 3,
	WIRE_TTL = 4,
};
#define WIRE_CREATE(F, S)                                                                          \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, u64, parent, 0)                                                                       \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, u32, mode, 0)                                                                         \
	F(S, u32, uid, 0)                                                                          \
	F(S, u32, gid, 0)                                                                          \
	F(S, u32, owner, 0)                                                                        \
	F(S, u64, handle, 0)                                                                       \
	F(S, blob, value, WIRE_VALUE_MAX) /* a symbolic link's target, or a first value */

/*
 * By name (parent, name; dir says which kind is meant: 1 rmdir, 0 unlink), or
 * by id where parent is 0. id: 0, or the only node meant. version: -1, or the
 * only version meant. uid: who asks; in a directory with the sticky bit only
 * its owner, the node's owner and root may, otherwise ERR_PERM: by whom a node
 * is, that is there now, only the leader knows.
 */
#define WIRE_DELETE(F, S)                                                                          \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, u64, parent, 0)                                                                       \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, u32, dir, 0)                                                                          \
	F(S, u64, id, 0)                                                                           \
	F(S, i64, version, 0)                                                                      \
	F(S, u32, uid, 0)

/* AT: at offset, a hole is zeros. APPEND: at the end. REPLACE: the whole value is data. */
enum wire_write_how { WIRE_AT = 0, WIRE_APPEND = 1, WIRE_REPLACE = 2 };
#define WIRE_WRITE(F, S)                                                                           \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, u64, id, 0)                                                                           \
	F(S, u32, how, 0)                                                                          \
	F(S, u64, offset, 0)                                                                       \
	F(S, blob, data, WIRE_VALUE_MAX)                                                           \
	F(S, i64, version, 0)

#define WIRE_SET_MODE 1u
#define WIRE_SET_UID 2u
#define WIRE_SET_GID 4u
#define WIRE_SET_SIZE 8u
#define WIRE_SET_MTIME 16u /* to now; nothing else is offered */
/* version: -1, or the only version of the value meant. */
#define WIRE_SETATTR(F, S)                                                                         \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, u64, id, 0)                                                                           \
	F(S, u32, valid, 0) /* WIRE_SET_… */                                                     \
	F(S, u32, mode, 0)                                                                         \
	F(S, u32, uid, 0)                                                                          \
	F(S, u32, gid, 0)                                                                          \
	F(S, u64, size, 0)                                                                         \
	F(S, i64, version, 0)

/*
 * how: 0, RENAME_NOREPLACE (1) or RENAME_EXCHANGE (2), as renameat2(2). id: 0, or the only node
 * meant by (parent, name); id2: likewise by (newparent, newname). uid: as DELETE's.
 */
#define WIRE_RENAME(F, S)                                                                          \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, u64, parent, 0)                                                                       \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, u64, newparent, 0)                                                                    \
	F(S, blob, newname, WIRE_NAME_MAX)                                                         \
	F(S, u32, how, 0)                                                                          \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, id2, 0)                                                                          \
	F(S, u32, uid, 0)

/*
 * Several operations, all or nothing: `steps` are packed one after another (WIRE_STEP). Paths begin
 * at the node `root`, lead through directories alone, and each step sees what those before it have
 * done. uid, gid and groups (little-endian 32-bit numbers) are whose rights are asked. The reply:
 * its data are packed results (WIRE_RESULT), of those steps that change something; or, when one
 * failed, `more` is its number from 1, and nothing has changed.
 */
#define WIRE_STEPS_MAX 2048
#define WIRE_GROUPS_MAX 64
#define WIRE_PATH_MAX 4095 /* bytes, PATH_MAX - 1 */
#define WIRE_MULTI(F, S)                                                                           \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, u64, root, 0)                                                                         \
	F(S, u32, uid, 0)                                                                          \
	F(S, u32, gid, 0)                                                                          \
	F(S, blob, groups, 4 * WIRE_GROUPS_MAX)                                                    \
	F(S, blob, steps, WIRE_VALUE_MAX)

/* CREATE and DELETE: mode says which kind. CHECK: version -2 means that nothing is there. */
enum wire_step_kind { WIRE_STEP_CREATE = 1, WIRE_STEP_SET, WIRE_STEP_DELETE, WIRE_STEP_CHECK };
#define WIRE_ABSENT (-2)
#define WIRE_STEP(F, S)                                                                            \
	F(S, u32, kind, 0)                                                                         \
	F(S, blob, path, WIRE_PATH_MAX)                                                            \
	F(S, u32, mode, 0)                                                                         \
	F(S, u32, flags, 0)  /* WIRE_SEQUENCE */                                                   \
	F(S, u32, owner, 0)  /* enum wire_owner */                                                 \
	F(S, u64, handle, 0) /* as CREATE's */                                                     \
	F(S, i64, version, 0)                                                                      \
	F(S, blob, value, WIRE_VALUE_MAX)

/* kind: of the step; name: as created; version: of the value, afterwards. */
#define WIRE_RESULT(F, S) F(S, u32, kind, 0) F(S, blob, name, WIRE_NAME_MAX) F(S, u32, version, 0)

/* The data of USAGE's reply: the quota, as set by QUOTA; what there is. */
#define WIRE_USED(F, S)                                                                            \
	F(S, i64, nodes_max, 0)                                                                    \
	F(S, i64, bytes_max, 0)                                                                    \
	F(S, u32, hard, 0)                                                                         \
	F(S, i64, nodes, 0)                                                                        \
	F(S, i64, bytes, 0)

/*
 * That of STATFS's: znodes, and bytes of values, that there are, and how many more there may be, by
 * that quota which leaves the least of them, otherwise by the disk.
 */
#define WIRE_SPACE(F, S)                                                                           \
	F(S, u64, nodes, 0)                                                                        \
	F(S, u64, nodes_left, 0)                                                                   \
	F(S, u64, bytes, 0)                                                                        \
	F(S, u64, bytes_left, 0)

struct wire_space {
	WIRE_SPACE(CODEC_DECLARE, wire_space)
};
struct wire_used {
	WIRE_USED(CODEC_DECLARE, wire_used)
};
struct wire_step {
	WIRE_STEP(CODEC_DECLARE, wire_step)
};
struct wire_result {
	WIRE_RESULT(CODEC_DECLARE, wire_result)
};

/*
 * A lock on a node, told from the session's others by `owner`, goes to the end of the node's
 * queue; one of the same owner goes first, unless it is the same. ERR_OK: it is held. ERR_AGAIN: it
 * waits (AWAIT); or, if it was wanted at once, it is not there, nor is the one before it. A session
 * has TREE_LOCKS_MAX at most: ERR_NOLCK.
 */
#define WIRE_EXCLUSIVE 1u
#define WIRE_AT_ONCE 2u
#define WIRE_LOCK(F, S)                                                                            \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, owner, 0)                                                                        \
	F(S, u32, how, 0) /* WIRE_EXCLUSIVE, or shared; WIRE_AT_ONCE */
/* Of what is not locked, too. */
#define WIRE_UNLOCK(F, S)                                                                          \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, owner, 0)

/*
 * The limits of what a directory takes with all that is below it, 0: none; without any it has no
 * quota. What would go beyond a hard one is refused (ERR_QUOTA), beyond another the leader's log
 * says so.
 */
#define WIRE_QUOTA(F, S)                                                                           \
	F(S, u64, rid, 0)                                                                          \
	F(S, u64, acked, 0)                                                                        \
	F(S, u32, flags, 0)                                                                        \
	F(S, u64, id, 0)                                                                           \
	F(S, i64, nodes, 0)                                                                        \
	F(S, i64, bytes, 0)                                                                        \
	F(S, u32, hard, 0)

/*
 * Replica to front end. WELCOME: code ERR_OK, ERR_EXPIRED (no such session, or
 * the secret is wrong), ERR_MOVED (a later connection of the session is known);
 * not now: ERR_NOQUORUM, ERR_NOSPC, ERR_BUSY (behind `seen`, or no room); ERR_GAP (see `whole`).
 */
#define WIRE_WELCOME(F, S)                                                                         \
	F(S, i32, code, 0)                                                                         \
	F(S, u64, session, 0)                                                                      \
	F(S, blob, secret, WIRE_SECRET_LEN)                                                        \
	F(S, u32, timeout_ms, 0)                                                                   \
	F(S, u32, replica, 0) /* member id */                                                      \
	F(S, u64, zxid, 0)
/* complete 0: the log no longer reaches back to `seen`; distrust all that is cached. */
#define WIRE_RESUMED(F, S) F(S, u64, zxid, 0) F(S, u32, complete, 0)
/*
 * A PING has two: one at once, because the replica is there, and one that is alive: the leader,
 * confirmed after it got the ping, gives the session a full timeout from then.
 */
#define WIRE_PONG(F, S) F(S, u64, sent_ns, 0) F(S, u64, zxid, 0) F(S, u32, alive, 0)
#define WIRE_BYE(F, S) F(S, i32, code, 0)

/* stat is a packed wire_stat, or empty. zxid: the write's own, or the last applied one. */
#define WIRE_REPLY(F, S)                                                                           \
	F(S, u64, rid, 0)                                                                          \
	F(S, i32, code, 0)                                                                         \
	F(S, u64, zxid, 0)                                                                         \
	F(S, blob, stat, 256)                                                                      \
	F(S, u32, more, 0)                                                                         \
	F(S, blob, data, WIRE_VALUE_MAX)

/*
 * One change of a transaction. last: the transaction's final one on this
 * connection; only then is everything up to zxid seen.
 *   ADD     id at (parent, name), mode
 *   REMOVE  id from (parent, name), mode
 *   MOVE    id from (parent, name) to (parent2, name2); id2: the node that
 *           was replaced there and is gone, 0: none
 *   SWAP    id and id2 exchange (parent, name) and (parent2, name2)
 *   VALUE   id at (parent, name) has a new value
 *   ATTR    id at (parent, name) has new attributes (or, for a file
 *           truncated by setattr, also a new size: then VALUE is sent)
 * own: the session's own request did it, whose answer went with another
 * connection, or is still to come: nothing that is cached shows it.
 */
enum wire_change_kind {
	WIRE_ADD = 1,
	WIRE_REMOVE,
	WIRE_MOVE,
	WIRE_SWAP,
	WIRE_VALUE,
	WIRE_ATTR,
};
#define WIRE_CHANGE(F, S)                                                                          \
	F(S, u64, zxid, 0)                                                                         \
	F(S, u32, op, 0) /* which one of the transaction, from 1 on */                             \
	F(S, u32, last, 0)                                                                         \
	F(S, u32, kind, 0)                                                                         \
	F(S, u32, mode, 0)                                                                         \
	F(S, u64, id, 0)                                                                           \
	F(S, u64, parent, 0)                                                                       \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, u64, id2, 0)                                                                          \
	F(S, u64, parent2, 0)                                                                      \
	F(S, blob, name2, WIRE_NAME_MAX)                                                           \
	F(S, u32, mode2, 0)                                                                        \
	F(S, blob, stat, 256) /* of id as it is now, packed; empty: it is gone */                  \
	F(S, u32, own, 0)                                                                          \
	F(S, blob, pstat, 256) /* of ADD and REMOVE, likewise of parent */

/* An entry of LIST's data: packed arrays one after another; stat empty without plus. */
#define WIRE_ENTRY(F, S)                                                                           \
	F(S, u64, id, 0)                                                                           \
	F(S, u32, mode, 0)                                                                         \
	F(S, blob, name, WIRE_NAME_MAX)                                                            \
	F(S, blob, stat, 256)

struct wire_entry {
	WIRE_ENTRY(CODEC_DECLARE, wire_entry)
};

/* Every message: NAME, name, number. Numbers never change their meaning. */
#define WIRE_ALL(M)                                                                                \
	M(HELLO, hello, 1)                                                                         \
	M(INTEREST, interest, 2)                                                                   \
	M(RESUME, resume, 3)                                                                       \
	M(FORGET, forget, 4)                                                                       \
	M(PING, ping, 5)                                                                           \
	M(CLOSE, close, 6)                                                                         \
	M(LOOKUP, lookup, 10)                                                                      \
	M(GETATTR, getattr, 11)                                                                    \
	M(READ, read, 12)                                                                          \
	M(LIST, list, 13)                                                                          \
	M(SYNC, sync, 14)                                                                          \
	M(STATFS, statfs, 15)                                                                      \
	M(REPORT, report, 16)                                                                      \
	M(HAND_OVER, hand_over, 17)                                                                \
	M(FIND, find, 18)                                                                          \
	M(EVENTS, events, 19)                                                                      \
	M(CREATE, create, 20)                                                                      \
	M(DELETE, delete, 21)                                                                      \
	M(WRITE, write, 22)                                                                        \
	M(SETATTR, setattr, 23)                                                                    \
	M(RENAME, rename, 24)                                                                      \
	M(MULTI, multi, 25)                                                                        \
	M(LOCK, lock, 26)                                                                          \
	M(UNLOCK, unlock, 27)                                                                      \
	M(AWAIT, await, 28)                                                                        \
	M(QUOTA, quota, 29)                                                                        \
	M(USAGE, usage, 30)                                                                        \
	M(WELCOME, welcome, 40)                                                                    \
	M(RESUMED, resumed, 41)                                                                    \
	M(PONG, pong, 42)                                                                          \
	M(BYE, bye, 43)                                                                            \
	M(REPLY, reply, 44)                                                                        \
	M(CHANGE, change, 45)                                                                      \
	WIRE_ALL_MEMBER(M)

enum wire_type {
#define WIRE_ENUM(NAME, name, number) WIRE_T_##NAME = number,
	WIRE_ALL(WIRE_ENUM)
#undef WIRE_ENUM
};

#define WIRE_STRUCT(NAME, name, number)                                                            \
	struct wire_##name {                                                                       \
		WIRE_##NAME(CODEC_DECLARE, wire_##name)                                            \
	};
WIRE_ALL(WIRE_STRUCT)
#undef WIRE_STRUCT

struct wire_msg {
	enum wire_type type;
	union {
#define WIRE_MEMBER(NAME, name, number) struct wire_##name name;
		WIRE_ALL(WIRE_MEMBER)
#undef WIRE_MEMBER
	};
};

/* Appends the message's msgpack (without the frame's length). */
void wire_pack(msgpack_sbuffer *out, const struct wire_msg *msg);

/*
 * Decodes one frame's body. Blobs in `msg` are borrowed from `body`; `zone` is
 * the caller's, cleared by it between messages. 0 or ERR_PROTO (not msgpack,
 * rubbish behind it, unknown type, a field of the wrong type, range or length).
 */
int wire_unpack(const void *body, size_t len, msgpack_zone *zone, struct wire_msg *msg);

void wire_stat_pack(msgpack_sbuffer *out, const struct wire_stat *stat);
int wire_stat_unpack(struct blob in, struct wire_stat *stat);

/* LIST's data. next: takes one entry off the front of `in`; 1, 0 at the end, ERR_PROTO. */
void wire_entry_pack(msgpack_sbuffer *out, const struct wire_entry *entry);
int wire_entry_next(struct blob *in, struct wire_entry *entry);

/* MULTI's steps and the data of its reply, in the same way. */
void wire_step_pack(msgpack_sbuffer *out, const struct wire_step *step);
int wire_step_next(struct blob *in, struct wire_step *step);
void wire_result_pack(msgpack_sbuffer *out, const struct wire_result *result);
int wire_result_next(struct blob *in, struct wire_result *result);

/* Of the replies to STATFS and USAGE. */
void wire_space_pack(msgpack_sbuffer *out, const struct wire_space *space);
int wire_space_unpack(struct blob in, struct wire_space *space);
void wire_used_pack(msgpack_sbuffer *out, const struct wire_used *used);
int wire_used_unpack(struct blob in, struct wire_used *used);

/* "CREATE" and so on, for logs; "?" for an unknown number. */
const char *wire_type_name(uint32_t type);

/* Whether a front end's message is a write: CREATE … UNLOCK, QUOTA. */
bool wire_is_write(enum wire_type type);

#endif
