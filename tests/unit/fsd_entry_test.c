/* Names: lookup, creation, removal, rename, and what the kernel is told to forget. */
#include "tests/unit/fsd_harness.h"

#include <grp.h>
#include <limits.h>

static const struct fuse_entry_out *
entry(void)
{
	return (const void *)answer.body;
}

static uint64_t
create_send(uint64_t parent, const char *name, uint32_t flags)
{
	struct fuse_create_in in = { .flags = flags | O_CREAT, .mode = S_IFREG | 0640 };

	return h_request2(FUSE_CREATE, parent, &in, sizeof in, name, strlen(name) + 1);
}

static void
test_lookup(void **state)
{
	struct wire_stat stat = h_stat(7, S_IFREG | 0644);
	const struct wire_lookup *lookup;
	uint64_t unique;

	(void)state;
	stat.size = 5;
	stat.uid = 12;
	unique = h_lookup_send(1, "f");
	lookup = &h_expect(WIRE_T_LOOKUP)->lookup;
	assert_int_equal(lookup->parent, 1);
	assert_int_equal(lookup->name.len, 1);
	h_reply(lookup->rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry()->nodeid, 7);
	assert_int_equal(entry()->generation, 0);
	assert_true(entry()->entry_valid > 86400 && entry()->attr_valid > 86400);
	assert_int_equal(entry()->attr.ino, 7);
	assert_int_equal(entry()->attr.size, 5);
	assert_int_equal(entry()->attr.nlink, 1);
	assert_int_equal(entry()->attr.uid, 12);
	assert_int_equal(entry()->attr.mtime, 1);
	assert_int_equal(entry()->attr.mtimensec, 500000000);
	assert_int_equal(entry()->attr.ctime, 2);
	assert_true(inode_known(&h.fsd, 7));
	assert_int_equal(inode_name_get(&h.fsd, 1, "f"), 7);
}

/* An error, never a negative entry. */
static void
test_lookup_absent(void **state)
{
	uint64_t unique = h_lookup_send(1, "none");

	(void)state;
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_NONODE, 0x100, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	assert_int_equal(answer.len, 0);
}

static void
test_forget(void **state)
{
	struct fuse_forget_in in = { .nlookup = 1 };
	const struct wire_forget *forget;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	h_known(7, S_IFREG | 0644, "f");
	h_request(FUSE_FORGET, 7, &in, sizeof in);
	h_nothing_sent(2);
	h_request(FUSE_FORGET, 7, &in, sizeof in);
	forget = &h_expect(WIRE_T_FORGET)->forget;
	assert_int_equal(forget->id, 7);
	assert_int_equal(forget->count, 2);
	assert_false(inode_known(&h.fsd, 7));
	assert_int_equal(inode_name_get(&h.fsd, 1, "f"), 0);
}

static void
test_create(void **state)
{
	struct wire_stat stat = h_stat(9, S_IFREG | 0640);
	const struct wire_create *create;
	const struct fuse_open_out *open =
	    (const void *)(answer.body + sizeof(struct fuse_entry_out));
	uint64_t unique = create_send(1, "n", O_WRONLY);

	(void)state;
	create = &h_expect(WIRE_T_CREATE)->create;
	assert_int_equal(create->rid, H_RID(unique));
	assert_int_equal(create->parent, 1);
	assert_int_equal(create->mode, S_IFREG | 0640);
	assert_int_equal(create->owner, WIRE_PERSISTENT);
	assert_int_equal(create->flags, 0);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry()->nodeid, 9);
	assert_int_equal(open->open_flags, FOPEN_DIRECT_IO | FOPEN_NOFLUSH);
	assert_true(open->fh >> 32 > 1700000000);
}

/*
 * Without O_EXCL the kernel is asked to run the open again; only in a row it is opened from
 * here.
 */
