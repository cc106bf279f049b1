/*
 * `.zab/txn`, `.zab/stream` and DIR/.zab/async: what goes to the replica under which ids, results
 * in order, also where nobody waits any longer. fsd_room_test.c has who waits in a stream for what.
 */
#include "tests/unit/fsd_talk.h"

/* txn */

static void
test_txn(void **state)
{
	static const char text[] = "create /x v\nset /y w\n\n# no\ndelete /z\ncheck /q\n";
	struct wire_multi *msg;
	uint64_t unique;
	mode_t umask_before = umask(077);

	(void)state;
	opened("txn", O_RDWR);
	reads("");
	unique = write_send(text);
	msg = &h_expect(WIRE_T_MULTI)->multi;
	assert_int_equal(msg->rid, H_RID(unique));
	assert_int_equal(msg->root, 1);
	assert_int_equal(msg->uid, 0);
	assert_true((msg->flags & WIRE_ECHO) != 0);
	assert_int_equal(msg->groups.len, 0);
	assert_non_null(memmem(msg->steps.data, msg->steps.len, "/z", 2));
	answer_multi(msg->rid, ERR_OK, 0, "csd");
	write_done(unique, strlen(text));
	umask(umask_before);
	reads("ok create /made\n");
	reads("ok set /y version=5\n");
	/* A part of a line is a part; a read at the beginning begins again. */
	assert_int_equal(h_answer(h_read_send(ino, fh, 1, 4)), 0);
	h_body_is("ok d");
	reads("elete /z\n");
	reads("ok check /q\n");
	reads("");
	assert_int_equal(h_answer(h_read_send(ino, fh, 0, 4096)), 0);
	h_body_is("ok create /made\n");
	closed();
}

static void
test_txn_umask(void **state)
{
	mode_t before = umask(027);
	struct wire_step step;
	struct blob steps;
	uint64_t unique;

	(void)state;
	opened("txn", O_RDWR);
	unique = write_send("create /x v\n");
	steps = h_expect(WIRE_T_MULTI)->multi.steps;
	assert_int_equal(wire_step_next(&steps, &step), 1);
	assert_int_equal(step.mode, S_IFREG | 0640);
	umask(before);
	answer_multi(h.msg.multi.rid, ERR_OK, 0, "c");
	write_done(unique, 12);
	closed();
}

static void
test_txn_fails(void **state)
{
	uint64_t unique;

	(void)state;
	opened("txn", O_RDWR);
	unique = write_send("create /x v\ncreate /y v\n");
	answer_multi(multi(), ERR_EXISTS, 2, "");
	assert_int_equal(h_answer(unique), -EEXIST);
	reads("error EEXIST operation 2: create /y: znode exists\n");
	reads("");
	unique = write_send("create /x v\n");
	answer_multi(multi(), ERR_PROTO, 0, "");
	assert_int_equal(h_answer(unique), -EPROTO);
	reads("error EPROTO: malformed message\n");
	/* What is wrong does not get to the replica. */
	assert_int_equal(h_answer(write_send("create /x v\ncreate /y\n")), -EINVAL);
	reads("error EINVAL line 2: create: no value\n");
	assert_int_equal(h_answer(write_send("create /x v\ncreate /y v")), -EINVAL);
	reads("error EINVAL line 2: it is cut off: no newline\n");
	h_nothing_sent(2);
	closed();
}

/* Two files are two conversations. */
static void
test_txn_of_two(void **state)
{
	uint64_t first_ino, first_fh, one, two, rid;

	(void)state;
	opened("txn", O_RDWR);
	first_ino = ino;
	first_fh = fh;
	opened("txn", O_RDWR);
	assert_int_not_equal(ino, first_ino);
	one = h_write_send(first_ino, first_fh, O_RDWR, 0, "set /a 1\n", 9);
	rid = multi();
	two = write_send("set /b 2\n");
	done(multi());
	write_done(two, 9);
	done(rid);
	write_done(one, 9);
	reads("ok set /b version=5\n");
	closed();
	ino = first_ino;
	fh = first_fh;
	reads("ok set /a version=5\n");
	closed();
}

