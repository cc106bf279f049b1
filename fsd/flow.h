/*
 * Writes that were answered when they were queued (`.zab/stream`, `.zab/async`):
 * how many are under way, what was the first that failed, and who waits for room
 * or for all of them. Used by zabstream.c and op_write.c.
 */
#ifndef ZABFS_FSD_FLOW_H
#define ZABFS_FSD_FLOW_H

#include "fsd/call.h"

/* Under way. The write(2) that goes beyond waits until there are fewer. */
#define FLOW_MAX WIRE_OUTSTANDING_MAX
#define FLOW_BYTES_MAX (16u << 20) /* the same of their text or data */

struct flow {
	uint32_t outstanding;
	size_t bytes;
	bool closed;
	bool waking, again; /* those that wait are being looked at, and are to be once more */
	int error;	    /* errno of the first that failed and nobody was told of; 0: none */
	/* Both for a process after us: the handle's, borrowed until flow_part, or nobody's. */
	struct handle_flow *kept, own;
	TAILQ_HEAD(calls, call) waits;
};

/* kept NULL: the next process need not know. */
void flow_init(struct flow *flow, struct handle_flow *kept);
/*
 * Of what a process before us had under way so much goes on (queued.h). Of the rest nobody knows:
 * ETIMEDOUT.
 */
void flow_restore(struct flow *flow, uint32_t queued);
/* The handle goes. */
void flow_part(struct flow *flow);

/*
 * One by itself, aborts without memory. Closed, it goes when nothing is under way any more; what
 * failed that nobody was told of is then logged, with the node's id.
 */
struct flow *flow_new(struct handle_flow *kept);
void flow_close(struct flow *flow, uint64_t id);
/* Behind each flow_end. */
void flow_maybe_free(struct flow *flow, uint64_t id);

bool flow_has_room(const struct flow *flow);
void flow_begin(struct flow *flow, size_t bytes);
/*
 * The same bytes. errnum 0: it was done. Then, when whatever else is to be known of it is, those that
 * wait for it.
 */
void flow_end(struct flow *flow, size_t bytes, int errnum);
void flow_wake(struct flow *flow);

/*
 * What a call waits for, until its go() is called, out of the list: room, and what was written is
 * queued already, so go() is also what an interruption leads to; nothing under way; or the next
 * end, whatever comes of it. The first two may hold at once. Interrupted, the others are EINTR.
 */
enum flow_until { FLOW_ROOM, FLOW_ALL, FLOW_NEXT };
void flow_wait(
    struct flow *flow, struct call *call, enum flow_until until, void (*go)(struct call *call));
/* Whether nothing waits and nothing is under way. */
bool flow_idle(const struct flow *flow);

/* The first that failed and nobody was told of; 0: none did. */
int flow_error(const struct flow *flow);
/*
 * Answers a call that has waited for all (fsync(2), close(2)) with it: told. (If this process ends
 * first they ask the next one: told again, not lost.) Frees the call.
 */
void flow_tell(struct call *call);

#endif
