/* Shared by kernel.c (the device) and kernel_adopt.c (what a process before us left). Nobody else. */
#ifndef ZABFS_FSD_KERNEL_INTERNAL_H
#define ZABFS_FSD_KERNEL_INTERNAL_H

#include "fsd/kernel.h"

#include <linux/fuse.h>

#define KERNEL_BUFFER ((1u << 20) + 4096) /* a request with a whole value (fact 16) */
#define RESEND_BIT (UINT64_C(1) << 63)	  /* FUSE_UNIQUE_RESEND; fact 11 */

struct kernel {
	struct fsd *fsd;
	int fd;
	int pidfd;   /* our own: how other threads come to the device */
	int32_t tid; /* the loop's */
	struct event *event;
	const struct kernel_handler *handler;
	void *arg;
	char *buffer;
	uint64_t unique;
	uint64_t init_unique; /* of the INIT that is unanswered; 0: none */
	uint32_t init_flags;  /* what the kernel offered in it */
	uint32_t init_len;
	bool initiating; /* an INIT that was answered long ago is told to libfuse */
	bool resent;	 /* the request that is being handled */
	uint64_t poll;	 /* its number */
	bool gone;
};

/* One request; bytes: writable. */
void kernel_process(struct kernel *kernel, void *bytes, size_t len);
/* It comes from a thread of a process that is dead: answered, so that it ends. */
bool kernel_is_dead(struct kernel *kernel, const struct fuse_in_header *header);

#endif
