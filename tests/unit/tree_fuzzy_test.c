/*
 * The tree under random requests: prepared in a pipeline, applied, imaged by
 * fuzzy passes in small pieces while more is applied, loaded and replayed. The
 * image's rows are kept here, not in a database.
 *
 * One seed is one history; a failing one is named, and SEED=n runs it alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "replica/lib/err.h"
#include "replica/tree/image.h"
#include "replica/tree/prep.h"

#define SEEDS 1500
#define ROUNDS 60
#define IMAGE_MAX 512
#define LOG_MAX 4096
#define EPOCH (UINT64_C(1) << 32)

/* The image on "disk": rows by id. */
struct row {
	bool used;
	struct store_node node;
	struct store_session session;
	uint8_t *bytes;
};
static struct row node_rows[IMAGE_MAX], session_rows[LOG_MAX];

struct store_batch {
	size_t len;
};

static struct blob
keep(uint8_t **at, struct blob blob)
{
	struct blob kept = { *at, blob.len };

	if (blob.len != 0)
		memcpy(*at, blob.data, blob.len);
	*at += blob.len;
	return kept;
}

size_t
store_batch_bytes(const struct store_batch *batch)
{
	return batch->len;
}

static void
row_clear(struct row *row)
{
	free(row->bytes);
	memset(row, 0, sizeof *row);
}

void
store_batch_node(struct store_batch *batch, const struct store_node *node)
{
	struct row *row = &node_rows[node->id];
	uint8_t *at;

	assert_true(node->id < IMAGE_MAX);
	row_clear(row);
	row->used = true;
	row->node = *node;
	at = row->bytes = malloc(node->name.len + node->value.len + 1);
	row->node.name = keep(&at, node->name);
	row->node.value = keep(&at, node->value);
	batch->len += 10;
}

void
store_batch_node_gone(struct store_batch *batch, uint64_t id)
{
	row_clear(&node_rows[id]);
	batch->len += 10;
}

static struct row *
session_row(uint64_t id)
{
	assert_true((uint32_t)id < LOG_MAX);
	return &session_rows[(uint32_t)id];
}

void
store_batch_session(struct store_batch *batch, const struct store_session *session)
{
	struct row *row = session_row(session->id);
	uint8_t *at;

	row_clear(row);
	row->used = true;
	row->session = *session;
	at = row->bytes =
	    malloc(session->secret.len + session->identity.len + session->results.len + 1);
	row->session.secret = keep(&at, session->secret);
	row->session.identity = keep(&at, session->identity);
	row->session.results = keep(&at, session->results);
	batch->len += 10;
}

void
store_batch_session_gone(struct store_batch *batch, uint64_t id)
{
	row_clear(session_row(id));
	batch->len += 10;
}

/* The history. */
struct world {
	uint64_t seed, random;
	struct tree *tree;
	struct prep *prep;
	msgpack_zone *zone;
	struct blob log[LOG_MAX]; /* by counter */
	uint64_t proposed, applied;
	uint64_t sessions[4];
	uint64_t rid;
	struct image_pass *pass;
	uint64_t image_applied, image_next_id;
};

static uint64_t
next(struct world *world)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return world->random;
}

static uint32_t
below(struct world *world, uint32_t n)
{
	return (uint32_t)((next(world) >> 11) % n);
}

static struct blob
name(struct world *world)
{
	static const char *const names[] = { "a", "b", "c", "dd", "eeeeeeeeeeee" };
	const char *text = names[below(world, 5)];

	return (struct blob){ (const uint8_t *)text, (uint32_t)strlen(text) };
}

static uint64_t
some_id(struct world *world)
{
	return 1 + below(world, (uint32_t)(tree_next_id(world->tree) + 3));
}

static struct blob
value(struct world *world)
{
	static const uint8_t bytes[40] = "0123456789abcdefghijklmnopqrstuvwxyz";

	return (struct blob){ bytes + below(world, 10), below(world, 20) };
}

