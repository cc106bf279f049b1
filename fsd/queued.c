/*
 * See queued.h.
 *
 * A record is there when the ring's end lies behind it, and gone when its beginning does: both are
 * in one word, so that a kill between any two instructions leaves a ring. Records are done in any
 * order; those at the beginning that are done go.
 */
#include "fsd/queued.h"

#include "fsd/kept.h"
#include "fsd/kernel.h"
#include "fsd/multi.h"
#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <Judy.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN 8u
#define IDLE_BYTES (1u << 20) /* more is given back when nothing is queued any more */

struct queued_counts {
	Pvoid_t all, to_go_on; /* JudyL: fh -> how many */
};

struct range {
	uint32_t begin, end; /* the same: it is empty */
};

static struct range
range_of(const struct fsd *fsd)
{
	uint64_t word = fsd->kept->head->queue;

	return (struct range){ (uint32_t)(word >> 32), (uint32_t)word };
}

static void
set_range(struct fsd *fsd, struct range range)
{
	atomic_signal_fence(memory_order_seq_cst);
	fsd->kept->head->queue = (uint64_t)range.begin << 32 | range.end;
	atomic_signal_fence(memory_order_seq_cst);
}

static struct queued *
record_at(const struct fsd *fsd, uint32_t at)
{
	return (struct queued *)(void *)(fsd->kept->queue + at);
}

/* The place of the one behind it. */
static uint32_t
after(const struct fsd *fsd, uint32_t at)
{
	uint32_t len = record_at(fsd, at)->len;

	return len == 0 ? 0 : at + len;
}

static bool
is_waiting(const struct queued *record)
{
	return record->len != 0 && record->done == 0;
}

/* Where a record of that length goes. The ring is never full: then it would look empty. */
static uint32_t
room_for(const struct fsd *fsd, struct range range, uint32_t len)
{
	if (range.begin <= range.end) {
		if (KEPT_QUEUE - range.end >= len + sizeof(struct queued))
			return range.end;
		if (range.begin <= len)
			return QUEUED_NOT;
		record_at(fsd, range.end)->len = 0;
		return 0;
	}
	return range.begin - range.end > len ? range.end : QUEUED_NOT;
}

static uint32_t
put(struct call *call, const msgpack_sbuffer *message, uint32_t weight, bool bound)
{
	uint32_t len =
	    (uint32_t)(sizeof(struct queued) + message->size + ALIGN - 1) / ALIGN * ALIGN;
	struct range range = range_of(call->fsd);
	uint32_t at = room_for(call->fsd, range, len);
	struct queued *record;

	if (at == QUEUED_NOT)
		return at;
	record = record_at(call->fsd, at);
	*record = (struct queued){ .len = len,
		.size = (uint32_t)message->size,
		.fh = call->fh,
		.ino = call->ino,
		.rid = call->rid,
		.weight = weight,
		.bound = bound };
	memcpy(record + 1, message->data, message->size);
	range.end = at + len;
	set_range(call->fsd, range);
	if (range.end > call->fsd->kept->queue_most)
		call->fsd->kept->queue_most = range.end;
	return at;
}

void
queued_send(struct call *call, struct wire_msg *msg, uint32_t weight, bool bound, call_done done)
{
	msgpack_sbuffer *message = &call->fsd->kept->message;

	wire_pack(message, msg);
	call->queued = put(call, message, weight, bound);
	message->size = 0;
	call_send(call, msg, done);
}

/* Pages that nobody needs any more, when that is many. */
static void
give_back(struct kept *kept)
{
	if (kept->queue_most <= IDLE_BYTES)
		return;
	kept->queue_most = 0;
	if (madvise(kept->queue, KEPT_QUEUE, MADV_REMOVE) != 0)
		log_debug("the queue's memory stays taken");
}

void
queued_done(struct fsd *fsd, uint32_t at)
{
	struct range range = range_of(fsd);

	if (at == QUEUED_NOT)
		return;
	record_at(fsd, at)->done = 1;
	while (range.begin != range.end && !is_waiting(record_at(fsd, range.begin)))
		range.begin = after(fsd, range.begin);
	if (range.begin == range.end)
		range = (struct range){ 0 };
	set_range(fsd, range);
	if (range.end == 0)
		give_back(fsd->kept);
}

