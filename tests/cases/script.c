/*
 * The commands of a transcript. Each is a line: a name and its words; who and
 * what they name is checked, since a case is written by hand. Called by main.c.
 */
#include "tests/cases/cases.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>

bool
parse_number(const char *word, uint64_t *out)
{
	char *end;

	*out = strtoull(word, &end, 10);
	return end != word && *end == '\0';
}

/* EPOCH:COUNTER; the counter may be max, or max-N. */
bool
parse_zxid(const char *word, uint64_t *out)
{
	char *end;
	uint64_t epoch = strtoull(word, &end, 10), counter;

	if (end == word || *end != ':')
		return false;
	word = end + 1;
	if (strncmp(word, "max", 3) == 0) {
		counter = UINT32_MAX - (word[3] == '-' ? strtoull(word + 4, NULL, 10) : 0);
	} else {
		counter = strtoull(word, &end, 10);
		if (end == word || (*end != '\0' && *end != '.' && *end != 'x'))
			return false;
	}
	*out = zab_zxid(epoch, (uint32_t)counter);
	return true;
}

struct member *
parse_member(struct world *world, const char *word)
{
	uint64_t sid;

	if (word == NULL || !parse_number(word, &sid) || sid == 0 || sid >= SIDS_MAX ||
	    world->members[sid].sid == 0)
		return NULL;
	return &world->members[sid];
}

static void
connect_all(struct world *world, uint32_t a)
{
	uint32_t b;

	for (b = 1; b < SIDS_MAX; b++)
		if (b != a && world->members[a].up && world->members[b].up &&
		    (world->members[a].conn[b] == 0 || world->members[b].conn[a] == 0))
			world_connect(world, a, b);
}

/* What a member does alone: one command, for each that is named. */
static bool
do_one(struct world *world, struct member *member, const char *name)
{
	struct zab_event tick = { .type = ZAB_EVENT_TICK };

	if (strcmp(name, "start") == 0) {
		member_start(world, member);
	} else if (strcmp(name, "crash") == 0) {
		member_crash(world, member);
	} else if (strcmp(name, "join") == 0) {
		member_start(world, member);
		connect_all(world, member->sid);
	} else if (strcmp(name, "pause") == 0) {
		member->paused = true;
	} else if (strcmp(name, "resume") == 0) {
		member->paused = false;
		member_step(world, member, &tick, NULL, true, "goes on");
		disk_settle(world, member);
	} else if (strcmp(name, "lose") == 0) {
		disk_lose(world, member);
	} else if (strcmp(name, "status") == 0) {
		print_status(world, member);
	} else {
		return false;
	}
	return true;
}

static bool
do_each(struct world *world, char **words, uint32_t count)
{
	struct member *member;
	uint32_t i;

	if (count == 2 && strcmp(words[1], "all") == 0) {
		for (i = 1; i < SIDS_MAX; i++)
			if (world->members[i].sid != 0 &&
			    !do_one(world, &world->members[i], words[0]))
				return false;
		return true;
	}
	for (i = 1; i < count; i++) {
		member = parse_member(world, words[i]);
		if (member == NULL || !do_one(world, member, words[0]))
			return false;
	}
	return count > 1;
}

