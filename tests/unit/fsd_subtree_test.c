/*
 * A subtree as the mount's root: how its path is led to a znode, what the kernel
 * calls that, what happens to it elsewhere, and what is asked with it.
 */
#include "tests/unit/fsd_harness.h"

#include "fsd/subtree.h"

#define ROOT 40
#define DIR (S_IFDIR | 0755)
#define REG (S_IFREG | 0644)

static int found_code; /* 1: not yet */

static void
on_found(void *arg, int code)
{
	assert_ptr_equal(arg, &found_code);
	found_code = code;
}

static void
find(const char *path)
{
	found_code = 1;
	h.fsd.root = (struct wire_stat){ 0 };
	subtree_find(&h.fsd, path, on_found, &found_code);
}

static void
asked_for(uint64_t parent, const char *name, int code, uint64_t id, uint32_t mode)
{
	struct wire_stat stat = h_stat(id, mode);

	assert_int_equal(h_expect(WIRE_T_LOOKUP)->lookup.parent, parent);
	assert_int_equal(h.msg.lookup.name.len, strlen(name));
	assert_memory_equal(h.msg.lookup.name.data, name, strlen(name));
	h_reply(h.msg.lookup.rid, code, 0x100, code == ERR_OK ? &stat : NULL, NULL);
}

static void
until_found(int code)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;

	while (found_code == 1) {
		assert_true(fsd_now_ns() < until);
		h_turn();
	}
	assert_int_equal(found_code, code);
}

static void
forgets(uint64_t id)
{
	assert_int_equal(h_expect(WIRE_T_FORGET)->forget.id, id);
	assert_int_equal(h.msg.forget.count, 1);
}

static void
test_found(void **state)
{
	(void)state;
	find("//app/x/");
	asked_for(1, "app", ERR_OK, 30, DIR);
	asked_for(30, "x", ERR_OK, ROOT, DIR);
	until_found(ERR_OK);
	assert_int_equal(h.fsd.root.id, ROOT);
	assert_int_equal(h.fsd.root.mode, DIR);
	/* What lies between is nobody's interest; the root is, for ever. */
	forgets(30);
	h_nothing_sent(2);
	assert_true(inode_known(&h.fsd, ROOT));
	assert_false(inode_known(&h.fsd, 1));
	/* And for the next replica. */
	close(h.replica);
	h.replica = -1;
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_OK, H_SESSION, 0x100);
	assert_int_equal(h_expect(WIRE_T_INTEREST)->interest.id, ROOT);
	assert_int_equal(h.msg.interest.count, 1);
	h_expect(WIRE_T_RESUME);
}

static void
test_not_found(void **state)
{
	char path[WIRE_NAME_MAX + 3];

	(void)state;
	find("/app/x");
	asked_for(1, "app", ERR_NONODE, 0, 0);
	until_found(ERR_NONODE);
	assert_int_equal(h.fsd.root.id, 0);
	find("/app/x");
	asked_for(1, "app", ERR_OK, 30, REG);
	until_found(ERR_NOTDIR);
	forgets(30);
	/* A link is not followed. */
	find("app");
	asked_for(1, "app", ERR_OK, 30, S_IFLNK | 0777);
	until_found(ERR_NOTDIR);
	forgets(30);
	assert_int_equal(h.fsd.root.id, 0);
	/* No way up. */
	find("/..");
	asked_for(1, "..", ERR_NONODE, 0, 0);
	until_found(ERR_NONODE);
	/* What no name can be is not asked for. */
	memset(path, 'a', sizeof path);
	path[0] = '/';
	path[sizeof path - 1] = '\0';
	find(path);
	until_found(ERR_NONODE);
	path[sizeof path - 2] = '\0';
	find(path);
	asked_for(1, path + 1, ERR_NOQUORUM, 0, 0);
	until_found(ERR_NOQUORUM);
	h_nothing_sent(2);
}

/* What comes before the root is found concerns nobody. */
static void
test_before(void **state)
{
	struct wire_msg moved = { .type = WIRE_T_CHANGE,
		.change = { .zxid = 0x103,
		    .last = 1,
		    .kind = WIRE_MOVE,
		    .mode = REG,
		    .id = 7,
		    .parent = 1,
		    .parent2 = 1 } };

	(void)state;
	h_run_ms(1);
	h.fsd.root = (struct wire_stat){ 0 };
	h.echo_pushed = h.echo_zab = 0;
	h_change(WIRE_ADD, 0x102, 7, REG, "a");
	h_tell(&moved);
	close(h.replica);
	h.replica = -1;
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_EXPIRED, 0, 0);
	h_open(0x110);
	assert_int_equal(h.echo_pushed + h.echo_zab, 0);
	assert_int_equal(h.doubted, 0);
	assert_int_equal(h.nnotified, 0);
}

