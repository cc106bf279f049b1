/*
 * net/front.c: the order of the opening, interest counts, and that whoever
 * misbehaves loses its own connection, with one log line, while its neighbour
 * is served.
 */
#include "tests/unit/front_peer.h"

static void
test_the_opening_in_order(void **state)
{
	struct client client;

	(void)state;
	replica.welcome = 1;
	replica.resume_later = true;
	client_open(&client);
	client_send(&client, WIRE_T_HELLO);
	settle();
	assert_int_equal(replica.hellos, 1);
	assert_int_equal(front_connections(server), 1);
	assert_true(front_seen(replica.last) == 5);
	welcome(replica.last, ERR_OK);
	assert_true(front_session(replica.last) == 42);
	settle();
	assert_int_equal(client.types[0], WIRE_T_WELCOME);

	client_node(&client, WIRE_T_INTEREST, 10, 2);
	client_node(&client, WIRE_T_INTEREST, 11, 1);
	client_send(&client, WIRE_T_RESUME);
	client_send(&client, WIRE_T_LOOKUP); /* at once; it waits */
	client_node(&client, WIRE_T_FORGET, 11, 1);
	client_send(&client, WIRE_T_PING);
	settle();
	assert_int_equal(replica.resumes, 1);
	assert_int_equal(replica.requests, 0);
	assert_true(front_interested(replica.last, 10) && front_interested(replica.last, 11));
	assert_int_equal(front_interests(replica.last), 2);

	front_resume_on(replica.last, 6);
	assert_int_equal(replica.resumes, 1); /* in a later turn */
	settle();
	assert_int_equal(replica.resumes, 2);
	assert_true(front_seen(replica.last) == 6);
	assert_int_equal(replica.requests, 0);

	front_resume_done(replica.last, 7, true);
	assert_int_equal(replica.requests, 0); /* not from inside the call */
	settle();
	assert_int_equal(replica.requests, 2);
	assert_int_equal(replica.types[0], WIRE_T_LOOKUP);
	assert_int_equal(replica.types[1], WIRE_T_PING);
	assert_false(front_interested(replica.last, 11));
	assert_int_equal(client.seen, 3);
	assert_int_equal(client.types[1], WIRE_T_RESUMED);
	assert_int_equal(client.types[2], WIRE_T_PONG);

	conn_free(client.conn);
	settle();
	assert_int_equal(replica.gone, 1);
	assert_int_equal(front_connections(server), 0);
	assert_int_equal(warnings, 0);
}

static void
test_a_welcome_that_refuses(void **state)
{
	struct client client;

	(void)state;
	replica.welcome = ERR_EXPIRED;
	client_open(&client);
	client_send(&client, WIRE_T_HELLO);
	settle();
	assert_int_equal(client.seen, 1); /* it hears why */
	assert_int_equal(client.types[0], WIRE_T_WELCOME);
	assert_int_equal(client.closed, 1);
	assert_int_equal(replica.gone, 1);
	assert_int_equal(warnings, 0);
	conn_free(client.conn);
}

/* Messages, 0-terminated, of which the last is one too many. */
static const struct {
	int32_t welcome; /* 1: never comes */
	enum wire_type messages[6];
} misorders[] = {
	{ 0, { WIRE_T_RESUME } }, { 0, { WIRE_T_PING } }, { 0, { WIRE_T_CREATE } },
	{ 0, { WIRE_T_WELCOME } }, { 1, { WIRE_T_HELLO, WIRE_T_HELLO } },
	{ 1, { WIRE_T_HELLO, WIRE_T_INTEREST } }, { 1, { WIRE_T_HELLO, WIRE_T_RESUME } },
	{ 0, { WIRE_T_HELLO, WIRE_T_HELLO } }, { 0, { WIRE_T_HELLO, WIRE_T_PING } },
	{ 0, { WIRE_T_HELLO, WIRE_T_LOOKUP } }, { 0, { WIRE_T_HELLO, WIRE_T_FORGET } },
	{ 0, { WIRE_T_HELLO, WIRE_T_REPLY } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_RESUME } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_HELLO } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_INTEREST } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_WELCOME } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_RESUMED } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_PONG } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_BYE } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_REPLY } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_CHANGE } },
	{ 0, { WIRE_T_HELLO, WIRE_T_RESUME, WIRE_T_FORGET } }, /* of a node never named */
};

