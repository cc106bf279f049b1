/*
 * MULTI, prepared: paths, rights, each step over those before it, and nothing left of one that
 * fails: neither in what is in flight nor of the ids. What its row is answered with.
 */
#include "tests/unit/tree_world.h"

#include <stdio.h>

#define USER 1000

static struct world *world;
static uint64_t session, rid;
static msgpack_sbuffer packed;
static struct wire_multi who; /* who asks: uid, gid, groups, root */
static msgpack_zone zone;
static struct txn txn; /* the last one */

static int
setup(void **state)
{
	(void)state;
	world = world_new();
	session = world_open(world);
	world_apply_all(world);
	rid = 0;
	who = (struct wire_multi){ .root = TREE_ROOT };
	msgpack_sbuffer_init(&packed);
	assert_true(msgpack_zone_init(&zone, 4096));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	world_free(world);
	msgpack_sbuffer_destroy(&packed);
	msgpack_zone_destroy(&zone);
	return 0;
}

static void
as(uint32_t uid, uint32_t gid)
{
	who.uid = uid;
	who.gid = gid;
	who.groups = (struct blob){ NULL, 0 };
}

static void
step(struct wire_step step_, const char *path)
{
	step_.path = blob_of(path);
	wire_step_pack(&packed, &step_);
}

static void
create(const char *path, uint32_t mode)
{
	step(
	    (struct wire_step){
		.kind = WIRE_STEP_CREATE, .mode = mode, .version = -1, .value = blob_of("v") },
	    path);
}

static void
create_owned(const char *path, uint32_t mode, uint32_t flags, uint32_t owner, uint64_t handle)
{
	step((struct wire_step){ .kind = WIRE_STEP_CREATE,
		 .mode = mode,
		 .flags = flags,
		 .owner = owner,
		 .handle = handle },
	    path);
}

static void
set(const char *path, const char *value, int64_t version)
{
	step(
	    (struct wire_step){
		.kind = WIRE_STEP_SET, .value = blob_of(value), .version = version },
	    path);
}

static void
delete_(const char *path, int64_t version)
{
	step((struct wire_step){ .kind = WIRE_STEP_DELETE, .version = version }, path);
}

static void
check(const char *path, int64_t version)
{
	step((struct wire_step){ .kind = WIRE_STEP_CHECK, .version = version }, path);
}

/* The last row. */
static void
look(void)
{
	const struct row *row = &world->rows[world->nrows - 1];
	struct blob in = { (const uint8_t *)row->payload.data, (uint32_t)row->payload.size };

	msgpack_zone_clear(&zone);
	assert_int_equal(txn_unpack(in, row->zxid, &zone, &txn), 0);
}

/* All steps so far, proposed and not applied. The code. */
static int
run(void)
{
	struct wire_msg msg = { .type = WIRE_T_MULTI, .multi = who };
	int code;

	msg.multi.steps = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	rid++;
	set_rid(&msg, rid, rid - 1);
	assert_int_equal(world_request(world, session, &msg, &code), PREP_PROPOSE);
	msgpack_sbuffer_clear(&packed);
	look();
	assert_true((txn.head.flags & TXN_MULTI) != 0);
	assert_int_equal(txn.head.code, code);
	if (code != 0)
		assert_int_equal(txn.nops, 0);
	return code;
}

static void
done(void)
{
	assert_int_equal(run(), 0);
	assert_int_equal(txn.head.result_id, 0);
}

/* It fails, by its nth step. */
static void
fails(int code, uint32_t n)
{
	size_t before = prep_outstanding(world->prep);

	assert_int_equal(run(), code);
	assert_int_equal(txn.head.result_id, n);
	/* The row itself, nothing else. */
	assert_int_equal(prep_outstanding(world->prep), before + 1);
}

/* The node at a path of one name or two, applied; NULL: none. */
static const struct znode *
node(const char *dir, const char *name)
{
	const struct znode *at;

	world_apply_all(world);
	at = dir == NULL ? tree_node(world->tree, TREE_ROOT)
			 : tree_child(world->tree, TREE_ROOT, blob_of(dir));
	return at == NULL ? NULL : tree_child(world->tree, znode_id(at), blob_of(name));
}

