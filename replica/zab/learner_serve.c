/*
 * A learner in service: rows go to the log in the leader's order, are
 * acknowledged when they are durable, delivered when they are committed, too.
 * Called by learner.c.
 *
 * Zab.tla: FollowerProcessPROPOSE, FollowerProcessCOMMIT.
 */
#include "replica/zab/zab_internal.h"

/* The next counter, or the first of a higher epoch: anything else is a gap (ZK-4925). */
static bool
follows(const struct zab *zab, const struct zab_message *message)
{
	uint64_t last = zab->last_received;

	if (message->prev != last || zab_zxid_epoch(message->zxid) > zab->epoch)
		return false;
	if (zab_zxid_epoch(message->zxid) == zab_zxid_epoch(last))
		return message->zxid == last + 1;
	return zab_zxid_epoch(message->zxid) > zab_zxid_epoch(last) &&
	       zab_zxid_counter(message->zxid) == 1;
}

void
zab_learner_row(struct zab *zab, const struct zab_message *message, struct zab_output *out)
{
	struct zab_action *action;

	if (zab->learn < LEARN_SYNC || !follows(zab, message)) {
		zab_recover(zab, ZAB_REASON_PROTOCOL, out);
		return;
	}
	action = zab_log(zab, out, ZAB_LOG_ROW);
	action->zxid = message->zxid;
	action->from = message->prev;
	zab->last_received = message->zxid;
}

static void
serve(struct zab *zab, struct zab_output *out)
{
	if (zab->learn != LEARN_CATCH_UP || zab->delivered < zab->ready_zxid)
		return;
	zab->learn = LEARN_SERVING;
	zab_changed(zab, ZAB_REASON_NONE, out);
	zab_election_announce(zab, out);
	if (!zab->voter && !zab->observer) {
		zab_log(zab, out, ZAB_LOG_VOTER);
		zab->wait_op = zab->op;
	}
}

void
zab_learner_rows_logged(struct zab *zab, struct zab_output *out)
{
	struct zab_message *message;

	if (zab->voter) {
		message = zab_send(out, zab_peer(zab, zab->leader), ZAB_ACK, zab->attempt);
		message->zxid = zab->last_logged;
		out->actions[out->count - 1].durable.zxid = zab->last_logged;
	}
	zab_deliver(zab, out);
	serve(zab, out);
}

static void
committed(struct zab *zab, uint64_t zxid, struct zab_output *out)
{
	if (zxid > zab->committed)
		zab->committed = zxid;
	zab_deliver(zab, out);
	serve(zab, out);
}

void
zab_learner_uptodate(struct zab *zab, const struct zab_message *message, struct zab_output *out)
{
	if (zab->learn != LEARN_ACKLD || message->zxid > zab->last_received) {
		zab_recover(zab, ZAB_REASON_PROTOCOL, out);
		return;
	}
	zab->learn = LEARN_CATCH_UP;
	zab->ready_zxid = message->zxid;
	committed(zab, message->zxid, out);
}

void
zab_learner_commit(struct zab *zab, const struct zab_message *message, struct zab_output *out)
{
	if (zab->learn < LEARN_CATCH_UP || message->zxid > zab->last_received) {
		zab_recover(zab, ZAB_REASON_PROTOCOL, out);
		return;
	}
	committed(zab, message->zxid, out);
}
