/*
 * A leader's way to its epoch: a quorum tells what it has accepted, the epoch
 * above all of that is made durable, a quorum accepts it. Then leader_sync.c.
 * And what ends a leadership. Called by election.c and step.c.
 *
 * Source: the paper's discovery phase, with the leader's own history as the
 * initial one; Zab.tla: LeaderProcessCEPOCH, LeaderProcessACKEPOCH.
 */
#include "replica/zab/zab_internal.h"

static uint64_t
init_ns(const struct zab *zab)
{
	return zab->config.init_limit * zab->config.tick_ns;
}

static void
send_newepoch(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	struct zab_message *message = zab_send(out, peer, ZAB_NEWEPOCH, peer->learner.attempt);

	message->epoch = zab->epoch;
	message->flags = zab->lead == LEAD_SERVING ? ZAB_ESTABLISHED : 0;
	out->actions[out->count - 1].durable.accepted_epoch = zab->epoch;
	peer->learner.stage = STAGE_NEWEPOCH;
}

/* The first wait is over: the epoch is above all that a quorum has accepted. */
static void
check_cepoch(struct zab *zab, struct zab_output *out)
{
	struct zab_action *action;

	if (zab_count(zab, STAGE_CEPOCH) < zab_quorum(zab))
		return;
	zab->epoch = zab->epoch_floor + 1;
	if (zab->epoch > ZAB_EPOCH_MAX) {
		zab_act(out, ZAB_FATAL);
		return;
	}
	zab->lead = LEAD_ACCEPTING;
	action = zab_log(zab, out, ZAB_LOG_EPOCHS);
	action->accepted_epoch = zab->epoch;
	action->accepted_sid = zab->config.self;
	action->current_epoch = zab->current_epoch;
	zab->wait_op = zab->op;
}

/* The second: a quorum will follow nobody older. */
static void
check_ackepoch(struct zab *zab, struct zab_output *out)
{
	struct zab_action *action;

	if (zab_count(zab, STAGE_ACKEPOCH) < zab_quorum(zab))
		return;
	zab->lead = LEAD_CURRENT;
	action = zab_log(zab, out, ZAB_LOG_EPOCHS);
	action->accepted_epoch = zab->epoch;
	action->accepted_sid = zab->config.self;
	action->current_epoch = zab->epoch;
	zab->wait_op = zab->op;
}

void
zab_leader_begin(struct zab *zab, struct zab_output *out)
{
	CHECK(zab->voter && zab->role == ZAB_LOOKING);
	zab->role = ZAB_LEADING;
	zab->lead = LEAD_CEPOCH;
	zab->epoch = 0;
	zab->initial_last = zab->last_logged;
	zab->last_proposed = zab->last_logged;
	zab->confirm = zab->confirmed = 0;
	zab->deadline_ns = zab->now_ns + init_ns(zab);
	zab->tick_ns = zab->now_ns + zab->config.tick_ns / 2;
	zab_changed(zab, ZAB_REASON_NONE, out);
	zab_election_announce(zab, out);
	check_cepoch(zab, out);
}

static void
cepoch(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out)
{
	struct zab_learner *learner = &peer->learner;

	if (learner->stage != STAGE_NONE && learner->attempt == message->attempt)
		return;
	if (learner->stage != STAGE_NONE)
		zab_leader_gone(zab, peer, out);
	if (zab->role != ZAB_LEADING)
		return;
	*learner = (struct zab_learner){ .stage = STAGE_CEPOCH,
		.voter = !peer->observer && (message->flags & ZAB_VOTER) != 0,
		.attempt = message->attempt,
		.accepted_epoch = message->epoch,
		.heard_ns = zab->now_ns };
	if (zab->epoch_floor < message->epoch)
		zab->epoch_floor = message->epoch;
	if (zab->lead == LEAD_CEPOCH) {
		check_cepoch(zab, out);
		return;
	}
	/*
	 * It has promised to follow nobody below its epoch, and a quorum was
	 * once ready to give it that: only a new epoch can take it in.
	 */
	if (message->epoch > zab->epoch) {
		zab_leader_step_down(zab, ZAB_REASON_EPOCH_BEHIND, out);
		return;
	}
	if (zab->lead >= LEAD_ACKEPOCH)
		send_newepoch(zab, peer, out);
}

static bool
more_recent(const struct zab *zab, const struct zab_message *message)
{
	if (message->epoch != zab->current_epoch)
		return message->epoch > zab->current_epoch;
	return message->zxid > zab->last_proposed;
}

static void
refuse(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	zab_send(out, peer, ZAB_RESIGN, peer->learner.attempt);
	zab_leader_gone(zab, peer, out);
}

