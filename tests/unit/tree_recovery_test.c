/*
 * Recovery over a fuzzy image: random requests, passes taken in small batches
 * between them, passes that fail, and crashes at any point. The image and the
 * log rows above its `applied` must give the very tree that was lost, and go on
 * from there. Then idempotence: every transaction twice, the whole log twice.
 */
#include "tests/unit/tree_world.h"

#define STEPS 160

struct run {
	struct rng rng;
	struct world *world;
	struct disk *disk;
	struct image_pass *pass;
	struct client clients[CLIENTS];
	uint64_t seed;
};

static void
client_step(struct run *run)
{
	struct client *client = &run->clients[rng_below(&run->rng, CLIENTS)];
	struct wire_msg msg;
	int code;

	if (client->session == 0) {
		*client = (struct client){ .session = world_open(run->world) };
		world_apply_all(run->world);
		return;
	}
	if (rng_below(&run->rng, 25) == 0) {
		assert_true(world_close(run->world, client->session, rng_below(&run->rng, 2)));
		client->session = 0;
		return;
	}
	random_msg(&run->rng, tree_next_id(run->world->tree), &msg);
	set_rid(&msg, client->rid + 1 + rng_below(&run->rng, 3), client->acked);
	client->rid = msg.setattr.rid;
	assert_int_equal(world_request(run->world, client->session, &msg, &code), PREP_PROPOSE);
	if (rng_below(&run->rng, 3) == 0)
		client->acked = client->rid - rng_below(&run->rng, 2);
}

/* The leader removes what is due, as far as nothing that is in flight concerns it. */
static void
reap_step(struct run *run)
{
	struct tree_due at = { 0 };

	run->world->time_ns += rng_below(&run->rng, 30000000);
	while (tree_next_due(run->world->tree, run->world->time_ns, &at))
		world_reap(run->world, at.id);
}

/* The batch, or the end of the pass, meets a full disk. */
static void
pass_fails(struct run *run)
{
	if (run->pass != NULL)
		image_pass_abort(run->world->tree, run->pass);
	run->pass = NULL;
	image_mark_all(run->world->tree);
}

static void
pass_step(struct run *run)
{
	struct store_batch batch = { .disk = run->disk };
	struct tree *tree = run->world->tree;
	uint64_t applied;
	bool more;

	if (run->pass == NULL) {
		if (rng_below(&run->rng, 3) == 0)
			run->pass = image_pass_begin(tree);
		return;
	}
	applied = image_pass_applied(run->pass);
	if (rng_below(&run->rng, 12) == 0)
		batch.disk = NULL;
	more = image_pass_next(tree, run->pass, &batch, 1 + rng_below(&run->rng, 400));
	if (!more)
		run->pass = NULL;
	if (batch.disk == NULL || (!more && rng_below(&run->rng, 8) == 0)) {
		pass_fails(run);
		return;
	}
	if (more)
		return;
	run->disk->applied = applied;
	run->disk->next_id = tree_next_id(tree);
}

static void
load_nodes(struct tree *tree, const struct disk *disk, bool down)
{
	for (uint64_t i = 1; i < LOG_MAX; i++) {
		const struct store_node *row = &disk->nodes[down ? LOG_MAX - i : i];

		if (row->id != 0)
			assert_int_equal(image_load_node(tree, row), 0);
	}
}

static struct tree *
recover(struct run *run)
{
	struct world *world = run->world;
	struct disk *disk = run->disk;
	struct tree *tree = tree_new();

	tree_recovery_begin(tree);
	for (uint32_t i = 0; i < disk->nsessions; i++)
		assert_int_equal(image_load_session(tree, &disk->sessions[i]), 0);
	load_nodes(tree, disk, rng_below(&run->rng, 2));
	image_load_done(tree, disk->applied, disk->next_id);
	assert_int_equal(tree_hash(tree), tree_hash_slow(tree));
	for (uint32_t i = 0; i < world->applied; i++) {
		if (world->rows[i].zxid <= disk->applied)
			continue;
		apply_row(tree, &world->rows[i], &world->zone);
		assert_int_equal(tree_hash(tree), tree_hash_slow(tree));
	}
	tree_recovery_end(tree);
	assert_same_tree(world->tree, tree);
	assert_int_equal(tree_next_id(world->tree), tree_next_id(tree));
	assert_int_equal(tree_applied(world->tree), tree_applied(tree));
	return tree;
}

/* The process dies: what is not applied is in the log all the same. */
static void
crash(struct run *run)
{
	struct tree *tree;

	world_apply_all(run->world);
	tree = recover(run);
	prep_free(run->world->prep);
	tree_free(run->world->tree);
	run->world->tree = tree;
	run->world->prep = prep_new(tree);
	run->pass = NULL;
}

