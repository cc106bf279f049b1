/*
 * What the watchers were told: every name's coming and going, once and in this
 * order, renames with one cookie on both sides; of registers the last value. When
 * an event is there, what it stands for shows. A mount whose session was replaced
 * was told nothing in between: of that one only that nothing comes twice. Who
 * removes its own ephemeral before its mount was told of it hears of the end alone. And
 * nobody knows what became of a call that ended with ETIMEDOUT: its own mount may
 * not be told.
 */
#include "tests/cluster/entry.h"
#include "tests/cluster/register.h"
#include "tests/cluster/sessions.h"

#include <stdlib.h>
#include <string.h>

#define MOUNTS_MAX 32

/* One watcher, while its history is gone through. */
struct watcher {
	const char *mount;
	struct run *run;
	struct entries *entries[2]; /* names, eph */
	bool complete;		    /* one session all the time */
	struct entry *last;	    /* whom the last event was about */
	const char *told;	    /* what it was */
};

static struct entry *
find(const struct watcher *watcher, const char *dir, const char *name)
{
	if (strcmp(dir, "names") == 0)
		return entries_find(watcher->entries[0], name);
	return strcmp(dir, "eph") == 0 ? entries_find(watcher->entries[1], name) : NULL;
}

static bool
own(const struct watcher *watcher, const struct call *call)
{
	return call != NULL && strcmp(call->mount, watcher->mount) == 0;
}

static bool
own_unknown(const struct watcher *watcher, const struct call *call)
{
	return own(watcher, call) && call->outcome == OUTCOME_UNKNOWN;
}

static bool
may_miss_coming(const struct watcher *watcher, const struct entry *entry)
{
	return (own(watcher, entry->gone) && call_is(entry->made, "ecreate")) ||
	       own_unknown(watcher, entry->made);
}

static void
count(struct watcher *watcher, struct entry *entry, const char *what, uint32_t cookie)
{
	if (strcmp(what, "CREATE") == 0)
		entry->created++;
	if (strcmp(what, "DELETE") == 0)
		entry->deleted++;
	if (strcmp(what, "MOVED_FROM") == 0) {
		entry->moved_from++;
		entry->cookie_from = cookie;
	}
	if (strcmp(what, "MOVED_TO") == 0) {
		entry->moved_to++;
		entry->cookie_to = cookie;
	}
	if (entry->deleted + entry->moved_from > entry->created + entry->moved_to &&
	    watcher->complete && !may_miss_coming(watcher, entry))
		violation(watcher->run, "%s: %s goes (%s) before it comes", watcher->mount,
		    entry->name, what);
}

static void
on_event(struct watcher *watcher, const struct call *call)
{
	char text[64], *next = text;
	const char *dir, *what, *cookie;

	snprintf(text, sizeof text, "%s", call->value);
	dir = strsep(&next, ":");
	what = strsep(&next, ":");
	cookie = strsep(&next, ":");
	watcher->last = NULL;
	if (strcmp(what, "LOST") == 0 || strcmp(what, "OVERFLOW") == 0 ||
	    strcmp(what, "UNMOUNT") == 0 || strcmp(what, "IGNORED") == 0)
		violation(
		    watcher->run, "%s: the watcher has seen no end: %s", watcher->mount, what);
	watcher->run->counts[COUNT_EVENTS]++;
	watcher->last = find(watcher, dir, call->key);
	watcher->told = strcmp(what, "CREATE") == 0 || strcmp(what, "MOVED_TO") == 0 ? "comes"
			: strcmp(what, "DELETE") == 0 || strcmp(what, "MOVED_FROM") == 0
			    ? "goes"
			    : "changes";
	if (watcher->last != NULL)
		count(watcher, watcher->last, what, (uint32_t)strtoul(cookie, NULL, 10));
	else if (strcmp(dir, "reg") != 0)
		violation(watcher->run, "%s: %s of %s/%s, which nobody made", watcher->mount, what,
		    dir, call->key);
}

/* Follows its event in the history. */
static void
on_look(struct watcher *watcher, const struct call *call)
{
	struct entry *entry = watcher->last;

	if (entry == NULL || strcmp(watcher->told, "changes") == 0)
		return;
	if (strcmp(watcher->told, "goes") == 0 && call->outcome == OUTCOME_DONE)
		violation(watcher->run, "%s: was told that %s is gone, and finds it",
		    watcher->mount, entry->name);
	if (strcmp(watcher->told, "comes") == 0 && strcmp(call->result, "ENOENT") == 0 &&
	    entry->session == 0 && strcmp(entry->made->op, "ecreate") != 0 &&
	    (entry->gone == NULL || entry->gone->begun > call->ended))
		violation(watcher->run, "%s: was told of %s, and does not find it", watcher->mount,
		    entry->name);
}

