/*
 * Sessions as this member attends to them: who is attached where, and until
 * when. The session itself is replicated (tree.h); only the leader expires
 * one, by a transaction. Called by replica.c and write.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NS_PER_MS UINT64_C(1000000)

static struct attendance *
attendance_find(struct replica *replica, uint64_t session)
{
	struct attendance *attendance;

	HASH_FIND(hh, replica->attendances, &session, sizeof session, attendance);
	return attendance;
}

static struct attendance *
attendance_get(struct replica *replica, uint64_t session)
{
	struct attendance *attendance = attendance_find(replica, session);

	if (attendance != NULL)
		return attendance;
	attendance = calloc(1, sizeof *attendance);
	CHECK(attendance != NULL);
	attendance->session = session;
	HASH_ADD(hh, replica->attendances, session, sizeof session, attendance);
	return attendance;
}

static void
rearm(struct replica *replica, struct attendance *attendance)
{
	const struct session *session = tree_session(replica->tree, attendance->session);

	if (session != NULL)
		attendance->deadline_ns =
		    replica_now_ns() + session_timeout_ms(session) * NS_PER_MS;
}

void
attend_heard(struct replica *replica, uint64_t session)
{
	struct attendance *attendance = attendance_find(replica, session);

	if (attendance != NULL)
		rearm(replica, attendance);
}

struct front *
attend_front(struct replica *replica, uint64_t session)
{
	struct attendance *attendance = attendance_find(replica, session);

	return attendance == NULL ? NULL : attendance->front;
}

static void
welcome(struct replica *replica, struct front *front, const struct session *session)
{
	struct wire_welcome message = {
		.code = ERR_OK,
		.session = session_id(session),
		.secret = session_secret(session),
		.timeout_ms = session_timeout_ms(session),
		.replica = replica->member,
		.zxid = tree_applied(replica->tree),
	};

	front_welcome(front, &message);
}

static void
refuse(struct replica *replica, struct front *front, int code)
{
	struct wire_welcome message = { .code = code, .replica = replica->member };

	front_welcome(front, &message);
}

static void
attach(struct replica *replica, struct front *front, const struct session *session)
{
	struct attendance *attendance = attendance_get(replica, session_id(session));

	rearm(replica, attendance);
	welcome(replica, front, session);
	/* A connection that was ended while the transaction was under way has no session. */
	if (front_session(front) != attendance->session)
		return;
	if (attendance->front != NULL && attendance->front != front)
		front_kick(attendance->front, "the session has moved to a newer connection");
	attendance->front = front;
}

static uint32_t
timeout_granted(const struct conf *conf, uint32_t wish_ms)
{
	if (wish_ms < conf->session_timeout_min)
		return conf->session_timeout_min;
	return wish_ms > conf->session_timeout_max ? conf->session_timeout_max : wish_ms;
}

static void
open_new(struct replica *replica, struct front *front, const struct wire_hello *hello)
{
	uint64_t zxid = zab_next_zxid(replica->zab);
	uint8_t secret[WIRE_SECRET_LEN];
	struct txn txn;

	if (zxid == 0) {
		refuse(replica, front, replica->disk_full ? ERR_NOSPC : ERR_NOQUORUM);
		return;
	}
	CHECK(getrandom(secret, sizeof secret, 0) == sizeof secret);
	prep_session_open(replica->prep, zxid, write_time_ns(replica), secret,
	    timeout_granted(replica->conf, hello->timeout_ms), hello->identity, replica->zone,
	    &txn);
	order_propose(replica, zxid, &txn, front);
	msgpack_zone_clear(replica->zone);
}

/* Time does not depend on where the first difference is. */
static bool
secret_equal(struct blob a, struct blob b)
{
	uint32_t i;
	uint8_t difference = 0;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++)
		difference |= a.data[i] ^ b.data[i];
	return difference == 0;
}

void
attend_hello(struct replica *replica, struct front *front, const struct wire_hello *hello)
{
	const struct session *session;
	struct attendance *attendance;

	if (hello->proto != WIRE_PROTO) {
		refuse(replica, front, ERR_PROTO);
		return;
	}
	if (hello->session == 0) {
		open_new(replica, front, hello);
		return;
	}
	session = tree_session(replica->tree, hello->session);
	attendance = attendance_find(replica, hello->session);
	if (session == NULL || !secret_equal(session_secret(session), hello->secret) ||
	    (attendance != NULL && attendance->closing)) {
		refuse(replica, front, ERR_EXPIRED);
		return;
	}
	/* Never attach to a member that is behind what the session has seen. */
	if (hello->seen > tree_applied(replica->tree)) {
		refuse(replica, front, ERR_BUSY);
		return;
	}
	attach(replica, front, session);
}

