/*
 * The request processor: each rule with its error, the retry table and its
 * bound, a session's end. Pipelining has a test of its own.
 */
#include "tests/unit/tree_fixture.h"

#include <stdio.h>

/* Proposed, not applied. The code. */
static int
ask(struct fixture *fixture, struct wire_msg msg)
{
	int code;

	set_rid(&msg, ++fixture->rid, fixture->acked);
	assert_int_equal(
	    world_request(fixture->world, fixture->session, &msg, &code), PREP_PROPOSE);
	return code;
}

/* The node that the last proposal shows. */
static uint64_t
last_result(struct fixture *fixture)
{
	const struct row *row = &fixture->world->rows[fixture->world->nrows - 1];
	struct blob in = { (const uint8_t *)row->payload.data, (uint32_t)row->payload.size };
	struct txn txn;

	assert_int_equal(txn_unpack(in, row->zxid, &fixture->world->zone, &txn), 0);
	return txn.head.result_id;
}

static int
create(struct fixture *fixture, uint64_t parent, const char *name, uint32_t mode, uint32_t owner)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE };

	msg.create.parent = parent;
	msg.create.name = blob_of(name);
	msg.create.mode = mode;
	msg.create.owner = owner;
	msg.create.handle = owner == WIRE_HELD ? 77 : 0;
	msg.create.gid = 5;
	if (S_ISLNK(mode))
		msg.create.value = blob_of("target");
	return ask(fixture, msg);
}

static uint64_t
made(struct fixture *fixture, uint64_t parent, const char *name, uint32_t mode)
{
	assert_int_equal(create(fixture, parent, name, mode, WIRE_PERSISTENT), 0);
	return last_result(fixture);
}

static struct wire_msg
delete_of(uint64_t parent, const char *name, uint64_t id)
{
	struct wire_msg msg = { .type = WIRE_T_DELETE };

	msg.delete.parent = parent;
	msg.delete.name = blob_of(name);
	msg.delete.id = id;
	msg.delete.version = -1;
	return msg;
}

static int delete (struct fixture *fixture, uint64_t parent, const char *name, uint32_t dir,
    uint64_t id, int64_t version)
{
	struct wire_msg msg = delete_of(parent, name, id);

	msg.delete.dir = dir;
	msg.delete.version = version;
	return ask(fixture, msg);
}

static int
delete_by(struct fixture *fixture, uint32_t uid, uint64_t parent, const char *name, uint64_t id)
{
	struct wire_msg msg = delete_of(parent, name, id);

	msg.delete.uid = uid;
	return ask(fixture, msg);
}

static int
put(struct fixture *fixture, uint64_t id, uint32_t how, uint64_t offset, const char *data,
    int64_t version)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE };

	msg.write.id = id;
	msg.write.how = how;
	msg.write.offset = offset;
	msg.write.data = blob_of(data);
	msg.write.version = version;
	return ask(fixture, msg);
}

static int
setattr(struct fixture *fixture, uint64_t id, uint32_t valid, uint32_t mode, uint64_t size)
{
	struct wire_msg msg = { .type = WIRE_T_SETATTR };

	msg.setattr.id = id;
	msg.setattr.valid = valid;
	msg.setattr.mode = mode;
	msg.setattr.size = size;
	msg.setattr.uid = 11;
	msg.setattr.gid = 12;
	msg.setattr.version = -1;
	return ask(fixture, msg);
}

/* For this version alone. */
static int
setattr_of(struct fixture *fixture, uint64_t id, uint32_t valid, int64_t version)
{
	struct wire_msg msg = { .type = WIRE_T_SETATTR };

	msg.setattr.id = id;
	msg.setattr.valid = valid;
	msg.setattr.mode = 0600;
	msg.setattr.size = 1;
	msg.setattr.version = version;
	return ask(fixture, msg);
}

static struct wire_msg
rename_of(uint64_t parent, const char *name, uint64_t newparent, const char *newname, uint32_t how)
{
	struct wire_msg msg = { .type = WIRE_T_RENAME };

	msg.rename.parent = parent;
	msg.rename.name = blob_of(name);
	msg.rename.newparent = newparent;
	msg.rename.newname = blob_of(newname);
	msg.rename.how = how;
	return msg;
}

/* id, id2: the only nodes meant, 0: whichever stand there. */
static int
move_those(struct fixture *fixture, uint64_t parent, const char *name, uint64_t id,
    uint64_t newparent, const char *newname, uint64_t id2, uint32_t how)
{
	struct wire_msg msg = rename_of(parent, name, newparent, newname, how);

	msg.rename.id = id;
	msg.rename.id2 = id2;
	return ask(fixture, msg);
}

static int
move_by(struct fixture *fixture, uint32_t uid, uint64_t parent, const char *name,
    uint64_t newparent, const char *newname, uint32_t how)
{
	struct wire_msg msg = rename_of(parent, name, newparent, newname, how);

	msg.rename.uid = uid;
	return ask(fixture, msg);
}

static int
move(struct fixture *fixture, uint64_t parent, const char *name, uint64_t newparent,
    const char *newname, uint32_t how)
{
	return move_those(fixture, parent, name, 0, newparent, newname, 0, how);
}

