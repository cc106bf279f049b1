/*
 * The request processor: the retry table, sessions, and the hand-over to
 * prep_*.c. See prep.h.
 */
#include "replica/tree/prep.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/prep_internal.h"

#include <Judy.h>
#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* A write, or a session's opening or end (rid 0), that is proposed and not applied. */
struct flight {
	TAILQ_ENTRY(flight) next; /* in order of zxid */
	uint64_t zxid, session, rid;
	bool opening;
	uint32_t ending;     /* a session's end: its operations */
	uint32_t ephemerals; /* that it creates … */
	uint64_t *made;	     /* … and their ids */
	bool locks;	     /* it asks for this one */
	struct lock_key lock;
};
TAILQ_HEAD(flights, flight);

/* What a session has in flight, while it has any. */
struct pending {
	UT_hash_handle hh;
	uint64_t session;
	uint64_t acked;
	Pvoid_t flights; /* JudyL: rid -> flight */
	uint32_t ephemerals, locks;
};

struct prep {
	const struct tree *tree;
	struct view *view;
	struct lock_view *locks;
	struct pending *by_session;
	struct flights order;
	size_t count;
	uint64_t openings;
	uint64_t ending; /* operations of ends */
};

struct prep *
prep_new(const struct tree *tree)
{
	struct prep *prep = calloc(1, sizeof *prep);

	CHECK(prep != NULL);
	prep->tree = tree;
	prep->view = view_new(tree);
	prep->locks = lock_view_new(tree);
	TAILQ_INIT(&prep->order);
	return prep;
}

void
prep_free(struct prep *prep)
{
	prep_reset(prep);
	view_free(prep->view);
	lock_view_free(prep->locks);
	free(prep);
}

static struct pending *
pending_find(const struct prep *prep, uint64_t session)
{
	struct pending *pending;

	HASH_FIND(hh, prep->by_session, &session, sizeof session, pending);
	return pending;
}

static struct flight *
flight_find(const struct prep *prep, uint64_t session, uint64_t rid)
{
	const struct pending *pending = pending_find(prep, session);
	PPvoid_t slot = pending == NULL ? NULL : JudyLGet(pending->flights, rid, PJE0);

	return slot == NULL ? NULL : *slot;
}

static struct pending *
pending_get(struct prep *prep, uint64_t session)
{
	struct pending *pending = pending_find(prep, session);

	if (pending != NULL)
		return pending;
	pending = calloc(1, sizeof *pending);
	CHECK(pending != NULL);
	pending->session = session;
	HASH_ADD(hh, prep->by_session, session, sizeof session, pending);
	return pending;
}

static struct flight *
flight_add(struct prep *prep, uint64_t session, uint64_t rid, uint64_t zxid)
{
	struct flight *flight = calloc(1, sizeof *flight);
	PPvoid_t slot = JudyLIns(&pending_get(prep, session)->flights, rid, PJE0);

	CHECK(flight != NULL && slot != NULL && slot != PPJERR && *slot == NULL);
	*slot = flight;
	flight->session = session;
	flight->rid = rid;
	flight->zxid = zxid;
	TAILQ_INSERT_TAIL(&prep->order, flight, next);
	prep->count++;
	return flight;
}

static void
flight_remove(struct prep *prep, struct flight *flight)
{
	struct pending *pending = pending_find(prep, flight->session);

	pending->ephemerals -= flight->ephemerals;
	pending->locks -= flight->locks;
	prep->openings -= flight->opening;
	prep->ending -= flight->ending;
	JudyLDel(&pending->flights, flight->rid, PJE0);
	if (pending->flights == NULL) {
		HASH_DELETE(hh, prep->by_session, pending);
		free(pending);
	}
	TAILQ_REMOVE(&prep->order, flight, next);
	prep->count--;
	free(flight->made);
	free(flight);
}

void
prep_applied(struct prep *prep, uint64_t zxid)
{
	struct flight *flight;

	view_applied(prep->view, zxid);
	lock_view_applied(prep->locks, zxid);
	while ((flight = TAILQ_FIRST(&prep->order)) != NULL && flight->zxid <= zxid)
		flight_remove(prep, flight);
}

void
prep_reset(struct prep *prep)
{
	prep_applied(prep, UINT64_MAX);
	view_reset(prep->view);
}

uint64_t
prep_sessions(const struct prep *prep)
{
	return tree_sessions(prep->tree) + prep->openings;
}

uint64_t
prep_ending(const struct prep *prep)
{
	return prep->ending;
}

size_t
prep_outstanding(const struct prep *prep)
{
	return prep->count + view_size(prep->view) + lock_view_size(prep->locks);
}

/* Every write begins with rid, acked, flags (wire.h). */
static const struct wire_setattr *
head_of(const struct wire_msg *msg)
{
	CHECK(wire_is_write(msg->type));
	return &msg->setattr;
}

