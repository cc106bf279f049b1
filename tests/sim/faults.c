/* What goes wrong: one of the kinds that the seed has enabled, somewhere. */
#include "tests/sim/sim.h"

#include <string.h>

static struct member *
any(struct world *world)
{
	return &world->members[random_below(world, world->count)];
}

struct member *
world_leader(struct world *world)
{
	struct zab_status status;
	uint32_t i;

	for (i = 0; i < world->count; i++) {
		if (!world->members[i].up || world->members[i].zab == NULL)
			continue;
		zab_status(world->members[i].zab, &status);
		if (status.role == ZAB_LEADING && status.phase == ZAB_BROADCAST)
			return &world->members[i];
	}
	return NULL;
}

static uint64_t
a_while(struct world *world)
{
	static const uint64_t parts[] = { 120, 12, 3, 1 };
	uint64_t most = world->options.lasts_ms * MS / parts[random_below(world, 4)];

	return world->now + random_below(world, most) + MS;
}

static void
mend_at(struct world *world, uint64_t time)
{
	heap_add(world, time, EVENT_MEND);
}

/* What one sends to another from now on arrives late. */
void
fault_hold(struct world *world, uint32_t from, uint32_t to)
{
	uint64_t until = a_while(world);

	trace(world, "fault: what %u sends to %u waits until %llu ms", world->members[from].sid,
	    world->members[to].sid, (unsigned long long)(until / MS));
	net_cut(world, from, to, until);
	mend_at(world, until);
}

/* Members of different sides don't hear each other. Sides are bit sets: a bridge is in both. */
static void
split(struct world *world, const uint32_t sides[], uint64_t until)
{
	uint32_t a, b;

	for (a = 0; a < world->count; a++)
		for (b = 0; b < world->count; b++)
			if (a != b && (sides[a] & sides[b]) == 0)
				net_cut(world, a, b, until);
	mend_at(world, until);
}

static void
partition(struct world *world)
{
	uint32_t sides[MEMBERS_MAX], i, kind = (uint32_t)random_below(world, 4);
	uint64_t until = a_while(world);

	for (i = 0; i < world->count; i++)
		sides[i] = 1u << random_below(world, 2);
	if (kind == 1) { /* one alone */
		for (i = 0; i < world->count; i++)
			sides[i] = 1;
		sides[random_below(world, world->count)] = 2;
	} else if (kind == 2) { /* a bridge */
		sides[random_below(world, world->count)] = 3;
	} else if (kind == 3) { /* a ring: each hears its neighbours */
		for (i = 0; i < world->count; i++)
			sides[i] = 1u << i | 1u << (i + 1) % world->count;
	}
	trace(world, "fault: partition %u until %llu ms", kind, (unsigned long long)(until / MS));
	split(world, sides, until);
}

/* Whoever leads now, more than one may believe that it does: they are asked, and left meanwhile. */
static void
ask(struct world *world, uint32_t member)
{
	struct event *event;
	uint32_t i;

	for (i = 0; i < 8; i++)
		heap_add(world, world->now + random_below(world, 1500 * MS), EVENT_WRITE);
	for (i = 0; i < 2 && (world->options.kinds & 1u << FAULT_MOVE) != 0; i++) {
		event = heap_add(world, world->now + random_below(world, 1500 * MS), EVENT_TRAP);
		event->member = member;
		event->index = FAULT_MOVE;
	}
}

/* A client of the member, if there is one. */
static struct client *
client_of(struct world *world, const struct member *member)
{
	uint32_t i, first = (uint32_t)random_below(world, world->options.clients);

	for (i = 0; i < world->options.clients; i++) {
		struct client *client = &world->clients[(first + i) % world->options.clients];

		if (client->up && &world->members[client->member] == member)
			return client;
	}
	return &world->clients[first];
}

/* The leader and the observers against the other voters. */
static void
cut_leader(struct world *world, const struct member *leader)
{
	uint32_t self = (uint32_t)(leader - world->members), sides[MEMBERS_MAX], i;
	uint64_t until = a_while(world), other = a_while(world);

	/* Mostly so long that it is another's turn meanwhile. */
	if (until < other)
		until = other;
	for (i = 0; i < world->count; i++)
		sides[i] = world->members[i].observer || &world->members[i] == leader ? 1 : 2;
	trace(world, "fault: %u with the observers alone until %llu ms", leader->sid,
	    (unsigned long long)(until / MS));
	/* They may know that at once: the others are the last to hear of it. */
	if (random_one_in(world, 2))
		for (i = 0; i < world->count; i++)
			if (sides[i] == 2 && world->members[i].conn_to[self] != 0)
				net_half_open(world, world->members[i].conn_to[self], i);
	split(world, sides, until);
	ask(world, self);
}

static void
alone(struct world *world, uint32_t member, bool to, bool from)
{
	uint64_t until = a_while(world);
	uint32_t i;

	trace(world, "fault: %u cut off%s%s until %llu ms", world->members[member].sid,
	    to ? ", hears nothing" : "", from ? ", is not heard" : "",
	    (unsigned long long)(until / MS));
	for (i = 0; i < world->count; i++) {
		if (i == member)
			continue;
		if (to)
			net_cut(world, i, member, until);
		if (from)
			net_cut(world, member, i, until);
	}
	mend_at(world, until);
	ask(world, member);
}

/*
 * A disk may go when everything that was delivered is on a quorum of the
 * others, none of which has lost anything itself: more is not tolerated.
 */
static bool
expendable(struct world *world, const struct member *member)
{
	uint32_t i, count = 0;

	for (i = 0; i < world->count; i++) {
		const struct member *other = &world->members[i];
		const struct history *history = &world->history;

		if (other->amnesiac)
			return false;
		if (other == member || other->observer || !other->disk.voter)
			continue;
		count += history->count == 0 ||
			 disk_last(&other->disk) >= history->rows[history->count - 1].zxid;
	}
	return count >= world->options.voters / 2 + 1;
}