static struct wire_stat
stat_of(struct fixture *fixture, uint64_t id)
{
	const struct znode *node;
	struct wire_stat stat;

	world_apply_all(fixture->world);
	node = tree_node(fixture->world->tree, id);
	assert_non_null(node);
	znode_stat(fixture->world->tree, node, &stat);
	return stat;
}

static void
assert_value(struct fixture *fixture, uint64_t id, const char *text)
{
	world_apply_all(fixture->world);
	assert_same_blob(znode_value(tree_node(fixture->world->tree, id)), blob_of(text));
}

static void
test_create(void **state)
{
	struct fixture *f = *state;
	struct wire_msg link = { .type = WIRE_T_CREATE };
	struct wire_stat stat;
	char longest[257];
	uint64_t dir, file;

	memset(longest, 'x', 256);
	longest[256] = 0;
	dir = made(f, 1, "dir", S_IFDIR | 02775);
	file = made(f, dir, "file", S_IFREG | 01644);
	assert_int_equal(create(f, 99, "x", S_IFREG | 0644, 0), ERR_NONODE);
	assert_int_equal(create(f, file, "x", S_IFREG | 0644, 0), ERR_NOTDIR);
	assert_int_equal(create(f, 1, "", S_IFREG | 0644, 0), ERR_INVAL);
	assert_int_equal(create(f, 1, ".", S_IFREG | 0644, 0), ERR_INVAL);
	assert_int_equal(create(f, 1, "..", S_IFREG | 0644, 0), ERR_INVAL);
	assert_int_equal(create(f, 1, ".zab", S_IFREG | 0644, 0), ERR_INVAL);
	assert_int_equal(create(f, 1, "a/b", S_IFREG | 0644, 0), ERR_INVAL);
	assert_int_equal(create(f, 1, longest, S_IFREG | 0644, 0), ERR_NAMETOOLONG);
	longest[255] = 0;
	assert_int_equal(create(f, 1, longest, S_IFREG | 0644, 0), 0);
	assert_int_equal(create(f, 1, ".zabx", S_IFREG | 0644, 0), 0);
	assert_int_equal(create(f, 1, "x", S_IFIFO | 0644, 0), ERR_PERM);
	assert_int_equal(create(f, 1, "x", S_IFDIR | 0755, WIRE_EPHEMERAL), ERR_INVAL);
	assert_int_equal(create(f, dir, "file", S_IFREG | 0644, 0), ERR_EXISTS);
	link.create.parent = 1;
	link.create.name = blob_of("link");
	link.create.mode = S_IFLNK | 0777;
	assert_true(ask(f, link) < 0);
	link.create.mode = S_IFREG | 0644;
	link.create.value = blob_of("forty-nine bytes are one more than what is allowed");
	link.create.value.len = VALUE_MAX + 1;
	assert_int_equal(ask(f, link), ERR_FBIG);
	link.create.value.len = VALUE_MAX;
	assert_int_equal(ask(f, link), 0);

	stat = stat_of(f, file);
	assert_int_equal(stat.mode, S_IFREG | 0644);
	assert_int_equal(stat.gid, stat_of(f, dir).gid);
	assert_int_equal(stat_of(f, made(f, dir, "sub", S_IFDIR | 0755)).mode, S_IFDIR | 02755);
	assert_int_equal(stat_of(f, dir).cversion, 2);
	assert_int_equal(stat_of(f, dir).children, 2);
	assert_int_equal(stat.czxid, stat.mzxid);
	assert_int_equal(stat.birth_ns, stat.mtime_ns);
}

static void
test_ephemeral(void **state)
{
	struct fixture *f = *state;
	struct wire_stat stat;
	uint64_t id, id2;

	assert_int_equal(create(f, 1, "e", S_IFREG | 0600, WIRE_EPHEMERAL), 0);
	id = last_result(f);
	assert_int_equal(create(f, 1, "h", S_IFREG | 0600, WIRE_HELD), 0);
	id2 = last_result(f);
	assert_int_equal(create(f, id, "child", S_IFREG | 0600, 0), ERR_NOTDIR);
	stat = stat_of(f, id);
	assert_int_equal(stat.mode, S_IFREG | 01600);
	assert_int_equal(stat.owner, f->session);
	assert_int_equal(stat.handle, 0);
	assert_int_equal(stat_of(f, id2).handle, 77);
	assert_int_equal(setattr(f, id, WIRE_SET_MODE, 0644, 0), 0);
	assert_int_equal(stat_of(f, id).mode, S_IFREG | 01644);
	assert_int_equal(move(f, 1, "e", 1, "e2", 0), 0);
	assert_int_equal(stat_of(f, id).owner, f->session);
	assert_int_equal(tree_ephemerals(f->world->tree), 2);
}

