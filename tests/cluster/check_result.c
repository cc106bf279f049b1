/*
 * Calls of which the other checkers look only at those that were done: no fault
 * explains any other errno than those of a service that is away, and these.
 */
#include "tests/cluster/verify.h"

#include <string.h>

static const struct {
	const char *op;
	const char *allowed; /* besides; NULL: none */
} ops[] = {
	{ "list", NULL },
	{ "session", NULL },
	{ "look", "ENOENT" },
	{ "use", "ESTALE" },
	{ "unlock", NULL },
};

void
check_results(struct run *run)
{
	size_t i, j;

	for (i = 0; i < run->ncalls; i++) {
		const struct call *call = &run->calls[i];

		for (j = 0; j < sizeof ops / sizeof ops[0]; j++)
			if (call_is(call, ops[j].op) && call->outcome == OUTCOME_ODD &&
			    (ops[j].allowed == NULL || strcmp(call->result, ops[j].allowed) != 0))
				violation(run, "%s of %s by %s: %s", call->op, call->key,
				    call->mount, call->result);
	}
}
