/*
 * A member's process: feeds the core and does what it says, in its order, as
 * replica/order.c does, and writes down both. What must hold in every case is
 * checked here: what is claimed is durable, one history, one leader an epoch.
 */
#include "tests/cases/cases.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>

static void
check_durable(struct world *world, const struct member *member, const struct zab_action *action)
{
	const struct zab_durable *needed = &action->durable;
	const struct disk *disk = &member->disk;

	if (disk->accepted_epoch < needed->accepted_epoch ||
	    disk->current_epoch < needed->current_epoch || disk_last(disk) < needed->zxid)
		fail(world, "%u says what is not durable", member->sid);
}

static void
check_delivered(struct world *world, const struct member *member, const struct row *row)
{
	uint32_t i = world->nhistory;

	if (i == 0 || world->history[i - 1].zxid < row->zxid) {
		CHECK(world->nhistory < ROWS_MAX);
		world->history[world->nhistory++] = *row;
		return;
	}
	while (i > 0 && world->history[i - 1].zxid > row->zxid)
		i--;
	if (i == 0 || world->history[i - 1].zxid != row->zxid ||
	    world->history[i - 1].hash != row->hash)
		fail(world, "%u delivers another %s", member->sid, zxid_text(row->zxid));
}

static void
deliver(struct world *world, struct member *member, uint64_t upto)
{
	const struct row *row;

	while (member->delivered < upto) {
		row = disk_after(&member->disk, member->delivered);
		if (row == NULL || row->zxid > upto || disk_last(&member->disk) < row->zxid) {
			fail(world, "%u delivers what is not durable", member->sid);
			return;
		}
		check_delivered(world, member, row);
		member->delivered = row->zxid;
	}
}

static struct item *
send_message(struct world *world, struct member *member, const struct zab_action *action,
    const struct zab_message *message)
{
	struct item *item = world_add(world, ITEM_MESSAGE, member->sid, action->peer);

	item->conn = action->conn;
	item->message = *message;
	if (message->type == ZAB_CEPOCH && member->attempt[action->peer] != message->attempt) {
		member->attempt_before[action->peer] = member->attempt[action->peer];
		member->attempt[action->peer] = message->attempt;
	}
	return item;
}

static void
send_rows(struct world *world, struct member *member, const struct zab_action *action)
{
	struct zab_message message = { .type = ZAB_ROW, .attempt = action->attempt };
	const struct row *row;
	uint64_t from;

	for (from = action->from; from < action->zxid; from = row->zxid) {
		row = disk_after(&member->disk, from);
		if (row == NULL || row->prev != from) {
			fail(world, "%u cannot send rows above %s", member->sid, zxid_text(from));
			return;
		}
		message.zxid = row->zxid;
		message.prev = row->prev;
		send_message(world, member, action, &message)->row = *row;
	}
}

static void
send_snap(struct world *world, struct member *member, const struct zab_action *action)
{
	struct zab_message message = {
		.type = ZAB_SNAP, .attempt = action->attempt, .zxid = action->zxid
	};
	uint64_t found;

	if (action->zxid != member->delivered ||
	    !disk_look_up(&member->disk, action->zxid, &found, &message.hash) ||
	    found != action->zxid)
		fail(world, "%u has no snapshot of %s", member->sid, zxid_text(action->zxid));
	send_message(world, member, action, &message);
}

static void
look_up(struct world *world, struct member *member, const struct zab_action *action)
{
	struct item *item = world_add(world, ITEM_LOOK_UP, action->peer, member->sid);

	item->zxid = action->zxid;
	item->attempt = action->attempt;
}

static void
changed(struct world *world, const struct member *member, const struct zab_action *action)
{
	uint32_t *leader;

	if (action->role != ZAB_LEADING || action->phase != ZAB_BROADCAST ||
	    action->current_epoch >= 64)
		return;
	leader = &world->epoch_leader[action->current_epoch];
	if (*leader != 0)
		fail(world, "epoch %llu has two leaders: %u and %u",
		    (unsigned long long)action->current_epoch, *leader, member->sid);
	*leader = member->sid;
}

/* What it has sent arrives, what is on its way to it does not. */
static void
close_connection(struct world *world, struct member *member, const struct zab_action *action)
{
	struct item *own;

	world_forget(world, action->peer, member->sid);
	own = world_add(world, ITEM_CLOSED, action->peer, member->sid);
	own->own = true;
	own->conn = action->conn;
	world_add(world, ITEM_CLOSED, member->sid, action->peer)->conn = action->conn;
}