/* Owner and handle of a creation, and whether there can be such a node. */
static void
test_owners(void **state)
{
	static const struct {
		uint32_t mode, owner;
		uint64_t handle;
		int code;
		uint64_t is; /* its owner; 1: the session */
	} cases[] = {
		{ S_IFREG | 0644, WIRE_PERSISTENT, 7, 0, 0 },
		{ S_IFREG | 0644, WIRE_EPHEMERAL, 7, 0, 1 },
		{ S_IFREG | 0644, WIRE_HELD, 7, 0, 1 },
		{ S_IFREG | 0644, WIRE_HELD, 0, ERR_INVAL, 0 },
		{ S_IFDIR | 0755, WIRE_HELD, 7, ERR_INVAL, 0 },
		{ S_IFDIR | 0755, WIRE_EPHEMERAL, 0, ERR_INVAL, 0 },
		{ S_IFLNK | 0777, WIRE_EPHEMERAL, 0, 0, 1 },
		{ S_IFDIR | 0755, WIRE_CONTAINER, 7, 0, WIRE_OWNER_CONTAINER },
		{ S_IFREG | 0644, WIRE_CONTAINER, 0, ERR_INVAL, 0 },
		{ S_IFLNK | 0777, WIRE_CONTAINER, 0, ERR_INVAL, 0 },
		{ S_IFREG | 0644, WIRE_TTL, 1, 0, WIRE_OWNER_TTL | 1 },
		{ S_IFDIR | 0755, WIRE_TTL, 500, 0, WIRE_OWNER_TTL | 500 },
		{ S_IFLNK | 0777, WIRE_TTL, WIRE_TTL_MAX, 0, WIRE_OWNER_TTL | WIRE_TTL_MAX },
		{ S_IFREG | 0644, WIRE_TTL, 0, ERR_INVAL, 0 },
		{ S_IFREG | 0644, WIRE_TTL, WIRE_TTL_MAX + 1, ERR_INVAL, 0 },
		{ S_IFREG | 0644, WIRE_TTL, UINT64_MAX, ERR_INVAL, 0 },
		{ S_IFREG | 0644, WIRE_TTL, WIRE_OWNER_TTL | 5, ERR_INVAL, 0 },
		{ S_IFREG | 0644, WIRE_TTL + 1, 1, ERR_INVAL, 0 },
		{ S_IFREG | 0644, UINT32_MAX, 1, ERR_INVAL, 0 },
	};
	struct wire_msg msg = { .type = WIRE_T_CREATE };
	struct fixture *f = *state;
	struct wire_stat stat;
	uint64_t handle;
	char name[16];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		msg.create.parent = TREE_ROOT;
		msg.create.name = blob_of(name);
		msg.create.mode = cases[i].mode;
		msg.create.owner = cases[i].owner;
		msg.create.handle = cases[i].handle;
		msg.create.value = blob_of(S_ISLNK(cases[i].mode) ? "target" : "");
		assert_int_equal(ask(f, msg), cases[i].code);
		if (cases[i].code != 0)
			continue;
		stat = stat_of(f, last_result(f));
		handle = cases[i].owner == WIRE_HELD ? cases[i].handle : 0;
		assert_int_equal(stat.owner, cases[i].is == 1 ? f->session : cases[i].is);
		assert_int_equal(stat.handle, handle);
		/* The sticky bit says that it is an ephemeral. */
		assert_int_equal((stat.mode & S_ISVTX) != 0,
		    S_ISREG(stat.mode) && wire_owner_is_session(stat.owner));
	}
	assert_int_equal(tree_ephemerals(f->world->tree), 3);
	assert_int_equal(wire_owner_ttl_ms(WIRE_OWNER_TTL | WIRE_TTL_MAX), WIRE_TTL_MAX);
	assert_int_equal(wire_owner_ttl_ms(WIRE_OWNER_CONTAINER), 0);
	assert_int_equal(wire_owner_ttl_ms(f->session), 0);
}

/* A session's end leaves what the leader is to remove. */
static void
test_owners_close(void **state)
{
	struct fixture *f = *state;
	struct wire_msg msg = { .type = WIRE_T_CREATE };

	msg.create.parent = TREE_ROOT;
	msg.create.name = blob_of("t");
	msg.create.mode = S_IFREG | 0644;
	msg.create.owner = WIRE_TTL;
	msg.create.handle = 1;
	assert_int_equal(ask(f, msg), 0);
	assert_int_equal(create(f, 1, "c", S_IFDIR | 0755, WIRE_CONTAINER), 0);
	assert_int_equal(create(f, 1, "e", S_IFREG | 0644, WIRE_EPHEMERAL), 0);
	assert_true(world_close(f->world, f->session, true));
	world_apply_all(f->world);
	assert_int_equal(tree_nodes(f->world->tree), 3);
}

static int
create_next(struct fixture *fixture, uint64_t parent, const char *prefix, uint32_t owner)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE };

	msg.create.flags = WIRE_SEQUENCE;
	msg.create.parent = parent;
	msg.create.name = blob_of(prefix);
	msg.create.mode = S_IFREG | 0644;
	msg.create.owner = owner;
	msg.create.handle = owner == WIRE_HELD ? 77 : 0;
	return ask(fixture, msg);
}

static void
assert_next(struct fixture *f, uint64_t parent, const char *prefix, const char *name)
{
	uint64_t id;

	assert_int_equal(create_next(f, parent, prefix, WIRE_PERSISTENT), 0);
	id = last_result(f);
	world_apply_all(f->world);
	assert_same_blob(znode_name(tree_node(f->world->tree, id)), blob_of(name));
}

