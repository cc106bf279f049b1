/*
 * The network: one connection a pair, FIFO in each direction, each message
 * delayed on its own. A reset loses any suffix of each direction; one side may
 * learn of it long before the other (half-open), or neither (a hole). Behind a
 * cut, bytes are accepted and wait: they arrive when it is mended, or never.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>

uint64_t
net_delay(struct world *world)
{
	uint64_t us = 1 + random_below(world, world->options.delay_us);

	return (random_one_in(world, 50) ? us * 10 : us) * 1000;
}

static struct conn *
conn_get(struct world *world, uint64_t conn)
{
	return &world->conns[conn - 1];
}

static uint64_t *
last_of(struct conn *conn, uint32_t to)
{
	return to == conn->a ? &conn->a_last : &conn->b_last;
}

static bool *
open_of(struct conn *conn, uint32_t side)
{
	return side == conn->a ? &conn->a_open : &conn->b_open;
}

bool
net_is_open(struct world *world, uint32_t side, uint64_t conn)
{
	return *open_of(conn_get(world, conn), side);
}

void
net_pause(struct world *world, uint32_t side, uint64_t conn, bool paused)
{
	struct conn *c = conn_get(world, conn);

	if (side == c->a)
		c->paused_a = paused;
	else
		c->paused_b = paused;
}

/* All of it waits to the same moment, in its order. */
bool
net_held(struct world *world, const struct event *event)
{
	struct conn *c = event->conn == 0 ? NULL : conn_get(world, event->conn);
	uint64_t *held;

	if (c == NULL || event->kind > EVENT_MESSAGE)
		return false;
	held = event->member == c->a ? &c->held_a : &c->held_b;
	if (event->member == c->a ? c->paused_a : c->paused_b)
		*held = world->now + MS;
	if (*held <= world->now)
		return false;
	heap_postpone(world, event, *held);
	return true;
}

/* When what is sent now arrives: never before what was sent earlier. */
static uint64_t
arrival(struct world *world, struct conn *conn, uint32_t from, uint32_t to)
{
	uint64_t time = world->now + net_delay(world), *last = last_of(conn, to);

	if (world->cut[from][to] && time < world->cut_until[from][to])
		time = world->cut_until[from][to] + net_delay(world);
	if (time <= *last)
		time = *last + 1;
	*last = time;
	return time;
}

static void
tell(struct world *world, uint64_t conn, uint32_t to, uint32_t peer, enum event_kind kind)
{
	struct conn *c = conn_get(world, conn);
	struct event *event = heap_add(world, arrival(world, c, peer, to), kind);

	event->member = to;
	event->life = world->members[to].life;
	event->peer = peer;
	event->conn = conn;
}

void
net_send(
    struct world *world, uint32_t from, uint32_t to, uint64_t conn, const struct event *message)
{
	struct conn *c = conn_get(world, conn);
	struct event *event;
	uint64_t time, seq;

	/* The other side has closed, or a box in between forgot it: bytes vanish. */
	if (!*open_of(c, from) || !*open_of(c, to) || c->hole)
		return;
	time = arrival(world, c, from, to);
	event = heap_add(world, time, EVENT_MESSAGE);
	seq = event->seq;
	*event = *message;
	event->kind = EVENT_MESSAGE;
	event->time = time;
	event->seq = seq;
	event->member = to;
	event->life = world->members[to].life;
	event->peer = from;
	event->conn = conn;
}

void
net_dial(struct world *world, uint32_t a, uint32_t b)
{
	struct conn *conn;

	if (!world->members[a].up || !world->members[b].up || world->cut[a][b] || world->cut[b][a])
		return;
	if (world->members[a].conn_to[b] != 0 && world->members[b].conn_to[a] != 0)
		return;
	if (world->nconns == world->conns_space) {
		world->conns_space = world->conns_space * 2 + 16;
		world->conns = realloc(world->conns, world->conns_space * sizeof *world->conns);
		CHECK(world->conns != NULL);
	}
	conn = &world->conns[world->nconns++];
	*conn = (struct conn){ .a = a, .b = b, .a_open = true, .b_open = true };
	tell(world, world->nconns, a, b, EVENT_CONNECTED);
	tell(world, world->nconns, b, a, EVENT_CONNECTED);
}

static bool
is_underway(const struct event *event, uint64_t conn, uint32_t to)
{
	return event->kind <= EVENT_MESSAGE && event->conn == conn && event->member == to &&
	       !event->arrived;
}

/* The number of the first message that would arrive after `time`. */
static uint64_t
first_after(const struct world *world, uint64_t conn, uint32_t to, uint64_t time)
{
	uint64_t first = UINT64_MAX;
	size_t i;

	for (i = 0; i < world->nheap; i++) {
		const struct event *event = world->heap[i].event;

		if (is_underway(event, conn, to) && event->kind == EVENT_MESSAGE &&
		    event->time > time && event->seq < first)
			first = event->seq;
	}
	return first;
}

/*
 * Messages of the connection to `to` that would arrive after `time` are lost, and what was sent
 * behind one of them: those that wait for a side that reads nothing are postponed one by one.
 * Returns when the last of what is left arrives.
 */
