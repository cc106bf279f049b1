/*
 * What a member refuses: strangers, too many of them, whoever is not the one
 * it should be, and what breaks the order of messages. Each ends that one
 * connection, is counted, logged once, and touches nothing else.
 */
#include "tests/unit/link_stranger.h"

#include <sys/resource.h>

/* Member 1 with a real peer, 2, and room for a false one, 3. */
static struct node *one, *two;

static int
setup_refuse(void **state)
{
	setup(state);
	one = node_open(1, 3);
	two = node_open(2, 3);
	UNTIL(joined(one, two));
	one->loose = two->loose = true;
	return 0;
}

/* The link between 1 and 2 is what it was. */
static void
untouched(void)
{
	int before = two->sides[1].messages;

	CALL(links_send(
	    one->links, 2, one->sides[2].conn, &(struct wire_msg){ .type = WIRE_T_ATTACH }, none));
	UNTIL(two->sides[1].messages == before + 1);
	assert_int_equal(one->sides[2].downs + two->sides[1].downs, 0);
}

/* Refused once, with this in the one log line. */
static void
refused(int fd, uint64_t *before, const char *why)
{
	UNTIL(raw_ended(fd));
	close(fd);
	if (links_figures(one->links).refused != *before + 1)
		fail_msg("%s: refused %d times", why,
		    (int)(links_figures(one->links).refused - *before));
	(*before)++;
	if (warnings != 1 || strstr(warning, why) == NULL)
		fail_msg("%s: %d warnings, \"%s\"", why, warnings, warning);
	warnings = 0;
	untouched();
}

static void
test_who_is_not_the_one(void **state)
{
	uint64_t hash = ask_hash(1), count = links_figures(one->links).refused;
	struct {
		const char *why;
		struct wire_msg msg;
	} bad[] = {
		{ "another version", link_msg(3, 1, hash) },
		{ "another cluster", link_msg(3, 1, hash) },
		{ "another cluster", link_msg(3, 1, hash) },
		{ "another cluster", link_msg(3, 1, hash) },
		{ "other members", link_msg(3, 1, hash + 1) },
		{ "means another member", link_msg(3, 2, hash) },
		{ "no other member has its id", link_msg(4, 1, hash) },
		{ "no other member has its id", link_msg(1, 1, hash) },
		{ "no other member has its id", link_msg(0, 1, hash) },
	};

	(void)state;
	bad[0].msg.link.proto = WIRE_LINK_PROTO + 1;
	bad[1].msg.link.cluster = (struct blob){ (const uint8_t *)"tesT", 4 };
	bad[2].msg.link.cluster = (struct blob){ (const uint8_t *)"tes", 3 };
	bad[3].msg.link.cluster = (struct blob){ (const uint8_t *)"test2", 5 };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd;

		pass(61000); /* or the line would be kept */
		warnings = 0;
		fd = raw_dial(1);
		raw_send(fd, &bad[i].msg);
		refused(fd, &count, bad[i].why);
	}
	assert_int_equal(one->sides[3].ups, 0);
}

/* Connections go one way: the greater id dials. */
static void
test_who_should_be_dialed(void **state)
{
	uint64_t hash = ask_hash(2);
	uint64_t count = links_figures(two->links).refused;
	struct wire_msg msg = link_msg(1, 2, hash);
	int fd = raw_dial(2);

	(void)state;
	raw_send(fd, &msg);
	UNTIL(raw_ended(fd));
	assert_int_equal(links_figures(two->links).refused, count + 1);
	assert_non_null(strstr(warning, "it is we who dial"));
	close(fd);
	untouched();
}

static void
test_a_line_a_minute(void **state)
{
	struct wire_msg msg = link_msg(3, 1, 1);
	uint64_t count = links_figures(one->links).refused;

	(void)state;
	for (int i = 0; i < 10; i++) {
		int fd = raw_dial(1);

		raw_send(fd, &msg);
		UNTIL(raw_ended(fd));
		close(fd);
	}
	assert_int_equal(links_figures(one->links).refused, count + 10);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warning, "repeated=0"));
	pass(60000);
	close(raw_dial(1)); /* leaves by itself: neither refused nor a warning */
	settle();
	assert_int_equal(warnings, 1);
	msg.link.members = 2;
	for (int i = 0; i < 2; i++) {
		int fd = raw_dial(1);

		raw_send(fd, &msg);
		UNTIL(raw_ended(fd));
		close(fd);
	}
	assert_int_equal(warnings, 2);
	assert_non_null(strstr(warning, "repeated=9"));
}

static void
test_what_does_not_begin_with_link(void **state)
{
	static const enum wire_type types[] = { WIRE_T_ATTACH, WIRE_T_ZAB, WIRE_T_PART,
		WIRE_T_HELLO, WIRE_T_PING };
	uint64_t count = links_figures(one->links).refused;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct wire_msg msg = { .type = types[i] };

		pass(61000);
		warnings = 0;
		fd = raw_dial(1);
		raw_send(fd, &msg);
		refused(fd, &count, "does not begin with LINK");
	}
	fd = raw_dial(1);
	raw_write(fd, "GET / HTTP/1.1\r\n\r\n", 18);
	refused(fd, &count, "too long");
	fd = raw_dial(1);
	raw_write(fd, "\0\0\0\3\xc1\xc1\xc1", 7);
	refused(fd, &count, "no message");
}