/* It is killed, and the file closed, before the answer comes. */
static void
test_txn_killed(void **state)
{
	uint64_t unique, rid;

	(void)state;
	opened("txn", O_RDWR);
	unique = dead_write_send("set /a 1\n");
	rid = multi();
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	closed();
	done(rid);
	h_no_answer(5);
}

/* stream */

static void
test_stream(void **state)
{
	uint64_t rids[3], unique;

	(void)state;
	opened("stream", O_RDWR);
	written("set /a 1\nset /b 2 ; set /c 3\n\n# no\nset /d 4\n");
	for (unique = 0; unique < 3; unique++)
		rids[unique] = multi();
	assert_true(rids[0] < rids[1] && rids[1] < rids[2]);
	assert_int_equal(rids[0] / KERNEL_RIDS, rids[2] / KERNEL_RIDS);
	/* In the order of the lines, whatever that of the answers is. */
	unique = h_read_send(ino, fh, 1, 4096);
	answer_multi(rids[2], ERR_NONODE, 1, "");
	h_no_answer(2);
	answer_multi(rids[0], ERR_OK, 0, "s");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("ok set /a version=5\n");
	unique = h_read_send(ino, fh, 1, 4096);
	h_no_answer(2);
	answer_multi(rids[1], ERR_OK, 0, "ss");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("ok set /b version=5 ; set /c version=5\n");
	reads("error ENOENT operation 1: set /d: no such znode\n");
	/* Nothing is under way: that is the end. */
	reads("");
	/* The next write's ids are greater. */
	written("set /a 1\n");
	assert_true(multi() > rids[2]);
	done(h.msg.multi.rid);
	reads("ok set /a version=5\n");
	assert_int_equal(h_answer(h_flush_send(ino, fh)), -ENOENT);
	closed();
}

static void
test_stream_lines_in_parts(void **state)
{
	(void)state;
	opened("stream", O_RDWR);
	written("\n");
	written("set /a");
	written(" 1");
	h_nothing_sent(2);
	written("\nnonsense\nset /b 2\nset /c");
	done(multi());
	done(multi());
	reads("ok set /a version=5\n");
	reads("error EINVAL no such operation: nonsense\n");
	reads("ok set /b version=5\n");
	/* What has no end when the file is closed was nothing. */
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), -EINVAL);
	closed();
	h_nothing_sent(2);
}

static void
test_stream_line_too_long(void **state)
{
	static char text[WIRE_VALUE_MAX];

	(void)state;
	memset(text, 'x', sizeof text);
	opened("stream", O_RDWR);
	write_done(h_write_send(ino, fh, O_RDWR, 0, text, sizeof text), sizeof text);
	assert_int_equal(h_answer(write_send("y")), -EFBIG);
	/* Its end is awaited. */
	written("\nset /a 1\n");
	done(multi());
	assert_int_equal(h_answer(h_read_send(ino, fh, 1, 4096)), 0);
	assert_memory_equal(answer.body, "error EINVAL no such operation: xxx", 34);
	reads("ok set /a version=5\n");
	closed();
}

static void
test_stream_sync(void **state)
{
	uint64_t unique, first, second;

	(void)state;
	opened("stream", O_WRONLY);
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), 0);
	written("set /a 1\nset /b 2\n");
	first = multi();
	second = multi();
	unique = h_fsync_send(ino, fh);
	answer_multi(second, ERR_BADVERSION, 1, "");
	h_no_answer(2);
	answer_multi(first, ERR_NONODE, 1, "");
	/* The first line that failed, whichever was answered first; once. */
	assert_int_equal(h_answer(unique), -ENOENT);
	assert_int_equal(h_answer(h_flush_send(ino, fh)), 0);
	written("set /a 1\n");
	unique = h_flush_send(ino, fh);
	h_no_answer(2);
	answer_multi(multi(), ERR_ACCES, 1, "");
	assert_int_equal(h_answer(unique), -EACCES);
	closed();
}

