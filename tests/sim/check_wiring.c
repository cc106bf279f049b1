/*
 * What must hold after every step of what is around the core: trees, snapshots,
 * what waits for a connection, sessions, and what clients are told of who leads.
 * Called by member.c, disk.c and client.c.
 */
#include "tests/sim/sim.h"

/* A turn applies some rows, and no more. */
static void
check_piece(struct world *world, struct member *member)
{
	if (world->options.piece == 0 || member->dying)
		return;
	if (member->piece == 0)
		fail(world, "member %u applies too much in one turn", member->sid);
	else
		member->piece--;
}

/* The tree at each zxid is the same everywhere. */
void
check_tree(struct world *world, struct member *member)
{
	const struct tree *tree = member->replica->tree;
	struct history *history = &world->history;
	uint64_t i, hash = tree_hash(tree);

	check_piece(world, member);
	if (member->replica->catch_up != 0 || member->dying)
		return;
	for (i = history->count; i > 0 && history->rows[i - 1].zxid != tree_applied(tree); i--)
		;
	if (i == 0)
		return;
	if (history->trees[i - 1] == 0)
		history->trees[i - 1] = hash;
	else if (history->trees[i - 1] != hash)
		fail(world, "member %u has another tree at %llx", member->sid,
		    (unsigned long long)tree_applied(tree));
	if (!quotas_right(tree, TREE_ROOT))
		fail(world, "member %u has counted wrongly at %llx", member->sid,
		    (unsigned long long)tree_applied(tree));
}

void
check_snapshot(struct world *world, struct member *member, uint64_t index, uint64_t state)
{
	if (index > world->history.count ||
	    (index != 0 && world->history.states[index - 1] != state))
		fail(world, "member %u is given a snapshot that no tree was", member->sid);
}

/* What waits for a connection waits for its room; whom nobody follows, nobody gets a snapshot of. */
void
check_outbox(struct world *world, const struct member *member)
{
	const struct replica *replica = member->replica;
	struct zab_status status;
	uint32_t i;

	zab_status(member->zab, &status);
	if (status.role != ZAB_LEADING && outbox_needed(replica) != UINT64_MAX)
		fail(world, "member %u goes on to send its history", member->sid);
	for (i = 0; i < replica->npeers && member->crowded == 0; i++) {
		const struct peer *peer = &replica->peers[i];

		if (!TAILQ_EMPTY(&peer->outbox) && peer->conn != 0 &&
		    net_is_open(world, (uint32_t)(member - world->members), peer->conn))
			fail(world, "what member %u has to say to %u waits for nothing",
			    member->sid, peer->sid);
	}
}

/* Whatever else is going on, what has changed goes to the image when it is time. */
void
check_pass(struct world *world, const struct member *member)
{
	const struct replica *replica = member->replica;

	if (!member->dying && replica->pass == NULL && !replica->pass_ending &&
	    replica->catch_up == 0 && replica->snap == NULL &&
	    replica->pass_next_ns <= world->now && image_dirty(replica->tree) != 0)
		fail(world, "member %u begins no pass", member->sid);
}

/* No leader opens more of them than there may be. In a fuzzy tree some have not ended yet. */
void
check_sessions(struct world *world, const struct member *member)
{
	const struct replica *replica = member->replica;

	if (replica->catch_up == 0 && tree_sessions(replica->tree) > member->conf.sessions_max)
		fail(world, "member %u has %llu sessions", member->sid,
		    (unsigned long long)tree_sessions(replica->tree));
}

/* Of a session that is over a member keeps nothing. */
void
check_attended(struct world *world, const struct member *member)
{
	const struct attendance *attendance = member->replica->attendances;

	for (; attendance != NULL; attendance = attendance->hh.next)
		if (tree_session(member->replica->tree, attendance->session) == NULL)
			fail(world, "member %u attends to session %llx, which is over", member->sid,
			    (unsigned long long)attendance->session);
}

/* Who asked for a leader and was told yes: that one leads, or has led since. */
void
check_led(struct world *world, uint32_t sid, uint64_t since)
{
	const struct member *member = &world->members[member_index(world, sid)];

	world->coverage[COVER_HANDED]++;
	if (!member->leads && member->led < since)
		fail(world, "member %u was to lead, and is said to and doesn't", sid);
}
