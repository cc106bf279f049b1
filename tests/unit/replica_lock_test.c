/*
 * Locks of a running replica: who waits hears when it has what it waits for, and nobody else
 * hears anything; a connection's end ends its waiting, a session's end its locks.
 */
#include "tests/unit/replica_harness.h"

static void
say(struct client *client, struct wire_msg msg)
{
	conn_send(client->conn, &msg);
}

static int
lock(struct client *client, uint64_t rid, uint64_t owner, uint32_t how)
{
	size_t replies = client->replies;

	say(client,
	    (struct wire_msg){ .type = WIRE_T_LOCK,
		.lock = {
		    .rid = rid, .acked = rid - 1, .id = TREE_ROOT, .owner = owner, .how = how } });
	UNTIL(client->replies > replies);
	assert_int_equal(client->reply.rid, rid);
	return client->reply.code;
}

static void
unlock(struct client *client, uint64_t rid, uint64_t owner)
{
	say(client,
	    (struct wire_msg){ .type = WIRE_T_UNLOCK,
		.unlock = { .rid = rid, .acked = rid - 1, .id = TREE_ROOT, .owner = owner } });
}

static void
await(struct client *client, uint64_t rid, uint64_t owner)
{
	say(client, (struct wire_msg){ .type = WIRE_T_AWAIT,
			.await = { .rid = rid, .id = TREE_ROOT, .owner = owner } });
}

/* What the client has said has been heard, and what there is to say to it has been said. */
static void
round_trip(struct client *client)
{
	struct wire_msg msg = { .type = WIRE_T_GETATTR,
		.getattr = { .rid = 900, .id = TREE_ROOT } };

	say(client, msg);
	UNTIL(client->reply.rid == 900);
	client->reply.rid = 0;
}

static void
test_waiting(void **state)
{
	struct client first, second, third;
	size_t replies;

	(void)state;
	client_open(&first);
	client_open(&second);
	client_open(&third);
	assert_int_equal(lock(&first, 2, 1, WIRE_EXCLUSIVE), ERR_OK);
	await(&first, 70, 1);
	UNTIL(first.reply.rid == 70);
	assert_int_equal(first.reply.code, ERR_OK);
	await(&first, 71, 2);
	UNTIL(first.reply.rid == 71);
	assert_int_equal(first.reply.code, ERR_NONODE);

	assert_int_equal(lock(&second, 2, 1, WIRE_EXCLUSIVE), ERR_AGAIN);
	assert_int_equal(lock(&third, 2, 1, 0), ERR_AGAIN);
	await(&second, 72, 1);
	await(&third, 73, 1);
	await(&third, 74, 1); /* whoever shares the open file waits, too */
	round_trip(&second);
	round_trip(&third);
	assert_int_equal(attend_find(replica, third.session)->nawaits, 2);
	unlock(&first, 4, 1);
	UNTIL(second.reply.rid == 72);
	assert_int_equal(second.reply.code, ERR_OK);
	round_trip(&third);
	assert_int_equal(third.replies, 3); /* its request's and the round trips' */
	unlock(&second, 4, 1);
	UNTIL(third.replies == 5);
	assert_int_equal(third.reply.code, ERR_OK);
	assert_int_equal(attend_find(replica, third.session)->nawaits, 0);

	/* Who leaves the queue is told so, and nobody has the lock for it. */
	assert_int_equal(lock(&first, 6, 1, WIRE_EXCLUSIVE), ERR_AGAIN);
	await(&first, 75, 1);
	round_trip(&first);
	replies = first.replies;
	unlock(&first, 8, 1);
	UNTIL(first.replies == replies + 2);
	unlock(&third, 4, 1);
	UNTIL(third.reply.rid == 4);
	assert_int_equal(lock(&second, 6, 1, WIRE_EXCLUSIVE | WIRE_AT_ONCE), ERR_OK);
	conn_free(first.conn);
	conn_free(second.conn);
	conn_free(third.conn);
}

static void
test_reattached(void **state)
{
	struct client holder, waiter;
	size_t replies;

	(void)state;
	client_open(&holder);
	client_open(&waiter);
	assert_int_equal(lock(&holder, 2, 5, WIRE_EXCLUSIVE), ERR_OK);
	assert_int_equal(lock(&waiter, 2, 5, WIRE_EXCLUSIVE), ERR_AGAIN);
	await(&waiter, 70, 5);
	round_trip(&waiter);
	conn_free(waiter.conn);
	UNTIL(attend_find(replica, waiter.session)->nawaits == 0);
	unlock(&holder, 4, 5);
	UNTIL(holder.reply.rid == 4);
	client_hello(&waiter);
	client_resume(&waiter);
	replies = waiter.replies;
	await(&waiter, 70, 5);
	UNTIL(waiter.replies > replies);
	assert_int_equal(waiter.reply.code, ERR_OK);
	conn_free(holder.conn);
	conn_free(waiter.conn);
}

/* The last word of a session is BYE; its locks go to those behind it. */
static void
test_session_end(void **state)
{
	struct wire_msg close = { .type = WIRE_T_CLOSE };
	struct client holder, waiter;

	(void)state;
	client_open(&holder);
	client_open(&waiter);
	assert_int_equal(lock(&holder, 2, 9, WIRE_EXCLUSIVE), ERR_OK);
	assert_int_equal(lock(&holder, 4, 10, WIRE_EXCLUSIVE), ERR_AGAIN);
	await(&holder, 69, 10);
	assert_int_equal(lock(&waiter, 2, 9, 0), ERR_AGAIN);
	await(&waiter, 70, 9);
	round_trip(&waiter);
	say(&holder, close);
	UNTIL(holder.bye == ERR_OK);
	assert_int_not_equal(holder.reply.rid, 69);
	UNTIL(waiter.reply.rid == 70);
	assert_int_equal(waiter.reply.code, ERR_OK);
	conn_free(holder.conn);
	conn_free(waiter.conn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reattached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_session_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
