/*
 * What front ends here ask of the ensemble: writes, fsync, the end of the
 * session, pings. Each request is handed to the leader, in the order in which
 * it came, and kept until its answer is there; a new leader gets all of them
 * again, in the same order: by the session's retry table none is executed
 * twice. Where there is no leader, a new one is refused: it can't have been
 * executed. Called by replica.c, order.c and attend.c; the leader's part is lead.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>

/*
 * A new leader gets them all in one turn (request_again), and a connection that can't hold that
 * would be closed, and come again, without end. What a FORWARD adds is no more than a short request
 * is long, or twice.
 */
_Static_assert(3 * REQUESTS_BYTES_MAX < LINK_UNSENT_MAX, "they fit into a connection");

static const struct blob nothing;

static void
to_leader(struct replica *replica, const struct wire_msg *msg)
{
	struct peer *peer = replica_peer(replica, replica->leader);

	links_send(replica->links, peer->sid, peer->conn, msg, nothing);
}

static void
forward(struct replica *replica, const struct attendance *attendance, struct blob packed)
{
	struct wire_msg msg = { .type = WIRE_T_FORWARD,
		.forward = { .epoch = replica->epoch,
		    .session = attendance->session,
		    .serial = attendance->front_serial,
		    .request = packed } };

	to_leader(replica, &msg);
}

/* Every request has its rid first (wire.h), but CLOSE, of which there is one. */
static uint64_t
rid_of(const struct wire_msg *msg)
{
	return msg->type == WIRE_T_CLOSE ? 0 : msg->sync.rid;
}

static void
refuse(struct replica *replica, struct front *front, enum wire_type type, uint64_t rid, int code)
{
	struct wire_msg bye = { .type = WIRE_T_BYE, .bye.code = code };

	if (type == WIRE_T_CLOSE)
		front_send(front, &bye);
	else
		replica_answer(replica, front, rid, code);
}

/* One that was refused and comes again goes before later ones that will be refused, too. */
static struct request *
place_of(struct attendance *attendance, const struct request *request)
{
	struct request *at = TAILQ_LAST(&attendance->requests, requests), *place = NULL;

	if (!wire_is_write(request->type))
		return NULL;
	for (; at != NULL; at = TAILQ_PREV(at, requests, next)) {
		if (!wire_is_write(at->type))
			continue;
		if (at->rid < request->rid)
			break;
		place = at;
	}
	return place;
}

static void
keep(struct replica *replica, struct attendance *attendance, const struct wire_msg *msg,
    struct blob packed)
{
	struct request *request = malloc(sizeof *request + packed.len), *place;

	CHECK(request != NULL);
	request->type = msg->type;
	request->rid = rid_of(msg);
	request->taken_ns = replica_now_ns();
	request->len = packed.len;
	memcpy(request->packed, packed.data, packed.len);
	place = place_of(attendance, request);
	if (place != NULL)
		TAILQ_INSERT_BEFORE(place, request, next);
	else
		TAILQ_INSERT_TAIL(&attendance->requests, request, next);
	attendance->nrequests++;
	replica->requests_bytes += packed.len;
}

/* 0, or why it is certainly not executed now. */
static int
admissible(struct replica *replica, struct attendance *attendance, const struct wire_msg *msg)
{
	bool overtakes = wire_is_write(msg->type) && write_overtakes(&attendance->front_refused,
							 msg->setattr.rid, msg->setattr.acked);

	if (!replica->serving)
		return replica->disk_full ? ERR_NOSPC : ERR_NOQUORUM;
	if (overtakes || attendance->nrequests >= REQUESTS_MAX ||
	    replica->requests_bytes > REQUESTS_BYTES_MAX)
		return ERR_BUSY;
	return 0;
}