/* Its number is the directory's cversion, whatever has changed that. */
static void
test_sequence(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = made(f, 1, "dir", S_IFDIR | 0755), first, second;
	char longest[WIRE_NAME_MAX + 1];

	assert_next(f, dir, "job-", "job-0000000000");
	assert_next(f, dir, "job-", "job-0000000001");
	assert_next(f, dir, "", "0000000002");
	made(f, dir, "plain", S_IFREG | 0644);
	assert_int_equal(delete (f, dir, "plain", 0, 0, -1), 0);
	assert_next(f, dir, ".", ".0000000005");
	assert_next(f, dir, ".zab", ".zab0000000006");
	assert_int_equal(move(f, dir, "job-0000000000", dir, "x", 0), 0);
	assert_next(f, dir, "x", "x0000000008");
	/* What is below it, or its own value, does not count. */
	assert_int_equal(put(f, dir, WIRE_AT, 0, "v", -1), 0);
	assert_next(f, dir, "x", "x0000000009");
	assert_next(f, 1, "job-", "job-0000000001");

	/* In flight, too. */
	assert_int_equal(create_next(f, dir, "q", WIRE_EPHEMERAL), 0);
	first = last_result(f);
	assert_int_equal(create_next(f, dir, "q", WIRE_HELD), 0);
	second = last_result(f);
	world_apply_all(f->world);
	assert_same_blob(znode_name(tree_node(f->world->tree, first)), blob_of("q0000000010"));
	assert_same_blob(znode_name(tree_node(f->world->tree, second)), blob_of("q0000000011"));
	assert_int_equal(stat_of(f, second).handle, 77);

	/* Somebody has that very name: it is no other's, and the number goes on with the next change. */
	made(f, dir, "y0000000013", S_IFREG | 0644);
	assert_int_equal(create_next(f, dir, "y", WIRE_PERSISTENT), ERR_EXISTS);
	assert_next(f, dir, "z", "z0000000013");
	assert_next(f, dir, "y", "y0000000014");

	memset(longest, 'n', sizeof(longest));
	longest[WIRE_NAME_MAX - 9] = '\0';
	assert_int_equal(create_next(f, dir, longest, WIRE_PERSISTENT), ERR_NAMETOOLONG);
	longest[WIRE_NAME_MAX - 10] = '\0';
	assert_int_equal(create_next(f, dir, longest, WIRE_PERSISTENT), 0);
	assert_int_equal(create_next(f, dir, "a/b", WIRE_PERSISTENT), ERR_INVAL);
	assert_int_equal(create_next(f, first, "a", WIRE_PERSISTENT), ERR_NOTDIR);
	assert_int_equal(create_next(f, 99, "a", WIRE_PERSISTENT), ERR_NONODE);
}

static void
test_delete(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = made(f, 1, "dir", S_IFDIR | 0755),
		 file = made(f, dir, "file", S_IFREG | 0644);

	assert_int_equal(delete (f, 99, "x", 0, 0, -1), ERR_NONODE);
	assert_int_equal(delete (f, file, "x", 0, 0, -1), ERR_NOTDIR);
	assert_int_equal(delete (f, 1, "x", 0, 0, -1), ERR_NONODE);
	assert_int_equal(delete (f, dir, "file", 1, 0, -1), ERR_NOTDIR);
	assert_int_equal(delete (f, 1, "dir", 0, 0, -1), ERR_ISDIR);
	assert_int_equal(delete (f, 1, "dir", 1, 0, -1), ERR_NOTEMPTY);
	assert_int_equal(delete (f, dir, "file", 0, dir, -1), ERR_NONODE);
	assert_int_equal(delete (f, dir, "file", 0, file, 1), ERR_BADVERSION);
	assert_int_equal(delete (f, 0, "", 0, TREE_ROOT, -1), ERR_PERM);
	assert_int_equal(delete (f, 0, "", 0, 99, -1), ERR_NONODE);
	assert_int_equal(delete (f, 0, "", 0, file, 0), 0);
	assert_int_equal(delete (f, 0, "", 0, file, -1), ERR_NONODE);
	assert_int_equal(delete (f, 1, "dir", 1, dir, -1), 0);
	world_apply_all(f->world);
	assert_int_equal(tree_nodes(f->world->tree), 1);
	assert_int_equal(stat_of(f, TREE_ROOT).cversion, 2);
}

