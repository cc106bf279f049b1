/*
 * A member's process: feeds the core and does what it says, in its order, as
 * replica/order.c does. A crash may come between any two actions.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>

static uint32_t
index_of(const struct world *world, uint32_t sid)
{
	uint32_t i;

	for (i = 0; i < world->count; i++)
		if (world->members[i].sid == sid)
			return i;
	CHECK(!"a member");
	return 0;
}

static const char *const roles[] = { "recovering", "looking", "leading", "following", "observing" };
static const char *const phases[] = { "election", "discovery", "synchronisation", "broadcast" };
static const char *const reasons[] = { "-", "start", "leader-gone", "leader-silent",
	"leader-resigned", "old-epoch", "no-quorum", "timeout", "storage", "rollover", "hand-over",
	"epoch-behind", "protocol", "synchronised" };
static const char *const messages[] = { "?", "VOTE", "CEPOCH", "ACKEPOCH", "PROBED", "ACKLD", "ACK",
	"PONG", "NEWEPOCH", "PROBE", "TRUNC", "SNAP", "ROW", "NEWLEADER", "UPTODATE", "COMMIT",
	"PING", "RESIGN" };

static void
send_message(struct world *world, struct member *member, const struct zab_action *action,
    const struct event *event)
{
	uint32_t self = (uint32_t)(member - world->members);

	trace(world, "%u -> %u %s epoch=%llu zxid=%llx round=%llu vote=%u role=%s flags=%x",
	    member->sid, action->peer, messages[event->message.type],
	    (unsigned long long)event->message.epoch, (unsigned long long)event->message.zxid,
	    (unsigned long long)event->message.round, event->message.vote_sid,
	    roles[event->message.role], event->message.flags);
	net_send(world, self, index_of(world, action->peer), action->conn, event);
}

static void
send_rows(struct world *world, struct member *member, const struct zab_action *action)
{
	struct event event = { 0 };
	const struct row *row;
	uint64_t from;

	for (from = action->from; from < action->zxid; from = row->zxid) {
		row = disk_after(&member->disk, from);
		if (from < member->disk.base_zxid) {
			/* Retention was faster: the learner comes again, for a snapshot. */
			net_close(world, (uint32_t)(member - world->members), action->conn);
			return;
		}
		if (row == NULL || row->prev != from || row->zxid > action->zxid) {
			fail(world, "member %u cannot send rows above %llx", member->sid,
			    (unsigned long long)from);
			return;
		}
		event.message.type = ZAB_ROW;
		event.message.attempt = action->attempt;
		event.message.zxid = row->zxid;
		event.message.prev = row->prev;
		event.row = *row;
		send_message(world, member, action, &event);
	}
}

static void
send_snap(struct world *world, struct member *member, const struct zab_action *action)
{
	struct event event = { 0 };
	uint64_t found;

	event.message.type = ZAB_SNAP;
	event.message.attempt = action->attempt;
	event.message.zxid = action->zxid;
	if (action->zxid != member->delivered ||
	    !disk_look_up(&member->disk, action->zxid, &found, &event.message.hash) ||
	    found != action->zxid) {
		fail(world, "member %u cannot send a snapshot at %llx", member->sid,
		    (unsigned long long)action->zxid);
		return;
	}
	event.index = member->index;
	event.state = member->state;
	send_message(world, member, action, &event);
}

static void
order(struct world *world, struct member *member, const struct zab_action *action,
    const struct event *message, uint64_t value)
{
	struct order order = { .type = action->type,
		.op = action->op,
		.zxid = action->zxid,
		.hash = action->hash,
		.index = member->snap_index,
		.state = member->snap_state,
		.accepted_epoch = action->accepted_epoch,
		.accepted_sid = action->accepted_sid,
		.current_epoch = action->current_epoch };
	uint64_t found;

	if (action->type == ZAB_LOG_ROW) {
		order.row = (struct row){ .zxid = action->zxid, .prev = action->from };
		order.row.value = message != NULL ? message->row.value : value;
		/* The chain: the hash of what is before it, wherever that is. */
		if (message != NULL)
			order.row.hash = message->row.hash;
		else if (disk_look_up(&member->disk, action->from, &found, &order.row.hash))
			order.row.hash = state_next(order.row.hash, &order.row);
	}
	disk_order(world, member, &order);
}

