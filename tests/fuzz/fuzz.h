/*
 * What the fuzz targets share. A target is a file NAME_fuzz.c with the one
 * function below; the same object is linked with libFuzzer (`make fuzz`) and
 * with replay.c, which feeds it the kept inputs of corpus/NAME (`make test`).
 * An input that breaks a CHECK, a sanitizer's rule or the log's (an error line,
 * fatal) is a finding: world.c ends the process there.
 */
#ifndef ZABFS_TESTS_FUZZ_H
#define ZABFS_TESTS_FUZZ_H

#include "replica/lib/check.h"
#include "replica/lib/codec.h"
#include "replica/lib/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 0. Whatever it leaves behind must not change what the next input does. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * world.c: the monotonic clock of a target stands still until it is moved, so
 * that an input does the same each time.
 */
void fuzz_clock_advance_ms(uint64_t ms);

/* world.c: an error line that begins so is no finding; NULL: each is. */
extern const char *fuzz_error_allowed;

/* What is left of an input that a target takes apart: zeros behind its end. */
struct fuzz_input {
	const uint8_t *data;
	size_t len;
};

static inline uint8_t
fuzz_byte(struct fuzz_input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->data++;
}

/* Below n, n at most 256. */
static inline uint32_t
fuzz_below(struct fuzz_input *in, uint32_t n)
{
	return fuzz_byte(in) % n;
}

static inline uint32_t
fuzz_u16(struct fuzz_input *in)
{
	uint32_t high = fuzz_byte(in);

	return high << 8 | fuzz_byte(in);
}

/* A node's: mostly a session's, below n, or none; else one that goes by itself. */
static inline uint64_t
fuzz_owner(struct fuzz_input *in, uint32_t n)
{
	uint32_t byte = fuzz_byte(in);

	if (byte >= 250)
		return WIRE_OWNER_CONTAINER;
	return byte >= 240 ? WIRE_OWNER_TTL | (byte - 239) : byte % n;
}

/* At most `len` of the bytes that are left; borrowed. */
static inline struct blob
fuzz_bytes(struct fuzz_input *in, size_t len)
{
	struct blob blob = { in->data, (uint32_t)(len < in->len ? len : in->len) };

	in->data += blob.len;
	in->len -= blob.len;
	return blob;
}

#endif
