/*
 * Files that are talked to, for tests/unit: one of `.zab/txn`, `.zab/stream` or DIR/.zab/async is
 * open, lines are written to it, and results read; the replica's MULTIs, and its answers.
 */
#ifndef ZABFS_TESTS_FSD_TALK_H
#define ZABFS_TESTS_FSD_TALK_H

#include "tests/unit/fsd_harness.h"

#include "fsd/flow.h"
#include "fsd/multi.h"

#define ZAB ino_make(INO_ZAB, 1)
#define F 30

static uint64_t ino, fh; /* the file that a test has opened */

static inline void
opened(const char *name, int flags)
{
	uint64_t unique = h_lookup_send(ZAB, name);

	assert_int_equal(h_answer(unique), 0);
	ino = ((const struct fuse_entry_out *)(const void *)answer.body)->nodeid;
	assert_int_equal(h_answer(h_open_send(ino, flags)), 0);
	fh = h_fh();
}

static inline uint64_t
write_send(const char *text)
{
	return h_write_send(ino, fh, O_RDWR, 0, text, strlen(text));
}

static inline void
write_done(uint64_t unique, size_t len)
{
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(((const struct fuse_write_out *)(const void *)answer.body)->size, len);
}

static inline void
written(const char *text)
{
	write_done(write_send(text), strlen(text));
}

/* The next MULTI; its id. */
static inline uint64_t
multi(void)
{
	return h_expect(WIRE_T_MULTI)->multi.rid;
}

/* As many results as `kinds` has letters: c, s or d. */
static inline void
answer_multi(uint64_t rid, int code, uint32_t more, const char *kinds)
{
	struct wire_msg msg = { .type = WIRE_T_REPLY,
		.reply = { .rid = rid, .code = code, .zxid = 0x100, .more = more } };
	struct wire_result result = { .name = { (const uint8_t *)"made", 4 }, .version = 5 };
	msgpack_sbuffer packed;

	msgpack_sbuffer_init(&packed);
	for (; *kinds != '\0'; kinds++) {
		result.kind = *kinds == 'c'   ? WIRE_STEP_CREATE
			      : *kinds == 's' ? WIRE_STEP_SET
					      : WIRE_STEP_DELETE;
		wire_result_pack(&packed, &result);
	}
	msg.reply.data = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	h_tell(&msg);
	msgpack_sbuffer_destroy(&packed);
}

static inline void
done(uint64_t rid)
{
	answer_multi(rid, ERR_OK, 0, "s");
}

static inline void
reads(const char *text)
{
	assert_int_equal(h_answer(h_read_send(ino, fh, 1, 4096)), 0);
	h_body_is(text);
}

static inline void
closed(void)
{
	assert_int_equal(h_answer(h_release_send(ino, fh, 0)), 0);
}

static inline uint64_t
dead_write_send(const char *text)
{
	struct fuse_write_in in = { .fh = fh, .size = (uint32_t)strlen(text) };
	static uint8_t body[sizeof in + 16 * (FLOW_MAX + 2)];

	assert_true(sizeof in + strlen(text) <= sizeof body);
	memcpy(body, &in, sizeof in);
	memcpy(body + sizeof in, text, strlen(text));
	return h_request_of(H_DEAD_TID, FUSE_WRITE, ino, body, sizeof in + strlen(text));
}

static inline uint64_t
dead_read_send(void)
{
	struct fuse_read_in in = { .fh = fh, .offset = 1, .size = 4096 };

	return h_request_of(H_DEAD_TID, FUSE_READ, ino, &in, sizeof in);
}

static inline uint64_t
dead_fsync_send(void)
{
	struct fuse_fsync_in in = { .fh = fh };

	return h_request_of(H_DEAD_TID, FUSE_FSYNC, ino, &in, sizeof in);
}

#endif
