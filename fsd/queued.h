/*
 * Writes that were answered when they were queued (flow.h), for the process after us: the messages
 * as they go to the replica, in a ring in kept.h's file, until their answers have come. The next
 * process sends them again, under the same ids, so that each is executed once. Used by zabstream.c
 * and op_write.c; kernel_adopt.c has them go on.
 *
 * KEPT_QUEUE bytes; what finds no room there is not kept, and nobody knows what becomes of it then.
 */
#ifndef ZABFS_FSD_QUEUED_H
#define ZABFS_FSD_QUEUED_H

#include "fsd/call.h"

#define QUEUED_NOT UINT32_MAX /* no place in it */

/* One of them. */
struct queued {
	uint32_t len;  /* of this and the message; 0: what follows is at the beginning */
	uint32_t size; /* of the message */
	uint64_t fh, ino, rid;
	uint32_t weight; /* flow.h's bytes */
	uint8_t bound;	 /* to the session (link_bind) */
	uint8_t done;
};

/*
 * call_send of such a write of call->fh, with call->rid and call->ino; and that its answer was
 * handled: `at` is call->queued.
 */
void queued_send(
    struct call *call, struct wire_msg *msg, uint32_t weight, bool bound, call_done done);
void queued_done(struct fsd *fsd, uint32_t at);

/* Whether a request of the kernel comes again. */
typedef bool (*queued_again)(void *arg, uint64_t unique);

/*
 * How many of each handle a process before us has left: all, and those whose WRITE doesn't come
 * again. To be given back by queued_counted.
 */
struct queued_counts;
struct queued_counts *queued_count(const struct fsd *fsd, queued_again again, void *arg);
uint32_t queued_all(const struct queued_counts *counts, uint64_t fh);
uint32_t queued_to_go_on(const struct queued_counts *counts, uint64_t fh);
void queued_counted(struct queued_counts *counts);

/*
 * All that goes on; what comes again is taken out. In the order of the ids, among the requests that
 * come again: queued_go_on sends those before `unique`.
 */
struct queue {
	const struct queued **all; /* owned */
	size_t n, next;
};
void queued_adopt(struct fsd *fsd, struct queue *queue, queued_again again, void *arg);
void queued_go_on(struct fsd *fsd, struct queue *queue, uint64_t unique);
void queued_adopted(struct queue *queue);

/* op_write.c: one that is none of a stream. The call is its own now. */
void write_go_on(struct call *call, struct wire_msg *msg, uint32_t weight);

#endif
