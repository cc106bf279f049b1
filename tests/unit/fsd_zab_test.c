/* `.zab`: the virtual tree, modifiers, metadata, the session, held nodes. */
#include "tests/unit/fsd_harness.h"

#define DIR 20
#define ZAB ino_make(INO_ZAB, DIR)
#define EPHEMERAL ino_make(INO_EPHEMERAL, DIR)
#define HELD ino_make(INO_HELD, DIR)

static const struct fuse_entry_out *
entry(void)
{
	return (const void *)answer.body;
}

/* A LOOKUP that asks for the directory's attributes. */
static void
lookup_dir(uint64_t parent, const char *name, uint64_t ino, uint32_t mode, bool cached)
{
	struct wire_stat stat = h_stat(DIR, S_IFDIR | 0750);
	uint64_t unique = h_lookup_send(parent, name);

	stat.uid = 33;
	stat.size = 4;
	assert_int_equal(h_expect(WIRE_T_GETATTR)->getattr.id, DIR);
	assert_int_equal(h.msg.getattr.count, 0);
	h_reply(h.msg.getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry()->nodeid, ino);
	assert_int_equal(entry()->attr.mode, mode);
	assert_int_equal(entry()->attr_valid, 0);
	assert_true((entry()->entry_valid > 0) == cached);
}

static void
test_lookups(void **state)
{
	(void)state;
	lookup_dir(DIR, ".zab", ZAB, S_IFDIR | 0750, true);
	assert_int_equal(entry()->attr.uid, 33);
	lookup_dir(ZAB, "data", ino_make(INO_DATA, DIR), S_IFREG | 0640, false);
	assert_int_equal(entry()->attr.size, 4);
	lookup_dir(ZAB, "stat", ino_make(INO_STATS, DIR), S_IFDIR | 0750, true);
	lookup_dir(ZAB, "ephemeral", EPHEMERAL, S_IFDIR | 0750, true);
	lookup_dir(ZAB, "held", HELD, S_IFDIR | 0750, true);
	lookup_dir(ZAB, "self", ino_make(INO_STAT, DIR), S_IFREG | 0444, false);
	assert_int_equal(h_answer(h_lookup_send(ZAB, "session")), -ENOENT);
	assert_int_equal(h_answer(h_lookup_send(ZAB, "nothing")), -ENOENT);
	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_ZAB, 1), "session")), 0);
	assert_int_equal(entry()->nodeid, ino_make(INO_SESSION, 1));
	assert_true(entry()->attr.size > 20);
}

static void
test_listing(void **state)
{
	struct fuse_open_in open = { .flags = O_RDONLY | O_DIRECTORY };
	struct fuse_read_in in = { .size = 4096 };
	size_t at, n = 0;

	(void)state;
	assert_int_equal(h_answer(h_request(FUSE_OPENDIR, ZAB, &open, sizeof open)), 0);
	in.fh = h_fh();
	assert_int_equal(h_answer(h_request(FUSE_READDIR, ZAB, &in, sizeof in)), 0);
	for (at = 0; at < answer.len; n++) {
		const struct fuse_dirent *entry = (const void *)(answer.body + at);

		if (n == 2)
			assert_memory_equal(entry->name, "data", 4);
		at += FUSE_DIRENT_SIZE(entry);
	}
	assert_int_equal(n, 12);
	assert_int_equal(h_answer(h_request(FUSE_READDIR, EPHEMERAL, &in, sizeof in)), 0);
	in.offset = 2;
	assert_int_equal(h_answer(h_request(FUSE_READDIR, EPHEMERAL, &in, sizeof in)), 0);
	assert_int_equal(answer.len, 0);
}