static void
test_create_exists(void **state)
{
	struct wire_stat stat = h_stat(9, S_IFREG | 0640);
	uint64_t unique;

	(void)state;
	unique = create_send(1, "n", O_WRONLY | O_EXCL);
	h_reply(h_expect(WIRE_T_CREATE)->create.rid, ERR_EXISTS, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -EEXIST);

	unique = create_send(1, "n", O_WRONLY);
	h_reply(h_expect(WIRE_T_CREATE)->create.rid, ERR_EXISTS, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);

	/* Another name is another operation: the kernel is to open that one itself, too. */
	unique = create_send(1, "m", O_WRONLY);
	h_reply(h_expect(WIRE_T_CREATE)->create.rid, ERR_EXISTS, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);

	/* The same one again is opened from here. */
	unique = create_send(1, "m", O_WRONLY);
	h_reply(h_expect(WIRE_T_CREATE)->create.rid, ERR_EXISTS, 0x101, NULL, NULL);
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry()->nodeid, 9);
}

static int
create_existing(const struct wire_stat *stat, const char *name)
{
	uint64_t unique;
	int i;

	for (i = 0; i < 2; i++) {
		unique = create_send(1, name, O_WRONLY);
		h_reply(h_expect(WIRE_T_CREATE)->create.rid, ERR_EXISTS, 0x101, NULL, NULL);
		if (i == 0)
			assert_int_equal(h_answer(unique), -ESTALE);
	}
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, stat, NULL);
	if (h_answer(unique) != 0)
		h_expect(WIRE_T_FORGET);
	return answer.head.error;
}

/* Opened from here: whoever the kernel would let, and nobody else. */
static void
test_create_exists_mode(void **state)
{
	struct wire_stat stat = h_stat(9, S_IFREG | 0460);
	gid_t before[NGROUPS_MAX], other = 78;
	int n = getgroups(NGROUPS_MAX, before);

	(void)state;
	if (setgroups(1, &other) != 0)
		skip();
	stat.uid = 1000;
	stat.gid = 77;
	h.uid = 1001;
	assert_int_equal(create_existing(&stat, "a"), -EACCES);
	h.uid = 1000;
	h.gid = 77;
	assert_int_equal(create_existing(&stat, "b"), -EACCES);
	h.uid = 1001;
	assert_int_equal(create_existing(&stat, "c"), 0);
	/* One of the groups that a process has beside its own. */
	h.gid = 1001;
	stat.gid = other;
	assert_int_equal(create_existing(&stat, "d"), 0);
	assert_int_equal(setgroups((size_t)n, before), 0);
}

static void
test_mkdir_symlink(void **state)
{
	struct wire_stat dir = h_stat(10, S_IFDIR | 0755), link = h_stat(11, S_IFLNK | 0777);
	struct fuse_mkdir_in in = { .mode = 0755 };
	const struct wire_create *create;
	uint64_t unique;

	(void)state;
	dir.children = 3;
	unique = h_request2(FUSE_MKDIR, 1, &in, sizeof in, "d", 2);
	create = &h_expect(WIRE_T_CREATE)->create;
	assert_int_equal(create->mode, S_IFDIR | 0755);
	h_reply(unique, ERR_OK, 0x101, &dir, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry()->attr.size, 3);

	unique = h_request2(FUSE_SYMLINK, 1, "l", 2, "target", 7);
	create = &h_expect(WIRE_T_CREATE)->create;
	assert_int_equal(create->mode, S_IFLNK | 0777);
	assert_memory_equal(create->value.data, "target", 6);
	assert_int_equal(create->value.len, 6);
	h_reply(unique, ERR_OK, 0x102, &link, NULL);
	assert_int_equal(h_answer(unique), 0);

	unique = h_request(FUSE_READLINK, 11, NULL, 0);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x102, &link, "target");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("target");
}

static void
test_unlink(void **state)
{
	const struct wire_delete *delete;
	uint64_t unique;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	unique = h_request(FUSE_UNLINK, 1, "f", 2);
	delete = &h_expect(WIRE_T_DELETE)->delete;
	assert_int_equal(delete->rid, H_RID(unique));
	assert_int_equal(delete->parent, 1);
	assert_int_equal(delete->dir, 0);
	assert_int_equal(delete->version, -1);
	assert_int_equal(delete->flags, 0);
	h_reply(unique, ERR_OK, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h.echo_owned, 7);
	assert_false(inode_live(&h.fsd, 7));

	unique = h_request(FUSE_RMDIR, 1, "d", 2);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.dir, 1);
	h_reply(unique, ERR_NOTEMPTY, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOTEMPTY);
}

