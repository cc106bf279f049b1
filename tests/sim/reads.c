/*
 * What clients have read, beside a tree that gets the history row by row: reads
 * see what was at their zxid, which never goes back in a session and is not
 * behind what a sync promised; no ephemeral outlives its session. Called by
 * history.c at the end of a run.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

static uint64_t
entry_hash(uint64_t hash, uint64_t id, uint32_t mode, struct blob name)
{
	uint64_t numbers[] = { hash, id, mode };

	return XXH3_64bits_withSeed(name.data, name.len, XXH3_64bits(numbers, sizeof numbers));
}

uint64_t
reads_entries(struct blob entries)
{
	struct wire_entry entry;
	uint64_t hash = 0;

	while (entries.len != 0) {
		CHECK(wire_entry_next(&entries, &entry) == 1);
		hash = entry_hash(hash, entry.id, entry.mode, entry.name);
	}
	return hash;
}

static uint64_t
children(const struct tree *tree, const struct znode *dir)
{
	const struct znode *child;
	uint64_t hash = 0, id = 0;

	while ((child = tree_next_child(tree, znode_id(dir), id)) != NULL) {
		id = znode_id(child);
		hash = entry_hash(hash, id, znode_mode(child), znode_name(child));
	}
	return hash;
}

static uint64_t
stat_hash(const struct tree *tree, const struct znode *node)
{
	msgpack_sbuffer packed;
	struct wire_stat stat;
	uint64_t hash;

	msgpack_sbuffer_init(&packed);
	znode_stat(tree, node, &stat);
	wire_stat_pack(&packed, &stat);
	hash = XXH3_64bits(packed.data, packed.size);
	msgpack_sbuffer_destroy(&packed);
	return hash;
}

static uint64_t
used_hash(const struct tree *tree, const struct znode *node)
{
	struct usage count = quotas_count(tree, node);
	struct quota quota;
	msgpack_sbuffer packed;
	uint64_t hash;

	tree_quota(tree, znode_id(node), &quota);
	msgpack_sbuffer_init(&packed);
	wire_used_pack(&packed,
	    &(struct wire_used){ quota.nodes, quota.bytes, quota.hard, count.nodes, count.bytes });
	hash = XXH3_64bits(packed.data, packed.size);
	msgpack_sbuffer_destroy(&packed);
	return hash;
}

static const struct znode *
find(const struct tree *tree, const struct done *done)
{
	const char *name;

	if (done->type != WIRE_T_LOOKUP)
		return tree_node(tree, done->key);
	name = client_name((uint32_t)done->key);
	return tree_child(
	    tree, done->parent, (struct blob){ (const uint8_t *)name, (uint32_t)strlen(name) });
}

static void
check_read(struct world *world, const struct tree *tree, const struct done *done)
{
	const struct znode *node = find(tree, done);
	uint64_t value = 0;
	int code = node == NULL ? ERR_NONODE : ERR_OK;

	if (node != NULL && done->type == WIRE_T_LIST) {
		code = S_ISDIR(znode_mode(node)) ? ERR_OK : ERR_NOTDIR;
		value = code == ERR_OK ? children(tree, node) : 0;
	} else if (node != NULL && done->type == WIRE_T_READ) {
		value = XXH3_64bits(znode_value(node).data, znode_value(node).len);
	} else if (node != NULL && done->type == WIRE_T_USAGE) {
		value = used_hash(tree, node);
	}
	if (done->code != code ||
	    (code == ERR_OK && (done->node != znode_id(node) || done->value != value ||
				   done->stat != stat_hash(tree, node))))
		fail(world, "client %u has read what was not there at %llx (%s)", done->client,
		    (unsigned long long)done->zxid, wire_type_name(done->type));
}

static void
check_ephemerals(struct world *world, const struct tree *tree, uint64_t dir)
{
	const struct znode *child;
	struct wire_stat stat;
	uint64_t id = 0;

	while ((child = tree_next_child(tree, dir, id)) != NULL) {
		id = znode_id(child);
		znode_stat(tree, child, &stat);
		if (wire_owner_is_session(stat.owner) && tree_session(tree, stat.owner) == NULL)
			fail(world, "the ephemeral %llx outlives its session",
			    (unsigned long long)id);
		if (stat.children != 0)
			check_ephemerals(world, tree, id);
	}
}

static int
by_zxid(const void *a, const void *b)
{
	const struct done *x = *(const struct done *const *)a, *y = *(const struct done *const *)b;

	return x->zxid < y->zxid ? -1 : x->zxid > y->zxid;
}

/* Reads that have an answer, in the order of what they saw. */
static uint32_t
collect(struct world *world, const struct done **reads)
{
	uint32_t i, count = 0;

	for (i = 0; i < world->ndones; i++) {
		const struct done *done = &world->dones[i];

		if (done->ended == 0 || wire_is_write(done->type))
			continue;
		if (done->zxid < done->needed)
			fail(world, "client %u was shown %llx and had to see %llx", done->client,
			    (unsigned long long)done->zxid, (unsigned long long)done->needed);
		if (done->type != WIRE_T_SYNC && done->type != WIRE_T_HAND_OVER &&
		    done->type != WIRE_T_AWAIT)
			reads[count++] = done;
	}
	qsort(reads, count, sizeof *reads, by_zxid);
	return count;
}

void
reads_check(struct world *world)
{
	const struct done **reads = calloc(world->ndones + 1, sizeof *reads);
	msgpack_zone *zone = msgpack_zone_new(4096);
	struct tree *tree = tree_new();
	const struct done *done;
	struct quotas quotas;
	uint32_t count, next = 0;
	struct txn txn;
	uint64_t i;

	CHECK(reads != NULL && zone != NULL);
	count = collect(world, reads);
	for (i = 0; i <= world->history.count; i++) {
		const struct row *row = &world->history.rows[i];
		uint64_t upto = i == world->history.count ? UINT64_MAX : row->zxid;

		for (; next < count && reads[next]->zxid < upto; next++)
			check_read(world, tree, reads[next]);
		if (i == world->history.count)
			break;
		CHECK(txn_unpack((struct blob){ row->payload->data, row->payload->len }, row->zxid,
			  zone, &txn) == 0);
		done = qualified_asked(world, &txn);
		qualified_row(world, tree, &txn, done);
		quotas_row(world, tree, &txn, done, &quotas);
		tree_apply(tree, &txn);
		quotas_applied(world, tree, &txn, &quotas);
		msgpack_zone_clear(zone);
		check_ephemerals(world, tree, TREE_ROOT);
	}
	tree_free(tree);
	msgpack_zone_free(zone);
	free(reads);
}