static struct wire_msg
request(struct world *world)
{
	static const uint32_t kinds[] = { S_IFDIR | 0755, S_IFDIR | 02755, S_IFREG | 0644,
		S_IFLNK | 0777 };
	struct wire_msg msg = { 0 };
	uint64_t rid = ++world->rid, acked = rid > 20 ? rid - 20 : 0;

	switch (below(world, 6)) {
	case 0:
	case 1:
		msg.type = WIRE_T_CREATE;
		msg.create.parent = below(world, 2) ? 1 : some_id(world);
		msg.create.name = name(world);
		msg.create.mode = kinds[below(world, 4)];
		msg.create.owner = below(world, 3);
		msg.create.handle = next(world);
		msg.create.value = value(world);
		break;
	case 2:
		msg.type = WIRE_T_DELETE;
		msg.delete.parent = below(world, 4) ? some_id(world) : 0;
		msg.delete.name = name(world);
		msg.delete.dir = below(world, 2);
		msg.delete.id = msg.delete.parent == 0 ? some_id(world) : 0;
		msg.delete.version = below(world, 4) ? -1 : (int64_t)below(world, 3);
		break;
	case 3:
		msg.type = WIRE_T_WRITE;
		msg.write.id = some_id(world);
		msg.write.how = below(world, 3);
		msg.write.offset = below(world, 50);
		msg.write.data = value(world);
		msg.write.version = below(world, 4) ? -1 : (int64_t)below(world, 3);
		break;
	case 4:
		msg.type = WIRE_T_SETATTR;
		msg.setattr.id = some_id(world);
		msg.setattr.valid = below(world, 32);
		msg.setattr.mode = below(world, 010000);
		msg.setattr.size = below(world, 60);
		break;
	default:
		msg.type = WIRE_T_RENAME;
		msg.rename.parent = below(world, 2) ? 1 : some_id(world);
		msg.rename.name = name(world);
		msg.rename.newparent = below(world, 2) ? 1 : some_id(world);
		msg.rename.newname = name(world);
		msg.rename.how = below(world, 3);
	}
	msg.setattr.rid = rid;
	msg.setattr.acked = acked;
	return msg;
}

/* What is proposed goes to the log, as it would on disk. */
static void
propose(struct world *world, const struct txn *txn)
{
	msgpack_sbuffer out;
	uint64_t counter = ++world->proposed;

	assert_true(counter < LOG_MAX);
	msgpack_sbuffer_init(&out);
	txn_pack(&out, txn);
	world->log[counter].len = (uint32_t)out.size;
	world->log[counter].data = (const uint8_t *)msgpack_sbuffer_release(&out);
}

static void
prepare(struct world *world)
{
	uint64_t zxid = EPOCH + world->proposed + 1;
	uint64_t *session = &world->sessions[below(world, 4)];
	int64_t time_ns = (int64_t)zxid * 1000;
	struct wire_msg msg;
	struct txn txn;
	int code;

	if (*session == 0) {
		prep_session_open(world->prep, zxid, time_ns, (const uint8_t *)"0123456789abcdef",
		    1000, (struct blob){ (const uint8_t *)"me", 2 }, world->zone, &txn);
		*session = zxid;
		propose(world, &txn);
	} else if (below(world, 25) == 0) {
		if (prep_session_close(
			world->prep, zxid, time_ns, *session, false, world->zone, &txn)) {
			*session = 0;
			propose(world, &txn);
		}
	} else {
		msg = request(world);
		if (prep_write(world->prep, *session, &msg, zxid, time_ns, 64, world->zone, &txn,
			&code) == PREP_PROPOSE)
			propose(world, &txn);
	}
	msgpack_zone_clear(world->zone);
}

static void
apply(struct tree *tree, struct world *world, uint64_t counter)
{
	struct txn txn;

	assert_int_equal(txn_unpack(world->log[counter], EPOCH + counter, world->zone, &txn), 0);
	tree_apply(tree, &txn);
	msgpack_zone_clear(world->zone);
}

static void
apply_next(struct world *world)
{
	apply(world->tree, world, ++world->applied);
	prep_applied(world->prep, EPOCH + world->applied);
}

static void
pass_step(struct world *world)
{
	struct store_batch batch = { 0 };

	if (world->pass == NULL) {
		world->pass = image_pass_begin(world->tree);
		return;
	}
	if (below(world, 20) == 0) {
		/* The disk was full: some of it is in the image, all of it is due again. */
		image_pass_abort(world->tree, world->pass);
		world->pass = NULL;
		return;
	}
	if (image_pass_next(world->tree, world->pass, &batch, 30))
		return;
	world->image_applied = image_pass_applied(world->pass);
	world->image_next_id = tree_next_id(world->tree);
	world->pass = NULL;
}

static struct tree *
recover(struct world *world)
{
	struct tree *tree = tree_new();
	uint64_t counter;
	size_t i;

	tree_recovery_begin(tree);
	for (i = 0; i < LOG_MAX; i++)
		if (session_rows[i].used)
			assert_int_equal(image_load_session(tree, &session_rows[i].session), 0);
	for (i = 0; i < IMAGE_MAX; i++)
		if (node_rows[i].used)
			assert_int_equal(image_load_node(tree, &node_rows[i].node), 0);
	image_load_done(tree, world->image_applied, world->image_next_id);
	for (counter = world->image_applied == 0 ? 1 : world->image_applied - EPOCH + 1;
	     counter <= world->applied; counter++)
		apply(tree, world, counter);
	tree_recovery_end(tree);
	return tree;
}

