/*
 * Two and three members in one process: they find each other, whatever is sent
 * arrives whole and in order, payloads of all sizes, and what is too much
 * waits. How connections end is link_end_test.c, what is refused
 * link_refuse_test.c.
 */
#include "tests/unit/link_stranger.h"

static void
test_two_members_connect(void **state)
{
	struct node *one, *two;

	(void)state;
	open_two(&one, &two);
	settle();
	assert_int_equal(one->sides[2].ups, 1);
	assert_int_equal(two->sides[1].ups, 1);
	assert_int_equal(links_unsent(one->links, 2, one->sides[2].conn), 0);
	assert_int_equal(links_figures(one->links).refused + links_figures(two->links).refused, 0);
	assert_int_equal(warnings, 0);
}

/* Both ends of the one connection. */
static void
test_the_sockets_options(void **state)
{
	struct node *one, *two;
	int found = 0;

	(void)state;
	open_two(&one, &two);
	for (int fd = 0; fd < 256; fd++) {
		struct sockaddr_in addr;
		socklen_t alen = sizeof(addr), len = sizeof(int);
		int value = 0;

		if (getpeername(fd, (struct sockaddr *)&addr, &alen) != 0 ||
		    addr.sin_family != AF_INET)
			continue;
		found++;
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
		assert_true(value != 0);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
		assert_int_equal(value, LINK_SILENCE_MS);
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	}
	assert_int_equal(found, 2);
}

static void
test_every_message_both_ways(void **state)
{
	struct wire_msg all[] = {
		{ .type = WIRE_T_ZAB,
		    .zab = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, UINT64_MAX, 13, { NULL, 0 } } },
		{ .type = WIRE_T_PIECE, .piece = { 1, 1, 3, 4, 5, { NULL, 0 } } },
		{ .type = WIRE_T_OPEN, .open = { 1, { NULL, 0 }, 3, { NULL, 0 } } },
		{ .type = WIRE_T_OPENED, .opened = { 1, { NULL, 0 }, -3 } },
		{ .type = WIRE_T_ATTACH, .attach = { 1, 2, 3 } },
		{ .type = WIRE_T_ATTACHED, .attached = { 1, 2, 3, -4 } },
		{ .type = WIRE_T_FORWARD, .forward = { 1, 2, 3, { NULL, 0 } } },
		{ .type = WIRE_T_ANSWER, .answer = { 1, 2, 3, WIRE_T_REPLY, 5, -6, 7 } },
		{ .type = WIRE_T_STATUS, .status = { 1, 2, 3, 4, 5, UINT64_MAX, 7 } },
	};
	struct node *one, *two;

	(void)state;
	all[1].piece.rows = payload_of(WIRE_PIECE_MAX);
	all[2].open.secret = payload_of(WIRE_SECRET_LEN);
	all[2].open.identity = payload_of(WIRE_IDENTITY_MAX);
	all[3].opened.secret = payload_of(WIRE_SECRET_LEN);
	all[6].forward.request = payload_of(WIRE_REQUEST_MAX);
	open_two(&one, &two);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		say(one, two, &all[i], none);
		say(two, one, &all[i], none);
	}
	say(one, two, &all[0], payload_of(1000));
	UNTIL(all_heard(one, two) && all_heard(two, one));
	assert_int_equal(two->sides[1].messages, 10);
	assert_int_equal(one->sides[2].messages, 9);
}

static void
test_payloads_of_all_sizes(void **state)
{
	static const struct {
		uint32_t len, parts;
	} sizes[] = { { 0, 0 }, { 1, 0 }, { WIRE_PART_MAX - 1, 0 }, { WIRE_PART_MAX, 0 },
		{ WIRE_PART_MAX + 1, 1 }, { 2 * WIRE_PART_MAX, 1 }, { 2 * WIRE_PART_MAX + 1, 2 },
		{ 3u << 20, 3 }, { 0, 0 }, { 40u << 20, 40 }, { 5, 0 } };
	struct node *one, *two;
	int parts = 0;

	(void)state;
	open_two(&one, &two);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		parts += (int)sizes[i].parts;
		say_zab(one, two, i, sizes[i].len);
		say_zab(two, one, i, sizes[i].len);
	}
	UNTIL(all_heard(one, two) && all_heard(two, one));
	assert_int_equal(two->sides[1].heard, parts);
	assert_int_equal(one->sides[2].heard, parts);
	assert_int_equal(one->sides[2].downs + two->sides[1].downs, 0);
}