/* The mount of a subtree, its root known. */
static int
setup(void **state)
{
	h_setup(state);
	find("/app");
	asked_for(1, "app", ERR_OK, ROOT, DIR);
	until_found(ERR_OK);
	h.echo_pushed = h.echo_zab = 0;
	return 0;
}

/* The kernel's number goes out and comes back; ours is what is asked and shown. */
static void
test_numbers(void **state)
{
	struct fuse_mkdir_in mkdir = { .mode = 0755 };
	struct fuse_rename2_in rename = { .newdir = 1 };
	const struct fuse_attr_out *attr = (const void *)answer.body;
	struct fuse_open_in open = { .flags = O_RDONLY | O_DIRECTORY };
	struct fuse_read_in read = { .size = 4096 };
	const struct fuse_dirent *entry = (const void *)answer.body;
	struct wire_stat stat = h_stat(ROOT, DIR);
	uint64_t unique;

	(void)state;
	h_change(WIRE_ATTR, 0x101, ROOT, DIR, "sub");
	h_run_ms(2);
	unique = h_request(
	    FUSE_GETATTR, 1, &(struct fuse_getattr_in){ 0 }, sizeof(struct fuse_getattr_in));
	stat.parent = 30;
	assert_int_equal(h_expect(WIRE_T_GETATTR)->getattr.id, ROOT);
	h_reply(h.msg.getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(attr->attr.ino, ROOT);
	unique = h_lookup_send(1, "x");
	asked_for(ROOT, "x", ERR_NONODE, 0, 0);
	assert_int_equal(h_answer(unique), -ENOENT);
	unique = h_request2(FUSE_MKDIR, 1, &mkdir, sizeof mkdir, "d", 2);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.parent, ROOT);
	h_reply(unique, ERR_EXISTS, 0x100, NULL, NULL);
	assert_int_equal(h_answer(unique), -EEXIST);
	unique = h_request2(FUSE_RENAME2, 50, &rename, sizeof rename, "a\0b", 4);
	assert_int_equal(h_expect(WIRE_T_RENAME)->rename.parent, 50);
	assert_int_equal(h.msg.rename.newparent, ROOT);
	h_reply(unique, ERR_NONODE, 0x100, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	/* Nothing is above it. */
	unique = h_request(FUSE_OPENDIR, 1, &open, sizeof open);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	read.fh = h_fh();
	unique = h_request(FUSE_READDIR, 1, &read, sizeof read);
	assert_int_equal(h_expect(WIRE_T_LIST)->list.id, ROOT);
	h_reply(h.msg.list.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry->ino, ROOT);
	entry = (const void *)((const uint8_t *)entry + FUSE_DIRENT_SIZE(entry));
	assert_memory_equal(entry->name, "..", 2);
	assert_int_equal(entry->ino, ROOT);
}

static void
changed(struct wire_change change)
{
	static uint64_t zxid = 0x200;
	struct wire_msg msg = { .type = WIRE_T_CHANGE, .change = change };

	msg.change.zxid = ++zxid;
	msg.change.last = 1;
	h.nnotified = 0;
	h.echo_pushed = 0;
	h_tell(&msg);
	h_no_answer(2);
}

static void
test_changes(void **state)
{
	(void)state;
	changed((struct wire_change){
	    .kind = WIRE_ADD, .id = 50, .mode = REG, .parent = ROOT, .name = call_blob("f") });
	assert_true(h_notified(1));
	assert_false(h_notified(ROOT));
	assert_int_equal(h.echo_pushed, 1);
	changed((struct wire_change){
	    .kind = WIRE_ATTR, .id = ROOT, .mode = DIR, .parent = 30, .name = call_blob("app") });
	assert_true(h_notified(1));
	assert_int_equal(h.echo_pushed, 1);
	/* The tree's root is told to everybody; here it is outside. */
	changed((struct wire_change){
	    .kind = WIRE_ADD, .id = 51, .mode = REG, .parent = 1, .name = call_blob("f") });
	assert_int_equal(h.nnotified, 0);
	assert_int_equal(h.echo_pushed, 0);
	changed((struct wire_change){ .kind = WIRE_ATTR, .id = 1, .mode = DIR });
	assert_int_equal(h.nnotified, 0);
	assert_int_equal(h.echo_pushed, 0);
}

/* GETATTR of the mount point: the errno. */
static int
getattr_root(int code)
{
	struct wire_stat stat = h_stat(ROOT, DIR);
	uint64_t unique = h_request(
	    FUSE_GETATTR, 1, &(struct fuse_getattr_in){ 0 }, sizeof(struct fuse_getattr_in));

	assert_int_equal(h_expect(WIRE_T_GETATTR)->getattr.id, ROOT);
	h_reply(h.msg.getattr.rid, code, 0x300, code == ERR_OK ? &stat : NULL, NULL);
	return h_answer(unique);
}

static void
test_root_moves(void **state)
{
	struct wire_change change = { .kind = WIRE_MOVE,
		.id = ROOT,
		.mode = DIR,
		.parent = 30,
		.name = call_blob("app"),
		.parent2 = 31,
		.name2 = call_blob("b") };

	(void)state;
	changed(change);
	assert_true(h_notified(1));
	assert_int_equal(h.echo_pushed, 0);
	change.kind = WIRE_SWAP;
	change.id2 = 60;
	changed(change);
	assert_int_equal(h.echo_pushed, 0);
	change.id = 60;
	change.id2 = ROOT;
	changed(change);
	assert_int_equal(h.echo_pushed, 0);
	assert_false(inode_is_gone(&h.fsd, ROOT));
	assert_int_equal(getattr_root(ERR_OK), 0);
}

/* An event for who watches; then there is nothing. */
static void
is_gone(void)
{
	assert_true(h_notified(1));
	assert_int_equal(h.echo_pushed, 1);
	assert_int_equal(h.pushed.kind, WIRE_ATTR);
	assert_int_equal(h.pushed.id, ROOT);
	assert_int_equal(h.pushed.mode, DIR);
	assert_int_equal(getattr_root(ERR_NONODE), -ESTALE);
	assert_int_equal(getattr_root(ERR_NONODE), -ENOENT);
}

static void
test_root_removed(void **state)
{
	(void)state;
	changed((struct wire_change){
	    .kind = WIRE_REMOVE, .id = ROOT, .mode = DIR, .parent = 30, .name = call_blob("app") });
	is_gone();
}

static void
test_root_replaced(void **state)
{
	(void)state;
	changed((struct wire_change){ .kind = WIRE_MOVE,
	    .id = 60,
	    .id2 = ROOT,
	    .mode = DIR,
	    .parent = 30,
	    .name = call_blob("new"),
	    .parent2 = 30,
	    .name2 = call_blob("app") });
	is_gone();
}

static uint64_t
nodeid(void)
{
	return ((const struct fuse_entry_out *)(const void *)answer.body)->nodeid;
}

/* What only a root has; what is asked begins there. */
static void
test_zab(void **state)
{
	struct wire_stat stat = h_stat(ROOT, DIR);
	uint64_t zab = ino_make(INO_ZAB, ROOT), unique, ino;

	(void)state;
	assert_int_equal(h_answer(h_lookup_send(1, ".zab")), 0);
	assert_int_equal(nodeid(), zab);
	assert_int_equal(h_answer(h_lookup_send(zab, "session")), 0);
	assert_int_equal(nodeid(), ino_make(INO_SESSION, ROOT));
	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_ZAB, 50), "session")), -ENOENT);
	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_ZAB, 1), "session")), -ENOENT);
	assert_int_equal(h_answer(h_lookup_send(zab, "txn")), 0);
	ino = nodeid();
	assert_int_equal(h_answer(h_open_send(ino, O_RDWR)), 0);
	unique = h_write_send(ino, h_fh(), O_RDWR, 0, "check /\n", 8);
	assert_int_equal(h_expect(WIRE_T_MULTI)->multi.root, ROOT);
	h_reply(unique, ERR_OK, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	unique = h_lookup_send(zab, "events");
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	unique = h_open_send(nodeid(), O_RDONLY);
	assert_int_equal(h_expect(WIRE_T_EVENTS)->events.root, ROOT);
	assert_int_equal(h.msg.events.dir, ROOT);
	h_reply(h.msg.events.rid, ERR_OK, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
}

#define T(name, setup) cmocka_unit_test_setup_teardown(name, setup, h_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_found, h_setup),
		T(test_not_found, h_setup),
		T(test_before, h_setup),
		T(test_numbers, setup),
		T(test_changes, setup),
		T(test_root_moves, setup),
		T(test_root_removed, setup),
		T(test_root_replaced, setup),
		T(test_zab, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