/* Another mount has put another node there: the kernel is to look again before this one goes. */
static void
test_unlink_other(void **state)
{
	uint64_t unique;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	unique = h_request(FUSE_UNLINK, 1, "f", 2);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 7);
	h_reply(unique, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
	unique = h_request(FUSE_UNLINK, 1, "f", 2);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 0);
	h_reply(unique, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
}

/*
 * And once more before that: whatever stood there goes, and that is told back. What waits to be told
 * of the one that the kernel has found there is not withdrawn.
 */
static void
test_unlink_whichever(void **state)
{
	struct wire_stat next = h_stat(8, S_IFREG | 0644);
	uint64_t unique;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	unique = h_request(FUSE_UNLINK, 1, "f", 2);
	h_expect(WIRE_T_DELETE);
	h_reply(unique, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
	unique = h_lookup_send(1, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, &next, NULL);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x101, &next, "v");
	assert_int_equal(h_answer(unique), 0);
	unique = h_request(FUSE_UNLINK, 1, "f", 2);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 0);
	assert_int_equal(h.msg.delete.flags, WIRE_ECHO);
	h_change(WIRE_MOVE, 0x102, 8, S_IFREG | 0644, "f");
	h_reply(unique, ERR_OK, 0x103, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h.echo_owned, 0);
	assert_false(inode_is_gone(&h.fsd, 8));
}

static void
test_rename(void **state)
{
	struct fuse_rename2_in in = { .newdir = 1, .flags = 1 };
	const struct wire_rename *rename;
	struct wire_stat stat = h_stat(7, S_IFREG | 0644);
	uint64_t unique;

	(void)state;
	h_known(7, S_IFREG | 0644, "a");
	unique = h_request2(FUSE_RENAME2, 1, &in, sizeof in, "a\0b", 4);
	rename = &h_expect(WIRE_T_RENAME)->rename;
	assert_int_equal(rename->how, 1);
	assert_memory_equal(rename->name.data, "a", 1);
	assert_memory_equal(rename->newname.data, "b", 1);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(inode_name_get(&h.fsd, 1, "b"), 7);
	assert_int_equal(inode_name_get(&h.fsd, 1, "a"), 0);
	in.flags = 4; /* WHITEOUT */
	assert_int_equal(h_answer(h_request2(FUSE_RENAME2, 1, &in, sizeof in, "a\0b", 4)), -EINVAL);
	in.flags = 0;
	in.newdir = ino_make(INO_EPHEMERAL, 1);
	assert_int_equal(h_answer(h_request2(FUSE_RENAME2, 1, &in, sizeof in, "a\0b", 4)), -EXDEV);
}

