/*
 * What modifiers ask of a running replica: held nodes are found by their handle, a sequence's name
 * is told, what is due goes.
 */
#include "tests/unit/replica_harness.h"

/* handle: a held one's, or milliseconds to live. */
static void
create_owned(struct client *client, uint64_t rid, uint64_t parent, const char *name, uint32_t mode,
    uint32_t owner, uint64_t handle)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE,
		.create = { .rid = rid,
		    .acked = rid - 1,
		    .parent = parent,
		    .name = text(name),
		    .mode = mode,
		    .owner = owner,
		    .handle = handle } };
	size_t replies = client->replies;

	conn_send(client->conn, &msg);
	UNTIL(client->replies > replies);
	assert_int_equal(client->reply.code, ERR_OK);
}

static void
find(struct client *client, uint64_t handle, int code, uint64_t node)
{
	struct wire_msg msg = { .type = WIRE_T_FIND, .find = { .rid = 79, .handle = handle } };
	size_t replies = client->replies;

	conn_send(client->conn, &msg);
	UNTIL(client->replies > replies);
	assert_int_equal(client->reply.rid, 79);
	assert_int_equal(client->reply.code, code);
	assert_int_equal(client->node, node);
}

/* What a session's open file holds is told to that session, whatever it is called. */
static void
test_find(void **state)
{
	struct client owner, other;
	uint64_t node, second;

	(void)state;
	client_open(&owner);
	client_open(&other);
	create_owned(&owner, 2, TREE_ROOT, "e", S_IFREG | 0600, WIRE_EPHEMERAL, 0);
	create_owned(&owner, 4, TREE_ROOT, "h", S_IFREG | 0600, WIRE_HELD, 7);
	node = owner.node;
	create_owned(&owner, 6, TREE_ROOT, "i", S_IFREG | 0600, WIRE_HELD, 8);
	second = owner.node;
	find(&owner, 7, ERR_OK, node);
	find(&owner, 8, ERR_OK, second);
	find(&owner, 9, ERR_NONODE, 0);
	find(&owner, 0, ERR_NONODE, 0); /* what is held by none is not held by this one */
	find(&other, 7, ERR_NONODE, 0);
	conn_free(owner.conn);
	conn_free(other.conn);
}

/* Whoever made it is told its name; again when it asks again. */
static void
test_sequence(void **state)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE,
		.create = { .rid = 4,
		    .flags = WIRE_SEQUENCE,
		    .parent = TREE_ROOT,
		    .name = text("job-"),
		    .mode = S_IFREG | 0644 } };
	struct client client;
	uint64_t node;
	int i;

	(void)state;
	client_open(&client);
	create(&client, 2, "first", 0);
	UNTIL(client.replies == 1);
	client.wanted = text("job-0000000001");
	conn_send(client.conn, &msg);
	UNTIL(client.replies == 2);
	node = client.node;
	for (i = 0; i < 2; i++) {
		assert_int_equal(client.reply.code, ERR_OK);
		assert_int_equal(client.node, node);
		assert_true(client.as_wanted);
		conn_send(client.conn, &msg);
		UNTIL(client.replies == 3 + (size_t)i);
	}
	msg.create.rid = 6;
	client.wanted = text("job-0000000002");
	conn_send(client.conn, &msg);
	UNTIL(client.replies == 5);
	assert_true(client.as_wanted);
	conn_free(client.conn);
}

static void
removal(struct client *client, uint64_t rid, uint64_t node)
{
	struct wire_msg msg = { .type = WIRE_T_DELETE,
		.delete = { .rid = rid, .acked = rid - 1, .id = node, .version = -1 } };
	size_t replies = client->replies;

	conn_send(client->conn, &msg);
	UNTIL(client->replies > replies);
	assert_int_equal(client->reply.code, ERR_OK);
}

static bool
exists(const char *name)
{
	return tree_child(replica->tree, TREE_ROOT, text(name)) != NULL;
}

/* The leader removes what is due, and everybody is told. */
static void
test_reap(void **state)
{
	struct client client, watcher;
	uint64_t box, child, node;
	char name[16];
	size_t i;

	(void)state;
	client_open(&client);
	client_open(&watcher);
	create_owned(&client, 2, TREE_ROOT, "box", S_IFDIR | 0755, WIRE_CONTAINER, 0);
	box = client.node;
	create_owned(&client, 4, box, "child", S_IFREG | 0644, WIRE_PERSISTENT, 0);
	child = client.node;
	create_owned(&client, 6, TREE_ROOT, "empty", S_IFDIR | 0755, WIRE_CONTAINER, 0);
	create_owned(&client, 8, TREE_ROOT, "dir", S_IFDIR | 0755, WIRE_TTL, 1);
	node = client.node;
	create_owned(&client, 10, TREE_ROOT, "long", S_IFREG | 0644, WIRE_TTL, 3600000);
	create_owned(&client, 12, TREE_ROOT, "brief", S_IFREG | 0644, WIRE_TTL, 1);
	UNTIL(!exists("brief"));
	UNTIL(!exists("dir"));
	assert_null(tree_node(replica->tree, node));
	UNTIL(watcher.changes == 7); /* five at the root, and two removals */
	removal(&client, 14, child);
	UNTIL(!exists("box"));
	/* More than go with one tick. */
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "n%zu", i);
		create_owned(&client, 16 + 2 * i, TREE_ROOT, name, S_IFREG | 0644, WIRE_TTL, 1500);
	}
	UNTIL(tree_nodes(replica->tree) == 3);
	assert_true(exists("empty") && exists("long"));
	conn_free(client.conn);
	conn_free(watcher.conn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sequence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reap, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
