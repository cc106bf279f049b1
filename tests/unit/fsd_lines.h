/*
 * Lines that are written and read over the death of fsd, for tests/unit: one of the root's `.zab/txn`
 * or `.zab/stream` is open.
 */
#ifndef ZABFS_TESTS_FSD_LINES_H
#define ZABFS_TESTS_FSD_LINES_H

#include "tests/unit/fsd_successor.h"

#include "fsd/flow.h"

#define ROOT_ZAB ino_make(INO_ZAB, 1)

static uint64_t ino, fh;

/* A name below the root's .zab. */
static inline void
opened(const char *name)
{
	const struct fuse_entry_out *entry = (const void *)answer.body;

	assert_int_equal(h_answer(h_lookup_send(ROOT_ZAB, name)), 0);
	ino = entry->nodeid;
	assert_int_equal(h_answer(h_open_send(ino, O_RDWR)), 0);
	fh = h_fh();
}

static inline uint64_t
reads(const char *text)
{
	uint64_t unique = h_read_send(ino, fh, 0x1000, 4096);

	assert_int_equal(h_answer(unique), 0);
	h_body_is(text);
	return unique;
}

static struct {
	struct fuse_write_in in;
	char data[9 * (FLOW_MAX + 2) + 1];
} body;

/* A WRITE that comes again: the process dies over it. */
static inline uint64_t
writes(const char *text)
{
	uint64_t unique;

	memset(&body, 0, sizeof body);
	body.in.fh = fh;
	body.in.size = (uint32_t)strlen(text);
	body.in.flags = O_RDWR;
	memcpy(body.data, text, body.in.size);
	unique = h_request(FUSE_WRITE, ino, &body, sizeof body.in + body.in.size);
	assert_int_equal(h_answer(unique), 0);
	return unique;
}

#endif
