/*
 * What the kernel sends again when fsd was replaced is executed once, or nobody knows: it may have
 * been executed in a session that is over by now.
 */
#include "tests/unit/fsd_successor.h"

#define NEXT_SESSION 0x78

static int
setup_short(void **state)
{
	(void)state;
	return setup_with(600);
}

/* The next session, after one that is over. */
static void
attach_new(void)
{
	h_wait_accept();
	assert_int_equal(h_expect(WIRE_T_HELLO)->hello.session, 0);
	h_welcome(ERR_OK, NEXT_SESSION, 0x111);
	h_expect(WIRE_T_INTEREST);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x111, 1);
	h_until_state(LINK_CONNECTED);
}

/* The session that the first process left is over. */
static void
expire(void)
{
	h_wait_accept();
	assert_int_equal(h_expect(WIRE_T_HELLO)->hello.session, H_SESSION);
	h_welcome(ERR_EXPIRED, 0, 0x111);
}

/* The first process has sent a write when it dies; the kernel's id of it. */
static uint64_t
write_and_die(uint64_t *fh)
{
	uint64_t unique;

	*fh = open_file(O_WRONLY | O_APPEND);
	unique = h_write_send(F, *fh, O_WRONLY | O_APPEND, 0, "one", 3);
	h_expect(WIRE_T_WRITE);
	die();
	return unique;
}

/* Whether the session has done it died with the session. What is new goes on in the next one. */
static void
test_expired(void **state)
{
	uint64_t fh, unique = write_and_die(&fh), after;

	(void)state;
	write_again(unique, fh, "one");
	adopt();
	after = h_write_send(F, fh, O_WRONLY | O_APPEND, 0, "two", 3);
	expire();
	assert_int_equal(h_answer(unique | H_RESEND_BIT), -ETIMEDOUT);
	attach_new();
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.rid, H_RID(after));
	h_nothing_sent(5);
	h_reply(after, ERR_OK, 0x112, NULL, NULL);
	assert_int_equal(h_answer(after), 0);
}

/* Nor is it said of a lock's holder that he has not written. */
static void
test_bound(void **state)
{
	uint64_t fh = open_file(O_WRONLY | O_APPEND), unique = h_flock_send(F, fh, LOCK_EX);

	(void)state;
	h_reply(h_expect(WIRE_T_LOCK)->lock.rid, ERR_OK, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	unique = h_write_send(F, fh, O_WRONLY | O_APPEND, 0, "one", 3);
	h_expect(WIRE_T_WRITE);
	die();
	write_again(unique, fh, "one");
	adopt();
	expire();
	assert_int_equal(h_answer(unique | H_RESEND_BIT), -ETIMEDOUT);
	attach_new();
	h_nothing_sent(5);
}

/* The first process knew already that it was over, and had no other. */
static void
test_no_session(void **state)
{
	uint64_t fh, unique;

	(void)state;
	h.fsd.kept->head->link.session = 0;
	unique = write_and_die(&fh);
	write_again(unique, fh, "one");
	adopt();
	attach_new();
	assert_int_equal(h_answer(unique | H_RESEND_BIT), -ETIMEDOUT);
	h_nothing_sent(5);
}

/* No replica: this process has not sent it, but the first one has. */
static void
test_not_sent_here(void **state)
{
	uint64_t fh, unique = write_and_die(&fh);

	(void)state;
	close(h.listener);
	unlink(h.path);
	write_again(unique, fh, "one");
	adopt();
	assert_int_equal(h_answer(unique | H_RESEND_BIT), -ETIMEDOUT);
}

/* Its process is killed: the node that it was to hold may be there, and is deleted. */
static void
test_killed(void **state)
{
	struct fuse_create_in in = { .flags = O_RDWR | O_CREAT, .mode = 0644 };
	uint64_t parent = ino_make(INO_HELD, 1), unique;
	struct wire_stat stat = h_stat(32, S_IFREG | 01644);
	uint8_t body[sizeof in + 2];

	(void)state;
	memcpy(body, &in, sizeof in);
	memcpy(body + sizeof in, "h", 2);
	unique = h_request(FUSE_CREATE, parent, body, sizeof body);
	stat.handle = h_expect(WIRE_T_CREATE)->create.handle;
	stat.owner = H_SESSION;
	die();
	h_send_raw(FUSE_CREATE, unique | H_RESEND_BIT, parent, H_DEAD_TID, body, sizeof body);
	adopt();
	h_interrupt(unique | H_RESEND_BIT);
	assert_int_equal(h_answer(unique | H_RESEND_BIT), -EINTR);
	attach(SEEN, 0);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(unique));
	h_reply(unique, ERR_OK, 0x112, &stat, NULL);
	h_expect(WIRE_T_FORGET);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 32);
	h_reply(h.msg.delete.rid, ERR_OK, 0x113, NULL, NULL);
	h_run_ms(2);
}

