/*
 * A process of fsd that dies, and the next one, for tests/unit: what the first one left is copied
 * at the moment of its death; the second one begins with the copy, and the test sends it what the
 * kernel would send again.
 */
#ifndef ZABFS_TESTS_FSD_SUCCESSOR_H
#define ZABFS_TESTS_FSD_SUCCESSOR_H

#include "tests/unit/fsd_harness.h"

#include "fsd/ino.h"

#include <sys/mman.h>

#define F UINT64_C(20)
#define G UINT64_C(21)
#define SEEN 0x100

static int left_fd; /* the first process's */

static inline void
copy_range(int from, int to, off_t at, off_t end)
{
	static uint8_t bytes[1 << 16];

	for (; at < end; at += (off_t)sizeof bytes) {
		size_t len = end - at < (off_t)sizeof bytes ? (size_t)(end - at) : sizeof bytes;

		assert_int_equal(pread(from, bytes, len, at), len);
		assert_int_equal(pwrite(to, bytes, len, at), len);
	}
}

/* As it is now. */
static inline int
copy(int from)
{
	int to = memfd_create("copy", MFD_CLOEXEC);
	off_t at = 0, end = lseek(from, 0, SEEK_END);

	assert_int_equal(ftruncate(to, end), 0);
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		copy_range(from, to, at, end);
		at = end;
	}
	return to;
}

static inline int
setup_with(uint32_t timeout_ms)
{
	left_fd = memfd_create("left", MFD_CLOEXEC);
	h_kept_fd = left_fd;
	h_begin(timeout_ms, false);
	h_open(SEEN);
	kept_begin(h.fsd.kept);
	h_known(F, S_IFREG | 0644, "f");
	return 0;
}

static inline int
setup(void **state)
{
	(void)state;
	return setup_with(10000);
}

static inline int
teardown(void **state)
{
	h_teardown(state);
	close(h_kept_fd);
	h_kept_fd = -1;
	return 0;
}

/* The first process dies; the next one is there, and has not begun. */
static inline void
die(void)
{
	uint64_t unique = h.unique;
	uint32_t timeout_ms = h.timeout_ms;

	h_kept_fd = copy(left_fd);
	h_teardown(NULL);
	close(left_fd);
	h_begin(timeout_ms, false);
	assert_true(h.fsd.kept->takes_over);
	h.unique = unique;
}

static inline void
adopt(void)
{
	assert_true(kernel_adopt(h.fsd.kernel));
}

/* Its session goes on, with what the kernel knows: F, and what else. */
static inline void
attach(uint64_t seen, uint64_t other)
{
	h_wait_accept();
	assert_int_equal(h_expect(WIRE_T_HELLO)->hello.session, H_SESSION);
	assert_int_equal(h.msg.hello.secret.len, WIRE_SECRET_LEN);
	assert_memory_equal(h.msg.hello.secret.data, "0123456789abcde", WIRE_SECRET_LEN);
	assert_int_equal(h.msg.hello.seen, seen);
	h_welcome(ERR_OK, H_SESSION, 0x111);
	assert_int_equal(h_expect(WIRE_T_INTEREST)->interest.id, F);
	if (other != 0)
		assert_int_equal(h_expect(WIRE_T_INTEREST)->interest.id, other);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x111, 1);
	h_until_state(LINK_CONNECTED);
}

static inline uint64_t
open_file(int flags)
{
	assert_int_equal(h_answer(h_open_send(F, flags)), 0);
	return h_fh();
}

/* A request that the first process had read, as the kernel sends it again. */
static inline uint64_t
again(uint32_t opcode, uint64_t unique, uint64_t node, const void *body, size_t len)
{
	h_send_raw(opcode, unique | H_RESEND_BIT, node, (uint32_t)getpid(), body, len);
	return unique | H_RESEND_BIT;
}

static inline uint64_t
write_again(uint64_t unique, uint64_t fh, const char *data)
{
	struct {
		struct fuse_write_in in;
		char data[64];
	} body = { .in = {
		       .fh = fh, .size = (uint32_t)strlen(data), .flags = O_WRONLY | O_APPEND } };

	memcpy(body.data, data, strlen(data));
	return again(FUSE_WRITE, unique, F, &body, sizeof body.in + strlen(data));
}

#endif