/* The end of its log is another's: the same numbers, other rows. */
static void
alter(struct world *world, struct member *member)
{
	struct disk *disk = &member->disk;
	uint32_t i = disk->nrows;
	uint64_t hash;

	while (i > 0 && disk->rows[i - 1].zxid > disk->image.upto)
		i--;
	i += (uint32_t)random_below(world, disk->nrows - i);
	hash = i == 0 ? disk->base_hash : disk->rows[i - 1].hash;
	if (i == disk->nrows)
		return;
	member->altered = true;
	for (; i < disk->nrows; i++) {
		disk->rows[i].value++;
		disk->rows[i].hash = hash = state_next(hash, &disk->rows[i]);
	}
	trace(world, "fault: the end of the log of %u is another's", member->sid);
}

static void
lose_disk(struct world *world, struct member *member, bool all)
{
	struct disk *disk = &member->disk;

	if (!expendable(world, member))
		return;
	member_crash(world, member);
	member->had = disk_last(disk);
	disk->voter = false;
	member->amnesiac = true;
	if (!all && random_one_in(world, 3)) {
		alter(world, member);
		return;
	}
	if (!all) {
		trace(world, "fault: %u has lost the end of its log", member->sid);
		while (disk->nrows > 0 && disk_last(disk) > disk->image.upto &&
		       !random_one_in(world, 3))
			disk->nrows--;
		return;
	}
	trace(world, "fault: %u has an empty disk", member->sid);
	disk->nrows = 0;
	disk->base_zxid = disk->base_hash = 0;
	image_clear(&disk->image);
	disk->accepted_epoch = disk->accepted_sid = disk->current_epoch = 0;
}

static void
crash_all(struct world *world)
{
	uint32_t i;

	for (i = 0; i < world->count; i++)
		member_crash(world, &world->members[i]);
}

static void
hand_over(struct world *world)
{
	struct member *leader = world_leader(world);
	uint32_t heir = any(world)->sid;

	if (leader == NULL || !member_enter(world, leader))
		return;
	trace(world, "hand-over from %u to %u", leader->sid, heir);
	order_hand_over(leader->replica, heir);
	member_leave(world, leader);
}

static void
lose_connection(struct world *world, uint64_t conn)
{
	if (world->nconns == 0)
		return;
	if (conn == 0)
		conn = world->nconns - random_below(world, world->nconns < 20 ? world->nconns : 20);
	if (random_one_in(world, 3))
		net_hole(world, conn);
	else if (random_one_in(world, 4))
		net_half_open(world, conn, world->conns[conn - 1].a);
	else if (random_one_in(world, 4))
		net_half_open(world, conn, world->conns[conn - 1].b);
	else
		net_reset(world, conn);
}

/* The kind, or the next that the seed has enabled. */
uint32_t
fault_kind(const struct world *world, uint32_t kind)
{
	while ((world->options.kinds & 1u << kind) == 0)
		kind = (kind + 1) % FAULTS;
	return kind;
}

void
fault_inject(struct world *world)
{
	struct member *member = any(world), *leader = world_leader(world);
	uint32_t kind = (uint32_t)random_below(world, FAULTS);

	if (world->options.kinds == 0)
		return;
	/* Leaders are worth more. */
	if (leader != NULL && random_one_in(world, 3))
		member = leader;
	fault_do(world, (enum fault)fault_kind(world, kind), member, 0);
}

void
fault_do(struct world *world, enum fault kind, struct member *member, uint64_t conn)
{
	struct member *leader = world_leader(world);

	switch (kind) {
	case FAULT_CRASH:
		member_crash(world, member);
		break;
	case FAULT_CRASH_ALL:
		crash_all(world);
		break;
	case FAULT_RESET:
		lose_connection(world, conn);
		break;
	case FAULT_PARTITION:
		partition(world);
		break;
	case FAULT_ONE_WAY: {
		bool to = random_one_in(world, 2);

		alone(world, (uint32_t)(member - world->members), to, !to);
		break;
	}
	case FAULT_LEADER:
		if (leader != NULL && !random_one_in(world, 4))
			cut_leader(world, leader);
		else if (leader != NULL)
			alone(world, (uint32_t)(leader - world->members), true, true);
		break;
	case FAULT_PAUSE: {
		uint64_t until = a_while(world);

		if (member->paused_until < until)
			member->paused_until = until;
		trace(world, "fault: %u stands still until %llu ms", member->sid,
		    (unsigned long long)(member->paused_until / MS));
		break;
	}
	case FAULT_FULL:
		member->disk.full_until = a_while(world);
		trace(world, "fault: %u has a full disk until %llu ms", member->sid,
		    (unsigned long long)(member->disk.full_until / MS));
		break;
	case FAULT_EIO:
		trace(world, "fault: the disk of %u fails next time", member->sid);
		member->disk.failing = member->up;
		break;
	case FAULT_SLOW:
		/* Then the others are faster than the leader. */
		if (leader != NULL && random_one_in(world, 2))
			member = leader;
		member->disk.slow_until = a_while(world);
		trace(world, "fault: %u has a slow disk until %llu ms", member->sid,
		    (unsigned long long)(member->disk.slow_until / MS));
		break;
	case FAULT_WIPE:
	case FAULT_TAIL:
		lose_disk(world, member, kind == FAULT_WIPE);
		break;
	case FAULT_HAND_OVER:
		hand_over(world);
		break;
	case FAULT_MOVE:
		client_move(world, client_of(world, member));
		break;
	case FAULTS:
		break;
	}
}
