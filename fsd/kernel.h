/*
 * The /dev/fuse side: reads requests from the non-blocking descriptor when the
 * loop says so, hands them to libfuse one by one, writes libfuse's answers.
 * What libfuse hides or forgets is known here: the request's id (its `unique`),
 * and FUSE_PARALLEL_DIROPS in the INIT answer (fsd/README.md, fact 19). So is what
 * the kernel calls the mount's root (kernel_root.h).
 * kernel_adopt.c is the beginning of a process that is not the mount's first.
 */
#ifndef ZABFS_FSD_KERNEL_H
#define ZABFS_FSD_KERNEL_H

#include "fsd/fsd.h"

struct kernel;

struct kernel_handler {
	void (*ready)(void *arg); /* INIT was answered */
	/* Unmounted (errnum ENODEV), or the device fails. Once; nothing is read afterwards. */
	void (*gone)(void *arg, int errnum);
};

/*
 * Makes the session on fd (owned from now on); requests are handled by fsd_ops
 * with `fsd` as their userdata. fsd->se and fsd->kernel are set. NULL: errno says
 * why.
 */
struct kernel *kernel_new(struct fsd *fsd, int fd, const struct kernel_handler *handler, void *arg);
/* Begins to read: fsd->root.id is known. */
void kernel_start(struct kernel *kernel);
void kernel_free(struct kernel *kernel);

/*
 * Goes on where a process before us ended (fsd/README.md, fact 11): its INIT, the requests that it
 * has not answered, in the order in which they came. All rooms of fsd are there, and none has begun.
 * False: errno says why; EINVAL: this kernel can't send requests again.
 */
bool kernel_adopt(struct kernel *kernel);
/* Nothing is read any more; what has no answer is for the next process. */
void kernel_stop(struct kernel *kernel);
/*
 * The calling thread, not the loop's, gets descriptors of its own: the standard ones, `needed`
 * (-1: none), and what it needs to borrow the device. It may hang in the kernel until another
 * process answers it, and must keep nobody from seeing that this one is dead.
 */
void kernel_apart(const struct kernel *kernel, int needed);

/* Whether a process before us has read that one, too. */
bool kernel_is_resent(const struct kernel *kernel);
/* The kernel's number of whoever polls, of a POLL that is being handled. */
uint64_t kernel_poll_id(const struct kernel *kernel);

/* The id of the request that is being handled, resend bit cleared; or of the last one. */
uint64_t kernel_unique(const struct kernel *kernel);
/*
 * The first of the ids of the writes that this request makes (wire.h's rid). Each request has room
 * for KERNEL_RIDS of them: what comes later has greater ones.
 */
#define KERNEL_RIDS (UINT64_C(1) << 20)
uint64_t kernel_rid(const struct kernel *kernel);

/*
 * Every name that the kernel remembers is asked for again before it is used (fsd/README.md,
 * fact 25). False: this kernel can't.
 */
bool kernel_names_doubt(struct kernel *kernel);

/* What libfuse is to ask for: fsd_ops' init. */
void kernel_init(void *userdata, struct fuse_conn_info *conn);

#endif
