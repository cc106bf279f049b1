/*
 * The mount supervisor: opens /dev/fuse, mounts, starts fsd with the
 * descriptor, replaces it when it dies, unmounts. Tiny and privileged: libc only.
 *
 *   main.c       arguments, mount(8)'s calling convention
 *   options.c    -o
 *   mount.c      mount(2), umount2(2), the stale mount point
 *   child.c      a process of fsd, and what is said between it and us
 *   supervise.c  which one serves, and which one next
 */
#ifndef ZABFS_MOUNTD_MOUNTD_H
#define ZABFS_MOUNTD_MOUNTD_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TIMEOUT_MS_DEFAULT 10000
#define TIMEOUT_MS_MIN 100
#define TIMEOUT_MS_MAX 3600000
#define ENDING_MS 5000 /* that fsd has to end after SIGTERM, before SIGKILL */

struct mountd {
	const char *conf;
	const char *subtree; /* the mount's root; NULL: the whole tree */
	const char *socket;  /* NULL: the configuration's */
	const char *fsd_log; /* NULL: fsd shares our stderr */
	char mountpoint[PATH_MAX];
	bool foreground;
	int verbose;

	uint32_t timeout_ms;
	bool stale;
	unsigned long mount_flags; /* MS_… */

	int fuse_fd;
	int kept_fd;	  /* the memory that one fsd leaves to the next */
	uint64_t mounted; /* which mount is ours, 0: none */
};

/* options.c: takes one -o argument apart. False: `bad` is the option that isn't known or right. */
bool options_parse(struct mountd *mountd, char *options, const char **bad);

int64_t now_ms(void); /* monotonic */

/* mount.c. An error is one line on stderr, and a sysexits(3) code. */
int mount_resolve(struct mountd *mountd, const char *mountpoint);
int mount_make(struct mountd *mountd);
void mount_remove(struct mountd *mountd);
/* False: it was unmounted, or aborted. */
bool mount_connected(const struct mountd *mountd);

#define CHILD_END_MAX 32

struct child {
	pid_t pid;   /* 0: none */
	int program; /* what it runs; borrowed */
	int control; /* -1: closed */
	bool standby, going, ready, leaving, left, ended, killed;
	bool reaped;
	int status;	     /* reaped: as waitpid(2) says */
	unsigned unanswered; /* pings */
	int64_t started_ms;
	int64_t deadline_ms; /* INT64_MAX: none */
};

/* What it says; CHILD_FAILED is logged; CHILD_GONE: it has closed its end. */
enum child_word {
	CHILD_NOTHING,
	CHILD_STANDBY,
	CHILD_READY,
	CHILD_PONG,
	CHILD_LEFT,
	CHILD_ENDED,
	CHILD_FAILED,
	CHILD_GONE,
};

/* child.c. An error is one line on stderr, and a sysexits(3) code. */
int child_start(struct mountd *mountd, int program, struct child *child);
/* What is installed now, to be executed, also when it is replaced: owned. -1: an error. */
int child_program(void);
void child_say(const struct child *child, const char *word);
enum child_word child_hear(struct child *child);
void child_kill(struct child *child);
void child_reap(struct child *child);
void child_forget(struct child *child);
const char *child_end_text(const struct child *child, char text[CHILD_END_MAX]);

/* supervise.c: from fsd's start to its end; ready() once the mount answers. An exit code. */
int supervise(struct mountd *mountd, void (*ready)(void));

#endif