static uint64_t
stream_write(uint64_t unique, uint64_t ino, uint64_t fh, const char *lines)
{
	struct {
		struct fuse_write_in in;
		char data[64];
	} body = { .in = { .fh = fh, .size = (uint32_t)strlen(lines), .flags = O_RDWR } };

	memcpy(body.data, lines, strlen(lines));
	h_send_raw(
	    FUSE_WRITE, unique, ino, (uint32_t)getpid(), &body, sizeof body.in + strlen(lines));
	return unique;
}

/* Two lines are under way in a stream when the first process dies. */
static uint64_t
stream_and_die(uint64_t *ino, uint64_t *fh)
{
	static const char lines[] = "set /f 1\nset /f 2\n";
	uint64_t unique;

	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_ZAB, 1), "stream")), 0);
	*ino = ((const struct fuse_entry_out *)(const void *)answer.body)->nodeid;
	assert_int_equal(h_answer(h_open_send(*ino, O_RDWR)), 0);
	*fh = h_fh();
	unique = stream_write(h.unique += 2, *ino, *fh, lines);
	assert_int_equal(h_expect(WIRE_T_MULTI)->multi.rid, H_RID(unique));
	h_expect(WIRE_T_MULTI);
	die();
	stream_write(unique | H_RESEND_BIT, *ino, *fh, lines);
	adopt();
	assert_int_equal(h_answer(unique | H_RESEND_BIT), 0);
	return unique;
}

/* Each line is such a write. */
static void
test_stream(void **state)
{
	uint64_t ino, fh;

	(void)state;
	stream_and_die(&ino, &fh);
	expire();
	attach_new();
	h_nothing_sent(5);
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), -ETIMEDOUT);
}

/* The first process had the answer to one of them, and the replica knows it no more. */
static void
test_stream_answered(void **state)
{
	uint64_t ino, fh, unique = stream_and_die(&ino, &fh);

	(void)state;
	attach(SEEN, 0);
	h_expect(WIRE_T_MULTI);
	h_expect(WIRE_T_MULTI);
	h_reply(unique, ERR_PROTO, 0x111, NULL, NULL);
	h_reply(H_RID(unique) + 1, ERR_NONODE, 0x111, NULL, NULL);
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), -ENOENT);
	assert_int_equal(h_answer(h_read_send(ino, fh, 0, 100)), 0);
	h_body_is("lost 1\n");
	assert_int_equal(h_answer(h_read_send(ino, fh, 0, 100)), 0);
	h_body_is("error ENOENT: no such znode\n");
}

/* It was told that somebody else was faster, and asked what stands there. */
static void
test_create_answered(void **state)
{
	struct fuse_create_in in = { .flags = O_RDWR | O_CREAT | O_EXCL, .mode = 0644 };
	uint8_t body[sizeof in + 2];
	uint64_t unique;

	(void)state;
	memcpy(body, &in, sizeof in);
	memcpy(body + sizeof in, "g", 2);
	unique = h_request(FUSE_CREATE, 1, body, sizeof body);
	h_expect(WIRE_T_CREATE);
	die();
	again(FUSE_CREATE, unique, 1, body, sizeof body);
	adopt();
	attach(SEEN, 0);
	h_expect(WIRE_T_CREATE);
	h_reply(unique, ERR_PROTO, 0x111, NULL, NULL);
	assert_int_equal(h_answer(unique | H_RESEND_BIT), -EEXIST);
}

