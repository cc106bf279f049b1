/*
 * A member's process: the replica that ships, between the events that reach it.
 * What its core says is watched on the way (`__wrap_zab_step`), what its tree
 * becomes as well. A crash may come between any two of its actions: from then on
 * nothing that it does counts, until it is left.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>

uint32_t
member_index(const struct world *world, uint32_t sid)
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

bool
member_enter(struct world *world, struct member *member)
{
	if (!member->up || world->failure[0] != '\0')
		return false;
	CHECK(world->running == NULL);
	world->running = member;
	return true;
}

void
member_leave(struct world *world, struct member *member)
{
	CHECK(world->running == member);
	world->running = NULL;
	if (member->dying) {
		member_crash(world, member);
		return;
	}
	check_outbox(world, member);
	check_sessions(world, member);
	check_attended(world, member);
	member_timer(world, member);
}

bool
member_acts(struct world *world, struct member *member)
{
	if (!member->dying && !world->healed && (world->options.kinds & 1u << FAULT_CRASH) &&
	    random_one_in(world, 4000))
		member->dying = true;
	return !member->dying && world->failure[0] == '\0';
}

static void
deliver(struct world *world, struct member *member, uint64_t zxid)
{
	const struct row *row;

	while (member->delivered < zxid && world->failure[0] == '\0') {
		row = disk_after(&member->disk, member->delivered);
		if (row == NULL || row->zxid > zxid) {
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

/* In some seeds a leader has room for little: as if very much were under way. */
static void
cramp(const struct world *world, struct member *member)
{
	size_t taken = PROPOSED_BYTES_MAX - world->options.room;

	if (world->options.room == 0 || member->leads == member->cramped)
		return;
	member->cramped = member->leads;
	member->replica->proposed_bytes += member->cramped ? taken : -taken;
}

static void
watch(struct world *world, struct member *member, const struct zab_action *action)
{
	check_durable(world, member, action);
	switch (action->type) {
	case ZAB_SEND:
		check_hand_over(world, member, action);
		if (member->sick && action->message.type == ZAB_VOTE &&
		    action->message.role == ZAB_LOOKING)
			fail(world, "member %u votes and cannot log", member->sid);
		break;
	case ZAB_LOG_EPOCHS:
		check_epoch(world, member, action);
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
		cramp(world, member);
		break;
	case ZAB_ALARM:
		check_alarm(world, member, action);
		break;
	case ZAB_FATAL:
		fail(world, "member %u would undo what it has delivered", member->sid);
		break;
	default:
		break;
	}
}

void __real_zab_step(struct zab *zab, const struct zab_event *event, struct zab_output *out);
void __wrap_zab_step(struct zab *zab, const struct zab_event *event, struct zab_output *out);

void
__wrap_zab_step(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	struct member *member = the_world->running;
	uint32_t i;

	member->zab = zab;
	if (event->type == ZAB_EVENT_LOST || event->type == ZAB_EVENT_LOGGED)
		member->sick = event->type == ZAB_EVENT_LOST;
	if (event->type == ZAB_EVENT_MESSAGE)
		check_heard(the_world, member, event);
	if (event->type == ZAB_EVENT_CONFIRM) {
		struct confirm *slot = &the_world->confirm[++the_world->confirms % 64];

		*slot = (struct confirm){ .number = event->zxid,
			.needed = the_world->history.count,
			.member = (uint32_t)(member - the_world->members) };
	}
	the_world->steps++;
	the_world->stepping = true;
	__real_zab_step(zab, event, out);
	the_world->stepping = false;
	check_void(the_world, member, event, out);
	check_answer(the_world, member, event, out);
	for (i = 0; i < out->count && !member->dying; i++)
		watch(the_world, member, &out->actions[i]);
}

uint64_t __real_zab_next_zxid(const struct zab *zab);
uint64_t __wrap_zab_next_zxid(const struct zab *zab);

/* Now and then, for some moments, a leader has no room: as if very many proposals were under way. */
uint64_t
__wrap_zab_next_zxid(const struct zab *zab)
{
	uint64_t z = the_world->options.seed + the_world->now / (20 * MS);

	z = (z + the_world->running->sid) * UINT64_C(0x9e3779b97f4a7c15);
	if (!the_world->stepping && !the_world->healed && (z >> 32) % 16 == 0)
		return 0;
	return __real_zab_next_zxid(zab);
}

void __real_zab_init(struct zab *zab, const struct zab_config *config);
void __wrap_zab_init(struct zab *zab, const struct zab_config *config);

