/*
 * The leader's part in what front ends of all members ask for: who is attached
 * where, writes to be prepared, and the rounds by which a quorum says that this
 * is still the leader. A ping, an fsync and an attachment are only answered
 * when such a round, begun after they came, has ended: a new leader, which gives
 * every session a full timeout, is later than that. Called by request.c for front
 * ends here, by replica.c for those of other members, and by order.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <stdlib.h>
#include <string.h>

#define TELL_EVERY_NS UINT64_C(60000000000)

static const struct blob nothing;

void
lead_answer(struct replica *replica, uint32_t member, const struct wire_answer *message)
{
	struct wire_msg msg = { .type = WIRE_T_ANSWER, .answer = *message };
	struct peer *peer;

	msg.answer.epoch = replica->epoch;
	if (member == replica->member) {
		request_answer(replica, &msg.answer);
		return;
	}
	peer = replica_peer(replica, member);
	links_send(replica->links, peer->sid, peer->conn, &msg, nothing);
}

/* What asked with a smaller serial was sent before the session moved. */
static bool
is_current(struct replica *replica, struct attendance *attendance, uint32_t member, uint64_t serial)
{
	struct wire_answer moved = {
		.session = attendance->session, .type = WIRE_T_BYE, .code = ERR_MOVED
	};

	if (serial < attendance->serial) {
		moved.serial = serial;
		lead_answer(replica, member, &moved);
		return false;
	}
	if (attendance->serial != 0 && serial > attendance->serial &&
	    attendance->member != member) {
		moved.serial = attendance->serial;
		lead_answer(replica, attendance->member, &moved);
	}
	/* A new connection begins with the first request that has no answer. */
	if (serial != attendance->serial)
		write_forget_refused(&attendance->refused);
	attendance->member = member;
	attendance->serial = serial;
	attend_rearm(replica, attendance);
	return true;
}

void
lead_reply(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_msg *msg, int code, uint64_t zxid)
{
	struct wire_answer message = {
		.session = session, .serial = serial, .code = code, .zxid = zxid
	};

	if (msg->type == WIRE_T_PING || msg->type == WIRE_T_CLOSE) {
		message.type = WIRE_T_BYE;
	} else {
		message.type = msg->type == WIRE_T_SYNC ? WIRE_T_SYNC : WIRE_T_REPLY;
		message.rid = msg->sync.rid;
	}
	lead_answer(replica, member, &message);
}

/* Waits for the round that begins after this moment. False: too many do. */
static bool
doubt(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    enum wire_type type, uint64_t rid)
{
	struct doubt *doubt;

	if (replica->ndoubts + replica->nanswers >= LEAD_DOUBTS_MAX)
		return false;
	doubt = malloc(sizeof *doubt);
	CHECK(doubt != NULL);
	*doubt = (struct doubt){ .round = replica->round_asked + 1,
		.member = member,
		.session = session,
		.serial = serial,
		.rid = rid,
		.type = type };
	STAILQ_INSERT_TAIL(&replica->doubts, doubt, next);
	replica->ndoubts++;
	return true;
}

/* The leader's tree lags behind a quorum's: the session may be open elsewhere already. */
static bool
is_early(const struct replica *replica, uint64_t session)
{
	return session > tree_applied(replica->tree) &&
	       tree_session(replica->tree, session) == NULL;
}

static bool
keep(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_msg *msg)
{
	struct early *early;

	if (replica->nearly >= LEAD_EARLY_MAX || replica->early_bytes >= LEAD_EARLY_BYTES_MAX)
		return false;
	msgpack_sbuffer_clear(&replica->scratch);
	wire_pack(&replica->scratch, msg);
	early = malloc(sizeof *early + replica->scratch.size);
	CHECK(early != NULL);
	early->member = member;
	early->session = session;
	early->serial = serial;
	early->len = (uint32_t)replica->scratch.size;
	memcpy(early->packed, replica->scratch.data, early->len);
	STAILQ_INSERT_TAIL(&replica->early, early, next);
	replica->nearly++;
	replica->early_bytes += early->len;
	return true;
}

