/*
 * What is queued goes on over the death of fsd (queued.h): the lines of a stream and asynchronous
 * writes are sent again, under their ids, until they are answered; and what went wrong is told.
 */
#include "tests/unit/fsd_lines.h"

/* What is under way goes on, whether its WRITE comes again or not, until it is done. */
static void
test_stream_under_way(void **state)
{
	uint64_t first, second;

	(void)state;
	opened("stream");
	first = writes("set /a 1\n");
	second = writes("set /b 1\n");
	die();
	adopt();
	left_fd = h_kept_fd;
	die();
	again(FUSE_WRITE, second, ino, &body, sizeof body.in + body.in.size);
	adopt();
	left_fd = h_kept_fd;
	assert_int_equal(h_answer(second | H_RESEND_BIT), 0);
	attach(SEEN, 0);
	assert_int_equal(h_expect(WIRE_T_MULTI)->multi.rid, H_RID(first));
	assert_int_equal(h.msg.multi.acked, H_RID(first) - 1);
	assert_int_equal(h_expect(WIRE_T_MULTI)->multi.rid, H_RID(second));
	h_reply(first, ERR_NONODE, 0x111, NULL, NULL);
	h_run_ms(2);
	die();
	adopt();
	attach(0x111, 0);
	assert_int_equal(h_expect(WIRE_T_MULTI)->multi.rid, H_RID(second));
	h_reply(second, ERR_OK, 0x112, NULL, NULL);
	reads("lost 1\n");
	reads("ok set /b\n");
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), -ENOENT);
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), 0);
	assert_int_equal(h.fsd.kept->head->queue, 0);
}

/* Likewise when the file is closed. */
static void
test_stream_closed(void **state)
{
	uint64_t first;

	(void)state;
	opened("stream");
	first = writes("set /a 1\n");
	assert_int_equal(h_answer(h_release_send(ino, fh, O_RDWR)), 0);
	die();
	adopt();
	attach(SEEN, 0);
	assert_int_equal(h_expect(WIRE_T_MULTI)->multi.rid, H_RID(first));
	h_reply(first, ERR_OK, 0x111, NULL, NULL);
	h_run_ms(2);
	assert_int_equal(h.fsd.kept->head->queue, 0);
}

/* A write that comes again reads first: what is queued behind it waits, as it did. */
static void
test_queued_in_order(void **state)
{
	struct wire_stat stat = h_stat(G, S_IFREG | 0644);
	uint64_t unlink, line;

	(void)state;
	stat.owner = H_SESSION;
	opened("stream");
	unlink = h_request(FUSE_UNLINK, ino_make(INO_EPHEMERAL, 1), "e", 2);
	h_expect(WIRE_T_LOOKUP);
	line = writes("set /a 1\n");
	die();
	again(FUSE_UNLINK, unlink, ino_make(INO_EPHEMERAL, 1), "e", 2);
	adopt();
	attach(SEEN, 0);
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x111, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.rid, H_RID(unlink));
	assert_int_equal(h_expect(WIRE_T_MULTI)->multi.rid, H_RID(line));
}

/* DIR/.zab/async/f; F is known already. */
static void
async_opened(void)
{
	const struct fuse_entry_out *entry = (const void *)answer.body;
	struct wire_stat dir = h_stat(1, S_IFDIR | 0755), stat = h_stat(F, S_IFREG | 0644);
	uint64_t unique = h_lookup_send(ROOT_ZAB, "async");

	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, SEEN, &dir, NULL);
	assert_int_equal(h_answer(unique), 0);
	unique = h_lookup_send(entry->nodeid, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, SEEN, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	ino = entry->nodeid;
	unique = h_open_send(ino, O_WRONLY);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, SEEN, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	fh = h_fh();
}

static uint64_t
async_writes(const void *data, size_t len)
{
	uint64_t unique = h_write_send(ino, fh, O_WRONLY, 0, data, len);

	assert_int_equal(h_answer(unique), 0);
	return unique;
}

static void
test_async_error_kept(void **state)
{
	(void)state;
	async_opened();
	async_writes("one", 3);
	h_reply(h_expect(WIRE_T_WRITE)->write.rid, ERR_QUOTA, 0x110, NULL, NULL);
	h_run_ms(2);
	die();
	adopt();
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), -EDQUOT);
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), 0);
}

#define LONG 900000u
#define PASSED 100u /* writes, by far more than there is room for at once */

