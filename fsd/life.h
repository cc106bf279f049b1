/*
 * The two ends of an fsd's life, and what it says to mountd of them.
 *
 * ready: INIT is answered and the session stands; mountd is told. Where the root is a
 * subtree's it is found in between (subtree.h), and the kernel is served from then on.
 * A process that goes on for another one (kept.h) is ready as soon as it serves the kernel.
 * ending: SIGTERM, unmounted, or mountd is gone. The other threads stop first
 * (their system calls need us), then the session is closed, so that its
 * ephemerals go at once.
 * leaving: mountd says so, another process goes on: session, open files and
 * requests without an answer are left to it. What is queued is waited for before, for a while.
 *
 * mountd says "go", "ping" and "leave"; we say "standby" (go may come), "ready",
 * "pong", "left", "ended", and "failed: WHY". One word is one datagram.
 *
 * Used by main.c.
 */
#ifndef ZABFS_FSD_LIFE_H
#define ZABFS_FSD_LIFE_H

#include "fsd/fsd.h"
#include "fsd/options.h"

struct life {
	struct fsd fsd;
	struct options options;
	struct conf *conf;
	struct mounted *mounted;
	struct event *term, *interrupt, *control, *ending, *complaint;
	int complaint_fd;   /* the echo's thread wakes the loop */
	uint64_t ending_ns; /* 0: not yet */
	bool leaving;	    /* and not ending */
	bool initialised, connected, told;
	bool searching; /* for the root */
	int status;	/* of the process's end */
};

/* Says "standby" and returns when mountd says "go"; at once where there is no mountd. */
void life_wait(const struct life *life);
/* Signals and mountd are listened to from now on. */
void life_begin(struct life *life);
/* Says "ready", once INIT is answered and the session stands. */
void life_maybe_ready(struct life *life);
void life_ready(struct life *life);
/* The loop ends when the session has; `why` is logged. Again: nothing. */
void life_end(struct life *life, const char *why);
/* A word to mountd. */
void life_tell(const struct life *life, const char *text);
/* Says "failed" and exits with `code`, of sysexits.h: there is no mount yet, nothing is lost. */
_Noreturn void life_hopeless(const struct life *life, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether the threads that make system calls on the mount have ended. */
bool life_threads_stopped(const struct life *life);
void life_free(struct life *life);

#endif
