/*
 * Fast leader election. Each member keeps what every other said last, and
 * decides from that table: there is no tally to go stale. A vote holds durable
 * values only (ZK-2832). Called by step.c while the member is looking, and by
 * everyone to tell the others what it is.
 */
#include "replica/zab/zab_internal.h"

#define RESEND_NS_MAX UINT64_C(1000000000) /* ZooKeeper's 60 s make healing slow */
#define SILENT_NS (4 * RESEND_NS_MAX)	   /* who is asked so often and says nothing isn't there */

static int
compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int
vote_compare(const struct zab_vote *a, const struct zab_vote *b)
{
	int order = compare(a->epoch, b->epoch);

	if (order == 0)
		order = compare(a->zxid, b->zxid);
	if (order == 0)
		order = compare(a->favour, b->favour);
	if (order == 0)
		order = compare(a->sid, b->sid);
	return order;
}

/* Nobody can lead whom fewer than a quorum can hear. */
static bool
is_candidate(const struct zab *zab)
{
	uint32_t i, count = 1;

	for (i = 0; i < zab->npeers; i++)
		count += !zab->peers[i].observer && zab->peers[i].conn != 0;
	return zab->voter && count >= zab_quorum(zab);
}

static struct zab_vote
vote_own(const struct zab *zab)
{
	struct zab_vote vote = { .epoch = zab->current_epoch, .zxid = zab->last_logged };

	/*
	 * Who may not vote, or can't lead, asks all the same; its vote is less than
	 * any other. A candidate that only some can reach would have their votes for
	 * ever, and keep the others from electing one that all of them reach.
	 */
	if (!is_candidate(zab))
		return (struct zab_vote){ 0 };
	vote.sid = zab->config.self;
	vote.own = true;
	vote.favour = zab->favour_epoch != 0 && zab->favour_epoch == zab->current_epoch &&
		      zab->favour_zxid == zab->last_logged;
	return vote;
}

static struct zab_vote
vote_seen(const struct zab_peer *peer)
{
	return (struct zab_vote){ .epoch = peer->seen.vote_epoch,
		.zxid = peer->seen.vote_zxid,
		.favour = peer->seen.vote_favour,
		.sid = peer->seen.vote_sid };
}

/* The epoch in which this member serves; 0: in none. */
static uint64_t
serving(const struct zab *zab)
{
	if (zab->role == ZAB_LEADING)
		return zab->lead == LEAD_SERVING ? zab->epoch : 0;
	if (zab->role == ZAB_FOLLOWING || zab->role == ZAB_OBSERVING)
		return zab->learn == LEARN_SERVING ? zab->epoch : 0;
	return 0;
}

void
zab_election_tell(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	struct zab_message *message;

	if (peer->conn == 0 || zab->role == ZAB_RECOVERING)
		return;
	/* Who hears of one that looks answers, unless it looks too: then it says so each second. */
	if (zab->role == ZAB_LOOKING && peer->asked_ns == 0)
		peer->asked_ns = zab->now_ns;
	message = zab_send(out, peer, ZAB_VOTE, 0);
	message->role = zab->role;
	message->round = zab->round;
	message->epoch = serving(zab);
	message->flags = zab->voter ? ZAB_VOTER : 0;
	message->vote_epoch = zab->vote.epoch;
	message->vote_zxid = zab->vote.zxid;
	message->vote_favour = zab->vote.favour;
	message->vote_sid = zab->vote.sid;
	if (zab->vote.own) {
		out->actions[out->count - 1].durable.current_epoch = zab->vote.epoch;
		out->actions[out->count - 1].durable.zxid = zab->vote.zxid;
	}
}

void
zab_election_announce(struct zab *zab, struct zab_output *out)
{
	uint32_t i;

	for (i = 0; i < zab->npeers; i++)
		zab_election_tell(zab, &zab->peers[i], out);
}

static bool
reachable(struct zab *zab, uint32_t sid)
{
	const struct zab_peer *peer;

	if (sid == zab->config.self)
		return zab->voter;
	peer = zab_peer(zab, sid);
	return peer != NULL && peer->conn != 0;
}