static uint8_t bytes[LONG];

static void
write_comes(uint64_t unique, uint8_t with)
{
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.rid, H_RID(unique));
	assert_int_equal(h.msg.write.data.len, LONG);
	memset(bytes, with, sizeof bytes);
	assert_memory_equal(h.msg.write.data.data, bytes, LONG);
}

static uint64_t
long_write(uint8_t with)
{
	memset(bytes, with, sizeof bytes);
	return async_writes(bytes, sizeof bytes);
}

/* What is queued passes round the ring, a few at a time; those of the end go on. */
static void
test_async_under_way(void **state)
{
	uint64_t unique[PASSED], i;

	(void)state;
	async_opened();
	for (i = 0; i < PASSED; i++) {
		unique[i] = long_write((uint8_t)i);
		write_comes(unique[i], (uint8_t)i);
		if (i >= 3)
			h_reply(H_RID(unique[i - 3]), ERR_OK, 0x110, NULL, NULL);
	}
	h_run_ms(2);
	die();
	adopt();
	attach(0x110, 0);
	for (i = PASSED - 3; i < PASSED; i++)
		write_comes(unique[i], (uint8_t)i);
	for (i = PASSED - 3; i < PASSED; i++)
		h_reply(H_RID(unique[i]), ERR_OK, 0x112, NULL, NULL);
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), 0);
	assert_int_equal(h.fsd.kept->head->queue, 0);
}

/* More than there is room for: nobody knows what becomes of that. */
static void
test_async_no_room(void **state)
{
	const uint32_t files = KEPT_QUEUE / FLOW_BYTES_MAX + 2, each = FLOW_BYTES_MAX / LONG;
	uint64_t opened_fh[8];
	uint32_t i, n;

	(void)state;
	assert_true(files <= 8);
	for (i = 0; i < files; i++) {
		async_opened();
		opened_fh[i] = fh;
	}
	for (i = 0; i < files; i++) {
		fh = opened_fh[i];
		for (n = 0; n < each; n++)
			long_write(0);
	}
	die();
	adopt();
	assert_int_equal(h_answer(h_fsync_send(ino, opened_fh[files - 1])), -ETIMEDOUT);
	h_fsync_send(ino, opened_fh[0]);
	h_no_answer(2);
}

static void
lines_come(uint64_t first, uint32_t from, uint32_t end)
{
	for (; from < end; from++)
		assert_int_equal(h_expect(WIRE_T_MULTI)->multi.rid, H_RID(first) + from);
}

/* One of which a part was taken, and two were done: all of it is taken, and executed once. */
static void
test_stream_taken_in_part(void **state)
{
	const char *gone = "error ENOENT: no such znode\n";
	uint64_t unique, second;
	uint32_t i;

	(void)state;
	opened("stream");
	for (i = 0; i < FLOW_MAX + 2; i++)
		memcpy(body.data + 9 * (size_t)i, "set /a 1\n", 10);
	body.in = (struct fuse_write_in){ .fh = fh, .size = 9 * (FLOW_MAX + 2), .flags = O_RDWR };
	unique = h_request(FUSE_WRITE, ino, &body, sizeof body.in + body.in.size);
	lines_come(unique, 0, FLOW_MAX);
	h_reply(H_RID(unique), ERR_NONODE, 0x110, NULL, NULL);
	h_reply(H_RID(unique) + 1, ERR_NONODE, 0x111, NULL, NULL);
	lines_come(unique, FLOW_MAX, FLOW_MAX + 2);
	reads(gone);
	die();
	second = again(FUSE_WRITE, unique, ino, &body, sizeof body.in + body.in.size);
	adopt();
	attach(0x111, 0);
	lines_come(unique, 0, FLOW_MAX);
	for (i = 0; i < FLOW_MAX + 2; i++)
		h_reply(H_RID(unique) + i, ERR_NONODE, 0x112, NULL, NULL);
	lines_come(unique, FLOW_MAX, FLOW_MAX + 2);
	assert_int_equal(h_answer(second), 0);
	for (i = 1; i < FLOW_MAX + 2; i++)
		reads(gone);
	reads("");
	assert_int_equal(h_answer(h_fsync_send(ino, fh)), -ENOENT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_stream_under_way),
		T(test_stream_closed),
		T(test_queued_in_order),
		T(test_async_error_kept),
		T(test_async_under_way),
		T(test_async_no_room),
		T(test_stream_taken_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
