/*
 * What only the wiring can get wrong: sessions and their secrets, changes before answers, requests
 * that are sent again, ends that fail.
 */
#include "tests/unit/replica_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

static void
test_changes_before_answers(void **state)
{
	struct client a, b;

	(void)state;
	client_open(&a);
	client_open(&b);
	create(&a, 2, "plain", 0);
	UNTIL(a.replies == 1 && b.changes == 1);
	assert_string_equal(a.heard, "r"); /* its own change is not told to it */
	create(&a, 4, "echoed", WIRE_ECHO);
	UNTIL(a.replies == 2 && b.changes == 2);
	assert_string_equal(a.heard, "rcr");
	/* An answer that reflects the other's change comes behind it. */
	conn_send(
	    b.conn, &(struct wire_msg){ .type = WIRE_T_LOOKUP,
			.lookup = { .rid = 1, .parent = TREE_ROOT, .name = text("echoed") } });
	UNTIL(b.replies == 1);
	assert_string_equal(b.heard, "ccr");
	assert_int_equal(b.node, a.node);
	conn_free(a.conn);
	conn_free(b.conn);
}

static void
await_change(struct client *from, struct client *to, const struct wire_msg *msg)
{
	size_t changes = to->changes;

	conn_send(from->conn, msg);
	UNTIL(to->changes > changes);
}

/*
 * A change brings what the node shows now, and where a name comes or goes what its directory does:
 * a front end answers by that, without asking.
 */
static void
test_changes_bring_attributes(void **state)
{
	struct wire_msg mode = { .type = WIRE_T_SETATTR,
		.setattr = {
		    .rid = 6, .acked = 4, .valid = WIRE_SET_MODE, .mode = 0600, .version = -1 } };
	struct wire_msg move = { .type = WIRE_T_RENAME,
		.rename = { .rid = 8,
		    .acked = 6,
		    .parent = TREE_ROOT,
		    .name = text("b"),
		    .newparent = TREE_ROOT,
		    .newname = text("c") } };
	struct wire_msg removal = { .type = WIRE_T_DELETE,
		.delete = { .rid = 10, .acked = 8, .version = -1 } };
	struct client a, b;

	(void)state;
	client_open(&a);
	client_open(&b);
	create(&a, 2, "a", 0);
	UNTIL(b.changes == 1);
	assert_int_equal(b.in.id, TREE_ROOT);
	assert_int_equal(b.in.children, 1);
	create(&a, 4, "b", 0);
	UNTIL(a.replies == 2 && b.changes == 2);
	assert_int_equal(b.of.id, a.node);
	assert_int_equal(b.in.children, 2);
	mode.setattr.id = removal.delete.id = a.node;
	await_change(&a, &b, &mode);
	assert_int_equal(b.of.mode, S_IFREG | 0600);
	assert_int_equal(b.in.id, 0);
	await_change(&a, &b, &move);
	assert_int_equal(b.of.id, removal.delete.id);
	assert_int_equal(b.in.id, 0);
	await_change(&a, &b, &removal);
	assert_int_equal(b.of.id, 0);
	assert_int_equal(b.in.children, 1);
	conn_free(a.conn);
	conn_free(b.conn);
}

static void
test_a_session_is_its_owners(void **state)
{
	struct client owner, thief;

	(void)state;
	client_open(&owner);
	memset(&thief, 0, sizeof thief);
	thief.session = owner.session;
	memcpy(thief.secret, owner.secret, WIRE_SECRET_LEN);
	thief.secret[WIRE_SECRET_LEN - 1] ^= 1;
	client_hello(&thief);
	assert_int_equal(thief.welcome, ERR_EXPIRED);
	UNTIL(thief.closed);
	conn_free(thief.conn);
	assert_false(owner.closed);
	/* Who knows the secret takes it over, and the older connection ends. */
	thief.session = owner.session;
	memcpy(thief.secret, owner.secret, WIRE_SECRET_LEN);
	client_hello(&thief);
	assert_int_equal(thief.welcome, ERR_OK);
	UNTIL(owner.closed);
	conn_free(owner.conn);
	conn_free(thief.conn);
}

/* HELLO of a new session, and nobody waits for the answer. */
static void
client_knock(struct client *client)
{
	struct wire_msg hello = { .type = WIRE_T_HELLO,
		.hello = { .proto = WIRE_PROTO, .serial = 1, .timeout_ms = 60000 } };

	memset(client, 0, sizeof *client);
	client_connect(client);
	conn_send(client->conn, &hello);
}

