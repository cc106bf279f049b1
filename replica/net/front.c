/*
 * One front end's connection on the replica's side (front.h): the order of its
 * messages, its interest counts. What a message means is replica.c's business;
 * frames are conn.c's, accepting is front_server.c's.
 *
 *   OPENING --HELLO--> GREETED --front_welcome--> WELCOMED --RESUME-->
 *   RESUMING --front_resume_done--> SERVING
 *
 * WELCOMED takes INTERESTs. Nothing is read in RESUMING, which may take some turns
 * of the loop. Whatever does not fit its state is a kick: one log line (not for each
 * of very many), and the connection ends with the turn.
 */
#include "replica/net/front_internal.h"

#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DROPS_TOLD 50 /* at once, by a line each; see front_tell */
#define ROOT 1u	      /* TREE_ROOT; net/ does not know the tree */

static const char *const state_names[] = { "opening", "greeted", "welcomed", "resuming", "serving",
	"ended" };

void
front_free(struct front *front)
{
	TAILQ_REMOVE(&front->server->fronts, front, entry);
	front->server->nfronts--;
	front->server->left -= front->left;
	conn_free(front->conn);
	event_free(front->end);
	JudyLFreeArray(&front->interests, PJE0);
	free(front);
}

static void
front_gone(struct front *front)
{
	front->state = ENDED;
	front->server->handler->gone(front->server->arg, front);
	front_free(front);
}

/* No message is handed out any more; gone() follows at the end of the turn. */
static void
front_end(struct front *front)
{
	if (front->state != ENDED) {
		front->left = conn_unsent(front->conn);
		front->server->left += front->left;
	}
	front->state = ENDED;
	conn_pause(front->conn, true);
	event_active(front->end, EV_TIMEOUT, 0);
}

void
front_kick(struct front *front, const char *why)
{
	struct front_told *told = &front->server->dropped;

	if (front->state == ENDED)
		return;
	front->server->dropped_all++;
	if (front_tell(told, DROPS_TOLD)) {
		log_warn("front end dropped: %s session=0x%" PRIx64
			 " state=%s why=\"%s\" left_out=%" PRIu64,
		    front->from, front->session, state_names[front->state], why, told->kept);
		told->kept = 0;
	}
	front_end(front);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct front *front = arg;

	(void)fd;
	(void)what;
	if (front->state == ENDED)
		front_gone(front);
	else if (front->state == RESUMING)
		front->server->handler->resume(front->server->arg, front);
	else
		front_kick(front, "no HELLO and RESUME in time");
}

static void
opening_timer(struct front *front)
{
	static const struct timeval limit = { FRONT_OPENING_MS / 1000,
		(FRONT_OPENING_MS % 1000) * 1000 };

	event_add(front->end, &limit);
}

/* Interest. */

bool
front_interested(const struct front *front, uint64_t id)
{
	return id == ROOT || JudyLGet(front->interests, id, PJE0) != NULL;
}

void
front_interest_add(struct front *front, uint64_t id, uint32_t count)
{
	PPvoid_t slot;
	Word_t *value;

	if (id == ROOT || count == 0 || front->state == ENDED)
		return;
	slot = JudyLIns(&front->interests, id, PJE0);
	if (slot == NULL || slot == PPJERR) {
		front_kick(front, "no memory for its interests");
		return;
	}
	value = (Word_t *)(void *)slot;
	if (*value == 0)
		front->ninterests++;
	*value += count;
	if (front->ninterests > FRONT_INTEREST_MAX)
		front_kick(front, "interest in too many nodes");
}

static void
interest_forget(struct front *front, uint64_t id, uint32_t count)
{
	PPvoid_t slot;
	Word_t *value;

	if (id == ROOT)
		return; /* always counts, so there is nothing to take off */
	slot = JudyLGet(front->interests, id, PJE0);
	if (slot == NULL) {
		front_kick(front, "FORGET of a node that it was never told of");
		return;
	}
	value = (Word_t *)(void *)slot;
	if (count > *value) {
		front_kick(front, "FORGET of more than it was told of");
		return;
	}
	*value -= count;
	if (*value == 0) {
		JudyLDel(&front->interests, id, PJE0);
		front->ninterests--;
	}
}

uint64_t
front_interests(const struct front *front)
{
	return front->ninterests;
}

/* Messages. */

static void
kick_out_of_order(struct front *front, const struct wire_msg *msg)
{
	char why[64];

	snprintf(why, sizeof(why), "%s out of order", wire_type_name(msg->type));
	front_kick(front, why);
}

static void
take_hello(struct front *front, const struct wire_msg *msg)
{
	char why[64];

	if (msg->type == WIRE_T_REPORT) {
		front->server->handler->request(front->server->arg, front, msg);
		return;
	}
	if (msg->type != WIRE_T_HELLO) {
		kick_out_of_order(front, msg);
		return;
	}
	if (msg->hello.proto != WIRE_PROTO) {
		snprintf(
		    why, sizeof(why), "protocol %" PRIu32 ", not %d", msg->hello.proto, WIRE_PROTO);
		front_kick(front, why);
		return;
	}
	front->state = GREETED;
	front->seen = msg->hello.seen;
	event_del(front->end); /* until the welcome it's us who take the time */
	front->server->handler->hello(front->server->arg, front, &msg->hello);
}

static void
take_welcomed(struct front *front, const struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_T_INTEREST:
		front_interest_add(front, msg->interest.id, msg->interest.count);
		return;
	case WIRE_T_RESUME:
		front->state = RESUMING;
		event_del(front->end);
		conn_pause(front->conn, true);
		front->server->handler->resume(front->server->arg, front);
		return;
	default:
		kick_out_of_order(front, msg);
	}
}

