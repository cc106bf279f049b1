/*
 * How connections between members end and begin again: restarts, half-open
 * ones, a newer one in place of an older, links_close and links_free from
 * every callback. The loop and the clock are link_world.h's.
 */
#include "tests/unit/link_stranger.h"

#include <poll.h>

static void
test_restarts(void **state)
{
	struct node *one, *two;
	uint64_t began;

	(void)state;
	open_two(&one, &two);
	for (int i = 0; i < 6; i++) {
		struct node *gone = i % 2 == 0 ? one : two, *stays = i % 2 == 0 ? two : one;
		uint64_t before = stays->sides[gone->sid].conn;

		say_zab(stays, gone, 1, 100);
		node_close(gone); /* with that unread */
		began = now_ms;
		node_open(gone->sid, 2);
		UNTIL(stays->sides[gone->sid].conn > before && joined(one, two));
		assert_true(now_ms - began <= 2 * LINK_DIAL_MS);
		say_zab(one, two, 2, 100);
		say_zab(two, one, 2, 100);
		UNTIL(all_heard(one, two) && all_heard(two, one));
	}
	settle();
	assert_int_equal(two->sides[1].ups - two->sides[1].downs, 1);
}

static void
test_dialing_nobody_and_then_somebody(void **state)
{
	struct node *two = node_open(2, 2);
	uint64_t began;

	(void)state;
	began = now_ms;
	UNTIL(debugs == 4); /* attempts after the first */
	assert_true(now_ms - began >= 4 * LINK_DIAL_MS * 3 / 4 - 10);
	assert_true(now_ms - began <= 4 * LINK_DIAL_MS * 5 / 4 + 50);
	assert_int_equal(warnings, 0);
	assert_int_equal(infos, 2); /* listening, and one of them */
	assert_non_null(strstr(info, "member out of reach: peer=1"));
	assert_non_null(strstr(info, "Connection refused"));
	debugs = 0;
	pass(61000);
	UNTIL(infos == 3); /* and again after a minute, with their number */
	assert_null(strstr(info, "repeated=0"));
	node_open(1, 2);
	UNTIL(joined(&nodes[1], two));
}

/* What was connected goes on in vain: both members are alive, the connection is not. */
static void
test_a_newer_connection_replaces(void **state)
{
	struct node *one = node_open(1, 2);
	int first = raw_join(one, 2), second;
	uint64_t old = one->sides[2].conn;
	struct wire_msg msg = { .type = WIRE_T_ATTACH };

	(void)state;
	one->loose = true;
	raw_send(first, &msg);
	UNTIL(one->sides[2].messages == 1);
	second = raw_join(one, 2); /* on_up and on_down check their order */
	assert_int_equal(one->sides[2].downs, 1);
	assert_int_equal(one->sides[2].ups, 2);
	assert_true(one->sides[2].conn > old);
	UNTIL(raw_ended(first));

	/* the number of the old one is worth nothing now */
	CALL(links_send(one->links, 2, old, &msg, none));
	CALL(links_close(one->links, 2, old, "old"));
	CALL(links_pause(one->links, 2, old, true));
	assert_int_equal(links_unsent(one->links, 2, old), 0);
	raw_send(second, &msg);
	UNTIL(one->sides[2].messages == 2);
	assert_int_equal(one->sides[2].downs, 1);
	assert_false(raw_ended(second));

	/* and one that is about to end is replaced like any other: down once, and before up */
	CALL(links_close(one->links, 2, one->sides[2].conn, "enough"));
	close(raw_join(one, 2));
	assert_int_equal(one->sides[2].ups, 3);
	UNTIL(one->sides[2].downs == 3);
	assert_int_equal(links_figures(one->links).refused, 3); /* ask_hash's */
	close(first);
	close(second);
}

