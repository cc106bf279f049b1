/*
 * The wiring of one member: what arrives from the front ends, from the store's
 * threads and from the clock is handed to the room that knows what to do. See
 * replica.h for the path of a write. Called by main.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#define ZONE_CHUNK 65536

uint64_t
replica_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void
on_hello(void *arg, struct front *front, const struct wire_hello *hello)
{
	attend_hello(arg, front, hello);
}

static void
on_resume(void *arg, struct front *front)
{
	watch_resume(arg, front);
}

static void
on_request(void *arg, struct front *front, const struct wire_msg *msg)
{
	struct replica *replica = arg;
	struct wire_msg pong = { .type = WIRE_T_PONG };

	attend_heard(replica, front_session(front));
	if (wire_is_write(msg->type)) {
		write_request(replica, front, msg);
	} else if (msg->type == WIRE_T_PING) {
		pong.pong.sent_ns = msg->ping.sent_ns;
		pong.pong.zxid = tree_applied(replica->tree);
		pong.pong.alive = replica->leading;
		front_send(front, &pong);
	} else if (msg->type == WIRE_T_CLOSE) {
		attend_close(replica, front);
	} else {
		read_request(replica, front, msg);
	}
}

static void
on_gone(void *arg, struct front *front)
{
	attend_gone(arg, front);
}

static void
on_tick(evutil_socket_t fd, short events, void *arg)
{
	struct replica *replica = arg;
	uint64_t now_ns = replica_now_ns();

	(void)fd;
	(void)events;
	if (replica->leading)
		attend_tick(replica, now_ns);
	imager_tick(replica, now_ns);
}

static void
on_timer(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	order_timer(arg);
}

static void
on_completions(evutil_socket_t fd, short events, void *arg)
{
	struct replica *replica = arg;

	(void)fd;
	(void)events;
	order_completions(replica);
	/* A batch of the pass may have been written: the next one. */
	if (replica->pass != NULL)
		imager_tick(replica, replica_now_ns());
}

static int
events_add(struct replica *replica)
{
	struct timeval tick = { .tv_sec = replica->conf->tick_ms / 1000,
		.tv_usec = (replica->conf->tick_ms % 1000) * 1000 };

	replica->tick = event_new(replica->base, -1, EV_PERSIST, on_tick, replica);
	replica->completions = event_new(replica->base, store_wake_fd(replica->store),
	    EV_READ | EV_PERSIST, on_completions, replica);
	replica->timer = evtimer_new(replica->base, on_timer, replica);
	if (replica->tick == NULL || replica->completions == NULL || replica->timer == NULL)
		return -1;
	return event_add(replica->tick, &tick) == 0 && event_add(replica->completions, NULL) == 0
		   ? 0
		   : -1;
}

int
replica_new(struct event_base *base, const struct replica_options *options, struct replica **out,
    char *err, size_t errlen)
{
	static const struct front_handler handler = {
		.hello = on_hello,
		.resume = on_resume,
		.request = on_request,
		.gone = on_gone,
	};
	struct replica *replica;
	int code;

	replica = calloc(1, sizeof *replica);
	CHECK(replica != NULL);
	replica->conf = options->conf;
	replica->member = options->member;
	replica->dir = options->dir;
	replica->base = base;
	replica->zone = msgpack_zone_new(ZONE_CHUNK);
	CHECK(replica->zone != NULL);
	msgpack_sbuffer_init(&replica->scratch);
	STAILQ_INIT(&replica->proposals);

	code = recover(replica, options, err, errlen);
	if (code != 0)
		goto fail;
	order_init(replica);
	replica->prep = prep_new(replica->tree);
	replica->fronts = front_listen(base, options->socket, &handler, replica, err, errlen);
	if (replica->fronts == NULL) {
		code = EX_CANTCREAT;
		goto fail;
	}
	if (events_add(replica) != 0) {
		snprintf(err, errlen, "no events: out of memory");
		code = EX_OSERR;
		goto fail;
	}
	*out = replica;
	return 0;
fail:
	replica_free(replica);
	return code;
}

void
replica_free(struct replica *replica)
{
	struct proposal *proposal;

	if (replica->fronts != NULL)
		front_server_free(replica->fronts);
	if (replica->tick != NULL)
		event_free(replica->tick);
	if (replica->completions != NULL)
		event_free(replica->completions);
	if (replica->timer != NULL)
		event_free(replica->timer);
	while ((proposal = STAILQ_FIRST(&replica->proposals)) != NULL) {
		STAILQ_REMOVE_HEAD(&replica->proposals, next);
		free(proposal);
	}
	attend_free(replica);
	if (replica->pass != NULL)
		image_pass_abort(replica->tree, replica->pass);
	if (replica->prep != NULL)
		prep_free(replica->prep);
	if (replica->tree != NULL)
		tree_free(replica->tree);
	if (replica->store != NULL)
		store_close(replica->store);
	free(replica->zab);
	msgpack_sbuffer_destroy(&replica->scratch);
	msgpack_zone_free(replica->zone);
	free(replica);
}
