/*
 * A learner gets the leader's history: the greatest row that both may have is
 * looked for, the learner proves that it has that very one, and what differs
 * is sent; or everything, as a snapshot. NEWLEADER comes strictly last
 * (ZK-3104). The leader's whole log, uncommitted tail included, is the history.
 *
 * Called by leader.c. Zab.tla: LeaderSyncFollower, LeaderProcessACKLD.
 */
#include "replica/zab/zab_internal.h"

/*
 * Where the difference ends. Voters get every proposal as soon as it is made,
 * observers what is committed.
 */
static uint64_t
history_end(const struct zab *zab, const struct zab_learner *learner)
{
	return learner->voter ? zab->last_proposed : zab->committed;
}

void
zab_sync_begin(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	struct zab_learner *learner = &peer->learner;
	struct zab_action *action;
	uint64_t end = history_end(zab, learner);

	/* Who isn't counted waits until the history is committed. */
	if (!learner->voter && zab->lead != LEAD_SERVING)
		return;
	learner->stage = STAGE_LOOK_UP;
	action = zab_act(out, ZAB_LOOK_UP);
	action->peer = peer->sid;
	action->attempt = learner->attempt;
	action->zxid = learner->last_zxid < end ? learner->last_zxid : end;
}

static void
send_rows(struct zab *zab, struct zab_peer *peer, uint64_t from, struct zab_output *out)
{
	struct zab_learner *learner = &peer->learner;
	struct zab_action *action;

	/* Choosing the end and registering for what comes after it are one step. */
	learner->sent = history_end(zab, learner);
	if (from == learner->sent)
		return;
	action = zab_act(out, ZAB_SEND_ROWS);
	action->peer = peer->sid;
	action->conn = peer->conn;
	action->attempt = learner->attempt;
	action->from = from;
	action->zxid = learner->sent;
}

static void
send_newleader(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	struct zab_message *message = zab_send(out, peer, ZAB_NEWLEADER, peer->learner.attempt);

	message->epoch = zab->epoch;
	message->zxid = peer->learner.sent;
	out->actions[out->count - 1].durable.current_epoch = zab->epoch;
	peer->learner.stage = STAGE_SYNC;
}

static void
snap(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	struct zab_action *action = zab_act(out, ZAB_SEND_SNAP);

	action->peer = peer->sid;
	action->conn = peer->conn;
	action->attempt = peer->learner.attempt;
	action->zxid = zab->delivered;
	send_rows(zab, peer, zab->delivered, out);
	send_newleader(zab, peer, out);
}

void
zab_sync_looked_up(
    struct zab *zab, struct zab_peer *peer, const struct zab_event *event, struct zab_output *out)
{
	struct zab_learner *learner = &peer->learner;
	struct zab_message *message;

	if (learner->stage != STAGE_LOOK_UP || learner->attempt != event->attempt)
		return;
	if (!event->found) {
		snap(zab, peer, out);
		return;
	}
	message = zab_send(out, peer, ZAB_PROBE, learner->attempt);
	message->zxid = event->zxid;
	message->hash = event->hash;
	learner->probe_zxid = event->zxid;
	learner->stage = STAGE_PROBE;
}

void
zab_sync_probed(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out)
{
	struct zab_learner *learner = &peer->learner;
	struct zab_action *action;

	if (learner->stage != STAGE_PROBE)
		return;
	if ((message->flags & ZAB_MATCH) == 0) {
		action = zab_act(out, ZAB_ALARM);
		action->peer = peer->sid;
		action->zxid = learner->probe_zxid;
		snap(zab, peer, out);
		return;
	}
	zab_send(out, peer, ZAB_TRUNC, learner->attempt)->zxid = learner->probe_zxid;
	send_rows(zab, peer, learner->probe_zxid, out);
	send_newleader(zab, peer, out);
}

/* The third wait: a quorum has the history, which commits it. */
void
zab_sync_check(struct zab *zab, struct zab_output *out)
{
	uint32_t i;

	if (zab_count(zab, STAGE_ACKLD) < zab_quorum(zab))
		return;
	zab->lead = LEAD_SERVING;
	if (zab->committed < zab->initial_last)
		zab->committed = zab->initial_last;
	zab_deliver(zab, out);
	zab_changed(zab, ZAB_REASON_NONE, out);
	zab_election_announce(zab, out);
	for (i = 0; i < zab->npeers; i++) {
		if (zab->peers[i].learner.stage == STAGE_ACKLD)
			zab_serve_uptodate(zab, &zab->peers[i], out);
		if (zab->peers[i].learner.stage == STAGE_ACKEPOCH)
			zab_sync_begin(zab, &zab->peers[i], out);
	}
}

void
zab_sync_acked(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out)
{
	struct zab_learner *learner = &peer->learner;

	if (learner->stage != STAGE_SYNC || message->epoch != zab->epoch ||
	    !zab_has_row(zab, learner, message->zxid))
		return;
	learner->stage = STAGE_ACKLD;
	learner->acked = message->zxid;
	if (zab->lead == LEAD_SYNC) {
		zab_sync_check(zab, out);
		return;
	}
	zab_serve_uptodate(zab, peer, out);
	/* Its history may be what a proposal was waiting for. */
	zab_serve_commit(zab, out);
}