static void
ackepoch(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out)
{
	struct zab_learner *learner = &peer->learner;

	if (learner->stage != STAGE_NEWEPOCH)
		return;
	/* It may hold what was committed and is not here: it has to lead, or someone like it. */
	if (learner->voter && more_recent(zab, message)) {
		refuse(zab, peer, out);
		return;
	}
	learner->stage = STAGE_ACKEPOCH;
	learner->last_zxid = message->zxid;
	if (zab->lead == LEAD_ACKEPOCH)
		check_ackepoch(zab, out);
	else if (zab->lead >= LEAD_SYNC)
		zab_sync_begin(zab, peer, out);
}

void
zab_leader_message(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out)
{
	if (message->type == ZAB_CEPOCH) {
		cepoch(zab, peer, message, out);
		return;
	}
	if (peer->learner.stage == STAGE_NONE || peer->learner.attempt != message->attempt)
		return;
	peer->learner.heard_ns = zab->now_ns;
	switch (message->type) {
	case ZAB_ACKEPOCH:
		ackepoch(zab, peer, message, out);
		break;
	case ZAB_PROBED:
		zab_sync_probed(zab, peer, message, out);
		break;
	case ZAB_ACKLD:
		zab_sync_acked(zab, peer, message, out);
		break;
	case ZAB_ACK:
		zab_serve_ack(zab, peer, message, out);
		break;
	case ZAB_PONG:
		zab_serve_pong(zab, peer, message, out);
		break;
	default:
		break;
	}
}

void
zab_leader_logged(struct zab *zab, uint64_t op, struct zab_output *out)
{
	bool done = zab->wait_op != 0 && op >= zab->wait_op;
	uint32_t i;

	if (done)
		zab->wait_op = 0;
	if (done && zab->lead == LEAD_ACCEPTING) {
		zab->accepted_epoch = zab->epoch;
		zab->accepted_sid = zab->config.self;
		zab->lead = LEAD_ACKEPOCH;
		zab->deadline_ns = zab->now_ns + init_ns(zab);
		for (i = 0; i < zab->npeers; i++)
			if (zab->peers[i].learner.stage == STAGE_CEPOCH)
				send_newepoch(zab, &zab->peers[i], out);
		check_ackepoch(zab, out);
	} else if (done) {
		CHECK(zab->lead == LEAD_CURRENT);
		zab->current_epoch = zab->epoch;
		zab->lead = LEAD_SYNC;
		zab->deadline_ns = zab->now_ns + init_ns(zab);
		for (i = 0; i < zab->npeers; i++)
			if (zab->peers[i].learner.stage == STAGE_ACKEPOCH)
				zab_sync_begin(zab, &zab->peers[i], out);
		zab_sync_check(zab, out);
	} else if (zab->lead == LEAD_SERVING) {
		zab_serve_commit(zab, out);
	}
}

void
zab_leader_step_down(struct zab *zab, enum zab_reason reason, struct zab_output *out)
{
	uint32_t i;

	for (i = 0; i < zab->npeers; i++) {
		struct zab_peer *peer = &zab->peers[i];

		if (peer->learner.stage == STAGE_NONE)
			continue;
		zab_send(out, peer, ZAB_RESIGN, peer->learner.attempt);
	}
	zab_recover(zab, reason, out);
}

/* The learner has left, or is not to be one. */
void
zab_leader_gone(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	struct zab_action *action;

	peer->learner = (struct zab_learner){ .stage = STAGE_NONE };
	if (zab->heir == peer->sid)
		zab->heir = 0;
	if (peer->conn != 0) {
		action = zab_act(out, ZAB_FORGET);
		action->peer = peer->sid;
		action->conn = peer->conn;
	}
	if (zab->lead == LEAD_SERVING && zab_count(zab, STAGE_ACKLD) < zab_quorum(zab))
		zab_leader_step_down(zab, ZAB_REASON_NO_QUORUM, out);
}

void
zab_leader_tick(struct zab *zab, struct zab_output *out)
{
	uint32_t i, limit;

	if (zab->lead != LEAD_SERVING && zab->now_ns >= zab->deadline_ns) {
		zab_leader_step_down(zab, ZAB_REASON_TIMEOUT, out);
		return;
	}
	if (zab->heir != 0 && zab->now_ns >= zab->heir_deadline_ns)
		zab->heir = 0;
	for (i = 0; i < zab->npeers && zab->role == ZAB_LEADING; i++) {
		struct zab_peer *peer = &zab->peers[i];

		limit = peer->learner.stage == STAGE_UPTODATE ? zab->config.sync_limit
							      : zab->config.init_limit;
		if (peer->learner.stage != STAGE_NONE &&
		    zab->now_ns >= peer->learner.heard_ns + limit * zab->config.tick_ns) {
			zab_drop(peer, out);
			zab_leader_gone(zab, peer, out);
		}
	}
	if (zab->role == ZAB_LEADING)
		zab_serve_ping(zab, out);
}