/* What was made, or changed, is gone by the time that it is asked for again. */
static void
test_gone_meanwhile(void **state)
{
	struct fuse_create_in in = { .flags = O_RDWR | O_CREAT, .mode = 0644 };
	struct fuse_mkdir_in mkdir_in = { .mode = 0755 };
	struct fuse_setattr_in set = { .valid = FATTR_MODE, .mode = 0600 };
	uint8_t body[sizeof in + 2], mkdir_body[sizeof mkdir_in + 2];
	uint64_t create, mkdir, setattr;

	(void)state;
	memcpy(body, &in, sizeof in);
	memcpy(body + sizeof in, "g", 2);
	memcpy(mkdir_body, &mkdir_in, sizeof mkdir_in);
	memcpy(mkdir_body + sizeof mkdir_in, "d", 2);
	create = h_request(FUSE_CREATE, 1, body, sizeof body);
	h_expect(WIRE_T_CREATE);
	mkdir = h_request(FUSE_MKDIR, 1, mkdir_body, sizeof mkdir_body);
	h_expect(WIRE_T_CREATE);
	setattr = h_request(FUSE_SETATTR, F, &set, sizeof set);
	h_expect(WIRE_T_SETATTR);
	die();
	again(FUSE_CREATE, create, 1, body, sizeof body);
	again(FUSE_MKDIR, mkdir, 1, mkdir_body, sizeof mkdir_body);
	again(FUSE_SETATTR, setattr, F, &set, sizeof set);
	adopt();
	attach(SEEN, 0);
	h_expect(WIRE_T_CREATE);
	h_reply(create, ERR_OK, 0x111, NULL, NULL);
	assert_int_equal(h_answer(create | H_RESEND_BIT), -ENOENT);
	h_expect(WIRE_T_CREATE);
	h_reply(mkdir, ERR_OK, 0x111, NULL, NULL);
	assert_int_equal(h_answer(mkdir | H_RESEND_BIT), -ENOENT);
	h_expect(WIRE_T_SETATTR);
	h_reply(setattr, ERR_OK, 0x111, NULL, NULL);
	assert_int_equal(h_answer(setattr | H_RESEND_BIT), -ENOENT);
}

static uint64_t
ttl(void)
{
	struct modifier modifier = { .owner = WIRE_TTL, .ttl_ms = 5000 };
	uint64_t ino = qualified_ino(&h.fsd, INO_MODIFIER, 1, &modifier);

	inode_ref(&h.fsd, ino);
	return ino;
}

/*
 * It is asked first whether there is such a node. Not any more, where the first process has removed
 * it: so the replica is asked what became of that.
 */
static void
removed_twice(int code, int errnum)
{
	struct wire_stat stat = h_stat(32, S_IFREG | 0644);
	uint64_t ino = ttl(), unique = h_request(FUSE_UNLINK, ino, "f", 2);

	stat.owner = WIRE_OWNER_TTL | 5000;
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, SEEN, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 32);
	die();
	again(FUSE_UNLINK, unique, ino, "f", 2);
	adopt();
	attach(SEEN, 0);
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_NONODE, 0x111, NULL, NULL);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.rid, H_RID(unique));
	assert_int_equal(h.msg.delete.id, UINT64_MAX);
	h_reply(unique, code, 0x111, NULL, NULL);
	assert_int_equal(h_answer(unique | H_RESEND_BIT), errnum);
}

static void
test_removed(void **state)
{
	(void)state;
	removed_twice(ERR_OK, 0);
}

static void
test_not_removed(void **state)
{
	(void)state;
	removed_twice(ERR_NONODE, -ENOENT);
}

/* The session is over by the time at which the write would be sent. */
static void
test_expired_meanwhile(void **state)
{
	uint64_t ino = ttl(), unique = h_request(FUSE_UNLINK, ino, "f", 2);
	struct wire_stat stat = h_stat(32, S_IFREG | 0644);

	(void)state;
	stat.owner = WIRE_OWNER_TTL | 5000;
	h_expect(WIRE_T_LOOKUP);
	die();
	again(FUSE_UNLINK, unique, ino, "f", 2);
	adopt();
	expire();
	attach_new();
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x111, &stat, NULL);
	assert_int_equal(h_answer(unique | H_RESEND_BIT), -ETIMEDOUT);
	h_expect(WIRE_T_FORGET);
	h_nothing_sent(5);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_expired),
		T(test_bound),
		T(test_no_session),
		cmocka_unit_test_setup_teardown(test_not_sent_here, setup_short, teardown),
		T(test_killed),
		T(test_stream),
		T(test_stream_answered),
		T(test_create_answered),
		T(test_gone_meanwhile),
		T(test_removed),
		T(test_not_removed),
		T(test_expired_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
