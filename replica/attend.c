/*
 * Sessions as a member attends to them: who is attached here, and, as the
 * leader, who is attached where and until when. The session itself is replicated
 * (tree.h); only the leader expires one, by a transaction. Called by replica.c,
 * order.c, write.c and lead.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define REMOVAL_BYTES_MAX                                                                          \
	(WIRE_NAME_MAX + 64) /* of an ephemeral, in the row of its session's end */

_Static_assert(TREE_EPHEMERALS_MAX *REMOVAL_BYTES_MAX < STORE_QUEUE_BYTES_MAX - PROPOSED_BYTES_MAX,
    "the longest row goes on top of all that is proposed");

static const struct blob nothing;

struct attendance *
attend_find(struct replica *replica, uint64_t session)
{
	struct attendance *attendance;

	HASH_FIND(hh, replica->attendances, &session, sizeof session, attendance);
	return attendance;
}

static struct attendance *
attend_get(struct replica *replica, uint64_t session)
{
	struct attendance *attendance = attend_find(replica, session);

	if (attendance != NULL)
		return attendance;
	attendance = calloc(1, sizeof *attendance);
	CHECK(attendance != NULL);
	attendance->session = session;
	TAILQ_INIT(&attendance->requests);
	HASH_ADD(hh, replica->attendances, session, sizeof session, attendance);
	return attendance;
}

/*
 * Its owner counts from an earlier moment, but by another clock: while both are being set right,
 * by half a thousandth each at most, that one may be slower.
 */
void
attend_rearm(struct replica *replica, struct attendance *attendance)
{
	const struct session *session = tree_session(replica->tree, attendance->session);
	uint64_t timeout_ns;

	if (session == NULL)
		return;
	timeout_ns = session_timeout_ms(session) * NS_PER_MS;
	attendance->deadline_ns = replica_now_ns() + timeout_ns + timeout_ns / 1000;
}

/* front: NULL, it is attached here no more. */
static void
set_front(struct replica *replica, struct attendance *attendance, struct front *front)
{
	if (attendance->front != NULL)
		HASH_DELETE(by_front, replica->attached, attendance);
	await_free(attendance);
	attendance->front = front;
	if (front != NULL)
		HASH_ADD(by_front, replica->attached, front, sizeof front, attendance);
}

static void
welcome(struct replica *replica, struct attendance *attendance)
{
	const struct session *session = tree_session(replica->tree, attendance->session);
	struct wire_welcome message = {
		.code = ERR_OK,
		.session = session_id(session),
		.secret = session_secret(session),
		.timeout_ms = session_timeout_ms(session),
		.replica = replica->member,
		.zxid = tree_applied(replica->tree),
	};

	attendance->welcomed = true;
	front_welcome(attendance->front, &message);
}

static void
refuse(struct replica *replica, struct front *front, int code)
{
	struct wire_welcome message = { .code = code, .replica = replica->member };

	front_welcome(front, &message);
}

/* The connection is the session's here, from now on the only one. */
static void
take_front(
    struct replica *replica, struct attendance *attendance, struct front *front, uint64_t serial)
{
	if (attendance->front != NULL && attendance->front != front)
		front_kick(attendance->front, "the session has moved to a newer connection");
	request_free(replica, attendance);
	set_front(replica, attendance, front);
	attendance->front_serial = serial;
	write_forget_refused(&attendance->front_refused);
	attendance->welcomed = false;
}

/* To the leader: the session is here. */
static void
announce(struct replica *replica, const struct attendance *attendance)
{
	struct wire_msg msg = { .type = WIRE_T_ATTACH,
		.attach = { .epoch = replica->epoch,
		    .session = attendance->session,
		    .serial = attendance->front_serial } };
	struct peer *peer;

	if (replica->leading) {
		lead_attach(
		    replica, replica->member, attendance->session, attendance->front_serial);
		return;
	}
	peer = replica_peer(replica, replica->leader);
	links_send(replica->links, peer->sid, peer->conn, &msg, nothing);
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
	struct opening *opening = calloc(1, sizeof *opening);
	struct wire_msg msg = { .type = WIRE_T_OPEN };
	struct peer *peer;

	CHECK(opening != NULL);
	opening->front = front;
	opening->serial = hello->serial;
	replica_random(opening->secret, sizeof opening->secret);
	LIST_INSERT_HEAD(&replica->openings, opening, next);
	msg.open = (struct wire_open){ .epoch = replica->epoch,
		.secret = { opening->secret, sizeof opening->secret },
		.timeout_ms = timeout_granted(replica->conf, hello->timeout_ms),
		.identity = hello->identity };
	if (replica->leading) {
		lead_open(replica, replica->member, &msg.open);
		return;
	}
	peer = replica_peer(replica, replica->leader);
	links_send(replica->links, peer->sid, peer->conn, &msg, nothing);
}

