/*
 * Files: O_TRUNC, appends, limits, snapshots, the value cache, handles from an earlier
 * process.
 */
#include "tests/unit/fsd_harness.h"

#define F 7

static int
setup(void **state)
{
	h_setup(state);
	h_known(F, S_IFREG | 0644, "f");
	return 0;
}

/* Opened without asking: the node is known, and no value is wanted. */
static uint64_t
open_known(int flags)
{
	assert_int_equal(h_answer(h_open_send(F, flags)), 0);
	return h_fh();
}

static const struct wire_write *
expect_write(uint64_t rid, enum wire_write_how how, uint64_t offset, const char *data, size_t len)
{
	const struct wire_write *write = &h_expect(WIRE_T_WRITE)->write;

	assert_int_equal(write->rid, H_RID(rid));
	assert_int_equal(write->how, how);
	assert_int_equal(write->offset, offset);
	assert_int_equal(write->data.len, len);
	assert_memory_equal(write->data.data, data, len);
	return write;
}

static void
done(uint64_t rid, int code)
{
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);

	h_reply(rid, code, 0x101, code == ERR_OK ? &stat : NULL, NULL);
}

static void
test_write_at(void **state)
{
	uint64_t fh = open_known(O_WRONLY), unique;

	(void)state;
	assert_int_equal(((struct fuse_open_out *)(void *)answer.body)->open_flags,
	    FOPEN_DIRECT_IO | FOPEN_NOFLUSH);
	unique = h_write_send(F, fh, O_WRONLY, 3, "abc", 3);
	expect_write(unique, WIRE_AT, 3, "abc", 3);
	done(unique, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(((struct fuse_write_out *)(void *)answer.body)->size, 3);
}

static void
test_append_ignores_offset(void **state)
{
	uint64_t fh = open_known(O_WRONLY | O_APPEND), unique;

	(void)state;
	unique = h_write_send(F, fh, O_WRONLY | O_APPEND, 1000, "abc", 3);
	expect_write(unique, WIRE_APPEND, 0, "abc", 3);
	done(unique, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
}

static void
test_trunc_with_first_write(void **state)
{
	uint64_t fh = open_known(O_WRONLY | O_TRUNC), unique;

	(void)state;
	unique = h_write_send(F, fh, O_WRONLY, 0, "new", 3);
	expect_write(unique, WIRE_REPLACE, 0, "new", 3);
	done(unique, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
	unique = h_write_send(F, fh, O_WRONLY, 3, "er", 2);
	expect_write(unique, WIRE_AT, 3, "er", 2);
	done(unique, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
	unique = h_release_send(F, fh, O_WRONLY | O_TRUNC);
	assert_int_equal(h_answer(unique), 0);
	h_nothing_sent(2);
}

static void
test_trunc_with_hole(void **state)
{
	uint64_t fh = open_known(O_WRONLY | O_TRUNC), unique;

	(void)state;
	unique = h_write_send(F, fh, O_WRONLY, 2, "x", 1);
	expect_write(unique, WIRE_REPLACE, 0, "\0\0x", 3);
	done(unique, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
}

static void
test_trunc_at_release(void **state)
{
	struct fuse_getattr_in getattr = { 0 };
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t fh = open_known(O_WRONLY | O_TRUNC), unique, release;

	(void)state;
	unique = h_release_send(F, fh, O_WRONLY | O_TRUNC);
	expect_write(unique, WIRE_REPLACE, 0, "", 0);
	/* Nobody waits for an answer, and what is asked for next shows it. */
	release = unique;
	unique = h_request(FUSE_GETATTR, F, &getattr, sizeof getattr);
	h_nothing_sent(2);
	done(release, ERR_OK);
	assert_int_equal(h_answer(release), 0); /* not before: it would not be asked for again */
	assert_true(h_notified(F));
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
}

/* A write that failed must not cost the old value. */
static void
test_trunc_not_after_failed_write(void **state)
{
	uint64_t fh = open_known(O_WRONLY | O_TRUNC), unique;

	(void)state;
	unique = h_write_send(F, fh, O_WRONLY, 0, "new", 3);
	expect_write(unique, WIRE_REPLACE, 0, "new", 3);
	done(unique, ERR_NOSPC);
	assert_int_equal(h_answer(unique), -ENOSPC);
	unique = h_write_send(F, fh, O_WRONLY, 0, "again", 5);
	expect_write(unique, WIRE_REPLACE, 0, "again", 5);
	done(unique, ERR_NOSPC);
	assert_int_equal(h_answer(unique), -ENOSPC);
	unique = h_release_send(F, fh, O_WRONLY | O_TRUNC);
	assert_int_equal(h_answer(unique), 0);
	h_nothing_sent(2);
}

/* A truncation that is given up holds nobody any longer. */
static void
test_trunc_given_up(void **state)
{
	struct fuse_getattr_in getattr = { 0 };
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t fh, release, unique;

	(void)state;
	h_begin(600, false);
	h_open(0x100);
	h_known(F, S_IFREG | 0644, "f");
	fh = open_known(O_WRONLY | O_TRUNC);
	release = h_release_send(F, fh, O_WRONLY | O_TRUNC);
	expect_write(release, WIRE_REPLACE, 0, "", 0);
	unique = h_request(FUSE_GETATTR, F, &getattr, sizeof getattr);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(release), 0);
	assert_int_equal(h_answer(unique), 0);
	h_teardown(NULL);
}

/* Sent again after BUSY, the truncation would empty what the same process wrote next. */
static void
test_trunc_before_write(void **state)
{
	uint64_t fh = open_known(O_WRONLY | O_TRUNC), release, unique;

	(void)state;
	release = h_release_send(F, fh, O_WRONLY | O_TRUNC);
	expect_write(release, WIRE_REPLACE, 0, "", 0);
	fh = open_known(O_WRONLY | O_APPEND);
	unique = h_write_send(F, fh, O_WRONLY | O_APPEND, 0, "x", 1);
	h_nothing_sent(2);
	done(release, ERR_BUSY);
	expect_write(release, WIRE_REPLACE, 0, "", 0);
	done(release, ERR_OK);
	assert_int_equal(h_answer(release), 0);
	expect_write(unique, WIRE_APPEND, 0, "x", 1);
	done(unique, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
}

static void
test_limits(void **state)
{
	static char big[WIRE_VALUE_MAX + 1];
	uint64_t fh = open_known(O_WRONLY), unique;

	(void)state;
	assert_int_equal(h_answer(h_write_send(F, fh, O_WRONLY, 0, big, sizeof big)), -EFBIG);
	assert_int_equal(h_answer(h_write_send(F, fh, O_WRONLY, WIRE_VALUE_MAX, "x", 1)), -EFBIG);
	h_nothing_sent(1);
	unique = h_write_send(F, fh, O_WRONLY, 0, big, WIRE_VALUE_MAX);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.data.len, WIRE_VALUE_MAX);
	done(unique, ERR_FBIG);
	assert_int_equal(h_answer(unique), -EFBIG);
}

static uint64_t
open_read(const char *value)
{
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t unique = h_open_send(F, O_RDONLY);

	stat.size = (uint32_t)strlen(value);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x100, &stat, value);
	assert_int_equal(h_answer(unique), 0);
	return h_fh();
}

/* One round trip for the first reader, none for the next, until something changes. */
static void
test_value_cached(void **state)
{
	uint64_t fh = open_read("hello"), unique;

	(void)state;
	assert_int_equal(h_answer(h_read_send(F, fh, 0, 4096)), 0);
	h_body_is("hello");
	assert_int_equal(h_answer(h_read_send(F, fh, 5, 4096)), 0);
	h_body_is("");
	fh = open_known(O_RDONLY);
	assert_int_equal(h_answer(h_read_send(F, fh, 1, 2)), 0);
	h_body_is("el");
	h_nothing_sent(1);

	h_change(WIRE_VALUE, 0x101, F, S_IFREG | 0644, "f");
	h_run_ms(2);
	/* What is open goes on from its snapshot, but for a read at the beginning. */
	assert_int_equal(h_answer(h_read_send(F, fh, 1, 3)), 0);
	h_body_is("ell");
	unique = h_read_send(F, fh, 0, 4096);
	{
		struct wire_stat stat = h_stat(F, S_IFREG | 0644);

		h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x101, &stat, "world!");
	}
	assert_int_equal(h_answer(unique), 0);
	h_body_is("world!");
}

/* What a write of this mount did, whose answer is still to come: nothing cached is used, no event. */
static void
test_own_change(void **state)
{
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	struct wire_msg msg = { .type = WIRE_T_CHANGE,
		.change = { .zxid = 0x101,
		    .last = 1,
		    .kind = WIRE_VALUE,
		    .mode = S_IFREG | 0644,
		    .id = F,
		    .parent = 1,
		    .name = { (const uint8_t *)"f", 1 },
		    .own = 1 } };
	uint64_t fh = open_read("hello"), unique;
	int pushed;

	(void)state;
	assert_int_equal(h_answer(h_read_send(F, fh, 0, 4096)), 0);
	pushed = h.echo_pushed;
	h.nnotified = 0;
	h_tell(&msg);
	h_run_ms(2);
	h_no_answer(1);
	assert_true(h_notified(F));
	assert_int_equal(h.echo_pushed, pushed);
	unique = h_read_send(F, fh, 0, 4096);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x101, &stat, "world!");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("world!");
}

/* 64 MiB of values are kept: what was used last. */
static void
test_values_bounded(void **state)
{
	static const uint8_t data[1000000];
	struct wire_stat stat = h_stat(100, S_IFREG | 0644);
	struct value *value = value_new(&stat, (struct blob){ data, sizeof data });
	uint64_t id;
	char name[16];

	(void)state;
	assert_non_null(value);
	for (id = 100; id < 170; id++) {
		snprintf(name, sizeof name, "%llu", (unsigned long long)id);
		h_known(id, S_IFREG | 0644, name);
		inode_value_keep(&h.fsd, id, value);
		assert_non_null(inode_value(&h.fsd, 100)); /* in use */
	}
	/* 67 and no more have room. */
	for (id = 101; id < 104; id++)
		assert_null(inode_value(&h.fsd, id));
	for (id = 104; id < 170; id++)
		assert_non_null(inode_value(&h.fsd, id));
	value_unref(value);
}

/*
 * Behind the end, a value that merely goes on is seen (tail -f), another is not (no torn
 * reads).
 */
static void
test_read_behind_the_end(void **state)
{
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t fh = open_read("one"), unique;

	(void)state;
	assert_int_equal(h_answer(h_read_send(F, fh, 0, 100)), 0);
	h_change(WIRE_VALUE, 0x101, F, S_IFREG | 0644, "f");
	unique = h_read_send(F, fh, 3, 100);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x101, &stat, "onetwo");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("two");
	h_change(WIRE_VALUE, 0x102, F, S_IFREG | 0644, "f");
	unique = h_read_send(F, fh, 6, 100);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x102, &stat, "something else");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("");
}