/* What a peer that is up may not say; `why` is what the log has. */
static void
bad_message(const struct wire_msg *msgs, size_t n, const char *why)
{
	int fd = raw_join(one, 3), downs = one->sides[3].downs;
	uint64_t count = links_figures(one->links).refused;

	warnings = 0;
	one->sides[3].messages = 0;
	for (size_t i = 0; i < n; i++)
		raw_send(fd, &msgs[i]);
	raw_send(fd, &(struct wire_msg){ .type = WIRE_T_ATTACH }); /* not seen any more */
	refused(fd, &count, why);
	assert_int_equal(one->sides[3].downs, downs + 1);
	assert_int_equal(one->sides[3].messages, 0);
}

static void
test_what_a_peer_may_not_say(void **state)
{
	struct wire_msg front = { .type = WIRE_T_PING }, again = link_msg(3, 1, ask_hash(1));
	struct wire_msg empty = { .type = WIRE_T_PART },
			broken[2] = { { .type = WIRE_T_PART }, { .type = WIRE_T_ATTACH } };
	uint64_t count;
	int fd;

	(void)state;
	broken[0].part.payload = payload_of(10);
	bad_message(&front, 1, "a front end's message");
	bad_message(&again, 1, "a second LINK");
	bad_message(&empty, 1, "an empty PART");
	bad_message(broken, 2, "PARTs without their ZAB");
	assert_int_equal(one->sides[3].heard, 1);

	fd = raw_join(one, 3);
	count = links_figures(one->links).refused;
	warnings = 0;
	raw_write(fd, "\0\0\0\2\x91\x41", 6);
	refused(fd, &count, "no message");

	/* PARTs and an end: no payload, and it is no offence */
	fd = raw_join(one, 3);
	count = links_figures(one->links).refused;
	warnings = 0;
	raw_send(fd, &broken[0]);
	UNTIL(one->sides[3].heard == 2);
	close(fd);
	UNTIL(one->sides[3].conn == 0);
	assert_int_equal(one->sides[3].messages, 0);
	assert_int_equal(links_figures(one->links).refused, count);
	assert_int_equal(warnings, 0);
}

static void
fill(int fd, size_t total)
{
	struct wire_msg part = { .type = WIRE_T_PART };

	while (total > 0) {
		part.part.payload = payload_of(total < WIRE_PART_MAX ? total : WIRE_PART_MAX);
		raw_send(fd, &part);
		total -= part.part.payload.len;
	}
}

static void
test_a_payload_above_the_limit(void **state)
{
	struct wire_msg zab = { .type = WIRE_T_ZAB }, part = { .type = WIRE_T_PART };
	uint64_t count;
	int fd = raw_join(one, 3);

	(void)state;
	/* exactly as much as may be */
	fill(fd, LINK_PAYLOAD_MAX - 10);
	zab.zab.payload = payload_of(10);
	raw_send(fd, &zab);
	UNTIL(one->sides[3].messages == 1);

	/* in a PART */
	count = links_figures(one->links).refused;
	warnings = 0;
	fill(fd, LINK_PAYLOAD_MAX);
	part.part.payload = payload_of(1);
	raw_send(fd, &part);
	refused(fd, &count, "a payload above the limit");
	assert_int_equal(one->sides[3].messages, 1);

	/* in the ZAB */
	pass(61000);
	fd = raw_join(one, 3);
	count = links_figures(one->links).refused;
	warnings = 0;
	fill(fd, LINK_PAYLOAD_MAX - 9);
	raw_send(fd, &zab);
	refused(fd, &count, "a payload above the limit");
	assert_int_equal(one->sides[3].messages, 1);
}

static void
test_silence(void **state)
{
	uint64_t count = links_figures(one->links).refused;
	int silent = raw_dial(1), half = raw_dial(1);

	(void)state;
	raw_write(half, "\0\0\0\x20", 4);
	settle();
	pass(LINK_OPENING_MS - 200);
	assert_false(raw_ended(silent));
	assert_false(raw_ended(half));
	assert_int_equal(warnings, 0);
	pass(300);
	UNTIL(raw_ended(half) && raw_ended(silent));
	close(half);
	count++;
	refused(silent, &count, "no LINK in time");
}