/* The dialing side does not know that its peer is another process now. */
static void
test_half_open(void **state)
{
	struct linger reset = { 1, 0 };
	struct node *two = node_open(2, 2);
	int listener = raw_listen(1), fd = raw_accept(listener);
	struct wire_link said = raw_read_link(fd);
	struct wire_msg msg = link_msg(1, 2, said.members);
	uint64_t conn;

	(void)state;
	assert_int_equal(said.sid, 2);
	assert_int_equal(said.to, 1);
	raw_send(fd, &msg);
	UNTIL(two->sides[1].conn != 0);
	conn = two->sides[1].conn;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	close(listener);
	node_open(1, 2);
	UNTIL(joined(&nodes[1], two));
	assert_true(two->sides[1].conn > conn);
	assert_int_equal(two->sides[1].downs, 1);
	assert_int_equal(nodes[1].sides[2].downs, 0);
}

/* It accepts (its kernel does) and says nothing: a stopped process. */
static void
test_a_peer_that_is_stopped(void **state)
{
	struct node *two = node_open(2, 2);
	int listener = raw_listen(1), fd = raw_accept(listener), again;

	(void)state;
	raw_read_link(fd);
	pass(LINK_OPENING_MS - 200);
	assert_false(raw_ended(fd));
	pass(300);
	UNTIL(raw_ended(fd));
	again = raw_accept(listener);
	raw_read_link(again);
	assert_int_equal(two->sides[1].ups, 0);
	assert_int_equal(warnings, 0);
	assert_int_equal(links_figures(two->links).refused, 0);
	close(fd);
	close(again);
	close(listener);
	node_open(1, 2);
	UNTIL(joined(&nodes[1], two));
}

/* Its kernel does not even accept: what is sent there is lost. */
static void
test_a_peer_that_is_cut_off(void **state)
{
	int listener = raw_listen(1), fds[64], n = 0, stuck = 0;
	struct pollfd waiting = { .events = POLLOUT };

	(void)state;
	assert_int_equal(listen(listener, 0), 0);
	do { /* until the backlog is full */
		fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[n], (const struct sockaddr *)&places[0], sizeof(places[0]));
		waiting.fd = fds[n++];
		assert_true(n < 64);
		stuck += poll(&waiting, 1, 100) == 0;
	} while (stuck < 2);
	node_open(2, 2);
	settle();
	infos = 0;
	pass(LINK_OPENING_MS - 200);
	assert_int_equal(infos, 0);
	pass(300);
	UNTIL(infos == 1);
	assert_non_null(strstr(info, "Connection timed out"));
	while (n > 0)
		close(fds[--n]);
	close(listener);
	node_open(1, 2);
	pass(LINK_OPENING_MS + 100);
	UNTIL(joined(&nodes[1], &nodes[2]));
}

static int hooked;

static void
close_it(struct node *node, uint32_t peer, uint64_t conn)
{
	int ups = node->sides[peer].ups, messages = node->sides[peer].messages,
	    downs = node->sides[peer].downs;

	hooked++;
	CALL(links_close(node->links, peer, conn, "the test says so"));
	CALL(
	    links_send(node->links, peer, conn, &(struct wire_msg){ .type = WIRE_T_ATTACH }, none));
	CALL(links_close(node->links, peer, conn, "twice"));
	assert_int_equal(links_unsent(node->links, peer, conn), 0);
	assert_int_equal(node->sides[peer].ups, ups);
	assert_int_equal(node->sides[peer].messages, messages);
	assert_int_equal(node->sides[peer].downs, downs);
	node->hook_at = NOTHING;
}

static void
free_it(struct node *node, uint32_t peer, uint64_t conn)
{
	hooked++;
	(void)peer;
	(void)conn;
	node->hook_at = NOTHING;
	node_close(node);
	node_open(node->sid, 2); /* its port is free at once */
}

static void
talk(struct node *node, uint32_t peer, uint64_t conn)
{
	static const struct wire_msg zab = { .type = WIRE_T_ZAB };

	hooked++;
	CALL(links_send(node->links, peer, conn, &zab, payload_of(3000000)));
	node->hook_at = NOTHING;
}

