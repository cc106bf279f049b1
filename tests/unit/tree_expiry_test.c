/*
 * Nodes that go by themselves: when they are due, what puts it off, and that the leader leaves
 * alone what something in flight concerns. (The index beside all that random requests do to it:
 * assert_due_right.)
 */
#include "tests/unit/tree_fixture.h"

#define MS 1000000

/* Proposed, not applied; the world's clock stands at ms. */
static void
ask_at(struct fixture *fixture, int64_t ms, struct wire_msg msg)
{
	int code;

	fixture->world->time_ns = ms * MS;
	set_rid(&msg, fixture->rid + 1, fixture->rid);
	fixture->rid++;
	assert_int_equal(
	    world_request(fixture->world, fixture->session, &msg, &code), PREP_PROPOSE);
	assert_int_equal(code, 0);
}

static void
ask(struct fixture *fixture, int64_t ms, struct wire_msg msg)
{
	ask_at(fixture, ms, msg);
	world_apply_all(fixture->world);
}

static struct wire_msg
creation(uint64_t parent, const char *name, uint32_t mode, uint32_t owner, uint64_t ttl_ms)
{
	return (struct wire_msg){ .type = WIRE_T_CREATE,
		.create = { .parent = parent,
		    .name = blob_of(name),
		    .mode = mode,
		    .owner = owner,
		    .handle = ttl_ms } };
}

static uint64_t
make(struct fixture *f, int64_t ms, uint64_t parent, const char *name, uint32_t mode, uint64_t ttl)
{
	ask(f, ms, creation(parent, name, mode, ttl == 0 ? WIRE_PERSISTENT : WIRE_TTL, ttl));
	return znode_id(tree_child(f->world->tree, parent, blob_of(name)));
}

static uint64_t
make_container(struct fixture *f, int64_t ms, const char *name)
{
	ask(f, ms, creation(TREE_ROOT, name, S_IFDIR | 0755, WIRE_CONTAINER, 0));
	return znode_id(tree_child(f->world->tree, TREE_ROOT, blob_of(name)));
}

static struct wire_msg
deletion(uint64_t id)
{
	return (struct wire_msg){ .type = WIRE_T_DELETE, .delete = { .id = id, .version = -1 } };
}

static struct wire_msg
change(uint64_t id, uint32_t valid)
{
	return (struct wire_msg){ .type = WIRE_T_SETATTR,
		.setattr = { .id = id, .valid = valid, .mode = 0600, .size = 2, .version = -1 } };
}

