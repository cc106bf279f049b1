/*
 * What is counted of a member, where it happens: transactions, durations,
 * elections, synchronisations. Numbers and nothing else; figures_text.c shows
 * them. Called by the rooms of replica.h.
 */
#include "replica/replica.h"

void
figures_started(struct replica *replica, uint64_t begun_ns)
{
	uint64_t now_ns = replica_now_ns();

	replica->figures.started_ns = replica_time_ns();
	replica->figures.recovery_ns = now_ns - begun_ns;
	replica->figures.looking_ns = now_ns;
}

static void
changed(struct replica *replica, const struct zab_action *action)
{
	struct figures *figures = &replica->figures;
	bool serving = action->phase == ZAB_BROADCAST;

	if (action->role == ZAB_RECOVERING)
		figures->looked[action->reason]++;
	if (!serving && replica->serving)
		figures->looking_ns = replica->step_ns;
	if (serving && !replica->serving)
		metrics_observe(&figures->elections, replica->step_ns - figures->looking_ns);
}

static void
sent(struct replica *replica, const struct zab_action *action)
{
	struct zab_learner_status learner;

	if (action->message.type != ZAB_TRUNC ||
	    !zab_learner_status(replica->zab, action->peer, &learner))
		return;
	replica->figures.sent[learner.last > action->message.zxid ? FIGURES_TRUNC : FIGURES_DIFF]++;
}

void
figures_action(struct replica *replica, const struct zab_action *action)
{
	struct figures *figures = &replica->figures;

	switch (action->type) {
	case ZAB_SEND:
		sent(replica, action);
		break;
	case ZAB_SEND_SNAP:
		figures->sent[FIGURES_SNAP]++;
		break;
	case ZAB_LOG_SYNC_BEGIN:
		figures->received[action->zxid < replica->durable.last_zxid ? FIGURES_TRUNC
									    : FIGURES_DIFF]++;
		break;
	case ZAB_LOG_SYNC_SNAP:
		figures->received[FIGURES_SNAP]++;
		break;
	case ZAB_CHANGED:
		changed(replica, action);
		break;
	case ZAB_ALARM:
		figures->alarms++;
		break;
	default:
		break;
	}
}

void
figures_delivered(struct replica *replica, const struct proposal *proposal)
{
	if (!replica->leading || zab_zxid_epoch(proposal->zxid) != replica->epoch)
		return;
	replica->figures.committed++;
	metrics_observe(&replica->figures.commits, replica->step_ns - proposal->added_ns);
}

void
figures_answered(struct replica *replica, const struct request *request)
{
	uint64_t took_ns = replica_now_ns() - request->taken_ns;

	if (request->type == WIRE_T_SYNC)
		metrics_observe(&replica->figures.syncs, took_ns);
	else if (wire_is_write(request->type))
		metrics_observe(&replica->figures.writes, took_ns);
}

/* How much later than it was due a tick came: the loop was busy, or the process stood still. */
void
figures_tick(struct replica *replica, uint64_t now_ns)
{
	struct figures *figures = &replica->figures;
	uint64_t due_ns = figures->tick_ns + replica->conf->tick_ms * UINT64_C(1000000);

	if (figures->tick_ns != 0)
		metrics_observe(&figures->delays, now_ns > due_ns ? now_ns - due_ns : 0);
	figures->tick_ns = now_ns;
}