static bool
is_voter(const struct zab_peer *peer)
{
	return !peer->observer && peer->conn != 0 && peer->seen.type != 0 &&
	       (peer->seen.flags & ZAB_VOTER) != 0;
}

/* The highest round anyone looks in, and in it the best vote for whom we can reach. */
static bool
adopt(struct zab *zab)
{
	struct zab_vote vote = vote_own(zab);
	bool changed = false;
	uint32_t i;

	for (i = 0; i < zab->npeers; i++) {
		const struct zab_peer *peer = &zab->peers[i];

		if (!is_voter(peer) || peer->seen.role != ZAB_LOOKING ||
		    peer->seen.round <= zab->round)
			continue;
		zab->round = peer->seen.round;
		zab->vote = vote;
		changed = true;
	}
	/* It may have become a candidate. */
	if (vote_compare(&vote, &zab->vote) > 0) {
		zab->vote = vote;
		changed = true;
	}
	for (i = 0; i < zab->npeers; i++) {
		const struct zab_peer *peer = &zab->peers[i];

		if (!is_voter(peer) || peer->seen.role != ZAB_LOOKING ||
		    peer->seen.round != zab->round)
			continue;
		vote = vote_seen(peer);
		/* Who can't be reached can't be followed, whoever recommends it. */
		if (vote_compare(&vote, &zab->vote) <= 0 || !reachable(zab, vote.sid))
			continue;
		zab->vote = vote;
		changed = true;
	}
	return changed;
}

/*
 * An ensemble that serves is joined when a quorum agrees on its leader and
 * epoch, the one that joins among them, and that leader itself says that it
 * leads: or everyone would elect a dead one again.
 */
static struct zab_peer *
established(struct zab *zab)
{
	uint32_t i, j, count;

	for (i = 0; i < zab->npeers; i++) {
		struct zab_peer *leader = &zab->peers[i];

		if (!is_voter(leader) || leader->seen.role != ZAB_LEADING ||
		    leader->seen.epoch == 0)
			continue;
		count = zab->voter;
		for (j = 0; j < zab->npeers; j++) {
			const struct zab_peer *peer = &zab->peers[j];

			count += is_voter(peer) && peer->seen.role != ZAB_LOOKING &&
				 peer->seen.vote_sid == leader->sid &&
				 peer->seen.epoch == leader->seen.epoch;
		}
		if (count >= zab_quorum(zab))
			return leader;
	}
	return NULL;
}

/* Whom this member votes for leads: it has counted a quorum that cannot be seen from here. */
static bool
elected(struct zab *zab)
{
	const struct zab_peer *peer = zab_peer(zab, zab->vote.sid);
	struct zab_vote vote;

	if (!zab->voter || peer == NULL || !is_voter(peer) || peer->seen.role != ZAB_LEADING ||
	    peer->seen.round != zab->round)
		return false;
	vote = vote_seen(peer);
	return vote_compare(&vote, &zab->vote) == 0;
}

/* Who has cast or decided this very vote in this round. *all: nobody who is here has not. */
static uint32_t
tally(const struct zab *zab, bool *all)
{
	uint32_t i, count = 1;
	struct zab_vote vote;

	*all = true;
	for (i = 0; i < zab->npeers; i++) {
		const struct zab_peer *peer = &zab->peers[i];

		if (peer->observer || peer->conn == 0)
			continue;
		vote = vote_seen(peer);
		if (is_voter(peer) && peer->seen.round == zab->round &&
		    vote_compare(&vote, &zab->vote) == 0)
			count++;
		else
			*all = false;
	}
	return count;
}

static void
decide(struct zab *zab, struct zab_output *out)
{
	zab->decide_ns = 0;
	if (zab->vote.sid == zab->config.self)
		zab_leader_begin(zab, out);
	else
		zab_learner_begin(zab, zab->vote.sid, out);
}

