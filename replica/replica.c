/*
 * The wiring of one member: what arrives from front ends, from other members,
 * from the store's threads and from the clock is handed to the room that knows
 * what to do. See replica.h for the path of a write. Made by main.c; loop.c calls
 * with what the sockets bring.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"

#include <stdio.h>
#include <stdlib.h>

#define ZONE_CHUNK 65536

struct peer *
replica_peer(struct replica *replica, uint32_t sid)
{
	uint32_t i;

	for (i = 0; i < replica->npeers; i++)
		if (replica->peers[i].sid == sid)
			return &replica->peers[i];
	CHECK(!"a member");
	return NULL;
}

/* Front ends. */

void
replica_answer(struct replica *replica, struct front *front, uint64_t rid, int code)
{
	front_reply(front, rid, code, tree_applied(replica->tree), NULL, NULL, 0);
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
read_timed(struct replica *replica, struct front *front, const struct wire_msg *msg)
{
	uint64_t begun_ns = replica_now_ns();

	read_request(replica, front, msg);
	metrics_observe(&replica->figures.reads, replica_now_ns() - begun_ns);
}

static void
on_request(void *arg, struct front *front, const struct wire_msg *msg)
{
	if (msg->type == WIRE_T_PING)
		request_ping(arg, front, &msg->ping);
	else if (wire_is_write(msg->type) || msg->type == WIRE_T_SYNC ||
		 msg->type == WIRE_T_CLOSE || msg->type == WIRE_T_HAND_OVER)
		request_take(arg, front, msg);
	else if (msg->type == WIRE_T_REPORT)
		report_request(arg, front, &msg->report);
	else if (msg->type == WIRE_T_EVENTS)
		events_request(arg, front, &msg->events);
	else
		read_timed(arg, front, msg);
}

static void
on_front_gone(void *arg, struct front *front)
{
	events_front_gone(arg, front);
	attend_gone(arg, front);
}

const struct front_handler replica_front_handler = {
	.hello = on_hello,
	.resume = on_resume,
	.request = on_request,
	.gone = on_front_gone,
};

/* Members. */

static void
on_up(void *arg, uint32_t sid, uint64_t conn)
{
	struct replica *replica = arg;
	struct peer *peer = replica_peer(replica, sid);

	outbox_clear(peer);
	peer->conn = conn;
	status_up(replica, peer);
	order_connected(replica, peer, conn);
}

static void
on_down(void *arg, uint32_t sid, uint64_t conn)
{
	struct replica *replica = arg;
	struct peer *peer = replica_peer(replica, sid);

	if (peer->conn != conn)
		return;
	outbox_clear(peer);
	peer->conn = 0;
	order_disconnected(replica, peer, conn);
}

static void
on_message(void *arg, uint32_t sid, uint64_t conn, const struct wire_msg *msg, struct blob payload)
{
	struct replica *replica = arg;
	struct peer *peer = replica_peer(replica, sid);

	peer->spoke = true;
	inbox_message(replica, peer, conn, msg, payload);
	attend_go_on(replica);
}

static void
on_heard(void *arg, uint32_t sid, uint64_t conn)
{
	struct replica *replica = arg;
	struct peer *peer = replica_peer(replica, sid);

	if (peer->conn != conn)
		return;
	peer->spoke = true;
	order_heard(replica, peer);
}

static void
on_drained(void *arg, uint32_t sid, uint64_t conn)
{
	struct replica *replica = arg;
	struct peer *peer = replica_peer(replica, sid);

	if (peer->conn != conn)
		return;
	/* It takes what it is sent: so it is alive, though it may have no time to say so. */
	if (!TAILQ_EMPTY(&peer->outbox))
		order_heard(replica, peer);
	outbox_run(replica, peer);
}

const struct link_handler replica_link_handler = {
	.up = on_up,
	.down = on_down,
	.message = on_message,
	.heard = on_heard,
	.drained = on_drained,
};

void
replica_tick(struct replica *replica)
{
	uint64_t now_ns = replica_now_ns();

	figures_tick(replica, now_ns);
	attend_tick(replica, now_ns);
	handover_tick(replica);
	reap_tick(replica);
	quota_tick(replica);
	imager_tick(replica, now_ns);
	status_tick(replica, now_ns);
}

void
replica_completions(struct replica *replica)
{
	order_completions(replica);
	attend_go_on(replica);
	rows_go_on(replica);
	snap_in_more(replica);
	/* A batch of the pass may have been written: the next one. */
	if (replica->pass != NULL)
		imager_tick(replica, replica_now_ns());
}

void
replica_deliver(struct replica *replica)
{
	order_deliver(replica);
	attend_go_on(replica);
}

static void
members(struct replica *replica, const struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->nmembers; i++) {
		replica->voters += !conf->members[i].observer;
		if (conf->members[i].id == replica->member) {
			replica->observer = conf->members[i].observer;
			continue;
		}
		TAILQ_INIT(&replica->peers[replica->npeers].outbox);
		replica->peers[replica->npeers++].sid = conf->members[i].id;
	}
	replica->alone = replica->voters == 1 && replica->npeers == 0;
}

int
replica_new(const struct replica_options *options, struct replica **out, char *err, size_t errlen)
{
	struct replica *replica = calloc(1, sizeof *replica);
	uint64_t begun_ns = replica_now_ns();
	int code;

	CHECK(replica != NULL);
	replica->conf = options->conf;
	replica->member = options->member;
	replica->dir = options->dir;
	replica->zone = msgpack_zone_new(ZONE_CHUNK);
	replica->delivery = msgpack_zone_new(ZONE_CHUNK);
	CHECK(replica->zone != NULL && replica->delivery != NULL);
	msgpack_sbuffer_init(&replica->scratch);
	LIST_INIT(&replica->openings);
	STAILQ_INIT(&replica->answers);
	STAILQ_INIT(&replica->doubts);
	STAILQ_INIT(&replica->early);
	STAILQ_INIT(&replica->hand_overs);
	TAILQ_INIT(&replica->event_waits);
	members(replica, options->conf);
	order_init(replica);

	code = recover(replica, options, err, errlen);
	if (code != 0) {
		replica_free(replica);
		return code;
	}
	replica->prep = prep_new(replica->tree);
	figures_started(replica, begun_ns);
	*out = replica;
	return 0;
}

void
replica_free(struct replica *replica)
{
	uint32_t i;

	for (i = 0; i < replica->npeers; i++)
		outbox_clear(&replica->peers[i]);
	rows_drop(replica);
	lead_drop(replica);
	request_drop(replica);
	events_drop(replica);
	quota_drop(replica);
	attend_free(replica);
	if (replica->pass != NULL)
		image_pass_abort(replica->tree, replica->pass);
	snap_in_abort(replica);
	if (replica->prep != NULL)
		prep_free(replica->prep);
	if (replica->tree != NULL)
		tree_free(replica->tree);
	if (replica->store != NULL)
		store_close(replica->store);
	free(replica->zab);
	msgpack_sbuffer_destroy(&replica->scratch);
	msgpack_zone_free(replica->zone);
	msgpack_zone_free(replica->delivery);
	free(replica);
}
