/*
 * The store on a disk that fails. A scripted run of everything that the store
 * does (world.c), on files that are recorded, or fail, under SQLite and under
 * the store's own calls (vfs.c, wrap.c); states of the disk as a crash may
 * leave them (disk.c); and what must hold after opening one (verify.c):
 * everything acknowledged is there, nothing that was never asked for.
 *
 *   crash.c  power loss anywhere      fault.c  the n-th call fails
 *   flip.c   a bit rots
 */
#ifndef ZABFS_STORAGE_H
#define ZABFS_STORAGE_H

#include "replica/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SLOTS 6	     /* five nodes and a session; a row sets, or removes, one of them */
#define ROWS_MAX 160 /* of one state */
#define STATES_MAX 240

/* A row is told by its zxid and by the leader that made it: its bytes follow from both. */
struct srow {
	uint64_t zxid, prev;
	uint32_t tag;
};

struct sslot {
	uint64_t zxid; /* of the row that set it; 0: not there */
	uint32_t tag;
};

/* What the store holds after one of the script's calls. */
struct sstate {
	uint64_t op;
	uint64_t accepted, sid, current;
	bool voter;
	uint64_t base, base_hash;  /* a snapshot's, or 0 */
	struct sslot slots[SLOTS]; /* at the base */
	uint32_t nrows;
	struct srow rows[ROWS_MAX]; /* above the base; the store may have dropped the first ones */
};

/* Shared with a child that ends in the middle. */
struct world {
	char dir[128];
	uint64_t op;
	uint32_t tag;
	uint32_t nstates; /* asked for */
	uint32_t acked;	  /* the last one that was reported */
	uint64_t applied; /* of the last pass that was reported */
	uint64_t shown;	  /* rows up to here may show in the image: they are committed */
	uint32_t npromised;
	struct srow promised[10]; /* rows that a snapshot shows and that are still to come */
	uint32_t fulls;		  /* how often the disk was full for the log */
	uint32_t pass_fails;	  /* likewise for a pass */
	uint32_t opened;	  /* how often the store was opened */
	int refused;		  /* store_open's code */
	struct sstate states[STATES_MAX];
	/* Called when one of the above changes. */
	void (*changed)(const struct world *world);
};

/* world.c */
struct world *world_new(const char *dir); /* in memory shared with children */
/* Everything, from an empty disk on. Ends early where a store can't be opened. */
void world_run(struct world *world);
/* Once, in a folder of its own, on the recorded disk. */
struct world *world_record(void (*changed)(const struct world *world));
/* What it does first: SQLite's files are ours; without V=1 nothing is heard of the store. */
void world_install(void);
void world_slots(const struct sstate *state, uint64_t upto, struct sslot slots[SLOTS]);
/* The state that a row leads to. */
void world_apply(struct sslot slots[SLOTS], uint64_t zxid, uint32_t tag);
/* The bytes of a row, and of the value that it sets; the buffer is the caller's. */
#define BYTES_MAX 4096
struct blob world_bytes(uint64_t zxid, uint32_t tag, uint8_t buffer[BYTES_MAX]);
struct store_batch *world_batch(const struct sslot slots[SLOTS], uint32_t from, uint32_t to);

/*
 * verify.c: opens the folder's store and compares it with the states from the
 * first to the last one: NULL, or what is wrong. nothing: that there is no store
 * is right, too. lost: a bit was flipped: a refusal is right, and an older state
 * if the store says that it is no voter.
 */
struct expectation {
	const struct world *world;
	uint32_t first, last;
	uint64_t applied;
	bool nothing, lost, replaceable;
	bool work; /* goes on with it, opens it again */
};
const char *verify(const char *dir, const struct expectation *expectation);
extern bool verify_refused; /* the last one */

/* vfs.c: over the default VFS, from now on the default one. */
void vfs_install(void);

enum call {
	CALL_OPEN,
	CALL_READ,
	CALL_WRITE,
	CALL_SYNC,
	CALL_TRUNCATE,
	CALL_DELETE,
	CALL_SIZE,
	CALL_SHM,
	CALL_DIRSYNC,
	CALL_RENAME,
	CALLS
};
extern const char *const call_names[CALLS];

/* Makes the n-th call of this kind fail; error 0: none. Then: whether one did. */
void fault_set(enum call call, uint64_t n, int error);
bool fault_hit(void);
/* For vfs.c and wrap.c: whether this one fails, and with what. */
int fault_now(enum call call);

/* disk.c: what happened to the files of a folder, in order. */
enum event_type {
	EVENT_CREATE,
	EVENT_WRITE,
	EVENT_TRUNCATE,
	EVENT_SYNC,
	EVENT_UNLINK,
	EVENT_RENAME,
	EVENT_DIRSYNC,
	EVENT_WORLD /* what the world then looked like */
};
void disk_record(bool on);
bool disk_recording(void);
void disk_event(enum event_type type, const char *path, const char *to, uint64_t at,
    const void *data, uint32_t len);
void disk_world(const struct world *world);

uint32_t disk_events(void);
/* Whether a crash right before this event differs much from one before the last: a sync follows. */
bool disk_boundary(uint32_t event);
/* The last event at which rows of this epoch, or older ones, were the newest acknowledged. */
uint32_t disk_busy(uint64_t epoch);
void disk_expectation(uint32_t event, struct expectation *out);

enum crash { CRASH_NOTHING, CRASH_ALL, CRASH_PREFIX, CRASH_SUBSET, CRASH_TORN };
/* Writes what is left of the files after a crash before that event into the folder. */
void disk_crash(uint32_t event, enum crash crash, uint64_t seed, const char *dir);

uint64_t random_next(uint64_t *seed);
/* A fresh empty folder in memory. */
void folder_make(char dir[128], const char *name);
void folder_remove(const char *dir);

#endif