void
__wrap_zab_init(struct zab *zab, const struct zab_config *config)
{
	struct zab_config own = *config;

	own.counter_max = the_world->options.rollover;
	the_world->running->zab = zab;
	__real_zab_init(zab, &own);
}

void __real_tree_apply(struct tree *tree, const struct txn *txn);
void __wrap_tree_apply(struct tree *tree, const struct txn *txn);

void
__wrap_tree_apply(struct tree *tree, const struct txn *txn)
{
	__real_tree_apply(tree, txn);
	if (the_world->running != NULL && the_world->running->replica != NULL)
		check_tree(the_world, the_world->running);
}

void
member_message(struct world *world, struct member *member, const struct event *event)
{
	bool late = event->conn != member->conn_to[event->peer];
	struct wire_msg msg = { .type = WIRE_T_ZAB };
	struct zab_message message = event->message;
	struct blob payload = { 0 };

	/* 0: it was lost. Late, the core is told all the same: it has to know better (check_void). */
	if (event->conn == 0 || (late && message.type == 0) || !member_enter(world, member))
		return;
	if (message.type != 0) {
		wild_vote(world, member, &message);
		msg.zab = message_to_wire(&message);
		if (event->bytes != NULL)
			payload = (struct blob){ event->bytes->data, event->bytes->len };
		if (message.type == ZAB_SNAP && !late) {
			member->snap_index = event->index;
			member->snap_state = event->state;
		}
	} else if (wire_unpack(event->bytes->data, event->bytes->len, NULL, &msg) != 0) {
		fail(world, "a message that is none");
	}
	replica_link_handler.message(
	    member->replica, world->members[event->peer].sid, event->conn, &msg, payload);
	member_leave(world, member);
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

/* What the image and the log's replay gave it was delivered in an earlier life. */
static void
remember(struct world *world, struct member *member)
{
	const struct history *history = &world->history;
	uint64_t applied = tree_applied(member->replica->tree);

	member->index = 0;
	member->state = 0;
	while (member->index < history->count && history->rows[member->index].zxid <= applied)
		member->index++;
	if (member->index != 0)
		member->state = history->states[member->index - 1];
	member->delivered = member->index == 0 ? 0 : history->rows[member->index - 1].zxid;
	/* The log of an ensemble of one is committed: it starts with all of it. */
	if (member->replica->alone)
		deliver(world, member, applied);
	if (member->delivered != applied)
		fail(world, "member %u starts at %llx, which nobody has delivered", member->sid,
		    (unsigned long long)applied);
	check_tree(world, member);
}

void
member_start(struct world *world, struct member *member)
{
	struct replica_options options = { .conf = &member->conf, .member = member->sid };
	struct event *tick;
	char err[256];

	CHECK(!member->up && world->running == NULL);
	trace(world, "%u starts", member->sid);
	member->up = true;
	member->dying = false;
	member->timer = member->crowded = 0;
	member->heard_epoch = member->introduced = 0;
	member->sick = member->cramped = false;
	member->paused_until = 0;
	TAILQ_INIT(&member->fronts);
	world->running = member;
	if (replica_new(&options, &member->replica, err, sizeof err) != 0) {
		fail(world, "member %u does not start: %s", member->sid, err);
		member->up = false;
		world->running = NULL;
		return;
	}
	member->replica->fronts = (struct front_server *)(void *)member;
	remember(world, member);
	order_start(member->replica);
	tick = heap_add(world, world->now + world->conf.tick_ms * MS, EVENT_TICK);
	tick->member = (uint32_t)(member - world->members);
	tick->life = member->life;
	member_leave(world, member);
}

void
member_crash(struct world *world, struct member *member)
{
	struct event *event;

	if (!member->up)
		return;
	/* Not in the middle of what it does. */
	if (world->running == member) {
		member->dying = true;
		return;
	}
	trace(world, "%u crashes", member->sid);
	member->up = false;
	if (member->leads)
		member->led = world->now;
	member->leads = false;
	disk_crash(world, member);
	image_crash(world, member);
	net_crashed(world, (uint32_t)(member - world->members));
	front_crash(world, member);
	world->running = member;
	member->dying = true;
	replica_free(member->replica);
	world->running = NULL;
	member->replica = NULL;
	member->zab = NULL;
	member->life++;
	if (member->dead)
		return;
	event = heap_add(
	    world, world->now + random_below(world, world->options.restart_ms * MS), EVENT_RESTART);
	event->member = (uint32_t)(member - world->members);
	event->life = member->life;
}
