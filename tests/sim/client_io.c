/*
 * A client's connection: to some member, kept alive by pings, given up when it is
 * silent, opened again elsewhere; the change stream, which has to be complete,
 * in order and before the data. As fsd/link*.c does it. Called by world.c and
 * client.c.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <string.h>

#define TIMEOUT_MS 2000
#define PING (TIMEOUT_MS / 4 * MS)
#define TICK (40 * MS)

static struct event *
send_event(struct world *world, const struct client *client, uint64_t time)
{
	struct event *event = heap_add(world, time, EVENT_FRONT);

	event->member = client->member;
	event->life = world->members[client->member].life;
	event->peer = client->index;
	event->conn = client->conn;
	return event;
}

void
client_send_bytes(struct world *world, struct client *client, const struct bytes *bytes)
{
	uint64_t time = world->now;

	if (client->conn == 0)
		return;
	if (time >= client->stall_from && time < client->stall_until)
		time = client->stall_until;
	time += (1 + random_below(world, 50)) * 1000;
	if (time <= client->last)
		time = client->last + 1;
	client->last = time;
	send_event(world, client, time)->bytes = bytes;
}

static void
send_msg(struct world *world, struct client *client, const struct wire_msg *msg)
{
	msgpack_sbuffer packed;

	msgpack_sbuffer_init(&packed);
	wire_pack(&packed, msg);
	client_send_bytes(world, client, bytes_new(world, packed.data, packed.size));
	msgpack_sbuffer_destroy(&packed);
}

/* told: the member hears of it; if not, it goes on to believe in the connection. */
static void
disconnect(struct world *world, struct client *client, bool told)
{
	uint32_t i;

	if (told)
		client_send_bytes(world, client, NULL);
	client->old_conn = told || !client->up ? 0 : client->conn;
	client->old_member = client->member;
	client->conn = 0;
	client->up = client->telling = false;
	for (i = 0; i < OUTSTANDING_MAX; i++) {
		client->pending[i].once &= !client->pending[i].sent;
		client->pending[i].sent = false;
	}
}

/* Who says hello: so an opening is known again. */
static uint64_t
opener(const struct client *client)
{
	return client->serial << 8 | client->index | 1u << 7;
}

/* In some seeds a client prefers one member, as a mount does its own machine's. */
static uint32_t
choose(struct world *world, const struct client *client)
{
	if (world->options.sticky && !random_one_in(world, 8))
		return (uint32_t)((world->options.seed + client->index) % world->count);
	/* Or tries once more where it was. */
	if (random_one_in(world, 4))
		return client->member;
	return (uint32_t)random_below(world, world->count);
}

static void
connect_somewhere(struct world *world, struct client *client)
{
	uint64_t who;
	struct wire_msg msg = { .type = WIRE_T_HELLO,
		.hello = { .proto = WIRE_PROTO,
		    .session = client->session,
		    .serial = ++client->serial,
		    .seen = client->seen,
		    .timeout_ms = TIMEOUT_MS,
		    .whole = random_one_in(world, 2) } };

	if (client->session != 0)
		msg.hello.secret = (struct blob){ client->secret, sizeof client->secret };
	who = opener(client);
	msg.hello.identity = (struct blob){ (const uint8_t *)&who, sizeof who };
	client->member = choose(world, client);
	if (!world->members[client->member].up || world->members[client->member].aside)
		return; /* refused */
	client->conn = ++world->fronts;
	/* Connections are independent: what an older one brings may come later. */
	client->last = client->changes = client->stall_until = 0;
	/* What it says arrives late, perhaps when it has said it again elsewhere. */
	if (!world->healed && (world->options.kinds & 1u << FAULT_MOVE) != 0 &&
	    random_one_in(world, 4)) {
		client->stall_from = world->now + random_below(world, 2 * S);
		client->stall_until = client->stall_from + random_below(world, 3 * S);
	}
	client->hello = client->heard = client->ping = world->now;
	send_msg(world, client, &msg);
}

