/*
 * What outlives this process: a memory file that mountd holds and hands to each
 * fsd of the mount in turn. A process writes as it goes, so that whoever comes
 * after it, whenever it died, knows what the kernel knows (inode.h), where its
 * root is (subtree.h), what is open (handle.h), what is queued (queued.h), which
 * session this is (link.h), and what was told (echo.h).
 * fsd/README.md, fact 11, says what follows from it.
 *
 * The file lives as long as mountd or a process of fsd. One process writes at a
 * time. It is sparse: what was never used takes no memory. Bounds: KEPT_INODES,
 * KEPT_HANDLES and KEPT_QUEUE; what is beyond the first two is not kept, and the
 * log says so, once. Of values that are read, HANDLE_SNAPSHOTS_MAX.
 */
#ifndef ZABFS_FSD_KEPT_H
#define ZABFS_FSD_KEPT_H

#include "fsd/fsd.h"
#include "fsd/grace.h"
#include "fsd/mounted.h"

#include <msgpack.h>

/* Another number for each change of what lies in the file: other layouts are refused. */
#define KEPT_LAYOUT 8
#define KEPT_INODES (1u << 24)
#define KEPT_HANDLES (1u << 16)
#define KEPT_QUEUE (32u << 20) /* bytes: queued.h */
#define KEPT_INIT_MAX 256
#define KEPT_GIVEN_MAX 16384 /* entries of one answer: a page of a listing has less */
#define KEPT_THREADS 32	     /* echo threads of processes that were killed, and hang */

/* A thread of a process that is dead, and what it must not be taken for. */
struct kept_thread {
	int32_t pid, tid;
};

struct kept_head {
	uint64_t magic; /* the last thing to be written: before it there is nothing */
	uint64_t layout, sizes;
	uint64_t root;		  /* the znode at the mount's root; 0: it is not found yet */
	uint64_t fh_base;	  /* handle.h */
	uint64_t unique;	  /* of the kernel's last request but those that are sent again */
	uint64_t queue;		  /* queued.c's ring: where it begins, where it ends */
	uint32_t doubts;	  /* calls whose process did not wait for what they did */
	uint32_t inodes, handles; /* slots that were ever used */
	uint32_t init_len;	  /* the kernel's first words; 0: it has no answer to them yet */
	uint8_t init[KEPT_INIT_MAX];
	struct mounted_id mounted;
	struct link_kept link;
	struct echo_kept echo;
	struct grace_kept graces;
	struct kept_thread threads[KEPT_THREADS];
	/* The entries of the answer that is being given, before the kernel has it. */
	uint64_t given_unique;
	uint32_t ngiven;
	uint64_t given[KEPT_GIVEN_MAX];
};

/* Slots of one size; each begins with its number, 0: it is free. */
struct kept_slots {
	uint8_t *base;
	size_t size;
	uint32_t max;
	uint32_t *used;
	void *free; /* Judy1: of those below *used */
	bool full;  /* the log has it */
};

struct kept {
	int fd; /* -1: memory of this process alone */
	struct kept_head *head;
	struct kept_slots inodes, handles;
	uint8_t *queue;
	uint32_t queue_most;	 /* of it, that was used */
	msgpack_sbuffer message; /* for it; empty in between */
	bool takes_over;	 /* there was somebody before us */
};

/*
 * Owns fd, -1: none. NULL: it is of another layout (errno EPROTO), or errno says why. Another
 * process may still write, until kept_enter.
 */
struct kept *kept_open(int fd);
void kept_enter(struct kept *kept);
void kept_close(struct kept *kept);
/* Everything is in place: from now on there is something to take over. */
void kept_begin(struct kept *kept);

/* Zeros, but for the number. Never NULL: without room it is memory of this process alone. */
void *kept_slot_new(struct kept_slots *slots, uint64_t number);
void kept_slot_free(struct kept_slots *slots, void *slot);
/* With each that was in use when we came. */
void kept_slots_each(struct kept_slots *slots, void (*with)(void *arg, void *slot), void *arg);

/* Bytes that belong to a slot of `handles`. False: they are not kept. */
bool kept_bytes_save(struct kept *kept, const void *slot, const void *data, size_t len);
bool kept_bytes_load(struct kept *kept, const void *slot, void *data, size_t len);
void kept_bytes_drop(struct kept *kept, const void *slot);

/* The request `unique` is about to be answered; what kept_given names goes with the answer. */
void kept_give(struct kept *kept, uint64_t unique);
void kept_given(struct kept *kept, uint64_t ino);

#endif
