/*
 * The echo: a change made elsewhere becomes a real system call on this mount,
 * by a thread of its own, so that the kernel raises the inotify events that a
 * local change would (fsd/README.md, facts 1-4, 13). change.c pushes; the
 * handlers ask echo_caller() first and hand the echo thread's own requests to
 * echo_op_*, which answer from the state *before* the change while everyone
 * else sees the state after it.
 *
 * The queue holds ECHO_QUEUE_MAX changes. VALUE and ATTR of one node coalesce
 * while they wait; what does not fit is counted (echo_overflows), never waited
 * for. The loop's thread calls everything here.
 */
#ifndef ZABFS_FSD_ECHO_H
#define ZABFS_FSD_ECHO_H

#define FUSE_USE_VERSION 314
#include "replica/lib/wire.h"

#include <fuse_lowlevel.h>

#define ECHO_QUEUE_MAX 65536
/* The handle of the echo's own opens: a RELEASE says nothing else of who sends it. */
#define ECHO_FH UINT64_MAX

struct echo;

/* A change: its transaction, and which operation of it, from 1 on. */
struct echo_mark {
	uint64_t zxid, index;
};

/*
 * For a process that goes on after us (kept.h): what has been told, so that it tells the rest.
 * `done`: all up to here has been. `granted`: the answer that raises this one's event has been
 * given, or was about to be.
 */
struct echo_kept {
	struct echo_mark done, granted;
	int32_t pid, tid;
	bool pending; /* something behind `done` has not been told */
};

struct echo_handler {
	/* An entry for ino was given to the kernel. */
	void (*ref)(void *arg, uint64_t ino);
	/* How a znode was last seen; false: never. */
	bool (*last)(void *arg, uint64_t id, struct wire_stat *stat);
	/*
	 * On the echo's thread: it begins. What it holds open must keep nobody from seeing that the
	 * process is dead, for it may hang in the kernel until another one answers it.
	 */
	void (*begins)(void *arg);
	/* On the echo's thread: echo_complaint has something. */
	void (*complains)(void *arg);
};
/*
 * Starts the thread. se: for invalidations of names, borrowed. mountpoint:
 * absolute, borrowed. NULL: errno says why.
 */
struct echo *echo_new(
    struct fuse_session *se, const char *mountpoint, const struct echo_handler *handler, void *arg);

/* What the mount's root is called (fsd.h), if not FUSE_ROOT_ID; before anything is pushed. */
void echo_root(struct echo *echo, uint64_t root);

/* From now on it writes there what it does; what is in it is from a process before us. Borrowed. */
void echo_keep(struct echo *echo, struct echo_kept *kept);
/*
 * Of a process that is dead, before echo_keep. hangs: its thread waits for the answer that would
 * raise an event.
 */
void echo_settle(struct echo_kept *kept, bool hangs);

/* A change comes, of this transaction's operation. False: it has been told. */
bool echo_change(struct echo *echo, uint64_t zxid, uint32_t op);

/* Logs which event could not be raised, and how many more since the last time. */
void echo_complaint(struct echo *echo);

/*
 * The mount is no longer in the mount table: the thread lets go of it (nobody else may use it),
 * and nothing is told any more.
 */
void echo_leave(struct echo *echo);

/*
 * Stops the thread. Its system calls need the loop to answer, so: echo_stop
 * asks it, the loop goes on until echo_stopped, then echo_free.
 */
void echo_stop(struct echo *echo);
bool echo_stopped(struct echo *echo);
void echo_free(struct echo *echo);

/* Queues one change (copied). */
void echo_push(struct echo *echo, const struct wire_change *change);

/*
 * `.zab/session` or `DIR/.zab/data` has new content: MODIFY on the name below DIR's .zab. ino: the
 * file's (ino.h).
 */
void echo_push_zab(struct echo *echo, uint64_t dir, const char *name, uint64_t ino);

/*
 * A process of this mount has just removed the node, or moved it to this name (borrowed; NULL:
 * removed): what still waits to be told of it where the process has found it would come after the
 * kernel's own event, so that isn't told, or where it is now (echo_own.c).
 */
void echo_own(struct echo *echo, uint64_t ino, uint64_t dir, const char *name);
/*
 * It has just made a node, or brought it there: if it still waits to be told that what stood at the
 * name went, that the new one came is told behind it. name: borrowed.
 */
void echo_made(struct echo *echo, uint64_t dir, const char *name, const struct wire_stat *stat);
/*
 * A change of this mount's own comes in the order of all, because its answer was, or will be, another
 * connection's: both of the above, for what came before it. op: as in echo_change.
 */
void echo_own_change(struct echo *echo, const struct wire_change *change, uint32_t op);
/* Whether that was said of this transaction: its answer is then to say neither. */
bool echo_owned(const struct echo *echo, uint64_t zxid);

/*
 * The kernel doubts every name. A directory that somebody walks through has none until the answer to
 * his lookup: jobs wait for that, two seconds for each doubt altogether.
 */
void echo_doubt(struct echo *echo);

/* Changes so far: queued, those that were one with another that waited, those that were lost. */
uint64_t echo_pushed(const struct echo *echo);
uint64_t echo_coalesced(const struct echo *echo);
uint64_t echo_overflows(const struct echo *echo);
uint32_t echo_queued(struct echo *echo);

/* Whether the request comes from the echo thread. */
bool echo_caller(const struct echo *echo, fuse_req_t req);

/* Answers for the echo thread; each sends exactly one reply. */
void echo_op_lookup(struct echo *echo, fuse_req_t req, fuse_ino_t parent, const char *name);
/* False, and no reply: not about the change's own node, answer as for anybody. */
bool echo_op_getattr(struct echo *echo, fuse_req_t req, fuse_ino_t ino);
void echo_op_setattr(struct echo *echo, fuse_req_t req, fuse_ino_t ino);
void echo_op_create(struct echo *echo, fuse_req_t req, fuse_ino_t parent,
    const char *name); /* mknod, mkdir, symlink */
void echo_op_remove(
    struct echo *echo, fuse_req_t req, fuse_ino_t parent, const char *name); /* unlink, rmdir */
void echo_op_rename(struct echo *echo, fuse_req_t req);
void echo_op_open(
    struct echo *echo, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi); /* opendir too */
void echo_op_write(struct echo *echo, fuse_req_t req, size_t size);
void echo_op_readdir(struct echo *echo, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
    bool plus); /* or readdirplus */

#endif