/* Makes node one meet each callback: 5 messages, parts, more than the mark unsent. */
static void
provoke(struct node *one, struct node *two, enum what what)
{
	static const struct wire_msg attach = { .type = WIRE_T_ATTACH },
				     zab = { .type = WIRE_T_ZAB };
	uint64_t conn = two->sides[1].conn;

	if (what == ON_UP || what == ON_DOWN) {
		CALL(links_close(two->links, 1, conn, "to begin anew"));
	} else if (what == ON_DRAINED) {
		CALL(links_send(one->links, 2, one->sides[2].conn, &zab, payload_of(40u << 20)));
		assert_true(links_unsent(one->links, 2, one->sides[2].conn) > LINK_UNSENT_LOW);
	} else {
		for (int i = 0; i < 5; i++)
			CALL(links_send(two->links, 1, conn, &attach, none));
		CALL(links_send(two->links, 1, conn, &zab, payload_of(3000000)));
	}
	UNTIL(hooked == 1);
	UNTIL(joined(one, two));
}

static void
each_callback(void (*what_it_does)(struct node *, uint32_t, uint64_t))
{
	struct node *one, *two;

	open_two(&one, &two);
	one->loose = two->loose = true;
	for (enum what what = ON_UP; what <= ON_DRAINED; what++) {
		hooked = 0;
		one->hook_at = what;
		one->hook = what_it_does;
		provoke(one, two, what);
		/* and all is well afterwards */
		settle();
		UNTIL(joined(one, two));
		one->sides[2].messages = two->sides[1].messages = 0;
		for (uint32_t sid = 1; sid <= 2; sid++)
			CALL(links_send(nodes[sid].links, 3 - sid, nodes[sid].sides[3 - sid].conn,
			    &(struct wire_msg){ .type = WIRE_T_ATTACH }, none));
		UNTIL(one->sides[2].messages >= 1 && two->sides[1].messages >= 1);
	}
}

static void
test_closed_from_each_callback(void **state)
{
	(void)state;
	each_callback(close_it);
}

static void
test_freed_from_each_callback(void **state)
{
	(void)state;
	each_callback(free_it);
}

static void
test_sent_from_each_callback(void **state)
{
	(void)state;
	each_callback(talk);
}

/* The rest of what was read in the same turn is not handed out. */
static void
test_nothing_after_close(void **state)
{
	struct wire_msg attach = { .type = WIRE_T_ATTACH };
	struct node *one, *two;

	(void)state;
	open_two(&one, &two);
	one->loose = true;
	one->hook_at = ON_MESSAGE;
	one->hook = close_it;
	for (int i = 0; i < 10; i++)
		CALL(links_send(two->links, 1, two->sides[1].conn, &attach, none));
	UNTIL(one->sides[2].downs == 1);
	assert_int_equal(one->sides[2].messages, 1);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warning, "the test says so"));
}

static void
test_freed_while_one_is_replaced(void **state)
{
	struct node *one = node_open(1, 2);
	struct wire_msg msg = link_msg(2, 1, ask_hash(1));
	int first = raw_join(one, 2), second;

	(void)state;
	hooked = 0;
	one->hook_at = ON_DOWN;
	one->hook = free_it;
	second = raw_dial(1);
	raw_send(second, &msg);
	UNTIL(raw_ended(first) && raw_ended(second));
	assert_int_equal(hooked, 1);
	assert_int_equal(one->sides[2].ups, 0); /* not of the new ones, which nobody dialed */
	close(first);
	close(second);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_restarts),
		TEST(test_dialing_nobody_and_then_somebody),
		TEST(test_a_newer_connection_replaces),
		TEST(test_half_open),
		TEST(test_a_peer_that_is_stopped),
		TEST(test_a_peer_that_is_cut_off),
		TEST(test_closed_from_each_callback),
		TEST(test_freed_from_each_callback),
		TEST(test_sent_from_each_callback),
		TEST(test_nothing_after_close),
		TEST(test_freed_while_one_is_replaced),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("link_end", tests, NULL, NULL);
}
