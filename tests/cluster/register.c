/* What was written to a register, and who saw it. See register.h. */
#include "tests/cluster/register.h"

#include <stdlib.h>
#include <string.h>

#define INITIAL "initial................."
#define KEYS_MAX 64

static bool
is_read(const struct call *call)
{
	return call_is(call, "read") || call_is(call, "sread") || call_is(call, "eread");
}

static void
add_value(struct reg *reg, struct words *words, const struct call *call)
{
	struct value *value = &reg->values[reg->nvalues];

	*value = (struct value){ .text = call->value,
		.begun = call->begun,
		.ended = call->outcome == OUTCOME_DONE ? call->ended : UINT64_MAX,
		.outcome = call->outcome };
	*words_at(words, call->value, true) = (void *)(uintptr_t)++reg->nvalues;
}

/* The value's index; 0, the initial one, also where there is none such: that is reported. */
static size_t
value_of(struct run *run, struct reg *reg, struct words *words, const struct call *call)
{
	void **at = words_at(words, call->value, false);
	size_t index = at == NULL ? 0 : (size_t)(uintptr_t)*at - 1;
	struct value *value = &reg->values[index];

	value->seen = true;
	if (at == NULL)
		violation(run, "register %s: %s read %s, which nobody wrote", reg->key, call->mount,
		    call->value);
	else if (value->outcome == OUTCOME_NEVER)
		violation(run, "register %s: %s read %s, whose write was refused", reg->key,
		    call->mount, call->value);
	else if (call->ended < value->begun)
		violation(run, "register %s: %s read %s before it was written", reg->key,
		    call->mount, call->value);
	return index;
}

static void
take(struct run *run, struct reg *reg, struct words *words, const struct call *call)
{
	size_t value;

	if (call->outcome == OUTCOME_ODD)
		violation(run, "register %s: %s of %s: %s", reg->key, call->op, call->mount,
		    call->result);
	if (call->outcome != OUTCOME_DONE)
		return;
	value = value_of(run, reg, words, call);
	reg->sights[reg->nsights++] = (struct sight){ .call = call, .value = value };
	run->counts[COUNT_WRITES] += call_is(call, "write");
	run->counts[COUNT_READS] += !call_is(call, "write");
	run->counts[COUNT_SYNCED] += call_is(call, "sread");
}

void
reg_collect(struct run *run, const char *key, struct reg *reg)
{
	struct words *words = words_new();
	size_t i;

	*reg = (struct reg){ .key = key,
		.values = calloc(run->ncalls + 1, sizeof *reg->values),
		.sights = calloc(run->ncalls + 1, sizeof *reg->sights),
		.nvalues = 1 };
	reg->values[0] = (struct value){ .text = INITIAL, .outcome = OUTCOME_DONE };
	*words_at(words, INITIAL, true) = (void *)(uintptr_t)1;
	for (i = 0; i < run->ncalls; i++)
		if (call_is(&run->calls[i], "write") && strcmp(run->calls[i].key, key) == 0)
			add_value(reg, words, &run->calls[i]);
	for (i = 0; i < run->ncalls; i++)
		if ((is_read(&run->calls[i]) || call_is(&run->calls[i], "write")) &&
		    strcmp(run->calls[i].key, key) == 0)
			take(run, reg, words, &run->calls[i]);
	words_free(words);
}

void
reg_free(struct reg *reg)
{
	free(reg->values);
	free(reg->sights);
}

void
reg_each(struct run *run, void (*check)(struct run *, const struct reg *))
{
	const char *keys[KEYS_MAX];
	size_t i, j, count = 0;
	struct reg reg;

	for (i = 0; i < run->ncalls; i++) {
		if (!call_is(&run->calls[i], "write"))
			continue;
		for (j = 0; j < count && strcmp(keys[j], run->calls[i].key) != 0; j++)
			continue;
		if (j == count && count < KEYS_MAX)
			keys[count++] = run->calls[i].key;
	}
	for (i = 0; i < count; i++) {
		reg_collect(run, keys[i], &reg);
		check(run, &reg);
		reg_free(&reg);
	}
}