static void
test_stat_text(void **state)
{
	struct wire_stat stat = h_stat(30, S_IFREG | 0644);
	uint64_t unique, ino = ino_make(INO_STAT, 30), fh;

	(void)state;
	stat.owner = 0xabc;
	stat.version = 3;
	stat.size = 17;
	stat.birth_ns = 1000000001;
	unique = h_lookup_send(ino_make(INO_STATS, DIR), "n");
	assert_int_equal(h_expect(WIRE_T_LOOKUP)->lookup.parent, DIR);
	h_reply(h.msg.lookup.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry()->nodeid, ino);
	assert_int_equal(entry()->entry_valid, 0);
	/* The znode itself is not what the kernel learned of. */
	assert_int_equal(h_expect(WIRE_T_FORGET)->forget.id, 30);

	assert_int_equal(h_answer(h_open_send(ino, O_WRONLY)), -EACCES);
	unique = h_open_send(ino, O_RDONLY);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	fh = h_fh();
	assert_int_equal(h_answer(h_read_send(ino, fh, 0, 4096)), 0);
	h_body_is("czxid 0x5\nmzxid 0x6\npzxid 0x5\nversion 3\ncversion 0\naversion 0\nowner "
		  "0xabc\nhandle 0\n"
		  "birth 1970-01-01T00:00:01.000000001Z\nmtime 1970-01-01T00:00:01.500000000Z\n"
		  "id 30\nsize 17\nchildren 0\nkind file\nttl_ms 0\ncontainer no\n");
	/* The first read is of what OPEN made; the next from the start is anew. */
	stat.version = 4;
	unique = h_read_send(ino, fh, 0, 4096);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_non_null(memmem(answer.body, answer.len, "version 4\n", 10));
}

static void
test_session_text(void **state)
{
	uint64_t ino = ino_make(INO_SESSION, 1), fh;

	(void)state;
	assert_int_equal(h_answer(h_open_send(ino, O_RDONLY)), 0);
	fh = h_fh();
	assert_int_equal(h_answer(h_read_send(ino, fh, 0, 4096)), 0);
	h_body_is("id 0x77\nstate connected\ntimeout_ms 10000\nreplica 1\nzxid 0x100\n");
}

/* The replica makes the text, when it is opened and at each read from the start. */
static void
test_cluster(void **state)
{
	uint64_t cluster = ino_make(INO_CLUSTER, 1), ino = ino_make(INO_MEMBERS, 1), unique, fh;

	(void)state;
	assert_int_equal(h_answer(h_lookup_send(ZAB, "cluster")), -ENOENT);
	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_ZAB, 1), "cluster")), 0);
	assert_int_equal(entry()->nodeid, cluster);
	assert_int_equal(entry()->attr.mode, S_IFDIR | 0555);
	assert_int_equal(h_answer(h_lookup_send(cluster, "members")), 0);
	assert_int_equal(entry()->nodeid, ino);
	assert_int_equal(entry()->attr.mode, S_IFREG | 0444);
	assert_int_equal(entry()->attr.uid, 0);
	assert_int_equal(h_answer(h_lookup_send(cluster, "nothing")), -ENOENT);
	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_ZAB, 1), "metrics")), 0);
	assert_int_equal(entry()->nodeid, ino_make(INO_METRICS, 1));

	assert_int_equal(h_answer(h_open_send(ino, O_RDWR)), -EACCES);
	unique = h_open_send(ino, O_RDONLY);
	assert_int_equal(h_expect(WIRE_T_REPORT)->report.what, WIRE_MEMBERS);
	h_reply(h.msg.report.rid, ERR_OK, 0, NULL, "# ID\n1\n");
	assert_int_equal(h_answer(unique), 0);
	fh = h_fh();
	assert_int_equal(h_answer(h_read_send(ino, fh, 0, 4096)), 0);
	h_body_is("# ID\n1\n");
	assert_int_equal(h_answer(h_read_send(ino, fh, 7, 4096)), 0);
	h_body_is("");
	unique = h_read_send(ino, fh, 0, 4096);
	h_reply(h_expect(WIRE_T_REPORT)->report.rid, ERR_OK, 0, NULL, "# ID\n2\n");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("# ID\n2\n");
	assert_int_equal(h_answer(h_release_send(ino, fh, O_RDONLY)), 0);
}