void
client_move(struct world *world, struct client *client)
{
	if (client->conn == 0)
		return;
	trace(world, "fault: client %u moves", client->index);
	disconnect(world, client, random_one_in(world, 2));
	connect_somewhere(world, client);
	/* Its mind changes at once: which comes first? */
	if (!random_one_in(world, 3))
		return;
	disconnect(world, client, random_one_in(world, 2));
	connect_somewhere(world, client);
}

void
client_start(struct world *world, uint32_t index)
{
	struct event *event = heap_add(world, random_below(world, 300 * MS), EVENT_CLIENT_TICK);

	event->peer = index;
	world->clients[index].index = index;
}

void
client_tick(struct world *world, struct client *client)
{
	struct wire_msg ping = { .type = WIRE_T_PING, .ping.sent_ns = world->now };
	struct event *event = heap_add(world, world->now + TICK, EVENT_CLIENT_TICK);

	event->peer = client->index;
	if (client->conn == 0) {
		connect_somewhere(world, client);
		return;
	}
	if (world->now - client->heard > 2 * PING || world->members[client->member].aside) {
		disconnect(world, client, random_one_in(world, 2));
		return;
	}
	if (!client->up)
		return;
	client_lock_tick(world, client);
	client_resend(world, client);
	told_ask(world, client);
	if (world->now - client->ping >= PING) {
		client->ping = world->now;
		send_msg(world, client, &ping);
	}
}

static void
opened(struct world *world, struct client *client, const struct wire_welcome *welcome)
{
	const struct fact *fact = history_fact(world, welcome->session);

	if (fact == NULL || fact->opener != opener(client))
		fail(world, "client %u gets the session %llx, which it has not opened",
		    client->index, (unsigned long long)welcome->session);
	client->session = welcome->session;
	client->opened = welcome->zxid;
	client->seen = client->said = welcome->zxid;
	client->deadline = 0;
	memcpy(client->secret, welcome->secret.data, sizeof client->secret);
}

static void
welcomed(struct world *world, struct client *client, const struct wire_welcome *welcome)
{
	struct wire_msg resume = { .type = WIRE_T_RESUME };

	if (welcome->code == ERR_EXPIRED && client->session != 0) {
		history_expect_over(world, client);
		client_lost(world, client);
	}
	if (welcome->code != ERR_OK) {
		disconnect(world, client, false);
		return;
	}
	CHECK(welcome->secret.len == sizeof client->secret);
	if (client->session == 0) {
		opened(world, client, welcome);
	} else if (welcome->session != client->session || welcome->zxid < client->seen) {
		fail(world, "client %u is welcomed where %llx is not known", client->index,
		    (unsigned long long)client->seen);
	}
	client->attached = welcome->zxid;
	if (client->hello + TIMEOUT_MS * MS > client->deadline)
		client->deadline = client->hello + TIMEOUT_MS * MS;
	send_msg(world, client, &resume);
}

/* Everything below zxid (at it, too: `inclusive`) has been told. */
static void
saw(struct world *world, struct client *client, uint64_t zxid, bool inclusive)
{
	history_expect_told(world, client, client->seen, zxid, inclusive);
	if (inclusive && zxid > client->seen)
		client->seen = zxid;
}

/* A write on the connection that it had before: too late, this leader won't have it. */
static void
write_late(struct world *world, const struct client *client, uint64_t number)
{
	struct client before = *client;
	struct wire_msg msg = { .type = WIRE_T_SETATTR,
		.setattr = {
		    .rid = LATE_BIT | zab_zxid_epoch(client->attached) << LATE_EPOCH | number,
		    .id = TREE_ROOT,
		    .version = -1,
		    .valid = WIRE_SET_MTIME } };

	before.conn = client->old_conn;
	before.member = client->old_member;
	send_msg(world, &before, &msg);
}

