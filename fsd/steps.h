/*
 * The text of `.zab/txn` and `.zab/stream` (zabfs(7)): lines of operations,
 * packed as MULTI's steps, and what became of them as text again. Pure; used by
 * zabtxn.c and zabstream.c.
 */
#ifndef ZABFS_FSD_STEPS_H
#define ZABFS_FSD_STEPS_H

#include "replica/lib/wire.h"

#include <sys/types.h>

#define STEPS_WHY_MAX 160

/* Of a sequence of operations. */
struct steps {
	msgpack_sbuffer packed;
	uint32_t count;
	mode_t umask; /* of the process, for what is created */
};

/* Packed, as MULTI has them. Borrowed. */
static inline struct blob
steps_packed(const struct steps *steps)
{
	return (struct blob){ (const uint8_t *)steps->packed.data, (uint32_t)steps->packed.size };
}

void steps_init(struct steps *steps, mode_t umask);
void steps_destroy(struct steps *steps);

/*
 * Appends the operations of one line (without its newline; a blank one or a comment has none).
 * 0; EINVAL, EFBIG or ENAMETOOLONG, and `why` says what is wrong.
 */
int steps_line(struct steps *steps, const char *line, size_t len, char why[STEPS_WHY_MAX]);

/*
 * What they did, from the reply to the MULTI, and a newline: "ok" and the results with `between`
 * between them, or the error. Appended.
 * (steps_text.c)
 */
void steps_results(
    struct blob packed, const struct wire_reply *reply, const char *between, msgpack_sbuffer *out);
/* "error ERRNO WHY", and a newline. Appended. */
void steps_error(int errnum, const char *why, msgpack_sbuffer *out);

#endif