void
request_take(struct replica *replica, struct front *front, const struct wire_msg *msg)
{
	struct attendance *attendance = attend_find(replica, front_session(front));
	const struct session_result *result;
	const struct session *session;
	struct blob packed;
	int code;

	if (attendance == NULL || attendance->front != front)
		return; /* it is being closed */
	session = tree_session(replica->tree, attendance->session);
	result = session == NULL || !wire_is_write(msg->type)
		     ? NULL
		     : session_result(session, rid_of(msg));
	if (result != NULL) {
		write_answer(replica, front, result);
		return;
	}
	code = admissible(replica, attendance, msg);
	if (wire_is_write(msg->type))
		write_refused(&attendance->front_refused, rid_of(msg), code != 0);
	if (code != 0) {
		refuse(replica, front, msg->type, rid_of(msg), code);
		return;
	}
	msgpack_sbuffer_clear(&replica->scratch);
	wire_pack(&replica->scratch, msg);
	packed = (struct blob){ (const uint8_t *)replica->scratch.data,
		(uint32_t)replica->scratch.size };
	keep(replica, attendance, msg, packed);
	if (replica->leading)
		lead_take(
		    replica, replica->member, attendance->session, attendance->front_serial, msg);
	else
		forward(replica, attendance, packed);
}

void
request_ping(struct replica *replica, struct front *front, const struct wire_ping *ping)
{
	struct attendance *attendance = attend_find(replica, front_session(front));
	struct wire_msg pong = { .type = WIRE_T_PONG,
		.pong = { .sent_ns = ping->sent_ns, .zxid = tree_applied(replica->tree) } };
	struct wire_msg msg = { .type = WIRE_T_PING, .ping = *ping };

	if (attendance == NULL || attendance->front != front)
		return;
	/*
	 * The connection is alive; whether the session is, only the leader can say. Where
	 * there is no other member it is: nobody could end it.
	 */
	pong.pong.alive = !replica->serving && replica->alone;
	front_send(front, &pong);
	if (!replica->serving)
		return;
	if (replica->leading) {
		lead_take(
		    replica, replica->member, attendance->session, attendance->front_serial, &msg);
		return;
	}
	msgpack_sbuffer_clear(&replica->scratch);
	wire_pack(&replica->scratch, &msg);
	forward(replica, attendance,
	    (struct blob){
		(const uint8_t *)replica->scratch.data, (uint32_t)replica->scratch.size });
}

static void
take_out(struct replica *replica, struct attendance *attendance, struct request *request)
{
	TAILQ_REMOVE(&attendance->requests, request, next);
	attendance->nrequests--;
	replica->requests_bytes -= request->len;
	free(request);
}

static void
lead_again(struct replica *replica, const struct attendance *attendance, struct blob packed)
{
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	struct wire_msg msg;

	CHECK(zone != NULL);
	CHECK(wire_unpack(packed.data, packed.len, zone, &msg) == 0);
	lead_take(replica, replica->member, attendance->session, attendance->front_serial, &msg);
	msgpack_zone_free(zone);
}

void
request_again(struct replica *replica, struct attendance *attendance)
{
	struct request *request, *next;

	/* A refusal takes the request itself out, and no other. */
	TAILQ_FOREACH_SAFE (request, &attendance->requests, next, next) {
		struct blob packed = { request->packed, request->len };

		/* What the last leader refused is with the front end, and has to come first. */
		if (wire_is_write(request->type) &&
		    write_overtakes(&attendance->front_refused, request->rid, 0)) {
			write_refused(&attendance->front_refused, request->rid, true);
			refuse(replica, attendance->front, request->type, request->rid, ERR_BUSY);
			take_out(replica, attendance, request);
			continue;
		}
		if (replica->leading)
			lead_again(replica, attendance, packed);
		else
			forward(replica, attendance, packed);
	}
}

/* Answers come in the order of the requests, most of the time. */
static struct request *
find(const struct attendance *attendance, uint64_t rid)
{
	struct request *request;

	TAILQ_FOREACH (request, &attendance->requests, next)
		if (request->rid == rid)
			return request;
	return NULL;
}

bool
request_waits(struct replica *replica, const struct front *front, uint64_t rid)
{
	const struct attendance *attendance = attend_find(replica, front_session(front));

	return attendance != NULL && attendance->front == front && find(attendance, rid) != NULL;
}

bool
request_done(struct replica *replica, struct attendance *attendance, uint64_t rid)
{
	struct request *request = find(attendance, rid);

	if (request == NULL)
		return false;
	figures_answered(replica, request);
	take_out(replica, attendance, request);
	return true;
}