static void
resumed(struct world *world, struct client *client, const struct wire_resumed *message)
{
	uint32_t i;

	if (message->complete)
		saw(world, client, message->zxid, true);
	else
		world->coverage[COVER_GAP]++;
	if (message->zxid > client->seen)
		client->seen = message->zxid;
	client->up = true;
	/* Who opens a session has something in mind. */
	for (i = 0; client->rid == 0 && i < 4; i++)
		heap_add(world, world->now + random_below(world, 200 * MS), EVENT_WRITE);
	if (client->old_conn != 0)
		write_late(world, client, client->late++ % (1u << LATE_EPOCH));
	client_resend(world, client);
}

/* As many as the transaction made; its own, which only an answer tells otherwise, as such. */
static void
count_change(struct world *world, struct client *client, const struct wire_change *change)
{
	const struct fact *fact = history_fact(world, change->zxid);

	if (client->changed != change->zxid)
		client->changes = 0;
	client->changed = change->zxid;
	client->changes++;
	if (fact == NULL)
		fail(world, "client %u is told of %llx, which nobody has delivered", client->index,
		    (unsigned long long)change->zxid);
	else if ((fact->session == client->session && !fact->echo) != (change->own != 0))
		fail(world, "client %u is told of %llx as %s", client->index,
		    (unsigned long long)change->zxid, change->own != 0 ? "its own" : "another's");
	else if (change->last && client->changes != fact->changes)
		fail(world, "client %u is told of %llu changes of %u at %llx", client->index,
		    (unsigned long long)client->changes, fact->changes,
		    (unsigned long long)change->zxid);
}

static void
changed(struct world *world, struct client *client, const struct wire_change *change)
{
	/* What was before the session does not concern it. */
	if (change->zxid <= client->opened)
		return;
	if (change->zxid <= client->seen) {
		fail(world, "client %u is told of %llx twice, or late", client->index,
		    (unsigned long long)change->zxid);
		return;
	}
	saw(world, client, change->zxid, false);
	count_change(world, client, change);
	if (change->last)
		client->seen = change->zxid;
}

static void
ponged(struct world *world, struct client *client, const struct wire_pong *pong)
{
	uint64_t deadline = pong->sent_ns + TIMEOUT_MS * MS;

	saw(world, client, pong->zxid, true);
	if (pong->alive && deadline > client->deadline)
		client->deadline = deadline;
}

void
client_hear(struct world *world, struct client *client, const struct event *event)
{
	struct wire_msg msg;

	/* Of a connection that it has left. */
	if (event->conn != client->conn || client->conn == 0)
		return;
	if (event->bytes == NULL) {
		disconnect(world, client, false);
		return;
	}
	CHECK(wire_unpack(event->bytes->data, event->bytes->len, NULL, &msg) == 0);
	client->heard = world->now;
	switch (msg.type) {
	case WIRE_T_WELCOME:
		welcomed(world, client, &msg.welcome);
		break;
	case WIRE_T_RESUMED:
		resumed(world, client, &msg.resumed);
		break;
	case WIRE_T_CHANGE:
		changed(world, client, &msg.change);
		break;
	case WIRE_T_PONG:
		ponged(world, client, &msg.pong);
		break;
	case WIRE_T_REPLY:
		client->answering = msg.reply.rid;
		saw(world, client, msg.reply.zxid, true);
		client->answering = 0;
		if (msg.reply.zxid > client->said)
			client->said = msg.reply.zxid;
		client_answered(world, client, &msg.reply);
		break;
	case WIRE_T_BYE:
		if (msg.bye.code == ERR_EXPIRED || msg.bye.code == ERR_OK) {
			history_expect_over(world, client);
			client_lost(world, client);
		}
		disconnect(world, client, true);
		break;
	default:
		fail(world, "client %u is sent %s", client->index, wire_type_name(msg.type));
	}
}

bool
client_idle(const struct client *client)
{
	return client->npending == 0 && client_lock_idle(client);
}