static void
test_stream_poll(void **state)
{
	(void)state;
	opened("stream", O_RDWR);
	/* A read would not wait: it says that nothing comes. */
	assert_int_equal(h_answer(h_poll_send(ino, fh, 0)), 0);
	assert_int_equal(h_revents(), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	written("set /a 1\n");
	assert_int_equal(h_answer(h_poll_send(ino, fh, 3)), 0);
	assert_int_equal(h_revents(), POLLOUT | POLLWRNORM);
	assert_int_equal(h_answer(h_poll_send(ino, fh, 4)), 0);
	done(multi());
	h_no_answer(5);
	assert_int_equal(h.polled, 4);
	assert_int_equal(h_answer(h_poll_send(ino, fh, 5)), 0);
	assert_int_equal(h_revents(), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	reads("ok set /a version=5\n");
	closed();
}

/* It is closed with some under way, a reader's handle of poll(2) and a line that has no end. */
static void
test_stream_released(void **state)
{
	uint64_t first, second;

	(void)state;
	opened("stream", O_RDWR);
	written("set /a 1\nset /b 2\nset /c");
	first = multi();
	second = multi();
	assert_int_equal(h_answer(h_poll_send(ino, fh, 9)), 0);
	closed();
	done(second);
	done(first);
	h_no_answer(2);
	h_nothing_sent(1);
}

#define DROPPED 10 /* at least so many of RESULTS */
#define RESULTS ((16u << 20) / 4000 + DROPPED)

/* More than is kept until it is read. */
static void
results_come(void)
{
	static char line[4096];
	uint32_t i;

	snprintf(line, sizeof line, "delete %0*d\n", 4000, 0);
	for (i = 0; i < RESULTS; i++) {
		written(line);
		answer_multi(multi(), ERR_OK, 0, "d");
	}
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), 0);
}

/* As many as are kept, and then of how many that can't be said. */
static void
results_are_read(void)
{
	char line[64];
	uint32_t kept = 0;
	size_t len = strlen("ok delete \n") + 4000;

	for (;; kept++) {
		assert_int_equal(h_answer(h_read_send(ino, fh, 1, 1 << 20)), 0);
		if (answer.len != len)
			break;
		assert_memory_equal(answer.body, "ok delete 0", 11);
	}
	assert_true(kept < RESULTS && kept * len <= 16u << 20 && (kept + 1) * len > 16u << 20);
	snprintf(line, sizeof line, "lost %u\n", RESULTS - kept);
	h_body_is(line);
}

/* Results that nobody reads: what is beyond the bound is counted. */
static void
test_stream_lost(void **state)
{
	(void)state;
	opened("stream", O_RDWR);
	results_come();
	results_are_read();
	reads("");
	/* It stands before the next result, which is not lost. */
	results_come();
	written("set /a 1\n");
	done(multi());
	h_run_ms(2);
	results_are_read();
	reads("ok set /a version=5\n");
	reads("");
	closed();
}

/* Nobody can read them: nothing is kept. */
static void
test_stream_write_only(void **state)
{
	(void)state;
	opened("stream", O_WRONLY);
	written("set /a 1\n");
	done(multi());
	h_run_ms(1);
	reads("");
	closed();
}

/* The replica is gone for a while: what was sent goes again, under the same ids. */
static void
test_stream_resent(void **state)
{
	uint64_t first, second;

	(void)state;
	opened("stream", O_RDWR);
	written("set /a 1\nset /b 2\n");
	first = multi();
	second = multi();
	close(h.replica);
	h.replica = -1;
	h_until_state(LINK_CONNECTING);
	h_open(0x100);
	assert_int_equal(multi(), first);
	assert_int_equal(multi(), second);
	done(first);
	done(second);
	reads("ok set /a version=5\n");
	closed();
}

/* async */

static void
async_opened(void)
{
	struct wire_stat dir = h_stat(1, S_IFDIR | 0755), stat = h_stat(F, S_IFREG | 0644);
	uint64_t unique = h_lookup_send(ZAB, "async"), parent;

	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &dir, NULL);
	assert_int_equal(h_answer(unique), 0);
	parent = ((const struct fuse_entry_out *)(const void *)answer.body)->nodeid;
	unique = h_lookup_send(parent, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x100, &stat, NULL);
	h_expect(WIRE_T_FORGET);
	assert_int_equal(h_answer(unique), 0);
	ino = ((const struct fuse_entry_out *)(const void *)answer.body)->nodeid;
	unique = h_open_send(ino, O_RDWR);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	fh = h_fh();
}