static uint64_t
lose(struct world *world, uint64_t conn, uint32_t to, uint64_t time)
{
	uint64_t last = world->now, first = first_after(world, conn, to, time);
	size_t i;

	for (i = 0; i < world->nheap; i++) {
		struct event *event = world->heap[i].event;

		if (!is_underway(event, conn, to))
			continue;
		if (event->kind == EVENT_MESSAGE && event->seq >= first)
			event->conn = 0;
		else if (event->time > last)
			last = event->time;
	}
	return last;
}

static void
break_side(struct world *world, uint64_t conn, uint32_t side, uint32_t peer)
{
	struct conn *c = conn_get(world, conn);
	uint64_t *last = last_of(c, side), lost = world->now;

	if (!*open_of(c, side))
		return;
	if (*last > world->now)
		lost += random_below(world, *last - world->now + 1);
	*last = lose(world, conn, side, lost);
	/* Half-open: it may take long until this side hears of it. */
	if (random_one_in(world, 4))
		*last += random_below(world, 3 * S);
	tell(world, conn, side, peer, EVENT_DISCONNECTED);
}

void
net_reset(struct world *world, uint64_t conn)
{
	struct conn *c = conn_get(world, conn);

	break_side(world, conn, c->a, c->b);
	break_side(world, conn, c->b, c->a);
	c->a_open = c->b_open = false;
}

/* One side hears of the end, the other goes on to believe in it. */
void
net_half_open(struct world *world, uint64_t conn, uint32_t side)
{
	struct conn *c = conn_get(world, conn);

	if (!*open_of(c, side))
		return;
	tell(world, conn, side, c->a == side ? c->b : c->a, EVENT_DISCONNECTED);
	*open_of(c, side) = false;
}

/* Both sides go on to believe in it. */
void
net_hole(struct world *world, uint64_t conn)
{
	struct conn *c = conn_get(world, conn);

	if (!c->a_open || !c->b_open)
		return;
	trace(world, "fault: the connection of %u and %u is a hole", world->members[c->a].sid,
	    world->members[c->b].sid);
	c->hole = true;
}

/*
 * By a member: what it has sent arrives, what is sent to it doesn't. Through a hole the other side
 * hears of nothing, and has its end to close.
 */
void
net_close(struct world *world, uint32_t member, uint64_t conn)
{
	struct conn *c = conn_get(world, conn);
	uint32_t peer = c->a == member ? c->b : c->a;

	if (!*open_of(c, member))
		return;
	*open_of(c, member) = false;
	tell(world, conn, member, peer, EVENT_DISCONNECTED);
	if (!*open_of(c, peer) || c->hole)
		return;
	*open_of(c, peer) = false;
	tell(world, conn, peer, member, EVENT_DISCONNECTED);
}

void
net_crashed(struct world *world, uint32_t member)
{
	size_t i;

	for (i = 0; i < world->nconns; i++) {
		struct conn *c = &world->conns[i];
		uint32_t peer = c->a == member ? c->b : c->a;

		if ((c->a != member && c->b != member) || !*open_of(c, member))
			continue;
		*open_of(c, member) = false;
		break_side(world, i + 1, peer, member);
		*open_of(c, peer) = false;
	}
	memset(world->members[member].conn_to, 0, sizeof world->members[member].conn_to);
}

void
net_cut(struct world *world, uint32_t from, uint32_t to, uint64_t until)
{
	world->cut[from][to] = true;
	if (world->cut_until[from][to] < until)
		world->cut_until[from][to] = until;
}

static void
notice(struct world *world, uint64_t conn, uint32_t side, uint32_t peer)
{
	/* The beginning may yet be on its way: the end comes after it. */
	uint64_t left = lose(world, conn, side, world->now), time;
	struct event *event;

	if (!*open_of(conn_get(world, conn), side))
		return;
	time = world->now + random_below(world, LINK_SILENCE_MS * MS);
	event = heap_add(world, time > left ? time : left + 1, EVENT_DISCONNECTED);
	event->member = side;
	event->life = world->members[side].life;
	event->peer = peer;
	event->conn = conn;
}

/* Nothing passes between the two for good; that their connection is dead is noticed in time (link.h). */
void
net_part(struct world *world, uint32_t a, uint32_t b, uint64_t until)
{
	size_t i;

	net_cut(world, a, b, until);
	net_cut(world, b, a, until);
	for (i = 0; i < world->nconns; i++) {
		struct conn *c = &world->conns[i];

		if ((c->a != a || c->b != b) && (c->a != b || c->b != a))
			continue;
		notice(world, i + 1, c->a, c->b);
		notice(world, i + 1, c->b, c->a);
		c->a_open = c->b_open = false;
	}
}

/* The cuts whose time has come, or all. Connections come out of one alive or reset. */
void
net_mend(struct world *world, bool all)
{
	bool mended[MEMBERS_MAX][MEMBERS_MAX] = { 0 };
	uint32_t a, b;
	size_t i;

	for (a = 0; a < world->count; a++)
		for (b = 0; b < world->count; b++) {
			if (!world->cut[a][b] || (!all && world->cut_until[a][b] > world->now))
				continue;
			mended[a][b] = true;
			world->cut[a][b] = false;
			world->cut_until[a][b] = 0;
		}
	for (i = 0; i < world->nconns; i++) {
		struct conn *c = &world->conns[i];

		if (c->a_open && c->b_open && !c->hole &&
		    (mended[c->a][c->b] || mended[c->b][c->a]) && (all || random_one_in(world, 2)))
			net_reset(world, i + 1);
	}
}
