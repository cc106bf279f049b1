/*
 * Quotas: what counts, what is refused and what never is, against the tree and what is in flight;
 * subtrees that move; what is told of. (Usages beside all that random requests do to them:
 * assert_usage_right; what is in flight: tree_pipeline_test.c; images: tree_recovery_test.c.)
 */
#include "tests/unit/tree_fixture.h"

/* Proposed, not applied: the code. */
static int
ask_ahead(struct fixture *f, struct wire_msg msg)
{
	int code;

	set_rid(&msg, f->rid + 1, f->rid);
	f->rid++;
	assert_int_equal(world_request(f->world, f->session, &msg, &code), PREP_PROPOSE);
	return code;
}

static int
ask(struct fixture *f, struct wire_msg msg)
{
	int code = ask_ahead(f, msg);

	world_apply_all(f->world);
	return code;
}

static struct wire_msg
creation(uint64_t parent, const char *name, uint32_t mode, const char *value)
{
	return (struct wire_msg){ .type = WIRE_T_CREATE,
		.create = { .parent = parent,
		    .name = blob_of(name),
		    .mode = mode,
		    .value = blob_of(value) } };
}

static struct wire_msg
file(uint64_t parent, const char *name, const char *value)
{
	return creation(parent, name, S_IFREG | 0644, value);
}

static struct wire_msg
writing(uint64_t id, uint32_t how, const char *data)
{
	return (struct wire_msg){ .type = WIRE_T_WRITE,
		.write = { .id = id, .how = how, .data = blob_of(data), .version = -1 } };
}

static struct wire_msg
sizing(uint64_t id, uint64_t size)
{
	return (struct wire_msg){ .type = WIRE_T_SETATTR,
		.setattr = { .id = id, .valid = WIRE_SET_SIZE, .size = size, .version = -1 } };
}

static struct wire_msg
deletion(uint64_t id)
{
	return (struct wire_msg){ .type = WIRE_T_DELETE, .delete = { .id = id, .version = -1 } };
}

static struct wire_msg
moving(uint64_t parent, const char *name, uint64_t newparent, const char *newname, uint32_t how)
{
	return (struct wire_msg){ .type = WIRE_T_RENAME,
		.rename = { .parent = parent,
		    .name = blob_of(name),
		    .newparent = newparent,
		    .newname = blob_of(newname),
		    .how = how } };
}

static struct wire_msg
quota(uint64_t id, int64_t nodes, int64_t bytes, uint32_t hard)
{
	return (struct wire_msg){ .type = WIRE_T_QUOTA,
		.quota = { .id = id, .nodes = nodes, .bytes = bytes, .hard = hard } };
}

static uint64_t
child(struct fixture *f, uint64_t parent, const char *name)
{
	const struct znode *node = tree_child(f->world->tree, parent, blob_of(name));

	return node == NULL ? 0 : znode_id(node);
}

static uint64_t
make_dir(struct fixture *f, uint64_t parent, const char *name)
{
	assert_int_equal(ask(f, creation(parent, name, S_IFDIR | 0755, "")), ERR_OK);
	return child(f, parent, name);
}

static uint64_t
make_file(struct fixture *f, uint64_t parent, const char *name, const char *value)
{
	assert_int_equal(ask(f, file(parent, name, value)), ERR_OK);
	return child(f, parent, name);
}

static void
assert_usage(struct fixture *f, uint64_t id, int64_t nodes, int64_t bytes)
{
	struct usage usage;

	znode_usage(tree_node(f->world->tree, id), &usage);
	assert_int_equal(usage.nodes, nodes);
	assert_int_equal(usage.bytes, bytes);
}

static void
test_usage(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), e = make_dir(f, d, "e"),
		 a = make_file(f, e, "a", "12345");

	assert_usage(f, 1, 4, 5);
	assert_usage(f, d, 3, 5);
	assert_usage(f, e, 2, 5);
	assert_usage(f, a, 1, 5);
	/* Its own value counts, too. */
	ask(f, writing(d, WIRE_REPLACE, "123"));
	ask(f, writing(a, WIRE_APPEND, "6"));
	assert_usage(f, d, 3, 9);
	assert_usage(f, e, 2, 6);
	ask(f, sizing(a, 1));
	assert_usage(f, d, 3, 4);
	ask(f, deletion(a));
	assert_usage(f, e, 1, 0);
	ask(f, deletion(e));
	assert_usage(f, 1, 2, 3);
	ask(f, deletion(d));
	assert_usage(f, 1, 1, 0);
}