static uint64_t
write_comes(const char *data)
{
	struct wire_write *msg = &h_expect(WIRE_T_WRITE)->write;

	assert_int_equal(msg->id, F);
	assert_int_equal(msg->data.len, strlen(data));
	assert_memory_equal(msg->data.data, data, strlen(data));
	return msg->rid;
}

static void
test_async(void **state)
{
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t unique, one, two;

	(void)state;
	async_opened();
	write_done(h_write_send(ino, fh, O_RDWR, 0, "one", 3), 3);
	write_done(h_write_send(ino, fh, O_RDWR, 3, "two", 3), 3);
	one = write_comes("one");
	two = write_comes("two");
	assert_true(one < two);
	/* A read comes behind what was written. */
	unique = h_read_send(ino, fh, 0, 100);
	h_reply(one, ERR_OK, 0x101, NULL, NULL);
	h_nothing_sent(2);
	h_reply(two, ERR_OK, 0x102, NULL, NULL);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x102, &stat, "onetwo");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("onetwo");
	write_done(h_write_send(ino, fh, O_RDWR, 0, "x", 1), 1);
	unique = h_flush_send(ino, fh);
	h_reply(write_comes("x"), ERR_NONODE, 0x103, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), 0);
	closed();
}

static void
test_async_room(void **state)
{
	uint64_t rids[FLOW_MAX], unique;
	uint32_t i;

	(void)state;
	async_opened();
	for (i = 0; i + 1 < FLOW_MAX; i++)
		write_done(h_write_send(ino, fh, O_RDWR, 0, "x", 1), 1);
	unique = dead_write_send("y");
	h_no_answer(2);
	h_interrupt(unique);
	write_done(unique, 1);
	for (i = 0; i < FLOW_MAX; i++)
		rids[i] = write_comes(i + 1 < FLOW_MAX ? "x" : "y");
	unique = dead_fsync_send();
	h_no_answer(2);
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	/* Closed with all of them under way. */
	closed();
	for (i = 0; i < FLOW_MAX; i++)
		h_reply(rids[i], ERR_NONODE, 0x104, NULL, NULL);
	h_run_ms(5);
	assert_false(h_packet());
}

#define T(name) cmocka_unit_test_setup_teardown(name, h_setup, h_teardown)

/*
 * A number that the table doesn't have: a process before us had no room to keep what was open. What
 * is said through such a file is a conversation that nobody remembers.
 */
static void
test_not_kept(void **state)
{
	static const char *names[] = { "stream", "txn" };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		opened(names[i], O_RDWR);
		fh = UINT64_C(0x1234567800000005) + i;
		assert_int_equal(h_answer(h_fsync_send(ino, fh)), -ESTALE);
		assert_int_equal(h_answer(h_flush_send(ino, fh)), -ESTALE);
		assert_int_equal(h_answer(write_send("create /a v\n")), -ESTALE);
		assert_int_equal(h_answer(h_read_send(ino, fh, 0, 4096)), -ESTALE);
		assert_int_equal(h_answer(h_fsync_send(ino, fh)), -ESTALE);
		assert_int_equal(h_answer(h_flush_send(ino, fh)), -ESTALE);
		assert_int_equal(h_answer(h_release_send(ino, fh, O_RDWR)), 0);
	}
	h_nothing_sent(2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_txn),
		T(test_txn_umask),
		T(test_txn_fails),
		T(test_txn_of_two),
		T(test_txn_killed),
		T(test_stream),
		T(test_stream_lines_in_parts),
		T(test_stream_line_too_long),
		T(test_stream_sync),
		T(test_stream_poll),
		T(test_stream_released),
		T(test_stream_lost),
		T(test_stream_write_only),
		T(test_stream_resent),
		T(test_async),
		T(test_async_room),
		cmocka_unit_test_setup_teardown(test_not_kept, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
