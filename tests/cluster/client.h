/*
 * A client of the cluster tests works through one mount with a worker for each
 * kind of thing, and writes down each call: when it began, when it returned,
 * what it was told. verify.c reads that. client.c starts and stops, the other
 * client_*.c are a kind of worker each.
 *
 * A line of a history has eight words:
 *   BEGUN ENDED MOUNT WORKER OP KEY VALUE RESULT
 * Times are CLOCK_MONOTONIC's nanoseconds, one clock for all namespaces of a
 * machine. RESULT is `ok` or the errno's name, a word that is not needed `-`.
 */
#ifndef ZABFS_TESTS_CLUSTER_CLIENT_H
#define ZABFS_TESTS_CLUSTER_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define REGISTERS 4  /* reg/0 to reg/3; the last half is published by rename(2) */
#define PUBLISHED 2  /* from this one on */
#define VALUE_LEN 24 /* of a register, always: one write(2) replaces all of it */
#define LOCKS 2
#define PATH_LEN 256
#define NAME_LEN 40
#define LIST_LEN 65536

struct client {
	const char *name;  /* of the mount, in histories and in values */
	const char *mount; /* where it is */
	const char *histories;
	uint64_t seed;
	_Atomic uint32_t pace_us; /* the mean pause between two calls of a worker */
	_Atomic bool stop;
	_Atomic uint64_t acknowledged; /* changes */
	char *progress;		       /* the same as a line of text, mapped */
};

struct worker {
	struct client *client;
	const char *kind;
	void (*run)(struct worker *);
	pthread_t thread;
	FILE *history;
	uint64_t random;
	uint64_t sequence;
};

/* client.c */
uint64_t now_ns(void);
uint64_t worker_random(struct worker *worker, uint64_t below);
/* Pauses a little; false when the client has to stop. */
bool worker_goes_on(struct worker *worker);
/* A name or value that nobody else ever makes. */
void worker_unique(struct worker *worker, char *text, size_t len);
/* Ends now. error: 0 or an errno; of a change that is done the progress counts. */
void record(struct worker *worker, uint64_t begun, const char *op, const char *key,
    const char *value, int error);
void record_change(struct worker *worker, uint64_t begun, const char *op, const char *key,
    const char *value, int error);
void worker_path(struct worker *worker, char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* 0 or the errno. */
int sync_dir(const char *path);
int read_text(const char *path, char *text, size_t len);
/* The mount's session: its id, 0 while it is not connected. Recorded. */
uint64_t worker_session(struct worker *worker);
/* fsync(2), then a listing: what is seen in DIR, recorded as one line. */
void list_synced(struct worker *worker, const char *dir);

/* The kinds. */
void write_registers(struct worker *worker); /* client_register.c */
void read_registers(struct worker *worker);
void read_synced(struct worker *worker);
void change_names(struct worker *worker); /* client_names.c */
void append_lines(struct worker *worker);
void keep_ephemerals(struct worker *worker); /* client_session.c */
void take_locks(struct worker *worker);
void watch(struct worker *worker);     /* client_watch.c: until it has seen the end */
void keep_pace(struct worker *worker); /* client_pace.c */

/*
 * The last things of a run: what the watchers wait for. Of two mounts, because what a mount does
 * itself it may see before what was done elsewhere earlier.
 */
void finish(struct worker *worker, bool registers); /* client_register.c */
#define END_NAME "end."
#define ENDS 2

/* client_dump.c: all that there is, to standard output. */
int dump(const char *mount);

#endif
