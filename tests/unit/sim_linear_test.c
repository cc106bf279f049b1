/*
 * The simulator's second opinion (tests/sim/linear.c) on histories that are
 * known to be right or wrong: one that never complained would go unnoticed.
 */
#include "tests/sim/sim.h"

#include "replica/lib/err.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <xxhash.h>

#undef fail /* cmocka's; the simulator has its own */

#define REGISTER 7
#define NOTHING 0 /* the value that it begins with */

static struct done dones[16];
static struct world world = { .dones = dones };
static bool failed;

void
fail(struct world *of, const char *format, ...)
{
	(void)of;
	(void)format;
	failed = true;
}

static struct done *
add(enum wire_type type, uint64_t begun, uint64_t ended)
{
	struct done *done = &dones[world.ndones++];

	*done = (struct done){ .type = type, .begun = begun, .ended = ended, .key = REGISTER };
	return done;
}

static void
set_up(void)
{
	struct done *done;

	world.ndones = 0;
	failed = false;
	done = add(WIRE_T_CREATE, 1, 2);
	done->key = 0;
	done->node = REGISTER;
}

static void
put(uint64_t value, uint64_t begun, uint64_t ended)
{
	add(WIRE_T_WRITE, begun, ended)->written = value;
}

static void
get(uint64_t value, uint64_t begun, uint64_t ended)
{
	struct done *done = add(WIRE_T_READ, begun, ended);

	done->synced = true;
	done->value = value == NOTHING ? XXH3_64bits("", 0) : value;
}

static bool
is_linear(void)
{
	linear_check(&world);
	return !failed;
}

static void
what_is_right(void **state)
{
	(void)state;
	set_up();
	get(NOTHING, 3, 4);
	put(1, 5, 6);
	get(1, 7, 8);
	assert_true(is_linear());
	/* At once: either order. */
	set_up();
	put(1, 3, 10);
	put(2, 4, 9);
	get(2, 11, 12);
	get(2, 13, 14);
	assert_true(is_linear());
	set_up();
	put(1, 3, 10);
	put(2, 4, 9);
	get(1, 11, 12);
	assert_true(is_linear());
	/* A write without an answer: it may have happened by then, or not yet, or never. */
	set_up();
	put(1, 3, 4);
	put(2, 5, 0);
	get(1, 6, 7);
	get(2, 8, 9);
	assert_true(is_linear());
	assert_int_equal(world.coverage[COVER_REGISTER], 4);
}

static void
stale(void **state)
{
	(void)state;
	set_up();
	put(1, 3, 4);
	put(2, 5, 6);
	get(1, 7, 8);
	assert_false(is_linear());
	set_up();
	put(1, 3, 4);
	get(NOTHING, 5, 6);
	assert_false(is_linear());
}

static void
back_again(void **state)
{
	(void)state;
	set_up();
	put(1, 3, 20);
	put(2, 4, 19);
	get(1, 21, 22);
	get(2, 23, 24);
	assert_false(is_linear());
	/* Seen by one, though it has no answer: another may not miss it later. */
	set_up();
	put(1, 3, 0);
	get(1, 4, 5);
	get(NOTHING, 6, 7);
	assert_false(is_linear());
}

static void
from_nowhere(void **state)
{
	(void)state;
	set_up();
	put(1, 3, 4);
	get(3, 5, 6);
	assert_false(is_linear());
	/* Before it was asked for. */
	set_up();
	get(1, 3, 4);
	put(1, 5, 6);
	assert_false(is_linear());
}

/* What failed, or was refused, has not happened. */
static void
refused(void **state)
{
	(void)state;
	set_up();
	put(1, 3, 4);
	put(2, 5, 6);
	dones[world.ndones - 1].code = ERR_NOSPC;
	get(1, 7, 8);
	assert_true(is_linear());
	get(2, 9, 10);
	assert_false(is_linear());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right),
		cmocka_unit_test(stale),
		cmocka_unit_test(back_again),
		cmocka_unit_test(from_nowhere),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