static int
dispatch(struct prep_job *job, const struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_T_CREATE:
		return prep_create(job, &msg->create);
	case WIRE_T_DELETE:
		return prep_delete(job, &msg->delete);
	case WIRE_T_WRITE:
		return prep_write_value(job, &msg->write);
	case WIRE_T_SETATTR:
		return prep_setattr(job, &msg->setattr);
	case WIRE_T_RENAME:
		return prep_rename(job, &msg->rename);
	case WIRE_T_MULTI:
		job->out->head.flags |= TXN_MULTI;
		return prep_multi(job, &msg->multi);
	case WIRE_T_LOCK:
		return prep_lock(job, &msg->lock);
	case WIRE_T_UNLOCK:
		return prep_unlock(job, &msg->unlock);
	case WIRE_T_QUOTA:
		return prep_quota(job, &msg->quota);
	default:
		return ERR_PROTO;
	}
}

/* Executed before, under way, or not to be taken: false, and *verdict. */
static bool
is_new(struct prep *prep, const struct session *session, uint64_t rid, uint64_t acked,
    enum prep_verdict *verdict, int *code)
{
	const struct pending *pending = pending_find(prep, session_id(session));
	uint32_t inflight = 0;

	if (acked < session_acked(session))
		acked = session_acked(session);
	if (pending != NULL && acked < pending->acked)
		acked = pending->acked;
	*verdict = PREP_REFUSE;
	*code = ERR_PROTO;
	if (rid <= acked)
		return false;
	if (session_result(session, rid) != NULL) {
		*verdict = PREP_DONE;
		return false;
	}
	if (flight_find(prep, session_id(session), rid) != NULL) {
		*verdict = PREP_WAIT;
		return false;
	}
	*code = ERR_BUSY;
	/*
	 * This request takes what it acknowledges off: so there is a way out of a full table. What
	 * was answered elsewhere may still be in flight here, where the disk is slower.
	 */
	if (pending != NULL)
		inflight = (uint32_t)JudyLCount(pending->flights, acked + 1, UINT64_MAX, PJE0);
	return session_results_above(session, acked) + inflight < WIRE_OUTSTANDING_MAX;
}

static uint32_t
ephemerals_left(const struct prep *prep, const struct session *session)
{
	const struct pending *pending = pending_find(prep, session_id(session));
	uint32_t count = session_ephemerals(session) + (pending == NULL ? 0 : pending->ephemerals);

	return count < TREE_EPHEMERALS_MAX ? TREE_EPHEMERALS_MAX - count : 0;
}

/* Likewise its locks, which are in one row of the image. */
static bool
is_one_lock_too_many(
    const struct prep *prep, const struct session *session, const struct wire_msg *msg)
{
	const struct pending *pending = pending_find(prep, session_id(session));
	uint32_t count = session_locks(session) + (pending == NULL ? 0 : pending->locks);

	return msg->type == WIRE_T_LOCK && count >= TREE_LOCKS_MAX;
}

static bool
makes_ephemeral(const struct txn_op *op)
{
	return op->type == TXN_CREATE && wire_owner_is_session(op->create.owner);
}

static void
note_ephemerals(struct flight *flight, const struct txn *txn)
{
	uint32_t i, n = 0;

	for (i = 0; i < txn->nops; i++)
		flight->ephemerals += makes_ephemeral(&txn->ops[i]);
	if (flight->ephemerals == 0)
		return;
	flight->made = calloc(flight->ephemerals, sizeof *flight->made);
	CHECK(flight->made != NULL);
	for (i = 0; i < txn->nops; i++)
		if (makes_ephemeral(&txn->ops[i]))
			flight->made[n++] = txn->ops[i].create.id;
}

static void
note_lock(struct flight *flight, const struct txn *txn)
{
	const struct txn_lock *lock;

	if (txn->nops == 0 || txn->ops[0].type != TXN_LOCK)
		return;
	lock = &txn->ops[0].lock;
	flight->locks = true;
	flight->lock = (struct lock_key){ txn->head.session, lock->node, lock->owner };
}

/* What the request does to its session while it is in flight. */
static void
take_off(struct prep *prep, const struct txn *txn)
{
	struct flight *flight = flight_add(prep, txn->head.session, txn->head.rid, txn->zxid);
	struct pending *pending = pending_find(prep, txn->head.session);

	if (pending->acked < txn->head.acked)
		pending->acked = txn->head.acked;
	note_ephemerals(flight, txn);
	pending->ephemerals += flight->ephemerals;
	note_lock(flight, txn);
	pending->locks += flight->locks;
}