static void
test_set(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), a = make_file(f, 1, "a", "");
	struct wire_stat before, after;
	struct quota is;

	znode_stat(f->world->tree, tree_node(f->world->tree, d), &before);
	assert_int_equal(ask(f, quota(a, 1, 0, 1)), ERR_NOTDIR);
	assert_int_equal(ask(f, quota(99, 1, 0, 1)), ERR_NONODE);
	assert_int_equal(ask(f, quota(d, -1, 0, 1)), ERR_INVAL);
	assert_int_equal(ask(f, quota(d, 0, -1, 1)), ERR_INVAL);
	assert_int_equal(ask(f, quota(d, 1, 1, 2)), ERR_INVAL);
	assert_false(tree_has_quotas(f->world->tree));
	assert_int_equal(ask(f, quota(d, 10, INT64_MAX, 1)), ERR_OK);
	tree_quota(f->world->tree, d, &is);
	assert_int_equal(is.nodes, 10);
	assert_int_equal(is.bytes, INT64_MAX);
	assert_true(is.hard);
	/* It is nobody's version, and no time. */
	znode_stat(f->world->tree, tree_node(f->world->tree, d), &after);
	assert_memory_equal(&before, &after, sizeof before);
	assert_int_equal(ask(f, quota(d, 0, 0, 1)), ERR_OK);
	assert_false(tree_has_quotas(f->world->tree));
	/* It goes with the directory. */
	assert_int_equal(ask(f, quota(d, 10, 0, 1)), ERR_OK);
	assert_int_equal(ask(f, deletion(d)), ERR_OK);
	assert_false(tree_has_quotas(f->world->tree));
	assert_int_equal(tree_hash(f->world->tree), tree_hash_slow(f->world->tree));
}

static void
test_hard(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), a = make_file(f, d, "a", "12"), e;

	ask(f, quota(d, 3, 6, 1));
	assert_int_equal(ask(f, file(d, "big", "12345")), ERR_QUOTA);
	assert_int_equal(ask(f, writing(a, WIRE_APPEND, "34567")), ERR_QUOTA);
	assert_int_equal(ask(f, sizing(a, 7)), ERR_QUOTA);
	assert_int_equal(ask(f, writing(d, WIRE_AT, "12345")), ERR_QUOTA);
	assert_usage(f, d, 2, 2);
	/* Up to the limit, and not one more. */
	assert_int_equal(ask(f, writing(a, WIRE_APPEND, "3456")), ERR_OK);
	assert_int_equal(ask(f, writing(a, WIRE_APPEND, "7")), ERR_QUOTA);
	assert_int_equal(ask(f, writing(a, WIRE_AT, "654321")), ERR_OK);
	e = make_dir(f, d, "e");
	assert_int_equal(ask(f, file(e, "x", "")), ERR_QUOTA);
	assert_int_equal(ask(f, creation(e, "x", S_IFDIR | 0755, "")), ERR_QUOTA);
	assert_int_equal(ask(f, file(1, "x", "1234567")), ERR_OK);
	/* Other errors come first. */
	assert_int_equal(ask(f, file(d, "a", "")), ERR_EXISTS);
	assert_usage(f, d, 3, 6);
}