/* The replica is told which nodes the kernel means; is it not those, the kernel looks again, once. */
static void
test_rename_meant(void **state)
{
	struct wire_stat moved = h_stat(7, S_IFREG | 0644);
	struct fuse_rename2_in in = { .newdir = 1 };
	uint64_t unique;

	(void)state;
	h_known(7, S_IFREG | 0644, "a");
	h_known(8, S_IFREG | 0644, "b");
	unique = h_request2(FUSE_RENAME2, 1, &in, sizeof in, "a\0b", 4);
	assert_int_equal(h_expect(WIRE_T_RENAME)->rename.id, 7);
	assert_int_equal(h.msg.rename.id2, 8);
	h_reply(unique, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
	h_run_ms(150); /* the directories' locks were taken */
	unique = h_request2(FUSE_RENAME2, 1, &in, sizeof in, "a\0b", 4);
	assert_int_equal(h_expect(WIRE_T_RENAME)->rename.id, 0);
	assert_int_equal(h.msg.rename.id2, 0);
	/* What stands there, and goes, may be another one than the kernel knows: it is told back. */
	assert_int_equal(h.msg.rename.flags, WIRE_ECHO);
	h_reply(unique, ERR_OK, 0x101, &moved, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h.echo_owned, 0);
	assert_false(inode_is_gone(&h.fsd, 8));
}

/* If nothing stands there any more, it is not found; and what comes then is another operation. */
static void
test_rename_not_found(void **state)
{
	struct fuse_rename2_in in = { .newdir = 1 };
	uint64_t unique;

	(void)state;
	h_known(7, S_IFREG | 0644, "a");
	unique = h_request2(FUSE_RENAME2, 1, &in, sizeof in, "a\0b", 4);
	h_expect(WIRE_T_RENAME);
	h_reply(unique, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
	unique = h_request2(FUSE_RENAME2, 1, &in, sizeof in, "a\0b", 4);
	h_expect(WIRE_T_RENAME);
	h_reply(unique, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	unique = h_request2(FUSE_RENAME2, 1, &in, sizeof in, "a\0b", 4);
	assert_int_equal(h_expect(WIRE_T_RENAME)->rename.id, 7);
	h_reply(unique, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
}

static void
test_errnos(void **state)
{
	static const struct {
		int code, errnum;
	} table[] = {
		{ ERR_NONODE, ENOENT },
		{ ERR_EXISTS, EEXIST },
		{ ERR_NOTDIR, ENOTDIR },
		{ ERR_FBIG, EFBIG },
		{ ERR_NOSPC, ENOSPC },
		{ ERR_ROFS, EROFS },
		{ ERR_QUOTA, EDQUOT },
		{ ERR_BADVERSION, ECANCELED },
		{ ERR_NAMETOOLONG, ENAMETOOLONG },
		{ ERR_IO, EIO },
	};
	struct fuse_mkdir_in in = { .mode = 0755 };
	uint64_t unique;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof table / sizeof table[0]; i++) {
		unique = h_request2(FUSE_MKDIR, 1, &in, sizeof in, "d", 2);
		h_reply(h_expect(WIRE_T_CREATE)->create.rid, table[i].code, 0x101, NULL, NULL);
		assert_int_equal(h_answer(unique), -table[i].errnum);
	}
}

/* A remote change: the attributes go, before any later answer. */
static void
test_change_before_answer(void **state)
{
	uint64_t unique;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	unique = h_lookup_send(1, "g");
	h_expect(WIRE_T_LOOKUP);
	h_change(WIRE_VALUE, 0x101, 7, S_IFREG | 0644, "f");
	h_reply(h.msg.lookup.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	assert_true(h_notified(7));
	assert_int_equal(h.echo_pushed, 1);
	assert_int_equal(link_zxid(h.fsd.link), 0x101);
	/* A change from before is not one. */
	h_change(WIRE_VALUE, 0x100, 7, S_IFREG | 0644, "f");
	h_run_ms(3);
	assert_int_equal(h.echo_pushed, 1);
}

/* The kernel may not have consumed the LOOKUP's answer yet. */
static void
test_invalidation_retried(void **state)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	h.notify_enoent = true;
	h_change(WIRE_VALUE, 0x101, 7, S_IFREG | 0644, "f");
	while (h.notify_refused <= 2 && fsd_now_ns() < until)
		h_turn();
	assert_true(h.notify_refused > 2);
	h.notify_enoent = false;
	while (!h_notified(7) && fsd_now_ns() < until) {
		h_turn();
		assert_false(h_packet());
	}
	assert_true(h_notified(7));
	h.nnotified = 0;
	h_run_ms(5);
	assert_false(h_packet());
	assert_int_equal(h.nnotified, 0);
}

static void
test_echo_asked_first(void **state)
{
	(void)state;
	h.unique += 2;
	h_send_raw(FUSE_LOOKUP, h.unique, 1, H_ECHO_TID, "f", 2);
	assert_int_equal(h_answer(h.unique), -ENOENT);
	assert_int_equal(h.echo_asked, 1);
	h_nothing_sent(1);
}

static void
test_name_too_long(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'x', sizeof name);
	name[299] = '\0';
	assert_int_equal(h_answer(h_lookup_send(1, name)), -ENAMETOOLONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lookup, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_lookup_absent, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_forget, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_create, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_create_exists, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_create_exists_mode, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_mkdir_symlink, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_unlink, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_unlink_other, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_rename, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_rename_meant, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_rename_not_found, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_unlink_whichever, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_errnos, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_change_before_answer, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_invalidation_retried, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_echo_asked_first, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_name_too_long, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