static void
evaluate(struct zab *zab, struct zab_output *out)
{
	bool changed = adopt(zab), all;
	struct zab_peer *leader = established(zab);

	if (leader != NULL) {
		zab->vote = vote_seen(leader);
		zab_learner_begin(zab, leader->sid, out);
		return;
	}
	if (changed) {
		zab->decide_ns = 0;
		zab_election_announce(zab, out);
	}
	if (elected(zab)) {
		decide(zab, out);
		return;
	}
	if (zab->vote.sid == 0 || !zab->voter || tally(zab, &all) < zab_quorum(zab)) {
		zab->decide_ns = 0;
		return;
	}
	/*
	 * Nobody who is here will say anything else. But who follows one that the others can better, and
	 * comes back at once with a new round, would keep those from ever ending one.
	 */
	if (all && !zab->in_vain) {
		decide(zab, out);
		return;
	}
	if (zab->decide_ns == 0)
		zab->decide_ns = zab->now_ns + zab->config.finalize_ns;
}

void
zab_election_begin(struct zab *zab, struct zab_output *out)
{
	zab->role = ZAB_LOOKING;
	zab->round++;
	zab->vote = vote_own(zab);
	zab->decide_ns = 0;
	zab->resend_interval_ns = zab->config.tick_ns / 2;
	zab->resend_ns = zab->now_ns + zab->resend_interval_ns;
	zab_election_announce(zab, out);
	evaluate(zab, out);
}

/* peer->seen is what it just said. */
void
zab_election_vote(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	if (zab->role == ZAB_RECOVERING)
		return;
	if (zab->role == ZAB_LOOKING) {
		if (peer->seen.role == ZAB_LOOKING && peer->seen.round < zab->round)
			zab_election_tell(zab, peer, out);
		evaluate(zab, out);
		return;
	}
	if (peer->seen.role == ZAB_LOOKING)
		zab_election_tell(zab, peer, out);
	if (zab->role == ZAB_LEADING) {
		/* Who looks for a leader follows none. */
		if (peer->seen.role == ZAB_LOOKING && peer->learner.stage != STAGE_NONE)
			zab_leader_gone(zab, peer, out);
		return;
	}
	if (peer->sid != zab->leader)
		return;
	if (peer->seen.role == ZAB_LEADING)
		zab_learner_introduce(zab, out);
	else if (zab->learn != LEARN_CEPOCH || peer->seen.role != ZAB_LOOKING ||
		 peer->seen.round != zab->round || peer->seen.vote_sid != peer->sid)
		zab_recover(zab, ZAB_REASON_LEADER_RESIGNED, out);
	/* Else it has yet to see what was decided here. */
}

void
zab_election_connected(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	uint32_t count = out->count;

	/* It may be the one that a candidate lacks, or that others vote for already. */
	if (zab->role == ZAB_LOOKING)
		evaluate(zab, out);
	/* What was decided was told to everyone. */
	if (out->count == count)
		zab_election_tell(zab, peer, out);
}

void
zab_election_disconnected(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	if (zab->role != ZAB_LOOKING)
		return;
	if (zab->vote.sid == peer->sid || (zab->vote.sid == zab->config.self && !is_candidate(zab)))
		zab_election_begin(zab, out);
	else
		evaluate(zab, out);
}

void
zab_election_tick(struct zab *zab, struct zab_output *out)
{
	uint32_t i;

	if (zab->decide_ns != 0 && zab->now_ns >= zab->decide_ns) {
		decide(zab, out);
		return;
	}
	if (zab->now_ns < zab->resend_ns)
		return;
	zab->resend_interval_ns *= 2;
	if (zab->resend_interval_ns > RESEND_NS_MAX)
		zab->resend_interval_ns = RESEND_NS_MAX;
	zab->resend_ns = zab->now_ns + zab->resend_interval_ns;
	/* A connection that only one side believes in is known by its silence. */
	for (i = 0; i < zab->npeers; i++) {
		const struct zab_peer *peer = &zab->peers[i];

		if (peer->conn != 0 && peer->asked_ns != 0 &&
		    zab->now_ns >= peer->asked_ns + SILENT_NS)
			zab_drop(peer, out);
	}
	zab_election_announce(zab, out);
}
