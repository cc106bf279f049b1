/*
 * The mount's root has two numbers: the kernel calls it FUSE_ROOT_ID, we call it
 * what its znode is called (fsd->root.id). Translated here, between the device
 * and libfuse, in what kernel.c reads and writes, and nowhere else.
 */
#ifndef ZABFS_FSD_KERNEL_ROOT_H
#define ZABFS_FSD_KERNEL_ROOT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A request, len bytes: at least its header. */
void kernel_root_in(uint64_t root, void *request, size_t len);
/* An answer or a notification. Answers never name the root. */
void kernel_root_out(uint64_t root, const struct iovec *iov, int count);

#endif
