/*
 * check_register.c and check_view.c against brute force: small random histories
 * of one register, each order of its values or calls tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cluster/verify.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 60000
#define CALLS_MAX 7
#define INITIAL "initial................."
#define FOREVER UINT64_MAX

struct op {
	uint64_t begun, ended;
	bool write;
	unsigned value; /* 0: the initial one */
	enum outcome outcome;
	unsigned mount;
};

struct history {
	struct op ops[CALLS_MAX + 1];
	size_t count;
	unsigned values; /* written, from 1 on */
};

static uint64_t seed = 88172645463325252u;

static unsigned
draw(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % below);
}

/* No two moments are the same: what is at once is no question then. */
static void
draw_times(struct history *history)
{
	unsigned moments[2 * CALLS_MAX], n = (unsigned)history->count * 2, i, j, moment;

	for (i = 0; i < n; i++)
		moments[i] = i + 1;
	for (i = n - 1; i > 0; i--) {
		j = draw(i + 1);
		moment = moments[i];
		moments[i] = moments[j];
		moments[j] = moment;
	}
	for (i = 0; i < history->count; i++) {
		struct op *op = &history->ops[i];
		unsigned a = moments[2 * i], b = moments[2 * i + 1];

		op->begun = a < b ? a : b;
		op->ended = a < b ? b : a;
	}
}

static void
draw_history(struct history *history)
{
	size_t i;

	memset(history, 0, sizeof *history);
	history->count = 2 + draw(CALLS_MAX - 1);
	for (i = 0; i < history->count; i++) {
		struct op *op = &history->ops[i];

		op->write = i == 0 || draw(2) == 0;
		op->mount = draw(2);
		op->outcome = !op->write || draw(4) != 0 ? OUTCOME_DONE
			      : draw(2) == 0		 ? OUTCOME_UNKNOWN
							 : OUTCOME_NEVER;
		if (op->write)
			op->value = ++history->values;
	}
	for (i = 0; i < history->count; i++)
		if (!history->ops[i].write)
			history->ops[i].value = draw(history->values + 1);
	draw_times(history);
}

/* As a client writes it down; `read` is sread or read. */
static char *
text_of(const struct history *history, const char *read)
{
	static const char *const results[] = { "ok", "EHOSTUNREACH", "ETIMEDOUT" };
	char *text = NULL, value[32];
	FILE *file;
	size_t len, i;

	file = open_memstream(&text, &len);
	for (i = 0; i < history->count; i++) {
		const struct op *op = &history->ops[i];

		snprintf(value, sizeof value, "v%u", op->value);
		fprintf(file, "%u %u m%u w%zu %s 0 %s %s\n", (unsigned)op->begun,
		    (unsigned)op->ended, op->mount, i, op->write ? "write" : read,
		    op->value == 0 ? INITIAL : value, results[op->outcome]);
	}
	fclose(file);
	return text;
}

static bool
accepted(void (*check)(struct run *), const struct history *history, const char *read)
{
	struct run run = { .report = fopen("/dev/null", "w") };
	bool good;

	assert_true(run_parse(&run, strdup(""), text_of(history, read)));
	check(&run);
	good = run.violations == 0;
	fclose(run.report);
	run_free(&run);
	return good;
}

static uint64_t
end_of(const struct op *op)
{
	return op->outcome == OUTCOME_DONE ? op->ended : FOREVER;
}

/* Is there an order of the calls that have not been taken yet, with that value to begin with? */
static bool
linearizable(const struct history *history, unsigned taken, unsigned value)
{
	size_t i, j;
	bool over = true;

	for (i = 0; i < history->count; i++) {
		const struct op *op = &history->ops[i];
		bool first = true;

		if ((taken & 1u << i) != 0 || op->outcome == OUTCOME_NEVER)
			continue;
		if (op->outcome == OUTCOME_DONE)
			over = false;
		for (j = 0; j < history->count; j++)
			if ((taken & 1u << j) == 0 && history->ops[j].outcome != OUTCOME_NEVER &&
			    end_of(&history->ops[j]) < op->begun)
				first = false;
		if (!first || (!op->write && op->value != value))
			continue;
		if (linearizable(history, taken | 1u << i, op->write ? op->value : value))
			return true;
	}
	return over;
}

static void
test_linearizable(void **state)
{
	unsigned round, good = 0;
	struct history history;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		bool is, said;

		draw_history(&history);
		is = linearizable(&history, 0, 0);
		said = accepted(check_registers, &history, "sread");
		if (is != said)
			fail_msg(
			    "%s, but:\n%s", is ? "right" : "wrong", text_of(&history, "sread"));
		good += is;
	}
	/* Both kinds were there. */
	assert_true(good > ROUNDS / 10 && good < ROUNDS / 10 * 9);
}

/* The place of each value in an order of all of them. */
static bool
fits(const struct history *history, const unsigned *place)
{
	const struct op *a, *b;
	size_t i, j;

	for (i = 0; i < history->count; i++)
		for (j = 0; j < history->count; j++) {
			a = &history->ops[i];
			b = &history->ops[j];
			if (a->write && b->write && end_of(a) < b->begun &&
			    place[a->value] > place[b->value])
				return false;
			/* An own write is a sight, too, when it is done. */
			if (a->mount == b->mount && a->outcome == OUTCOME_DONE &&
			    b->outcome == OUTCOME_DONE && a->ended < b->begun &&
			    place[a->value] > place[b->value])
				return false;
		}
	return true;
}

/* The initial value is the first. */
static bool
orderly(const struct history *history, unsigned *place, unsigned next)
{
	unsigned value;

	if (next > history->values)
		return fits(history, place);
	for (value = 1; value <= history->values; value++) {
		if (place[value] != 0)
			continue;
		place[value] = next;
		if (orderly(history, place, next + 1))
			return true;
		place[value] = 0;
	}
	return false;
}

/* Seen by somebody though it was refused, or before it was written. */
static bool
impossible(const struct history *history)
{
	size_t i, j;

	for (i = 0; i < history->count; i++)
		for (j = 0; j < history->count; j++)
			if (!history->ops[i].write && history->ops[j].write &&
			    history->ops[i].value == history->ops[j].value &&
			    (history->ops[j].outcome == OUTCOME_NEVER ||
				history->ops[i].ended < history->ops[j].begun))
				return true;
	return false;
}

static void
test_views(void **state)
{
	unsigned round, good = 0;
	struct history history;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		unsigned place[CALLS_MAX + 2] = { 0 };
		bool is, said;

		draw_history(&history);
		is = !impossible(&history) && orderly(&history, place, 1);
		said = accepted(check_views, &history, "read");
		if (is != said)
			fail_msg("%s, but:\n%s", is ? "right" : "wrong", text_of(&history, "read"));
		good += is;
	}
	assert_true(good > ROUNDS / 10 && good < ROUNDS / 10 * 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linearizable),
		cmocka_unit_test(test_views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
