/*
 * What must hold of the core after every step, whatever failed: one history,
 * durable before it is promised, one leader an epoch. The names are those of
 * Zab.tla and of the Zab paper. Called by member.c, disk.c and store.c.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX 200

/* The first failure is kept; the run ends. */
void
fail(struct world *world, const char *format, ...)
{
	va_list ap;

	if (world->failure[0] != '\0')
		return;
	va_start(ap, format);
	vsnprintf(world->failure, sizeof world->failure, format, ap);
	va_end(ap);
	trace(world, "FAILED: %s", world->failure);
}

uint64_t
state_next(uint64_t state, const struct row *row)
{
	uint64_t z = state * UINT64_C(0x9e3779b97f4a7c15) + row->zxid;

	z = (z ^ (z >> 31)) * UINT64_C(0xbf58476d1ce4e5b9) + row->value;
	return (z ^ (z >> 29)) * UINT64_C(0x94d049bb133111eb);
}

static uint32_t
quorum(const struct world *world)
{
	return world->options.voters / 2 + 1;
}

/* Whether the member has the row durable, in its log or in what the log was cut for. */
static bool
holds(const struct member *member, const struct row *row)
{
	const struct row *own = disk_row(&member->disk, row->zxid);

	if (own != NULL)
		return own->hash == row->hash && own->value == row->value;
	return row->zxid <= member->disk.base_zxid;
}

/* CommittedLogDurability. Who has lost its disk since had it, if it had got so far. */
static void
check_quorum(struct world *world, const struct row *row)
{
	uint32_t i, count = 0;

	for (i = 0; i < world->count; i++)
		count += !world->members[i].observer &&
			 (holds(&world->members[i], row) ||
			     (world->members[i].amnesiac && row->zxid <= world->members[i].had));
	if (count < quorum(world))
		fail(world, "%llx is delivered, and durable on %u members only",
		    (unsigned long long)row->zxid, count);
}

static const struct row *
proposed(const struct world *world, uint64_t zxid)
{
	uint64_t i;

	for (i = world->nproposed; i > 0; i--)
		if (world->proposed[i - 1].zxid == zxid)
			return &world->proposed[i - 1];
	return NULL;
}

void
check_proposed(struct world *world, const struct row *row, size_t queued)
{
	size_t room = world->options.room != 0 ? world->options.room : PROPOSED_BYTES_MAX;

	if (queued > room)
		fail(world, "%llx is proposed behind %zu bytes, and there is room for %zu",
		    (unsigned long long)row->zxid, queued, room);
	if (proposed(world, row->zxid) != NULL)
		fail(world, "%llx is proposed twice", (unsigned long long)row->zxid);
	if (world->nproposed == world->proposed_space) {
		world->proposed_space = world->proposed_space * 2 + 64;
		world->proposed =
		    realloc(world->proposed, world->proposed_space * sizeof *world->proposed);
		CHECK(world->proposed != NULL);
	}
	world->proposed[world->nproposed++] = *row;
}

/* Integrity: what is delivered was proposed, and is what was proposed. */
static void
check_origin(struct world *world, const struct row *row)
{
	const struct row *origin = proposed(world, row->zxid);

	if (origin == NULL || origin->prev != row->prev || origin->hash != row->hash ||
	    origin->value != row->value)
		fail(world, "%llx is delivered, and no leader has proposed it so",
		    (unsigned long long)row->zxid);
}

/* TotalOrder, LocalPrimaryOrder, GlobalPrimaryOrder: the history only grows. */
static void
extend(struct world *world, struct member *member, const struct row *row)
{
	struct history *history = &world->history;
	uint64_t last = history->count == 0 ? 0 : history->rows[history->count - 1].zxid;

	if (row->zxid <= last) {
		fail(world, "member %u delivers %llx value %llu after %llx", member->sid,
		    (unsigned long long)row->zxid, (unsigned long long)row->value,
		    (unsigned long long)last);
		return;
	}
	check_origin(world, row);
	check_quorum(world, row);
	if (history->count == history->space) {
		history->space = history->space * 2 + 64;
		history->rows = realloc(history->rows, history->space * sizeof *history->rows);
		history->states =
		    realloc(history->states, history->space * sizeof *history->states);
		history->trees = realloc(history->trees, history->space * sizeof *history->trees);
		CHECK(history->rows != NULL && history->states != NULL && history->trees != NULL);
	}
	history->trees[history->count] = 0;
	history->states[history->count] = state_next(member->state, row);
	history->rows[history->count++] = *row;
	history_row(world, row);
}

/* PrefixConsistency, Agreement: everyone delivers the one history. */
void
check_delivered(struct world *world, struct member *member, const struct row *row)
{
	const struct history *history = &world->history;
	const struct row *known;

	if (member->index > history->count) {
		fail(world, "member %u is ahead of the history", member->sid);
		return;
	}
	if (member->index == history->count) {
		extend(world, member, row);
		return;
	}
	known = &history->rows[member->index];
	if (known->zxid != row->zxid || known->value != row->value || known->hash != row->hash)
		fail(world, "member %u delivers %llx value %llu, others %llx value %llu",
		    member->sid, (unsigned long long)row->zxid, (unsigned long long)row->value,
		    (unsigned long long)known->zxid, (unsigned long long)known->value);
	else if (state_next(member->state, row) != history->states[member->index])
		fail(world, "member %u has another tree at %llx", member->sid,
		    (unsigned long long)row->zxid);
}

