/*
 * So many readers of events on one mount that what there is to tell them is more than a mount may
 * leave unread: they are put off, ask again, and are told all; nobody is dropped.
 */
#include "tests/unit/replica_harness.h"

#define READERS 1000
#define DEPTH 100 /* directories, of names of 1000 bytes in a line */

static struct client client, reader;
static uint64_t rid, top, sub;

static void
made(uint64_t parent, const char *name, uint32_t mode)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE,
		.create = { .rid = ++rid, .parent = parent, .name = text(name), .mode = mode } };
	size_t replies = client.replies;

	conn_send(client.conn, &msg);
	UNTIL(client.replies > replies);
	assert_int_equal(client.reply.code, ERR_OK);
}

static int
setup_deep(void **state)
{
	char name[251] = { 0 };
	uint32_t i;

	if (setup(state) != 0)
		return -1;
	client_open(&client);
	client_open(&reader);
	rid = 0;
	memset(name, 1, sizeof name - 1);
	made(TREE_ROOT, "top", S_IFDIR | 0755);
	top = sub = client.node;
	for (i = 0; i < DEPTH; i++) {
		made(sub, name, S_IFDIR | 0755);
		sub = client.node;
	}
	return 0;
}

static int
teardown_deep(void **state)
{
	conn_free(client.conn);
	conn_free(reader.conn);
	return teardown(state);
}

static void
ask(uint64_t after, uint64_t stream)
{
	struct wire_msg msg = { .type = WIRE_T_EVENTS,
		.events = { .rid = 100 + stream,
		    .root = TREE_ROOT,
		    .dir = top,
		    .after = after,
		    .stream = stream } };

	conn_send(reader.conn, &msg);
}

/* So many have an answer since `replies`, with a line or without. */
static void
answered(size_t replies, size_t n)
{
	UNTIL(reader.replies == replies + n || reader.closed);
	assert_false(reader.closed);
	assert_int_equal(reader.reply.code, ERR_OK);
}

/* Who was put off is told by and by. */
static void
all_told(uint64_t after)
{
	size_t left, replies, i;

	assert_in_range(reader.lines, 1, READERS - 1);
	while (reader.lines < READERS) {
		left = READERS - reader.lines;
		replies = reader.replies;
		for (i = 0; i < left; i++)
			ask(after, i);
		answered(replies, left);
	}
	assert_int_equal(reader.lines, READERS);
	assert_int_equal(reader.reply.zxid, client.reply.zxid);
}

static void
test_behind(void **state)
{
	uint64_t begun = client.reply.zxid, i;

	(void)state;
	made(sub, "f", S_IFREG | 0644);
	for (i = 0; i < READERS; i++)
		ask(begun, i);
	answered(0, READERS);
	assert_int_equal(reader.reply.zxid, begun); /* the last one's: nothing was told */
	all_told(begun);
}

static void
test_waiting(void **state)
{
	uint64_t begun = client.reply.zxid, i;

	(void)state;
	for (i = 0; i < READERS; i++)
		ask(begun, i);
	UNTIL(replica->nevent_waits == READERS);
	made(sub, "f", S_IFREG | 0644);
	answered(0, READERS);
	assert_int_equal(replica->nevent_waits, 0);
	all_told(begun);
}

/*
 * Who asks from where nothing has been yet waits all the same: an answer that says how far he is
 * would have the mount take it for what it has seen, and the changes up to there for old ones.
 */
static void
test_ahead(void **state)
{
	uint64_t begun = client.reply.zxid, i;

	(void)state;
	made(sub, "f", S_IFREG | 0644);
	for (i = 0; i < READERS; i++)
		ask(begun, i);
	ask(begun + 1000, READERS);
	UNTIL(replica->nevent_waits == 1 || reader.replies > READERS);
	answered(0, READERS);
	assert_int_equal(replica->nevent_waits, 1);
	assert_in_range(reader.reply.zxid, begun, client.reply.zxid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_behind, setup_deep, teardown_deep),
		cmocka_unit_test_setup_teardown(test_waiting, setup_deep, teardown_deep),
		cmocka_unit_test_setup_teardown(test_ahead, setup_deep, teardown_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
