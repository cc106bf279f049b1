/* The events, in order of time; of one time in the order in which they were made. */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <stdlib.h>

static bool
before(const struct event *a, const struct event *b)
{
	return a->time != b->time ? a->time < b->time : a->seq < b->seq;
}

static void
swap(struct world *world, size_t i, size_t j)
{
	struct event event = world->heap[i];

	world->heap[i] = world->heap[j];
	world->heap[j] = event;
}

static struct event *
insert(struct world *world, const struct event *event)
{
	size_t i = world->nheap++;

	if (world->nheap > world->heap_space) {
		world->heap_space = world->nheap * 2;
		world->heap = realloc(world->heap, world->heap_space * sizeof *world->heap);
		CHECK(world->heap != NULL);
	}
	world->heap[i] = *event;
	for (; i > 0 && before(&world->heap[i], &world->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(world, i, (i - 1) / 2);
	return &world->heap[i];
}

/* The caller fills what the kind needs; time and order are fixed. */
struct event *
heap_add(struct world *world, uint64_t time, enum event_kind kind)
{
	struct event event = { .time = time, .seq = ++world->seq, .kind = kind };

	return insert(world, &event);
}

/* Later, but before what was made after it. */
void
heap_postpone(struct world *world, const struct event *event, uint64_t time)
{
	struct event later = *event;

	later.time = time;
	insert(world, &later);
}

bool
heap_take(struct world *world, struct event *out)
{
	size_t i = 0, child;

	if (world->nheap == 0)
		return false;
	*out = world->heap[0];
	world->heap[0] = world->heap[--world->nheap];
	while ((child = 2 * i + 1) < world->nheap) {
		if (child + 1 < world->nheap &&
		    before(&world->heap[child + 1], &world->heap[child]))
			child++;
		if (!before(&world->heap[child], &world->heap[i]))
			break;
		swap(world, i, child);
		i = child;
	}
	return true;
}

#define CHUNK (64u << 10)

struct bytes *
bytes_new(struct world *world, const void *data, size_t len)
{
	size_t need = (sizeof(struct bytes) + len + 7) & ~(size_t)7;
	struct chunk *chunk = world->chunks;
	struct bytes *bytes;

	if (chunk == NULL || chunk->size - chunk->used < need) {
		size_t size = need > CHUNK ? need : CHUNK;

		chunk = malloc(sizeof *chunk + size);
		CHECK(chunk != NULL);
		*chunk = (struct chunk){ .next = world->chunks, .size = size };
		world->chunks = chunk;
	}
	bytes = (struct bytes *)(void *)((char *)(chunk + 1) + chunk->used);
	chunk->used += need;
	bytes->len = (uint32_t)len;
	if (len != 0)
		memcpy(bytes->data, data, len);
	return bytes;
}