/* connect A B, connect all; disconnect A B; close A B; late A B; hear A B; cut, mend A B */
static bool
do_pair(struct world *world, char **words, uint32_t count)
{
	struct member *a = parse_member(world, count == 3 ? words[1] : NULL),
		      *b = parse_member(world, count == 3 ? words[2] : NULL);
	struct zab_event event = { .type = ZAB_EVENT_HEARD };
	char what[64];
	uint32_t i;

	if (count == 2 && strcmp(words[0], "connect") == 0 && strcmp(words[1], "all") == 0) {
		for (i = 1; i < SIDS_MAX; i++)
			connect_all(world, i);
		return true;
	}
	if (a == NULL || b == NULL || a == b)
		return false;
	event.peer = b->sid;
	event.conn = a->conn[b->sid];
	snprintf(what, sizeof what, "knows that something big is moving from %u", b->sid);
	if (strcmp(words[0], "connect") == 0)
		world_connect(world, a->sid, b->sid);
	else if (strcmp(words[0], "disconnect") == 0)
		world_disconnect(world, a->sid, b->sid, true);
	else if (strcmp(words[0], "close") == 0)
		world_disconnect(world, a->sid, b->sid, false);
	else if (strcmp(words[0], "cut") == 0)
		world->held[a->sid][b->sid] = world->held[b->sid][a->sid] = true;
	else if (strcmp(words[0], "mend") == 0)
		world->held[a->sid][b->sid] = world->held[b->sid][a->sid] = false;
	else if (strcmp(words[0], "hear") == 0)
		member_step(world, a, &event, NULL, false, what);
	else if (strcmp(words[0], "late") == 0) {
		event.conn -= event.conn != 0;
		event.type = ZAB_EVENT_CONNECTED;
		member_step(world, a, &event, NULL, false, "hears late of an older connection");
		event.type = ZAB_EVENT_HEARD;
		member_step(world, a, &event, NULL, true, "hears late of an older one's bytes");
		event.type = ZAB_EVENT_DISCONNECTED;
		member_step(world, a, &event, NULL, false, "hears late of an older one's end");
	} else
		return false;
	return true;
}

/* hold A B [from the first TYPE on], hold disk A, hold look-ups A; release likewise */
static bool
do_hold(struct world *world, char **words, uint32_t count)
{
	bool hold = strcmp(words[0], "hold") == 0;
	struct member *a, *b;
	uint32_t type = count > 3 ? type_of(words[3]) : 0;

	if (count < 3 || (count > 3 && type == 0) || (b = parse_member(world, words[2])) == NULL)
		return false;
	if (strcmp(words[1], "disk") == 0)
		b->disk_held = hold;
	else if (strcmp(words[1], "look-ups") == 0)
		b->look_up_held = hold;
	else if ((a = parse_member(world, words[1])) != NULL) {
		world->held[a->sid][b->sid] = hold;
		world->held_type[a->sid][b->sid] = type;
	} else
		return false;
	return true;
}

/* deliver, drop A B [TYPE | N]: the first N, or up to the first TYPE, or all that there is */
static bool
do_deliver(struct world *world, char **words, uint32_t count)
{
	struct member *a = parse_member(world, count > 2 ? words[1] : NULL),
		      *b = parse_member(world, count > 2 ? words[2] : NULL);
	uint32_t type = count > 3 ? type_of(words[3]) : 0, i = 0;
	uint64_t left = UINT64_MAX, before = world->seq;
	struct item item;

	if (a == NULL || b == NULL || (count > 3 && type == 0 && !parse_number(words[3], &left)))
		return false;
	while (i < world->nitems && left > 0) {
		item = world->items[i];
		if (item.from != a->sid || item.to != b->sid || item.kind == ITEM_LOOK_UP ||
		    item.seq > before) {
			i++;
			continue;
		}
		world_take(world, i);
		if (strcmp(words[0], "deliver") == 0)
			world_arrive(world, &item);
		if (item.kind == ITEM_MESSAGE && item.message.type == type)
			return true;
		left--;
	}
	if (type != 0 || (count > 3 && left > 0))
		fail(world, "there is no such message");
	return true;
}

/* write A [N]: the first N log orders of A are durable, or all that can be; 0: it says so again */
static bool
do_write(struct world *world, char **words, uint32_t count)
{
	struct member *member = parse_member(world, count > 1 ? words[1] : NULL);
	uint64_t n;

	if (member == NULL)
		return false;
	n = disk_writable(&member->disk);
	if (count > 2 && (!parse_number(words[2], &n) || n > disk_writable(&member->disk)))
		return false;
	disk_write(world, member, (uint32_t)n);
	return true;
}