static void
value_is(const char *dir, const char *name, const char *value)
{
	assert_non_null(node(dir, name));
	assert_same_blob(znode_value(node(dir, name)), blob_of(value));
}

#define REG (S_IFREG | 0644)
#define DIR (S_IFDIR | 0755)

/* Each sees what those before it have done. */
static void
test_steps_over_steps(void **state)
{
	struct wire_stat stat;

	(void)state;
	create("/d", DIR);
	create("/d/a", REG);
	check("/d/a", 0);
	set("/d/a", "two", 0);
	set("/d/a", "three", 1);
	check("/d/a", 2);
	create("/d/gone", REG);
	delete_("/d/gone", 0);
	check("/d/gone", WIRE_ABSENT);
	create("/d/gone", DIR);
	delete_("/d/gone", -1);
	done();
	assert_int_equal(txn.nops, 8);
	value_is("d", "a", "three");
	znode_stat(world->tree, node("d", "a"), &stat);
	assert_int_equal(stat.version, 2);
	assert_null(node("d", "gone"));
	znode_stat(world->tree, node(NULL, "d"), &stat);
	assert_int_equal(stat.children, 1);
	assert_int_equal(stat.cversion, 5);
	/* And over what is in flight. */
	create("/e", DIR);
	done();
	create("/e/x", REG);
	done();
	delete_("/e/x", -1);
	delete_("/e", -1);
	done();
	assert_null(node(NULL, "e"));
}

static void
test_nothing_of_a_failure(void **state)
{
	uint64_t hash, next;

	(void)state;
	create("/d", DIR);
	create("/d/a", REG);
	done();
	world_apply_all(world);
	hash = tree_hash(world->tree);
	next = tree_next_id(world->tree);
	create("/d/b", REG);
	set("/d/a", "x", -1);
	delete_("/d/a", -1);
	create("/d/c", DIR);
	create_owned("/d/e", REG, 0, WIRE_EPHEMERAL, 0);
	delete_("/d", -1);
	fails(ERR_NOTEMPTY, 6);
	create("/d/b", REG);
	create("/d/b", REG);
	fails(ERR_EXISTS, 2);
	set("/d/a", "x", 1);
	fails(ERR_BADVERSION, 1);
	/* In flight as in the tree: what failed was never there, nor its ids. */
	create("/d/b", REG);
	done();
	assert_int_equal(txn.ops[0].create.id, next);
	create("/d/c", REG);
	create("/d/d", REG);
	done();
	assert_int_equal(txn.ops[0].create.id, next + 1);
	assert_int_equal(txn.ops[1].create.id, next + 2);
	value_is("d", "a", "v");
	assert_null(node("d", "e"));
	assert_true(tree_hash(world->tree) != hash);
	assert_int_equal(tree_next_id(world->tree), next + 3);
	assert_int_equal(prep_outstanding(world->prep), 0);
}

static void
test_paths(void **state)
{
	char longest[258];

	(void)state;
	memset(longest, 'x', 257);
	longest[0] = '/';
	create("d", DIR);
	create("//d///a/", REG);
	create("/d/s", DIR);
	create("d/s/deep", REG);
	done();
	assert_non_null(node("d", "a"));
	check("/", -1);
	check("", -1);
	check("/d/", 0);
	done();
	set("/", "root's", -1);
	done();
	check("/d/x", -1);
	fails(ERR_NONODE, 1);
	check("/x/y/z", -1);
	fails(ERR_NONODE, 1);
	check("/d/a/x", -1);
	fails(ERR_NOTDIR, 1);
	check("/d/a/x", WIRE_ABSENT);
	fails(ERR_NOTDIR, 1);
	check("/x/y/z", WIRE_ABSENT);
	done();
	check("/d", WIRE_ABSENT);
	fails(ERR_EXISTS, 1);
	check("/d/../d", -1);
	fails(ERR_INVAL, 1);
	check("/./d", -1);
	fails(ERR_INVAL, 1);
	create("/d/.zab", REG);
	fails(ERR_INVAL, 1);
	longest[257] = '\0';
	create(longest, REG);
	fails(ERR_NAMETOOLONG, 1);
	create("/", DIR);
	fails(ERR_EXISTS, 1);
	delete_("/", -1);
	fails(ERR_PERM, 1);
	create("/x/y", REG);
	fails(ERR_NONODE, 1);
	/* From another node than the root. */
	who.root = znode_id(node(NULL, "d"));
	check("/s/deep", 0);
	set("", "d's", -1);
	done();
	create("/", DIR);
	fails(ERR_EXISTS, 1);
	delete_("/", -1);
	fails(ERR_PERM, 1);
	who.root = znode_id(node("d", "a"));
	check("x", -1);
	fails(ERR_NOTDIR, 1);
	who.root = 4000;
	check("x", -1);
	fails(ERR_NONODE, 1);
	assert_int_equal(tree_nodes(world->tree), 5);
}

