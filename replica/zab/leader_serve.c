/*
 * The leader in service: proposals go to the log and to every learner at once,
 * and are committed in order when a quorum has them durable. And the orderly
 * end: another member takes over when it has everything. Called by leader.c,
 * leader_sync.c and step.c.
 *
 * Source: the paper's broadcast phase; Zab.tla: LeaderProcessRequest,
 * LeaderProcessACK.
 */
#include "replica/zab/zab_internal.h"

static void
send_row(const struct zab_peer *peer, uint64_t from, uint64_t upto, struct zab_output *out)
{
	struct zab_action *action = zab_act(out, ZAB_SEND_ROWS);

	action->peer = peer->sid;
	action->conn = peer->conn;
	action->attempt = peer->learner.attempt;
	action->from = from;
	action->zxid = upto;
}

void
zab_serve_propose(struct zab *zab, uint64_t zxid, struct zab_output *out)
{
	struct zab_action *action;
	uint32_t i;

	CHECK(zxid != 0 && zxid == zab_next_zxid(zab));
	action = zab_log(zab, out, ZAB_LOG_ROW);
	action->zxid = zxid;
	action->from = zab->last_proposed;
	for (i = 0; i < zab->npeers; i++) {
		struct zab_learner *learner = &zab->peers[i].learner;

		if (!learner->voter || learner->stage < STAGE_SYNC)
			continue;
		send_row(&zab->peers[i], learner->sent, zxid, out);
		learner->sent = zxid;
	}
	zab->last_proposed = zxid;
}

/* What an observer is told: the rows, once they are committed, and that they are. */
static void
inform(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	if (peer->learner.voter || peer->learner.sent >= zab->committed)
		return;
	send_row(peer, peer->learner.sent, zab->committed, out);
	peer->learner.sent = zab->committed;
}

void
zab_serve_uptodate(struct zab *zab, struct zab_peer *peer, struct zab_output *out)
{
	inform(zab, peer, out);
	/* The newest commit, not the one of NEWLEADER: none is sent in between. */
	zab_send(out, peer, ZAB_UPTODATE, peer->learner.attempt)->zxid = zab->committed;
	peer->learner.stage = STAGE_UPTODATE;
}

static void
hand_over(struct zab *zab, struct zab_output *out)
{
	const struct zab_peer *heir = zab_peer(zab, zab->heir);
	struct zab_message *message;

	CHECK(heir->learner.stage == STAGE_UPTODATE);
	if (zab->delivered != zab->last_proposed || heir->learner.acked != zab->last_proposed)
		return;
	message = zab_send(out, heir, ZAB_RESIGN, heir->learner.attempt);
	message->flags = ZAB_HANDOVER;
	message->epoch = zab->epoch;
	message->zxid = zab->last_proposed;
	zab_leader_step_down(zab, ZAB_REASON_HAND_OVER, out);
}

/* After anything that may have moved the quorum's zxid. */
void
zab_serve_commit(struct zab *zab, struct zab_output *out)
{
	uint64_t zxid = zab_quorum_zxid(zab);
	uint32_t i;

	if (zxid > zab->committed) {
		zab->committed = zxid;
		for (i = 0; i < zab->npeers; i++) {
			struct zab_peer *peer = &zab->peers[i];

			if (peer->learner.stage != STAGE_UPTODATE)
				continue;
			inform(zab, peer, out);
			zab_send(out, peer, ZAB_COMMIT, peer->learner.attempt)->zxid = zxid;
		}
	}
	zab_deliver(zab, out);
	if (zab_zxid_epoch(zab->last_proposed) == zab->epoch &&
	    zab_zxid_counter(zab->last_proposed) >= zab->config.counter_max &&
	    zab->delivered == zab->last_proposed) {
		/* The counter is at its end: a new epoch (ZK-1277). */
		zab_leader_step_down(zab, ZAB_REASON_ROLLOVER, out);
		return;
	}
	if (zab->heir != 0)
		hand_over(zab, out);
}

bool
zab_has_row(const struct zab *zab, const struct zab_learner *learner, uint64_t zxid)
{
	/* Between the history and this epoch's first row there is none that could be committed. */
	return zxid <= zab->initial_last ||
	       (zxid <= learner->sent && zab_zxid_epoch(zxid) == zab->epoch &&
		   zab_zxid_counter(zxid) != 0);
}

void
zab_serve_ack(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out)
{
	struct zab_learner *learner = &peer->learner;

	if (learner->stage < STAGE_ACKLD || !zab_has_row(zab, learner, message->zxid))
		return;
	if (message->zxid > learner->acked)
		learner->acked = message->zxid;
	if (zab->lead == LEAD_SERVING)
		zab_serve_commit(zab, out);
}

void
zab_serve_ping(struct zab *zab, struct zab_output *out)
{
	uint32_t i;

	/* Who has accepted the epoch may have to wait long until its history begins. */
	for (i = 0; i < zab->npeers; i++)
		if (zab->peers[i].learner.stage >= STAGE_ACKEPOCH)
			zab_send(out, &zab->peers[i], ZAB_PING, zab->peers[i].learner.attempt)
			    ->zxid = zab->confirm;
}

static void
confirm(struct zab *zab, struct zab_output *out)
{
	uint64_t number = zab_quorum_confirmed(zab);

	if (number <= zab->confirmed)
		return;
	zab->confirmed = number;
	zab_act(out, ZAB_CONFIRMED)->zxid = number;
}

void
zab_serve_confirm(struct zab *zab, uint64_t number, struct zab_output *out)
{
	if (zab->role != ZAB_LEADING || zab->lead != LEAD_SERVING || number <= zab->confirm)
		return;
	zab->confirm = number;
	zab_serve_ping(zab, out);
	confirm(zab, out);
}

void
zab_serve_pong(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out)
{
	if (message->zxid > zab->confirm)
		return;
	if (message->zxid > peer->learner.confirmed)
		peer->learner.confirmed = message->zxid;
	/* Also if it is no news: it may not have counted when it said so first. */
	if (zab->lead == LEAD_SERVING)
		confirm(zab, out);
}

void
zab_serve_hand_over(struct zab *zab, uint32_t sid, struct zab_output *out)
{
	const struct zab_peer *heir = zab_peer(zab, sid);

	if (zab->role != ZAB_LEADING || zab->lead != LEAD_SERVING || heir == NULL ||
	    !heir->learner.voter || heir->learner.stage != STAGE_UPTODATE)
		return;
	zab->heir = sid;
	zab->heir_deadline_ns = zab->now_ns + zab->config.init_limit * zab->config.tick_ns;
	hand_over(zab, out);
}
