/*
 * What is read a line at a time, over the death of fsd: a line whose READ had its answer is not
 * told again, and one whose READ comes again is.
 */
#include "tests/unit/fsd_successor.h"

#define ROOT_ZAB ino_make(INO_ZAB, 1)
#define FIRST "error EINVAL no such operation: one\n"

static uint64_t ino, fh;

/* A name below the root's .zab. */
static void
opened(const char *name)
{
	const struct fuse_entry_out *entry = (const void *)answer.body;

	assert_int_equal(h_answer(h_lookup_send(ROOT_ZAB, name)), 0);
	ino = entry->nodeid;
	assert_int_equal(h_answer(h_open_send(ino, O_RDWR)), 0);
	fh = h_fh();
}

static uint64_t
reads(const char *text)
{
	uint64_t unique = h_read_send(ino, fh, 0x1000, 4096);

	assert_int_equal(h_answer(unique), 0);
	h_body_is(text);
	return unique;
}

static uint64_t
read_again(uint64_t unique)
{
	struct fuse_read_in in = { .fh = fh, .offset = 0x1000, .size = 4096 };

	return again(FUSE_READ, unique, ino, &in, sizeof in);
}

static void
test_answer(void **state)
{
	uint64_t unique;

	(void)state;
	opened("txn");
	assert_int_equal(h_answer(h_write_send(ino, fh, O_RDWR, 0, "one\n", 4)), -EINVAL);
	unique = reads("error EINVAL line 1: no such operation: one\n");
	die();
	unique = read_again(unique);
	adopt();
	assert_int_equal(h_answer(unique), 0);
	h_body_is("error EINVAL line 1: no such operation: one\n");
	reads("");
}

/* Its results go with the first process: how many. */
static void
stream_and_die(uint64_t *unique)
{
	opened("stream");
	assert_int_equal(h_answer(h_write_send(ino, fh, O_RDWR, 0, "one\n2\n3\n", 8)), 0);
	*unique = reads(FIRST);
	die();
}

static void
test_stream(void **state)
{
	uint64_t unique;

	(void)state;
	stream_and_die(&unique);
	adopt();
	reads("lost 2\n");
	reads("");
}

static void
test_stream_again(void **state)
{
	uint64_t unique;

	(void)state;
	stream_and_die(&unique);
	unique = read_again(unique);
	adopt();
	assert_int_equal(h_answer(unique), 0);
	h_body_is("lost 3\n");
	reads("");
}

/* What was lost once counts as so many, should that not have been read either. */
static void
test_stream_lost_again(void **state)
{
	uint64_t unique;

	(void)state;
	opened("stream");
	assert_int_equal(h_answer(h_write_send(ino, fh, O_RDWR, 0, "one\n2\n3\n", 8)), 0);
	die();
	adopt();
	left_fd = h_kept_fd;
	unique = reads("lost 3\n");
	die();
	unique = read_again(unique);
	adopt();
	assert_int_equal(h_answer(unique), 0);
	h_body_is("lost 3\n");
	reads("");
}

/* So does who writes: its lines are done anew, and have results. */
static void
test_stream_written_again(void **state)
{
	struct {
		struct fuse_write_in in;
		char data[4];
	} body = { .in = { .size = 4, .flags = O_RDWR }, .data = "two\n" };
	uint64_t unique;

	(void)state;
	opened("stream");
	body.in.fh = fh;
	assert_int_equal(h_answer(h_write_send(ino, fh, O_RDWR, 0, "one\n", 4)), 0);
	unique = h_request(FUSE_WRITE, ino, &body, sizeof body);
	assert_int_equal(h_answer(unique), 0);
	die();
	unique = again(FUSE_WRITE, unique, ino, &body, sizeof body);
	adopt();
	assert_int_equal(h_answer(unique), 0);
	reads("lost 1\n");
	reads("error EINVAL no such operation: two\n");
	reads("");
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

static void
events_and_die(uint64_t *unique)
{
	struct wire_stat stat = h_stat(1, S_IFDIR | 0755);
	const struct fuse_entry_out *entry = (const void *)answer.body;

	*unique = h_lookup_send(ROOT_ZAB, "events,from=127");
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, SEEN, &stat, NULL);
	assert_int_equal(h_answer(*unique), 0);
	ino = entry->nodeid;
	assert_int_equal(h_answer(h_open_send(ino, O_RDONLY)), 0);
	fh = h_fh();
	*unique = h_read_send(ino, fh, 0x1000, 4096);
	tell(LINES);
	assert_int_equal(h_answer(*unique), 0);
	h_body_is("lost 0x7f 0x80\n");
	reads("0x81 mkdir /a -\n");
	*unique = reads("0x82 create /b 0\n");
	die();
}

static void
test_events(void **state)
{
	uint64_t unique;

	(void)state;
	events_and_die(&unique);
	adopt();
	attach(SEEN, 0);
	unique = h_read_send(ino, fh, 0x1000, 4096);
	tell(LINES);
	assert_int_equal(h_answer(unique), 0);
	h_body_is("0x82 create /c 0\n");
	reads("0x90 set /c 1\n");
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
		T(test_stream_written_again),
		T(test_events),
		T(test_events_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