static void
test_out_of_order(void **state)
{
	struct client neighbour, client;
	char pid[32];

	(void)state;
	client_serve(&neighbour);
	snprintf(pid, sizeof(pid), "pid=%d", (int)getpid());
	for (size_t i = 0; i < sizeof(misorders) / sizeof(misorders[0]); i++) {
		enum wire_type last = 0;

		replica.welcome = misorders[i].welcome;
		replica.gone = warnings = replica.requests = 0;
		client_open(&client);
		for (size_t j = 0; misorders[i].messages[j] != 0; j++)
			client_send(&client, last = misorders[i].messages[j]);
		client_send(&client, WIRE_T_PING); /* nobody hears it */
		settle();
		if (replica.gone != 1 || warnings != 1 || replica.requests != 0 ||
		    client.closed != 1 || strstr(warning, wire_type_name(last)) == NULL ||
		    strstr(warning, pid) == NULL)
			fail_msg("case %zu: gone %d, lines %d, requests %d, closed %d: %s", i,
			    replica.gone, warnings, replica.requests, client.closed, warning);
		conn_free(client.conn);

		client_send(&neighbour, WIRE_T_PING);
		settle();
		assert_int_equal(replica.requests, 1);
	}
	assert_int_equal(neighbour.closed, 0);
	assert_int_equal(front_connections(server), 1);
	conn_free(neighbour.conn);
}

static void
test_broken_frames_and_another_protocol(void **state)
{
	struct wire_msg msg = { .type = WIRE_T_HELLO, .hello.proto = 99 };
	struct client client;
	char why[64];

	(void)state;
	snprintf(why, sizeof why, "protocol 99, not %d", WIRE_PROTO);
	client_open(&client);
	conn_send(client.conn, &msg);
	settle();
	assert_int_equal(client.closed, 1);
	assert_int_equal(replica.hellos, 0);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warning, why));
	conn_free(client.conn);

	client_serve(&client);
	assert_int_equal(write(client.fd, "\xff\xff\xff\xff", 4), 4);
	settle();
	assert_int_equal(client.closed, 1);
	assert_int_equal(replica.gone, 2);
	assert_int_equal(warnings, 2);
	assert_non_null(strstr(warning, "too long"));
	assert_non_null(strstr(warning, "state=serving"));
	conn_free(client.conn);
}

static void
test_interest(void **state)
{
	struct client client;
	struct front *front = client_serve(&client);

	(void)state;
	assert_true(front_interested(front, 1)); /* the root, always */
	assert_false(front_interested(front, 2));
	front_interest_add(front, 2, 3);
	front_interest_add(front, 2, 1);
	front_interest_add(front, UINT64_MAX, UINT32_MAX);
	front_interest_add(front, UINT64_MAX, UINT32_MAX);
	front_interest_add(front, 9, 0);
	assert_int_equal(front_interests(front), 2);
	assert_false(front_interested(front, 9));

	client_node(&client, WIRE_T_FORGET, 2, 3);
	client_node(&client, WIRE_T_FORGET, 1, 1000); /* changes nothing */
	client_node(&client, WIRE_T_FORGET, UINT64_MAX, UINT32_MAX);
	settle();
	assert_true(front_interested(front, 1) && front_interested(front, 2));
	assert_true(front_interested(front, UINT64_MAX));
	client_node(&client, WIRE_T_FORGET, 2, 1);
	client_node(&client, WIRE_T_FORGET, UINT64_MAX, UINT32_MAX);
	settle();
	assert_false(front_interested(front, 2));
	assert_int_equal(front_interests(front), 0);
	assert_int_equal(warnings, 0);

	front_interest_add(front, 3, 1);
	client_node(&client, WIRE_T_FORGET, 3, 2);
	settle();
	assert_int_equal(client.closed, 1);
	assert_int_equal(replica.gone, 1);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warning, "FORGET of more"));
	conn_free(client.conn);
}

static void
test_interest_is_bounded(void **state)
{
	struct client client;
	struct front *front = client_serve(&client);

	(void)state;
	for (uint64_t id = 2; id < FRONT_INTEREST_MAX + 2; id++)
		front_interest_add(front, id, 1);
	assert_int_equal(front_interests(front), FRONT_INTEREST_MAX);
	front_interest_add(front, 2, 1);
	assert_int_equal(warnings, 0);
	front_interest_add(front, FRONT_INTEREST_MAX + 2, 1);
	assert_int_equal(warnings, 1);
	settle();
	assert_int_equal(replica.gone, 1);
	conn_free(client.conn);
}

static void
test_a_kick_waits_for_the_end_of_the_turn(void **state)
{
	struct client client;
	struct front *front = client_serve(&client);

	(void)state;
	front_kick(front, "for a reason");
	front_kick(front, "for another");
	front_send(front, &(struct wire_msg){ .type = WIRE_T_PONG });
	front_reply(front, 1, 0, 1, NULL, NULL, false);
	front_interest_add(front, 2, 1);
	assert_int_equal(replica.gone, 0);
	assert_ptr_equal(front_next(server, NULL), front);
	settle();
	assert_int_equal(replica.gone, 1);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warning, "for a reason"));
	assert_int_equal(client.seen, 2); /* WELCOME, RESUMED */
	assert_null(front_next(server, NULL));
	conn_free(client.conn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_opening_in_order),
		TEST(test_a_welcome_that_refuses),
		TEST(test_out_of_order),
		TEST(test_broken_frames_and_another_protocol),
		TEST(test_interest),
		TEST(test_interest_is_bounded),
		TEST(test_a_kick_waits_for_the_end_of_the_turn),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("front", tests, make_dir, remove_dir);
}