static void
test_own_write_seen(void **state)
{
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t fh, unique;

	(void)state;
	open_read("old");
	fh = open_known(O_RDWR);
	unique = h_write_send(F, fh, O_RDWR, 0, "new", 3);
	expect_write(unique, WIRE_AT, 0, "new", 3);
	done(unique, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
	unique = h_read_send(F, fh, 1, 10);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x101, &stat, "new");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("ew");
}

/* A stale dentry: the kernel is made to look again, once. */
static void
test_open_vanished(void **state)
{
	struct wire_stat next = h_stat(F + 1, S_IFREG | 0644);
	uint64_t unique, lookup;

	(void)state;
	h_change(WIRE_REMOVE, 0x101, F, S_IFREG | 0644, "f");
	h_run_ms(2);
	unique = h_open_send(F, O_WRONLY);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
	/*
	 * So it looks again. What is found then is read at once, twice if it is replaced in
	 * between.
	 */
	unique = h_lookup_send(1, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, &next, NULL);
	assert_int_equal(h_expect(WIRE_T_READ)->read.id, next.id);
	h_reply(h.msg.read.rid, ERR_NONODE, 0x102, NULL, NULL);
	next.id++;
	lookup = h_expect(WIRE_T_LOOKUP)->lookup.rid;
	h_expect(WIRE_T_FORGET);
	h_reply(lookup, ERR_OK, 0x102, &next, NULL);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x102, &next, "second");
	assert_int_equal(h_answer(unique), 0);
	/* Replaced again before it is opened: what was found is what is opened. */
	h_change(WIRE_REMOVE, 0x103, next.id, S_IFREG | 0644, "f");
	h_run_ms(2);
	unique = h_open_send(next.id, O_RDONLY);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_NONODE, 0x103, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	unique = h_read_send(next.id, h_fh(), 0, 100);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_NONODE, 0x103, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	h_body_is("second");
}

