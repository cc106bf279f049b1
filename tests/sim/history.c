/*
 * What clients were told, against the one history of transactions: each reply
 * names its zxid, so this is exact. Each request at most once; an acknowledged
 * one is there, with its code; real-time order of writes; reads see what was at
 * their zxid, which never goes back in a session and is not behind what a sync
 * promised; changes complete, in order, before the data; no session expires
 * before its owner must know; no ephemeral outlives its session.
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

/* Whether it changes what anyone can see. */
static bool
is_visible(const struct txn *txn)
{
	struct wire_change change;
	uint32_t i;

	for (i = 0; i < txn->nops; i++)
		if (change_of(txn, i, &change))
			return true;
	return false;
}

static void
check_expiry(struct world *world, const struct txn *txn)
{
	const struct txn_op *last = txn->nops == 0 ? NULL : &txn->ops[txn->nops - 1];
	uint32_t i;

	if (last == NULL || last->type != TXN_SESSION_CLOSE || !last->session_close.expired)
		return;
	world->coverage[COVER_EXPIRED]++;
	for (i = 0; i < world->options.clients; i++)
		if (world->clients[i].session == last->session_close.id &&
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
		.visible = is_visible(&txn) };
	check_expiry(world, &txn);
	msgpack_zone_free(zone);
}

/* The first fact above zxid. */
static uint64_t
above(const struct world *world, uint64_t zxid)
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
history_expect_told(
    struct world *world, const struct client *client, uint64_t seen, uint64_t zxid, bool inclusive)
{
	uint64_t i;

	for (i = above(world, seen); i < world->nfacts; i++) {
		const struct fact *fact = &world->facts[i];

		if (fact->zxid > zxid || (fact->zxid == zxid && !inclusive))
			return;
		if (fact->visible && fact->session != client->session) {
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

static void
check_write(struct world *world, const struct done *done)
{
	const struct fact *fact = fact_of(world, done);

	if (done->ended == 0)
		return;
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
	uint64_t greatest = 0, before = 0;
	uint32_t i, j;

	(void)before;
	for (i = 0; i < world->ndones; i++) {
		const struct done *done = &world->dones[i];

		if (!wire_is_write(done->type) || done->ended == 0)
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

static int
by_zxid(const void *a, const void *b)
{
	const struct done *x = *(const struct done *const *)a, *y = *(const struct done *const *)b;

	return x->zxid < y->zxid ? -1 : x->zxid > y->zxid;
}

static void
check_read(struct world *world, const struct tree *tree, const struct done *done)
{
	static const char *const names[NAMES] = { "register", "a", "b", "c", "d", "e" };
	const struct znode *node;
	struct wire_stat stat = { 0 };
	struct blob name;
	uint64_t value = 0;

	if (done->type == WIRE_T_LOOKUP) {
		name = (struct blob){ (const uint8_t *)names[done->key],
			(uint32_t)strlen(names[done->key]) };
		node = tree_child(tree, TREE_ROOT, name);
	} else {
		node = tree_node(tree, done->key);
	}
	if (node != NULL) {
		znode_stat(tree, node, &stat);
		value = XXH3_64bits(znode_value(node).data, znode_value(node).len);
	}
	if ((node == NULL) != (done->code == ERR_NONODE) || stat.id != done->node ||
	    (node != NULL && stat.version != done->version) ||
	    (node != NULL && done->type == WIRE_T_READ && value != done->value))
		fail(world, "client %u has read what was not there at %llx", done->client,
		    (unsigned long long)done->zxid);
}

static void
check_ephemerals(struct world *world, const struct tree *tree)
{
	const struct znode *child;
	struct wire_stat stat;
	uint64_t id = 0;

	while ((child = tree_next_child(tree, TREE_ROOT, id)) != NULL) {
		id = znode_id(child);
		znode_stat(tree, child, &stat);
		if (stat.owner != 0 && tree_session(tree, stat.owner) == NULL)
			fail(world, "the ephemeral %llx outlives its session",
			    (unsigned long long)id);
	}
}

/* Reads, in the order of what they saw, beside a tree that gets the history. */
static void
check_reads(struct world *world)
{
	const struct done **reads = calloc(world->ndones + 1, sizeof *reads);
	msgpack_zone *zone = msgpack_zone_new(4096);
	struct tree *tree = tree_new();
	uint32_t count = 0, i, next = 0;
	struct txn txn;
	uint64_t row;

	CHECK(reads != NULL);
	for (i = 0; i < world->ndones; i++) {
		const struct done *done = &world->dones[i];

		if (done->ended == 0 || wire_is_write(done->type))
			continue;
		if (done->zxid < done->needed)
			fail(world, "client %u was shown %llx and had to see %llx", done->client,
			    (unsigned long long)done->zxid, (unsigned long long)done->needed);
		if (done->type != WIRE_T_SYNC)
			reads[count++] = done;
	}
	qsort(reads, count, sizeof *reads, by_zxid);
	for (row = 0; row <= world->history.count; row++) {
		uint64_t upto =
		    row == world->history.count ? UINT64_MAX : world->history.rows[row].zxid;

		for (; next < count && reads[next]->zxid < upto; next++)
			check_read(world, tree, reads[next]);
		if (row == world->history.count)
			break;
		unpack(&world->history.rows[row], zone, &txn);
		tree_apply(tree, &txn);
		msgpack_zone_clear(zone);
		check_ephemerals(world, tree);
	}
	tree_free(tree);
	msgpack_zone_free(zone);
	free(reads);
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
		check_reads(world);
	if (world->failure[0] == '\0')
		linear_check(world);
}