static void
test_sessions_have_a_bound(void **state)
{
	struct client clients[6], late;
	size_t i, open = 0, refused = 0;

	(void)state;
	conf.sessions_max = 4;
	/* All at once: what is being opened counts. */
	for (i = 0; i < 6; i++)
		client_knock(&clients[i]);
	for (i = 0; i < 6; i++) {
		UNTIL(clients[i].welcome != 1);
		open += clients[i].welcome == ERR_OK;
		refused += clients[i].welcome == ERR_BUSY;
	}
	assert_int_equal(open, 4);
	assert_int_equal(refused, 2);
	assert_int_equal(tree_sessions(replica->tree), 4);
	assert_int_equal(replica->figures.sessions_refused, 2);
	/* One line says so, the other waits for the next. */
	assert_int_equal(replica->refused, 1);
	/* Who ends makes room. */
	for (i = 0; clients[i].welcome != ERR_OK; i++)
		;
	client_resume(&clients[i]);
	conn_send(clients[i].conn, &(struct wire_msg){ .type = WIRE_T_CLOSE });
	UNTIL(clients[i].bye != 1);
	client_open(&late);
	conn_free(late.conn);
	for (i = 0; i < 6; i++)
		conn_free(clients[i].conn);
	conf.sessions_max = 100;
}

static void
test_sent_again(void **state)
{
	struct client client;
	uint64_t node, zxid;

	(void)state;
	client_open(&client);
	create(&client, 2, "f", 0);
	UNTIL(client.replies == 1);
	node = client.node;
	/* Twice before the first is durable: one answer. Again afterwards: the same. */
	append(&client, 4, node, "once");
	append(&client, 4, node, "once");
	UNTIL(client.replies == 2);
	zxid = client.reply.zxid;
	append(&client, 4, node, "once");
	UNTIL(client.replies == 3);
	assert_int_equal(client.reply.code, ERR_OK);
	assert_int_equal(client.reply.zxid, zxid);
	assert_int_equal(znode_value(tree_node(replica->tree, node)).len, 4);
	/* On another connection too. */
	conn_free(client.conn);
	client_hello(&client);
	client_resume(&client);
	append(&client, 4, node, "once");
	UNTIL(client.replies == 4);
	assert_int_equal(client.reply.zxid, zxid);
	assert_int_equal(znode_value(tree_node(replica->tree, node)).len, 4);
	conn_free(client.conn);
}

/* What nobody will be told by an answer, before or after the new connection stands. */
static void
test_own_change_without_its_answer(void **state)
{
	struct client client;
	size_t replies;
	uint64_t node;
	int i;

	(void)state;
	client_open(&client);
	create(&client, 2, "f", 0);
	UNTIL(client.replies == 1);
	node = client.node;
	append(&client, 4, node, "answered");
	UNTIL(client.replies == 2);
	assert_int_equal(client.changes, 0);
	for (i = 1; i <= 20; i++) {
		client.seen = tree_applied(replica->tree);
		append(&client, 4 + 2 * (uint64_t)i, node, "not");
		conn_flush(client.conn);
		while (
		    TAILQ_EMPTY(&replica->proposals) && tree_applied(replica->tree) == client.seen)
			event_base_loop(base, EVLOOP_NONBLOCK);
		conn_free(client.conn);
		client_hello(&client);
		client_resume(&client);
		UNTIL(client.changes == (size_t)i);
		assert_int_equal(client.own, i);
	}
	/* It asks again, and that is all. (A fast disk has let it hear of some.) */
	replies = client.replies;
	append(&client, 44, node, "not");
	UNTIL(client.replies == replies + 1);
	assert_int_equal(client.changes, 20);
	conn_free(client.conn);
}

/* It is dropped in the very turn of the loop that hears of its session. */
static void
drop_while_opening(void)
{
	struct wire_msg hello = { .type = WIRE_T_HELLO,
		.hello = { .proto = WIRE_PROTO, .timeout_ms = 200 } };
	struct pollfd wake = { .fd = store_wake_fd(replica->store), .events = POLLIN };
	struct client client = { 0 };

	client_connect(&client);
	conn_send(client.conn, &hello);
	conn_flush(client.conn);
	while (TAILQ_EMPTY(&replica->proposals) && client.welcome == 1)
		event_base_loop(base, EVLOOP_NONBLOCK);
	conn_send(client.conn, &hello); /* out of order */
	conn_flush(client.conn);
	if (client.welcome == 1) /* otherwise the log was too fast */
		assert_int_equal(poll(&wake, 1, 60000), 1);
	UNTIL(client.closed);
	conn_free(client.conn);
}