/* What is written there is a command: a voter's number. */
static void
test_hand_over(void **state)
{
	static const char *const wrong[] = { "", "\n", "0", "x", "1 2", "-1", "1x", "9999999999" };
	static const struct {
		int code, errnum;
	} answers[] = { { ERR_OK, 0 }, { ERR_INVAL, -EINVAL }, { ERR_BUSY, -EBUSY },
		{ ERR_NOQUORUM, -EHOSTUNREACH } };
	uint64_t ino = ino_make(INO_LEADER, 1), unique, fh;
	size_t i;

	(void)state;
	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_CLUSTER, 1), "leader")), 0);
	assert_int_equal(entry()->attr.mode, S_IFREG | 0644);
	assert_int_equal(h_answer(h_open_send(ino, O_WRONLY | O_TRUNC)), 0);
	fh = h_fh();
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(
		    h_answer(h_write_send(ino, fh, O_WRONLY, 0, wrong[i], strlen(wrong[i]))),
		    -EINVAL);
	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		unique = h_write_send(ino, fh, O_WRONLY, 0, " 12\n", 4);
		assert_int_equal(h_expect(WIRE_T_HAND_OVER)->hand_over.member, 12);
		h_reply(h.msg.hand_over.rid, answers[i].code, 0x101, NULL, NULL);
		assert_int_equal(h_answer(unique), answers[i].errnum);
	}
	/* What was truncated and not written is nobody's value. */
	assert_int_equal(h_answer(h_release_send(ino, fh, O_WRONLY)), 0);
	h_nothing_sent(2);
}

static void
test_data(void **state)
{
	struct wire_stat stat = h_stat(DIR, S_IFDIR | 0755);
	uint64_t ino = ino_make(INO_DATA, DIR), unique, fh;

	(void)state;
	h_known(DIR, S_IFDIR | 0755, "d");
	assert_int_equal(h_answer(h_open_send(ino, O_WRONLY | O_TRUNC)), 0);
	fh = h_fh();
	unique = h_write_send(ino, fh, O_WRONLY, 0, "v", 1);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.id, DIR);
	assert_int_equal(h.msg.write.how, WIRE_REPLACE);
	assert_int_equal(h.msg.write.flags, 0);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	h_run_ms(2);
	assert_false(h_packet());
	assert_true(h_notified(DIR)); /* its change time */
}

static uint64_t
create_send(uint64_t parent, const char *name, uint32_t flags)
{
	struct fuse_create_in in = { .flags = flags | O_CREAT, .mode = S_IFREG | 0644 };

	return h_request2(FUSE_CREATE, parent, &in, sizeof in, name, strlen(name) + 1);
}

static void
test_ephemeral(void **state)
{
	struct wire_stat stat = h_stat(31, S_IFREG | 01644);
	struct fuse_mkdir_in mkdir = { .mode = 0755 };
	const struct fuse_open_out *open =
	    (const void *)(answer.body + sizeof(struct fuse_entry_out));
	struct wire_stat other = h_stat(31, S_IFREG | 01644);
	uint64_t unique, fh;

	(void)state;
	stat.owner = H_SESSION;
	other.owner = H_SESSION + 1;
	unique = h_lookup_send(EPHEMERAL, "e");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_NONODE, 0x100, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	unique = create_send(EPHEMERAL, "e", O_WRONLY | O_TRUNC);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.parent, DIR);
	assert_int_equal(h.msg.create.owner, WIRE_EPHEMERAL);
	assert_int_equal(h.msg.create.flags, WIRE_ECHO);
	assert_int_equal(h.msg.create.handle, 0);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry()->nodeid, ino_make(INO_ALIAS, 31));
	assert_int_equal(entry()->attr.ino, 31);
	assert_int_equal(entry()->entry_valid, 0);
	fh = open->fh;
	h_expect(WIRE_T_FORGET); /* known by its alias only */
	unique = h_write_send(ino_make(INO_ALIAS, 31), fh, O_WRONLY, 0, "v", 1);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.flags, WIRE_ECHO);
	assert_int_equal(h.msg.write.id, 31);
	h_reply(unique, ERR_OK, 0x102, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	h_expect(WIRE_T_FORGET);
	/* On a node just created there is nothing to truncate, and an ephemeral stays. */
	assert_int_equal(h_answer(h_release_send(ino_make(INO_ALIAS, 31), fh, O_WRONLY)), 0);
	h_nothing_sent(2);

	unique = h_request(FUSE_UNLINK, EPHEMERAL, "e", 2);
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x102, &other, NULL);
	h_expect(WIRE_T_FORGET);
	assert_int_equal(h_answer(unique), -EPERM);

	unique = h_request(FUSE_UNLINK, EPHEMERAL, "e", 2);
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x102, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.flags, WIRE_ECHO);
	assert_int_equal(h.msg.delete.parent, DIR);
	assert_int_equal(h.msg.delete.id, 31);
	h_expect(WIRE_T_FORGET);
	h_reply(unique, ERR_OK, 0x103, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h.echo_owned, 0); /* told back as a change */
	assert_int_equal(
	    h_answer(h_request2(FUSE_MKDIR, EPHEMERAL, &mkdir, sizeof mkdir, "d", 2)), -EINVAL);
	assert_int_equal(
	    h_answer(h_request2(FUSE_MKDIR, ZAB, &mkdir, sizeof mkdir, "d", 2)), -EPERM);
}

