/* The texts of a run, line by line. See verify.h. */
#include "tests/cluster/verify.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define VIOLATIONS_SHOWN 20

static enum outcome
outcome_of(const char *result)
{
	if (strcmp(result, "ok") == 0)
		return OUTCOME_DONE;
	if (strcmp(result, "EHOSTUNREACH") == 0 || strcmp(result, "ENOSPC") == 0)
		return OUTCOME_NEVER;
	if (strcmp(result, "ETIMEDOUT") == 0)
		return OUTCOME_UNKNOWN;
	return OUTCOME_ODD;
}

/* The line's words, exactly so many. */
static bool
split(char *line, const char **words, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		words[i] = strsep(&line, " ");
		if (words[i] == NULL || *words[i] == '\0')
			return false;
	}
	return line == NULL;
}

static bool
take_call(struct run *run, char *line)
{
	const char *words[8];
	struct call *call = &run->calls[run->ncalls];

	if (!split(line, words, 8))
		return false;
	*call = (struct call){ .begun = strtoull(words[0], NULL, 10),
		.ended = strtoull(words[1], NULL, 10),
		.mount = words[2],
		.worker = words[3],
		.op = words[4],
		.key = words[5],
		.value = words[6],
		.result = words[7],
		.outcome = outcome_of(words[7]) };
	if (call->begun == 0 || call->ended < call->begun)
		return false;
	run->counts[COUNT_UNKNOWN] += call->outcome == OUTCOME_UNKNOWN;
	run->counts[COUNT_NEVER] += call->outcome == OUTCOME_NEVER;
	run->ncalls++;
	return true;
}

static bool
take_node(struct run *run, char *line)
{
	const char *words[6];

	if (!split(line, words, 6))
		return false;
	run->nodes[run->nnodes++] = (struct node){ .path = words[0],
		.number = strtoull(words[1], NULL, 10),
		.mode = words[2],
		.size = words[3],
		.metadata = words[4],
		.value = words[5] };
	return true;
}

static size_t
lines_of(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static bool
take_lines(struct run *run, char *text, bool (*take)(struct run *, char *))
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL)
		if (*line != '\0' && !take(run, line)) {
			violation(run, "malformed: %s", line);
			return false;
		}
	return true;
}

static int
by_beginning(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	return x->begun < y->begun ? -1 : x->begun > y->begun;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

bool
run_parse(struct run *run, char *dump, char *history)
{
	run->texts[0] = dump;
	run->texts[1] = history;
	run->calls = calloc(lines_of(history) + 1, sizeof *run->calls);
	run->nodes = calloc(lines_of(dump) + 1, sizeof *run->nodes);
	if (!take_lines(run, dump, take_node) || !take_lines(run, history, take_call))
		return false;
	qsort(run->calls, run->ncalls, sizeof *run->calls, by_beginning);
	qsort(run->nodes, run->nnodes, sizeof *run->nodes, by_path);
	return true;
}

void
run_free(struct run *run)
{
	free(run->calls);
	free(run->nodes);
	free(run->texts[0]);
	free(run->texts[1]);
}

void
violation(struct run *run, const char *fmt, ...)
{
	va_list args;

	if (run->violations++ >= VIOLATIONS_SHOWN)
		return;
	va_start(args, fmt);
	vfprintf(run->report, fmt, args);
	va_end(args);
	fputc('\n', run->report);
}

bool
call_is(const struct call *call, const char *op)
{
	return strcmp(call->op, op) == 0;
}

const struct node *
run_node(const struct run *run, const char *dir, const char *name)
{
	char path[512];
	struct node wanted = { .path = path };

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return bsearch(&wanted, run->nodes, run->nnodes, sizeof wanted, by_path);
}