void
request_fail(struct replica *replica, struct attendance *attendance, int code)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&attendance->requests)) != NULL) {
		refuse(replica, attendance->front, request->type, request->rid, code);
		take_out(replica, attendance, request);
	}
}

void
request_free(struct replica *replica, struct attendance *attendance)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&attendance->requests)) != NULL)
		take_out(replica, attendance, request);
}

static void
executed_before(struct replica *replica, struct attendance *attendance, uint64_t rid)
{
	const struct session *session = tree_session(replica->tree, attendance->session);
	const struct session_result *result = session == NULL ? NULL : session_result(session, rid);

	if (result != NULL && request_done(replica, attendance, rid))
		write_answer(replica, attendance->front, result);
}

static void
say_end(struct replica *replica, struct attendance *attendance, const struct wire_answer *answer)
{
	struct wire_msg bye = { .type = WIRE_T_BYE, .bye.code = answer->code };
	struct wire_attached refusal = { .session = answer->session,
		.serial = answer->serial,
		.code = answer->code == ERR_OK ? ERR_EXPIRED : answer->code };

	/* It ended, or moved, before it was here. */
	if (!attendance->welcomed) {
		attend_attached(replica, &refusal);
		return;
	}
	request_done(replica, attendance, 0);
	front_send(attendance->front, &bye);
	if (answer->code == ERR_MOVED)
		front_kick(attendance->front, "the session has moved");
}

static void
say_alive(struct replica *replica, const struct attendance *attendance, uint64_t sent_ns)
{
	struct wire_msg pong = { .type = WIRE_T_PONG,
		.pong = { .sent_ns = sent_ns, .zxid = tree_applied(replica->tree), .alive = 1 } };

	/* Who has not resumed has asked for nothing. */
	if (front_resumed(attendance->front))
		front_send(attendance->front, &pong);
}

/* Everything that the answer speaks of is applied here. */
static void
say(struct replica *replica, const struct wire_answer *answer)
{
	struct attendance *attendance = attend_find(replica, answer->session);

	if (attendance == NULL || attendance->front == NULL ||
	    attendance->front_serial != answer->serial)
		return;
	if (answer->type == WIRE_T_PONG) {
		say_alive(replica, attendance, answer->rid);
	} else if (answer->type == WIRE_T_BYE) {
		say_end(replica, attendance, answer);
	} else if (answer->type == WIRE_T_REPLY && answer->code == ERR_OK) {
		executed_before(replica, attendance, answer->rid);
	} else if (request_done(replica, attendance, answer->rid)) {
		if (answer->type == WIRE_T_REPLY && answer->code == ERR_BUSY)
			write_refused(&attendance->front_refused, answer->rid, true);
		replica_answer(replica, attendance->front, answer->rid, answer->code);
	}
}

bool
request_answer(struct replica *replica, const struct wire_answer *message)
{
	struct answer *answer;

	if (message->epoch != replica->epoch || !replica->serving)
		return true;
	if (message->zxid <= tree_applied(replica->tree)) {
		say(replica, message);
		return true;
	}
	if (replica->nanswers >= LEAD_DOUBTS_MAX)
		return false;
	answer = malloc(sizeof *answer);
	CHECK(answer != NULL);
	answer->message = *message;
	STAILQ_INSERT_TAIL(&replica->answers, answer, next);
	if (replica->nanswers++ == 0 || message->zxid < replica->answers_due)
		replica->answers_due = message->zxid;
	return true;
}

void
request_applied(struct replica *replica)
{
	STAILQ_HEAD(, answer) all = STAILQ_HEAD_INITIALIZER(all);
	struct answer *answer;

	if (replica->nanswers == 0 || tree_applied(replica->tree) < replica->answers_due)
		return;
	STAILQ_SWAP(&all, &replica->answers, answer);
	replica->nanswers = 0;
	while ((answer = STAILQ_FIRST(&all)) != NULL) {
		STAILQ_REMOVE_HEAD(&all, next);
		request_answer(replica, &answer->message);
		free(answer);
	}
}

void
request_drop(struct replica *replica)
{
	struct answer *answer;

	while ((answer = STAILQ_FIRST(&replica->answers)) != NULL) {
		STAILQ_REMOVE_HEAD(&replica->answers, next);
		free(answer);
	}
	replica->nanswers = 0;
}
