/*
 * A learner's way to its leader's epoch; then learner_sync.c. A follower and
 * an observer are the same here: what differs is that the leader counts one.
 * Called by election.c and step.c.
 *
 * Zab.tla: FollowerProcessNEWEPOCH. It accepts an epoch that it has accepted
 * before from the same leader only, or from one that a quorum follows: with
 * Zab.tla's >= two leaders can share an epoch.
 */
#include "replica/zab/zab_internal.h"

static const struct zab_peer *
leader_of(struct zab *zab)
{
	return zab_peer(zab, zab->leader);
}

void
zab_learner_introduce(struct zab *zab, struct zab_output *out)
{
	struct zab_message *message;

	if (zab->learn != LEARN_CEPOCH)
		return;
	CHECK(leader_of(zab)->conn != 0);
	zab->again_ns = zab->now_ns + zab->config.tick_ns;
	message = zab_send(out, leader_of(zab), ZAB_CEPOCH, zab->attempt);
	message->epoch = zab->accepted_epoch;
	message->flags = zab->voter ? ZAB_VOTER : 0;
}

void
zab_learner_begin(struct zab *zab, uint32_t leader, struct zab_output *out)
{
	CHECK(zab->role == ZAB_LOOKING && leader != zab->config.self);
	zab->role = zab->voter ? ZAB_FOLLOWING : ZAB_OBSERVING;
	zab->learn = LEARN_CEPOCH;
	zab->leader = leader;
	zab->epoch = 0;
	/* Above zero, and no other attempt's of this member, nor of its earlier lives. */
	zab->attempt = (zab->nonce + ++zab->attempts) | UINT64_C(1) << 63;
	zab->heard_ns = zab->now_ns;
	zab->tick_ns = zab->now_ns + zab->config.tick_ns / 2;
	zab->last_received = zab->last_logged;
	zab->snap = false;
	zab_changed(zab, ZAB_REASON_NONE, out);
	zab_election_announce(zab, out);
	zab_learner_introduce(zab, out);
}

static void
send_ackepoch(struct zab *zab, struct zab_output *out)
{
	struct zab_message *message = zab_send(out, leader_of(zab), ZAB_ACKEPOCH, zab->attempt);
	struct zab_durable *durable = &out->actions[out->count - 1].durable;

	message->epoch = zab->current_epoch;
	message->zxid = zab->last_logged;
	durable->accepted_epoch = zab->epoch;
	durable->current_epoch = zab->current_epoch;
	durable->zxid = zab->last_logged;
	zab->learn = LEARN_ACKEPOCH;
}

static void
newepoch(struct zab *zab, const struct zab_message *message, struct zab_output *out)
{
	bool promised = message->epoch == zab->accepted_epoch;
	struct zab_action *action;

	if (zab->learn != LEARN_CEPOCH)
		return;
	if (message->epoch < zab->accepted_epoch || (promised && zab->accepted_sid != zab->leader &&
							(message->flags & ZAB_ESTABLISHED) == 0)) {
		zab_recover(zab, ZAB_REASON_OLD_EPOCH, out);
		return;
	}
	zab->epoch = message->epoch;
	if (promised && zab->accepted_sid == zab->leader) {
		send_ackepoch(zab, out);
		return;
	}
	zab->learn = LEARN_ACCEPTING;
	action = zab_log(zab, out, ZAB_LOG_EPOCHS);
	action->accepted_epoch = zab->epoch;
	action->accepted_sid = zab->leader;
	action->current_epoch = zab->current_epoch;
	zab->wait_op = zab->op;
}

static void
resign(struct zab *zab, const struct zab_message *message, struct zab_output *out)
{
	if ((message->flags & ZAB_HANDOVER) != 0 && zab->voter) {
		zab->favour_epoch = message->epoch;
		zab->favour_zxid = message->zxid;
	}
	zab_recover(zab, ZAB_REASON_LEADER_RESIGNED, out);
}

void
zab_learner_message(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out)
{
	if (message->type == ZAB_CEPOCH) {
		/* It waits for a leader that is none. */
		zab_send(out, peer, ZAB_RESIGN, message->attempt);
		return;
	}
	if (peer->sid != zab->leader || message->attempt != zab->attempt)
		return;
	zab->heard_ns = zab->now_ns;
	switch (message->type) {
	case ZAB_NEWEPOCH:
		newepoch(zab, message, out);
		break;
	case ZAB_PROBE:
		zab_learner_probe(zab, message, out);
		break;
	case ZAB_TRUNC:
		zab_learner_trunc(zab, message, out);
		break;
	case ZAB_SNAP:
		zab_learner_snap(zab, message, out);
		break;
	case ZAB_ROW:
		zab_learner_row(zab, message, out);
		break;
	case ZAB_NEWLEADER:
		zab_learner_newleader(zab, message, out);
		break;
	case ZAB_UPTODATE:
		zab_learner_uptodate(zab, message, out);
		break;
	case ZAB_COMMIT:
		zab_learner_commit(zab, message, out);
		break;
	case ZAB_PING:
		zab_send(out, peer, ZAB_PONG, zab->attempt)->zxid = message->zxid;
		break;
	case ZAB_RESIGN:
		resign(zab, message, out);
		break;
	default:
		break;
	}
}

void
zab_learner_logged(struct zab *zab, uint64_t op, struct zab_output *out)
{
	bool done = zab->wait_op != 0 && op >= zab->wait_op;

	if (done)
		zab->wait_op = 0;
	if (done && zab->learn == LEARN_ACCEPTING) {
		zab->accepted_epoch = zab->epoch;
		zab->accepted_sid = zab->leader;
		send_ackepoch(zab, out);
	} else if (done && zab->learn == LEARN_COMMIT) {
		zab_learner_synced(zab, out);
	} else if (done) {
		CHECK(!zab->voter && !zab->observer);
		/* From now on it may be counted: by a leader that it tells so. */
		zab_recover(zab, ZAB_REASON_SYNCHRONISED, out);
	} else if (zab->learn >= LEARN_ACKLD) {
		zab_learner_rows_logged(zab, out);
	}
}

void
zab_learner_tick(struct zab *zab, struct zab_output *out)
{
	uint32_t limit =
	    zab->learn < LEARN_SERVING ? zab->config.init_limit : zab->config.sync_limit;

	if (zab->now_ns >= zab->heard_ns + limit * zab->config.tick_ns)
		zab_recover(zab, ZAB_REASON_LEADER_SILENT, out);
	else if (zab->now_ns >= zab->again_ns)
		zab_learner_introduce(zab, out);
}
