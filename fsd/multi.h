/*
 * `.zab/txn` and `.zab/stream`: text to MULTI and back (steps.h). multi.c is what both share;
 * zabtxn.c: one write is one transaction; zabstream.c: each line is one, and nobody
 * waits for it. Called by op_write.c, op_read.c and zabfile.c.
 */
#ifndef ZABFS_FSD_MULTI_H
#define ZABFS_FSD_MULTI_H

#include "fsd/call.h"
#include "fsd/steps.h"

/* Whose rights are asked. */
struct who {
	uint32_t uid, gid, ngroups;
	uint32_t groups[WIRE_GROUPS_MAX]; /* little-endian */
	mode_t umask;
};
/* Those of the process that waits for the call; groups beyond WIRE_GROUPS_MAX are left out. */
void who_of(const struct call *call, struct who *who);

/* The message that asks for them; it borrows both. */
struct wire_msg multi_msg(
    const struct call *call, const struct who *who, const struct steps *steps);

/* A WRITE of call->size bytes to the handle. */
void zabtxn_write(struct call *call, struct handle *handle, const char *data);

struct stream;
/* The handle: whose counts it keeps, borrowed until stream_close. */
struct stream *stream_new(struct fsd *fsd, struct handle *handle);
/* What nobody has read yet, and the beginning of a line, for the process after us: it leaves. */
void stream_leave(struct stream *stream);
/* That of a process before us. */
void stream_restore(struct fsd *fsd, struct handle *handle);
/*
 * Where it did not leave but died, the results that nobody has read are lost: how many is to be
 * read. Not those of a WRITE that comes again, whose lines are done anew, but for what was read of
 * them; nor those of the lines that are queued, `queued` in all, of which `to_go_on` go on.
 */
void stream_lost(struct stream *stream, bool again, uint32_t queued, uint32_t to_go_on);
/* Each of them: the call is the stream's from now on, or, if the file is closed, nobody's. */
void stream_go_on(struct call *call, struct wire_msg *msg);
/* The file is closed: what is under way goes on. */
void stream_close(struct stream *stream);
void stream_write(struct call *call, struct stream *stream, const char *data);
/* Waits for a result if one is to come; else the end. */
void stream_read(struct call *call, struct stream *stream);
/* fsync: all is done; fails with the first error since the last time. */
void stream_sync(struct call *call, struct stream *stream);
/* close: likewise, and the beginning of a line is EINVAL: its end never came. */
void stream_flush(struct call *call, struct stream *stream);
/* POLLIN, POLLOUT; the handle (owned from now on) is notified when that changes. */
unsigned stream_poll(struct stream *stream, struct fuse_pollhandle *handle);

#endif