/*
 * LeaderLogCompleteness: whoever serves as leader has all that was delivered in
 * earlier epochs. (A quorum's late word may make one of an epoch that is over.)
 */
static void
check_leader(struct world *world, struct member *member, uint64_t epoch)
{
	const struct history *history = &world->history;
	uint64_t i;

	if (member->index > history->count)
		return;
	for (i = member->index; i < history->count; i++)
		if (zab_zxid_epoch(history->rows[i].zxid) < epoch &&
		    !holds(member, &history->rows[i])) {
			fail(world, "member %u leads without %llx", member->sid,
			    (unsigned long long)history->rows[i].zxid);
			return;
		}
}

/*
 * Whom it can't follow it does not try to follow again and again on the same
 * connection: who leads has to say so, and who was refused waits for a change.
 */
static void
check_tries(struct world *world, struct member *member, const struct zab_action *action)
{
	uint64_t conn;

	if (action->phase == ZAB_BROADCAST)
		member->tried = 0;
	if (action->role < ZAB_FOLLOWING || action->phase != ZAB_DISCOVERY || wild_now(world) ||
	    (world->options.apart && world->healed))
		return;
	conn = member->conn_to[member_index(world, action->peer)];
	if (conn != member->tried || world->now >= member->tried_ns + S) {
		member->tried = conn;
		member->tried_ns = world->now;
		member->tries = 0;
	}
	if (++member->tries > TRIES_MAX)
		fail(world, "member %u tries to follow %u times, in vain", member->sid,
		    (unsigned)member->tries);
}

/* Leadership: one leader an epoch. */
void
check_changed(struct world *world, struct member *member, const struct zab_action *action)
{
	uint64_t epoch = action->current_epoch, self = (uint64_t)(member - world->members) + 1;

	if (member->leads)
		member->led = world->now;
	member->leads = action->role == ZAB_LEADING && action->phase == ZAB_BROADCAST;
	world->coverage[action->role]++;
	check_tries(world, member, action);
	trap_role(world, (uint32_t)(member - world->members), action->role);
	if (action->reason < 16 && action->role == ZAB_RECOVERING)
		world->coverage[COVER_REASONS + action->reason]++;
	/* Nobody lies about the history: what can't be doesn't come. */
	if (action->role == ZAB_RECOVERING && action->reason == ZAB_REASON_PROTOCOL)
		fail(world, "member %u was told what can't be", member->sid);
	if (action->role != ZAB_LEADING || action->phase != ZAB_BROADCAST)
		return;
	if (epoch >= sizeof world->epoch_leader / sizeof world->epoch_leader[0]) {
		fail(world, "epoch %llu: epochs run away", (unsigned long long)epoch);
		return;
	}
	if (world->epoch_leader[epoch] != 0)
		fail(world, "epoch %llu has two leaders, members %u and %u",
		    (unsigned long long)epoch, world->members[world->epoch_leader[epoch] - 1].sid,
		    member->sid);
	world->epoch_leader[epoch] = self;
	check_leader(world, member, epoch);
}

void
check_heard(const struct world *world, struct member *member, const struct zab_event *event)
{
	const struct zab_message *message = &event->message;
	struct zab_status status;

	if (message->type != ZAB_CEPOCH ||
	    event->conn != member->conn_to[member_index(world, event->peer)])
		return;
	zab_status(member->zab, &status);
	if (status.role == ZAB_LEADING && member->heard_epoch < message->epoch)
		member->heard_epoch = message->epoch;
}

/* What an older connection says is void. */
void
check_void(struct world *world, const struct member *member, const struct zab_event *event,
    const struct zab_output *out)
{
	if (event->type == ZAB_EVENT_MESSAGE && out->count != 0 &&
	    event->conn != member->conn_to[member_index(world, event->peer)])
		fail(world, "member %u listens to an older connection of %u", member->sid,
		    event->peer);
}

/* Who is told the epoch that it waits for accepts it, or leaves. */
void
check_answer(struct world *world, struct member *member, const struct zab_event *event,
    const struct zab_output *out)
{
	uint32_t i;

	if (event->type == ZAB_EVENT_MESSAGE && event->message.type == ZAB_NEWEPOCH &&
	    event->message.attempt == member->introduced) {
		if (out->count == 0)
			fail(world, "member %u is told of epoch %llu, and waits", member->sid,
			    (unsigned long long)event->message.epoch);
		member->introduced = 0;
	}
	for (i = 0; i < out->count; i++) {
		const struct zab_action *action = &out->actions[i];

		if (action->type == ZAB_SEND && action->message.type == ZAB_CEPOCH)
			member->introduced = action->message.attempt;
		if (action->type == ZAB_RECOVER)
			member->introduced = 0;
	}
}

/*
 * Histories differ only where a disk has lost its own, and knows that. A leader that stood still
 * may find that out when it has been mended long ago.
 */