static void
test_write(void **state)
{
	struct fixture *f = *state;
	uint64_t file = made(f, 1, "file", S_IFREG | 0644), link = made(f, 1, "l", S_IFLNK | 0777);
	const char *big = "forty-nine bytes are one more than what is allowed";
	struct wire_stat before, after;

	assert_int_equal(put(f, 99, WIRE_AT, 0, "x", -1), ERR_NONODE);
	assert_int_equal(put(f, link, WIRE_AT, 0, "x", -1), ERR_INVAL);
	assert_int_equal(put(f, file, 3, 0, "x", -1), ERR_INVAL);
	assert_int_equal(put(f, file, WIRE_AT, 2, "ab", -1), 0);
	assert_int_equal(put(f, file, WIRE_APPEND, 1000, "cd", 1), 0);
	assert_int_equal(put(f, file, WIRE_AT, 0, "xy", 7), ERR_BADVERSION);
	assert_int_equal(put(f, file, WIRE_AT, 0, "xy", 2), 0);
	assert_value(f, file, "xyabcd");
	assert_int_equal(put(f, file, WIRE_REPLACE, 3, "new", -1), 0);
	assert_value(f, file, "new");
	assert_int_equal(put(f, file, WIRE_AT, VALUE_MAX - 1, "ab", -1), ERR_FBIG);
	assert_int_equal(put(f, file, WIRE_AT, UINT64_MAX, "ab", -1), ERR_FBIG);
	assert_int_equal(put(f, file, WIRE_REPLACE, 0, big, -1), ERR_FBIG);
	assert_value(f, file, "new");
	before = stat_of(f, file);
	assert_int_equal(put(f, file, WIRE_AT, 20, "", -1), 0);
	assert_value(f, file, "new");
	after = stat_of(f, file);
	assert_int_equal(after.version, before.version + 1);
	assert_true(after.mzxid > before.mzxid && after.mtime_ns > before.mtime_ns);
	before = stat_of(f, TREE_ROOT);
	assert_int_equal(put(f, TREE_ROOT, WIRE_REPLACE, 0, "of the root", -1), 0);
	after = stat_of(f, TREE_ROOT);
	assert_int_equal(after.mtime_ns, before.mtime_ns);
	assert_true(after.ctime_ns > before.ctime_ns);
	assert_int_equal(after.size, 11);
}

static void
test_setattr(void **state)
{
	struct fixture *f = *state;
	uint64_t file = made(f, 1, "file", S_IFREG | 0644), link = made(f, 1, "l", S_IFLNK | 0777);
	struct wire_stat before, after;

	assert_int_equal(setattr(f, 99, WIRE_SET_UID, 0, 0), ERR_NONODE);
	assert_int_equal(setattr(f, file, 64, 0, 0), ERR_INVAL);
	assert_int_equal(setattr(f, file, 0, 0, 0), ERR_INVAL);
	assert_int_equal(setattr(f, link, WIRE_SET_SIZE, 0, 0), ERR_INVAL);
	assert_int_equal(setattr(f, link, WIRE_SET_UID, 0, 0), 0);
	assert_int_equal(setattr(f, file, WIRE_SET_SIZE, 0, VALUE_MAX + 1), ERR_FBIG);
	before = stat_of(f, file);
	assert_int_equal(
	    setattr(f, file, WIRE_SET_SIZE | WIRE_SET_MODE | WIRE_SET_UID, 07777, 4), 0);
	after = stat_of(f, file);
	assert_int_equal(after.mode, S_IFREG | 06777);
	assert_int_equal(after.uid, 11);
	assert_int_equal(after.gid, before.gid);
	assert_int_equal(after.size, 4);
	assert_int_equal(after.version, before.version + 1);
	assert_int_equal(after.aversion, before.aversion + 1);
	assert_int_equal(setattr(f, file, WIRE_SET_MTIME, 0, 0), 0);
	assert_true(stat_of(f, file).mtime_ns > after.mtime_ns);
	after = stat_of(f, file);
	assert_int_equal(setattr(f, file, WIRE_SET_GID, 0, 0), 0);
	assert_int_equal(stat_of(f, file).mtime_ns, after.mtime_ns);
	assert_true(stat_of(f, file).ctime_ns > after.ctime_ns);
	assert_int_equal(setattr(f, TREE_ROOT, WIRE_SET_MODE, 01777, 0), 0);
	assert_int_equal(stat_of(f, TREE_ROOT).mode, S_IFDIR | 01777);
}

/* The version is that of the value; a change that is in flight counts. */
static void
test_setattr_version(void **state)
{
	struct fixture *f = *state;
	uint64_t file = made(f, 1, "file", S_IFREG | 0644);

	assert_int_equal(setattr_of(f, file, WIRE_SET_MODE, 1), ERR_BADVERSION);
	assert_int_equal(setattr_of(f, file, WIRE_SET_MODE, -2), ERR_BADVERSION);
	assert_int_equal(setattr_of(f, file, WIRE_SET_MODE, 0), 0);
	assert_int_equal(setattr_of(f, file, WIRE_SET_MODE, 0), 0);
	assert_int_equal(setattr_of(f, file, WIRE_SET_SIZE, 0), 0);
	assert_int_equal(setattr_of(f, file, WIRE_SET_MTIME, 0), ERR_BADVERSION);
	assert_int_equal(setattr_of(f, file, WIRE_SET_SIZE, 1), 0);
	assert_int_equal(stat_of(f, file).version, 2);
	assert_int_equal(stat_of(f, file).aversion, 2);
	assert_int_equal(stat_of(f, file).size, 1);
}