enum prep_verdict
prep_write(struct prep *prep, uint64_t session_id_, const struct wire_msg *msg, uint64_t zxid,
    int64_t time_ns, uint32_t value_max, msgpack_zone *zone, struct txn *out, int *code)
{
	const struct session *session = tree_session(prep->tree, session_id_);
	const struct flight *ending = flight_find(prep, session_id_, 0);
	const struct wire_setattr *head = head_of(msg);
	struct prep_job job = { prep->view, prep->locks, session_id_, zxid, time_ns, value_max, 0,
		zone, out };
	enum prep_verdict verdict;

	*code = ERR_EXPIRED;
	if (session == NULL)
		return PREP_REFUSE;
	if (ending != NULL && ending->ending != 0)
		return PREP_WAIT;
	if (!is_new(prep, session, head->rid, head->acked, &verdict, code))
		return verdict;
	*code = ERR_BUSY;
	if (zxid == 0)
		return PREP_REFUSE;
	*out = (struct txn){ .zxid = zxid };
	out->head.session = session_id_;
	out->head.rid = head->rid;
	out->head.acked = head->acked;
	out->head.flags = head->flags & WIRE_ECHO;
	out->head.time_ns = time_ns;
	job.ephemerals_left = ephemerals_left(prep, session);
	out->head.code = is_one_lock_too_many(prep, session, msg) ? ERR_NOLCK : dispatch(&job, msg);
	take_off(prep, out);
	return PREP_PROPOSE;
}

void
prep_session_open(struct prep *prep, uint64_t zxid, int64_t time_ns,
    const uint8_t secret[WIRE_SECRET_LEN], uint32_t timeout_ms, struct blob identity,
    msgpack_zone *zone, struct txn *out)
{
	struct prep_job job = { .view = prep->view, .zone = zone, .out = out };
	struct txn_session_open *op;

	*out = (struct txn){ .zxid = zxid };
	out->head.session = zxid;
	out->head.time_ns = time_ns;
	op = &prep_op(&job, TXN_SESSION_OPEN)->session_open;
	op->id = zxid;
	op->secret = (struct blob){ secret, WIRE_SECRET_LEN };
	op->timeout_ms = timeout_ms;
	op->identity = identity;
	flight_add(prep, zxid, 0, zxid)->opening = true;
	prep->openings++;
}

static void
remove_ephemeral(struct prep_job *job, uint64_t id)
{
	struct view_node node;

	if (view_get(job->view, id, &node))
		prep_remove(job, &node);
}

/* What is in flight of others is not looked at: many sessions may end at once. */
static void
remove_made(struct prep_job *job, const struct pending *pending)
{
	const struct flight *flight;
	Word_t rid = 0;
	PPvoid_t slot;
	uint32_t i;

	for (slot = JudyLFirst(pending->flights, &rid, PJE0); slot != NULL;
	     slot = JudyLNext(pending->flights, &rid, PJE0)) {
		flight = *slot;
		for (i = 0; i < flight->ephemerals; i++)
			remove_ephemeral(job, flight->made[i]);
		if (flight->locks)
			lock_view_remove(job->locks, &flight->lock, job->zxid);
	}
}

/* What the session has in the tree and will still have, then what is in flight. */
static void
remove_owned(struct prep_job *job, const struct prep *prep, const struct session *session)
{
	const struct pending *pending = pending_find(prep, job->session);
	const struct lock *lock = NULL;
	uint64_t id = 0, handle;

	while (session_next_ephemeral(session, id, &id, &handle))
		remove_ephemeral(job, id);
	while ((lock = session_next_lock(session, lock)) != NULL)
		lock_view_remove(job->locks,
		    &(struct lock_key){ job->session, lock->node, lock->owner }, job->zxid);
	if (pending != NULL)
		remove_made(job, pending);
}

bool
prep_session_close(struct prep *prep, uint64_t zxid, int64_t time_ns, uint64_t session_id_,
    bool expired, msgpack_zone *zone, struct txn *out)
{
	const struct session *session = tree_session(prep->tree, session_id_);
	struct prep_job job = { prep->view, prep->locks, session_id_, zxid, time_ns, 0, 0, zone,
		out };
	struct txn_session_close *op;

	if (session == NULL || flight_find(prep, session_id_, 0) != NULL)
		return false;
	*out = (struct txn){ .zxid = zxid };
	out->head.time_ns = time_ns;
	remove_owned(&job, prep, session);
	op = &prep_op(&job, TXN_SESSION_CLOSE)->session_close;
	op->id = session_id_;
	op->expired = expired;
	flight_add(prep, session_id_, 0, zxid)->ending = out->nops;
	prep->ending += out->nops;
	return true;
}

bool
prep_reap(struct prep *prep, uint64_t zxid, int64_t time_ns, uint64_t id, msgpack_zone *zone,
    struct txn *out)
{
	struct prep_job job = { prep->view, prep->locks, 0, zxid, time_ns, 0, 0, zone, out };
	struct view_node node;

	if (view_in_flight(prep->view, id) || !view_get(prep->view, id, &node))
		return false;
	*out = (struct txn){ .zxid = zxid };
	out->head.time_ns = time_ns;
	prep_remove(&job, &node);
	return true;
}
