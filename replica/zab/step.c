/*
 * The step function: an event comes in, goes to the room of what this member
 * is, and actions come out. What every role shares stands here: recovery, the
 * probe of a log that failed, timers, and the invariants that hold after each
 * step. See zab.h.
 */
#include "replica/zab/zab_internal.h"

#include <string.h>

size_t
zab_size(void)
{
	return sizeof(struct zab);
}

void
zab_init(struct zab *zab, const struct zab_config *config)
{
	uint32_t i;
	bool found = false;

	CHECK(config->count >= 1 && config->count <= ZAB_MEMBERS_MAX);
	memset(zab, 0, sizeof *zab);
	zab->config = *config;
	if (config->counter_max == 0)
		zab->config.counter_max = UINT32_MAX;
	for (i = 0; i < config->count; i++) {
		const struct zab_member *member = &config->members[i];

		zab->voters += !member->observer;
		if (member->sid == config->self) {
			found = true;
			zab->observer = member->observer;
			continue;
		}
		zab->peers[zab->npeers++] =
		    (struct zab_peer){ .sid = member->sid, .observer = member->observer };
	}
	CHECK(found && zab->voters >= 1);
	zab->role = ZAB_RECOVERING;
}

struct zab_peer *
zab_peer(struct zab *zab, uint32_t sid)
{
	uint32_t i;

	for (i = 0; i < zab->npeers; i++)
		if (zab->peers[i].sid == sid)
			return &zab->peers[i];
	return NULL;
}

void
zab_recover(struct zab *zab, enum zab_reason reason, struct zab_output *out)
{
	uint32_t i;

	/* What it said while it was followed is no reason to follow it again. */
	if (zab->role >= ZAB_FOLLOWING)
		zab_peer(zab, zab->leader)->seen.type = 0;
	if (zab->role >= ZAB_LEADING)
		zab->in_vain = zab->role != ZAB_LEADING && zab->learn == LEARN_CEPOCH &&
			       reason == ZAB_REASON_LEADER_RESIGNED;
	zab->role = ZAB_RECOVERING;
	zab->leader = 0;
	zab->epoch = 0;
	zab->wait_op = 0;
	zab->heir = 0;
	zab->decide_ns = 0;
	zab->vote = (struct zab_vote){ 0 };
	for (i = 0; i < zab->npeers; i++) {
		struct zab_peer *peer = &zab->peers[i];
		struct zab_action *action;

		if (peer->learner.stage != STAGE_NONE) {
			CHECK(peer->conn != 0);
			action = zab_act(out, ZAB_FORGET);
			action->peer = peer->sid;
			action->conn = peer->conn;
		}
		peer->learner = (struct zab_learner){ .stage = STAGE_NONE };
	}
	zab_changed(zab, reason, out);
	zab_act(out, ZAB_RECOVER)->generation = ++zab->generation;
}

static void
start(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	CHECK(zab->role == ZAB_RECOVERING && event->start.generation == zab->generation);
	CHECK(event->start.accepted_epoch >= event->start.current_epoch);
	CHECK(event->start.current_epoch >= zab_zxid_epoch(event->start.last_zxid));
	CHECK(event->start.delivered <= event->start.last_zxid);
	CHECK(event->start.accepted_epoch >= zab->accepted_epoch);
	CHECK(event->start.current_epoch >= zab->current_epoch);
	zab->nonce = event->start.nonce;
	zab->accepted_epoch = event->start.accepted_epoch;
	zab->accepted_sid = event->start.accepted_sid;
	zab->current_epoch = event->start.current_epoch;
	zab->last_logged = event->start.last_zxid;
	zab->delivered = event->start.delivered;
	zab->committed = event->start.delivered;
	zab->voter = event->start.voter && !zab->observer;
	if (zab->epoch_floor < zab->accepted_epoch)
		zab->epoch_floor = zab->accepted_epoch;
	if (zab->sick)
		zab->probe_ns = zab->now_ns + zab->config.tick_ns;
	else
		zab_election_begin(zab, out);
}

