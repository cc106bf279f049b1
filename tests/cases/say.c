/*
 * `say A to B TYPE [name=value | flag]…`: B hears what A never said, of a
 * member that runs something else, or on a wire that lies. The attempt is the
 * one between the two, unless it is named. Called by script.c.
 */
#include "tests/cases/cases.h"

#include <stddef.h>
#include <string.h>

static bool
set_flag(struct zab_message *message, const char *word)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} flags[] = { { "voter", ZAB_VOTER }, { "match", ZAB_MATCH },
		{ "established", ZAB_ESTABLISHED }, { "handover", ZAB_HANDOVER } };
	uint32_t i;

	for (i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (strcmp(flags[i].name, word) == 0) {
			message->flags |= flags[i].flag;
			return true;
		}
	for (i = 0; i <= ZAB_OBSERVING; i++)
		if (strcmp(role_names[i], word) == 0) {
			message->role = i;
			return true;
		}
	return false;
}

static bool
set_field(struct zab_message *message, const char *name, const char *value)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = { { "round", offsetof(struct zab_message, round) },
		{ "epoch", offsetof(struct zab_message, epoch) },
		{ "zxid", offsetof(struct zab_message, zxid) },
		{ "prev", offsetof(struct zab_message, prev) },
		{ "attempt", offsetof(struct zab_message, attempt) },
		{ "vote_epoch", offsetof(struct zab_message, vote_epoch) },
		{ "vote_zxid", offsetof(struct zab_message, vote_zxid) },
		{ "favour", offsetof(struct zab_message, vote_favour) } };
	uint64_t number;
	uint32_t i;

	if (!parse_zxid(value, &number) && !parse_number(value, &number))
		return false;
	for (i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (strcmp(fields[i].name, name) == 0) {
			memcpy((char *)message + fields[i].offset, &number, sizeof number);
			return true;
		}
	if (strcmp(name, "vote") == 0)
		message->vote_sid = (uint32_t)number;
	else if (strcmp(name, "role") == 0)
		message->role = (uint32_t)number;
	else
		return false;
	return true;
}

bool
say_command(struct world *world, char **words, uint32_t count)
{
	struct member *a = parse_member(world, count > 4 ? words[1] : NULL),
		      *b = parse_member(world, count > 4 ? words[3] : NULL);
	struct item item = { .kind = ITEM_MESSAGE };
	struct zab_message *message = &item.message;
	uint64_t type;
	uint32_t i;

	if (a == NULL || b == NULL || strcmp(words[2], "to") != 0)
		return false;
	item.from = a->sid;
	item.to = b->sid;
	item.conn = b->conn[a->sid];
	message->type = type_of(words[4]);
	if (message->type == 0 && parse_number(words[4], &type))
		message->type = (uint32_t)type;
	if (message->type != ZAB_VOTE)
		message->attempt =
		    a->attempt[b->sid] != 0 ? a->attempt[b->sid] : b->attempt[a->sid];
	for (i = 5; i < count; i++) {
		char *equals = strchr(words[i], '=');

		if (strcmp(words[i], "attempt=before") == 0) {
			message->attempt = a->attempt_before[b->sid] | b->attempt_before[a->sid];
			continue;
		}
		if (strcmp(words[i], "old-connection") == 0) {
			item.conn--;
			continue;
		}
		if (equals != NULL)
			*equals = '\0';
		if (equals != NULL ? !set_field(message, words[i], equals + 1)
				   : !set_flag(message, words[i]))
			return false;
	}
	item.row = (struct row){ message->zxid, message->prev, 1, ++world->values };
	world_arrive(world, &item);
	return true;
}