static void
test_kinds(void **state)
{
	(void)state;
	create_owned("/fifo", S_IFIFO | 0644, 0, 0, 0);
	fails(ERR_PERM, 1);
	create_owned("/held", REG, 0, WIRE_HELD, 5);
	fails(ERR_INVAL, 1);
	create_owned("/e", DIR, 0, WIRE_EPHEMERAL, 0);
	fails(ERR_INVAL, 1);
	create_owned("/t", REG, 0, WIRE_TTL, WIRE_TTL_MAX + 1);
	fails(ERR_INVAL, 1);
	create_owned("/o", REG, 0, 77, 0);
	fails(ERR_INVAL, 1);
	create_owned("/box", DIR, 0, WIRE_CONTAINER, 0);
	create_owned("/box/job-", REG, WIRE_SEQUENCE, WIRE_EPHEMERAL, 0);
	create_owned("/box/job-", REG, WIRE_SEQUENCE, 0, 0);
	create_owned("/t", REG, 0, WIRE_TTL, 5);
	done();
	assert_non_null(node("box", "job-0000000000"));
	assert_non_null(node("box", "job-0000000001"));
	step((struct wire_step){ .kind = 9 }, "/x");
	fails(ERR_PROTO, 1);
	set("/t", "more than there is room for, which is 48 bytes here.", -1);
	fails(ERR_FBIG, 1);
	check("/t", -1);
	msgpack_sbuffer_write(&packed, "rubbish", 7);
	fails(ERR_PROTO, 2);
	/* None at all is a transaction that does nothing. */
	done();
	assert_int_equal(txn.nops, 0);
}

/* As path_resolution(7) has it. */
static void
test_rights(void **state)
{
	(void)state;
	create("/open", S_IFDIR | 0777);
	create("/shut", S_IFDIR | 0700);
	create("/shut/x", REG);
	create("/seen", S_IFDIR | 0755);
	create("/seen/x", S_IFREG | 0644);
	create("/blind", S_IFDIR | 0776);
	create("/blind/x", REG);
	create("/open/w", S_IFREG | 0662);
	done();
	as(USER, USER);
	create("/open/mine", S_IFREG | 0400);
	done();
	assert_int_equal(txn.ops[0].create.uid, USER);
	assert_int_equal(txn.ops[0].create.gid, USER);
	check("/seen/x", 0);
	set("/open/w", "1", -1);
	delete_("/open/w", 1);
	done();
	set("/open/mine", "2", -1);
	fails(ERR_ACCES, 1);
	check("/shut/x", -1);
	fails(ERR_ACCES, 1);
	/* Nor is he told whether it is there. */
	check("/shut/y", WIRE_ABSENT);
	fails(ERR_ACCES, 1);
	check("/blind/x", -1);
	fails(ERR_ACCES, 1);
	check("/seen/x", 0);
	set("/seen/x", "3", -1);
	fails(ERR_ACCES, 2);
	delete_("/seen/x", -1);
	fails(ERR_ACCES, 1);
	create("/seen/y", REG);
	fails(ERR_ACCES, 1);
	/* Of what an earlier step made, too. */
	create("/open/new", S_IFDIR | 0500);
	create("/open/new/x", REG);
	fails(ERR_ACCES, 2);
	as(0, 0);
	set("/open/mine", "root's", -1);
	set("/shut/x", "root's", -1);
	done();
}

