/*
 * The leader's request processor: a client's write becomes a transaction,
 * prepared against the tree *and* the changes in flight (ZooKeeper's
 * PrepRequestProcessor and its outstanding changes). A request that fails
 * becomes a transaction with its error, so that a retry gets the same answer.
 *
 * Deterministic: the time and random bytes come as arguments. replica.c calls
 * it, proposes the result, and tells it what was applied.
 */
#ifndef ZABFS_TREE_PREP_H
#define ZABFS_TREE_PREP_H

#include "replica/tree/tree.h"

struct prep;

struct prep *prep_new(const struct tree *tree); /* tree: borrowed for its life */
void prep_free(struct prep *prep);

/* What becomes of a write. */
enum prep_verdict {
	PREP_PROPOSE, /* *out is the transaction (also of a failure): propose it */
	PREP_DONE,    /* executed before: answer from session_result(rid), nothing to propose */
	PREP_WAIT,    /* the same request is in flight: its answer will be this one's; or the
		       * session's end is, which then is the answer */
	PREP_REFUSE,  /* *code says why, and nothing is logged: no session (ERR_EXPIRED), rid at or
		       * below acked (ERR_PROTO), a bound is reached (ERR_BUSY) */
};

/*
 * msg: a write (wire_is_write). zxid: the one that the proposal will get; 0: there is no room
 * for one, and what is neither done nor in flight is refused (ERR_BUSY).
 * time_ns: the leader's clock, made not to go backwards by the caller.
 * value_max: bytes, the configured limit. out: ops and blobs live in `zone`, or are borrowed
 * from msg.
 */
enum prep_verdict prep_write(struct prep *prep, uint64_t session, const struct wire_msg *msg,
    uint64_t zxid, int64_t time_ns, uint32_t value_max, msgpack_zone *zone, struct txn *out,
    int *code);

/* A new session; its id is chosen here (the zxid of its transaction) and stands in head.session. */
void prep_session_open(struct prep *prep, uint64_t zxid, int64_t time_ns,
    const uint8_t secret[WIRE_SECRET_LEN], uint32_t timeout_ms, struct blob identity,
    msgpack_zone *zone, struct txn *out);

/*
 * One transaction removes the session and all its ephemerals, those in flight
 * included; later writes of the session wait for it. False: there is no such
 * session, or it is closing already.
 */
bool prep_session_close(struct prep *prep, uint64_t zxid, int64_t time_ns, uint64_t session,
    bool expired, msgpack_zone *zone, struct txn *out);

/*
 * Removes a node that is due (tree_next_due). False: something is in flight that changes it, or a
 * child of it: it may be due no longer.
 */
bool prep_reap(struct prep *prep, uint64_t zxid, int64_t time_ns, uint64_t id, msgpack_zone *zone,
    struct txn *out);

/* Sessions of the tree, and those that are being opened. */
uint64_t prep_sessions(const struct prep *prep);

/* Operations of ends of sessions that are in flight. */
uint64_t prep_ending(const struct prep *prep);

/* The tree has applied everything up to zxid: what was in flight until then is forgotten. */
void prep_applied(struct prep *prep, uint64_t zxid);

/* Everything in flight is dropped (the proposals failed). */
void prep_reset(struct prep *prep);

/* Nodes, locks and sessions remembered as changed in flight; 0 when idle. */
size_t prep_outstanding(const struct prep *prep);

#endif
