/*
 * Sessions that end, many at once, or where there is no room for it: no more is under way than may
 * be, and all of them end.
 */
#include "tests/unit/replica_harness.h"

#define MANY 100
#define EPHEMERALS 100 /* of each: more than twice what may end at once */

_Static_assert(MANY *EPHEMERALS > 2 * ENDING_MAX, "they end in several turns");

static void
create_ephemerals(struct client *client, unsigned count)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE,
		.create = {
		    .parent = TREE_ROOT, .mode = S_IFREG | 0644, .owner = WIRE_EPHEMERAL } };
	char name[48];
	unsigned i;

	for (i = 1; i <= count; i++) {
		snprintf(name, sizeof name, "%llx.%u", (unsigned long long)client->session, i);
		msg.create.rid = i;
		msg.create.acked = i - 1;
		msg.create.name = text(name);
		conn_send(client->conn, &msg);
	}
	UNTIL(client->replies == count);
	assert_int_equal(client->reply.code, ERR_OK);
}

/* Whose owner has gone. */
static uint64_t
abandon(unsigned ephemerals)
{
	struct client client;

	client_open(&client);
	create_ephemerals(&client, ephemerals);
	conn_free(client.conn);
	return client.session;
}

static void
test_no_room(void **state)
{
	struct wire_msg close = { .type = WIRE_T_CLOSE };
	uint64_t abandoned = abandon(1);
	struct client client;

	(void)state;
	client_open(&client);
	/* As if so much were under way. */
	replica->proposed_bytes += PROPOSED_BYTES_MAX + 1;
	conn_send(client.conn, &close);
	UNTIL(client.bye != 1);
	assert_int_equal(client.bye, ERR_BUSY);
	attend_find(replica, abandoned)->deadline_ns = 1;
	attend_tick(replica, replica_now_ns());
	assert_int_equal(replica->proposed_bytes, PROPOSED_BYTES_MAX + 1);
	assert_false(attend_find(replica, abandoned)->closing);

	replica->proposed_bytes -= PROPOSED_BYTES_MAX + 1;
	client.bye = 1;
	conn_send(client.conn, &close);
	UNTIL(client.bye != 1);
	assert_int_equal(client.bye, ERR_OK);
	UNTIL(tree_sessions(replica->tree) == 0);
	assert_int_equal(tree_nodes(replica->tree), 1);
	conn_free(client.conn);
}

/* The leader's tick comes but once: the others end as soon as there is room. */
static int
setup_slow_tick(void **state)
{
	conf.tick_ms = 600000;
	return setup(state);
}

static int
teardown_slow_tick(void **state)
{
	conf.tick_ms = 20;
	return teardown(state);
}

static void
test_many_at_once(void **state)
{
	struct attendance *attendance;
	unsigned i;

	(void)state;
	for (i = 0; i < MANY; i++)
		abandon(EPHEMERALS);
	for (attendance = replica->attendances; attendance != NULL;
	     attendance = attendance->hh.next)
		attendance->deadline_ns = 1;
	attend_tick(replica, replica_now_ns());
	assert_true(prep_ending(replica->prep) >= ENDING_MAX);
	deadline_ns = replica_now_ns() + DEADLINE_NS;
	while (tree_sessions(replica->tree) != 0) {
		assert_true(prep_ending(replica->prep) <= ENDING_MAX + EPHEMERALS);
		assert_true(turn());
	}
	assert_int_equal(tree_nodes(replica->tree), 1);
	assert_int_equal(prep_outstanding(replica->prep), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_many_at_once, setup_slow_tick, teardown_slow_tick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
