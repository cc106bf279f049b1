/*
 * Who waits in `.zab/stream` for room, for results, or for all that is under way, and is interrupted
 * there; what one WRITE brings beyond that.
 */
#include "tests/unit/fsd_talk.h"

/* So many lines. */
static const char *
lines(uint32_t n)
{
	static char text[16 * (FLOW_MAX + 3)];
	uint32_t i;

	assert_true(n <= FLOW_MAX + 3);
	for (i = 0; i < n; i++)
		memcpy(text + 9 * (size_t)i, "set /a 1\n", 10);
	return text;
}

static uint64_t rids[FLOW_MAX + 3];

static void
lines_come(uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		rids[i] = multi();
}

/* The link itself sends no more than FLOW_MAX before the first is answered. */
static void
test_stream_room(void **state)
{
	uint64_t unique;
	uint32_t i;

	(void)state;
	opened("stream", O_RDWR);
	write_done(write_send(lines(FLOW_MAX - 1)), 9 * (FLOW_MAX - 1));
	assert_int_equal(h_answer(h_poll_send(ino, fh, 0)), 0);
	assert_int_equal(h_revents(), POLLOUT | POLLWRNORM);
	unique = write_send(lines(1));
	h_no_answer(2);
	assert_int_equal(h_answer(h_poll_send(ino, fh, 7)), 0);
	assert_int_equal(h_revents(), 0);
	lines_come(FLOW_MAX);
	done(rids[1]);
	h_no_answer(2);
	done(rids[0]);
	write_done(unique, 9);
	assert_int_equal(h.polled, 7);
	for (i = 2; i < FLOW_MAX; i++)
		done(rids[i]);
	unique = h_fsync_send(ino, fh);
	assert_int_equal(h_answer(unique), 0);
	for (i = 0; i < FLOW_MAX; i++)
		reads("ok set /a version=5\n");
	reads("");
	closed();
}

/* More lines than may be under way: the others follow one by one, and no later write before them. */
static void
test_stream_room_lines(void **state)
{
	struct fuse_mkdir_in mkdir = { .mode = 0755 };
	uint64_t unique, other;
	uint32_t i;

	(void)state;
	opened("stream", O_RDWR);
	unique = write_send(lines(FLOW_MAX + 2));
	lines_come(FLOW_MAX);
	other = h_request2(FUSE_MKDIR, 1, &mkdir, sizeof mkdir, "d", 2);
	h_nothing_sent(2);
	for (i = 0; i < 2; i++) {
		done(rids[i]);
		rids[FLOW_MAX + i] = multi();
		assert_int_equal(rids[FLOW_MAX + i], rids[0] + FLOW_MAX + i);
		assert_int_equal(h.msg.multi.acked, rids[i + 1] - 1);
		h_nothing_sent(2);
	}
	h_no_answer(2);
	done(rids[2]);
	write_done(unique, 9 * (FLOW_MAX + 2));
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(other));
	for (i = 3; i < FLOW_MAX + 2; i++)
		done(rids[i]);
	for (i = 0; i < FLOW_MAX + 2; i++)
		reads("ok set /a version=5\n");
	closed();
}

/* Those that are refused for now go before what was taken since. */
static void
test_stream_room_refused(void **state)
{
	uint32_t i;

	(void)state;
	opened("stream", O_WRONLY);
	write_send(lines(FLOW_MAX + 3));
	lines_come(FLOW_MAX);
	for (i = 0; i < 2; i++) {
		done(rids[i]);
		rids[FLOW_MAX + i] = multi();
	}
	h_reply(rids[FLOW_MAX], ERR_BUSY, 0x100, NULL, NULL);
	done(rids[2]);
	h_reply(rids[FLOW_MAX + 1], ERR_BUSY, 0x100, NULL, NULL);
	for (i = 0; i < 3; i++) {
		assert_int_equal(multi(), rids[0] + FLOW_MAX + i);
		done(rids[3 + i]); /* they are sent under other numbers: room for the next one */
	}
}

/* A line that is wrong waits for those before it like any other. */
static void
test_stream_room_wrong(void **state)
{
	static char text[2 * FLOW_MAX + 1];
	uint64_t unique;
	uint32_t i;

	(void)state;
	for (i = 0; i < FLOW_MAX - 1; i++)
		memcpy(text + 2 * (size_t)i, "x\n", 3);
	opened("stream", O_RDWR);
	written("set /a 1\n");
	unique = write_send(text);
	h_no_answer(2);
	done(multi());
	write_done(unique, 2 * (FLOW_MAX - 1));
	reads("ok set /a version=5\n");
	reads("error EINVAL no such operation: x\n");
	closed();
}