/* propose A [N]; confirm A [again]; hand-over A B */
static bool
do_serve(struct world *world, char **words, uint32_t count)
{
	struct member *member = parse_member(world, count > 1 ? words[1] : NULL);
	struct zab_event event = { .type = ZAB_EVENT_PROPOSE };
	uint64_t n = 1;
	char what[64];

	if (member == NULL || !member->up)
		return false;
	if (strcmp(words[0], "propose") == 0) {
		if (count > 2 && !parse_number(words[2], &n))
			return false;
		for (; n > 0; n--) {
			event.zxid = zab_next_zxid(member->zab);
			if (event.zxid == 0) {
				trace(world, "%u takes no proposal", member->sid);
				break;
			}
			snprintf(what, sizeof what, "proposes %s", zxid_text(event.zxid));
			member_step(world, member, &event, NULL, false, what);
		}
	} else if (strcmp(words[0], "confirm") == 0) {
		event.type = ZAB_EVENT_CONFIRM;
		event.zxid = world->confirms += count == 2;
		snprintf(what, sizeof what, "is asked: still the leader? (%llu)",
		    (unsigned long long)event.zxid);
		member_step(world, member, &event, NULL, false, what);
	} else {
		if (count != 3 || !parse_number(words[2], &n))
			return false;
		event.type = ZAB_EVENT_HAND_OVER;
		event.peer = (uint32_t)n;
		snprintf(what, sizeof what, "shall hand over to %u", event.peer);
		member_step(world, member, &event, NULL, false, what);
	}
	disk_settle(world, member);
	return true;
}

/* run [TIME ms] */
static bool
do_run(struct world *world, char **words, uint32_t count)
{
	uint64_t ms;

	if (count == 1)
		world_run(world);
	else if (parse_number(words[1], &ms))
		world_run_for(world, ms * MS);
	else
		return false;
	return true;
}

/* hide, show TYPE… */
static bool
do_hide(struct world *world, char **words, uint32_t count)
{
	uint32_t i, type;

	for (i = 1; i < count; i++) {
		type = type_of(words[i]);
		if (type == 0)
			return false;
		if (strcmp(words[0], "hide") == 0)
			world->hidden |= 1u << type;
		else
			world->hidden &= ~(1u << type);
	}
	return true;
}

/* serve: who is down starts, all are connected, in silence, until there is a leader. */
static bool
do_serve_all(struct world *world, char **words, uint32_t count)
{
	uint32_t i;

	(void)words;
	world->quiet = true;
	for (i = 1; i < SIDS_MAX; i++)
		if (world->members[i].sid != 0)
			member_start(world, &world->members[i]);
	for (i = 1; i < SIDS_MAX; i++)
		connect_all(world, i);
	world_run_for(world, 100 * MS);
	world->quiet = false;
	for (i = 1; i < SIDS_MAX; i++)
		if (world->members[i].sid != 0)
			print_status(world, &world->members[i]);
	return count == 1;
}

bool
script_command(struct world *world, char *line)
{
	static const struct {
		const char *names;
		bool (*run)(struct world *world, char **words, uint32_t count);
	} commands[] = { { " members ", setup_members }, { " disk ", setup_disk },
		{ " start crash join pause resume lose status ", do_each },
		{ " connect disconnect close cut mend hear late ", do_pair },
		{ " hold release ", do_hold }, { " deliver drop ", do_deliver },
		{ " write ", do_write }, { " propose confirm hand-over ", do_serve },
		{ " run ", do_run }, { " hide show ", do_hide }, { " serve ", do_serve_all },
		{ " say ", say_command }, { " expect ", expect_command } };
	char *words[WORDS_MAX], **at = words, *rest = line, *word, name[32];
	uint32_t count = 0, i;
	bool ok = false;

	while (count < WORDS_MAX && (word = strtok_r(rest, " ", &rest)) != NULL)
		words[count++] = word;
	if (count > 1 && strcmp(words[0], "quietly") == 0) {
		world->quiet = true;
		at++;
		count--;
	}
	snprintf(name, sizeof name, " %s ", count > 0 ? at[0] : "");
	for (i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strstr(commands[i].names, name) != NULL)
			ok = commands[i].run(world, at, count);
	world->quiet = false;
	return ok;
}