/* A log that failed gets the same epochs once more: only who can log may vote. */
static void
probe(struct zab *zab, struct zab_output *out)
{
	struct zab_action *action;

	if (!zab->sick || zab->probe_ns == 0 || zab->now_ns < zab->probe_ns)
		return;
	zab->probe_ns = 0;
	action = zab_log(zab, out, ZAB_LOG_EPOCHS);
	action->accepted_epoch = zab->accepted_epoch;
	action->accepted_sid = zab->accepted_sid;
	action->current_epoch = zab->current_epoch;
	zab->wait_op = zab->op;
}

static void
logged(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	switch (zab->role) {
	case ZAB_RECOVERING:
		if (zab->sick && zab->wait_op != 0 && event->op >= zab->wait_op) {
			zab->sick = false;
			zab->wait_op = 0;
			zab_election_begin(zab, out);
		}
		break;
	case ZAB_LOOKING:
		break;
	case ZAB_LEADING:
		zab->last_logged = event->zxid;
		zab_leader_logged(zab, event->op, out);
		break;
	case ZAB_FOLLOWING:
	case ZAB_OBSERVING:
		zab->last_logged = event->zxid;
		zab_learner_logged(zab, event->op, out);
		break;
	}
}

static void
lost(struct zab *zab, struct zab_output *out)
{
	zab->sick = true;
	zab->probe_ns = 0;
	if (zab->role == ZAB_LEADING)
		zab_leader_step_down(zab, ZAB_REASON_STORAGE, out);
	else
		zab_recover(zab, ZAB_REASON_STORAGE, out);
}

static void
disconnected(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	peer->conn = 0;
	peer->seen.type = 0;
	if (zab->role == ZAB_LEADING && peer->learner.stage != STAGE_NONE)
		zab_leader_gone(zab, peer, out);
	else if (zab->role >= ZAB_FOLLOWING && peer->sid == zab->leader)
		zab_recover(zab, ZAB_REASON_LEADER_GONE, out);
	else
		zab_election_disconnected(zab, peer, out);
}

static void
connected(struct zab *zab, struct zab_peer *peer, uint64_t conn, struct zab_output *out)
{
	CHECK(conn != 0);
	if (peer->conn != 0)
		disconnected(zab, peer, out);
	peer->conn = conn;
	peer->asked_ns = 0;
	zab_election_connected(zab, peer, out);
}

/* What no member says: the connection is not to be trusted. */
static bool
sane(struct zab *zab, const struct zab_message *message)
{
	const struct zab_peer *candidate;

	if (message->type == 0 || message->type >= ZAB_TYPES || message->epoch > ZAB_EPOCH_MAX ||
	    message->vote_epoch > ZAB_EPOCH_MAX || zab_zxid_epoch(message->zxid) > ZAB_EPOCH_MAX ||
	    zab_zxid_epoch(message->vote_zxid) > ZAB_EPOCH_MAX)
		return false;
	if (message->type != ZAB_VOTE)
		return message->attempt != 0;
	if (message->role < ZAB_LOOKING || message->role > ZAB_OBSERVING)
		return false;
	if (message->vote_sid == 0 || message->vote_sid == zab->config.self)
		return message->vote_sid == 0 || !zab->observer;
	candidate = zab_peer(zab, message->vote_sid);
	return candidate != NULL && !candidate->observer;
}

static void
message(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out)
{
	peer->asked_ns = 0;
	if (!sane(zab, message)) {
		zab_drop(peer, out);
		return;
	}
	if (message->type == ZAB_VOTE) {
		peer->seen = *message;
		zab_election_vote(zab, peer, out);
	} else if (zab->role == ZAB_LEADING) {
		zab_leader_message(zab, peer, message, out);
	} else if (zab->role >= ZAB_FOLLOWING) {
		zab_learner_message(zab, peer, message, out);
	}
}

static void
looked_up(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	struct zab_peer *peer = zab_peer(zab, event->peer);

	CHECK(peer != NULL);
	if (zab->role == ZAB_LEADING)
		zab_sync_looked_up(zab, peer, event, out);
	else if (zab->role >= ZAB_FOLLOWING)
		zab_learner_looked_up(zab, event, out);
}

