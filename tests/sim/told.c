/*
 * A client's reader of `.zab/events`, of the whole tree: it asks where it is attached, from where
 * it was told so far, on and on, whatever becomes of members, connections and sessions. What it
 * hears is compared with the history: each change once, in order, or said to be lost, where the
 * log no longer has it. As fsd/events.c does it. Called by client_io.c and client.c.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM 7

/* One question at a time: behind each answer, or with the clock. */
void
told_ask(struct world *world, struct client *client)
{
	struct wire_msg msg = { .type = WIRE_T_EVENTS,
		.events = { .rid = TOLD_RID,
		    .root = TREE_ROOT,
		    .dir = TREE_ROOT,
		    .after = client->told,
		    .ops = client->told_ops,
		    .stream = STREAM } };
	msgpack_sbuffer packed;

	if (!world->options.told || !client->up || client->telling)
		return;
	client->telling = true;
	msgpack_sbuffer_init(&packed);
	wire_pack(&packed, &msg);
	client_send_bytes(world, client, bytes_new(world, packed.data, packed.size));
	msgpack_sbuffer_destroy(&packed);
}

/* Nothing that anyone can see lies between the two. */
static void
expect_nothing(struct world *world, const struct client *client, uint64_t after, uint64_t below)
{
	uint64_t i;

	for (i = history_above(world, after); i < world->nfacts; i++) {
		if (world->facts[i].zxid >= below)
			return;
		if (world->facts[i].changes != 0)
			fail(world, "the reader of client %u was not told of %llx", client->index,
			    (unsigned long long)world->facts[i].zxid);
	}
}

/* One line of a transaction. */
static void
line(struct world *world, struct client *client, uint64_t zxid)
{
	const struct fact *fact = history_fact(world, zxid);

	if (zxid <= client->told || fact == NULL) {
		fail(world, "the reader of client %u is told of %llx after %llx", client->index,
		    (unsigned long long)zxid, (unsigned long long)client->told);
		return;
	}
	if (client->told_lines == 0)
		expect_nothing(world, client, client->told, zxid);
	if (++client->told_lines < fact->changes)
		return;
	client->told = zxid;
	client->told_lines = 0;
}

/* The log of who said it begins above. */
static void
lost(struct world *world, struct client *client, uint64_t from, uint64_t to)
{
	const struct member *member = &world->members[client->member];

	if (from != client->told || to <= from || member->disk.base_zxid <= from)
		fail(world, "the reader of client %u is told that %llx to %llx are lost",
		    client->index, (unsigned long long)from, (unsigned long long)to);
	client->told = to;
	client->told_lines = 0;
	world->coverage[COVER_LOST]++;
}

static void
take_line(struct world *world, struct client *client, const char *text)
{
	unsigned long long from, to;

	if (sscanf(text, "lost 0x%llx 0x%llx", &from, &to) == 2)
		lost(world, client, from, to);
	else if (sscanf(text, "0x%llx ", &from) == 1)
		line(world, client, from);
	else
		fail(world, "the reader of client %u is told %.40s", client->index, text);
}

void
told_answered(struct world *world, struct client *client, const struct wire_reply *reply)
{
	const char *at = (const char *)reply->data.data, *end = at + reply->data.len, *newline;
	char text[256];

	client->telling = false;
	/* Not now: with the clock. */
	if (reply->code != ERR_OK)
		return;
	for (; at < end && world->failure[0] == '\0'; at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(end - at));
		CHECK(newline != NULL);
		snprintf(text, sizeof text, "%.*s", (int)(newline - at), at);
		take_line(world, client, text);
	}
	if (client->told_ever)
		expect_nothing(world, client, client->told, reply->zxid + 1);
	client->told = reply->zxid;
	client->told_ops = reply->more;
	client->told_lines = reply->more;
	client->told_ever = true;
	world->coverage[COVER_TOLD]++;
	told_ask(world, client);
}

bool
told_all(const struct world *world, const struct client *client)
{
	uint64_t i;

	if (!world->options.told)
		return true;
	for (i = history_above(world, client->told); i < world->nfacts; i++)
		if (world->facts[i].changes != 0)
			return false;
	return client->told_ever;
}
