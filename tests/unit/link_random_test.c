/*
 * Three members that send, pause, close and restart as a seed has it. What
 * arrives through a connection is a beginning of what was sent through it
 * (link_world.h checks each message), and when it is quiet again everybody
 * reaches everybody. A failing seed is printed; SEED=n runs that one alone (what is
 * done is the same again, when the kernel delivers is its business).
 */
#include "tests/unit/link_world.h"

#define SEEDS 8
#define STEPS 200

static uint64_t state_of_random, running_seed;

static uint32_t
draw(uint32_t below)
{
	state_of_random = state_of_random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state_of_random >> 33) % below;
}

static void
say_something(struct node *from, struct node *to)
{
	static const uint32_t sizes[] = { 0, 1, 10, 100, 1000, 5000, 20000, 70000, 300000,
		WIRE_PART_MAX, WIRE_PART_MAX + 1, 2500000 };
	struct wire_msg attach = { .type = WIRE_T_ATTACH };
	const struct side *side = &to->sides[from->sid];
	uint64_t conn = from->sides[to->sid].conn;

	if (conn == 0 || side->last - side->first > EXPECT_MAX - 8 ||
	    links_unsent(from->links, to->sid, conn) > LINK_UNSENT_LOW)
		return;
	attach.attach.serial = state_of_random;
	for (uint32_t n = draw(4); n > 0; n--)
		say(from, to, &attach, none);
	say_zab(from, to, state_of_random, sizes[draw(12)]);
}

static void
say_on_up(struct node *node, uint32_t peer, uint64_t conn)
{
	(void)conn;
	say_something(node, &nodes[peer]);
}

static void
restart(struct node *node)
{
	node_close(node);
	for (uint32_t n = draw(30); n > 0; n--)
		event_base_loop(base, EVLOOP_NONBLOCK);
	if (draw(4) == 0)
		pass(draw(3000));
	node_open(node->sid, 3);
}

static void
step(void)
{
	struct node *a = &nodes[1 + draw(3)], *b = &nodes[1 + draw(3)];
	uint64_t conn = a->sides[b->sid].conn;
	uint32_t what = draw(100);

	if (what < 70 && a != b)
		say_something(a, b);
	else if (what < 80 && conn != 0)
		CALL(links_pause(a->links, b->sid, conn, draw(2) == 0));
	else if (what < 85 && conn != 0)
		CALL(links_close(a->links, b->sid, conn, "the seed says so"));
	else if (what < 88)
		restart(a);
	else if (what < 94)
		pass(draw(200));
	for (uint32_t n = draw(6); n > 0; n--)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static bool
quiet(void)
{
	for (uint32_t a = 1; a <= 3; a++)
		for (uint32_t b = 1; b <= 3; b++)
			if (a != b &&
			    (!joined(&nodes[a], &nodes[b]) || !all_heard(&nodes[a], &nodes[b])))
				return false;
	return true;
}

static void
run(uint64_t seed)
{
	setup(NULL);
	state_of_random = seed * 0x9e3779b97f4a7c15u + 1;
	for (uint32_t sid = 1; sid <= 3; sid++) {
		nodes[sid].hook_at = ON_UP;
		nodes[sid].hook = say_on_up;
		node_open(sid, 3);
	}
	for (int i = 0; i < STEPS; i++)
		step();
	for (uint32_t a = 1; a <= 3; a++)
		for (uint32_t b = 1; b <= 3; b++)
			CALL(links_pause(nodes[a].links, b, nodes[a].sides[b].conn, false));
	UNTIL(quiet());
	/* nobody was taken for something else than it is */
	for (uint32_t a = 1; a <= 3; a++)
		assert_int_equal(links_figures(nodes[a].links).refused, 0);
	teardown(NULL);
}

static void
test_seeds(void **state)
{
	const char *only = getenv("SEED");
	uint64_t first = only == NULL ? 1 : strtoull(only, NULL, 0);
	uint64_t last = only == NULL ? SEEDS : first;

	(void)state;
	for (running_seed = first; running_seed <= last; running_seed++)
		run(running_seed);
	running_seed = 0;
}

static int
name_the_seed(void **state)
{
	(void)state;
	if (running_seed != 0)
		fprintf(stderr, "SEED=%llu\n", (unsigned long long)running_seed);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_seeds, name_the_seed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("link_random", tests, NULL, NULL);
}