static void
test_less_is_never_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), a = make_file(f, d, "a", "123456");
	uint64_t b = make_file(f, d, "b", "12");

	ask(f, quota(d, 1, 1, 1));
	assert_int_equal(ask(f, writing(a, WIRE_REPLACE, "12345")), ERR_OK);
	assert_int_equal(ask(f, sizing(a, 4)), ERR_OK);
	assert_int_equal(ask(f, writing(a, WIRE_AT, "4321")), ERR_OK);
	assert_int_equal(ask(f, moving(d, "a", d, "c", 0)), ERR_OK);
	assert_int_equal(ask(f, moving(d, "c", d, "b", 0)), ERR_OK);
	assert_int_equal(tree_node(f->world->tree, b) == NULL, 1);
	assert_int_equal(ask(f, writing(a, WIRE_APPEND, "5")), ERR_QUOTA);
	assert_int_equal(ask(f, moving(d, "b", 1, "b", 0)), ERR_OK);
	assert_usage(f, d, 1, 0);
	assert_int_equal(ask(f, moving(1, "b", d, "b", 0)), ERR_QUOTA);
	/* Where only one limit is exceeded the other is not in the way. */
	ask(f, quota(d, 5, 1, 1));
	ask(f, writing(d, WIRE_REPLACE, "1"));
	assert_int_equal(ask(f, file(d, "empty", "")), ERR_OK);
	assert_int_equal(ask(f, file(d, "full", "1")), ERR_QUOTA);
}

static void
test_in_flight(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), a = make_file(f, d, "a", "12");

	/* A quota itself, too, and that it is gone again. */
	assert_int_equal(ask_ahead(f, quota(d, 3, 4, 1)), ERR_OK);
	assert_int_equal(ask_ahead(f, file(d, "b", "34")), ERR_OK);
	assert_int_equal(ask_ahead(f, file(d, "c", "")), ERR_QUOTA);
	assert_int_equal(ask_ahead(f, writing(a, WIRE_APPEND, "5")), ERR_QUOTA);
	assert_int_equal(ask_ahead(f, deletion(a)), ERR_OK);
	assert_int_equal(ask_ahead(f, file(d, "c", "12")), ERR_OK);
	assert_int_equal(ask_ahead(f, file(d, "e", "")), ERR_QUOTA);
	assert_int_equal(ask_ahead(f, quota(d, 0, 0, 0)), ERR_OK);
	assert_int_equal(ask_ahead(f, file(d, "e", "12345")), ERR_OK);
	world_apply_all(f->world);
	assert_usage(f, d, 4, 9);
	assert_int_equal(prep_outstanding(f->world->prep), 0);
}

static void
test_nested(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), e = make_dir(f, d, "e"), g = make_dir(f, e, "g");

	ask(f, quota(d, 0, 10, 1));
	ask(f, quota(e, 0, 100, 1));
	ask(f, quota(g, 3, 0, 1));
	assert_int_equal(ask(f, file(g, "a", "12345678")), ERR_OK);
	assert_int_equal(ask(f, file(d, "b", "123")), ERR_QUOTA);
	assert_int_equal(ask(f, file(g, "b", "123")), ERR_QUOTA);
	assert_int_equal(ask(f, file(g, "b", "12")), ERR_OK);
	assert_int_equal(ask(f, file(g, "c", "")), ERR_QUOTA);
	assert_int_equal(ask(f, file(e, "c", "")), ERR_OK);
	/* Outside is outside. */
	assert_int_equal(ask(f, file(1, "c", "123456789")), ERR_OK);
}

/* sub/{x,y} takes 3 nodes and 6 bytes. */
static uint64_t
make_sub(struct fixture *f, uint64_t parent)
{
	uint64_t sub = make_dir(f, parent, "sub");

	make_file(f, sub, "x", "1234");
	make_file(f, sub, "y", "12");
	return sub;
}