static struct wire_msg
writing(uint64_t id)
{
	return (struct wire_msg){ .type = WIRE_T_WRITE,
		.write = { .id = id, .data = blob_of("v"), .version = -1 } };
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

/* Of this tree the node is due at ms, and not a nanosecond before. */
static void
assert_due_at(struct fixture *f, uint64_t id, int64_t ms)
{
	struct tree_due at = { 0 };
	bool found = false;

	while (tree_next_due(f->world->tree, ms * MS - 1, &at))
		assert_int_not_equal(at.id, id);
	at = (struct tree_due){ 0 };
	while (tree_next_due(f->world->tree, ms * MS, &at))
		found |= at.id == id;
	assert_true(found);
}

static void
assert_never_due(struct fixture *f, uint64_t id)
{
	struct tree_due at = { 0 };

	while (tree_next_due(f->world->tree, INT64_MAX, &at))
		assert_int_not_equal(at.id, id);
}

static void
test_order(void **state)
{
	struct fixture *f = *state;
	const struct tree *tree = f->world->tree;
	uint64_t late = make(f, 10, 1, "late", S_IFREG | 0644, 500);
	uint64_t soon = make(f, 20, 1, "soon", S_IFREG | 0644, 100);
	uint64_t first = make(f, 30, 1, "first", S_IFREG | 0644, 70);
	uint64_t second = make(f, 30, 1, "second", S_IFREG | 0644, 70);
	uint64_t ever = make(f, 30, 1, "ever", S_IFREG | 0644, WIRE_TTL_MAX);
	struct tree_due at = { 0 };

	make(f, 30, 1, "plain", S_IFREG | 0644, 0);
	assert_false(tree_next_due(tree, 100 * MS - 1, &at));
	assert_true(tree_next_due(tree, 120 * MS, &at));
	assert_int_equal(at.id, first);
	assert_int_equal(at.deadline_ns, 100 * MS);
	/* Of the same moment by number; what goes while they are asked for does not matter. */
	ask(f, 100, deletion(first));
	assert_true(tree_next_due(tree, 120 * MS, &at));
	assert_int_equal(at.id, second);
	ask(f, 100, deletion(second));
	assert_true(tree_next_due(tree, 120 * MS, &at));
	assert_int_equal(at.id, soon);
	assert_false(tree_next_due(tree, 120 * MS, &at));
	assert_int_equal(at.id, soon);
	assert_true(tree_next_due(tree, 510 * MS, &at));
	assert_int_equal(at.id, late);
	assert_false(tree_next_due(tree, 510 * MS, &at));
	assert_due_at(f, ever, 30 + (int64_t)WIRE_TTL_MAX);
}

/* It lives so long from the last change of its value, or a touch(1); not from others. */
static void
test_put_off(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make(f, 10, 1, "a", S_IFREG | 0644, 50);

	assert_due_at(f, id, 60);
	ask(f, 20, writing(id));
	assert_due_at(f, id, 70);
	ask(f, 30, change(id, WIRE_SET_MODE | WIRE_SET_GID));
	assert_due_at(f, id, 70);
	ask(f, 40, change(id, WIRE_SET_MTIME));
	assert_due_at(f, id, 90);
	ask(f, 50, change(id, WIRE_SET_SIZE));
	assert_due_at(f, id, 100);
	ask(f, 60, moving(1, "a", 1, "b", 0));
	assert_due_at(f, id, 100);
	ask(f, 70, moving(1, "b", make(f, 65, 1, "d", S_IFDIR | 0755, 0), "c", 0));
	assert_due_at(f, id, 100);
}

/* A directory waits for its children to go, and then so long. */
static void
test_directory(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, 10, 1, "dir", S_IFDIR | 0755, 50), child;

	assert_due_at(f, dir, 60);
	child = make(f, 20, dir, "child", S_IFREG | 0644, 10);
	assert_never_due(f, dir);
	assert_due_at(f, child, 30);
	ask(f, 25, writing(dir));
	assert_never_due(f, dir);
	f->world->time_ns = 500 * MS;
	assert_true(world_reap(f->world, child));
	world_apply_all(f->world);
	assert_due_at(f, dir, 550);
	/* Its own value is not what it is there for. */
	ask(f, 510, writing(dir));
	assert_due_at(f, dir, 550);
	ask(f, 520, change(dir, WIRE_SET_MTIME));
	assert_due_at(f, dir, 570);
}

/* A container goes as soon as the last child has gone. */
static void
test_container(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_container(f, 10, "box"), other = make_container(f, 10, "other"), a, b;

	assert_never_due(f, box);
	ask(f, 15, change(box, WIRE_SET_MTIME));
	ask(f, 15, writing(box));
	assert_never_due(f, box);
	a = make(f, 20, box, "a", S_IFREG | 0644, 0);
	b = make(f, 20, box, "b", S_IFREG | 0644, 0);
	assert_never_due(f, box);
	ask(f, 30, deletion(a));
	assert_never_due(f, box);
	/* Moved away is gone, too; who gets it waits for it. */
	ask(f, 40, moving(box, "b", other, "b", 0));
	assert_due_at(f, box, 40);
	assert_never_due(f, other);
	ask(f, 50, moving(other, "b", box, "b", 0));
	assert_never_due(f, box);
	assert_due_at(f, other, 50);
	ask(f, 60, deletion(b));
	assert_due_at(f, box, 60);
	/* A container in a container. */
	ask(f, 70, moving(TREE_ROOT, "box", other, "box", 0));
	assert_due_at(f, box, 60);
	assert_never_due(f, other);
	f->world->time_ns = 80 * MS;
	assert_true(world_reap(f->world, box));
	world_apply_all(f->world);
	assert_due_at(f, other, 80);
}

static void
test_replaced(void **state)
{
	struct fixture *f = *state;
	uint64_t brief = make(f, 10, 1, "brief", S_IFREG | 0644, 50);
	uint64_t dir = make(f, 10, 1, "dir", S_IFDIR | 0755, 50);
	uint64_t box = make_container(f, 10, "box"), child;

	make(f, 20, 1, "plain", S_IFREG | 0644, 0);
	child = make(f, 20, box, "child", S_IFREG | 0644, 90);
	/* What lives for a while lives on under another's name; the other is gone. */
	ask(f, 30, moving(1, "plain", 1, "brief", 0));
	assert_never_due(f, brief);
	assert_null(tree_node(f->world->tree, brief));
	ask(f, 40, moving(box, "child", 1, "dir", 2));
	assert_due_at(f, child, 110);
	assert_due_at(f, dir, 60);
	assert_never_due(f, box);
	ask(f, 50, deletion(dir));
	assert_due_at(f, box, 50);
}