static void
test_groups(void **state)
{
	static const uint8_t groups[] = { 7, 0, 0, 0, 0xe9, 3, 0, 0 }; /* 7, 1001 */

	(void)state;
	as(USER, 1001);
	who.uid = 0;
	create("/g", S_IFDIR | 0770);
	create("/g/x", S_IFREG | 0664);
	create("/g/o", S_IFREG | 0646);
	done();
	assert_int_equal(txn.ops[0].create.gid, 1001);
	as(USER, USER);
	check("/g/x", -1);
	fails(ERR_ACCES, 1);
	who.groups = (struct blob){ groups, 4 };
	check("/g/x", -1);
	fails(ERR_ACCES, 1);
	who.groups = (struct blob){ groups, 8 };
	set("/g/x", "1", -1);
	done();
	/* Who is of the group is no other. */
	set("/g/o", "1", -1);
	fails(ERR_ACCES, 1);
	/* Half a number is none. */
	who.groups = (struct blob){ groups, 7 };
	check("/g/x", -1);
	fails(ERR_ACCES, 1);
	as(USER, 1001);
	set("/g/x", "2", -1);
	done();
	/* The owner is no member of the group. */
	create("/g/mine", S_IFREG | 0070);
	done();
	set("/g/mine", "2", -1);
	fails(ERR_ACCES, 1);
	as(0, 1001);
	create("/sg", S_IFDIR | 02777);
	done();
	as(USER, USER);
	create("/sg/x", REG);
	create("/sg/d", DIR);
	done();
	assert_int_equal(txn.ops[0].create.gid, 1001);
	assert_int_equal(txn.ops[1].create.mode, S_IFDIR | 02755);
}

static void
test_sticky(void **state)
{
	(void)state;
	create("/tmp", S_IFDIR | 01777);
	create("/tmp/root", S_IFREG | 0666);
	done();
	as(USER, USER);
	create("/tmp/mine", REG);
	create("/mine", S_IFDIR | 01777);
	fails(ERR_ACCES, 2);
	create("/tmp/mine", REG);
	create("/tmp/dir", S_IFDIR | 01777);
	done();
	delete_("/tmp/root", -1);
	fails(ERR_PERM, 1);
	set("/tmp/root", "1", -1);
	done();
	as(USER + 1, USER);
	create("/tmp/dir/other", REG);
	done();
	delete_("/tmp/mine", -1);
	fails(ERR_PERM, 1);
	as(USER, USER);
	delete_("/tmp/mine", -1);
	/* His directory: also what others have put there. */
	delete_("/tmp/dir/other", -1);
	done();
	as(0, 0);
	delete_("/tmp/root", -1);
	done();
}

static void
test_bound_of_steps(void **state)
{
	uint32_t i;

	(void)state;
	create("/a", REG);
	for (i = 1; i < WIRE_STEPS_MAX; i++)
		set("/a", "x", i - 1);
	done();
	assert_int_equal(txn.nops, WIRE_STEPS_MAX);
	value_is(NULL, "a", "x");
	for (i = 0; i <= WIRE_STEPS_MAX; i++)
		check("/a", -1);
	fails(ERR_FBIG, WIRE_STEPS_MAX + 1);
}

/* Without the harness's own checks, which look at all nodes each time. */
static void
apply_unchecked(void)
{
	for (; world->applied < world->nrows; world->applied++) {
		apply_row(world->tree, &world->rows[world->applied], &world->zone);
		prep_applied(world->prep, world->rows[world->applied].zxid);
	}
}