void
attend_opened(struct replica *replica, const struct txn *txn, struct front *opener)
{
	const struct session *session = tree_session(replica->tree, txn->ops[0].session_open.id);
	struct attendance *attendance;

	CHECK(session != NULL);
	if (opener != NULL) {
		attach(replica, opener, session);
		return;
	}
	/* The front end left while the transaction was under way: the session expires by itself. */
	attendance = attendance_get(replica, session_id(session));
	rearm(replica, attendance);
}

/* Proposes the end of a session. False: there is none, or the log can't take it now. */
static bool
close_propose(struct replica *replica, uint64_t session, bool expired)
{
	uint64_t zxid = zab_next_zxid(replica->zab);
	struct attendance *attendance;
	struct txn txn;
	bool closing;

	if (zxid == 0)
		return false;
	closing = prep_session_close(
	    replica->prep, zxid, write_time_ns(replica), session, expired, replica->zone, &txn);
	if (closing) {
		attendance = attendance_find(replica, session);
		if (attendance != NULL)
			attendance->closing = true;
		order_propose(replica, zxid, &txn, NULL);
	}
	msgpack_zone_clear(replica->zone);
	return closing;
}

void
attend_close(struct replica *replica, struct front *front)
{
	struct wire_msg bye = { .type = WIRE_T_BYE, .bye = { .code = ERR_NOSPC } };

	if (!close_propose(replica, front_session(front), false))
		front_send(front, &bye);
}

void
attend_close_dropped(struct replica *replica, uint64_t session)
{
	struct wire_msg bye = { .type = WIRE_T_BYE, .bye = { .code = ERR_NOSPC } };
	struct attendance *attendance = attendance_find(replica, session);

	if (attendance == NULL)
		return;
	attendance->closing = false;
	if (attendance->front != NULL)
		front_send(attendance->front, &bye);
}

void
attend_closed(struct replica *replica, uint64_t session, bool expired)
{
	struct wire_msg bye = { .type = WIRE_T_BYE,
		.bye = { .code = expired ? ERR_EXPIRED : ERR_OK } };
	struct attendance *attendance = attendance_find(replica, session);

	log_info(
	    "session %s id=0x%llx", expired ? "expired" : "closed", (unsigned long long)session);
	if (attendance == NULL)
		return;
	if (attendance->front != NULL)
		front_send(attendance->front, &bye);
	HASH_DELETE(hh, replica->attendances, attendance);
	free(attendance);
}

void
attend_gone(struct replica *replica, struct front *front)
{
	struct attendance *attendance = attendance_find(replica, front_session(front));
	struct proposal *proposal;

	STAILQ_FOREACH (proposal, &replica->proposals, next)
		if (proposal->opener == front)
			proposal->opener = NULL;
	if (attendance != NULL && attendance->front == front)
		attendance->front = NULL;
}

void
attend_rearm(struct replica *replica)
{
	const struct session *session;
	struct attendance *attendance;

	for (session = tree_next_session(replica->tree, 0); session != NULL;
	     session = tree_next_session(replica->tree, session_id(session))) {
		attendance = attendance_get(replica, session_id(session));
		/* A close that was under way and is void has to be asked for again. */
		attendance->closing = false;
		rearm(replica, attendance);
	}
}

void
attend_tick(struct replica *replica, uint64_t now_ns)
{
	uint64_t tick_ns = replica->conf->tick_ms * NS_PER_MS, gap_ns = 0;
	struct attendance *attendance, *next;

	/* This process itself stood still (SIGSTOP): nobody could have been heard meanwhile. */
	if (replica->tick_ns != 0 && now_ns > replica->tick_ns + 3 * tick_ns)
		gap_ns = now_ns - replica->tick_ns;
	replica->tick_ns = now_ns;
	HASH_ITER (hh, replica->attendances, attendance, next) {
		attendance->deadline_ns += gap_ns;
		if (attendance->deadline_ns <= now_ns && !attendance->closing)
			close_propose(replica, attendance->session, true);
	}
}

void
attend_free(struct replica *replica)
{
	struct attendance *attendance, *next;

	HASH_ITER (hh, replica->attendances, attendance, next) {
		HASH_DELETE(hh, replica->attendances, attendance);
		free(attendance);
	}
}