/* The second lookup finds F + 1, which is removed again before it is opened, much later. */
static uint64_t
open_late(bool synced)
{
	struct wire_stat next = h_stat(F + 1, S_IFREG | 0644);
	uint64_t unique;

	unique = h_open_send(F, O_WRONLY);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
	h_run_ms(150);
	unique = h_lookup_send(1, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, &next, NULL);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x102, &next, "found");
	assert_int_equal(h_answer(unique), 0);
	h_run_ms(50);
	if (synced)
		grace_synced(&h.fsd);
	unique = h_open_send(F + 1, O_RDONLY);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_NONODE, 0x103, NULL, NULL);
	return unique;
}

static int
stat_late(const struct wire_stat *now)
{
	struct wire_stat next = h_stat(F + 5, S_IFREG | 0644);
	struct fuse_getattr_in in = { 0 };
	uint64_t unique = h_open_send(F, O_WRONLY);

	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
	unique = h_lookup_send(1, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, &next, NULL);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x102, &next, "found");
	assert_int_equal(h_answer(unique), 0);
	h_run_ms(50);
	grace_synced(&h.fsd);
	unique = h_request(FUSE_GETATTR, F + 5, &in, sizeof in);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, 0x103, NULL, NULL);
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x104, now, NULL);
	h_expect(WIRE_T_FORGET);
	return h_answer(unique);
}

