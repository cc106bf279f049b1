/*
 * The events, in order of time; of one time in the order in which they were made.
 * What moves in the heap is small; events stand still until they are taken.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <stdlib.h>

#define CHUNK (64u << 10)

/* Until world_free. */
static void *
carve(struct world *world, size_t need)
{
	struct chunk *chunk = world->chunks;

	need = (need + 7) & ~(size_t)7;
	if (chunk == NULL || chunk->size - chunk->used < need) {
		size_t size = need > CHUNK ? need : CHUNK;

		chunk = malloc(sizeof *chunk + size);
		CHECK(chunk != NULL);
		*chunk = (struct chunk){ .next = world->chunks, .size = size };
		world->chunks = chunk;
	}
	chunk->used += need;
	return (char *)(chunk + 1) + chunk->used - need;
}

static bool
before(const struct slot *a, const struct slot *b)
{
	return a->time != b->time ? a->time < b->time : a->seq < b->seq;
}

static void
insert(struct world *world, struct event *event)
{
	struct slot slot = { event->time, event->seq, event };
	size_t i = world->nheap++;

	if (world->nheap > world->heap_space) {
		world->heap_space = world->nheap * 2;
		world->heap = realloc(world->heap, world->heap_space * sizeof *world->heap);
		CHECK(world->heap != NULL);
	}
	for (; i > 0 && before(&slot, &world->heap[(i - 1) / 2]); i = (i - 1) / 2)
		world->heap[i] = world->heap[(i - 1) / 2];
	world->heap[i] = slot;
}

static struct event *
slab_take(struct world *world)
{
	struct event *event = world->spare;

	if (event == NULL)
		return carve(world, sizeof *event);
	world->spare = event->next;
	return event;
}

/* The caller fills what the kind needs; time and order are fixed. */
struct event *
heap_add(struct world *world, uint64_t time, enum event_kind kind)
{
	struct event *event = slab_take(world);

	*event = (struct event){ .time = time, .seq = ++world->seq, .kind = kind };
	insert(world, event);
	return event;
}

/* Later, but before what was made after it. */
void
heap_postpone(struct world *world, const struct event *event, uint64_t time)
{
	struct event *later = slab_take(world);

	*later = *event;
	later->time = time;
	insert(world, later);
}

bool
heap_take(struct world *world, struct event *out)
{
	struct event *first;
	struct slot last;
	size_t i = 0, child;

	if (world->nheap == 0)
		return false;
	first = world->heap[0].event;
	last = world->heap[--world->nheap];
	while ((child = 2 * i + 1) < world->nheap) {
		if (child + 1 < world->nheap &&
		    before(&world->heap[child + 1], &world->heap[child]))
			child++;
		if (!before(&world->heap[child], &last))
			break;
		world->heap[i] = world->heap[child];
		i = child;
	}
	world->heap[i] = last;
	*out = *first;
	first->next = world->spare;
	world->spare = first;
	return true;
}

struct bytes *
bytes_new(struct world *world, const void *data, size_t len)
{
	struct bytes *bytes = carve(world, sizeof(struct bytes) + len);

	bytes->len = (uint32_t)len;
	if (len != 0)
		memcpy(bytes->data, data, len);
	return bytes;
}
