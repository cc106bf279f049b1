/*
 * The only place that orders step -> persist -> deliver. What happened goes
 * into zab_step, what it says is done here, each thing after what has to be
 * durable before it (replica/README.md).
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <stdlib.h>
#include <string.h>

static void
deliver(struct replica *replica, uint64_t upto)
{
	struct zab_event event = { .type = ZAB_EVENT_DELIVERED };
	struct zab_output out;
	struct proposal *proposal;

	while ((proposal = STAILQ_FIRST(&replica->proposals)) != NULL && proposal->zxid <= upto) {
		STAILQ_REMOVE_HEAD(&replica->proposals, next);
		replica->proposed_bytes -= proposal->len;
		write_deliver(replica, proposal);
		free(proposal);
		event.count++;
	}
	zab_step(&replica->zab, &event, &out);
}

static void
drop_all(struct replica *replica)
{
	struct proposal *proposal;

	prep_reset(replica->prep);
	replica->proposed_bytes = 0;
	while ((proposal = STAILQ_FIRST(&replica->proposals)) != NULL) {
		STAILQ_REMOVE_HEAD(&replica->proposals, next);
		write_drop(replica, proposal);
		free(proposal);
	}
}

static void
role_changed(struct replica *replica)
{
	if (replica->zab.role != ZAB_LEADING) {
		log_info("looking epoch=%llu", (unsigned long long)replica->zab.current_epoch);
		return;
	}
	log_info("leading epoch=%llu zxid=0x%llx", (unsigned long long)replica->zab.current_epoch,
	    (unsigned long long)replica->zab.committed);
	replica->disk_full = false;
	attend_rearm(replica);
	if (replica->ready != NULL)
		replica->ready(replica->ready_arg);
	replica->ready = NULL;
}

/* Steps, and does what the step says, in the output's order. */
static void
run(struct replica *replica, const struct zab_event *event, struct proposal *proposal)
{
	struct zab_output out;
	struct store_row row;

	zab_step(&replica->zab, event, &out);
	if (out.persist_epochs) {
		store_set_epochs(
		    replica->store, out.accepted_epoch, replica->member, out.current_epoch);
		replica->epochs_asked++;
	}
	if (out.persist_row) {
		row.zxid = out.row_zxid;
		row.prev_zxid = out.row_prev_zxid;
		row.payload.data = proposal->payload;
		row.payload.len = proposal->len;
		/* ZAB_OUTSTANDING_MAX and PROPOSED_BYTES_MAX keep its queue below its bounds. */
		CHECK(store_append(replica->store, &row) == 0);
		STAILQ_INSERT_TAIL(&replica->proposals, proposal, next);
		replica->proposed_bytes += proposal->len;
	}
	if (out.drop_outstanding)
		drop_all(replica);
	if (out.deliver)
		deliver(replica, out.deliver_zxid);
	if (out.role_changed)
		role_changed(replica);
}

void
order_start(struct replica *replica)
{
	const struct store_state *state = store_state(replica->store);
	struct zab_event event = { .type = ZAB_EVENT_START };

	event.start.accepted_epoch = state->accepted_epoch;
	event.start.current_epoch = state->current_epoch;
	event.start.last_zxid = state->last_zxid;
	run(replica, &event, NULL);
}

void
order_propose(struct replica *replica, uint64_t zxid, const struct txn *txn, struct front *opener)
{
	struct zab_event event = { .type = ZAB_EVENT_PROPOSE, .zxid = zxid };
	struct proposal *proposal;

	msgpack_sbuffer_clear(&replica->scratch);
	txn_pack(&replica->scratch, txn);
	proposal = malloc(sizeof *proposal + replica->scratch.size);
	CHECK(proposal != NULL);
	proposal->zxid = zxid;
	proposal->opener = opener;
	proposal->len = (uint32_t)replica->scratch.size;
	memcpy(proposal->payload, replica->scratch.data, replica->scratch.size);
	run(replica, &event, proposal);
}

void
order_tick(struct replica *replica)
{
	struct zab_event event = { .type = ZAB_EVENT_TICK };

	run(replica, &event, NULL);
}

static void
logged(struct replica *replica, const struct store_done *done)
{
	struct zab_event event;

	if (replica->zab.epoch_wanted != 0 && done->epochs == replica->epochs_asked) {
		event = (struct zab_event){ .type = ZAB_EVENT_EPOCHS_LOGGED };
		run(replica, &event, NULL);
	}
	event = (struct zab_event){ .type = ZAB_EVENT_LOGGED, .zxid = done->zxid };
	run(replica, &event, NULL);
}

static void
full(struct replica *replica, const struct store_done *done)
{
	struct zab_event event = { .type = ZAB_EVENT_LOG_LOST, .zxid = done->zxid };

	if (!replica->disk_full)
		log_warn(
		    "disk full, writes are refused zxid=0x%llx", (unsigned long long)done->zxid);
	replica->disk_full = true;
	/* What was asked of the log and is void now must not be waited for. */
	replica->epochs_asked = done->epochs;
	run(replica, &event, NULL);
}

void
order_completions(struct replica *replica)
{
	struct store_done done;

	while (store_poll(replica->store, &done)) {
		switch (done.type) {
		case STORE_LOGGED:
			logged(replica, &done);
			break;
		case STORE_FULL:
			full(replica, &done);
			break;
		case STORE_PASSED:
			imager_done(replica, true);
			break;
		case STORE_PASS_FAILED:
			imager_done(replica, false);
			break;
		}
	}
}