/* A loaded machine takes its time; who begins after an fsync(2) must not see what was before. */
static void
test_open_vanished_late(void **state)
{
	struct wire_stat now = h_stat(F + 2, S_IFREG | 0644);
	const struct fuse_attr_out *attr = (const void *)answer.body;
	uint64_t unique;

	(void)state;
	h_change(WIRE_REMOVE, 0x101, F, S_IFREG | 0644, "f");
	h_run_ms(2);
	assert_int_equal(h_answer(open_late(false)), 0);
	unique = open_late(true);
	assert_int_equal(h_expect(WIRE_T_LOOKUP)->lookup.parent, 1);
	h_reply(h.msg.lookup.rid, ERR_OK, 0x104, &now, NULL);
	assert_int_equal(h_expect(WIRE_T_READ)->read.id, F + 2);
	h_reply(h.msg.read.rid, ERR_OK, 0x104, &now, "now");
	h_expect(WIRE_T_FORGET);
	assert_int_equal(h_answer(unique), 0);
	unique = h_read_send(F + 1, h_fh(), 0, 100);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_NONODE, 0x104, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	h_body_is("now");
	/* Before it opens it, the kernel may ask for what it is. */
	unique = open_late(true);
	h_expect(WIRE_T_LOOKUP);
	h_reply(h.msg.lookup.rid, ERR_NONODE, 0x104, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	assert_int_equal(stat_late(&now), 0);
	assert_int_equal(attr->attr.ino, F + 2);
	now.mode = S_IFDIR | 0755;
	assert_int_equal(stat_late(&now), -ESTALE);
	now.mode = S_IFREG | 0644;
	/* Not for whom the kernel would not let read it. */
	unique = open_late(true);
	now.mode = S_IFREG | 0600;
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x104, &now, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
}

static void
test_deleted_file_stays_readable(void **state)
{
	struct fuse_getattr_in in = { 0 }; /* fstat(2) does not say which file */
	const struct fuse_attr_out *out = (const void *)answer.body;
	uint64_t fh = open_read("kept"), unique;

	(void)state;
	h_change(WIRE_REMOVE, 0x101, F, S_IFREG | 0644, "f");
	unique = h_read_send(F, fh, 0, 100);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	h_body_is("kept");
	/* For others a name may still lead here, until the echo has removed it. */
	h.unique += 2;
	h_send_raw(FUSE_GETATTR, h.unique, F, 1, &in, sizeof in);
	unique = h.unique;
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
	unique = h_request(FUSE_GETATTR, F, &in, sizeof in);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(out->attr.nlink, 0);
	h.unique += 2;
	h_send_raw(FUSE_UNLINK, h.unique, 1, H_ECHO_TID, "f", 2);
	assert_int_equal(h_answer(h.unique), -ENOENT);
	unique = h_request(FUSE_GETATTR, F, &in, sizeof in);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(out->attr.nlink, 0);
	assert_int_equal(out->attr.size, 4);
}

/* Opened for writing without asking: fstat(2) shows it as it was last seen. */
static void
test_deleted_file_written(void **state)
{
	struct fuse_getattr_in in = { 0 };
	const struct fuse_attr_out *out = (const void *)answer.body;
	struct wire_stat stat = h_stat(F, S_IFREG | 0640);
	uint64_t unique, fh;

	(void)state;
	stat.size = 3;
	unique = h_lookup_send(1, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h_answer(h_open_send(F, O_WRONLY)), 0);
	fh = h_fh();
	h_change(WIRE_REMOVE, 0x102, F, S_IFREG | 0640, "f");
	unique = h_request(FUSE_GETATTR, F, &in, sizeof in);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, 0x102, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(out->attr.mode, S_IFREG | 0640);
	assert_int_equal(out->attr.size, 3);
	assert_int_equal(out->attr.nlink, 0);
	unique = h_write_send(F, fh, O_WRONLY, 0, "x", 1);
	h_reply(h_expect(WIRE_T_WRITE)->write.rid, ERR_NONODE, 0x102, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
}

/* A file that this mount's earlier process opened. */
static void
test_unknown_handle(void **state)
{
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t fh = UINT64_C(0x1234567800000001), unique;

	(void)state;
	unique = h_read_send(F, fh, 2, 10);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x100, &stat, "abcdef");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("cdef");
	unique = h_write_send(F, fh, O_RDWR | O_TRUNC, 2, "x", 1);
	expect_write(unique, WIRE_AT, 2, "x", 1);
	done(unique, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h_answer(h_release_send(F, fh, O_RDWR)), 0);
}

static void
test_setattr(void **state)
{
	struct fuse_setattr_in in = { .valid = FATTR_MODE | FATTR_UID | FATTR_SIZE,
		.mode = S_IFREG | 0600,
		.uid = 5,
		.size = 9 };
	struct wire_stat stat = h_stat(F, S_IFREG | 0600);
	const struct wire_setattr *setattr;
	uint64_t unique;

	(void)state;
	unique = h_request(FUSE_SETATTR, F, &in, sizeof in);
	setattr = &h_expect(WIRE_T_SETATTR)->setattr;
	assert_int_equal(setattr->valid, WIRE_SET_MODE | WIRE_SET_UID | WIRE_SET_SIZE);
	assert_int_equal(setattr->mode, 0600);
	assert_int_equal(setattr->uid, 5);
	assert_int_equal(setattr->size, 9);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(((struct fuse_attr_out *)(void *)answer.body)->attr.mode, S_IFREG | 0600);

	in.valid = FATTR_MTIME | FATTR_MTIME_NOW | FATTR_ATIME | FATTR_ATIME_NOW;
	unique = h_request(FUSE_SETATTR, F, &in, sizeof in);
	assert_int_equal(h_expect(WIRE_T_SETATTR)->setattr.valid, WIRE_SET_MTIME);
	h_reply(unique, ERR_OK, 0x102, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	in.valid = FATTR_MTIME;
	assert_int_equal(h_answer(h_request(FUSE_SETATTR, F, &in, sizeof in)), -EPERM);
}

static void
test_fsync_and_statfs(void **state)
{
	struct fuse_fsync_in in = { .fh = open_known(O_WRONLY) };
	struct wire_space space = {
		.nodes = 10, .nodes_left = 160, .bytes = 8192, .bytes_left = 40960
	};
	const struct fuse_statfs_out *out = (const void *)answer.body;
	uint64_t unique = h_request(FUSE_FSYNC, F, &in, sizeof in);

	(void)state;
	h_reply(h_expect(WIRE_T_SYNC)->sync.rid, ERR_OK, 0x105, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(link_zxid(h.fsd.link), 0x105);
	unique = h_request(FUSE_STATFS, 1, NULL, 0);
	assert_int_equal(h_expect(WIRE_T_STATFS)->statfs.id, 1);
	h_reply_space(h.msg.statfs.rid, &space);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(out->st.bfree, 10);
	assert_int_equal(out->st.blocks, 12);
	assert_int_equal(out->st.files, 160 + 10);
	assert_int_equal(out->st.ffree, 160);
	assert_int_equal(out->st.namelen, 255);
	/* Below `.zab` it is the directory's; what stands alone is in no other than the root. */
	h_request(FUSE_STATFS, ino_make(INO_QUOTA, 20), NULL, 0);
	assert_int_equal(h_expect(WIRE_T_STATFS)->statfs.id, 20);
	h_reply_space(h.msg.statfs.rid, &space);
	h_request(FUSE_STATFS, ino_make(INO_STREAM, 7), NULL, 0);
	assert_int_equal(h_expect(WIRE_T_STATFS)->statfs.id, 1);
	h_reply_space(h.msg.statfs.rid, &space);
}

/* ftruncate of a file whose O_TRUNC is still due: the old content must not come back. */
static void
test_ftruncate_after_trunc(void **state)
{
	struct fuse_setattr_in in = { .valid = FATTR_SIZE | FATTR_FH, .size = 2 };
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t unique;

	(void)state;
	in.fh = open_known(O_WRONLY | O_TRUNC);
	unique = h_request(FUSE_SETATTR, F, &in, sizeof in);
	expect_write(unique, WIRE_REPLACE, 0, "\0\0", 2);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h_answer(h_release_send(F, in.fh, O_WRONLY)), 0);
	h_nothing_sent(2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write_at, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_append_ignores_offset, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_trunc_with_first_write, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_trunc_with_hole, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_trunc_at_release, setup, h_teardown),
		cmocka_unit_test_setup_teardown(
		    test_trunc_not_after_failed_write, setup, h_teardown),
		cmocka_unit_test(test_trunc_given_up),
		cmocka_unit_test_setup_teardown(test_trunc_before_write, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_value_cached, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_own_change, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_values_bounded, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_read_behind_the_end, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_own_write_seen, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_open_vanished_late, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_open_vanished, setup, h_teardown),
		cmocka_unit_test_setup_teardown(
		    test_deleted_file_stays_readable, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_deleted_file_written, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_unknown_handle, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_setattr, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_fsync_and_statfs, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_ftruncate_after_trunc, setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