static void
test_rename(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = made(f, 1, "dir", S_IFDIR | 0755), sub = made(f, dir, "sub", S_IFDIR | 0755);
	uint64_t file = made(f, 1, "file", S_IFREG | 0644),
		 other = made(f, 1, "other", S_IFREG | 0600);
	uint64_t empty = made(f, 1, "empty", S_IFDIR | 0755);
	struct wire_stat before;

	assert_int_equal(move(f, 1, "file", 1, "x", 4), ERR_INVAL);
	assert_int_equal(move(f, 1, "file", 1, "x", 3), ERR_INVAL);
	assert_int_equal(move(f, 99, "file", 1, "x", 0), ERR_NONODE);
	assert_int_equal(move(f, 1, "file", file, "x", 0), ERR_NOTDIR);
	assert_int_equal(move(f, 1, "none", 1, "x", 0), ERR_NONODE);
	assert_int_equal(move(f, 1, "file", 1, ".zab", 0), ERR_INVAL);
	assert_int_equal(move(f, 1, "file", 1, "other", 1), ERR_EXISTS);
	assert_int_equal(move(f, 1, "file", 1, "x", 2), ERR_NONODE);
	assert_int_equal(move(f, 1, "file", 1, "dir", 0), ERR_ISDIR);
	assert_int_equal(move(f, 1, "dir", 1, "file", 0), ERR_NOTDIR);
	assert_int_equal(move(f, 1, "empty", 1, "dir", 0), ERR_NOTEMPTY);
	assert_int_equal(move(f, 1, "dir", sub, "x", 0), ERR_INVAL);
	assert_int_equal(move(f, 1, "dir", dir, "x", 0), ERR_INVAL);
	assert_int_equal(move(f, dir, "sub", 1, "dir", 2), ERR_INVAL);
	assert_int_equal(move(f, dir, "sub", 1, "dir", 0), ERR_NOTEMPTY);
	before = stat_of(f, TREE_ROOT);
	assert_int_equal(move(f, 1, "file", 1, "file", 0), 0);
	assert_int_equal(stat_of(f, TREE_ROOT).cversion, before.cversion);
	assert_int_equal(move(f, 1, "file", 1, "other", 0), 0);
	assert_int_equal(stat_of(f, TREE_ROOT).cversion, before.cversion + 1);
	assert_null(tree_node(f->world->tree, other));
	assert_int_equal(move(f, 1, "other", sub, "a-name-that-is-longer", 0), 0);
	assert_int_equal(stat_of(f, file).parent, sub);
	assert_int_equal(move(f, 1, "empty", dir, "sub", 2), 0);
	assert_int_equal(stat_of(f, sub).parent, TREE_ROOT);
	assert_int_equal(stat_of(f, empty).parent, dir);
	assert_int_equal(stat_of(f, sub).children, 1);
	assert_int_equal(tree_nodes(f->world->tree), 5);
}

/* What stands at a name may be another node by now than the one that was meant. */
static void
test_rename_meant(void **state)
{
	struct fixture *f = *state;
	uint64_t a = made(f, 1, "a", S_IFREG | 0644), b = made(f, 1, "b", S_IFREG | 0644);

	assert_int_equal(move_those(f, 1, "a", b, 1, "b", 0, 0), ERR_NONODE);
	assert_int_equal(move_those(f, 1, "a", a, 1, "b", a, 0), ERR_NONODE);
	assert_int_equal(move_those(f, 1, "a", a, 1, "c", b, 0), ERR_NONODE);
	assert_int_equal(move_those(f, 1, "none", a, 1, "c", 0, 0), ERR_NONODE);
	assert_int_equal(move_those(f, 1, "a", 0, 1, "b", a, 2), ERR_NONODE);
	assert_int_equal(move_those(f, 1, "a", a, 1, "b", a, 1), ERR_NONODE);
	assert_int_equal(stat_of(f, a).mzxid, stat_of(f, a).czxid);
	assert_non_null(tree_node(f->world->tree, b));
	assert_int_equal(move_those(f, 1, "a", a, 1, "b", b, 2), 0);
	assert_int_equal(move_those(f, 1, "a", b, 1, "b", a, 0), 0);
	assert_int_equal(stat_of(f, b).parent, TREE_ROOT);
	assert_null(tree_node(f->world->tree, a));
	assert_int_equal(move_those(f, 1, "b", b, 1, "c", 0, 1), 0);
}

/* Nodes of user 11 and of root, in a directory with the sticky bit and in one without. */
static void
test_sticky(void **state)
{
	struct fixture *f = *state;
	uint64_t tmp = made(f, 1, "tmp", S_IFDIR | 01777),
		 plain = made(f, 1, "plain", S_IFDIR | 0777);
	uint64_t his = made(f, tmp, "his", S_IFREG | 0644),
		 roots = made(f, tmp, "roots", S_IFREG | 0644);

	assert_int_equal(setattr(f, his, WIRE_SET_UID, 0, 0), 0);
	made(f, plain, "x", S_IFREG | 0644);
	assert_int_equal(delete_by(f, 12, tmp, "his", 0), ERR_PERM);
	assert_int_equal(delete_by(f, 12, 0, "", his), ERR_PERM);
	assert_int_equal(delete_by(f, 11, tmp, "roots", roots), ERR_PERM);
	assert_int_equal(move_by(f, 12, tmp, "his", tmp, "free", 0), ERR_PERM);
	assert_int_equal(move_by(f, 12, tmp, "his", plain, "free", 0), ERR_PERM);
	assert_int_equal(move_by(f, 12, plain, "x", tmp, "his", 0), ERR_PERM);
	assert_int_equal(move_by(f, 12, plain, "x", tmp, "his", 2), ERR_PERM);
	assert_int_equal(move_by(f, 12, tmp, "his", plain, "x", 2), ERR_PERM);
	assert_int_equal(move_by(f, 11, tmp, "his", tmp, "roots", 0), ERR_PERM);
	assert_int_equal(move_by(f, 11, tmp, "his", tmp, "roots", 2), ERR_PERM);
	assert_int_equal(stat_of(f, his).parent, tmp);

	/* Root's, and in no such directory. */
	assert_int_equal(move_by(f, 12, plain, "x", tmp, "new", 0), 0);
	assert_int_equal(move_by(f, 11, tmp, "his", tmp, "y", 0), 0);
	assert_int_equal(move_by(f, 11, tmp, "y", plain, "y", 0), 0);
	assert_int_equal(delete_by(f, 12, plain, "y", his), 0);
	assert_int_equal(delete_by(f, 0, tmp, "roots", roots), 0);
	assert_int_equal(setattr(f, tmp, WIRE_SET_UID, 0, 0), 0); /* user 11's by now */
	assert_int_equal(delete_by(f, 11, tmp, "new", 0), 0);
}

