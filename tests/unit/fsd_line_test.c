/*
 * What is read a line at a time, over the death of fsd: a line whose READ had its answer is not
 * told again, and one whose READ comes again is.
 */
#include "tests/unit/fsd_lines.h"

#include "fsd/handle.h"

#define FIRST "error EINVAL no such operation: one\n"

/* As a shell does that can't seek: a byte at a time. */
static void
reads_bytes(const char *text)
{
	const char *at;

	for (at = text; *at != '\0'; at++) {
		assert_int_equal(h_answer(h_read_send(ino, fh, 0x1000, 1)), 0);
		assert_int_equal(answer.len, 1);
		assert_int_equal(*(const char *)answer.body, *at);
	}
}

static uint64_t
read_again(uint64_t unique)
{
	struct fuse_read_in in = { .fh = fh, .offset = 0x1000, .size = 4096 };

	return again(FUSE_READ, unique, ino, &in, sizeof in);
}

/* The READ that the process died over has this from the next one. */
static void
reads_again(uint64_t unique, const char *text)
{
	die();
	unique = read_again(unique);
	adopt();
	assert_int_equal(h_answer(unique), 0);
	h_body_is(text);
}

static void
test_answer(void **state)
{
	uint64_t unique;

	(void)state;
	opened("txn");
	assert_int_equal(h_answer(h_write_send(ino, fh, O_RDWR, 0, "one\n", 4)), -EINVAL);
	unique = reads("error EINVAL line 1: no such operation: one\n");
	reads_again(unique, "error EINVAL line 1: no such operation: one\n");
	reads("");
}

/* Its results go with the first process: how many. */
static void
stream_of_three(void)
{
	opened("stream");
	assert_int_equal(h_answer(h_write_send(ino, fh, O_RDWR, 0, "one\n2\n3\n", 8)), 0);
}

static void
test_stream(void **state)
{
	(void)state;
	stream_of_three();
	reads(FIRST);
	die();
	adopt();
	reads("lost 2\n");
	reads("");
}

static void
test_stream_again(void **state)
{
	(void)state;
	stream_of_three();
	reads_again(reads(FIRST), "lost 3\n");
	reads("");
}

/* What was lost once counts as so many, should that not have been read either. */
static void
test_stream_lost_again(void **state)
{
	(void)state;
	stream_of_three();
	die();
	adopt();
	left_fd = h_kept_fd;
	reads_again(reads("lost 3\n"), "lost 3\n");
	reads("");
}

static void
test_stream_lost_in_parts(void **state)
{
	(void)state;
	stream_of_three();
	reads_bytes(FIRST);
	die();
	adopt();
	left_fd = h_kept_fd;
	reads_bytes("lost 2\n");
	die();
	adopt();
	reads("");
}

/* That one of them has failed is told once, by whoever is asked first. */
static void
test_stream_failed(void **state)
{
	(void)state;
	stream_of_three();
	die();
	adopt();
	left_fd = h_kept_fd;
	die();
	adopt();
	left_fd = h_kept_fd;
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), -EINVAL);
	die();
	adopt();
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), 0);
	assert_int_equal(h_answer(h_flush_send(ino, fh)), 0);
}

static void
writes_again(uint64_t unique)
{
	die();
	unique = again(FUSE_WRITE, unique, ino, &body, sizeof body.in + body.in.size);
	adopt();
	assert_int_equal(h_answer(unique), 0);
}

/* So does who writes: its lines are done anew, and have results. */
static void
test_stream_written_again(void **state)
{
	(void)state;
	opened("stream");
	writes("one\n");
	writes_again(writes("two\n"));
	reads("lost 1\n");
	reads("error EINVAL no such operation: two\n");
	reads("");
}

/* But for those whose results were read. */
static void
test_stream_read_and_written_again(void **state)
{
	uint64_t unique;

	(void)state;
	opened("stream");
	writes("one\n");
	unique = writes("two\n3\n4\n");
	reads(FIRST);
	reads("error EINVAL no such operation: two\n");
	writes_again(unique);
	left_fd = h_kept_fd;
	reads("error EINVAL no such operation: 3\n");
	writes_again(unique);
	reads("error EINVAL no such operation: 4\n");
	reads("");
}

/* The end of a line is none, whose beginning went with the process that had it. */
static void
test_stream_end_written_again(void **state)
{
	(void)state;
	opened("stream");
	writes("check /a absent ; ");
	writes_again(writes("one\n"));
	reads("error ETIMEDOUT the beginning of the line is lost\n");
	reads("");
}

static void
test_stream_beginning_written_again(void **state)
{
	(void)state;
	opened("stream");
	writes_again(writes("one\ntw"));
	reads(FIRST);
	writes("o\n");
	reads("error EINVAL no such operation: two\n");
	reads("");
}

/* The process leaves. */
static void
leaves(void)
{
	handle_leave(&h.fsd);
	die();
	adopt();
	left_fd = h_kept_fd;
}

static void
test_stream_left(void **state)
{
	(void)state;
	stream_of_three();
	reads_bytes("error EINVAL no su");
	writes("check /a absent");
	leaves();
	reads_bytes("ch operation: one\n");
	leaves();
	reads("error EINVAL no such operation: 2\n");
	writes(" ; four\n");
	leaves();
	reads("error EINVAL no such operation: 3\n");
	reads("error EINVAL no such operation: four\n");
	reads("");
	leaves();
	reads("");
	assert_int_equal(h_answer(h_flush_send(ino, fh)), -EINVAL);
}

