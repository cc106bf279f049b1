/*
 * Ephemerals are there as long as their session: never gone while their owner may
 * still believe in it, never there when it knows that it has another one. Looked
 * at by the owner, and by everyone who lists their directory behind a sync.
 */
#include "tests/cluster/entry.h"
#include "tests/cluster/sessions.h"

#include <stdlib.h>
#include <string.h>

#define MOUNTS_MAX 32

struct mounts {
	struct sessions sessions[MOUNTS_MAX];
	size_t count;
};

static const struct sessions *
sessions_of(const struct mounts *mounts, const char *mount)
{
	size_t i;

	for (i = 0; i < mounts->count; i++)
		if (strcmp(mounts->sessions[i].mount, mount) == 0)
			return &mounts->sessions[i];
	return NULL;
}

static void
collect(struct run *run, struct mounts *mounts)
{
	size_t i;

	for (i = 0; i < run->ncalls && mounts->count < MOUNTS_MAX; i++)
		if (call_is(&run->calls[i], "session") &&
		    sessions_of(mounts, run->calls[i].mount) == NULL)
			sessions_collect(
			    run, run->calls[i].mount, &mounts->sessions[mounts->count++]);
}

/* Known if the mount had the same one before and after. */
static uint64_t
owner_of(const struct sessions *sessions, const struct call *made)
{
	const struct call *before, *after;

	if (sessions == NULL)
		return 0;
	before = sessions_before(sessions, made->begun + 1);
	after = sessions_after(sessions, made->ended);
	if (before == NULL || after == NULL || sessions_id(before) != sessions_id(after))
		return 0;
	return sessions_id(before);
}

static void
check_gone(struct run *run, const struct mounts *mounts, const struct entry *entry,
    const struct call *call)
{
	if (entry->made->outcome != OUTCOME_DONE || entry->made->ended >= call->begun ||
	    entry->session == 0)
		return;
	if (entry->gone != NULL && entry->gone != call && entry->gone->outcome != OUTCOME_NEVER &&
	    entry->gone->begun < call->ended)
		return;
	if (sessions_lives_after(
		sessions_of(mounts, entry->made->mount), entry->session, call->ended))
		violation(run, "eph/%s was gone for %s (%s), and its session went on", entry->name,
		    call->mount, call->op);
}

static void
check_there(struct run *run, const struct mounts *mounts, const struct entry *entry,
    const struct call *call)
{
	if (entry->session != 0 && sessions_over_before(sessions_of(mounts, entry->made->mount),
				       entry->session, call->begun))
		violation(run, "eph/%s was there for %s (%s), and its session was over",
		    entry->name, call->mount, call->op);
}

static void
check_listing(struct run *run, const struct mounts *mounts, const struct entries *entries,
    const struct call *call)
{
	char *listing = strdup(call->value);
	struct words *words;
	size_t i;

	entries_check_listing(run, entries, call);
	words = listing_words(listing);
	for (i = 0; i < entries->count; i++)
		if (words_at(words, entries->list[i].name, false) != NULL)
			check_there(run, mounts, &entries->list[i], call);
		else
			check_gone(run, mounts, &entries->list[i], call);
	words_free(words);
	free(listing);
}

/* The owner looks at one of its own, or removes it. */
static void
check_own(struct run *run, const struct mounts *mounts, const struct entries *entries,
    const struct call *call)
{
	const struct entry *entry = entries_find(entries, call->key);

	if (entry == NULL)
		return;
	if (strcmp(call->result, "ENOENT") == 0)
		check_gone(run, mounts, entry, call);
	else if (call->outcome == OUTCOME_DONE)
		check_there(run, mounts, entry, call);
	else if (call->outcome == OUTCOME_ODD)
		violation(run, "%s of eph/%s: %s", call->op, call->key, call->result);
}

/* At the end only those of sessions that are still there. */
static void
check_end(struct run *run, const struct mounts *mounts, const struct entries *entries)
{
	size_t i;

	for (i = 0; i < run->nnodes; i++) {
		const struct entry *entry;
		struct call last = {
			.begun = UINT64_MAX, .ended = UINT64_MAX, .mount = "the end", .op = "dump"
		};

		if (strncmp(run->nodes[i].path, "eph/", 4) != 0)
			continue;
		entry = entries_find(entries, run->nodes[i].path + 4);
		if (entry == NULL)
			violation(run, "%s is there, and nobody made it", run->nodes[i].path);
		else
			check_there(run, mounts, entry, &last);
	}
}

void
check_sessions(struct run *run)
{
	struct mounts mounts = { .count = 0 };
	struct entries entries;
	size_t i;

	collect(run, &mounts);
	entries_collect(run, "eph", &entries);
	run->counts[COUNT_EPHEMERALS] = entries.count;
	for (i = 0; i < entries.count; i++)
		entries.list[i].session = owner_of(
		    sessions_of(&mounts, entries.list[i].made->mount), entries.list[i].made);
	for (i = 0; i < run->ncalls; i++) {
		const struct call *call = &run->calls[i];

		if (call_is(call, "echeck") || call_is(call, "eremove"))
			check_own(run, &mounts, &entries, call);
		if (call_is(call, "list") && strcmp(call->key, "eph") == 0 &&
		    call->outcome == OUTCOME_DONE)
			check_listing(run, &mounts, &entries, call);
		if (call_is(call, "ecreate") && call->outcome == OUTCOME_ODD)
			violation(run, "ecreate of eph/%s: %s", call->key, call->result);
	}
	check_end(run, &mounts, &entries);
	entries_free(&entries);
	for (i = 0; i < mounts.count; i++) {
		run->counts[COUNT_SESSIONS] += sessions_distinct(&mounts.sessions[i]);
		sessions_free(&mounts.sessions[i]);
	}
}
