/*
 * Lines that were appended to shared files: an acknowledged one is there once, a
 * refused one is not, one of unknown outcome at most once, in the file it was
 * meant for. One that was acknowledged before another was asked for is before it.
 */
#include "tests/cluster/verify.h"

#include <stdlib.h>
#include <string.h>

struct line {
	const struct call *call;
	uint32_t times;
};

static struct words *
collect(struct run *run, struct line *lines, size_t *count)
{
	struct words *words = words_new();
	size_t i;

	for (i = 0; i < run->ncalls; i++) {
		if (!call_is(&run->calls[i], "append"))
			continue;
		lines[*count].call = &run->calls[i];
		*words_at(words, run->calls[i].value, true) = &lines[(*count)++];
	}
	return words;
}

/* From the last line to the first: who comes before must not have begun after that one ended. */
static void
check_order(struct run *run, const struct line **order, size_t count)
{
	uint64_t first_end = UINT64_MAX;
	const struct call *which = NULL;

	while (count-- > 0) {
		const struct call *call = order[count]->call;

		if (which != NULL && call->begun > first_end)
			violation(run, "log/%s: %s is before %s, which had ended when it began",
			    call->key, call->value, which->value);
		if (call->outcome == OUTCOME_DONE && call->ended < first_end) {
			first_end = call->ended;
			which = call;
		}
	}
}

static void
check_file(struct run *run, struct words *words, const struct node *node, size_t room)
{
	const struct line **order = calloc(room + 1, sizeof *order);
	char *text = strdup(node->value), *next = text, *word;
	size_t count = 0;

	while ((word = strsep(&next, ",")) != NULL) {
		void **at = words_at(words, word, false);
		struct line *line = at == NULL ? NULL : *at;

		if (*word == '\0' || strcmp(word, "-") == 0)
			continue;
		if (line == NULL || strcmp(line->call->key, node->path + 4) != 0) {
			violation(run, "%s: nobody appended %s", node->path, word);
			continue;
		}
		if (line->times++ == 0)
			order[count++] = line;
	}
	check_order(run, order, count);
	free(order);
	free(text);
}

void
check_lines(struct run *run)
{
	struct line *lines = calloc(run->ncalls + 1, sizeof *lines);
	size_t i, count = 0;
	struct words *words = collect(run, lines, &count);

	for (i = 0; i < run->nnodes; i++)
		if (strncmp(run->nodes[i].path, "log/", 4) == 0)
			check_file(run, words, &run->nodes[i], count);
	for (i = 0; i < count; i++) {
		const struct call *call = lines[i].call;
		uint32_t times = lines[i].times;

		if (call->outcome == OUTCOME_ODD)
			violation(run, "append of %s: %s", call->value, call->result);
		if (times > 1)
			violation(
			    run, "log/%s: %s is there %u times", call->key, call->value, times);
		if (call->outcome == OUTCOME_DONE && times == 0)
			violation(
			    run, "log/%s: %s was acknowledged and is lost", call->key, call->value);
		if (call->outcome == OUTCOME_NEVER && times != 0)
			violation(
			    run, "log/%s: %s was refused and is there", call->key, call->value);
	}
	run->counts[COUNT_LINES] = count;
	words_free(words);
	free(lines);
}