static void
test_subtree_moves(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), e = make_dir(f, d, "e"), sub = make_sub(f, 1);

	ask(f, quota(d, 4, 0, 1));
	assert_int_equal(ask(f, moving(1, "sub", e, "sub", 0)), ERR_QUOTA);
	assert_int_equal(znode_parent(tree_node(f->world->tree, sub)), 1);
	/* What failed names no node. */
	assert_int_equal(session_result(tree_session(f->world->tree, f->session), f->rid)->node, 0);
	ask(f, quota(d, 5, 5, 1));
	assert_int_equal(ask(f, moving(1, "sub", e, "sub", 0)), ERR_QUOTA);
	ask(f, quota(d, 5, 6, 1));
	assert_int_equal(ask(f, moving(1, "sub", e, "sub", 0)), ERR_OK);
	assert_usage(f, d, 5, 6);
	assert_usage(f, e, 4, 6);
	/* Within it, its limit is no matter. */
	assert_int_equal(ask(f, moving(e, "sub", d, "sub", 0)), ERR_OK);
	assert_usage(f, e, 1, 0);
	assert_usage(f, d, 5, 6);
	/* In flight: out, and at once something else in. */
	assert_int_equal(ask_ahead(f, moving(d, "sub", 1, "sub", 0)), ERR_OK);
	assert_int_equal(ask_ahead(f, file(sub, "z", "123")), ERR_OK);
	assert_int_equal(ask_ahead(f, file(d, "z", "123456")), ERR_OK);
	assert_int_equal(ask_ahead(f, moving(1, "sub", d, "sub", 0)), ERR_QUOTA);
	world_apply_all(f->world);
	assert_usage(f, d, 3, 6);
	assert_usage(f, sub, 4, 9);
	assert_usage(f, 1, 8, 15);
}

static void
test_replacing_and_exchanging(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), c = make_dir(f, 1, "c"), sub = make_sub(f, c);

	make_file(f, d, "a", "123");
	make_file(f, 1, "a", "12345");
	ask(f, quota(d, 2, 5, 1));
	/* What is replaced makes room. */
	assert_int_equal(ask(f, moving(1, "a", d, "a", 0)), ERR_OK);
	assert_usage(f, d, 2, 5);
	assert_int_equal(ask(f, moving(c, "sub", d, "a", 2)), ERR_QUOTA);
	ask(f, quota(d, 4, 5, 1));
	assert_int_equal(ask(f, moving(c, "sub", d, "a", 2)), ERR_QUOTA);
	/* Both sides of an exchange have to have room. */
	assert_int_equal(ask(f, moving(d, "a", c, "sub", 2)), ERR_QUOTA);
	ask(f, quota(d, 4, 6, 1));
	/* For less there is. */
	ask(f, quota(c, 1, 1, 1));
	assert_int_equal(ask(f, moving(c, "sub", d, "a", 2)), ERR_OK);
	assert_usage(f, d, 4, 6);
	assert_usage(f, c, 2, 5);
	assert_int_equal(znode_parent(tree_node(f->world->tree, sub)), d);
}

static void
test_multi(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d");
	struct wire_msg msg = { .type = WIRE_T_MULTI, .multi = { .root = TREE_ROOT } };
	struct wire_step step = { .kind = WIRE_STEP_CREATE, .mode = S_IFREG | 0644 };
	msgpack_sbuffer packed;

	ask(f, quota(d, 2, 0, 1));
	msgpack_sbuffer_init(&packed);
	step.path = blob_of("d/a");
	wire_step_pack(&packed, &step);
	step.path = blob_of("d/b");
	wire_step_pack(&packed, &step);
	msg.multi.steps = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	assert_int_equal(ask(f, msg), ERR_QUOTA);
	assert_int_equal(child(f, d, "a"), 0);
	/* Nothing of it counts. */
	assert_int_equal(ask_ahead(f, msg), ERR_QUOTA);
	assert_int_equal(ask_ahead(f, file(d, "c", "")), ERR_OK);
	ask_ahead(f, quota(d, 4, 0, 1));
	assert_int_equal(ask_ahead(f, msg), ERR_OK);
	assert_int_equal(ask_ahead(f, file(d, "x", "")), ERR_QUOTA);
	world_apply_all(f->world);
	assert_usage(f, d, 4, 0);
	msgpack_sbuffer_destroy(&packed);
}

/* The ids that the last transaction has brought above their quota. */
static void
assert_exceeded(struct fixture *f, uint64_t first, uint64_t second)
{
	uint64_t id = 0;

	if (first != 0) {
		assert_true(tree_next_exceeded(f->world->tree, id, &id));
		assert_int_equal(id, first);
	}
	if (second != 0) {
		assert_true(tree_next_exceeded(f->world->tree, id, &id));
		assert_int_equal(id, second);
	}
	assert_false(tree_next_exceeded(f->world->tree, id, &id));
}

