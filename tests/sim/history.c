/*
 * What clients were told, against the one history of transactions: each reply
 * names its zxid, so this is exact. Each request at most once; an acknowledged
 * one is there, with its code; real-time order of writes, and the session's;
 * changes complete, in order, before the data; no session expires before its
 * owner must know; time never goes back. What they have read is reads.c's.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/change.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static void
unpack(const struct row *row, msgpack_zone *zone, struct txn *txn)
{
	struct blob payload = { row->payload->data, row->payload->len };

	CHECK(txn_unpack(payload, row->zxid, zone, txn) == 0);
}

/* How much it changes of what anyone can see. */
static uint32_t
changes(const struct txn *txn)
{
	struct wire_change change;
	uint32_t i, count = 0;

	for (i = 0; i < txn->nops; i++)
		count += change_of(txn, i, &change);
	return count;
}

static uint64_t
opener(const struct txn *txn)
{
	uint64_t who = 0;

	if (txn->nops == 1 && txn->ops[0].type == TXN_SESSION_OPEN &&
	    txn->ops[0].session_open.identity.len == sizeof who)
		memcpy(&who, txn->ops[0].session_open.identity.data, sizeof who);
	return who;
}

/* The end of a session; NULL: it is none. */
static const struct txn_session_close *
end(const struct txn *txn)
{
	const struct txn_op *last = txn->nops == 0 ? NULL : &txn->ops[txn->nops - 1];

	return last != NULL && last->type == TXN_SESSION_CLOSE ? &last->session_close : NULL;
}

static void
check_expiry(struct world *world, const struct txn *txn)
{
	const struct txn_session_close *close = end(txn);
	uint32_t i;

	if (close == NULL || !close->expired)
		return;
	world->coverage[COVER_EXPIRED]++;
	for (i = 0; i < world->options.clients; i++)
		if (world->clients[i].session == close->id &&
		    world->clients[i].deadline > world->now)
			fail(world,
			    "the session of client %u is over, and it may believe in it "
			    "for %llu ms more",
			    i,
			    (unsigned long long)((world->clients[i].deadline - world->now) / MS));
}

void
history_row(struct world *world, const struct row *row)
{
	msgpack_zone *zone = msgpack_zone_new(4096);
	struct fact *fact;
	struct txn txn;
	uint64_t i;

	unpack(row, zone, &txn);
	if (world->nfacts == world->facts_space) {
		world->facts_space = world->facts_space * 2 + 64;
		world->facts = realloc(world->facts, world->facts_space * sizeof *world->facts);
		CHECK(world->facts != NULL);
	}
	/* Exactly once. */
	for (i = 0; i < world->nfacts && txn.head.rid != 0; i++)
		if (world->facts[i].session == txn.head.session &&
		    world->facts[i].rid == txn.head.rid)
			fail(world, "request %llx of session %llx is executed twice",
			    (unsigned long long)txn.head.rid, (unsigned long long)txn.head.session);
	fact = &world->facts[world->nfacts++];
	*fact = (struct fact){ .zxid = row->zxid,
		.session = txn.head.session,
		.rid = txn.head.rid,
		.code = txn.head.code,
		.changes = changes(&txn),
		.echo = (txn.head.flags & WIRE_ECHO) != 0,
		.opener = opener(&txn),
		.ended = end(&txn) == NULL ? 0 : end(&txn)->id };
	check_expiry(world, &txn);
	if ((txn.head.rid & LATE_BIT) != 0 &&
	    (txn.head.rid & ~LATE_BIT) >> LATE_EPOCH == zab_zxid_epoch(row->zxid))
		fail(world, "%llx was asked for where the session was no more",
		    (unsigned long long)row->zxid);
	if (txn.head.time_ns < world->time_ns)
		fail(world, "%llx is older than what is before it", (unsigned long long)row->zxid);
	if (fact->changes != 0)
		world->time_ns = txn.head.time_ns;
	msgpack_zone_free(zone);
}