static void
deliver(struct world *world, struct member *member, uint64_t zxid)
{
	const struct row *row;

	while (member->delivered < zxid && world->failure[0] == '\0') {
		row = disk_after(&member->disk, member->delivered);
		if (row == NULL || row->zxid > zxid || disk_row(&member->disk, row->zxid) == NULL) {
			fail(world, "member %u has nothing durable to deliver above %llx",
			    member->sid, (unsigned long long)member->delivered);
			return;
		}
		check_delivered(world, member, row);
		member->delivered = row->zxid;
		member->index++;
		member->state = state_next(member->state, row);
	}
}

static void
look_up(struct world *world, struct member *member, const struct zab_action *action)
{
	struct zab_event event = {
		.type = ZAB_EVENT_LOOKED_UP, .peer = action->peer, .attempt = action->attempt
	};

	event.found = disk_look_up(&member->disk, action->zxid, &event.zxid, &event.hash);
	member_step(world, member, &event, NULL);
}

static void
act(struct world *world, struct member *member, const struct zab_action *action,
    const struct event *message, uint64_t value)
{
	struct event event = { .message = action->message };

	check_durable(world, member, action);
	switch (action->type) {
	case ZAB_SEND:
		check_hand_over(world, member, action);
		if (member->sick && action->message.type == ZAB_VOTE &&
		    action->message.role == ZAB_LOOKING)
			fail(world, "member %u votes and cannot log", member->sid);
		send_message(world, member, action, &event);
		break;
	case ZAB_SEND_ROWS:
		send_rows(world, member, action);
		break;
	case ZAB_SEND_SNAP:
		world->coverage[16]++;
		send_snap(world, member, action);
		break;
	case ZAB_FORGET:
		break;
	case ZAB_DROP:
		net_close(world, (uint32_t)(member - world->members), action->conn);
		break;
	case ZAB_LOG_SYNC_SNAP:
		member->snap_index = message->index;
		member->snap_state = message->state;
		order(world, member, action, message, value);
		break;
	case ZAB_LOG_EPOCHS:
		check_epoch(world, member, action);
		order(world, member, action, message, value);
		break;
	case ZAB_LOG_ROW:
	case ZAB_LOG_SYNC_BEGIN:
	case ZAB_LOG_SYNC_COMMIT:
	case ZAB_LOG_VOTER:
		order(world, member, action, message, value);
		break;
	case ZAB_LOOK_UP: /* answered when this step's actions are done */
		break;
	case ZAB_DELIVER:
		deliver(world, member, action->zxid);
		break;
	case ZAB_CONFIRMED:
		check_confirmed(world, member, action->zxid);
		break;
	case ZAB_CHANGED:
		trace(world, "%u is %s in %s, epoch %llu, leader %u, because: %s", member->sid,
		    roles[action->role], phases[action->phase],
		    (unsigned long long)action->current_epoch, action->peer,
		    reasons[action->reason]);
		check_changed(world, member, action);
		break;
	case ZAB_RECOVER:
		member->generation = action->generation;
		member->settling = true;
		break;
	case ZAB_ALARM:
		fail(world, "member %u: the history of member %u differs at %llx", member->sid,
		    action->peer, (unsigned long long)action->zxid);
		break;
	case ZAB_FATAL:
		fail(world, "member %u would undo what it has delivered", member->sid);
		break;
	}
}