static void
act(struct world *world, struct member *member, const struct zab_action *action,
    const struct item *item)
{
	check_durable(world, member, action);
	switch (action->type) {
	case ZAB_SEND:
		send_message(world, member, action, &action->message);
		break;
	case ZAB_SEND_ROWS:
		send_rows(world, member, action);
		break;
	case ZAB_SEND_SNAP:
		send_snap(world, member, action);
		break;
	case ZAB_DROP:
		close_connection(world, member, action);
		break;
	case ZAB_LOOK_UP:
		look_up(world, member, action);
		break;
	case ZAB_DELIVER:
		deliver(world, member, action->zxid);
		break;
	case ZAB_CHANGED:
		changed(world, member, action);
		break;
	case ZAB_RECOVER:
		member->generation = action->generation;
		member->settling = true;
		break;
	case ZAB_FATAL:
		member->settling = false;
		break;
	case ZAB_FORGET:
	case ZAB_CONFIRMED:
	case ZAB_ALARM:
		break;
	default:
		disk_order(world, member, action, item);
	}
}

static bool
is_hidden(const struct world *world, const struct zab_action *action)
{
	uint32_t type = 0;

	if (action->type == ZAB_SEND)
		type = action->message.type;
	else if (action->type == ZAB_SEND_ROWS)
		type = ZAB_ROW;
	return (world->hidden & 1u << type) != 0;
}

void
member_step(struct world *world, struct member *member, struct zab_event *event,
    const struct item *item, bool hidden, const char *what)
{
	static struct zab_output out;
	char *effects = NULL;
	size_t len = 0;
	bool fatal = false;
	FILE *to;
	uint32_t i;

	if (!member->up)
		return;
	to = open_memstream(&effects, &len);
	CHECK(to != NULL);
	event->now_ns = world->now_ns;
	zab_step(member->zab, event, &out);
	for (i = 0; i < out.count; i++)
		if (!is_hidden(world, &out.actions[i]))
			print_action(to, &out.actions[i]);
	fclose(to);
	if (len > 0 || !hidden)
		trace(world, "%u %s", member->sid, what);
	if (!world->quiet)
		fputs(effects, world->out);
	free(effects);
	for (i = 0; i < out.count; i++) {
		act(world, member, &out.actions[i], item);
		fatal |= out.actions[i].type == ZAB_FATAL;
	}
	if (fatal)
		member_crash(world, member);
}

/* The core's START: with what is durable. */
void
member_begin(struct world *world, struct member *member)
{
	struct zab_event event = { .type = ZAB_EVENT_START };
	const struct disk *disk = &member->disk;
	char what[128];

	member->settling = false;
	event.start.generation = member->generation;
	event.start.nonce = (uint64_t)member->lives << 32;
	event.start.accepted_epoch = disk->accepted_epoch;
	event.start.accepted_sid = disk->accepted_sid;
	event.start.current_epoch = disk->current_epoch;
	event.start.last_zxid = disk_last(disk);
	event.start.delivered = member->delivered;
	event.start.voter = disk->voter;
	snprintf(what, sizeof what,
	    "starts with accepted %llu, current %llu, last %s, delivered %s%s",
	    (unsigned long long)disk->accepted_epoch, (unsigned long long)disk->current_epoch,
	    zxid_text(disk_last(disk)), zxid_text(member->delivered),
	    disk->voter || member->observer ? "" : ", no voter");
	member_step(world, member, &event, NULL, false, what);
}

/* The process starts. */
void
member_start(struct world *world, struct member *member)
{
	struct zab_config config = { .self = member->sid,
		.tick_ns = 200 * MS,
		.init_limit = 10,
		.sync_limit = 5,
		.finalize_ns = 50 * MS,
		.counter_max = world->counter_max };
	uint32_t i;

	if (member->up)
		return;
	for (i = 1; i < SIDS_MAX; i++)
		if (world->members[i].sid != 0 && (!world->members[i].stranger || i == member->sid))
			config.members[config.count++] =
			    (struct zab_member){ i, world->members[i].observer };
	member->zab = malloc(zab_size());
	CHECK(member->zab != NULL);
	zab_init(member->zab, &config);
	member->up = true;
	member->lives++;
	member->generation = 0;
	member->delivered = member->disk.image_zxid;
	member_begin(world, member);
}

/* What was on its way to the disk, and in the network from and to it, is lost. */
void
member_crash(struct world *world, struct member *member)
{
	uint32_t peer;

	if (!member->up)
		return;
	trace(world, "%u is down", member->sid);
	member->up = member->paused = member->settling = false;
	member->disk.norders = 0;
	free(member->zab);
	member->zab = NULL;
	world_forget(world, member->sid, member->sid);
	for (peer = 1; peer < SIDS_MAX; peer++)
		world_disconnect(world, member->sid, peer, true);
}