static void
test_too_many_strangers(void **state)
{
	uint64_t count = links_figures(one->links).refused;
	int fds[LINK_STRANGERS_MAX], fd;

	(void)state;
	for (int i = 0; i < LINK_STRANGERS_MAX; i++)
		fds[i] = raw_dial(1);
	settle();
	/* The oldest makes room. */
	fd = raw_dial(1);
	refused(fds[0], &count, "too many");
	for (int i = 1; i < LINK_STRANGERS_MAX; i++)
		assert_false(raw_ended(fds[i]));
	assert_false(raw_ended(fd));
	fds[0] = fd;

	/* And a member is let in, which needs no place any more when it has said who it is. */
	node_open(3, 3);
	UNTIL(joined(&nodes[3], one));
	UNTIL(raw_ended(fds[1]));
	close(fds[1]);
	count++;
	fds[1] = raw_dial(1);
	settle();
	for (int i = 0; i < LINK_STRANGERS_MAX; i++)
		assert_false(raw_ended(fds[i]));
	pass(LINK_OPENING_MS + 100);
	for (int i = 0; i < LINK_STRANGERS_MAX; i++) {
		UNTIL(raw_ended(fds[i]));
		close(fds[i]);
	}
	assert_int_equal(links_figures(one->links).refused, count + LINK_STRANGERS_MAX);
	/* and no place was lost: as many again */
	for (int i = 0; i < LINK_STRANGERS_MAX; i++)
		fds[i] = raw_dial(1);
	settle();
	for (int i = 0; i < LINK_STRANGERS_MAX; i++) {
		assert_false(raw_ended(fds[i]));
		close(fds[i]);
	}
	untouched();
}

/* Whoever is alone at its address does not pay for those who are many. */
static void
test_strangers_of_one_address(void **state)
{
	int fds[2 * LINK_STRANGERS_MAX], alone = raw_dial_from("127.0.0.99", 1);

	(void)state;
	settle();
	for (int i = 0; i < 2 * LINK_STRANGERS_MAX; i++) {
		fds[i] = raw_dial_from("127.0.0.98", 1);
		settle();
	}
	for (int i = 0; i < 2 * LINK_STRANGERS_MAX; i++) {
		assert_int_equal(raw_ended(fds[i]), i <= LINK_STRANGERS_MAX);
		close(fds[i]);
	}
	assert_false(raw_ended(alone));
	close(alone);
}

/* Without descriptors nobody is accepted, and the loop does not spin on those who wait. */
static void
test_no_descriptor(void **state)
{
	struct rlimit before, none_left;
	int fd = socket(AF_INET, SOCK_STREAM, 0), lowest = dup(fd);

	(void)state;
	warnings = 0;
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none_left = before;
	none_left.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&places[0], sizeof(places[0])), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	UNTIL(warnings == 1);
	assert_non_null(strstr(warning, "cannot accept"));
	settle();
	assert_int_equal(warnings + debugs, 1);
	untouched();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	pass(1100);
	raw_send(fd, &(struct wire_msg){ .type = WIRE_T_ATTACH });
	UNTIL(raw_ended(fd));
	assert_non_null(strstr(warning, "does not begin with LINK"));
	close(fd);
}

/* Who dials looks as closely at who answers. */
static void
test_who_answers(void **state)
{
	struct node *three = &nodes[3];
	int listener, fd;
	struct wire_msg msg;
	uint64_t hash = ask_hash(1);

	(void)state;
	node_close(two);
	listener = raw_listen(2);
	node_open(3, 3);
	UNTIL(joined(one, three));
	for (int i = 0; i < 6; i++) {
		fd = raw_accept(listener);
		raw_read_link(fd);
		msg = link_msg(i == 0 ? 1 : 2, i == 1 ? 1 : 3, i == 2 ? hash + 1 : hash);
		if (i == 3)
			msg.link.proto++;
		if (i == 4)
			msg.link.cluster.len--;
		raw_send(fd, &msg);
		if (i == 5)
			break;
		UNTIL(raw_ended(fd));
		close(fd);
		assert_int_equal(links_figures(three->links).refused, i + 1);
		assert_int_equal(three->sides[2].ups, 0);
	}
	UNTIL(three->sides[2].ups == 1);
	assert_int_equal(three->sides[1].downs, 0);
	close(fd);
	close(listener);
}

/* The order of the lines in the configuration is none of the ensemble's. */
static void
test_the_hash_of_the_members(void **state)
{
	struct links_member swapped[NODES] = { members[2], members[0], members[1] };
	uint64_t hash = ask_hash(1), other;

	(void)state;
	node_close(one);
	memcpy(members, swapped, sizeof(members));
	node_open(1, 3);
	assert_true(ask_hash(1) == hash);
	node_close(one);
	members[2].observer = true;
	node_open(1, 3);
	other = ask_hash(1);
	assert_true(other != hash);
	node_close(one);
	members[2].observer = false;
	members[2].address = "127.0.0.1:9";
	node_open(1, 3);
	assert_true(ask_hash(1) != hash && ask_hash(1) != other);
	node_close(one);
	node_open(1, 2);
	assert_true(ask_hash(1) != hash);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_refuse, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_who_is_not_the_one),
		TEST(test_who_should_be_dialed),
		TEST(test_a_line_a_minute),
		TEST(test_what_does_not_begin_with_link),
		TEST(test_what_a_peer_may_not_say),
		TEST(test_a_payload_above_the_limit),
		TEST(test_silence),
		TEST(test_too_many_strangers),
		TEST(test_strangers_of_one_address),
		TEST(test_no_descriptor),
		TEST(test_who_answers),
		TEST(test_the_hash_of_the_members),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("link_refuse", tests, NULL, NULL);
}
