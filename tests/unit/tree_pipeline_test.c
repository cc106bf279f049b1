/*
 * Requests prepared one behind the other, up to 50 before the first of them is
 * applied, give the very bytes that they give when each is prepared against
 * the tree that has applied the one before.
 */
#include "tests/unit/tree_world.h"

struct pair {
	struct rng rng;
	struct world *piped, *single;
	struct client clients[CLIENTS];
	uint64_t done[CLIENTS]; /* rid whose result both have */
};

static void
settle(struct pair *pair)
{
	world_apply_all(pair->piped);
	world_apply_all(pair->single);
	assert_same_tree(pair->piped->tree, pair->single->tree);
	assert_int_equal(prep_outstanding(pair->piped->prep), 0);
	for (int i = 0; i < CLIENTS; i++)
		pair->done[i] = pair->clients[i].rid;
}

/* What is due goes, one node behind the other in one world, each applied in the other. */
static void
pair_reap(struct pair *pair)
{
	int64_t later = rng_below(&pair->rng, 200000000);
	struct tree_due at = { 0 };
	uint64_t ids[DUE_MAX];
	uint32_t n = 0;

	pair->piped->time_ns += later;
	pair->single->time_ns += later;
	while (tree_next_due(pair->single->tree, pair->single->time_ns, &at))
		ids[n++] = at.id;
	while (n-- > 0) {
		assert_true(world_reap(pair->piped, ids[n]));
		assert_true(world_reap(pair->single, ids[n]));
		world_apply_all(pair->single);
	}
}

static void
pair_request(struct pair *pair, uint32_t which)
{
	struct client *client = &pair->clients[which];
	struct wire_msg msg;
	int code = 0, code2 = 0;

	random_msg(&pair->rng, tree_next_id(pair->single->tree), &msg);
	client->rid++;
	if (rng_below(&pair->rng, 2) == 0)
		client->acked = pair->done[which];
	set_rid(&msg, client->rid, client->acked);
	assert_int_equal(world_request(pair->piped, client->session, &msg, &code),
	    world_request(pair->single, client->session, &msg, &code2));
	assert_int_equal(code, code2);
}

static void
pair_step(struct pair *pair)
{
	uint32_t which = rng_below(&pair->rng, CLIENTS);
	struct client *client = &pair->clients[which];

	if (client->session == 0) {
		client->session = world_open(pair->piped);
		assert_int_equal(world_open(pair->single), client->session);
		settle(pair);
	} else if (rng_below(&pair->rng, 30) == 0) {
		assert_true(world_close(pair->piped, client->session, true));
		assert_true(world_close(pair->single, client->session, true));
		if (rng_below(&pair->rng, 2) == 0)
			pair_request(pair, which);
		*client = (struct client){ 0 };
		pair->done[which] = 0;
	} else {
		pair_request(pair, which);
	}
}

static void
piped(uint64_t seed)
{
	struct pair pair = { .rng = { seed }, .piped = world_new(), .single = world_new() };
	uint32_t rows = 0;

	while (pair.single->nrows < 250) {
		uint32_t depth = 1 + rng_below(&pair.rng, 50);

		pair_reap(&pair);
		while (depth-- > 0) {
			pair_step(&pair);
			world_apply_all(pair.single);
			/* Partly applied too: the overlay shrinks while it is in use. */
			if (rng_below(&pair.rng, 6) == 0)
				world_apply(pair.piped, rng_below(&pair.rng, 4));
		}
		settle(&pair);
	}
	assert_int_equal(pair.piped->nrows, pair.single->nrows);
	for (; rows < pair.single->nrows; rows++) {
		const struct row *a = &pair.piped->rows[rows], *b = &pair.single->rows[rows];

		assert_int_equal(a->zxid, b->zxid);
		assert_int_equal(a->payload.size, b->payload.size);
		assert_memory_equal(a->payload.data, b->payload.data, a->payload.size);
	}
	world_free(pair.piped);
	world_free(pair.single);
}

static void
test_pipelined(void **state)
{
	(void)state;
	for_seeds(1500, piped);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_pipelined, seed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
