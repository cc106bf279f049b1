/*
 * The network and the time of a case. What is on its way arrives in the order
 * in which it was made, unless it is held; a log's orders are written in that
 * order, too. Called by script.c.
 */
#include "tests/cases/cases.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 20000

struct item *
world_add(struct world *world, enum item_kind kind, uint32_t from, uint32_t to)
{
	struct item *item = &world->items[world->nitems++];

	CHECK(world->nitems <= ITEMS_MAX);
	*item = (struct item){ .kind = kind, .seq = ++world->seq, .from = from, .to = to };
	return item;
}

void
world_take(struct world *world, uint32_t index)
{
	world->nitems--;
	memmove(world->items + index, world->items + index + 1,
	    (world->nitems - index) * sizeof world->items[0]);
}

/* What is on its way from the one to the other is lost; the same: all from it and to it. */
void
world_forget(struct world *world, uint32_t from, uint32_t to)
{
	uint32_t i = 0;

	while (i < world->nitems) {
		const struct item *item = &world->items[i];

		if (from == to ? item->from == from || item->to == to
			       : item->from == from && item->to == to && item->kind != ITEM_LOOK_UP)
			world_take(world, i);
		else
			i++;
	}
}

static void
closed(struct world *world, struct member *member, uint32_t peer, uint64_t conn)
{
	struct zab_event event = { .type = ZAB_EVENT_DISCONNECTED, .peer = peer, .conn = conn };
	char what[64];

	if (member->conn[peer] == conn)
		member->conn[peer] = 0;
	snprintf(what, sizeof what, "loses the connection to %u", peer);
	member_step(world, member, &event, NULL, false, what);
	disk_settle(world, member);
}

static void
looked_up(struct world *world, struct member *member, const struct item *item)
{
	struct zab_event event = {
		.type = ZAB_EVENT_LOOKED_UP, .peer = item->from, .attempt = item->attempt
	};
	char what[64];

	event.found = disk_look_up(&member->disk, item->zxid, &event.zxid, &event.hash);
	if (event.found)
		snprintf(what, sizeof what, "finds row %s", zxid_text(event.zxid));
	else
		snprintf(what, sizeof what, "has no such row any more");
	member_step(world, member, &event, NULL, false, what);
	disk_settle(world, member);
}

void
world_arrive(struct world *world, const struct item *item)
{
	struct member *member = &world->members[item->to];
	struct zab_event event = {
		.type = ZAB_EVENT_MESSAGE, .peer = item->from, .conn = item->conn
	};
	char *what = NULL;
	size_t len;
	FILE *to;
	bool hidden;

	if (item->kind == ITEM_CLOSED) {
		if (member->up)
			closed(world, member, item->from, item->conn);
		return;
	}
	if (item->kind == ITEM_LOOK_UP) {
		looked_up(world, member, item);
		return;
	}
	to = open_memstream(&what, &len);
	CHECK(to != NULL);
	fprintf(to, "hears %u: ", item->from);
	print_message(to, &item->message);
	fclose(to);
	event.message = item->message;
	hidden = item->message.type < ZAB_TYPES && (world->hidden & 1u << item->message.type) != 0;
	member_step(world, member, &event, item, hidden, what);
	free(what);
	disk_settle(world, member);
}

static bool
is_held(const struct world *world, const struct item *item)
{
	const struct member *member = &world->members[item->to];
	uint32_t type = world->held_type[item->from][item->to], i;

	if (member->paused || item->own)
		return member->paused;
	if (item->kind == ITEM_LOOK_UP)
		return member->look_up_held;
	if (!world->held[item->from][item->to] || type == 0)
		return world->held[item->from][item->to];
	for (i = 0; i < world->nitems; i++) {
		const struct item *first = &world->items[i];

		if (first->kind == ITEM_MESSAGE && first->from == item->from &&
		    first->to == item->to && first->seq <= item->seq && first->message.type == type)
			return true;
	}
	return false;
}

/* The next thing that can happen, happens. False: there is none. */
static bool
happen(struct world *world)
{
	struct item item;
	struct member *writer = NULL;
	uint64_t first = UINT64_MAX;
	uint32_t i, index = 0;

	for (i = 0; i < world->nitems; i++)
		if (world->items[i].seq < first && !is_held(world, &world->items[i])) {
			first = world->items[i].seq;
			index = i;
		}
	for (i = 1; i < SIDS_MAX; i++) {
		struct member *member = &world->members[i];

		if (!member->up || member->paused || member->disk_held ||
		    disk_writable(&member->disk) == 0 || member->disk.orders[0].seq > first)
			continue;
		first = member->disk.orders[0].seq;
		writer = member;
	}
	if (first == UINT64_MAX)
		return false;
	if (writer != NULL) {
		disk_write(world, writer, disk_writable(&writer->disk));
		return true;
	}
	item = world->items[index];
	world_take(world, index);
	world_arrive(world, &item);
	return true;
}

void
world_run(struct world *world)
{
	uint32_t steps = 0;

	while (happen(world))
		if (++steps > STEPS_MAX) {
			fail(world, "it never ends");
			return;
		}
}

static uint64_t
due(const struct world *world, const struct member *member)
{
	uint64_t time;

	if (!member->up || member->paused)
		return UINT64_MAX;
	time = zab_timer_ns(member->zab);
	return time <= world->now_ns ? world->now_ns + 1 : time;
}

void
world_run_for(struct world *world, uint64_t ns)
{
	uint64_t end = world->now_ns + ns, next;
	struct zab_event event = { .type = ZAB_EVENT_TICK };
	char what[64];
	bool ticks[SIDS_MAX];
	uint32_t i;

	for (world_run(world); !world->failed; world_run(world)) {
		next = end;
		for (i = 1; i < SIDS_MAX; i++)
			if (due(world, &world->members[i]) < next)
				next = due(world, &world->members[i]);
		for (i = 1; i < SIDS_MAX; i++)
			ticks[i] = due(world, &world->members[i]) <= next;
		world->now_ns = next;
		snprintf(what, sizeof what, "ticks at %llu ms", (unsigned long long)(next / MS));
		for (i = 1; i < SIDS_MAX; i++)
			if (ticks[i]) {
				member_step(world, &world->members[i], &event, NULL, true, what);
				disk_settle(world, &world->members[i]);
			}
		if (next == end)
			break;
	}
	world_run(world);
}

/* A new connection; an older one is not closed, what it carries comes late. */
void
world_connect(struct world *world, uint32_t a, uint32_t b)
{
	struct zab_event event = { .type = ZAB_EVENT_CONNECTED, .conn = ++world->conns };
	uint32_t both[2] = { a, b }, i;
	char what[64];

	for (i = 0; i < 2; i++)
		if (world->members[both[i]].up)
			world->members[both[i]].conn[both[1 - i]] = event.conn;
	for (i = 0; i < 2; i++) {
		event.peer = both[1 - i];
		snprintf(what, sizeof what, "is connected with %u", event.peer);
		member_step(world, &world->members[both[i]], &event, NULL, false, what);
		disk_settle(world, &world->members[both[i]]);
	}
}

/* What is on its way is lost. Not both: only the first hears of it. */
void
world_disconnect(struct world *world, uint32_t a, uint32_t b, bool both)
{
	uint64_t conn = world->members[a].conn[b], other = world->members[b].conn[a];

	if (conn == 0 && other == 0)
		return;
	world_forget(world, b, a);
	if (conn != 0)
		closed(world, &world->members[a], b, conn);
	if (!both)
		return;
	world_forget(world, a, b);
	if (other != 0)
		closed(world, &world->members[b], a, other);
}