static enum prep_verdict
again(struct fixture *f, uint64_t rid, uint64_t acked, int *code)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE, .write = { .id = TREE_ROOT, .version = -1 } };

	set_rid(&msg, rid, acked);
	return world_request(f->world, f->session, &msg, code);
}

/* Without room for a proposal: what is in flight may not be called refused. */
static void
test_no_room(void **state)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE, .write = { .id = TREE_ROOT, .version = -1 } };
	struct fixture *f = *state;
	struct txn txn;
	uint64_t rid;
	int code;

	assert_int_equal(again(f, 1, 0, &code), PREP_PROPOSE);
	world_apply_all(f->world);
	assert_int_equal(again(f, 2, 0, &code), PREP_PROPOSE);
	for (rid = 1; rid <= 3; rid++) {
		static const enum prep_verdict verdicts[] = { PREP_DONE, PREP_WAIT, PREP_REFUSE };

		set_rid(&msg, rid, 0);
		assert_int_equal(prep_write(f->world->prep, f->session, &msg, 0, 0, WIRE_VALUE_MAX,
				     &f->world->zone, &txn, &code),
		    verdicts[rid - 1]);
	}
	assert_int_equal(code, ERR_BUSY);
}

/* What others have answered already does not count where it is still in flight. */
static void
test_slow_leader(void **state)
{
	struct fixture *f = *state;
	uint64_t rid;
	int code;

	for (rid = 1; rid <= 3 * WIRE_OUTSTANDING_MAX; rid++)
		assert_int_equal(again(f, rid, rid < 100 ? 0 : rid - 100, &code), PREP_PROPOSE);
	world_apply_all(f->world);
	assert_int_equal(session_results(tree_session(f->world->tree, f->session)), 100);
}

static void
test_retry(void **state)
{
	struct fixture *f = *state;
	const struct session *session;
	int code;

	assert_int_equal(create(f, 1, "a", S_IFREG | 0644, 0), 0);
	assert_int_equal(create(f, 1, "a", S_IFREG | 0644, 0), ERR_EXISTS);
	assert_int_equal(again(f, 1, 0, &code), PREP_WAIT);
	assert_int_equal(again(f, 2, 0, &code), PREP_WAIT);
	world_apply_all(f->world);
	assert_int_equal(again(f, 1, 0, &code), PREP_DONE);
	assert_int_equal(again(f, 2, 0, &code), PREP_DONE);
	session = tree_session(f->world->tree, f->session);
	assert_int_equal(session_result(session, 1)->code, 0);
	assert_int_equal(session_result(session, 1)->node, 2);
	assert_int_equal(session_result(session, 2)->code, ERR_EXISTS);
	assert_int_equal(session_result(session, 2)->node, 0);
	assert_int_equal(again(f, 3, 3, &code), PREP_REFUSE);
	assert_int_equal(code, ERR_PROTO);
	assert_int_equal(again(f, 0, 0, &code), PREP_REFUSE);
	assert_int_equal(code, ERR_PROTO);
	assert_int_equal(again(f, 5, 1, &code), PREP_PROPOSE);
	world_apply_all(f->world);
	session = tree_session(f->world->tree, f->session);
	assert_null(session_result(session, 1));
	assert_non_null(session_result(session, 2));
	assert_int_equal(session_results(session), 2);
	assert_int_equal(again(f, 1, 0, &code), PREP_REFUSE);
	assert_int_equal(code, ERR_PROTO);
	assert_int_equal(again(f, 4, 0, &code), PREP_PROPOSE);
}

/* Kept and in flight together are bounded; acknowledging makes room again, at once. */
static void
test_bound(void **state)
{
	struct fixture *f = *state;
	uint64_t rid;
	int code;

	for (rid = 1; rid <= WIRE_OUTSTANDING_MAX; rid++) {
		assert_int_equal(again(f, rid, 0, &code), PREP_PROPOSE);
		if (rid % 3 == 0)
			world_apply(f->world, 2);
	}
	assert_int_equal(again(f, rid, 0, &code), PREP_REFUSE);
	assert_int_equal(code, ERR_BUSY);
	world_apply_all(f->world);
	assert_int_equal(again(f, rid, 0, &code), PREP_REFUSE);
	assert_int_equal(code, ERR_BUSY);
	assert_int_equal(again(f, rid, rid - 1, &code), PREP_PROPOSE);
	world_apply_all(f->world);
	assert_int_equal(session_results(tree_session(f->world->tree, f->session)), 1);
}

