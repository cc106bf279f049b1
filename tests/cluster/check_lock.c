/*
 * A lock has one holder at a time. Its holder knows that it has it from the open(2)
 * that made the file to the beginning of the last read(2) of the descriptor that did
 * not answer ESTALE. The file's number grows from holder to holder.
 */
#include "tests/cluster/verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct hold {
	const struct call *call;
	uint64_t until; /* the beginning of its last use */
	uint64_t token;
};

static struct hold *
hold_of(struct hold *holds, size_t count, const struct call *call)
{
	while (count-- > 0)
		if (strcmp(holds[count].call->mount, call->mount) == 0 &&
		    strcmp(holds[count].call->key, call->key) == 0)
			return strcmp(holds[count].call->value, call->value) == 0 ? &holds[count]
										  : NULL;
	return NULL;
}

/* In the order in which they were taken, which is that of the calls' ends. */
static int
by_end(const void *a, const void *b)
{
	const struct hold *x = a, *y = b;

	return x->call->ended < y->call->ended ? -1 : x->call->ended > y->call->ended;
}

static size_t
collect(struct run *run, struct hold *holds)
{
	struct hold *hold;
	size_t i, count = 0;

	for (i = 0; i < run->ncalls; i++) {
		const struct call *call = &run->calls[i];

		if (call_is(call, "lock") && call->outcome == OUTCOME_ODD &&
		    strcmp(call->result, "ESTALE") != 0)
			violation(run, "lock %s of %s: %s", call->key, call->mount, call->result);
		if (call_is(call, "lock") && call->outcome == OUTCOME_DONE)
			holds[count++] =
			    (struct hold){ .call = call, .token = strtoull(call->value, NULL, 10) };
		if (!call_is(call, "use"))
			continue;
		hold = hold_of(holds, count, call);
		if (hold != NULL && call->outcome == OUTCOME_DONE)
			hold->until = call->begun;
	}
	qsort(holds, count, sizeof *holds, by_end);
	return count;
}

/*
 * That its open(2) has made the file is enough to have the lock, unless both were at it at once: an
 * open may have succeeded, and its session have ended, before the other one's, and return after it.
 */
static bool
is_later(const struct hold *first, const struct hold *next)
{
	return next->until != 0 || first->call->ended < next->call->begun ||
	       (first->token != 0 && first->token < next->token);
}

static void
check_pair(struct run *run, const struct hold *first, const struct hold *next)
{
	if (first->until > next->call->ended && is_later(first, next))
		violation(run, "lock %s: %s has it at %" PRIu64 ", and %s still, at %" PRIu64,
		    first->call->key, next->call->mount, next->call->ended, first->call->mount,
		    first->until);
	if (first->call->ended < next->call->begun && first->token >= next->token &&
	    first->token != 0 && next->token != 0)
		violation(run,
		    "lock %s: the number of its file does not grow, %" PRIu64 ", %" PRIu64,
		    first->call->key, first->token, next->token);
}

void
check_locks(struct run *run)
{
	struct hold *holds = calloc(run->ncalls + 1, sizeof *holds);
	size_t i, j, count = collect(run, holds);

	for (i = 0; i < count; i++)
		for (j = i + 1; j < count; j++) {
			if (strcmp(holds[i].call->key, holds[j].call->key) != 0)
				continue;
			check_pair(run, &holds[i], &holds[j]);
			if (holds[i].until <= holds[j].call->ended)
				break;
		}
	for (i = 0; i < run->nnodes; i++)
		if (strncmp(run->nodes[i].path, "lock/", 5) == 0)
			violation(run, "%s is there, and nobody holds it", run->nodes[i].path);
	run->counts[COUNT_HOLDS] = count;
	free(holds);
}
