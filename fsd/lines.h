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
	struct fuse_pollhandle *poll; /* owned; NULL: nobody polls */
};

void lines_init(struct lines *lines);
void lines_destroy(struct lines *lines);

/* Bytes that nobody has read yet. */
size_t lines_unread(const struct lines *lines);
/*
 * Answers the call with no more than a line, or with the end. Whether a line has been read to its
 * end.
 */
bool lines_read(struct lines *lines, struct call *call);

/*
 * Whoever polls is told by lines_wake, once. The handle is owned from now on; NULL: he asks for now
 * alone.
 */
void lines_poll(struct lines *lines, struct fuse_pollhandle *handle);
void lines_wake(struct lines *lines);

#endif