static void
test_close(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = made(f, 1, "dir", S_IFDIR | 0755);
	int code;

	assert_int_equal(create(f, dir, "a", S_IFREG | 0600, WIRE_EPHEMERAL), 0);
	assert_int_equal(create(f, dir, "b", S_IFREG | 0600, WIRE_HELD), 0);
	assert_int_equal(create(f, dir, "c", S_IFREG | 0600, WIRE_EPHEMERAL), 0);
	world_apply(f->world, 3);
	assert_int_equal(delete (f, dir, "a", 0, 0, -1), 0);
	assert_int_equal(create(f, dir, "keep", S_IFREG | 0600, WIRE_PERSISTENT), 0);
	assert_int_equal(move(f, dir, "keep", dir, "c", 0), 0);
	assert_int_equal(create(f, dir, "d", S_IFREG | 0600, WIRE_EPHEMERAL), 0);
	assert_int_equal(move(f, dir, "d", 1, "moved", 0), 0);
	assert_true(world_close(f->world, f->session, true));
	assert_false(world_close(f->world, f->session, true));
	/* It may be void: nobody is told before it is applied. */
	assert_int_equal(again(f, 100, 0, &code), PREP_WAIT);
	world_apply_all(f->world);
	assert_int_equal(again(f, 100, 0, &code), PREP_REFUSE);
	assert_int_equal(code, ERR_EXPIRED);
	assert_null(tree_session(f->world->tree, f->session));
	assert_int_equal(tree_ephemerals(f->world->tree), 0);
	assert_int_equal(tree_nodes(f->world->tree), 3);
	assert_int_equal(stat_of(f, dir).children, 1);
	assert_int_equal(prep_outstanding(f->world->prep), 0);
}

/* A session's ephemerals go in one transaction: so there is a limit to them. */
static void
test_ephemerals_max(void **state)
{
	struct fixture *f = *state;
	struct wire_msg msg = { .type = WIRE_T_CREATE };
	struct txn txn;
	char name[16];
	int code;

	msg.create.mode = S_IFREG | 0600;
	msg.create.parent = TREE_ROOT;
	msg.create.owner = WIRE_EPHEMERAL;
	for (uint64_t n = 1; n <= TREE_EPHEMERALS_MAX + 2; n++) {
		snprintf(name, sizeof(name), "e%llu", (unsigned long long)n);
		msg.create.name = blob_of(name);
		msg.create.acked = n < 500 ? 0 : n - 500;
		msg.create.rid = n;
		assert_int_equal(prep_write(f->world->prep, f->session, &msg, ++f->world->zxid, 1,
				     VALUE_MAX, &f->world->zone, &txn, &code),
		    PREP_PROPOSE);
		assert_int_equal(txn.head.code, n <= TREE_EPHEMERALS_MAX ? ERR_OK : ERR_QUOTA);
		tree_apply(f->world->tree, &txn);
		assert_true(tree_fits(f->world->tree));
		prep_applied(f->world->prep, txn.zxid);
		msgpack_zone_clear(&f->world->zone);
	}
	assert_int_equal(tree_ephemerals(f->world->tree), TREE_EPHEMERALS_MAX);
	f->world->zxid++;
	assert_true(world_close(f->world, f->session, true));
	world_apply_all(f->world);
	assert_int_equal(tree_nodes(f->world->tree), 1);
}

/* What was proposed is void: ids, names and requests are free again. */
static void
test_reset(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create(f, 1, "a", S_IFREG | 0644, 0), 0);
	assert_true(world_close(f->world, f->session, false));
	assert_true(prep_outstanding(f->world->prep) > 0);
	prep_reset(f->world->prep);
	msgpack_sbuffer_destroy(&f->world->rows[--f->world->nrows].payload);
	msgpack_sbuffer_destroy(&f->world->rows[--f->world->nrows].payload);
	assert_int_equal(prep_outstanding(f->world->prep), 0);
	f->rid = 0;
	assert_int_equal(create(f, 1, "a", S_IFREG | 0644, 0), 0);
	world_apply_all(f->world);
	assert_int_equal(tree_nodes(f->world->tree), 2);
	assert_true(world_close(f->world, f->session, false));
	world_apply_all(f->world);
}

#define RULES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RULES(test_create),
		RULES(test_ephemeral),
		RULES(test_owners),
		RULES(test_owners_close),
		RULES(test_sequence),
		RULES(test_delete),
		RULES(test_write),
		RULES(test_setattr),
		RULES(test_setattr_version),
		RULES(test_rename),
		RULES(test_rename_meant),
		RULES(test_sticky),
		RULES(test_no_room),
		RULES(test_slow_leader),
		RULES(test_retry),
		RULES(test_bound),
		RULES(test_close),
		RULES(test_reset),
		RULES(test_ephemerals_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