static void
test_the_largest_payload(void **state)
{
	struct node *one, *two;
	uint64_t conn;

	(void)state;
	open_two(&one, &two);
	say_zab(one, two, 1, LINK_PAYLOAD_MAX);
	UNTIL(all_heard(one, two));

	/* one byte more closes the connection, and nothing of it is sent */
	conn = one->sides[2].conn;
	CALL(links_send(one->links, 2, conn, &(struct wire_msg){ .type = WIRE_T_ZAB },
	    payload_of(LINK_PAYLOAD_MAX + 1)));
	assert_int_equal(one->sides[2].downs, 0);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warning, "above the limit"));
	UNTIL(one->sides[2].downs == 1 && two->sides[1].downs == 1);
	UNTIL(joined(one, two));
	assert_true(one->sides[2].conn > conn);
	assert_true(all_heard(one, two));
}

static void
test_order_is_kept(void **state)
{
	static const uint32_t sizes[] = { 10, WIRE_PART_MAX + 100, 0, 70000, 3 * WIRE_PART_MAX };
	struct wire_msg attach = { .type = WIRE_T_ATTACH };
	struct node *one, *two;

	(void)state;
	open_two(&one, &two);
	for (uint64_t i = 0; i < 50; i++) {
		say_zab(one, two, i, sizes[i % 5]);
		attach.attach.serial = i;
		say(one, two, &attach, none);
		say_zab(two, one, i, sizes[(i + 2) % 5]);
		say(two, one, &attach, none);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	UNTIL(all_heard(one, two) && all_heard(two, one));
	assert_int_equal(two->sides[1].messages, 100);
	assert_int_equal(one->sides[2].messages, 100);
}

static void
test_three_members(void **state)
{
	(void)state;
	for (uint32_t sid = 1; sid <= 3; sid++)
		node_open(sid, 3);
	UNTIL(joined(&nodes[1], &nodes[2]) && joined(&nodes[1], &nodes[3]) &&
	      joined(&nodes[2], &nodes[3]));
	for (uint64_t i = 0; i < 20; i++)
		for (uint32_t from = 1; from <= 3; from++)
			for (uint32_t to = 1; to <= 3; to++)
				if (from != to)
					say_zab(&nodes[from], &nodes[to], 100 * from + i, 500 * to);
	for (uint32_t from = 1; from <= 3; from++)
		for (uint32_t to = 1; to <= 3; to++)
			UNTIL(from == to || all_heard(&nodes[from], &nodes[to]));

	/* the death of one is no matter between the others */
	node_close(&nodes[2]);
	UNTIL(nodes[1].sides[2].downs == 1 && nodes[3].sides[2].downs == 1);
	say_zab(&nodes[1], &nodes[3], 1, 2u << 20);
	UNTIL(all_heard(&nodes[1], &nodes[3]));
	assert_int_equal(nodes[1].sides[3].downs + nodes[3].sides[1].downs, 0);
}

static void
test_a_member_alone_opens_nothing(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int before = event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);

	(void)state;
	node_open(1, 1);
	assert_int_equal(connect(fd, (const struct sockaddr *)&places[0], sizeof(places[0])), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), before);
	assert_true(links_unsent(nodes[1].links, 1, 1) == 0);
	close(fd);
}

static void
test_a_paused_peer(void **state)
{
	struct node *one, *two;
	uint64_t conn;
	int sent = 0;

	(void)state;
	open_two(&one, &two);
	conn = one->sides[2].conn;
	CALL(links_pause(two->links, 1, two->sides[1].conn, true));
	while (links_unsent(one->links, 2, conn) < LINK_UNSENT_LOW) {
		say_zab(one, two, (uint64_t)sent++, 300000);
		settle();
		assert_true(sent < EXPECT_MAX);
	}
	assert_int_equal(two->sides[1].messages, 0);
	say_zab(two, one, 1, 1000); /* the other direction goes on */
	UNTIL(all_heard(two, one));
	assert_int_equal(one->sides[2].drained, 0);

	CALL(links_pause(two->links, 1, two->sides[1].conn, false));
	assert_int_equal(two->sides[1].messages, 0); /* not from inside the call */
	UNTIL(all_heard(one, two));
	assert_int_equal(two->sides[1].messages, sent);
	UNTIL(one->sides[2].drained == 1);
	settle();
	assert_int_equal(one->sides[2].drained, 1);

	/* what never was above the mark is never told */
	say_zab(one, two, 1, 1000);
	UNTIL(all_heard(one, two));
	settle();
	assert_int_equal(one->sides[2].drained, 1);
}

/* A snapshot's way: the next piece when there is room. */
static struct wire_msg piece = { .type = WIRE_T_PIECE };

static void
feed(struct node *node, uint32_t peer, uint64_t conn)
{
	while (piece.piece.upto < 200 && links_unsent(node->links, peer, conn) < LINK_UNSENT_LOW) {
		piece.piece.upto++;
		piece.piece.rows = payload_of(WIRE_PIECE_MAX);
		say(node, &nodes[peer], &piece, none);
		assert_true(
		    links_unsent(node->links, peer, conn) < LINK_UNSENT_LOW + WIRE_FRAME_MAX);
	}
}