/* The kernel checks what open(2) has created: an error would say that nothing was. */
static void
test_created_unreachable(void **state)
{
	struct wire_stat stat = h_stat(31, S_IFREG | 01640);
	const struct fuse_attr_out *attr = (const void *)answer.body;
	struct fuse_getattr_in in = { 0 };
	uint64_t ino = ino_make(INO_ALIAS, 31), unique;

	(void)state;
	h_begin(600, false);
	h_open(0x100);
	unique = create_send(EPHEMERAL, "e", O_WRONLY);
	h_reply(h_expect(WIRE_T_CREATE)->create.rid, ERR_OK, 0x101, &stat, NULL);
	h_until_state(LINK_SUSPENDED);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h_answer(h_request(FUSE_GETATTR, ino, &in, sizeof in)), 0);
	assert_true(attr->attr.ino == 31 && attr->attr.mode == (S_IFREG | 01640));
	assert_true(attr->attr_valid == 0);
	/* fstat(2) later is another thing. */
	assert_int_equal(h_answer(h_request(FUSE_GETATTR, ino, &in, sizeof in)), -EHOSTUNREACH);
	h_teardown(NULL);
}

/* Through the modifier again: ours is opened, another's is not. */
static void
test_ephemeral_again(void **state)
{
	struct wire_stat stat = h_stat(31, S_IFREG | 01644);
	uint64_t unique, ino = ino_make(INO_ALIAS, 31);

	(void)state;
	stat.owner = H_SESSION;
	unique = h_open_send(ino, O_WRONLY | O_TRUNC);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	stat.owner = 0;
	unique = h_open_send(ino, O_WRONLY | O_TRUNC);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), -EEXIST);
}

static uint64_t
create_held(uint64_t id)
{
	struct wire_stat stat = h_stat(id, S_IFREG | 01644);
	const struct fuse_open_out *open =
	    (const void *)(answer.body + sizeof(struct fuse_entry_out));
	uint64_t unique = create_send(HELD, "h", O_RDWR), handle;

	assert_int_equal(h_expect(WIRE_T_CREATE)->create.owner, WIRE_HELD);
	handle = h.msg.create.handle;
	assert_int_not_equal(handle, 0);
	stat.owner = H_SESSION;
	stat.handle = handle;
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(open->fh, handle);
	h_expect(WIRE_T_FORGET);
	return handle;
}

static void
test_held(void **state)
{
	uint64_t ino = ino_make(INO_ALIAS, 32), fh = create_held(32), unique;

	(void)state;
	unique = h_release_send(ino, fh, O_RDWR);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 32);
	assert_int_equal(h.msg.delete.rid, H_RID(unique));
	assert_int_equal(h.msg.delete.parent, 0);
	assert_int_equal(h.msg.delete.version, -1);
	assert_int_equal(h.msg.delete.flags, WIRE_ECHO);
	h_no_answer(2); /* it would not be asked for again */
	h_reply(unique, ERR_OK, 0x102, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
}

static void
test_held_expired(void **state)
{
	uint64_t ino = ino_make(INO_ALIAS, 32), fh = create_held(32);
	struct fuse_fsync_in fsync = { .fh = fh };
	struct wire_msg bye = { .type = WIRE_T_BYE, .bye = { .code = ERR_EXPIRED } };

	(void)state;
	h_tell(&bye);
	h_until_state(LINK_EXPIRED);
	assert_int_equal(h_answer(h_read_send(ino, fh, 0, 10)), -ESTALE);
	assert_int_equal(h_answer(h_write_send(ino, fh, O_RDWR, 0, "x", 1)), -ESTALE);
	assert_int_equal(h_answer(h_request(FUSE_FSYNC, ino, &fsync, sizeof fsync)), -ESTALE);
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_OK, H_SESSION + 1, 0x105);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x105, 1);
	h_until_state(LINK_CONNECTED);
	/* The new session never held it. */
	assert_int_equal(h_answer(h_read_send(ino, fh, 0, 10)), -ESTALE);
	assert_true(h.echo_zab >= 2);
}

