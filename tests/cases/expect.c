/*
 * `expect WHO WHAT [VALUE]`: what has to be so, whatever the trace says; no
 * UPDATE=1 makes it so. WHO: members' numbers, or `all` that are up. Called by
 * script.c.
 */
#include "tests/cases/cases.h"

#include <string.h>

static bool
is_role(const struct member *member, const struct zab_status *status, const char *what,
    const char *value)
{
	uint64_t leader;

	if (strcmp(what, "down") == 0)
		return !member->up;
	if (!member->up || strcmp(role_names[status->role], what) != 0)
		return false;
	if (value != NULL && (!parse_number(value, &leader) || status->leader != leader))
		return false;
	/* Who is said to lead, follow or observe, serves. */
	return status->role < ZAB_LEADING || status->phase == ZAB_BROADCAST;
}

/* *number: what the member's field of that name is. */
static bool
field(const struct member *member, const struct zab_status *status, const char *what,
    uint64_t *number)
{
	const struct {
		const char *name;
		uint64_t value;
	} fields[] = { { "epoch", status->epoch }, { "accepted", member->disk.accepted_epoch },
		{ "current", member->disk.current_epoch }, { "last", disk_last(&member->disk) },
		{ "committed", status->committed }, { "delivered", status->delivered },
		{ "round", status->round }, { "proposed", status->last_proposed },
		{ "rows", member->disk.nrows },
		{ "next", member->up ? zab_next_zxid(member->zab) : 0 } };
	uint32_t i;

	for (i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (strcmp(fields[i].name, what) == 0) {
			*number = fields[i].value;
			return true;
		}
	return false;
}

/* expect A has-learner B Z | A has-learner B not-yet | A has-no-learner B */
static bool
learner(const struct member *member, char **words, uint32_t count, bool *holds)
{
	struct zab_learner_status status;
	uint64_t sid, zxid;
	bool found;

	if (count < 2 || !parse_number(words[1], &sid))
		return false;
	found = member->up && zab_learner_status(member->zab, (uint32_t)sid, &status);
	if (strcmp(words[0], "has-no-learner") == 0) {
		*holds = !found;
		return true;
	}
	if (strcmp(words[0], "has-learner") != 0 || count != 3)
		return false;
	if (strcmp(words[2], "not-yet") == 0)
		*holds = found && !status.synchronised && status.acked == 0;
	else if (parse_zxid(words[2], &zxid))
		*holds = found && status.synchronised && status.acked == zxid;
	else
		return false;
	return true;
}

static bool
holds_for(const struct member *member, char **words, uint32_t count, bool *holds)
{
	static const char names[] = " down looking recovering leading following observing ";
	struct zab_status status = { 0 };
	const char *value = count > 1 ? words[1] : NULL;
	uint64_t is, wanted;
	char name[32];

	if (member->up)
		zab_status(member->zab, &status);
	snprintf(name, sizeof name, " %s ", words[0]);
	if (strstr(names, name) != NULL) {
		*holds = is_role(member, &status, words[0], value);
		return true;
	}
	if (strcmp(words[0], "voter") == 0 || strcmp(words[0], "no-voter") == 0) {
		*holds = status.voter == (words[0][0] == 'v');
		return true;
	}
	if (!field(member, &status, words[0], &is))
		return learner(member, words, count, holds);
	if (value == NULL || (!parse_zxid(value, &wanted) && !parse_number(value, &wanted)))
		return false;
	*holds = is == wanted;
	return true;
}

bool
expect_command(struct world *world, char **words, uint32_t count)
{
	bool all = count > 1 && strcmp(words[1], "all") == 0, holds = false;
	uint32_t first = all ? 2 : 1, i;
	uint64_t sid;

	while (!all && first < count && parse_number(words[first], &sid))
		first++;
	if (first == 1 || first == count)
		return false;
	for (i = 1; all ? i < SIDS_MAX : i < first; i++) {
		const struct member *member =
		    all ? &world->members[i] : parse_member(world, words[i]);

		if (member == NULL)
			return false;
		if (all && !member->up)
			continue;
		if (!holds_for(member, words + first, count - first, &holds))
			return false;
		if (!holds) {
			fail(world, "%u is not like that", member->sid);
			print_status(world, member);
		}
	}
	return true;
}
