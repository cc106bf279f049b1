/* The sessions of a mount. See sessions.h. */
#include "tests/cluster/sessions.h"

#include <stdlib.h>
#include <string.h>

uint64_t
sessions_id(const struct call *call)
{
	if (call->outcome != OUTCOME_DONE || strcmp(call->key, "connected") != 0)
		return 0;
	return strtoull(call->value, NULL, 16);
}

void
sessions_collect(const struct run *run, const char *mount, struct sessions *sessions)
{
	size_t i;

	*sessions = (struct sessions){ .mount = mount,
		.list = calloc(run->ncalls + 1, sizeof(struct call *)) };
	for (i = 0; i < run->ncalls; i++)
		if (call_is(&run->calls[i], "session") && strcmp(run->calls[i].mount, mount) == 0 &&
		    sessions_id(&run->calls[i]) != 0)
			sessions->list[sessions->count++] = &run->calls[i];
}

void
sessions_free(struct sessions *sessions)
{
	free(sessions->list);
}

/* One worker reads them, one after another: their ends are in order, too. */
static size_t
begun_upto(const struct sessions *sessions, uint64_t when)
{
	size_t low = 0, high = sessions->count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (sessions->list[middle]->begun <= when)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct call *
sessions_before(const struct sessions *sessions, uint64_t when)
{
	size_t i = begun_upto(sessions, when);

	while (i > 0 && sessions->list[i - 1]->ended >= when)
		i--;
	return i == 0 ? NULL : sessions->list[i - 1];
}

const struct call *
sessions_after(const struct sessions *sessions, uint64_t when)
{
	size_t i = begun_upto(sessions, when);

	return i == sessions->count ? NULL : sessions->list[i];
}

bool
sessions_lives_after(const struct sessions *sessions, uint64_t session, uint64_t when)
{
	size_t i;

	for (i = begun_upto(sessions, when); i < sessions->count; i++)
		if (sessions_id(sessions->list[i]) == session)
			return true;
	return false;
}

bool
sessions_over_before(const struct sessions *sessions, uint64_t session, uint64_t when)
{
	const struct call *last = sessions_before(sessions, when);
	size_t i;

	if (last == NULL || sessions_id(last) == session)
		return false;
	for (i = 0; sessions->list[i] != last; i++)
		if (sessions_id(sessions->list[i]) == session)
			return true;
	return false;
}

size_t
sessions_distinct(const struct sessions *sessions)
{
	size_t i, count = sessions->count != 0;

	for (i = 1; i < sessions->count; i++)
		count += sessions_id(sessions->list[i]) != sessions_id(sessions->list[i - 1]);
	return count;
}
