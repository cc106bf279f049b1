/*
 * What the tree's randomized tests share: a seeded generator, random requests
 * on a small tree, a log of packed transactions, a disk for the image's rows
 * (in place of the store: only its batches are needed), and comparing trees.
 * A failing seed is printed; SEED=n runs that one alone.
 */
#ifndef ZABFS_TESTS_TREE_WORLD_H
#define ZABFS_TESTS_TREE_WORLD_H

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/image.h"
#include "replica/tree/prep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#define CLIENTS 3
#define LOG_MAX 4096
#define VALUE_MAX 48 /* bytes: small, so that the limit is met */

struct rng {
	uint64_t state;
};

/* splitmix64 */
static inline uint64_t
rng_next(struct rng *rng)
{
	uint64_t z = (rng->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint32_t
rng_below(struct rng *rng, uint32_t n)
{
	return (uint32_t)(rng_next(rng) % n);
}

static inline struct blob
blob_of(const char *text)
{
	return (struct blob){ (const uint8_t *)text, (uint32_t)strlen(text) };
}

struct client {
	uint64_t session; /* 0: none */
	uint64_t rid, acked;
};

struct row {
	uint64_t zxid;
	msgpack_sbuffer payload;
};

struct world {
	struct tree *tree;
	struct prep *prep;
	uint64_t zxid;
	int64_t time_ns;
	uint32_t nrows, applied; /* rows proposed, rows applied */
	struct row rows[LOG_MAX];
	msgpack_zone zone;
};

static inline struct world *
world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->tree = tree_new();
	world->prep = prep_new(world->tree);
	world->zxid = UINT64_C(1) << 32;
	world->time_ns = 1000;
	assert_true(msgpack_zone_init(&world->zone, 4096));
	return world;
}

static inline void
world_free(struct world *world)
{
	prep_free(world->prep);
	tree_free(world->tree);
	for (uint32_t i = 0; i < world->nrows; i++)
		msgpack_sbuffer_destroy(&world->rows[i].payload);
	msgpack_zone_destroy(&world->zone);
	free(world);
}

static inline void
world_propose(struct world *world, const struct txn *txn)
{
	struct row *row = &world->rows[world->nrows++];

	assert_true(world->nrows < LOG_MAX);
	assert_true(txn->zxid == world->zxid);
	row->zxid = txn->zxid;
	msgpack_sbuffer_init(&row->payload);
	txn_pack(&row->payload, txn);
	msgpack_zone_clear(&world->zone);
	world->zxid++;
	world->time_ns += 7;
}

static inline void
apply_row(struct tree *tree, const struct row *row, msgpack_zone *zone)
{
	struct blob in = { (const uint8_t *)row->payload.data, (uint32_t)row->payload.size };
	struct txn txn;

	assert_int_equal(txn_unpack(in, row->zxid, zone, &txn), 0);
	tree_apply(tree, &txn);
	assert_true(tree_fits(tree));
	msgpack_zone_clear(zone);
}

#define DUE_MAX 512

struct dues {
	struct tree_due at[DUE_MAX];
	uint32_t count;
};

/* What is to go by itself, and when, said again from the nodes alone. */
static inline void
due_collect(const struct tree *tree, uint64_t dir, struct dues *dues)
{
	const struct znode *child;
	struct wire_stat stat;
	uint64_t after = 0, ttl_ms;

	while ((child = tree_next_child(tree, dir, after)) != NULL) {
		after = znode_id(child);
		znode_stat(tree, child, &stat);
		ttl_ms = stat.owner == WIRE_OWNER_CONTAINER ? 0 : wire_owner_ttl_ms(stat.owner);
		if (stat.children != 0)
			due_collect(tree, after, dues);
		else if (ttl_ms != 0 || (stat.owner == WIRE_OWNER_CONTAINER && stat.cversion != 0))
			dues->at[dues->count++] =
			    (struct tree_due){ stat.mtime_ns + (int64_t)ttl_ms * 1000000, after };
		assert_true(dues->count < DUE_MAX);
	}
}

static inline int
due_compare(const void *a, const void *b)
{
	const struct tree_due *x = a, *y = b;

	if (x->deadline_ns != y->deadline_ns)
		return x->deadline_ns < y->deadline_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* All that is ever due, the earliest first. */
static inline void
due_all(const struct tree *tree, struct dues *dues)
{
	dues->count = 0;
	due_collect(tree, TREE_ROOT, dues);
	qsort(dues->at, dues->count, sizeof(dues->at[0]), due_compare);
}

static inline void
assert_due_right(const struct tree *tree)
{
	struct tree_due at = { 0 };
	struct dues dues;

	due_all(tree, &dues);
	for (uint32_t i = 0; i < dues.count; i++) {
		assert_true(tree_next_due(tree, INT64_MAX, &at));
		assert_int_equal(at.id, dues.at[i].id);
		assert_int_equal(at.deadline_ns, dues.at[i].deadline_ns);
	}
	assert_false(tree_next_due(tree, INT64_MAX, &at));
}

/* What stands at and below a node, said again from the nodes alone. */
static inline struct usage
usage_collect(const struct tree *tree, const struct znode *node)
{
	struct usage sum = { 1, znode_value(node).len }, part;
	const struct znode *child;
	uint64_t after = 0;

	while ((child = tree_next_child(tree, znode_id(node), after)) != NULL) {
		after = znode_id(child);
		part = usage_collect(tree, child);
		sum.nodes += part.nodes;
		sum.bytes += part.bytes;
	}
	znode_usage(node, &part);
	assert_int_equal(part.nodes, sum.nodes);
	assert_int_equal(part.bytes, sum.bytes);
	return sum;
}

static inline void
assert_usage_right(const struct tree *tree)
{
	struct usage all = usage_collect(tree, tree_node(tree, TREE_ROOT));

	assert_int_equal(all.nodes, tree_nodes(tree));
	assert_int_equal(all.bytes, tree_bytes(tree));
}

/* The next `n` rows. */
static inline void
world_apply(struct world *world, uint32_t n)
{
	while (n-- > 0 && world->applied < world->nrows) {
		const struct row *row = &world->rows[world->applied++];

		apply_row(world->tree, row, &world->zone);
		prep_applied(world->prep, row->zxid);
		if (tree_hash(world->tree) != tree_hash_slow(world->tree))
			fail_msg("the running hash is wrong at zxid 0x%llx",
			    (unsigned long long)row->zxid);
		assert_due_right(world->tree);
		assert_usage_right(world->tree);
	}
}

static inline void
world_apply_all(struct world *world)
{
	world_apply(world, UINT32_MAX);
}

static inline enum prep_verdict
world_request(struct world *world, uint64_t session, const struct wire_msg *msg, int *code)
{
	enum prep_verdict verdict;
	struct txn txn;

	verdict = prep_write(world->prep, session, msg, world->zxid, world->time_ns, VALUE_MAX,
	    &world->zone, &txn, code);
	if (verdict == PREP_PROPOSE) {
		*code = txn.head.code;
		world_propose(world, &txn);
	}
	msgpack_zone_clear(&world->zone);
	return verdict;
}

static inline uint64_t
world_open(struct world *world)
{
	static const uint8_t secret[WIRE_SECRET_LEN] = "0123456789abcde";
	uint64_t session = world->zxid;
	struct txn txn;

	prep_session_open(world->prep, session, world->time_ns, secret, 10000, blob_of("h:/m"),
	    &world->zone, &txn);
	world_propose(world, &txn);
	return session;
}

static inline bool
world_close(struct world *world, uint64_t session, bool expired)
{
	struct txn txn;

	if (!prep_session_close(
		world->prep, world->zxid, world->time_ns, session, expired, &world->zone, &txn))
		return false;
	world_propose(world, &txn);
	return true;
}

/* False: not now. */
static inline bool
world_reap(struct world *world, uint64_t id)
{
	struct txn txn;

	if (!prep_reap(world->prep, world->zxid, world->time_ns, id, &world->zone, &txn))
		return false;
	world_propose(world, &txn);
	return true;
}

/* Few names, so that they meet. */
static inline struct blob
random_name(struct rng *rng)
{
	static const char *const names[] = { "a", "b", "cc", "d", "a-much-longer-name", "f" };

	return blob_of(names[rng_below(rng, sizeof(names) / sizeof(names[0]))]);
}

static inline struct blob
random_value(struct rng *rng, uint32_t max)
{
	static const char text[] =
	    "The quick brown fox jumps over the lazy dog, again and again and on";
	uint32_t from = rng_below(rng, 8);

	return (struct blob){ (const uint8_t *)text + from, rng_below(rng, max + 1) };
}

/* Of `below` ids, rather one of the latest; the root often. */
static inline uint64_t
random_id(struct rng *rng, uint64_t below)
{
	if (below <= 2 || rng_below(rng, 4) == 0)
		return TREE_ROOT;
	if (rng_below(rng, 3) == 0)
		return 1 + rng_next(rng) % below;
	return below - 1 - rng_next(rng) % (below < 8 ? below - 1 : 7);
}

static inline int64_t
random_version(struct rng *rng)
{
	return rng_below(rng, 4) != 0 ? -1 : (int64_t)rng_below(rng, 3);
}

/* Now and then one that such a node can't have. */
static inline uint32_t
random_owner(struct rng *rng, uint32_t mode)
{
	if (rng_below(rng, 20) == 0)
		return rng_below(rng, 6);
	if (S_ISDIR(mode))
		return rng_below(rng, 2) == 0 ? WIRE_TTL : WIRE_CONTAINER;
	return rng_below(rng, 3) == 0 ? WIRE_TTL : rng_below(rng, 3);
}

static inline void
random_create(struct rng *rng, uint64_t below, struct wire_create *msg)
{
	static const uint32_t modes[] = { S_IFREG | 0644, S_IFDIR | 0755, S_IFDIR | 02775,
		S_IFREG | 01600, S_IFLNK | 0777, S_IFREG | 0600 };

	msg->parent = random_id(rng, below);
	msg->name = random_name(rng);
	msg->mode = modes[rng_below(rng, 6)];
	msg->uid = rng_below(rng, 3);
	msg->gid = rng_below(rng, 3);
	if (rng_below(rng, 2) == 0)
		msg->owner = random_owner(rng, msg->mode);
	if (msg->owner == WIRE_HELD || msg->owner == WIRE_TTL)
		msg->handle = rng_below(rng, 100);
	if (rng_below(rng, 5) == 0)
		msg->flags = WIRE_SEQUENCE;
	msg->value = random_value(rng, rng_below(rng, 10) == 0 ? 60 : 20);
}

#define PATH_MAX_NAMES 3

/* From the root of a MULTI: "a", "/a//b/", and now and then nothing. */
static inline struct blob
random_path(struct rng *rng, char text[128])
{
	static const char *const between[] = { "/", "/", "/", "//" };
	uint32_t n = rng_below(rng, 30) == 0 ? 0 : 1 + rng_below(rng, PATH_MAX_NAMES);
	size_t len = 0;

	text[0] = '\0';
	if (rng_below(rng, 2) == 0)
		len = (size_t)snprintf(text, 128, "/");
	for (; n > 0; n--) {
		struct blob name = random_name(rng);
		const char *end =
		    n == 1 && rng_below(rng, 8) != 0 ? "" : between[rng_below(rng, 4)];

		len += (size_t)snprintf(
		    text + len, 128 - len, "%.*s%s", (int)name.len, (const char *)name.data, end);
	}
	return (struct blob){ (const uint8_t *)text, (uint32_t)len };
}

static inline void
random_step(struct rng *rng, struct wire_step *step)
{
	static const uint32_t modes[] = { S_IFREG | 0644, S_IFDIR | 0755, S_IFDIR | 01777,
		S_IFREG | 0600 };

	step->kind = 1 + rng_below(rng, 4);
	step->version = random_version(rng);
	if (step->kind == WIRE_STEP_CHECK && rng_below(rng, 3) == 0)
		step->version = WIRE_ABSENT;
	if (step->kind != WIRE_STEP_CREATE && step->kind != WIRE_STEP_SET)
		return;
	step->value = random_value(rng, rng_below(rng, 20) == 0 ? 60 : 20);
	step->mode = modes[rng_below(rng, 4)];
	if (step->kind == WIRE_STEP_CREATE && rng_below(rng, 3) == 0)
		step->owner = random_owner(rng, step->mode);
	step->handle = step->owner == WIRE_TTL ? rng_below(rng, 100) : 0;
	if (rng_below(rng, 4) == 0)
		step->flags = WIRE_SEQUENCE;
}

/* Few steps: most of them have to fit the tree for anything to happen. */
static inline void
random_multi(struct rng *rng, uint64_t below, struct wire_multi *msg)
{
	static const uint8_t groups[] = { 1, 0, 0, 0, 2, 0, 0, 0 };
	static msgpack_sbuffer packed; /* until the next one */
	uint32_t n = 1 + rng_below(rng, 4);
	char path[128];

	msgpack_sbuffer_destroy(&packed);
	msgpack_sbuffer_init(&packed);
	msg->root = rng_below(rng, 3) != 0 ? TREE_ROOT : random_id(rng, below);
	msg->uid = rng_below(rng, 3);
	msg->gid = rng_below(rng, 3);
	msg->groups = (struct blob){ groups, 4 * rng_below(rng, 3) };
	while (n-- > 0) {
		struct wire_step step = { .path = random_path(rng, path) };

		random_step(rng, &step);
		wire_step_pack(&packed, &step);
	}
	msg->steps = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
}

/* Some are tight, few stay so for long. */
static inline void
random_quota(struct rng *rng, uint64_t below, struct wire_quota *msg)
{
	msg->id = random_id(rng, below);
	if (rng_below(rng, 3) == 0)
		return;
	msg->nodes = rng_below(rng, 2) == 0 ? 0 : rng_below(rng, 20);
	msg->bytes = rng_below(rng, 2) == 0 ? 0 : rng_below(rng, 200);
	msg->hard = rng_below(rng, 4) != 0;
	if (rng_below(rng, 20) == 0)
		msg->nodes = -1;
}

static inline void
random_msg(struct rng *rng, uint64_t below, struct wire_msg *msg)
{
	static const enum wire_type types[] = { WIRE_T_CREATE, WIRE_T_CREATE, WIRE_T_CREATE,
		WIRE_T_CREATE, WIRE_T_DELETE, WIRE_T_DELETE, WIRE_T_WRITE, WIRE_T_WRITE,
		WIRE_T_SETATTR, WIRE_T_RENAME, WIRE_T_RENAME, WIRE_T_RENAME, WIRE_T_LOCK,
		WIRE_T_LOCK, WIRE_T_LOCK, WIRE_T_UNLOCK, WIRE_T_MULTI, WIRE_T_MULTI, WIRE_T_QUOTA };

	memset(msg, 0, sizeof(*msg));
	msg->type = types[rng_below(rng, sizeof(types) / sizeof(types[0]))];
	switch (msg->type) {
	case WIRE_T_CREATE:
		random_create(rng, below, &msg->create);
		break;
	case WIRE_T_DELETE:
		msg->delete.parent = rng_below(rng, 5) == 0 ? 0 : random_id(rng, below);
		msg->delete.name = random_name(rng);
		msg->delete.dir = rng_below(rng, 2);
		msg->delete.id = msg->delete.parent == 0 ? random_id(rng, below) : 0;
		msg->delete.version = random_version(rng);
		break;
	case WIRE_T_WRITE:
		msg->write.id = random_id(rng, below);
		msg->write.how = rng_below(rng, 3);
		msg->write.offset = rng_below(rng, 30);
		msg->write.data = random_value(rng, 20);
		msg->write.version = random_version(rng);
		break;
	case WIRE_T_SETATTR:
		msg->setattr.id = random_id(rng, below);
		msg->setattr.valid = 1 + rng_below(rng, 31);
		msg->setattr.mode = rng_below(rng, 010000);
		msg->setattr.uid = rng_below(rng, 3);
		msg->setattr.gid = rng_below(rng, 3);
		msg->setattr.size = rng_below(rng, 60);
		msg->setattr.version = random_version(rng);
		break;
	case WIRE_T_LOCK:
		msg->lock.id = random_id(rng, below);
		msg->lock.owner = rng_below(rng, 2);
		msg->lock.how = rng_below(rng, 4);
		break;
	case WIRE_T_UNLOCK:
		msg->unlock.id = random_id(rng, below);
		msg->unlock.owner = rng_below(rng, 2);
		break;
	case WIRE_T_MULTI:
		random_multi(rng, below, &msg->multi);
		break;
	case WIRE_T_QUOTA:
		random_quota(rng, below, &msg->quota);
		break;
	default:
		msg->rename.parent = random_id(rng, below);
		msg->rename.name = random_name(rng);
		msg->rename.newparent = random_id(rng, below);
		msg->rename.newname = random_name(rng);
		msg->rename.how = rng_below(rng, 3);
		break;
	}
}

/* rid, acked, flags come first in every write (wire.h). */
static inline void
set_rid(struct wire_msg *msg, uint64_t rid, uint64_t acked)
{
	msg->setattr.rid = rid;
	msg->setattr.acked = acked;
}

/*
 * The image's disk: rows as last written. The functions of store.h that make a
 * batch, for this program: a batch goes to the disk at once, or is lost.
 */
struct disk {
	struct store_node nodes[LOG_MAX]; /* by id; id 0: none. Blobs are owned. */
	struct store_session sessions[LOG_MAX];
	uint32_t nsessions;
	uint64_t applied, next_id;
};

struct store_batch {
	struct disk *disk; /* NULL: nothing of it arrives */
	size_t bytes;
};

static inline struct blob
own(struct blob blob)
{
	uint8_t *copy = malloc(blob.len + 1);

	assert_non_null(copy);
	if (blob.len > 0)
		memcpy(copy, blob.data, blob.len);
	return (struct blob){ copy, blob.len };
}

static inline void
disown(struct blob *blob)
{
	free((void *)(uintptr_t)blob->data);
	*blob = (struct blob){ NULL, 0 };
}

static inline void
disk_drop_node(struct disk *disk, uint64_t id)
{
	assert_true(id < LOG_MAX);
	disown(&disk->nodes[id].name);
	disown(&disk->nodes[id].value);
	disk->nodes[id].id = 0;
}

static inline void
disk_drop_session(struct disk *disk, uint64_t id)
{
	for (uint32_t i = 0; i < disk->nsessions; i++) {
		struct store_session *row = &disk->sessions[i];

		if (row->id != id)
			continue;
		disown(&row->secret);
		disown(&row->identity);
		disown(&row->results);
		*row = disk->sessions[--disk->nsessions];
		return;
	}
}

static inline void
disk_free(struct disk *disk)
{
	for (uint64_t id = 0; id < LOG_MAX; id++)
		disk_drop_node(disk, id);
	while (disk->nsessions > 0)
		disk_drop_session(disk, disk->sessions[0].id);
	free(disk);
}

void
store_batch_node(struct store_batch *batch, const struct store_node *row)
{
	batch->bytes += 100 + row->name.len + row->value.len;
	if (batch->disk == NULL)
		return;
	disk_drop_node(batch->disk, row->id);
	batch->disk->nodes[row->id] = *row;
	batch->disk->nodes[row->id].name = own(row->name);
	batch->disk->nodes[row->id].value = own(row->value);
}

void
store_batch_node_gone(struct store_batch *batch, uint64_t id)
{
	batch->bytes += 16;
	if (batch->disk != NULL)
		disk_drop_node(batch->disk, id);
}

void
store_batch_session(struct store_batch *batch, const struct store_session *row)
{
	struct store_session *copy;

	batch->bytes += 100 + row->results.len;
	if (batch->disk == NULL)
		return;
	disk_drop_session(batch->disk, row->id);
	copy = &batch->disk->sessions[batch->disk->nsessions++];
	*copy = *row;
	copy->secret = own(row->secret);
	copy->identity = own(row->identity);
	copy->results = own(row->results);
}

void
store_batch_session_gone(struct store_batch *batch, uint64_t id)
{
	batch->bytes += 16;
	if (batch->disk != NULL)
		disk_drop_session(batch->disk, id);
}

size_t
store_batch_bytes(const struct store_batch *batch)
{
	return batch->bytes;
}

/* Comparing. */
static inline void
assert_same_blob(struct blob a, struct blob b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.data, b.data, a.len);
}

static inline void
assert_same_locks(
    const struct tree *a, const struct session *x, const struct tree *b, const struct session *y)
{
	const struct lock *lock = NULL, *other = NULL;

	assert_int_equal(session_locks(x), session_locks(y));
	while ((lock = session_next_lock(x, lock)) != NULL) {
		other = session_next_lock(y, other);
		assert_non_null(other);
		assert_int_equal(lock->node, other->node);
		assert_int_equal(lock->owner, other->owner);
		assert_int_equal(lock->zxid, other->zxid);
		assert_int_equal(lock->exclusive, other->exclusive);
		assert_int_equal(tree_lock_is_held(a, lock), tree_lock_is_held(b, other));
	}
	assert_null(session_next_lock(y, other));
}

static inline void
assert_same_sessions(const struct tree *a, const struct tree *b)
{
	const struct session *x = tree_next_session(a, 0), *y = tree_next_session(b, 0);
	uint64_t id, handle, id2, handle2;

	for (; x != NULL;
	     x = tree_next_session(a, session_id(x)), y = tree_next_session(b, session_id(y))) {
		assert_non_null(y);
		assert_int_equal(session_id(x), session_id(y));
		assert_int_equal(session_acked(x), session_acked(y));
		assert_int_equal(session_timeout_ms(x), session_timeout_ms(y));
		assert_int_equal(session_results(x), session_results(y));
		assert_same_blob(session_secret(x), session_secret(y));
		assert_same_blob(session_identity(x), session_identity(y));
		for (id = id2 = 0; session_next_ephemeral(x, id, &id, &handle);) {
			assert_true(session_next_ephemeral(y, id2, &id2, &handle2));
			assert_int_equal(id, id2);
			assert_int_equal(handle, handle2);
		}
		assert_false(session_next_ephemeral(y, id2, &id2, &handle2));
		assert_same_locks(a, x, b, y);
	}
	assert_null(y);
}

static inline void
assert_same_quota(const struct tree *a, const struct tree *b, uint64_t id)
{
	struct quota x, y;

	tree_quota(a, id, &x);
	tree_quota(b, id, &y);
	assert_int_equal(x.nodes, y.nodes);
	assert_int_equal(x.bytes, y.bytes);
	assert_int_equal(x.hard, y.hard);
}

static inline void
assert_same_below(const struct tree *a, const struct tree *b, uint64_t dir)
{
	const struct znode *x, *y;
	struct wire_stat sx, sy;
	uint64_t after = 0;

	for (;; after = znode_id(x)) {
		x = tree_next_child(a, dir, after);
		y = tree_next_child(b, dir, after);
		if (x == NULL)
			break;
		assert_non_null(y);
		znode_stat(a, x, &sx);
		znode_stat(b, y, &sy);
		assert_memory_equal(&sx, &sy, sizeof(sx));
		assert_same_blob(znode_name(x), znode_name(y));
		assert_same_blob(znode_value(x), znode_value(y));
		assert_ptr_equal(tree_child(b, dir, znode_name(y)), y);
		assert_same_quota(a, b, znode_id(x));
		assert_same_below(a, b, znode_id(x));
	}
	assert_null(y);
}

static inline void
assert_same_tree(const struct tree *a, const struct tree *b)
{
	struct wire_stat sa, sb;

	znode_stat(a, tree_node(a, TREE_ROOT), &sa);
	znode_stat(b, tree_node(b, TREE_ROOT), &sb);
	assert_memory_equal(&sa, &sb, sizeof(sa));
	assert_same_below(a, b, TREE_ROOT);
	assert_same_sessions(a, b);
	assert_int_equal(tree_nodes(a), tree_nodes(b));
	assert_int_equal(tree_bytes(a), tree_bytes(b));
	assert_int_equal(tree_ephemerals(a), tree_ephemerals(b));
	assert_due_right(a);
	assert_due_right(b);
	assert_same_quota(a, b, TREE_ROOT);
	assert_usage_right(a);
	assert_usage_right(b);
	assert_int_equal(tree_locks(a), tree_locks(b));
	assert_int_equal(tree_hash(a), tree_hash(b));
	assert_int_equal(tree_hash_slow(a), tree_hash_slow(b));
	assert_int_equal(tree_hash(a), tree_hash_slow(a));
}

static uint64_t running_seed; /* 0: none */

static inline void
seed_hook(const char *file, int line, const char *condition)
{
	(void)file;
	(void)line;
	(void)condition;
	fprintf(stderr, "SEED=%llu\n", (unsigned long long)running_seed);
}

/* Every test that runs seeds has it as its teardown: it names the one that failed. */
static inline int
seed_teardown(void **state)
{
	(void)state;
	if (running_seed != 0)
		seed_hook(NULL, 0, NULL);
	running_seed = 0;
	return 0;
}

/* Runs seeds 1 … n, or SEED alone. */
static inline void
for_seeds(uint64_t n, void (*run)(uint64_t seed))
{
	const char *only = getenv("SEED");
	uint64_t first = only == NULL ? 1 : strtoull(only, NULL, 0);
	uint64_t last = only == NULL ? n : first;

	check_hook(seed_hook);
	for (running_seed = first; running_seed <= last; running_seed++)
		run(running_seed);
	running_seed = 0;
}

#endif