uint64_t
history_above(const struct world *world, uint64_t zxid)
{
	uint64_t low = 0, high = world->nfacts, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (world->facts[middle].zxid <= zxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
history_expect_over(struct world *world, const struct client *client)
{
	uint64_t i;

	for (i = world->nfacts; i > 0; i--)
		if (world->facts[i - 1].ended == client->session)
			return;
	fail(world, "client %u is told that its session is over, and its end is not committed",
	    client->index);
}

const struct fact *
history_fact(const struct world *world, uint64_t zxid)
{
	uint64_t i = history_above(world, zxid);

	return i == 0 || world->facts[i - 1].zxid != zxid ? NULL : &world->facts[i - 1];
}

/* Whether it has asked for it, and has not heard how it went. */
static bool
waits_for(const struct world *world, const struct client *client, uint64_t rid)
{
	uint32_t i;

	for (i = 0; i < OUTSTANDING_MAX && rid != client->answering; i++)
		if (client->pending[i].done != 0 &&
		    world->dones[client->pending[i].done - 1].rid == rid)
			return true;
	return false;
}

void
history_expect_told(
    struct world *world, const struct client *client, uint64_t seen, uint64_t zxid, bool inclusive)
{
	uint64_t i;

	for (i = history_above(world, seen); i < world->nfacts; i++) {
		const struct fact *fact = &world->facts[i];

		if (fact->zxid > zxid || (fact->zxid == zxid && !inclusive))
			return;
		if (fact->changes == 0)
			continue;
		if (fact->session != client->session || fact->echo ||
		    waits_for(world, client, fact->rid)) {
			fail(world, "client %u was not told of %llx before %llx", client->index,
			    (unsigned long long)fact->zxid, (unsigned long long)zxid);
			return;
		}
	}
}

static const struct fact *
fact_of(const struct world *world, const struct done *done)
{
	uint64_t i;

	for (i = 0; i < world->nfacts; i++)
		if (world->facts[i].session == done->session && world->facts[i].rid == done->rid)
			return &world->facts[i];
	return NULL;
}

/* FIFO: behind all that the session had asked for before. */
static void
check_order(struct world *world, const struct done *done, const struct fact *fact)
{
	struct client *client = &world->clients[done->client];

	if (client->session != done->session)
		client->ordered = 0;
	client->session = done->session;
	if (fact->zxid < client->ordered)
		fail(world, "request %llx of client %u was executed before an earlier one",
		    (unsigned long long)done->rid, done->client);
	client->ordered = fact->zxid;
}

static void
check_write(struct world *world, const struct done *done)
{
	const struct fact *fact = fact_of(world, done);

	if (fact != NULL)
		check_order(world, done, fact);
	if (done->ended == 0)
		return;
	if (done->given_up) {
		if (fact != NULL)
			fail(world, "request %llx of client %u was refused, and is executed",
			    (unsigned long long)done->rid, done->client);
		return;
	}
	if (fact == NULL) {
		/* Refused for good: malformed or too late. */
		if (done->code == ERR_OK)
			fail(world, "request %llx of client %u was acknowledged and is not there",
			    (unsigned long long)done->rid, done->client);
		return;
	}
	if (fact->code != done->code || fact->zxid != done->zxid)
		fail(world, "request %llx of client %u was answered %d at %llx, and is %d at %llx",
		    (unsigned long long)done->rid, done->client, done->code,
		    (unsigned long long)done->zxid, fact->code, (unsigned long long)fact->zxid);
}

/* Who began after another had ended comes later. */
static void
check_real_time(struct world *world)
{
	uint64_t greatest = 0;
	uint32_t i, j;

	for (i = 0; i < world->ndones; i++) {
		const struct done *done = &world->dones[i];

		if (!wire_is_write(done->type) || done->ended == 0 || done->given_up)
			continue;
		greatest = 0;
		for (j = 0; j < world->ndones; j++) {
			const struct done *other = &world->dones[j];

			if (wire_is_write(other->type) && other->ended != 0 &&
			    other->ended < done->begun && other->zxid > greatest)
				greatest = other->zxid;
		}
		if (done->zxid < greatest)
			fail(world, "a write at %llx began after one at %llx had ended",
			    (unsigned long long)done->zxid, (unsigned long long)greatest);
	}
}

void
history_check(struct world *world)
{
	uint32_t i;

	for (i = 0; i < world->ndones && world->failure[0] == '\0'; i++)
		if (wire_is_write(world->dones[i].type))
			check_write(world, &world->dones[i]);
	if (world->failure[0] == '\0')
		check_real_time(world);
	if (world->failure[0] == '\0')
		reads_check(world);
	if (world->failure[0] == '\0')
		locks_check(world);
	if (world->failure[0] == '\0')
		linear_check(world);
}