/* How often it had to come and to go. */
static void
check_entry(struct watcher *watcher, const char *dir, struct entry *entry)
{
	bool there = run_node(watcher->run, dir, entry->name) != NULL, rename;
	uint32_t comes = entry->created + entry->moved_to,
		 goes = entry->deleted + entry->moved_from;

	if (entry->made->outcome == OUTCOME_NEVER && comes + goes != 0)
		violation(watcher->run, "%s: was told of %s, which was refused", watcher->mount,
		    entry->name);
	if (comes > 1 || goes > 1)
		violation(watcher->run, "%s: %s/%s came %u times and went %u times", watcher->mount,
		    dir, entry->name, comes, goes);
	if (!watcher->complete || own_unknown(watcher, entry->made) ||
	    own_unknown(watcher, entry->gone) ||
	    (may_miss_coming(watcher, entry) && comes == 0 && !there))
		return;
	rename = call_is(entry->made, "rename");
	if (entry->made->outcome == OUTCOME_DONE && (comes == 0 || (goes == 0) != there))
		violation(watcher->run, "%s: %s/%s, which is %s, came %u times and went %u times",
		    watcher->mount, dir, entry->name, there ? "there" : "gone", comes, goes);
	if (comes != goes + there)
		violation(watcher->run, "%s: %s/%s came %u times, went %u times and is%s there",
		    watcher->mount, dir, entry->name, comes, goes, there ? "" : " not");
	if (rename && entry->moved_to != comes)
		violation(watcher->run, "%s: %s/%s was renamed, and told as made", watcher->mount,
		    dir, entry->name);
}

static void
check_cookies(struct watcher *watcher, const struct entry *new)
{
	const struct entry *old;

	if (!call_is(new->made, "rename") || !watcher->complete || own_unknown(watcher, new->made))
		return;
	old = entries_find(watcher->entries[0], new->made->key);
	if (old != NULL && (old->moved_from != new->moved_to ||
			       (new->moved_to == 1 && old->cookie_from != new->cookie_to)))
		violation(watcher->run, "%s: the rename of %s to %s was told as two things",
		    watcher->mount, old->name, new->name);
}

static void
check_last_values(struct watcher *watcher)
{
	const struct run *run = watcher->run;
	size_t i, j;

	for (i = 0; i < run->nnodes; i++) {
		const char *last = "none";

		if (strncmp(run->nodes[i].path, "reg/", 4) != 0)
			continue;
		for (j = 0; j < run->ncalls; j++)
			if (call_is(&run->calls[j], "eread") &&
			    strcmp(run->calls[j].mount, watcher->mount) == 0 &&
			    run->calls[j].outcome == OUTCOME_DONE &&
			    strcmp(run->calls[j].key, run->nodes[i].path + 4) == 0)
				last = run->calls[j].value;
		if (strcmp(last, run->nodes[i].value) != 0)
			violation(watcher->run,
			    "%s: %s, whose last value is %s, was last seen as %s", watcher->mount,
			    run->nodes[i].path, run->nodes[i].value, last);
	}
}

static void
check_mount(struct run *run, const char *mount)
{
	static const char *const dirs[] = { "names", "eph" };
	struct entries entries[2];
	struct sessions sessions;
	struct watcher watcher = {
		.mount = mount, .run = run, .entries = { &entries[0], &entries[1] }
	};
	size_t i, j;

	sessions_collect(run, mount, &sessions);
	watcher.complete = sessions_distinct(&sessions) == 1;
	for (i = 0; i < 2; i++)
		entries_collect(run, dirs[i], &entries[i]);
	for (i = 0; i < run->ncalls; i++) {
		if (strcmp(run->calls[i].mount, mount) != 0)
			continue;
		if (call_is(&run->calls[i], "event"))
			on_event(&watcher, &run->calls[i]);
		else if (call_is(&run->calls[i], "look"))
			on_look(&watcher, &run->calls[i]);
	}
	for (i = 0; i < 2; i++)
		for (j = 0; j < entries[i].count; j++)
			check_entry(&watcher, dirs[i], &entries[i].list[j]);
	for (j = 0; j < entries[0].count; j++)
		check_cookies(&watcher, &entries[0].list[j]);
	check_last_values(&watcher);
	entries_free(&entries[0]);
	entries_free(&entries[1]);
	sessions_free(&sessions);
}

void
check_events(struct run *run)
{
	const char *mounts[MOUNTS_MAX];
	size_t i, j, count_of = 0;

	for (i = 0; i < run->ncalls; i++) {
		if (!call_is(&run->calls[i], "event"))
			continue;
		for (j = 0; j < count_of && strcmp(mounts[j], run->calls[i].mount) != 0; j++)
			continue;
		if (j == count_of && count_of < MOUNTS_MAX)
			mounts[count_of++] = run->calls[i].mount;
	}
	for (i = 0; i < count_of; i++)
		check_mount(run, mounts[i]);
}