static void
heard(struct zab *zab, struct zab_peer *peer)
{
	if (zab->role == ZAB_LEADING) {
		peer->learner.heard_ns = zab->now_ns;
		/* Only who is counted, and gets its history, is worth a longer wait. */
		if (zab->lead == LEAD_SYNC && peer->learner.voter &&
		    peer->learner.stage == STAGE_SYNC)
			zab->deadline_ns =
			    zab->now_ns + zab->config.init_limit * zab->config.tick_ns;
	} else if (zab->role >= ZAB_FOLLOWING && peer->sid == zab->leader) {
		zab->heard_ns = zab->now_ns;
	}
}

static void
tick(struct zab *zab, struct zab_output *out)
{
	switch (zab->role) {
	case ZAB_RECOVERING:
		probe(zab, out);
		break;
	case ZAB_LOOKING:
		zab_election_tick(zab, out);
		break;
	case ZAB_LEADING:
	case ZAB_FOLLOWING:
	case ZAB_OBSERVING:
		if (zab->now_ns < zab->tick_ns)
			break;
		zab->tick_ns = zab->now_ns + zab->config.tick_ns / 2;
		if (zab->role == ZAB_LEADING)
			zab_leader_tick(zab, out);
		else
			zab_learner_tick(zab, out);
		break;
	}
}

/*
 * This process stood still (SIGSTOP, a suspended machine): what the others
 * said meanwhile waits in the sockets. Nobody is silent before it is read.
 */
static void
clock_set(struct zab *zab, uint64_t now_ns)
{
	uint64_t gap_ns = now_ns - zab->now_ns;
	uint32_t i;

	CHECK(now_ns >= zab->now_ns);
	zab->now_ns = now_ns;
	if (gap_ns <= 2 * zab->config.tick_ns || zab->role < ZAB_LEADING)
		return;
	zab->deadline_ns += gap_ns;
	zab->heard_ns += gap_ns;
	for (i = 0; i < zab->npeers; i++)
		zab->peers[i].learner.heard_ns += gap_ns;
}

static void
check(const struct zab *zab)
{
	CHECK(zab->accepted_epoch >= zab->current_epoch);
	CHECK(zab->current_epoch >= zab_zxid_epoch(zab->last_logged));
	CHECK(zab->delivered <= zab->committed);
	CHECK(zab->delivered <= zab->last_logged || zab->role == ZAB_RECOVERING);
	if (zab->role == ZAB_LEADING) {
		CHECK(zab->voter && zab->last_logged <= zab->last_proposed);
		CHECK(zab->committed <= zab->last_proposed);
	}
}

void
zab_step(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	struct zab_peer *peer = zab_peer(zab, event->peer);

	out->count = 0;
	clock_set(zab, event->now_ns);
	switch (event->type) {
	case ZAB_EVENT_START:
		start(zab, event, out);
		break;
	case ZAB_EVENT_CONNECTED:
		if (peer != NULL && event->conn > peer->conn)
			connected(zab, peer, event->conn, out);
		break;
	case ZAB_EVENT_DISCONNECTED:
		/* What an older connection still has to say is void (ZK-4541, 4712). */
		if (peer != NULL && event->conn == peer->conn && peer->conn != 0)
			disconnected(zab, peer, out);
		break;
	case ZAB_EVENT_MESSAGE:
		if (peer != NULL && event->conn == peer->conn && peer->conn != 0)
			message(zab, peer, &event->message, out);
		break;
	case ZAB_EVENT_HEARD:
		if (peer != NULL && event->conn == peer->conn && peer->conn != 0)
			heard(zab, peer);
		break;
	case ZAB_EVENT_LOGGED:
		logged(zab, event, out);
		break;
	case ZAB_EVENT_LOST:
		lost(zab, out);
		break;
	case ZAB_EVENT_LOOKED_UP:
		looked_up(zab, event, out);
		break;
	case ZAB_EVENT_PROPOSE:
		zab_serve_propose(zab, event->zxid, out);
		break;
	case ZAB_EVENT_CONFIRM:
		zab_serve_confirm(zab, event->zxid, out);
		break;
	case ZAB_EVENT_HAND_OVER:
		zab_serve_hand_over(zab, event->peer, out);
		break;
	case ZAB_EVENT_TICK:
		tick(zab, out);
		break;
	}
	check(zab);
}