/* All that is wrong ends with the first line, what had no room before included; others wait, too. */
static void
test_stream_room_waiters(void **state)
{
	static char text[9 + 2 * (FLOW_MAX + 2) + 1] = "set /a 1\n";
	uint64_t unique, sync, read;
	uint32_t i;

	(void)state;
	for (i = 0; i < FLOW_MAX + 2; i++)
		memcpy(text + 9 + 2 * (size_t)i, "x\n", 3);
	opened("stream", O_RDWR);
	sync = h_fsync_send(ino, fh);
	assert_int_equal(h_answer(sync), 0);
	unique = write_send(text);
	read = h_read_send(ino, fh, 1, 4096);
	sync = h_fsync_send(ino, fh);
	h_no_answer(2);
	done(multi());
	write_done(unique, strlen(text));
	assert_int_equal(h_answer(read), 0);
	h_body_is("ok set /a version=5\n");
	assert_int_equal(h_answer(sync), -EINVAL);
	for (i = 0; i < FLOW_MAX + 2; i++)
		reads("error EINVAL no such operation: x\n");
	reads("");
	closed();
}

/* Blank lines need no ids: those of the others are this WRITE's, however many it has. */
static void
test_stream_blank_lines(void **state)
{
	static char text[KERNEL_RIDS];
	const size_t n = 2 * FLOW_MAX + 2, blank = sizeof text - 9 * n;
	uint64_t unique;
	size_t i;

	(void)state;
	memset(text, '\n', blank);
	for (i = 0; i < n; i++)
		memcpy(text + blank + 9 * i, "set /a 1\n", 9);
	opened("stream", O_WRONLY);
	unique = h_write_send(ino, fh, O_WRONLY, 0, text, sizeof text);
	for (i = 0; i < n; i++) {
		assert_int_equal(multi(), H_RID(unique) + 1 + i);
		done(H_RID(unique) + 1 + i);
	}
	write_done(unique, sizeof text);
	closed();
}

/* Nor does a stream take more than FLOW_BYTES_MAX, and what one write brings. */
static void
test_stream_room_bytes(void **state)
{
	static char text[1000000] = "set /a ";
	const uint32_t n = FLOW_BYTES_MAX / sizeof text + 1;
	uint64_t unique;
	uint32_t i;

	(void)state;
	memset(text + 7, 'x', sizeof text - 8);
	text[sizeof text - 1] = '\n';
	opened("stream", O_WRONLY);
	for (i = 0; i + 1 < n; i++)
		write_done(h_write_send(ino, fh, O_WRONLY, 0, text, sizeof text), sizeof text);
	unique = h_write_send(ino, fh, O_WRONLY, 0, text, sizeof text);
	h_no_answer(2);
	assert_int_equal(h_answer(h_poll_send(ino, fh, 0)), 0);
	assert_int_equal(h_revents(), 0);
	lines_come(n);
	done(rids[0]);
	write_done(unique, sizeof text);
	for (i = 1; i < n; i++)
		done(rids[i]);
	closed();
}

/* Who is killed while he waits for room has written all the same. */
static void
test_stream_room_interrupted(void **state)
{
	uint64_t unique;
	uint32_t i;

	(void)state;
	opened("stream", O_WRONLY);
	write_done(write_send(lines(FLOW_MAX - 1)), 9 * (FLOW_MAX - 1));
	unique = dead_write_send("set /b 2\n");
	h_no_answer(2);
	h_interrupt(unique);
	write_done(unique, 9);
	lines_come(FLOW_MAX);
	closed();
	for (i = 0; i < FLOW_MAX; i++)
		done(rids[i]);
	h_no_answer(2);
}

/* Likewise with lines that were not taken yet. */
static void
test_stream_lines_interrupted(void **state)
{
	uint64_t unique;
	uint32_t i;

	(void)state;
	opened("stream", O_WRONLY);
	written("set /a 1\n");
	unique = dead_write_send(lines(FLOW_MAX + 1));
	lines_come(FLOW_MAX);
	h_no_answer(2);
	h_interrupt(unique);
	write_done(unique, 9 * (FLOW_MAX + 1));
	closed();
	for (i = 0; i < FLOW_MAX + 2; i++) {
		done(rids[i]);
		if (i < 2)
			rids[FLOW_MAX + i] = multi();
	}
	h_no_answer(2);
}

static void
test_stream_waits_interrupted(void **state)
{
	uint64_t unique, rid;

	(void)state;
	opened("stream", O_RDWR);
	written("set /a 1\n");
	rid = multi();
	unique = dead_read_send();
	h_no_answer(2);
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	unique = dead_fsync_send();
	h_no_answer(2);
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	/* The result is still there, for the next. */
	done(rid);
	reads("ok set /a version=5\n");
	closed();
}

#define T(name) cmocka_unit_test_setup_teardown(name, h_setup, h_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_stream_room),
		T(test_stream_room_lines),
		T(test_stream_room_refused),
		T(test_stream_room_wrong),
		T(test_stream_room_waiters),
		T(test_stream_blank_lines),
		T(test_stream_room_bytes),
		T(test_stream_room_interrupted),
		T(test_stream_lines_interrupted),
		T(test_stream_waits_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