/* The transaction is nobody's request, and removes one node. */
static void
test_reap(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make(f, 10, 1, "a", S_IFREG | 0644, 50);
	struct wire_stat stat;
	struct txn txn;

	f->world->time_ns = 60 * MS;
	assert_true(prep_reap(
	    f->world->prep, f->world->zxid, f->world->time_ns, id, &f->world->zone, &txn));
	assert_int_equal(txn.head.session, 0);
	assert_int_equal(txn.head.rid, 0);
	assert_int_equal(txn.head.code, 0);
	assert_int_equal(txn.head.time_ns, 60 * MS);
	assert_int_equal(txn.nops, 1);
	assert_int_equal(txn.ops[0].type, TXN_DELETE);
	assert_int_equal(txn.ops[0].delete.id, id);
	world_propose(f->world, &txn);
	/* Once. */
	assert_false(world_reap(f->world, id));
	world_apply_all(f->world);
	assert_false(world_reap(f->world, id));
	assert_null(tree_node(f->world->tree, id));
	znode_stat(f->world->tree, tree_node(f->world->tree, TREE_ROOT), &stat);
	assert_int_equal(stat.cversion, 2);
	assert_int_equal(stat.mtime_ns, 60 * MS);
	assert_int_equal(tree_nodes(f->world->tree), 1);
}

/* Proposed, a request stands in the way until it is applied. */
static void
assert_in_the_way(struct fixture *f, uint64_t id, struct wire_msg msg)
{
	ask_at(f, 100, msg);
	assert_false(world_reap(f->world, id));
	world_apply_all(f->world);
}

static void
test_in_flight(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make(f, 10, 1, "a", S_IFREG | 0644, 50), box = make_container(f, 10, "box");
	uint64_t child = make(f, 20, box, "child", S_IFREG | 0644, 0);

	assert_in_the_way(f, id, writing(id));
	assert_in_the_way(f, id, change(id, WIRE_SET_MTIME));
	assert_in_the_way(f, id, moving(1, "a", 1, "b", 0));
	assert_in_the_way(f, id, moving(1, "b", box, "b", 0));
	assert_in_the_way(f, id, deletion(id));
	ask(f, 110, deletion(child));
	assert_due_at(f, box, 110);
	assert_in_the_way(f, box, creation(box, "new", S_IFREG | 0644, WIRE_PERSISTENT, 0));
	assert_never_due(f, box);
	ask(f, 120, deletion(znode_id(tree_child(f->world->tree, box, blob_of("new")))));
	make(f, 120, 1, "c", S_IFREG | 0644, 0);
	assert_in_the_way(f, box, moving(1, "c", box, "c", 0));
	ask(f, 130, moving(box, "c", 1, "c", 0));
	/* What happens beside it is no matter; and a proposal that is void is none. */
	ask_at(f, 140, creation(1, "d", S_IFREG | 0644, WIRE_PERSISTENT, 0));
	ask_at(f, 140, creation(box, "e", S_IFREG | 0644, WIRE_PERSISTENT, 0));
	assert_false(world_reap(f->world, box));
	prep_reset(f->world->prep);
	msgpack_sbuffer_destroy(&f->world->rows[--f->world->nrows].payload);
	msgpack_sbuffer_destroy(&f->world->rows[--f->world->nrows].payload);
	ask_at(f, 140, creation(1, "d", S_IFREG | 0644, WIRE_PERSISTENT, 0));
	assert_true(world_reap(f->world, box));
	world_apply_all(f->world);
	assert_null(tree_node(f->world->tree, box));
}

/* Whoever asks for what is going, behind it, finds it gone. */
static void
test_behind(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_container(f, 10, "box"), child;
	struct wire_msg msg;
	int code;

	child = make(f, 20, box, "child", S_IFREG | 0644, 0);
	ask(f, 30, deletion(child));
	assert_true(world_reap(f->world, box));
	msg = creation(box, "late", S_IFREG | 0644, WIRE_PERSISTENT, 0);
	set_rid(&msg, ++f->rid, 0);
	assert_int_equal(world_request(f->world, f->session, &msg, &code), PREP_PROPOSE);
	assert_int_equal(code, ERR_NONODE);
	ask_at(f, 40, creation(TREE_ROOT, "box", S_IFDIR | 0755, WIRE_CONTAINER, 0));
	world_apply_all(f->world);
	assert_null(tree_node(f->world->tree, box));
	assert_non_null(tree_child(f->world->tree, TREE_ROOT, blob_of("box")));
}

#define RULES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RULES(test_order),
		RULES(test_put_off),
		RULES(test_directory),
		RULES(test_container),
		RULES(test_replaced),
		RULES(test_reap),
		RULES(test_in_flight),
		RULES(test_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
