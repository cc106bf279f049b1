/*
 * Text that is read a line at a time, and who polls for it: what `.zab/stream` and
 * `DIR/.zab/events` hand out. Used by zabstream.c and events.c, which bound it.
 */
#ifndef ZABFS_FSD_LINES_H
#define ZABFS_FSD_LINES_H

#include "fsd/call.h"

#include <msgpack.h>

struct lines {
	msgpack_sbuffer text;	      /* text.h appends to it */
	size_t read;		      /* of it, and not forgotten yet */
	size_t begin;		      /* where the line begins that is read next, or was in part */
	struct fuse_pollhandle *poll; /* owned; NULL: nobody polls */
};

void lines_init(struct lines *lines);
void lines_destroy(struct lines *lines);

/* Bytes that nobody has read yet. */
size_t lines_unread(const struct lines *lines);
/*
 * The line that lines_read would read to its end, with its newline, from its beginning, which may have
 * been read before; NULL: none.
 */
const char *lines_next(const struct lines *lines, const struct call *call);
/* Answers the call with no more than a line, or with the end. False: it has had no answer. */
bool lines_read(struct lines *lines, struct call *call);
/* The first one was read before. */
void lines_skip(struct lines *lines);

/*
 * Whoever polls is told by lines_wake, once. The handle is owned from now on; NULL: he asks for now
 * alone.
 */
void lines_poll(struct lines *lines, struct fuse_pollhandle *handle);
void lines_wake(struct lines *lines);

#endif
