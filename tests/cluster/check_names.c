/*
 * Names are made and removed exactly once: each is unique, so EEXIST and ENOENT
 * say that something happened twice, or not at all. What is there at the end, and
 * in every listing behind a sync, is what was acknowledged and nothing that was refused.
 */
#include "tests/cluster/entry.h"

#include <string.h>

static bool
there(const struct run *run, const struct entry *entry)
{
	return run_node(run, "names", entry->name) != NULL;
}

static void
check_end(struct run *run, const struct entry *entry)
{
	bool is = there(run, entry);

	if (entry->made->outcome == OUTCOME_NEVER && is)
		violation(run, "names/%s was refused, and is there", entry->name);
	if (entry->gone != NULL && entry->gone->outcome == OUTCOME_DONE && is)
		violation(run, "names/%s was removed, and is there", entry->name);
	if (entry->made->outcome == OUTCOME_DONE && !is &&
	    (entry->gone == NULL || entry->gone->outcome == OUTCOME_NEVER))
		violation(run, "names/%s was made, and is not there", entry->name);
}

/* One transaction: the old name or the new one, whether it happened or not. */
static void
check_rename(struct run *run, const struct entries *entries, const struct entry *new)
{
	const struct entry *old = entries_find(entries, new->made->key);

	if (new->made->outcome != OUTCOME_UNKNOWN || new->gone != NULL || old == NULL ||
	    old->made->outcome != OUTCOME_DONE)
		return;
	if (there(run, old) == there(run, new))
		violation(run, "of names/%s and %s, to which it was renamed perhaps, there are %s",
		    old->name, new->name, there(run, new) ? "both" : "none");
}

static void
check_kind(struct run *run, const struct entry *entry)
{
	const struct node *node = run_node(run, "names", entry->name);
	const char *kind;

	if (node == NULL || !call_is(entry->made, "create"))
		return;
	kind = strncmp(node->mode, "4", 1) == 0	   ? "d"
	       : strncmp(node->mode, "12", 2) == 0 ? "l"
						   : "f";
	if (strncmp(entry->made->value, kind, 1) != 0)
		violation(run, "names/%s is of another kind: %s", entry->name, node->mode);
}

void
check_names(struct run *run)
{
	struct entries entries;
	size_t i;

	entries_collect(run, "names", &entries);
	run->counts[COUNT_NAMES] = entries.count;
	for (i = 0; i < entries.count; i++) {
		const struct entry *entry = &entries.list[i];

		check_end(run, entry);
		check_kind(run, entry);
		if (call_is(entry->made, "rename"))
			check_rename(run, &entries, entry);
	}
	for (i = 0; i < run->ncalls; i++) {
		const struct call *call = &run->calls[i];

		if ((call_is(call, "create") || call_is(call, "remove") ||
			call_is(call, "rename")) &&
		    call->outcome == OUTCOME_ODD)
			violation(run, "%s of names/%s by %s: %s", call->op, call->key, call->mount,
			    call->result);
		if (call_is(call, "list") && strcmp(call->key, "names") == 0 &&
		    call->outcome == OUTCOME_DONE)
			entries_check_listing(run, &entries, call);
	}
	for (i = 0; i < run->nnodes; i++)
		if (strncmp(run->nodes[i].path, "names/", 6) == 0 &&
		    entries_find(&entries, run->nodes[i].path + 6) == NULL)
			violation(run, "%s is there, and nobody made it", run->nodes[i].path);
	entries_free(&entries);
}