static void
test_dropped_while_opening(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 50; i++)
		drop_while_opening();
	/* They expire, and nobody is told: a sanitizer would say who was. */
	UNTIL(tree_next_session(replica->tree, 0) == NULL);
	assert_int_equal(front_connections(replica->fronts), 0);
}

/* Moves of a node with the longest names: the biggest changes that there are. */
static void
rename_often(struct client *client, uint64_t rid, size_t count)
{
	char names[2][WIRE_NAME_MAX + 1];
	struct wire_msg msg = { .type = WIRE_T_RENAME };
	size_t i, before = client->replies;

	for (i = 0; i < 2; i++) {
		memset(names[i], 'a' + (int)i, WIRE_NAME_MAX);
		names[i][WIRE_NAME_MAX] = '\0';
	}
	create(client, rid, names[0], 0);
	for (i = 0; i < count; i++) {
		rid += 2;
		UNTIL(client->replies + WIRE_OUTSTANDING_MAX / 2 > before + i);
		msg.rename = (struct wire_rename){ .rid = rid,
			.acked = rid - WIRE_OUTSTANDING_MAX > rid ? 0 : rid - WIRE_OUTSTANDING_MAX,
			.parent = TREE_ROOT,
			.name = text(names[i % 2]),
			.newparent = TREE_ROOT,
			.newname = text(names[(i + 1) % 2]) };
		conn_send(client->conn, &msg);
	}
	UNTIL(client->replies == before + count + 1);
	assert_int_equal(client->reply.code, ERR_OK);
}

/* Later than for the owner, also where the owner's clock is the slower one. */
static void
test_deadline(void **state)
{
	uint64_t opened_ns = replica_now_ns();
	struct client client;

	(void)state;
	client_open(&client);
	assert_true(
	    attend_find(replica, client.session)->deadline_ns >= opened_ns + UINT64_C(60060000000));
	conn_free(client.conn);
}

static struct front *
front_of(const struct client *client)
{
	struct front *front = NULL;

	while ((front = front_next(replica->fronts, front)) != NULL)
		if (front_session(front) == client->session)
			break;
	assert_non_null(front);
	return front;
}

/* Who has missed much keeps nobody waiting, and what happens meanwhile is not missed either. */
static void
test_long_resume(void **state)
{
	struct wire_msg getattr = { .type = WIRE_T_GETATTR,
		.getattr = { .rid = UINT64_MAX, .id = TREE_ROOT } };
	struct client writer, sleeper;
	const size_t missed = 20000;
	size_t before;

	(void)state;
	client_open(&writer);
	client_open(&sleeper);
	conn_free(sleeper.conn);
	rename_often(&writer, 2, missed);
	client_hello(&sleeper);
	before = writer.replies;
	conn_send(sleeper.conn, &(struct wire_msg){ .type = WIRE_T_RESUME });
	conn_flush(sleeper.conn);
	conn_send(writer.conn, &getattr);
	conn_flush(writer.conn);
	UNTIL(writer.replies > before);
	assert_false(front_resumed(front_of(&sleeper)));
	create(&writer, 1000000, "meanwhile", 0);
	UNTIL(writer.replies > before + 1 && sleeper.resumed);
	assert_true(sleeper.complete);
	UNTIL(sleeper.changes == missed + 2);
	conn_free(sleeper.conn);
	conn_free(writer.conn);
}

/* More than its connection may hold: it comes back all the same, and knows that it missed some. */
static void
test_too_much_to_resume(void **state)
{
	struct client writer, sleeper;

	(void)state;
	client_open(&writer);
	client_open(&sleeper);
	conn_free(sleeper.conn);
	rename_often(&writer, 2, 1000);
	client_hello(&sleeper);
	client_resume(&sleeper);
	assert_true(sleeper.complete);
	assert_int_equal(sleeper.changes, 1001);
	conn_free(sleeper.conn);

	rename_often(&writer, 10000, FRONT_UNSENT_MAX / (2 * WIRE_NAME_MAX));
	client_hello(&sleeper);
	/* And it does not read meanwhile. */
	conn_send(sleeper.conn, &(struct wire_msg){ .type = WIRE_T_RESUME });
	conn_pause(sleeper.conn, true);
	UNTIL(front_resumed(front_of(&sleeper)));
	conn_pause(sleeper.conn, false);
	UNTIL(sleeper.resumed || sleeper.closed);
	assert_false(sleeper.closed);
	assert_false(sleeper.complete);
	conn_free(sleeper.conn);
	conn_free(writer.conn);
}