/* Over what the session has, and has in flight, and what the steps before it make. */
static void
test_bound_of_ephemerals(void **state)
{
	enum { BATCH = WIRE_STEPS_MAX };
	uint32_t i, n;

	(void)state;
	for (n = 0; n + BATCH <= TREE_EPHEMERALS_MAX; n += BATCH) {
		for (i = 0; i < BATCH; i++)
			create_owned("/e", REG, WIRE_SEQUENCE, WIRE_EPHEMERAL, 0);
		done();
		/* Some are in flight together. */
		if (n / BATCH % 4 == 3)
			apply_unchecked();
	}
	assert_int_equal(n, TREE_EPHEMERALS_MAX);
	create("/plain", REG);
	create_owned("/e", REG, WIRE_SEQUENCE, WIRE_EPHEMERAL, 0);
	fails(ERR_QUOTA, 2);
	/* One goes in the same transaction: the bound is of what it was before. */
	create_owned("/e", REG, WIRE_SEQUENCE, WIRE_EPHEMERAL, 0);
	fails(ERR_QUOTA, 1);
	create("/plain", REG);
	done();
}

/* What the row of a MULTI is answered with. */
static void
test_results(void **state)
{
	static const struct wire_result wanted[] = {
		{ WIRE_STEP_CREATE, { (const uint8_t *)"d", 1 }, 0 },
		{ WIRE_STEP_CREATE, { (const uint8_t *)"s-0000000000", 12 }, 0 },
		{ WIRE_STEP_SET, { (const uint8_t *)"s-0000000000", 12 }, 1 },
		{ WIRE_STEP_SET, { NULL, 0 }, 1 },
		{ WIRE_STEP_DELETE, { (const uint8_t *)"s-0000000000", 12 }, 0 },
	};
	struct wire_result result;
	msgpack_sbuffer out;
	struct blob data;
	size_t i;

	(void)state;
	create("/d", DIR);
	create_owned("/d/s-", REG, WIRE_SEQUENCE, 0, 0);
	check("/d", -1);
	set("/d/s-0000000000", "x", -1);
	set("/", "y", 0);
	delete_("/d/s-0000000000", -1);
	done();
	msgpack_sbuffer_init(&out);
	txn_results(&txn, &out);
	data = (struct blob){ (const uint8_t *)out.data, (uint32_t)out.size };
	for (i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		assert_int_equal(wire_result_next(&data, &result), 1);
		assert_int_equal(result.kind, wanted[i].kind);
		assert_same_blob(result.name, wanted[i].name);
		assert_int_equal(result.version, wanted[i].version);
	}
	assert_int_equal(wire_result_next(&data, &result), 0);
	msgpack_sbuffer_clear(&out);
	check("/d", 7);
	fails(ERR_BADVERSION, 1);
	txn_results(&txn, &out);
	assert_int_equal(out.size, 0);
	msgpack_sbuffer_destroy(&out);
}

/* Once, whatever the request says the second time. */
static void
test_again(void **state)
{
	struct wire_msg msg = { .type = WIRE_T_MULTI, .multi = who };
	int code;

	(void)state;
	create("/a", REG);
	msg.multi.steps = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	set_rid(&msg, 5, 0);
	assert_int_equal(world_request(world, session, &msg, &code), PREP_PROPOSE);
	assert_int_equal(world_request(world, session, &msg, &code), PREP_WAIT);
	world_apply_all(world);
	assert_int_equal(world_request(world, session, &msg, &code), PREP_DONE);
	assert_int_equal(tree_nodes(world->tree), 2);
	/* A session's end takes what a MULTI in flight has made. */
	msgpack_sbuffer_clear(&packed);
	rid = 5;
	create_owned("/e1", REG, 0, WIRE_EPHEMERAL, 0);
	create_owned("/e2", REG, 0, WIRE_EPHEMERAL, 0);
	delete_("/e1", -1);
	done();
	assert_true(world_close(world, session, true));
	world_apply_all(world);
	assert_int_equal(tree_nodes(world->tree), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_steps_over_steps),
		T(test_nothing_of_a_failure),
		T(test_paths),
		T(test_kinds),
		T(test_rights),
		T(test_groups),
		T(test_sticky),
		T(test_bound_of_steps),
		T(test_bound_of_ephemerals),
		T(test_results),
		T(test_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
