/* Directories: what is answered without asking the replica, and when it has to be asked. */
#include "tests/unit/fsd_harness.h"

#define DIR_MODE (S_IFDIR | 0755)

static const struct fuse_getattr_in getattr;

static uint64_t
getattr_send(uint64_t id)
{
	return h_request(FUSE_GETATTR, id, &getattr, sizeof getattr);
}

static const struct fuse_attr *
shown(void)
{
	return &((const struct fuse_attr_out *)(const void *)answer.body)->attr;
}

static bool
answered_at_once(uint64_t unique)
{
	h_nothing_sent(2);
	assert_int_equal(h_answer(unique), 0);
	return true;
}

/* The replica is asked, and says so. */
static void
getattr_asked(uint64_t id, uint64_t zxid, uint32_t children)
{
	struct wire_stat stat = h_stat(id, DIR_MODE);
	uint64_t unique = getattr_send(id);

	stat.children = children;
	assert_int_equal(h_expect(WIRE_T_GETATTR)->getattr.id, id);
	h_reply(h.msg.getattr.rid, ERR_OK, zxid, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(shown()->size, children);
}

static void
getattr_exact(uint64_t id, uint32_t children)
{
	assert_true(answered_at_once(getattr_send(id)));
	assert_int_equal(shown()->size, children);
}

static void
lookup_asked(const char *name, uint64_t id, uint64_t zxid)
{
	struct wire_stat stat = h_stat(id, DIR_MODE);
	uint64_t unique = h_lookup_send(1, name);

	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, zxid, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
}

static void
lookup_exact(const char *name, uint64_t id)
{
	const struct fuse_entry_out *entry = (const void *)answer.body;

	assert_true(answered_at_once(h_lookup_send(1, name)));
	assert_int_equal(entry->nodeid, id);
	assert_true(entry->entry_valid > 86400 && entry->attr_valid > 86400);
}

/* A child comes or goes elsewhere; children: -1: without the directory's attributes. */
static void
told(enum wire_change_kind kind, uint64_t zxid, uint64_t dir, int children)
{
	struct wire_stat stat = h_stat(dir, DIR_MODE);
	struct wire_msg msg = { .type = WIRE_T_CHANGE,
		.change = { .zxid = zxid,
		    .op = 1,
		    .last = 1,
		    .kind = kind,
		    .mode = S_IFREG | 0644,
		    .id = 90,
		    .parent = dir,
		    .name = { (const uint8_t *)"child", 5 } } };
	msgpack_sbuffer packed;

	msgpack_sbuffer_init(&packed);
	stat.children = (uint32_t)children;
	stat.mtime_ns = (int64_t)zxid * 1000000000;
	wire_stat_pack(&packed, &stat);
	if (children >= 0)
		msg.change.pstat =
		    (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	h_tell(&msg);
	msgpack_sbuffer_destroy(&packed);
	h_run_ms(2);
}

static void
test_getattr(void **state)
{
	(void)state;
	h_known(7, DIR_MODE, "d");
	getattr_exact(7, 0);
	told(WIRE_ADD, 0x101, 7, 3);
	getattr_exact(7, 3);
	assert_true(h_notified(7));
	assert_int_equal(shown()->mtime, 0x101);
	assert_int_equal(shown()->mode, DIR_MODE);
	told(WIRE_REMOVE, 0x102, 7, 2);
	getattr_exact(7, 2);
	told(WIRE_MOVE, 0x103, 7, -1);
	getattr_asked(7, 0x103, 5);
	getattr_exact(7, 5);
	/* Of the directory itself. */
	h_change(WIRE_ATTR, 0x104, 7, DIR_MODE, "d");
	h_run_ms(2);
	getattr_asked(7, 0x104, 5);
}

/* Who a file is held by, and until when, only the replica knows. */
static void
test_file(void **state)
{
	struct wire_stat stat = h_stat(8, S_IFREG | 0644);
	uint64_t unique;

	(void)state;
	h_known(8, S_IFREG | 0644, "f");
	h_known(8, S_IFREG | 0644, "f");
	unique = getattr_send(8);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
}

/* The kernel's own calls are told by their answers alone. */
static void
test_own(void **state)
{
	struct fuse_mkdir_in mkdir = { .mode = 0755 };
	struct fuse_setattr_in chmod = { .valid = FATTR_MODE, .mode = S_IFREG | 0600 };
	struct wire_stat made = h_stat(20, DIR_MODE), file = h_stat(8, S_IFREG | 0600);
	uint64_t unique;

	(void)state;
	h_known(7, DIR_MODE, "d");
	h_known(8, S_IFREG | 0644, "f");
	made.parent = 7;
	unique = h_request2(FUSE_MKDIR, 7, &mkdir, sizeof mkdir, "sub", 4);
	h_expect(WIRE_T_CREATE);
	h_reply(unique, ERR_OK, 0x101, &made, NULL);
	assert_int_equal(h_answer(unique), 0);
	getattr_exact(20, 0);
	getattr_asked(7, 0x101, 1);
	getattr_exact(7, 1);
	unique = h_request(FUSE_SETATTR, 8, &chmod, sizeof chmod);
	h_expect(WIRE_T_SETATTR);
	/* Another's, which this one is told together with. */
	told(WIRE_ADD, 0x103, 7, 2);
	h_reply(unique, ERR_OK, 0x103, &file, NULL);
	assert_int_equal(h_answer(unique), 0);
	getattr_exact(7, 2);
	getattr_asked(20, 0x103, 0);
}

static void
outdated(uint64_t unique, uint64_t dir)
{
	h.nnotified = 0;
	assert_int_equal(h_answer(unique), 0);
	/* Before the answer: who asks behind it is not to find what somebody else has written down. */
	assert_true(h_notified(dir));
	h_no_answer(2);
}

/* What others had asked before, and write down only now, must not stay in the kernel. */
static void
test_outdated(void **state)
{
	struct fuse_mkdir_in mkdir = { .mode = 0755 };
	struct fuse_create_in create = { .flags = O_CREAT, .mode = S_IFREG | 0640 };
	struct fuse_rename2_in rename = { .newdir = 1 };
	struct wire_stat made = h_stat(20, DIR_MODE), file = h_stat(21, S_IFREG | 0640);
	uint64_t unique;

	(void)state;
	h_known(7, DIR_MODE, "d");
	unique = h_request2(FUSE_MKDIR, 7, &mkdir, sizeof mkdir, "sub", 4);
	h_expect(WIRE_T_CREATE);
	h_reply(unique, ERR_OK, 0x101, &made, NULL);
	outdated(unique, 7);
	unique = h_request2(FUSE_CREATE, 7, &create, sizeof create, "f", 2);
	h_expect(WIRE_T_CREATE);
	h_reply(unique, ERR_OK, 0x102, &file, NULL);
	outdated(unique, 7);
	unique = h_request2(FUSE_RENAME2, 7, &rename, sizeof rename, "f\0g", 4);
	h_expect(WIRE_T_RENAME);
	h_reply(unique, ERR_OK, 0x103, &file, NULL);
	outdated(unique, 7);
	assert_true(h_notified(1));
	assert_true(h_notified(21));
	unique = h_request(FUSE_UNLINK, 7, "f", 2);
	h_expect(WIRE_T_DELETE);
	h_reply(unique, ERR_OK, 0x104, NULL, NULL);
	outdated(unique, 7);
}

/* A file's value changes no directory, nor does a lock. */
static void
test_own_value(void **state)
{
	struct wire_stat file = h_stat(8, S_IFREG | 0644);
	uint64_t unique, fh;

	(void)state;
	h_known(7, DIR_MODE, "d");
	h_known(8, S_IFREG | 0644, "f");
	unique = h_open_send(8, O_WRONLY);
	if (h_take())
		h_reply(h.msg.getattr.rid, ERR_OK, 0x100, &file, NULL);
	assert_int_equal(h_answer(unique), 0);
	fh = h_fh();
	unique = h_write_send(8, fh, O_WRONLY, 0, "v", 1);
	h_expect(WIRE_T_WRITE);
	h_reply(unique, ERR_OK, 0x101, &file, NULL);
	assert_int_equal(h_answer(unique), 0);
	getattr_exact(7, 0);
	lookup_exact("d", 7);
	unique = h_flock_send(8, fh, LOCK_EX);
	h_expect(WIRE_T_LOCK);
	h_reply(unique, ERR_OK, 0x102, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	getattr_exact(7, 0);
	lookup_exact("d", 7);
}

static void
test_lookup(void **state)
{
	struct fuse_rename2_in rename = { .newdir = 1 };
	uint64_t unique;

	(void)state;
	h_known(7, DIR_MODE, "d");
	lookup_exact("d", 7);
	told(WIRE_ADD, 0x101, 7, 1);
	lookup_exact("d", 7);
	/* One's own move of something may have moved it along. */
	unique = h_request2(FUSE_RENAME2, 1, &rename, sizeof rename, "a\0b", 4);
	h_expect(WIRE_T_RENAME);
	h_reply(unique, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	lookup_asked("d", 7, 0x101);
	lookup_exact("d", 7);
	h_change(WIRE_MOVE, 0x102, 7, DIR_MODE, "d");
	h_run_ms(2);
	lookup_asked("d", 30, 0x102);
	lookup_exact("d", 30);
	h_change(WIRE_REMOVE, 0x103, 30, DIR_MODE, "d");
	h_run_ms(2);
	unique = h_lookup_send(1, "d");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_NONODE, 0x103, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
}

/* What is at a name by now a lookup of it says, or a listing. */
static void
test_replaced(void **state)
{
	(void)state;
	h_known(7, DIR_MODE, "d");
	h_change(WIRE_SWAP, 0x101, 90, DIR_MODE, "e");
	h_run_ms(2);
	lookup_exact("d", 7);
	told(WIRE_VALUE, 0x102, 1, -1);
	lookup_exact("d", 7);
	lookup_asked("other", 7, 0x103);
	lookup_asked("d", 31, 0x103);
	lookup_exact("other", 7);
	lookup_exact("d", 31);
}

static void
connection_ends(void)
{
	close(h.replica);
	h.replica = -1;
	h_until_state(LINK_CONNECTING);
}

static void
welcomed(uint64_t zxid)
{
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_OK, H_SESSION, zxid);
	assert_int_equal(h_expect(WIRE_T_INTEREST)->interest.id, 7);
	h_expect(WIRE_T_RESUME);
}

static void
reattached(uint64_t zxid, uint32_t complete)
{
	welcomed(zxid);
	h_resumed(zxid, complete);
	h_until_state(LINK_CONNECTED);
}

/* Changes were missed. */
static void
test_gap(void **state)
{
	(void)state;
	h_known(7, DIR_MODE, "d");
	connection_ends();
	reattached(0x200, 0);
	getattr_asked(7, 0x200, 1);
	getattr_exact(7, 1);
	lookup_asked("d", 7, 0x200);
	lookup_exact("d", 7);
}

/* While there is no replica nobody knows; back at one that has told all changes, it is right. */
static void
test_reattached(void **state)
{
	struct wire_stat stat = h_stat(7, DIR_MODE);
	uint64_t unique;

	(void)state;
	h_known(7, DIR_MODE, "d");
	connection_ends();
	unique = getattr_send(7);
	h_no_answer(5);
	reattached(0x100, 1);
	h_expect(WIRE_T_GETATTR);
	getattr_exact(7, 0);
	lookup_exact("d", 7);
	h_reply(h.msg.getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
}

static void
moved(uint64_t zxid, uint64_t id, const char *from, const char *to, bool own)
{
	struct wire_msg msg = { .type = WIRE_T_CHANGE,
		.change = { .zxid = zxid,
		    .op = 1,
		    .last = 1,
		    .kind = WIRE_MOVE,
		    .mode = DIR_MODE,
		    .id = id,
		    .parent = 1,
		    .name = { (const uint8_t *)from, (uint32_t)strlen(from) },
		    .parent2 = 1,
		    .name2 = { (const uint8_t *)to, (uint32_t)strlen(to) },
		    .own = own } };

	h_tell(&msg);
	h_run_ms(2);
}

static void
lookup_in_vain(const char *name, uint64_t zxid)
{
	uint64_t unique = h_lookup_send(1, name);

	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_NONODE, zxid, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
}

/* The answer to a move that was made long ago doesn't say where the directory is by now. */
static void
test_resent(void **state)
{
	struct fuse_rename2_in rename = { .newdir = 1 };
	struct wire_stat stat = h_stat(7, DIR_MODE);
	uint64_t unique;

	(void)state;
	h_known(7, DIR_MODE, "d");
	unique = h_request2(FUSE_RENAME2, 1, &rename, sizeof rename, "d\0e", 4);
	h_expect(WIRE_T_RENAME);
	connection_ends();
	welcomed(0x102);
	moved(0x101, 7, "d", "e", true);
	moved(0x102, 7, "e", "f", false);
	h_resumed(0x102, 1);
	h_expect(WIRE_T_RENAME);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	lookup_in_vain("e", 0x102);
}

/* Nor does a lookup behind which something else was asked. */
static void
test_found_before(void **state)
{
	struct wire_stat stat = h_stat(7, DIR_MODE);
	uint64_t unique;

	(void)state;
	h_known(7, DIR_MODE, "d");
	grace_begin(&h.fsd, H_DEAD_TID - 1, 7);
	unique = h_request_of(H_DEAD_TID - 1, FUSE_LOOKUP, 1, "d", 2);
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x100, &stat, NULL);
	h_expect(WIRE_T_READ);
	moved(0x101, 7, "d", "e", false);
	h_reply(h.msg.read.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	lookup_in_vain("d", 0x101);
}

/* What is shown of the root while nobody can be asked is not older than what was. */
static void
test_root(void **state)
{
	(void)state;
	told(WIRE_ADD, 0x101, 1, 3);
	assert_true(
	    answered_at_once(h_request_of(H_ECHO_TID, FUSE_GETATTR, 1, &getattr, sizeof getattr)));
	assert_int_equal(shown()->size, 3);
}

static int
setup_alone(void **state)
{
	(void)state;
	h_begin(200, false);
	return 0;
}

/* It is answered then, but nobody tells when it changes. */
static void
test_root_alone(void **state)
{
	const struct fuse_attr_out *out = (const void *)answer.body;

	(void)state;
	assert_int_equal(h_answer(getattr_send(1)), 0);
	assert_int_equal(out->attr_valid, 0);
	assert_int_equal(out->attr_valid_nsec, 0);
}

/* A node that no answer has counted for is told of to nobody. */
static void
test_no_interest(void **state)
{
	(void)state;
	getattr_asked(9, 0x100, 1);
	getattr_asked(9, 0x100, 2);
}

/* The kernel is not to ask twice for one call of the echo; others are to see nothing old. */
static void
test_echo(void **state)
{
	const struct fuse_attr_out *out = (const void *)answer.body;
	uint64_t unique;

	(void)state;
	h_known(7, DIR_MODE, "d");
	unique = h_request_of(H_ECHO_TID, FUSE_GETATTR, 7, &getattr, sizeof getattr);
	assert_true(answered_at_once(unique));
	assert_int_equal(out->attr_valid, 0);
	assert_in_range(out->attr_valid_nsec, 1, 10000000);
	told(WIRE_MOVE, 0x101, 7, -1);
	unique = h_request_of(H_ECHO_TID, FUSE_GETATTR, 7, &getattr, sizeof getattr);
	assert_true(answered_at_once(unique));
	assert_int_equal(out->attr_valid, 0);
	assert_int_equal(out->attr_valid_nsec, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_getattr, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_file, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_own, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_outdated, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_own_value, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_lookup, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_replaced, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_gap, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_reattached, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_resent, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_found_before, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_root, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_root_alone, setup_alone, h_teardown),
		cmocka_unit_test_setup_teardown(test_no_interest, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_echo, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
