/*
 * The core's step function for an ensemble of one. See zab.h; called by
 * replica.c, and by nobody else.
 */
#include "replica/zab/zab.h"

#include "replica/lib/check.h"

#include <string.h>

uint32_t
zab_zxid_epoch(uint64_t zxid)
{
	return (uint32_t)(zxid >> 32);
}

uint32_t
zab_zxid_counter(uint64_t zxid)
{
	return (uint32_t)zxid;
}

static uint64_t
zxid_make(uint64_t epoch, uint32_t counter)
{
	return (epoch << 32) | counter;
}

/*
 * A new epoch above all that was accepted. It is durable before the first
 * proposal carries it, so no two leaderships ever share one.
 */
static void
epoch_begin(struct zab *zab, struct zab_output *out)
{
	zab->epoch_wanted = zab->accepted_epoch + 1;
	out->persist_epochs = true;
	out->accepted_epoch = zab->epoch_wanted;
	out->current_epoch = zab->epoch_wanted;
}

static void
start(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	CHECK(event->start.accepted_epoch >= event->start.current_epoch);
	CHECK(event->start.current_epoch >= zab_zxid_epoch(event->start.last_zxid));
	memset(zab, 0, sizeof *zab);
	zab->accepted_epoch = event->start.accepted_epoch;
	zab->current_epoch = event->start.current_epoch;
	zab->last_proposed = event->start.last_zxid;
	zab->last_logged = event->start.last_zxid;
	/* The quorum is this member: what its log holds is committed. */
	zab->committed = event->start.last_zxid;
	out->deliver = true;
	out->deliver_zxid = zab->committed;
	epoch_begin(zab, out);
}

static void
epochs_logged(struct zab *zab, struct zab_output *out)
{
	CHECK(zab->epoch_wanted > zab->accepted_epoch);
	zab->accepted_epoch = zab->epoch_wanted;
	zab->current_epoch = zab->epoch_wanted;
	zab->epoch_wanted = 0;
	zab->role = ZAB_LEADING;
	out->role_changed = true;
}

static void
propose(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	CHECK(event->zxid != 0 && event->zxid == zab_next_zxid(zab));
	out->persist_row = true;
	out->row_zxid = event->zxid;
	out->row_prev_zxid = zab->last_proposed;
	zab->last_proposed = event->zxid;
	zab->outstanding++;
}

static void
step_down(struct zab *zab, struct zab_output *out)
{
	zab->role = ZAB_LOOKING;
	out->role_changed = true;
	out->drop_outstanding = zab->outstanding != 0;
	zab->outstanding = 0;
	zab->last_proposed = zab->last_logged;
}

static void
logged(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	CHECK(event->zxid >= zab->last_logged && event->zxid <= zab->last_proposed);
	if (event->zxid == zab->last_logged)
		return;
	zab->last_logged = event->zxid;
	zab->committed = event->zxid;
	out->deliver = true;
	out->deliver_zxid = event->zxid;
	/* The counter is at its end: a new epoch, once everything proposed is durable (ZK-1277). */
	if (zab_zxid_counter(zab->last_proposed) == UINT32_MAX &&
	    event->zxid == zab->last_proposed) {
		zab->role = ZAB_LOOKING;
		out->role_changed = true;
		epoch_begin(zab, out);
	}
}

void
zab_step(struct zab *zab, const struct zab_event *event, struct zab_output *out)
{
	memset(out, 0, sizeof *out);
	switch (event->type) {
	case ZAB_EVENT_START:
		start(zab, event, out);
		break;
	case ZAB_EVENT_EPOCHS_LOGGED:
		epochs_logged(zab, out);
		break;
	case ZAB_EVENT_PROPOSE:
		propose(zab, event, out);
		break;
	case ZAB_EVENT_LOGGED:
		logged(zab, event, out);
		break;
	case ZAB_EVENT_DELIVERED:
		CHECK(event->count <= zab->outstanding);
		zab->outstanding -= event->count;
		break;
	case ZAB_EVENT_LOG_LOST:
		CHECK(event->zxid == zab->last_logged);
		zab->epoch_wanted = 0;
		step_down(zab, out);
		break;
	case ZAB_EVENT_TICK:
		if (zab->role == ZAB_LOOKING && zab->epoch_wanted == 0)
			epoch_begin(zab, out);
		break;
	}
	CHECK(zab->accepted_epoch >= zab->current_epoch);
	CHECK(zab->committed <= zab->last_logged && zab->last_logged <= zab->last_proposed);
}

uint64_t
zab_next_zxid(const struct zab *zab)
{
	if (zab->role != ZAB_LEADING || zab->outstanding >= ZAB_OUTSTANDING_MAX)
		return 0;
	if (zab_zxid_epoch(zab->last_proposed) != zab->current_epoch)
		return zxid_make(zab->current_epoch, 1);
	if (zab_zxid_counter(zab->last_proposed) == UINT32_MAX)
		return 0;
	return zab->last_proposed + 1;
}