static struct opening *
opening_find(const struct replica *replica, struct blob secret)
{
	struct opening *opening;

	LIST_FOREACH(opening, &replica->openings, next)
	if (secret.len == sizeof opening->secret &&
	    memcmp(secret.data, opening->secret, sizeof opening->secret) == 0)
		return opening;
	return NULL;
}

static void
opening_free(struct opening *opening)
{
	LIST_REMOVE(opening, next);
	free(opening);
}

void
attend_refused(struct replica *replica, struct blob secret, int code)
{
	struct opening *opening = opening_find(replica, secret);

	if (opening == NULL)
		return;
	refuse(replica, opening->front, code);
	opening_free(opening);
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

/* Whether the log tells all that the session has not been told. */
static bool
reaches(struct replica *replica, const struct wire_hello *hello)
{
	uint64_t from = hello->seen > hello->session ? hello->seen : hello->session, found, hash;

	return store_look_up(replica->store, from, &found, &hash) != ERR_NONODE;
}

/* 0, or why the session can't be attached here. */
static int
admissible(struct replica *replica, const struct wire_hello *hello)
{
	const struct session *session = tree_session(replica->tree, hello->session);
	const struct attendance *attendance = attend_find(replica, hello->session);

	/* Never attach to a member that is behind what the session has seen. */
	if (hello->seen > tree_applied(replica->tree))
		return ERR_BUSY;
	if (session == NULL || !secret_equal(session_secret(session), hello->secret))
		return ERR_EXPIRED;
	if (hello->whole != 0 && !reaches(replica, hello))
		return ERR_GAP;
	if (attendance != NULL && attendance->front != NULL &&
	    hello->serial <= attendance->front_serial)
		return ERR_MOVED;
	return 0;
}

void
attend_hello(struct replica *replica, struct front *front, const struct wire_hello *hello)
{
	struct attendance *attendance;
	int code;

	if (hello->proto != WIRE_PROTO) {
		refuse(replica, front, ERR_PROTO);
		return;
	}
	if (!replica->serving) {
		refuse(replica, front, replica->disk_full ? ERR_NOSPC : ERR_NOQUORUM);
		return;
	}
	if (hello->session == 0) {
		open_new(replica, front, hello);
		return;
	}
	code = admissible(replica, hello);
	if (code != 0) {
		refuse(replica, front, code);
		return;
	}
	attendance = attend_get(replica, hello->session);
	take_front(replica, attendance, front, hello->serial);
	announce(replica, attendance);
}

void
attend_attached(struct replica *replica, const struct wire_attached *attached)
{
	struct attendance *attendance = attend_find(replica, attached->session);
	struct front *front;

	if (attendance == NULL || attendance->front == NULL || attendance->welcomed ||
	    attendance->front_serial != attached->serial)
		return;
	/* It ended here while the leader was asked. */
	if (attached->code == ERR_OK && tree_session(replica->tree, attached->session) != NULL) {
		welcome(replica, attendance);
		return;
	}
	front = attendance->front;
	set_front(replica, attendance, NULL);
	refuse(replica, front, attached->code == ERR_OK ? ERR_EXPIRED : attached->code);
}

void
attend_opened(struct replica *replica, const struct txn *txn)
{
	struct opening *opening = opening_find(replica, txn->ops[0].session_open.secret);
	struct attendance *attendance;

	/* Without one: another member's, or the front end left meanwhile and it expires. */
	if (opening == NULL && !replica->leading)
		return;
	attendance = attend_get(replica, txn->ops[0].session_open.id);
	attend_rearm(replica, attendance);
	if (opening == NULL)
		return;
	take_front(replica, attendance, opening->front, opening->serial);
	opening_free(opening);
	welcome(replica, attendance);
}

bool
attend_close(struct replica *replica, uint64_t session, bool expired)
{
	uint64_t zxid = order_next_zxid(replica);
	struct attendance *attendance = attend_find(replica, session);
	struct txn txn;
	bool closing;

	if (zxid == 0)
		return false;
	closing = prep_session_close(
	    replica->prep, zxid, write_time_ns(replica), session, expired, replica->zone, &txn);
	if (closing) {
		if (attendance != NULL)
			attendance->closing = true;
		order_propose(replica, zxid, &txn);
	}
	msgpack_zone_clear(replica->zone);
	return closing;
}

static void
attendance_free(struct replica *replica, struct attendance *attendance)
{
	set_front(replica, attendance, NULL);
	request_free(replica, attendance);
	write_forget_refused(&attendance->refused);
	write_forget_refused(&attendance->front_refused);
	HASH_DELETE(hh, replica->attendances, attendance);
	free(attendance);
}

void
attend_closed(struct replica *replica, uint64_t session, bool expired)
{
	struct wire_msg bye = { .type = WIRE_T_BYE,
		.bye = { .code = expired ? ERR_EXPIRED : ERR_OK } };
	struct attendance *attendance = attend_find(replica, session);

	replica->figures.expired += expired;
	log_info(
	    "session %s id=0x%llx", expired ? "expired" : "closed", (unsigned long long)session);
	if (attendance == NULL)
		return;
	if (attendance->front != NULL && attendance->welcomed)
		front_send(attendance->front, &bye);
	else if (attendance->front != NULL)
		refuse(replica, attendance->front, ERR_EXPIRED);
	attendance_free(replica, attendance);
}

void
attend_gone(struct replica *replica, struct front *front)
{
	struct opening *opening, *following;
	struct attendance *attendance;

	LIST_FOREACH_SAFE(opening, &replica->openings, next, following)
	if (opening->front == front)
		opening_free(opening);
	/* Before its welcome, and after a kick, the connection doesn't name the session. */
	HASH_FIND(by_front, replica->attached, &front, sizeof front, attendance);
	if (attendance == NULL)
		return;
	set_front(replica, attendance, NULL);
	request_free(replica, attendance);
}

/* A new leader gives every session a full timeout. */
static void
rearm_all(struct replica *replica)
{
	const struct session *session;
	struct attendance *attendance;

	for (session = tree_next_session(replica->tree, 0); session != NULL;
	     session = tree_next_session(replica->tree, session_id(session))) {
		attendance = attend_get(replica, session_id(session));
		/* A close that was under way and is void has to be asked for again. */
		attendance->closing = false;
		attendance->member = 0;
		attendance->serial = 0;
		write_forget_refused(&attendance->refused);
		attend_rearm(replica, attendance);
	}
}

static void
refuse_openings(struct replica *replica, int code)
{
	struct opening *opening;

	while ((opening = LIST_FIRST(&replica->openings)) != NULL) {
		refuse(replica, opening->front, code);
		opening_free(opening);
	}
}

/* Those that the leader has not confirmed. */
static void
refuse_attaching(struct replica *replica, int code)
{
	struct attendance *attendance, *next;

	HASH_ITER (hh, replica->attendances, attendance, next) {
		if (attendance->front == NULL || attendance->welcomed)
			continue;
		refuse(replica, attendance->front, code);
		set_front(replica, attendance, NULL);
	}
}

void
attend_changed(struct replica *replica)
{
	struct attendance *attendance, *next;

	if (!replica->leading)
		lead_drop(replica);
	refuse_openings(replica, ERR_NOQUORUM);
	refuse_attaching(replica, ERR_NOQUORUM);
	if (!replica->serving) {
		request_drop(replica);
		return;
	}
	if (replica->leading)
		rearm_all(replica);
	HASH_ITER (hh, replica->attendances, attendance, next) {
		if (attendance->front == NULL)
			continue;
		announce(replica, attendance);
		request_again(replica, attendance);
	}
}

void
attend_full(struct replica *replica)
{
	struct attendance *attendance, *next;

	refuse_openings(replica, ERR_NOSPC);
	HASH_ITER (hh, replica->attendances, attendance, next)
		if (attendance->front != NULL)
			request_fail(replica, attendance, ERR_NOSPC);
}

void
attend_kick_all(struct replica *replica, const char *why)
{
	struct attendance *attendance, *next;

	HASH_ITER (hh, replica->attendances, attendance, next)
		if (attendance->front != NULL)
			front_kick(attendance->front, why);
}

void
attend_forget_ended(struct replica *replica)
{
	struct attendance *attendance, *next;

	HASH_ITER (hh, replica->attendances, attendance, next)
		if (tree_session(replica->tree, attendance->session) == NULL)
			attendance_free(replica, attendance);
}

/* Those whose time is over, as far as so many may end at once. */
static void
end_overdue(struct replica *replica, uint64_t now_ns)
{
	struct attendance *attendance, *next;

	replica->overdue = false;
	HASH_ITER (hh, replica->attendances, attendance, next) {
		if (attendance->deadline_ns > now_ns || attendance->closing)
			continue;
		if (prep_ending(replica->prep) >= ENDING_MAX) {
			replica->overdue = true;
			return;
		}
		attend_close(replica, attendance->session, true);
	}
}

void
attend_go_on(struct replica *replica)
{
	if (replica->leading && replica->overdue && prep_ending(replica->prep) < ENDING_MAX)
		end_overdue(replica, replica_now_ns());
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
	if (!replica->leading)
		return;
	HASH_ITER (hh, replica->attendances, attendance, next)
		attendance->deadline_ns += gap_ns;
	end_overdue(replica, now_ns);
}

void
attend_free(struct replica *replica)
{
	struct attendance *attendance, *next;
	struct opening *opening;

	while ((opening = LIST_FIRST(&replica->openings)) != NULL)
		opening_free(opening);
	HASH_ITER (hh, replica->attendances, attendance, next)
		attendance_free(replica, attendance);
}
