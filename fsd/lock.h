/*
 * flock(2). A lock belongs to an open file: the replica knows it by the handle's number, which is
 * unique for ever. (The kernel's own name of the owner is made from an address, and may come
 * again.) op_lock.c has the handlers.
 */
#ifndef ZABFS_FSD_LOCK_H
#define ZABFS_FSD_LOCK_H

#include "fsd/call.h"

/* It ended with the session that it was of. */
bool lock_is_lost(const struct fsd *fsd, const struct handle *handle);
/* A file is closed: whether it may have a lock. NULL: a handle that nobody knows. */
bool lock_is_due(
    const struct fsd *fsd, const struct handle *handle, const struct fuse_file_info *fi);
/* The lock of call->fh goes; then(call). */
void lock_release(struct call *call, void (*then)(struct call *call));
/* The id that it will have. */
uint64_t lock_release_rid(const struct call *call);

#endif