static bool
comes_again(const struct queued *record, queued_again again, void *arg)
{
	return again(arg, record->rid / KERNEL_RIDS);
}

/* Once over the ring: there may be as many handles as records. */
struct queued_counts *
queued_count(const struct fsd *fsd, queued_again again, void *arg)
{
	struct queued_counts *counts = calloc(1, sizeof *counts);
	struct range range = range_of(fsd);
	const struct queued *record;
	PPvoid_t slot;

	CHECK(counts != NULL);
	for (; range.begin != range.end; range.begin = after(fsd, range.begin)) {
		record = record_at(fsd, range.begin);
		if (!is_waiting(record))
			continue;
		slot = JudyLIns(&counts->all, record->fh, PJE0);
		CHECK(slot != NULL && slot != PPJERR);
		++*(Word_t *)slot;
		if (comes_again(record, again, arg))
			continue;
		slot = JudyLIns(&counts->to_go_on, record->fh, PJE0);
		CHECK(slot != NULL && slot != PPJERR);
		++*(Word_t *)slot;
	}
	return counts;
}

static uint32_t
count_of(Pvoid_t counts, uint64_t fh)
{
	PPvoid_t slot = JudyLGet(counts, fh, PJE0);

	return slot == NULL ? 0 : (uint32_t) * (Word_t *)slot;
}

uint32_t
queued_all(const struct queued_counts *counts, uint64_t fh)
{
	return count_of(counts->all, fh);
}

uint32_t
queued_to_go_on(const struct queued_counts *counts, uint64_t fh)
{
	return count_of(counts->to_go_on, fh);
}

void
queued_counted(struct queued_counts *counts)
{
	JudyLFreeArray(&counts->all, PJE0);
	JudyLFreeArray(&counts->to_go_on, PJE0);
	free(counts);
}

static int
by_rid(const void *a, const void *b)
{
	const struct queued *one = *(const struct queued *const *)a,
			    *other = *(const struct queued *const *)b;

	return (one->rid > other->rid) - (one->rid < other->rid);
}

static void
add(struct queue *queue, const struct queued *record)
{
	queue->all = reallocarray(queue->all, queue->n + 1, sizeof(struct queued *));
	CHECK(queue->all != NULL);
	queue->all[queue->n++] = record;
}

void
queued_adopt(struct fsd *fsd, struct queue *queue, queued_again again, void *arg)
{
	struct range range = range_of(fsd);
	const struct queued *record;
	uint32_t at, next;

	*queue = (struct queue){ 0 };
	for (at = range.begin; at != range.end; at = next) {
		next = after(fsd, at);
		record = record_at(fsd, at);
		if (!is_waiting(record))
			continue;
		if (comes_again(record, again, arg))
			queued_done(fsd, at);
		else
			add(queue, record);
	}
	/* Those before us may have used all of it. */
	fsd->kept->queue_most = KEPT_QUEUE;
	if (queue->n != 0) {
		qsort(queue->all, queue->n, sizeof(struct queued *), by_rid);
		return;
	}
	/* Killed in queued_done, they left a range of what is done: its bytes go, so it does. */
	set_range(fsd, (struct range){ 0 });
	give_back(fsd->kept);
}

static void
go_on(struct fsd *fsd, const struct queued *record)
{
	uint32_t at = (uint32_t)((const uint8_t *)record - fsd->kept->queue);
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	struct wire_msg msg;
	struct call *call = call_new(fsd, NULL);

	CHECK(zone != NULL && call != NULL);
	CHECK(wire_unpack(record + 1, record->size, zone, &msg) == 0);
	call->resent = true;
	call->rid = record->rid;
	call->fh = record->fh;
	call->ino = record->ino;
	call->queued = at;
	if (msg.type == WIRE_T_MULTI)
		stream_go_on(call, &msg);
	else
		write_go_on(call, &msg, record->weight);
	if (record->bound)
		link_bind(call->request);
	msgpack_zone_free(zone);
}

void
queued_go_on(struct fsd *fsd, struct queue *queue, uint64_t unique)
{
	while (queue->next < queue->n && queue->all[queue->next]->rid / KERNEL_RIDS < unique)
		go_on(fsd, queue->all[queue->next++]);
}

void
queued_adopted(struct queue *queue)
{
	free(queue->all);
}
