/*
 * The rows that are in memory: a learner keeps no more of them than a leader
 * may have, and knows which there are.
 */
#include "replica/replica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES (1u << 20)

static void
add(struct replica *replica, uint64_t zxid, uint64_t prev_zxid, uint32_t len)
{
	static uint8_t bytes[BYTES];
	struct store_row row = { .zxid = zxid, .prev_zxid = prev_zxid, .payload = { bytes, len } };

	rows_add(replica, &row, zxid);
}

static void
add_many(struct replica *replica, uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++)
		add(replica, zab_zxid(1, 1) + i, zab_zxid(1, 0) + i, BYTES);
}

static void
test_a_learner_forgets_the_oldest(void **state)
{
	struct replica replica = { 0 };
	uint64_t many = PROPOSED_BYTES_MAX / BYTES + 10, found, hash;

	(void)state;
	TAILQ_INIT(&replica.proposals);
	add_many(&replica, many);
	assert_int_equal(replica.proposed_bytes, PROPOSED_BYTES_MAX);
	assert_int_equal(TAILQ_FIRST(&replica.proposals)->zxid, zab_zxid(1, 11));
	assert_true(rows_look_up(&replica, zab_zxid(1, UINT32_MAX), &found, &hash));
	assert_int_equal(found, zab_zxid(1, (uint32_t)many));
	rows_drop(&replica);
	assert_int_equal(replica.proposed_bytes, 0);
	/* One that is too big is kept until there is another. */
	add(&replica, zab_zxid(1, 1), 0, BYTES);
	assert_int_equal(replica.proposed_bytes, BYTES);
	rows_drop(&replica);
}

static void
test_a_leader_keeps_all(void **state)
{
	struct replica replica = { .leading = true };
	uint64_t many = PROPOSED_BYTES_MAX / BYTES + 1;

	(void)state;
	TAILQ_INIT(&replica.proposals);
	add_many(&replica, many);
	assert_int_equal(replica.proposed_bytes, many * BYTES);
	rows_drop(&replica);
}

static void
test_which_rows_there_are(void **state)
{
	struct replica replica = { .tree = tree_new() };

	(void)state;
	TAILQ_INIT(&replica.proposals);
	add(&replica, zab_zxid(1, 3), zab_zxid(1, 2), 1);
	add(&replica, zab_zxid(3, 1), zab_zxid(1, 3), 1);
	add(&replica, zab_zxid(3, 2), zab_zxid(3, 1), 1);
	assert_true(rows_has(&replica, 0)); /* applied */
	assert_true(rows_has(&replica, zab_zxid(1, 3)));
	assert_false(rows_has(&replica, zab_zxid(1, 4)));
	assert_false(rows_has(&replica, zab_zxid(2, 1)));
	assert_false(rows_has(&replica, zab_zxid(3, 0)));
	assert_true(rows_has(&replica, zab_zxid(3, 1)));
	assert_true(rows_has(&replica, zab_zxid(3, 2)));
	assert_false(rows_has(&replica, zab_zxid(3, 3)));
	assert_false(rows_has(&replica, zab_zxid(4, 1)));
	rows_drop(&replica);
	tree_free(replica.tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_learner_forgets_the_oldest),
		cmocka_unit_test(test_a_leader_keeps_all),
		cmocka_unit_test(test_which_rows_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