static void
report(struct client *client, uint32_t what, int code, const char *wanted)
{
	struct wire_msg msg = { .type = WIRE_T_REPORT, .report = { .rid = 77, .what = what } };
	size_t replies = client->replies;

	client->wanted = text(wanted);
	conn_send(client->conn, &msg);
	UNTIL(client->replies > replies);
	assert_int_equal(client->reply.code, code);
	assert_int_equal(client->reply.rid, 77);
	assert_int_equal(client->reply.zxid, 0);
	assert_true(client->as_wanted);
}

/* Whoever is connected may ask, with a session or without. */
static void
test_reports(void **state)
{
	struct client client = { 0 };
	char epoch[32], members[256];

	(void)state;
	/* A busy machine may need more than one. */
	snprintf(epoch, sizeof epoch, "%llu\n", (unsigned long long)replica->epoch);
	client_connect(&client);
	report(&client, WIRE_LEADER, ERR_OK, "1\n");
	report(&client, WIRE_EPOCH, ERR_OK, epoch);
	report(&client, 99, ERR_NOTSUP, "");
	conn_free(client.conn);
	client_open(&client);
	snprintf(members, sizeof members,
	    "# ID ROLE      STATE         ZXID               LAG      ADDRESS\n"
	    "1    leader    serving       0x%-16llx 0        127.0.0.1:1\n",
	    (unsigned long long)tree_applied(replica->tree));
	report(&client, WIRE_MEMBERS, ERR_OK, members);
	conn_free(client.conn);
}

static void
hand_over(struct client *client, uint32_t to, int code)
{
	struct wire_msg msg = { .type = WIRE_T_HAND_OVER,
		.hand_over = { .rid = 78, .member = to } };
	size_t replies = client->replies;

	conn_send(client->conn, &msg);
	UNTIL(client->replies > replies);
	assert_int_equal(client->reply.rid, 78);
	assert_int_equal(client->reply.code, code);
}

static void
test_hand_over_alone(void **state)
{
	struct client client;

	(void)state;
	client_open(&client);
	hand_over(&client, 1, ERR_OK);
	hand_over(&client, 2, ERR_INVAL);
	hand_over(&client, 0, ERR_INVAL);
	conn_free(client.conn);
}

/* The rest of the disk. */
static void
fill(const char *path)
{
	static const char zeros[65536];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	while (write(fd, zeros, sizeof zeros) > 0)
		continue;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

/* The end of a session that the log can't take is said to be none, and can be asked for again. */
static void
test_close_on_a_full_disk(void **state)
{
	struct wire_msg close = { .type = WIRE_T_CLOSE }, big = { .type = WIRE_T_WRITE };
	struct client client;
	char ballast[128];

	(void)state;
	client_open(&client);
	create(&client, 2, "f", 0);
	UNTIL(client.replies == 1);
	snprintf(ballast, sizeof ballast, "%s/ballast", dir);
	fill(ballast);
	/* Both are under way when the disk turns out to be full. */
	big.write = (struct wire_write){ .rid = 4,
		.id = client.node,
		.how = WIRE_REPLACE,
		.data = { calloc(1, WIRE_VALUE_MAX), WIRE_VALUE_MAX },
		.version = -1 };
	conn_send(client.conn, &big);
	conn_send(client.conn, &close);
	UNTIL(client.replies == 2 && client.bye != 1);
	assert_int_equal(client.reply.code, ERR_NOSPC);
	assert_int_equal(client.bye, ERR_NOSPC);

	assert_int_equal(unlink(ballast), 0);
	UNTIL(!replica->disk_full);
	client.bye = 1;
	conn_send(client.conn, &close);
	UNTIL(client.bye != 1);
	assert_int_equal(client.bye, ERR_OK);
	assert_null(tree_session(replica->tree, client.session));
	conn_free(client.conn);
	free((void *)(uintptr_t)big.write.data.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes_before_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes_bring_attributes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_session_is_its_owners, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sessions_have_a_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sent_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_own_change_without_its_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropped_while_opening, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_resume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_much_to_resume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hand_over_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_on_a_full_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