void
member_step(struct world *world, struct member *member, struct zab_event *event,
    const struct event *message)
{
	/* The answers to look-ups are steps of their own, with outputs of their own. */
	struct zab_output *out;
	uint32_t i, life = member->life;
	uint64_t value = 0;

	if (!member->up || world->failure[0] != '\0')
		return;
	out = malloc(sizeof *out);
	CHECK(out != NULL);
	event->now_ns = world->now;
	if (event->type == ZAB_EVENT_PROPOSE)
		value = ++world->values;
	if (event->type == ZAB_EVENT_LOST || event->type == ZAB_EVENT_LOGGED)
		member->sick = event->type == ZAB_EVENT_LOST;
	world->steps++;
	zab_step(member->zab, event, out);
	for (i = 0; i < out->count && member->life == life && world->failure[0] == '\0'; i++) {
		act(world, member, &out->actions[i], message, value);
		if (!world->healed && (world->options.kinds & 1u << FAULT_CRASH) &&
		    random_one_in(world, 4000))
			member_crash(world, member);
	}
	for (i = 0; i < out->count && member->life == life && world->failure[0] == '\0'; i++)
		if (out->actions[i].type == ZAB_LOOK_UP)
			look_up(world, member, &out->actions[i]);
	free(out);
	if (!member->up || member->life != life)
		return;
	if (member->settling)
		disk_settle(world, member);
	if (member->up && member->life == life)
		member_timer(world, member);
}

void
member_timer(struct world *world, struct member *member)
{
	uint64_t due = zab_timer_ns(member->zab);
	struct event *event;

	if (due == UINT64_MAX)
		return;
	if (due <= world->now)
		due = world->now + 1;
	if (member->timer != 0 && member->timer <= due)
		return;
	member->timer = due;
	event = heap_add(world, due, EVENT_TIMER);
	event->member = (uint32_t)(member - world->members);
	event->life = member->life;
}

static void
process_start(struct world *world, struct member *member)
{
	struct zab_config config = { .self = member->sid,
		.count = world->count,
		.tick_ns = 200 * MS,
		.init_limit = 10,
		.sync_limit = 5,
		.finalize_ns = 50 * MS };
	uint32_t i;

	for (i = 0; i < world->count; i++)
		config.members[i] = (struct zab_member){ .sid = world->members[i].sid,
			.observer = world->members[i].observer };
	member->zab = malloc(zab_size());
	CHECK(member->zab != NULL);
	zab_init(member->zab, &config);
	member->up = true;
	member->generation = 0;
	member->timer = 0;
	member->heard_epoch = 0;
	member->sick = false;
	member->paused_until = 0;
	/* The tree is its image; what came later is delivered again. */
	member->delivered = member->disk.image_zxid;
	member->index = member->disk.image_index;
	member->state = member->disk.image_state;
}

void
member_start(struct world *world, struct member *member)
{
	struct zab_event event = { .type = ZAB_EVENT_START };

	if (!member->up)
		process_start(world, member);
	member->settling = false;
	event.start.generation = member->generation;
	event.start.nonce = random_next(world) >> 1;
	event.start.accepted_epoch = member->disk.accepted_epoch;
	event.start.accepted_sid = member->disk.accepted_sid;
	event.start.current_epoch = member->disk.current_epoch;
	event.start.last_zxid = disk_last(&member->disk);
	event.start.delivered = member->delivered;
	event.start.voter = member->disk.voter;
	member_step(world, member, &event, NULL);
}

void
member_crash(struct world *world, struct member *member)
{
	struct event *event;

	if (!member->up)
		return;
	trace(world, "%u crashes", member->sid);
	disk_crash(world, member);
	net_crashed(world, (uint32_t)(member - world->members));
	free(member->zab);
	member->zab = NULL;
	member->up = false;
	member->settling = false;
	member->life++;
	if (member->dead)
		return;
	event = heap_add(world, world->now + random_below(world, 2 * S), EVENT_RESTART);
	event->member = (uint32_t)(member - world->members);
	event->life = member->life;
}