static void
take_early(struct replica *replica, struct early *early)
{
	STAILQ_REMOVE(&replica->early, early, early, next);
	replica->nearly--;
	replica->early_bytes -= early->len;
}

static struct doubt *
take_doubt(struct replica *replica)
{
	struct doubt *doubt = STAILQ_FIRST(&replica->doubts);

	STAILQ_REMOVE_HEAD(&replica->doubts, next);
	replica->ndoubts--;
	return doubt;
}

/* Of a session that the tree knows, or never will. */
static void
take(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_msg *msg)
{
	struct attendance *attendance = attend_find(replica, session);

	if (tree_session(replica->tree, session) == NULL || attendance == NULL) {
		lead_reply(replica, member, session, serial, msg, ERR_EXPIRED, 0);
		return;
	}
	if (!is_current(replica, attendance, member, serial))
		return;
	switch (msg->type) {
	case WIRE_T_PING:
		doubt(replica, member, session, serial, WIRE_T_PONG, msg->ping.sent_ns);
		break;
	case WIRE_T_SYNC:
		if (!doubt(replica, member, session, serial, WIRE_T_SYNC, msg->sync.rid))
			lead_reply(replica, member, session, serial, msg, ERR_BUSY, 0);
		break;
	case WIRE_T_CLOSE:
		if (!attendance->closing && !attend_close(replica, session, false))
			lead_reply(replica, member, session, serial, msg, ERR_BUSY, 0);
		break;
	case WIRE_T_HAND_OVER:
		handover_take(replica, member, session, serial, &msg->hand_over);
		break;
	default:
		write_prepare(replica, member, session, serial, msg);
	}
}

void
lead_take(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_msg *msg)
{
	if (is_early(replica, session)) {
		/* A ping is not answered: the next one may be. */
		if (!keep(replica, member, session, serial, msg) && msg->type != WIRE_T_PING)
			lead_reply(replica, member, session, serial, msg, ERR_BUSY, 0);
		return;
	}
	take(replica, member, session, serial, msg);
	lead_run(replica);
}

static void
attached(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial, int code)
{
	struct wire_msg msg = { .type = WIRE_T_ATTACHED,
		.attached = {
		    .epoch = replica->epoch, .session = session, .serial = serial, .code = code } };
	struct peer *peer;

	if (member == replica->member) {
		attend_attached(replica, &msg.attached);
		return;
	}
	peer = replica_peer(replica, member);
	links_send(replica->links, peer->sid, peer->conn, &msg, nothing);
}

void
lead_attach(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial)
{
	struct attendance *attendance = attend_find(replica, session);

	if (session > tree_applied(replica->tree)) {
		attached(replica, member, session, serial, ERR_BUSY);
		return;
	}
	if (tree_session(replica->tree, session) == NULL || attendance == NULL) {
		attached(replica, member, session, serial, ERR_EXPIRED);
		return;
	}
	/* Its end is the answer: or, if that is void, what a new leader says. */
	if (attendance->closing)
		return;
	if (!is_current(replica, attendance, member, serial))
		return;
	if (!doubt(replica, member, session, serial, WIRE_T_ATTACHED, 0))
		attached(replica, member, session, serial, ERR_BUSY);
	lead_run(replica);
}

/* Whoever reaches a member can ask for sessions at will: that is said once a minute. */
static bool
is_full(struct replica *replica)
{
	uint64_t sessions = prep_sessions(replica->prep), now_ns = replica_now_ns();

	if (sessions < replica->conf->sessions_max)
		return false;
	replica->figures.sessions_refused++;
	replica->refused++;
	if (replica->refused_ns != 0 && now_ns < replica->refused_ns + TELL_EVERY_NS)
		return true;
	log_warn("session refused sessions=%llu refused=%llu why=\"sessions_max\"",
	    (unsigned long long)sessions, (unsigned long long)replica->refused);
	replica->refused_ns = now_ns;
	replica->refused = 0;
	return true;
}