static void
fuzzy(uint64_t seed)
{
	struct run run = { .rng = { seed }, .seed = seed };

	run.world = world_new();
	run.disk = calloc(1, sizeof(*run.disk));
	assert_non_null(run.disk);
	for (int step = 0; step < STEPS; step++) {
		client_step(&run);
		if (rng_below(&run.rng, 8) == 0)
			reap_step(&run);
		if (rng_below(&run.rng, 4) != 0)
			world_apply(run.world, 1 + rng_below(&run.rng, 6));
		if (rng_below(&run.rng, 2) == 0)
			pass_step(&run);
		if (rng_below(&run.rng, 40) == 0)
			tree_free(recover(&run));
		if (rng_below(&run.rng, 80) == 0)
			crash(&run);
	}
	crash(&run);
	world_free(run.world);
	disk_free(run.disk);
}

static void
test_fuzzy_image(void **state)
{
	(void)state;
	for_seeds(3000, fuzzy);
}

static struct world *
history(uint64_t seed)
{
	struct run run = { .rng = { seed }, .seed = seed };

	run.world = world_new();
	for (int step = 0; step < STEPS; step++) {
		client_step(&run);
		if (rng_below(&run.rng, 20) != 0)
			continue;
		world_apply_all(run.world);
		reap_step(&run);
	}
	world_apply_all(run.world);
	return run.world;
}

static void
twice(uint64_t seed)
{
	struct world *world = history(seed);
	struct tree *each = tree_new(), *all = tree_new();
	uint64_t before = 0;

	tree_recovery_begin(each);
	tree_recovery_begin(all);
	for (uint32_t i = 0; i < world->nrows; i++) {
		apply_row(each, &world->rows[i], &world->zone);
		image_load_done(each, before, 0);
		apply_row(each, &world->rows[i], &world->zone);
		before = world->rows[i].zxid;
		apply_row(all, &world->rows[i], &world->zone);
	}
	image_load_done(all, 0, 0);
	for (uint32_t i = 0; i < world->nrows; i++)
		apply_row(all, &world->rows[i], &world->zone);
	tree_recovery_end(each);
	tree_recovery_end(all);
	assert_same_tree(world->tree, each);
	assert_same_tree(world->tree, all);
	tree_free(each);
	tree_free(all);
	world_free(world);
}

static void
test_applied_twice(void **state)
{
	(void)state;
	for_seeds(300, twice);
}

/* Rows that no tree can have written. */
static void
test_bad_rows(void **state)
{
	struct store_node good = {
		.id = 5, .parent = 1, .mode = S_IFREG | 0600, .name = blob_of("a")
	};
	struct store_session session = { .id = 9, .secret = blob_of("0123456789abcdef") };
	struct store_session broken = session;
	struct tree *tree = tree_new();
	struct store_node row;

	(void)state;
	tree_recovery_begin(tree);
	row = good, row.id = 0;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.id = TREE_ID_MAX + 1;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.mode = S_IFCHR | 0600;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.name = blob_of("");
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.name = blob_of("a/b");
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.parent = 0;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.handle = 1;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.owner = WIRE_OWNER_CONTAINER;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.owner = WIRE_OWNER_TTL;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.owner = WIRE_OWNER_TTL | (WIRE_TTL_MAX + 1);
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.owner = WIRE_OWNER_TTL | 5, row.handle = 1;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.owner = WIRE_OWNER_CONTAINER | 1, row.mode = S_IFDIR | 0700;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.owner = 9, row.mode = S_IFDIR | 0700;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	row = good, row.id = TREE_ROOT;
	assert_int_equal(image_load_node(tree, &row), ERR_PROTO);
	assert_int_equal(image_load_node(tree, &good), 0);
	assert_int_equal(image_load_node(tree, &good), ERR_PROTO);
	broken.secret.len = 3;
	assert_int_equal(image_load_session(tree, &broken), ERR_PROTO);
	broken = session, broken.id = 0;
	assert_int_equal(image_load_session(tree, &broken), ERR_PROTO);
	assert_int_equal(image_load_session(tree, &session), 0);
	assert_int_equal(image_load_session(tree, &session), ERR_PROTO);
	broken = session, broken.id = 10, broken.results = blob_of("\x94\xc4\x01x\x01\x01\x01");
	assert_int_equal(image_load_session(tree, &broken), ERR_PROTO);
	tree_free(tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_fuzzy_image, seed_teardown),
		cmocka_unit_test_teardown(test_applied_twice, seed_teardown),
		cmocka_unit_test(test_bad_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
