/*
 * A learner takes its leader's history: proves which row both have, drops what
 * the leader does not have, takes the difference or a snapshot, and makes all
 * of it durable together with the epoch, in one transaction (ZK-3023, 3911,
 * 4643, 4646, 4785). Called by learner.c and step.c.
 *
 * Zab.tla: FollowerProcessSyncMessage, FollowerProcessNEWLEADER.
 */
#include "replica/zab/zab_internal.h"

static void
probed(struct zab *zab, bool match, struct zab_output *out)
{
	struct zab_message *message =
	    zab_send(out, zab_peer(zab, zab->leader), ZAB_PROBED, zab->attempt);

	message->flags = match ? ZAB_MATCH : 0;
	zab->matched = match;
	zab->learn = LEARN_PROBED;
}

void
zab_learner_probe(struct zab *zab, const struct zab_message *message, struct zab_output *out)
{
	struct zab_action *action;

	if (zab->learn != LEARN_ACKEPOCH)
		return;
	/*
	 * The leader has nothing above it up to our last row. What the tree has was
	 * committed: a leader without it must not be followed, by TRUNC or by SNAP.
	 */
	if (message->zxid < zab->delivered) {
		zab_act(out, ZAB_FATAL)->zxid = message->zxid;
		return;
	}
	zab->learn = LEARN_LOOK_UP;
	zab->probe_zxid = message->zxid;
	zab->probe_hash = message->hash;
	action = zab_act(out, ZAB_LOOK_UP);
	action->peer = zab->leader;
	action->attempt = zab->attempt;
	action->zxid = message->zxid;
}

void
zab_learner_looked_up(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	if (zab->learn != LEARN_LOOK_UP || event->attempt != zab->attempt)
		return;
	/* The log begins at or below what the tree has, which is at or below the row. */
	CHECK(event->found);
	probed(zab, event->zxid == zab->probe_zxid && event->hash == zab->probe_hash, out);
}

void
zab_learner_trunc(struct zab *zab, const struct zab_message *message, struct zab_output *out)
{
	struct zab_action *action;

	if (zab->learn != LEARN_PROBED || !zab->matched || message->zxid != zab->probe_zxid) {
		zab_recover(zab, ZAB_REASON_PROTOCOL, out);
		return;
	}
	CHECK(message->zxid >= zab->delivered);
	action = zab_log(zab, out, ZAB_LOG_SYNC_BEGIN);
	action->zxid = message->zxid;
	zab->last_received = message->zxid;
	zab->learn = LEARN_SYNC;
}

void
zab_learner_snap(struct zab *zab, const struct zab_message *message, struct zab_output *out)
{
	struct zab_action *action;

	if ((zab->learn != LEARN_PROBED && zab->learn != LEARN_ACKEPOCH) ||
	    zab_zxid_epoch(message->zxid) > zab->epoch) {
		zab_recover(zab, ZAB_REASON_PROTOCOL, out);
		return;
	}
	action = zab_log(zab, out, ZAB_LOG_SYNC_SNAP);
	action->zxid = message->zxid;
	action->hash = message->hash;
	zab->snap = true;
	zab->snap_zxid = message->zxid;
	zab->last_received = message->zxid;
	zab->learn = LEARN_SYNC;
}

void
zab_learner_newleader(struct zab *zab, const struct zab_message *message, struct zab_output *out)
{
	struct zab_action *action;

	/* A snapshot may be behind what the tree has, the rows after it not. */
	if (zab->learn != LEARN_SYNC || message->epoch != zab->epoch ||
	    message->zxid != zab->last_received || message->zxid < zab->delivered) {
		zab_recover(zab, ZAB_REASON_PROTOCOL, out);
		return;
	}
	action = zab_log(zab, out, ZAB_LOG_SYNC_COMMIT);
	action->current_epoch = zab->epoch;
	action->zxid = message->zxid;
	zab->newleader_zxid = message->zxid;
	zab->wait_op = zab->op;
	zab->learn = LEARN_COMMIT;
}

/* The history and the epoch are durable; rows that came after it may be, too. */
void
zab_learner_synced(struct zab *zab, struct zab_output *out)
{
	struct zab_message *message =
	    zab_send(out, zab_peer(zab, zab->leader), ZAB_ACKLD, zab->attempt);
	struct zab_durable *durable = &out->actions[out->count - 1].durable;

	zab->current_epoch = zab->epoch;
	if (zab->snap)
		zab->delivered = zab->committed = zab->snap_zxid;
	message->epoch = zab->epoch;
	message->zxid = zab->newleader_zxid;
	durable->current_epoch = zab->epoch;
	durable->zxid = zab->newleader_zxid;
	zab->learn = LEARN_ACKLD;
	if (zab->last_logged > zab->newleader_zxid)
		zab_learner_rows_logged(zab, out);
}