/* What was taken over is lost like all else, if the next one dies. */
static void
test_stream_left_and_lost(void **state)
{
	(void)state;
	stream_of_three();
	writes("check /a absent");
	leaves();
	reads(FIRST);
	die();
	adopt();
	writes(" ; four\n");
	reads("lost 2\n");
	reads("error ETIMEDOUT the beginning of the line is lost\n");
	reads("");
}

#define RESULTS 31000 /* of 34 bytes: more than is left to the next process */

/* The beginning of a line is, all the same. */
static void
test_stream_left_too_long(void **state)
{
	static char text[2 * RESULTS + 16];
	uint32_t i;

	(void)state;
	for (i = 0; i < RESULTS; i++)
		memcpy(text + 2 * (size_t)i, "x\n", 2);
	memcpy(text + 2 * (size_t)i, "check /a absent", 16);
	opened("stream");
	assert_int_equal(h_answer(h_write_send(ino, fh, O_RDWR, 0, text, strlen(text))), 0);
	leaves();
	reads("lost 31000\n");
	writes(" ; four\n");
	reads("error EINVAL no such operation: four\n");
	reads("");
}

/* Something is under way still: it goes on, as ever. */
static void
test_stream_left_under_way(void **state)
{
	(void)state;
	opened("stream");
	writes("one\nset /f 1\n");
	h_expect(WIRE_T_MULTI);
	assert_true(handle_under_way(&h.fsd));
	leaves();
	assert_true(handle_under_way(&h.fsd));
	reads("lost 1\n");
	attach(SEEN, 0);
	h_reply(h_expect(WIRE_T_MULTI)->multi.rid, ERR_NONODE, 0x111, NULL, NULL);
	reads("error ENOENT: no such znode\n");
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), -EINVAL);
}

static void
tell(const char *text)
{
	struct wire_msg msg = { .type = WIRE_T_REPLY,
		.reply = { .rid = h_expect(WIRE_T_EVENTS)->events.rid,
		    .code = ERR_OK,
		    .zxid = 0x90,
		    .data = { (const uint8_t *)text, (uint32_t)strlen(text) } } };

	assert_int_equal(h.msg.events.after, 0x7f);
	h_tell(&msg);
}

#define LINES "lost 0x7f 0x80\n0x81 mkdir /a -\n0x82 create /b 0\n0x82 create /c 0\n0x90 set /c 1\n"

/* Up to the first line of 0x82. */
static void
events_read_some(void)
{
	struct wire_stat stat = h_stat(1, S_IFDIR | 0755);
	const struct fuse_entry_out *entry = (const void *)answer.body;
	uint64_t unique;

	unique = h_lookup_send(ROOT_ZAB, "events,from=127");
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, SEEN, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	ino = entry->nodeid;
	assert_int_equal(h_answer(h_open_send(ino, O_RDONLY)), 0);
	fh = h_fh();
	unique = h_read_send(ino, fh, 0x1000, 4096);
	tell(LINES);
	assert_int_equal(h_answer(unique), 0);
	h_body_is("lost 0x7f 0x80\n");
	reads("0x81 mkdir /a -\n");
}

static void
events_and_die(uint64_t *unique)
{
	events_read_some();
	*unique = reads("0x82 create /b 0\n");
	die();
}

/* The next process tells this first. */
static void
events_go_on(const char *line)
{
	uint64_t unique;

	adopt();
	attach(SEEN, 0);
	unique = h_read_send(ino, fh, 0x1000, 4096);
	tell(LINES);
	assert_int_equal(h_answer(unique), 0);
	h_body_is(line);
}

static void
test_events(void **state)
{
	uint64_t unique;

	(void)state;
	events_and_die(&unique);
	events_go_on("0x82 create /c 0\n");
	reads("0x90 set /c 1\n");
}

static void
test_events_in_parts(void **state)
{
	(void)state;
	events_read_some();
	reads_bytes("0x82 create /b 0\n0x82 create /c 0\n0x9");
	die();
	events_go_on("0x90 set /c 1\n");
}

static void
test_events_again(void **state)
{
	uint64_t unique;

	(void)state;
	events_and_die(&unique);
	unique = read_again(unique);
	adopt();
	attach(SEEN, 0);
	tell(LINES);
	assert_int_equal(h_answer(unique), 0);
	h_body_is("0x82 create /b 0\n");
	reads("0x82 create /c 0\n");
	reads("0x90 set /c 1\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_answer),
		T(test_stream),
		T(test_stream_again),
		T(test_stream_lost_again),
		T(test_stream_lost_in_parts),
		T(test_stream_failed),
		T(test_stream_written_again),
		T(test_stream_read_and_written_again),
		T(test_stream_end_written_again),
		T(test_stream_beginning_written_again),
		T(test_stream_left),
		T(test_stream_left_and_lost),
		T(test_stream_left_too_long),
		T(test_stream_left_under_way),
		T(test_events),
		T(test_events_in_parts),
		T(test_events_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