static void
take_serving(struct front *front, const struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_T_FORGET:
		interest_forget(front, msg->forget.id, msg->forget.count);
		return;
	case WIRE_T_PING:
	case WIRE_T_CLOSE:
	case WIRE_T_LOOKUP:
	case WIRE_T_GETATTR:
	case WIRE_T_READ:
	case WIRE_T_LIST:
	case WIRE_T_SYNC:
	case WIRE_T_STATFS:
	case WIRE_T_USAGE:
	case WIRE_T_FIND:
	case WIRE_T_EVENTS:
	case WIRE_T_AWAIT:
	case WIRE_T_REPORT:
	case WIRE_T_HAND_OVER:
		front->server->handler->request(front->server->arg, front, msg);
		return;
	default:
		if (wire_is_write(msg->type))
			front->server->handler->request(front->server->arg, front, msg);
		else
			kick_out_of_order(front, msg);
	}
}

static void
on_message(void *arg, const struct wire_msg *msg)
{
	struct front *front = arg;

	switch (front->state) {
	case OPENING:
		take_hello(front, msg);
		return;
	case WELCOMED:
		take_welcomed(front, msg);
		return;
	case SERVING:
		take_serving(front, msg);
		return;
	case GREETED:
	case RESUMING:
		kick_out_of_order(front, msg);
		return;
	case ENDED:
		return;
	}
}

static void
on_closed(void *arg, int code, const char *why)
{
	struct front *front = arg;

	if (front->state != ENDED && code == 0)
		log_debug("front end left: %s session=0x%" PRIx64, front->from, front->session);
	else
		front_kick(front, why);
	front_gone(front);
}

static const struct conn_handler conn_handler = { on_message, on_closed };

struct front *
front_new(struct front_server *server, int fd, const char *from)
{
	struct front *front = calloc(1, sizeof(*front));

	if (front == NULL) {
		close(fd);
		return NULL;
	}
	front->server = server;
	memcpy(front->from, from, strnlen(from, sizeof front->from - 1));
	front->end = event_new(server->base, -1, 0, on_end, front);
	if (front->end == NULL) {
		close(fd);
		free(front);
		return NULL;
	}
	front->conn = conn_new(server->base, fd, &conn_handler, front, FRONT_UNSENT_MAX);
	if (front->conn == NULL) {
		event_free(front->end);
		free(front);
		return NULL;
	}
	conn_count(front->conn, &server->traffic);
	TAILQ_INSERT_TAIL(&server->fronts, front, entry);
	server->nfronts++;
	opening_timer(front);
	return front;
}

/* Answers. */

/* Unread answers are memory: who leaves most of them pays for all. */
static void
drop_greediest(struct front_server *server)
{
	struct front *front, *greediest = NULL;

	TAILQ_FOREACH (front, &server->fronts, entry)
		if (front->state != ENDED &&
		    (greediest == NULL || front_unsent(front) > front_unsent(greediest)))
			greediest = front;
	if (greediest != NULL)
		front_kick(greediest, "too much is unread, and most of it here");
}

void
front_send(struct front *front, const struct wire_msg *msg)
{
	struct front_server *server = front->server;

	if (front->state == ENDED)
		return;
	conn_send(front->conn, msg);
	if (server->traffic.unsent > server->unsent_max + server->left)
		drop_greediest(server);
}

size_t
front_unsent(const struct front *front)
{
	return conn_unsent(front->conn);
}

void
front_welcome(struct front *front, const struct wire_welcome *welcome)
{
	struct wire_msg msg = { .type = WIRE_T_WELCOME, .welcome = *welcome };

	if (front->state != GREETED)
		return;
	if (welcome->code != ERR_OK) {
		front_send(front, &msg);
		front_end(front);
		return;
	}
	front->session = welcome->session;
	front->state = WELCOMED;
	opening_timer(front);
	front_send(front, &msg);
}

uint64_t
front_session(const struct front *front)
{
	return front->session;
}

uint64_t
front_seen(const struct front *front)
{
	return front->seen;
}

void
front_resume_on(struct front *front, uint64_t upto)
{
	static const struct timeval now = { 0, 0 };

	if (front->state != RESUMING)
		return;
	front->seen = upto;
	/* By a timer: an event that is made active would be served before any socket. */
	event_add(front->end, &now);
}

void
front_resume_done(struct front *front, uint64_t zxid, bool complete)
{
	struct wire_msg msg = { .type = WIRE_T_RESUMED, .resumed = { zxid, complete } };

	if (front->state != RESUMING)
		return;
	front->state = SERVING;
	conn_pause(front->conn, false);
	/* Last: it may be one answer too many. */
	front_send(front, &msg);
}

bool
front_resumed(const struct front *front)
{
	return front->state == SERVING;
}

void
front_reply(struct front *front, uint64_t rid, int code, uint64_t zxid,
    const struct wire_stat *stat, const struct blob *data, uint32_t more)
{
	struct wire_msg msg = { .type = WIRE_T_REPLY };
	msgpack_sbuffer *packed = &front->server->stat;

	msg.reply.rid = rid;
	msg.reply.code = code;
	msg.reply.zxid = zxid;
	msg.reply.more = more;
	if (stat != NULL) {
		msgpack_sbuffer_clear(packed);
		wire_stat_pack(packed, stat);
		msg.reply.stat =
		    (struct blob){ (const uint8_t *)packed->data, (uint32_t)packed->size };
	}
	if (data != NULL)
		msg.reply.data = *data;
	front_send(front, &msg);
}
