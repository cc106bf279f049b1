/*
 * front.h: clients' connections as a member sees them. Everything is of interest
 * to every client: whoever is told too much would notice what is wrong with it.
 * Stands in for replica/net/front*.c; the order of the messages is the same.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>

/* To the client, in order; a connection's end comes last. */
static void
post(struct front *front, const struct bytes *bytes)
{
	struct world *world = the_world;
	uint64_t time = world->now + (1 + random_below(world, 50)) * 1000;
	struct event *event;

	if (time <= front->last)
		time = front->last + 1;
	front->last = time;
	event = heap_add(world, time, EVENT_CLIENT);
	event->peer = front->client;
	event->conn = front->conn;
	event->bytes = bytes;
}

void
front_send(struct front *front, const struct wire_msg *msg)
{
	msgpack_sbuffer packed;

	if (front->state == FRONT_ENDED || !member_acts(the_world, front->member))
		return;
	msgpack_sbuffer_init(&packed);
	wire_pack(&packed, msg);
	post(front, bytes_new(the_world, packed.data, packed.size));
	msgpack_sbuffer_destroy(&packed);
}

void
front_reply(struct front *front, uint64_t rid, int code, uint64_t zxid,
    const struct wire_stat *stat, const struct blob *data, uint32_t more)
{
	struct wire_msg msg = { .type = WIRE_T_REPLY,
		.reply = { .rid = rid, .code = code, .zxid = zxid, .more = more } };
	msgpack_sbuffer packed;

	msgpack_sbuffer_init(&packed);
	if (stat != NULL) {
		wire_stat_pack(&packed, stat);
		msg.reply.stat =
		    (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	}
	if (data != NULL)
		msg.reply.data = *data;
	front_send(front, &msg);
	msgpack_sbuffer_destroy(&packed);
}

void
front_kick(struct front *front, const char *why)
{
	if (front->state == FRONT_ENDED)
		return;
	trace(the_world, "%u drops client %u: %s", front->member->sid, front->client, why);
	if (strstr(why, "has moved") != NULL &&
	    the_world->clients[front->client].conn == front->conn)
		fail(the_world, "client %u loses its newest connection to an older one",
		    front->client);
	if (member_acts(the_world, front->member))
		post(front, NULL);
	front->state = FRONT_ENDED;
}

void
front_welcome(struct front *front, const struct wire_welcome *welcome)
{
	struct wire_msg msg = { .type = WIRE_T_WELCOME, .welcome = *welcome };

	if (front->state != FRONT_GREETED)
		return;
	front_send(front, &msg);
	if (welcome->code != ERR_OK) {
		front_kick(front, "refused");
		return;
	}
	front->session = welcome->session;
	front->state = FRONT_WELCOMED;
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

/* As if the client had asked again. */
void
front_resume_on(struct front *front, uint64_t upto)
{
	struct wire_msg msg = { .type = WIRE_T_RESUME };
	struct world *world = the_world;
	msgpack_sbuffer packed;
	struct event *event;

	if (front->state != FRONT_RESUMING)
		return;
	front->seen = upto;
	msgpack_sbuffer_init(&packed);
	wire_pack(&packed, &msg);
	event = heap_add(world, world->now + 1000, EVENT_FRONT);
	event->member = (uint32_t)(front->member - world->members);
	event->life = front->member->life;
	event->peer = front->client;
	event->conn = front->conn;
	event->bytes = bytes_new(world, packed.data, packed.size);
	msgpack_sbuffer_destroy(&packed);
}

void
front_resume_done(struct front *front, uint64_t zxid, bool complete)
{
	struct wire_msg msg = { .type = WIRE_T_RESUMED, .resumed = { zxid, complete } };

	if (front->state != FRONT_RESUMING)
		return;
	front_send(front, &msg);
	front->state = FRONT_SERVING;
}

bool
front_resumed(const struct front *front)
{
	return front->state == FRONT_SERVING;
}

bool
front_interested(const struct front *front, uint64_t id)
{
	(void)front;
	(void)id;
	return true;
}

void
front_interest_add(struct front *front, uint64_t id, uint32_t count)
{
	(void)front;
	(void)id;
	(void)count;
}

size_t
front_unsent(const struct front *front)
{
	(void)front;
	return 0;
}

struct front *
front_next(struct front_server *server, struct front *previous)
{
	struct member *member = (struct member *)(void *)server;

	return previous == NULL ? TAILQ_FIRST(&member->fronts) : TAILQ_NEXT(previous, next);
}

uint32_t
front_connections(const struct front_server *server)
{
	(void)server;
	return 0;
}

uint64_t
front_interests(const struct front *front)
{
	(void)front;
	return 0;
}

struct front_figures
front_figures(const struct front_server *server)
{
	(void)server;
	return (struct front_figures){ 0 };
}

static void
end(struct member *member, struct front *front)
{
	front->state = FRONT_ENDED;
	replica_front_handler.gone(member->replica, front);
	TAILQ_REMOVE(&member->fronts, front, next);
	free(front);
}

/* Those that were dropped go when the turn is over. */
static void
sweep(struct member *member)
{
	struct front *front, *next;

	TAILQ_FOREACH_SAFE (front, &member->fronts, next, next)
		if (front->state == FRONT_ENDED)
			end(member, front);
}

static void
take(struct member *member, struct front *front, const struct wire_msg *msg)
{
	switch (front->state) {
	case FRONT_WELCOMED:
	case FRONT_RESUMING:
		CHECK(msg->type == WIRE_T_RESUME);
		front->state = FRONT_RESUMING;
		replica_front_handler.resume(member->replica, front);
		break;
	case FRONT_SERVING:
		replica_front_handler.request(member->replica, front, msg);
		break;
	default:
		break;
	}
}

static struct front *
accept_front(struct member *member, const struct event *event, const struct wire_msg *msg)
{
	struct front *front = calloc(1, sizeof *front);

	CHECK(front != NULL && msg->type == WIRE_T_HELLO);
	front->member = member;
	front->client = event->peer;
	front->conn = event->conn;
	front->seen = msg->hello.seen;
	TAILQ_INSERT_TAIL(&member->fronts, front, next);
	return front;
}

void
front_arrive(struct world *world, struct member *member, const struct event *event)
{
	struct front *front;
	struct wire_msg msg;

	if (!member_enter(world, member))
		return;
	TAILQ_FOREACH (front, &member->fronts, next)
		if (front->conn == event->conn)
			break;
	if (event->bytes == NULL) {
		if (front != NULL)
			end(member, front);
	} else if (wire_unpack(event->bytes->data, event->bytes->len, NULL, &msg) != 0) {
		fail(world, "a client's message that is none");
	} else if (front != NULL) {
		take(member, front, &msg);
	} else if (msg.type == WIRE_T_HELLO) {
		front = accept_front(member, event, &msg);
		replica_front_handler.hello(member->replica, front, &msg.hello);
	}
	if (!member->dying)
		sweep(member);
	member_leave(world, member);
}

/* What it has sent arrives or not; then the client hears that it is gone. */
void
front_crash(struct world *world, struct member *member)
{
	struct front *front;
	size_t i;

	while ((front = TAILQ_FIRST(&member->fronts)) != NULL) {
		uint64_t until = world->now + random_below(world, 60000);

		for (i = 0; i < world->nheap; i++) {
			struct event *event = world->heap[i].event;

			if (event->kind == EVENT_CLIENT && event->conn == front->conn &&
			    event->time > until)
				event->conn = 0;
		}
		if (front->state != FRONT_ENDED)
			post(front, NULL);
		TAILQ_REMOVE(&member->fronts, front, next);
		free(front);
	}
}