static void
refuse_opening(struct replica *replica, uint32_t member, const struct wire_open *open)
{
	struct wire_msg msg = { .type = WIRE_T_OPENED,
		.opened = { .epoch = replica->epoch, .secret = open->secret, .code = ERR_BUSY } };
	struct peer *peer;

	if (member == replica->member) {
		attend_refused(replica, open->secret, ERR_BUSY);
		return;
	}
	peer = replica_peer(replica, member);
	links_send(replica->links, peer->sid, peer->conn, &msg, nothing);
}

void
lead_open(struct replica *replica, uint32_t member, const struct wire_open *open)
{
	uint64_t zxid = order_next_zxid(replica);
	struct txn txn;

	if (open->secret.len != WIRE_SECRET_LEN)
		return;
	if (zxid == 0 || is_full(replica)) {
		refuse_opening(replica, member, open);
		return;
	}
	prep_session_open(replica->prep, zxid, write_time_ns(replica), open->secret.data,
	    open->timeout_ms, open->identity, replica->zone, &txn);
	order_propose(replica, zxid, &txn);
	msgpack_zone_clear(replica->zone);
}

static void
confirmed(struct replica *replica, const struct doubt *doubt, uint64_t committed)
{
	const struct attendance *attendance = attend_find(replica, doubt->session);
	struct wire_answer message = { .session = doubt->session,
		.serial = doubt->serial,
		.type = doubt->type,
		.rid = doubt->rid };

	/* Its end is proposed: nobody may tell its owner that it lives. The end is the answer. */
	if (doubt->type != WIRE_T_SYNC && (attendance == NULL || attendance->closing))
		return;
	if (doubt->type == WIRE_T_ATTACHED) {
		attached(replica, doubt->member, doubt->session, doubt->serial, ERR_OK);
		return;
	}
	/* Whatever was acknowledged before the request came was committed by this leader by now. */
	if (doubt->type == WIRE_T_SYNC)
		message.zxid = committed;
	lead_answer(replica, doubt->member, &message);
}

static void
run_rounds(struct replica *replica)
{
	struct zab_status status;
	struct doubt *first;

	zab_status(replica->zab, &status);
	while ((first = STAILQ_FIRST(&replica->doubts)) != NULL &&
	       first->round <= replica->round_confirmed) {
		take_doubt(replica);
		confirmed(replica, first, status.committed);
		free(first);
	}
	/* One round at a time: who comes meanwhile shares the next. */
	if (first != NULL && replica->round_asked == replica->round_confirmed)
		order_confirm(replica, ++replica->round_asked);
}

/* In their order, but none waits for another session's opening. */
static struct early *
early_due(const struct replica *replica)
{
	struct early *early;

	STAILQ_FOREACH (early, &replica->early, next)
		if (early->session <= tree_applied(replica->tree))
			break;
	return early;
}

static void
run_early(struct replica *replica)
{
	msgpack_zone *zone;
	struct early *early;
	struct wire_msg msg;

	while ((early = early_due(replica)) != NULL) {
		take_early(replica, early);
		zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
		CHECK(zone != NULL);
		if (wire_unpack(early->packed, early->len, zone, &msg) == 0)
			take(replica, early->member, early->session, early->serial, &msg);
		msgpack_zone_free(zone);
		free(early);
	}
}

void
lead_run(struct replica *replica)
{
	if (!replica->leading)
		return;
	if (!STAILQ_EMPTY(&replica->early))
		run_early(replica);
	if (!STAILQ_EMPTY(&replica->doubts))
		run_rounds(replica);
}

void
lead_drop(struct replica *replica)
{
	struct early *early;

	while (!STAILQ_EMPTY(&replica->doubts))
		free(take_doubt(replica));
	while ((early = STAILQ_FIRST(&replica->early)) != NULL) {
		take_early(replica, early);
		free(early);
	}
	handover_drop(replica);
	replica->round_confirmed = replica->round_asked;
}
