/*
 * Elections gone wild: in some seeds, until half of the faults' time is over,
 * what members hear in elections is a lie, a different one for each of them
 * and each moment: "all others vote for this one". So leaders
 * come and go, several at a time and without a majority of votes: the rest of
 * the protocol has to be safe under any election, as it is in Zab.tla.
 */
#include "tests/sim/sim.h"

/* How long the same is told. */
static uint64_t
window(const struct world *world)
{
	return world->options.wild * MS;
}

bool
wild_now(const struct world *world)
{
	return world->options.wild != 0 && world->now < world->options.duration_ms * MS / 2;
}

/* Whom the member is made to believe in for now: the same whoever speaks. */
static uint32_t
candidate(const struct world *world, uint32_t member)
{
	uint64_t z =
	    world->options.seed * UINT64_C(0x9e3779b97f4a7c15) + world->now / window(world);
	uint32_t pretenders = world->options.pretenders;

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9) + member;
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	if (pretenders == 0)
		return (uint32_t)((z >> 33) % world->options.voters);
	return (uint32_t)((world->options.seed + (z >> 33) % pretenders) % world->options.voters);
}

/* Someone who follows hears that its leader is looking, or a leader that its follower is. */
void
wild_shake(struct world *world)
{
	struct member *member = &world->members[random_below(world, world->count)];
	struct zab_message lie;
	struct zab_status status;
	uint32_t peer;

	if (!wild_now(world))
		return;
	heap_add(world, world->now + random_below(world, window(world) / 2), EVENT_LIE);
	if (!member->up || member->paused_until > world->now)
		return;
	zab_status(member->zab, &status);
	peer = (uint32_t)random_below(world, world->count);
	if (status.role >= ZAB_FOLLOWING)
		peer = status.leader - 1;
	else if (status.role != ZAB_LEADING)
		return;
	if (member->conn_to[peer] == 0)
		return;
	trace(world, "%u is made to believe that %u looks", member->sid, world->members[peer].sid);
	if (!member_enter(world, member))
		return;
	lie = (struct zab_message){ .type = ZAB_VOTE,
		.role = ZAB_LOOKING,
		.round = status.round + 1,
		.flags = ZAB_VOTER,
		.vote_sid = peer < world->options.voters ? world->members[peer].sid : 1 };
	order_message(member->replica, replica_peer(member->replica, world->members[peer].sid),
	    member->conn_to[peer], &lie, (struct blob){ 0 });
	member_leave(world, member);
}

/* The last word is the truth again, for those that live. */
void
wild_end(struct world *world)
{
	size_t i;

	if (world->options.wild == 0)
		return;
	trace(world, "elections are honest again");
	for (i = 0; i < world->nconns; i++)
		if (world->conns[i].a_open && world->conns[i].b_open)
			net_reset(world, i + 1);
}

void
wild_vote(struct world *world, struct member *member, struct zab_message *message)
{
	uint32_t self = (uint32_t)(member - world->members);
	struct zab_status status;

	if (!wild_now(world) || message->type != ZAB_VOTE || !member->up ||
	    (message->flags & ZAB_VOTER) == 0)
		return;
	zab_status(member->zab, &status);
	/* One round of lies each time, to who serves seldom: or nothing else would happen. */
	if (member->lied_window != world->now / window(world)) {
		member->lied_window = world->now / window(world);
		member->lied_round = status.round;
	}
	if (member->lied_round != status.round ||
	    !random_one_in(world, status.role == ZAB_LOOKING ? 2 : 16))
		return;
	message->role = ZAB_LOOKING;
	message->round = status.round;
	message->epoch = 0;
	message->vote_epoch = ZAB_EPOCH_MAX;
	message->vote_zxid = zab_zxid(ZAB_EPOCH_MAX, 0);
	message->vote_favour = 0;
	message->vote_sid = world->members[candidate(world, self)].sid;
}
