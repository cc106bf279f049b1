/* What the rooms above may ask of the core between two steps. See zab.h. */
#include "replica/zab/zab_internal.h"

uint64_t
zab_timer_ns(const struct zab *zab)
{
	uint64_t due;

	switch (zab->role) {
	case ZAB_RECOVERING:
		return zab->sick && zab->probe_ns != 0 ? zab->probe_ns : UINT64_MAX;
	case ZAB_LOOKING:
		due = zab->resend_ns;
		return zab->decide_ns != 0 && zab->decide_ns < due ? zab->decide_ns : due;
	case ZAB_LEADING:
	case ZAB_FOLLOWING:
	case ZAB_OBSERVING:
		break;
	}
	return zab->tick_ns;
}

uint64_t
zab_next_zxid(const struct zab *zab)
{
	uint64_t outstanding;

	if (zab->role != ZAB_LEADING || zab->lead != LEAD_SERVING || zab->heir != 0)
		return 0;
	if (zab_zxid_epoch(zab->last_proposed) != zab->epoch)
		return zab_zxid(zab->epoch, 1);
	outstanding = zab_zxid_counter(zab->last_proposed);
	if (zab_zxid_epoch(zab->delivered) == zab->epoch)
		outstanding -= zab_zxid_counter(zab->delivered);
	if (outstanding >= ZAB_OUTSTANDING_MAX ||
	    zab_zxid_counter(zab->last_proposed) >= zab->config.counter_max)
		return 0;
	return zab->last_proposed + 1;
}

void
zab_status(const struct zab *zab, struct zab_status *out)
{
	*out = (struct zab_status){ .role = zab->role,
		.leader = zab->role == ZAB_LEADING ? zab->config.self : zab->leader,
		.epoch = zab->epoch,
		.accepted_epoch = zab->accepted_epoch,
		.current_epoch = zab->current_epoch,
		.last_logged = zab->last_logged,
		.last_proposed = zab->last_proposed,
		.committed = zab->committed,
		.delivered = zab->delivered,
		.round = zab->round,
		.heir = zab->heir,
		.attempt = zab->role >= ZAB_FOLLOWING ? zab->attempt : 0,
		.generation = zab->generation,
		.voter = zab->voter };
	if (zab->role == ZAB_LEADING)
		out->phase = zab->lead == LEAD_SERVING ? ZAB_BROADCAST
			     : zab->lead >= LEAD_SYNC  ? ZAB_SYNCHRONISATION
						       : ZAB_DISCOVERY;
	else if (zab->role >= ZAB_FOLLOWING)
		out->phase = zab->learn == LEARN_SERVING   ? ZAB_BROADCAST
			     : zab->learn >= LEARN_LOOK_UP ? ZAB_SYNCHRONISATION
							   : ZAB_DISCOVERY;
}

bool
zab_learner_status(const struct zab *zab, uint32_t sid, struct zab_learner_status *out)
{
	uint32_t i;

	for (i = 0; i < zab->npeers; i++) {
		const struct zab_peer *peer = &zab->peers[i];

		if (zab->role != ZAB_LEADING || peer->sid != sid ||
		    peer->learner.stage == STAGE_NONE)
			continue;
		out->synchronised = peer->learner.stage == STAGE_UPTODATE;
		out->acked = peer->learner.acked;
		out->last = peer->learner.last_zxid;
		return true;
	}
	return false;
}
