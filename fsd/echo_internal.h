/*
 * Shared between the echo's thread (echo.c, echo_run.c) and its answers on the
 * loop's thread (echo_ops.c). Nobody else includes it.
 *
 * One job runs at a time. While its system call waits in the kernel for our
 * answer, the loop's thread may read `current` and write `wrong`,
 * `asked`, `answered` and `guest`; otherwise they belong to the echo thread. The mutex guards the
 * queue and makes the hand-over visible.
 */
#ifndef ZABFS_FSD_ECHO_INTERNAL_H
#define ZABFS_FSD_ECHO_INTERNAL_H

#include "fsd/echo.h"
#include "fsd/ino.h"

#include <bsd/sys/queue.h>
#include <pthread.h>
#include <sys/stat.h>
#include <uthash.h>

/*
 * Where the kernel has forgotten a directory, an event of a node that is still
 * known is raised in a place that nobody watches: two names in the root's
 * `.zab`, which exist for the echo thread alone. ECHO_DOOR is a file there:
 * whoever can open it is on our mount, and open_by_handle_at(2) needs a
 * descriptor.
 */
#define ECHO_NOWHERE ".echo-a"
#define ECHO_NOWHERE2 ".echo-b"
#define ECHO_DOOR ".echo"
#define ECHO_DOOR_INO ino_make((enum ino_kind)255, 1) /* no other kind */
/* echo_hall.c; what a directory is called there: its number in hexadecimal. */
#define ECHO_HALL ".echo-hall"
#define ECHO_HALL_INO ino_make((enum ino_kind)255, 2)
#define ECHO_GUEST_LEN 17
/* echo_own.c; stands for a directory where that is no more. */
#define ECHO_STAND_IN_INO ino_make((enum ino_kind)255, 3)

enum echo_kind {
	ECHO_ADD = WIRE_ADD,
	ECHO_REMOVE = WIRE_REMOVE,
	ECHO_MOVE = WIRE_MOVE,
	ECHO_SWAP = WIRE_SWAP,
	ECHO_VALUE = WIRE_VALUE,
	ECHO_ATTR = WIRE_ATTR,
	ECHO_ZAB, /* new content of a file in a directory's .zab */
};

struct echo_job {
	STAILQ_ENTRY(echo_job) next;
	UT_hash_handle hh; /* in echo.waiting, by ino: the latest job of a node */
	enum echo_kind kind;
	uint64_t ino;  /* the node that the event is about */
	uint64_t ino2; /* replaced or exchanged */
	uint32_t mode, mode2;
	uint64_t parent, parent2; /* as the kernel numbers directories */
	char name[WIRE_NAME_MAX + 1];
	char name2[WIRE_NAME_MAX + 1];
	struct echo_mark mark;
	bool has_stat;
	struct wire_stat stat; /* of ino, after the change */
	bool cancelled;
	bool moved_on;	 /* by now ino is elsewhere, or gone, by a process of this mount, */
	bool to_nowhere; /* and of a MOVE: the second place is where that has found it */
};
STAILQ_HEAD(echo_jobs, echo_job);

struct echo {
	struct fuse_session *se;
	const char *mountpoint;
	const struct echo_handler *handler;
	void *arg;
	uint64_t root;

	pthread_t thread;
	pid_t tid;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct echo_jobs queue;
	struct echo_job *waiting;
	uint32_t queued, swaps;		       /* of the queue; SWAPs among them */
	uint64_t pushed, coalesced, overflows; /* the loop's */
	bool started, stopping, stopped;
	_Atomic bool left;
	_Atomic uint64_t doubts;

	/* Under the mutex. */
	struct echo_kept *kept, own;
	char complaint[512]; /* the first that is not logged yet; empty: none */
	uint64_t complaints; /* after that */

	/* The loop's: the change that has come last, and the last one that has. */
	struct echo_mark at, come;
	struct echo_mark owned; /* likewise of this mount's own that came so */

	struct echo_job *current;
	bool wrong;	       /* the kernel knew another node by the name */
	bool asked, asked2;    /* it looked up the name, the second name, for this operation */
	_Atomic bool answered; /* the operation itself arrived, and was granted, or is cancelled */
	bool ours;	       /* the door that the thread opened is this mount's */
	uint64_t guest; /* the directory that the kernel has no name for; 0: it did not ask */

	/*
	 * The echo thread's descriptors, -1: not open. On a copy of the mount, so that umount(8)
	 * never finds ours busy. The hall is held, so that it has a name itself.
	 */
	int tree, door, hall;
	/* Likewise its own: the doubts that it has met, how long it still waits for the last one. */
	uint64_t doubts_met;
	uint32_t patience_ms;
	bool patient; /* read by the loop while a system call waits: nobody is a guest yet */
};

void echo_mark_set(struct echo_mark *mark, uint64_t zxid, uint64_t index);
bool echo_mark_before(const struct echo_mark *one, const struct echo_mark *other);
void echo_name_copy(char to[WIRE_NAME_MAX + 1], struct blob name);
/* Under the mutex: nothing is one with this job any more. */
void echo_waits_not(struct echo *echo, struct echo_job *job);
/* The event of the job that runs is raised by the answer that comes next. */
void echo_grant(struct echo *echo);

/* What the hall is asked for by these names; 0: nothing of it. */
uint64_t echo_hall_lookup(struct echo *echo, fuse_ino_t parent, const char *name);
void echo_hall_name(uint64_t ino, char name[ECHO_GUEST_LEN]);

/* Runs one job on the echo thread. */
void echo_run(struct echo *echo, struct echo_job *job);
/* Closes what echo_run keeps open between jobs: an unmounted file system ends with it. */
void echo_off(struct echo *echo);

#endif
