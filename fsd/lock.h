/*
 * flock(2). A lock belongs to an open file: the replica knows it by the handle's number, which is
 * unique for ever. (The kernel's own name of the owner is made from an address, and may come
 * again.) op_lock.c has the handlers.
 */
#ifndef ZABFS_FSD_LOCK_H
#define ZABFS_FSD_LOCK_H

#include "fsd/handle.h"

/* A file is closed: its lock goes. NULL: a handle that nobody knows. */
void lock_release(
    struct fsd *fsd, const struct handle *handle, uint64_t ino, const struct fuse_file_info *fi);

#endif