static void
test_soft(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), e = make_dir(f, d, "e"), a;

	ask(f, quota(d, 3, 0, 0));
	ask(f, quota(e, 0, 4, 0));
	a = make_file(f, e, "a", "1234");
	assert_exceeded(f, 0, 0);
	assert_int_equal(ask(f, file(e, "b", "5")), ERR_OK);
	assert_exceeded(f, d, e);
	/* Once: it is above already. */
	assert_int_equal(ask(f, file(e, "c", "5")), ERR_OK);
	assert_exceeded(f, 0, 0);
	assert_int_equal(ask(f, writing(a, WIRE_REPLACE, "")), ERR_OK);
	assert_int_equal(ask(f, writing(a, WIRE_REPLACE, "123")), ERR_OK);
	assert_exceeded(f, e, 0);
	/* A directory's own value. */
	assert_int_equal(ask(f, writing(a, WIRE_REPLACE, "")), ERR_OK);
	assert_int_equal(ask(f, writing(e, WIRE_REPLACE, "123")), ERR_OK);
	assert_exceeded(f, e, 0);
}

static void
test_session_end_and_reaping(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d");
	struct wire_msg msg = file(d, "mine", "12");

	ask(f, quota(d, 3, 4, 1));
	msg.create.owner = WIRE_EPHEMERAL;
	assert_int_equal(ask(f, msg), ERR_OK);
	msg = file(d, "brief", "34");
	msg.create.owner = WIRE_TTL;
	msg.create.handle = 1;
	assert_int_equal(ask(f, msg), ERR_OK);
	assert_int_equal(ask(f, file(d, "more", "")), ERR_QUOTA);
	assert_true(world_reap(f->world, child(f, d, "brief")));
	assert_int_equal(ask(f, file(d, "more", "1")), ERR_OK);
	assert_usage(f, d, 3, 3);
	assert_true(world_close(f->world, f->session, false));
	world_apply_all(f->world);
	assert_usage(f, d, 2, 1);
}

/* A history that no request processor makes: a directory below itself. */
static void
test_below_itself(void **state)
{
	struct fixture *f = *state;
	uint64_t d = make_dir(f, 1, "d"), e = make_dir(f, d, "e");
	struct txn_op op = { .type = TXN_RENAME,
		.rename = { .id = d,
		    .parent = 1,
		    .name = blob_of("d"),
		    .mode = S_IFDIR,
		    .parent2 = e,
		    .name2 = blob_of("f") } };
	struct txn txn = { .zxid = f->world->zxid, .nops = 1, .ops = &op };

	tree_apply(f->world->tree, &txn);
	assert_false(tree_fits(f->world->tree));
	/* In recovery it is what comes of it that counts. */
	tree_recovery_begin(f->world->tree);
	assert_false(tree_recovery_end(f->world->tree));
}

static void
test_a_ring_is_not_whole(void **state)
{
	struct tree *tree = tree_new();
	struct store_node row = { .id = 1, .mode = S_IFDIR | 0755 };

	(void)state;
	tree_recovery_begin(tree);
	assert_int_equal(image_load_node(tree, &row), 0);
	row = (struct store_node){ .id = 2, .parent = 3, .mode = S_IFDIR, .name = blob_of("a") };
	assert_int_equal(image_load_node(tree, &row), 0);
	row = (struct store_node){ .id = 3, .parent = 2, .mode = S_IFDIR, .name = blob_of("b") };
	assert_int_equal(image_load_node(tree, &row), 0);
	image_load_done(tree, 5, 4);
	assert_false(tree_recovery_end(tree));
	tree_free(tree);
}

int
main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_usage),
		TEST(test_set),
		TEST(test_hard),
		TEST(test_less_is_never_refused),
		TEST(test_in_flight),
		TEST(test_nested),
		TEST(test_subtree_moves),
		TEST(test_replacing_and_exchanging),
		TEST(test_multi),
		TEST(test_soft),
		TEST(test_session_end_and_reaping),
		TEST(test_below_itself),
		cmocka_unit_test(test_a_ring_is_not_whole),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
