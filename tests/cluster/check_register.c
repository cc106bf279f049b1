/*
 * Is each register linearizable, where it is read behind a sync? With values
 * that are never written twice this is decided exactly, and fast (Gibbons and
 * Korach, Testing Shared Memories, 1997): a value's write and the reads of it
 * span a zone, from the first end to the last beginning. If the end comes first,
 * the register had that value all this time: two such zones must not overlap. Otherwise
 * the value may have been there at any one moment between: such a zone must not lie
 * within another value's time. The unit test compares this with brute force.
 */
#include "tests/cluster/register.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct zone {
	uint64_t first_end, last_begin;
	size_t value;
	bool forward; /* the end comes first */
	uint64_t low, high;
};

static void
widen(struct zone *zone, uint64_t begun, uint64_t ended)
{
	if (ended < zone->first_end)
		zone->first_end = ended;
	if (begun > zone->last_begin)
		zone->last_begin = begun;
}

static int
by_low(const void *a, const void *b)
{
	const struct zone *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

/* Forward zones first in `zones`, in order; returns how many. */
static size_t
arrange(const struct reg *reg, struct zone *zones, struct zone *backward, size_t *nbackward)
{
	size_t i, count = 0;

	*nbackward = 0;
	for (i = 0; i < reg->nvalues; i++) {
		struct zone zone = zones[i];

		if (reg->values[i].outcome != OUTCOME_DONE && !reg->values[i].seen)
			continue;
		zone.value = i;
		zone.forward = zone.first_end < zone.last_begin;
		zone.low = zone.forward ? zone.first_end : zone.last_begin;
		zone.high = zone.forward ? zone.last_begin : zone.first_end;
		if (zone.forward)
			zones[count++] = zone;
		else
			backward[(*nbackward)++] = zone;
	}
	qsort(zones, count, sizeof *zones, by_low);
	return count;
}

static void
complain(struct run *run, const struct reg *reg, const struct zone *a, const struct zone *b)
{
	violation(run,
	    "register %s is not linearizable: %s between %" PRIu64 " and %" PRIu64
	    ", %s between %" PRIu64 " and %" PRIu64,
	    reg->key, reg->values[a->value].text, a->low, a->high, reg->values[b->value].text,
	    b->low, b->high);
}

/* The last of them that begins before. */
static const struct zone *
before(const struct zone *zones, size_t count, uint64_t low)
{
	size_t from = 0, to = count, middle;

	while (from < to) {
		middle = (from + to) / 2;
		if (zones[middle].low < low)
			from = middle + 1;
		else
			to = middle;
	}
	return from == 0 ? NULL : &zones[from - 1];
}

static void
compare(struct run *run, const struct reg *reg, const struct zone *zones, size_t count,
    const struct zone *backward, size_t nbackward)
{
	const struct zone *around;
	size_t i, widest = 0;

	for (i = 1; i < count; i++) {
		if (zones[widest].high > zones[i].low)
			complain(run, reg, &zones[widest], &zones[i]);
		if (zones[i].high > zones[widest].high)
			widest = i;
	}
	for (i = 0; i < nbackward; i++) {
		around = before(zones, count, backward[i].low);
		if (around != NULL && around->high > backward[i].high)
			complain(run, reg, around, &backward[i]);
	}
}

static void
check(struct run *run, const struct reg *reg)
{
	struct zone *zones = calloc(reg->nvalues, sizeof *zones);
	struct zone *backward = calloc(reg->nvalues, sizeof *backward);
	const struct node *last = run_node(run, "reg", reg->key);
	size_t i, count, nbackward;

	for (i = 0; i < reg->nvalues; i++)
		zones[i] = (struct zone){ .first_end = reg->values[i].ended,
			.last_begin = reg->values[i].begun };
	for (i = 0; i < reg->nsights; i++)
		if (call_is(reg->sights[i].call, "sread"))
			widen(&zones[reg->sights[i].value], reg->sights[i].call->begun,
			    reg->sights[i].call->ended);
	/* The dump is the last read of all. */
	for (i = 0; i < reg->nvalues && last != NULL; i++)
		if (strcmp(reg->values[i].text, last->value) == 0)
			widen(&zones[i], UINT64_MAX - 1, UINT64_MAX);
	count = arrange(reg, zones, backward, &nbackward);
	compare(run, reg, zones, count, backward, nbackward);
	free(zones);
	free(backward);
}

void
check_registers(struct run *run)
{
	reg_each(run, check);
}