/* A held file of this mount's earlier process: the node says who holds it. */
static void
test_held_adopted(void **state)
{
	struct wire_stat stat = h_stat(33, S_IFREG | 01644);
	uint64_t ino = ino_make(INO_ALIAS, 33), fh = UINT64_C(0x1234567800000005), unique;

	(void)state;
	stat.owner = H_SESSION;
	stat.handle = fh;
	unique = h_release_send(ino, fh, O_RDWR);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 33);
	h_reply(h.msg.delete.rid, ERR_OK, 0x101, NULL, NULL);
	stat.handle = fh + 1;
	unique = h_release_send(ino, fh, O_RDWR);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	h_nothing_sent(2);
}

/* A directory's mode is its .zab's: whoever may create there may create here. */
static void
test_mode_follows(void **state)
{
	(void)state;
	lookup_dir(DIR, ".zab", ZAB, S_IFDIR | 0750, true);
	h_known(DIR, S_IFDIR | 0755, "d");
	h_change(WIRE_ATTR, 0x101, DIR, S_IFDIR | 0700, "d");
	h_run_ms(2);
	assert_false(h_packet());
	assert_true(h_notified(ZAB));
}

static uint32_t
mode_known(uint64_t ino)
{
	const struct fuse_attr_out *attr = (const void *)answer.body;
	struct fuse_getattr_in in = { 0 };

	assert_int_equal(h_answer(h_request(FUSE_GETATTR, ino, &in, sizeof in)), 0);
	h_nothing_sent(1);
	assert_int_equal(attr->attr.ino, ino);
	assert_true(attr->attr_valid > 0);
	return attr->attr.mode;
}

static void
mode_asked(uint64_t ino, uint32_t mode)
{
	struct wire_stat stat = h_stat(DIR, mode);
	struct fuse_getattr_in in = { 0 };
	uint64_t unique = h_request(FUSE_GETATTR, ino, &in, sizeof in);

	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
}

/* It is certain while a change of it would be told. */
static void
test_mode_known(void **state)
{
	(void)state;
	h_known(DIR, S_IFDIR | 0755, "d");
	assert_int_equal(h_answer(h_lookup_send(DIR, ".zab")), 0);
	assert_int_equal(entry()->attr.mode, S_IFDIR | 0755);
	assert_int_equal(h_answer(h_lookup_send(ZAB, "sequence")), 0);
	assert_int_equal(entry()->attr.mode, S_IFDIR | 0755);
	assert_int_equal(mode_known(ZAB), S_IFDIR | 0755);
	h_change(WIRE_ADD, 0x101, 50, S_IFREG | 0644, "f");
	h_run_ms(2);
	assert_int_equal(mode_known(EPHEMERAL), S_IFDIR | 0755);
	h_change(WIRE_ATTR, 0x102, DIR, S_IFDIR | 0700, "d");
	h_run_ms(2);
	mode_asked(ZAB, S_IFDIR | 0700);
	assert_int_equal(mode_known(ZAB), S_IFDIR | 0700);
	inode_distrust(&h.fsd);
	/* A listing names it, on a page that has no room for what it says of it. */
	inode_answered(&h.fsd, DIR);
	mode_asked(ZAB, S_IFDIR | 0711);
}

static void
test_not_a_name(void **state)
{
	struct fuse_mkdir_in mkdir = { .mode = 0755 };

	(void)state;
	assert_int_equal(
	    h_answer(h_request2(FUSE_MKDIR, DIR, &mkdir, sizeof mkdir, ".zab", 5)), -EPERM);
	assert_int_equal(h_answer(h_request(FUSE_RMDIR, DIR, ".zab", 5)), -EPERM);
	assert_int_equal(h_answer(h_request(FUSE_UNLINK, ZAB, "data", 5)), -EPERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lookups, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_listing, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_stat_text, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_session_text, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_cluster, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_hand_over, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_data, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_ephemeral, h_setup, h_teardown),
		cmocka_unit_test(test_created_unreachable),
		cmocka_unit_test_setup_teardown(test_ephemeral_again, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_held, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_held_expired, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_held_adopted, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_mode_follows, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_mode_known, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_not_a_name, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