static void
compare(struct world *world, const struct tree *a, const struct tree *b)
{
	if (tree_hash(a) != tree_hash(b) || tree_hash(a) != tree_hash_slow(a) ||
	    tree_hash(b) != tree_hash_slow(b) || tree_nodes(a) != tree_nodes(b) ||
	    tree_bytes(a) != tree_bytes(b) || tree_next_id(a) != tree_next_id(b) ||
	    tree_ephemerals(a) != tree_ephemerals(b))
		fail_msg("seed %llu: the recovered tree differs", (unsigned long long)world->seed);
}

static void
world_free(struct world *world)
{
	uint64_t i;

	for (i = 1; i <= world->proposed; i++)
		free((void *)(uintptr_t)world->log[i].data);
	for (i = 0; i < IMAGE_MAX; i++)
		row_clear(&node_rows[i]);
	for (i = 0; i < LOG_MAX; i++)
		row_clear(&session_rows[i]);
	prep_free(world->prep);
	tree_free(world->tree);
	msgpack_zone_free(world->zone);
	free(world);
}

static void
run_seed(uint64_t seed)
{
	struct world *world = calloc(1, sizeof *world);
	struct tree *recovered;
	int round;

	world->seed = seed;
	world->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	world->tree = tree_new();
	world->prep = prep_new(world->tree);
	world->zone = msgpack_zone_new(65536);
	for (round = 0; round < ROUNDS; round++) {
		uint32_t burst = below(world, 8), drain = below(world, 8);

		while (burst-- > 0)
			prepare(world);
		while (drain-- > 0 && world->applied < world->proposed)
			apply_next(world);
		if (below(world, 2))
			pass_step(world);
		if (below(world, 12) == 0) {
			recovered = recover(world);
			compare(world, world->tree, recovered);
			tree_free(recovered);
		}
	}
	while (world->applied < world->proposed)
		apply_next(world);
	assert_int_equal(prep_outstanding(world->prep), 0);
	recovered = recover(world);
	compare(world, world->tree, recovered);
	tree_free(recovered);
	world_free(world);
}

static void
test_fuzzy_images_and_replay(void **state)
{
	const char *one = getenv("SEED");
	uint64_t seed;

	(void)state;
	if (one != NULL) {
		run_seed(strtoull(one, NULL, 10));
		return;
	}
	for (seed = 1; seed <= SEEDS; seed++)
		run_seed(seed);
}

static bool
just_opened(const struct world *world)
{
	int i;

	for (i = 0; i < 4; i++)
		if (world->sessions[i] == EPOCH + world->proposed)
			return true;
	return false;
}

/* The same requests, each prepared when all before it were applied: the same results. */
static void
test_a_pipeline_changes_nothing(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= SEEDS / 2; seed++) {
		struct world *piped = calloc(1, sizeof *piped), *single = calloc(1, sizeof *single);
		struct world *both[] = { piped, single };
		int i, n, depth;

		for (i = 0; i < 2; i++) {
			both[i]->seed = seed;
			both[i]->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
			both[i]->tree = tree_new();
			both[i]->prep = prep_new(both[i]->tree);
			both[i]->zone = msgpack_zone_new(65536);
		}
		depth = 1 + (int)(seed % 50);
		for (n = 0; n < 200; n++) {
			/* some_id looks at the tree: both look at the one that is up to date. */
			struct tree *own = piped->tree;

			piped->tree = single->tree;
			prepare(piped);
			piped->tree = own;
			prepare(single);
			assert_int_equal(piped->proposed, single->proposed);
			while (single->applied < single->proposed)
				apply_next(single);
			/* A session writes only after its WELCOME: its opening is applied. */
			if (n % depth == depth - 1 || just_opened(piped))
				while (piped->applied < piped->proposed)
					apply_next(piped);
			if (piped->proposed == 0)
				continue;
			assert_int_equal(
			    piped->log[piped->proposed].len, single->log[piped->proposed].len);
			if (memcmp(piped->log[piped->proposed].data,
				single->log[piped->proposed].data,
				piped->log[piped->proposed].len) != 0)
				fail_msg("seed %llu: transaction %llu differs",
				    (unsigned long long)seed, (unsigned long long)piped->proposed);
		}
		world_free(piped);
		world_free(single);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fuzzy_images_and_replay),
		cmocka_unit_test(test_a_pipeline_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