void
check_alarm(struct world *world, const struct member *member, const struct zab_action *action)
{
	if (!world->members[member_index(world, action->peer)].altered)
		fail(world, "member %u: the history of member %u differs at %llx", member->sid,
		    action->peer, (unsigned long long)action->zxid);
}

/* A new epoch is above all that its leader was told, an accepted one is never taken back. */
void
check_epoch(struct world *world, struct member *member, const struct zab_action *action)
{
	struct zab_status status;

	zab_status(member->zab, &status);
	if (action->accepted_epoch < member->disk.accepted_epoch ||
	    action->current_epoch < member->disk.current_epoch)
		fail(world, "member %u goes back to epoch %llu/%llu", member->sid,
		    (unsigned long long)action->accepted_epoch,
		    (unsigned long long)action->current_epoch);
	/* What is promised to one is not promised to another, unless a quorum chose that one. */
	if (action->accepted_epoch != 0 && action->accepted_epoch == member->disk.accepted_epoch &&
	    action->accepted_sid != member->disk.accepted_sid &&
	    action->accepted_sid != world->epoch_leader[action->accepted_epoch])
		fail(world, "member %u accepts epoch %llu of %llu and of %llu", member->sid,
		    (unsigned long long)action->accepted_epoch,
		    (unsigned long long)member->disk.accepted_sid,
		    (unsigned long long)action->accepted_sid);
	if (status.role == ZAB_LEADING && status.accepted_epoch < action->accepted_epoch &&
	    action->accepted_epoch <= member->heard_epoch)
		fail(world, "member %u begins epoch %llu and has heard of %llu", member->sid,
		    (unsigned long long)action->accepted_epoch,
		    (unsigned long long)member->heard_epoch);
}

/* The heir has everything that was proposed, and all of it is committed. */
void
check_hand_over(struct world *world, struct member *member, const struct zab_action *action)
{
	const struct member *heir = NULL;
	struct zab_status status;
	uint32_t i;

	if (action->message.type != ZAB_RESIGN || (action->message.flags & ZAB_HANDOVER) == 0)
		return;
	zab_status(member->zab, &status);
	for (i = 0; i < world->count; i++)
		if (world->members[i].sid == action->peer)
			heir = &world->members[i];
	if (status.delivered != action->message.zxid ||
	    (!heir->amnesiac && disk_last(&heir->disk) < action->message.zxid))
		fail(world, "member %u hands over to %u at %llx what is not all there", member->sid,
		    action->peer, (unsigned long long)action->message.zxid);
}

/* Nothing is sent before what it claims is durable. */
void
check_durable(struct world *world, struct member *member, const struct zab_action *action)
{
	const struct zab_durable *needed = &action->durable;
	const struct disk *disk = &member->disk;

	if (disk->accepted_epoch < needed->accepted_epoch ||
	    disk->current_epoch < needed->current_epoch || disk_last(disk) < needed->zxid)
		fail(world, "member %u says what is not durable (message %u)", member->sid,
		    action->message.type);
}

/*
 * CommittedLogDurability goes on: a member never loses what was delivered anywhere, unless it is
 * not counted. What it has above zxid goes.
 */
void
check_replaced(struct world *world, const struct member *member, uint64_t zxid)
{
	const struct history *history = &world->history;
	uint64_t i;

	if (member->amnesiac)
		return;
	for (i = history->count; i > 0 && history->rows[i - 1].zxid > zxid; i--)
		if (disk_row(&member->disk, history->rows[i - 1].zxid) != NULL &&
		    holds(member, &history->rows[i - 1])) {
			/* Unless the same transaction brings it back. */
			uint32_t j, found = 0;

			for (j = 0; j < member->disk.norders; j++)
				found |=
				    member->disk.orders[j].type == ZAB_LOG_ROW &&
				    member->disk.orders[j].row.zxid == history->rows[i - 1].zxid;
			if (!found)
				fail(world, "member %u drops %llx, which was delivered",
				    member->sid, (unsigned long long)history->rows[i - 1].zxid);
		}
}

void
check_truncated(struct world *world, const struct member *member, uint64_t zxid)
{
	if (zxid < member->delivered)
		fail(world, "member %u truncates below what it has delivered", member->sid);
	check_replaced(world, member, zxid);
}

/* A confirmed leader knows of everything that was delivered anywhere before it was asked. */
void
check_confirmed(struct world *world, struct member *member, uint64_t number)
{
	uint32_t self = (uint32_t)(member - world->members), i;
	struct zab_status status;

	zab_status(member->zab, &status);
	for (i = 0; i < sizeof world->confirm / sizeof world->confirm[0]; i++) {
		const struct confirm *confirm = &world->confirm[i];

		if (confirm->number == 0 || confirm->number > number || confirm->member != self ||
		    confirm->needed == 0)
			continue;
		if (world->history.rows[confirm->needed - 1].zxid > status.committed)
			fail(world, "member %u was confirmed as leader and did not know %llx",
			    member->sid,
			    (unsigned long long)world->history.rows[confirm->needed - 1].zxid);
	}
	world->coverage[COVER_CONFIRMED]++;
}
