/* The entries of a directory over a run. See entry.h. */
#include "tests/cluster/entry.h"

#include <stdlib.h>
#include <string.h>

static struct entry *
add(struct run *run, struct entries *entries, const char *name, const struct call *made)
{
	void **at = words_at(entries->words, name, true);
	struct entry *entry = &entries->list[entries->count];

	if (*at != NULL)
		violation(run, "%s/%s is made twice by the client", entries->dir, name);
	*entry = (struct entry){ .name = name, .made = made };
	entries->count++;
	*at = entry;
	return entry;
}

struct entry *
entries_find(const struct entries *entries, const char *name)
{
	void **at = words_at(entries->words, name, false);

	return at == NULL ? NULL : *at;
}

static void
take(struct run *run, struct entries *entries, const struct call *call)
{
	bool ephemeral = strcmp(entries->dir, "eph") == 0;
	struct entry *entry;

	if (call_is(call, ephemeral ? "ecreate" : "create"))
		add(run, entries, call->key, call);
	if (!ephemeral && call_is(call, "rename"))
		add(run, entries, call->value, call);
	if (!call_is(call, ephemeral ? "eremove" : "remove") &&
	    (ephemeral || !call_is(call, "rename")))
		return;
	entry = entries_find(entries, call->key);
	if (entry != NULL)
		entry->gone = call;
}

void
entries_collect(struct run *run, const char *dir, struct entries *entries)
{
	size_t i;

	*entries = (struct entries){ .dir = dir,
		.list = calloc(run->ncalls * 2 + 1, sizeof *entries->list),
		.words = words_new() };
	for (i = 0; i < run->ncalls; i++)
		take(run, entries, &run->calls[i]);
}

void
entries_free(struct entries *entries)
{
	words_free(entries->words);
	free(entries->list);
}

struct words *
listing_words(char *listing)
{
	struct words *words = words_new();
	char *name;

	while ((name = strsep(&listing, ",")) != NULL)
		if (*name != '\0' && strcmp(name, "-") != 0)
			*words_at(words, name, true) = name;
	return words;
}

static void
check_present(struct run *run, const struct entries *entries, const struct entry *entry,
    const struct call *call)
{
	if (entry->made->outcome == OUTCOME_NEVER)
		violation(run, "%s/%s was refused, and %s lists it", entries->dir, entry->name,
		    call->mount);
	if (entry->made->begun > call->ended)
		violation(run, "%s lists %s/%s before it was made", call->mount, entries->dir,
		    entry->name);
	if (entry->gone != NULL && entry->gone->outcome == OUTCOME_DONE &&
	    entry->gone->ended < call->begun)
		violation(run, "%s lists %s/%s after a sync, which was gone before", call->mount,
		    entries->dir, entry->name);
}

static void
check_absent(struct run *run, const struct entries *entries, const struct entry *entry,
    const struct call *call)
{
	if (entry->made->outcome != OUTCOME_DONE || entry->made->ended >= call->begun)
		return;
	if (entry->gone != NULL && entry->gone->outcome != OUTCOME_NEVER &&
	    entry->gone->begun < call->ended)
		return;
	/* Ephemerals go by themselves, too: check_session.c. */
	if (strcmp(entries->dir, "names") == 0)
		violation(run, "%s does not list %s/%s after a sync, which is there", call->mount,
		    entries->dir, entry->name);
}

void
entries_check_listing(struct run *run, const struct entries *entries, const struct call *call)
{
	char *listing = strdup(call->value), *name, *next = listing;
	struct words *words;
	size_t i;

	while ((name = strsep(&next, ",")) != NULL)
		if (*name != '\0' && strcmp(name, "-") != 0 && entries_find(entries, name) == NULL)
			violation(run, "%s lists %s/%s, which nobody made", call->mount,
			    entries->dir, name);
	strcpy(listing, call->value);
	words = listing_words(listing);
	for (i = 0; i < entries->count; i++)
		if (words_at(words, entries->list[i].name, false) != NULL)
			check_present(run, entries, &entries->list[i], call);
		else
			check_absent(run, entries, &entries->list[i], call);
	words_free(words);
	free(listing);
	run->counts[COUNT_LISTINGS]++;
}