static void
test_a_stream_fed_by_drained(void **state)
{
	struct node *one, *two;

	(void)state;
	open_two(&one, &two);
	two->hook_at = ON_DRAINED;
	two->hook = feed;
	memset(&piece.piece, 0, sizeof(piece.piece));
	feed(two, 1, two->sides[1].conn);
	UNTIL(one->sides[2].messages == 200);
	assert_true(all_heard(two, one));
	assert_true(two->sides[1].drained > 0);
}

static void
test_a_peer_that_never_reads(void **state)
{
	struct wire_msg msg = { .type = WIRE_T_FORWARD };
	struct node *one, *two;
	uint64_t conn;
	size_t most = 0;

	(void)state;
	unsent_max = 3u << 20;
	open_two(&one, &two);
	two->loose = true;
	conn = one->sides[2].conn;
	CALL(links_pause(two->links, 1, two->sides[1].conn, true));
	msg.forward.request = payload_of(100000);
	for (int sent = 0; one->sides[2].downs == 0; sent++) {
		CALL(links_send(one->links, 2, conn, &msg, none));
		if (links_unsent(one->links, 2, conn) > most)
			most = links_unsent(one->links, 2, conn);
		if (sent % 4 == 0)
			event_base_loop(base, EVLOOP_NONBLOCK);
		assert_true(sent < 2000);
	}
	assert_true(most > unsent_max && most < unsent_max + 4 * 100100);
	assert_int_equal(links_unsent(one->links, 2, conn), 0);

	/* the peer notices when it reads again, and then all is as before */
	CALL(links_pause(two->links, 1, two->sides[1].conn, false));
	UNTIL(two->sides[1].downs == 1);
	UNTIL(joined(one, two));
	two->loose = false;
	for (uint32_t sid = 1; sid <= 2; sid++)
		say_zab(&nodes[sid], &nodes[3 - sid], 1, 10);
	UNTIL(all_heard(one, two) && all_heard(two, one));
}

/* Names are asked for on a thread; the answer may come too late. */
static void
test_names(void **state)
{
	char err[256];

	(void)state;
	for (int tries = 0; nodes[1].links == NULL; tries++) {
		choose_addresses("localhost", htonl(INADDR_LOOPBACK));
		assert_true(tries < 10);
		try_open(1, 2, err, sizeof(err));
	}
	node_open(2, 2);
	event_base_loop(base, EVLOOP_NONBLOCK);
	node_close(&nodes[2]); /* the question is open */
	settle();
	node_open(2, 2);
	UNTIL(joined(&nodes[1], &nodes[2]));
	say_zab(&nodes[2], &nodes[1], 1, 10);
	UNTIL(all_heard(&nodes[2], &nodes[1]));
}

static void
refused_open(const char *address, const char *why)
{
	char err[256] = "";

	members[0].address = address;
	assert_null(try_open(1, 2, err, sizeof(err)));
	if (strstr(err, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, why);
}

static void
test_where_nobody_can_listen(void **state)
{
	const char *own = members[0].address;
	int fd = raw_listen(1);

	(void)state;
	refused_open(own, "Address already in use");
	close(fd);
	refused_open("[::1:80]:7400", "[::1:80]:7400");
	refused_open("[nonsense]:7400", "[nonsense]:7400: Name or service not known");
	refused_open("192.0.2.1:7400", "cannot listen at 192.0.2.1:7400: Cannot assign");
	refused_open("no port", "\"no port\" is not HOST:PORT");
	members[1].address = "h:0";
	members[0].address = own;
	assert_non_null(node_open(1, 2)); /* it does not dial member 2 */
	node_close(&nodes[1]);
	members[0].sid = 3;
	nodes[3].sid = 3;
	{
		struct links_options options = { 3, CLUSTER, members, 2, 0 };
		char err[256];

		assert_null(links_open(base, &options, &handler, &nodes[3], err, sizeof(err)));
		assert_non_null(strstr(err, "\"h:0\" is not HOST:PORT"));
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_two_members_connect),
		TEST(test_the_sockets_options),
		TEST(test_every_message_both_ways),
		TEST(test_payloads_of_all_sizes),
		TEST(test_the_largest_payload),
		TEST(test_order_is_kept),
		TEST(test_three_members),
		TEST(test_a_member_alone_opens_nothing),
		TEST(test_a_paused_peer),
		TEST(test_a_stream_fed_by_drained),
		TEST(test_a_peer_that_never_reads),
		TEST(test_names),
		TEST(test_where_nobody_can_listen),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
