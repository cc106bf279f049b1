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
#include <sys/random.h>
#include <sysexits.h>

#define NS_PER_MS UINT64_C(1000000)
#define FINALIZE_NS (50 * NS_PER_MS)

static void
deliver(struct replica *replica, uint64_t upto)
{
	struct proposal *proposal;

	while ((proposal = STAILQ_FIRST(&replica->proposals)) != NULL && proposal->zxid <= upto) {
		STAILQ_REMOVE_HEAD(&replica->proposals, next);
		replica->proposed_bytes -= proposal->len;
		write_deliver(replica, proposal);
		free(proposal);
	}
	CHECK(tree_applied(replica->tree) == upto);
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
changed(struct replica *replica, const struct zab_action *action)
{
	replica->leading = action->role == ZAB_LEADING && action->phase == ZAB_BROADCAST;
	if (!replica->leading) {
		/* While the disk is full it tries again and again; that was said once. */
		if (action->role == ZAB_RECOVERING && !replica->disk_full)
			log_info("looking zxid=0x%llx", (unsigned long long)action->zxid);
		return;
	}
	log_info("leading epoch=%llu zxid=0x%llx", (unsigned long long)action->current_epoch,
	    (unsigned long long)action->zxid);
	replica->disk_full = false;
	attend_rearm(replica);
	if (replica->ready != NULL)
		replica->ready(replica->ready_arg);
	replica->ready = NULL;
}

static void
append(struct replica *replica, const struct zab_action *action, struct proposal *proposal)
{
	struct store_row row = { .zxid = action->zxid,
		.prev_zxid = action->from,
		.payload = { proposal->payload, proposal->len } };
	uint64_t hash;

	replica->asked_op = action->op;
	/* ZAB_OUTSTANDING_MAX and PROPOSED_BYTES_MAX keep its queue below its bounds. */
	CHECK(store_append(replica->store, action->op, &row, &hash) == 0);
	STAILQ_INSERT_TAIL(&replica->proposals, proposal, next);
	replica->proposed_bytes += proposal->len;
}

static void
set_epochs(struct replica *replica, const struct zab_action *action)
{
	store_set_epochs(replica->store, action->op, action->accepted_epoch, action->accepted_sid,
	    action->current_epoch);
	replica->asked_op = action->op;
}

/* One action; what concerns other members never comes in an ensemble of one. */
static void
act(struct replica *replica, const struct zab_action *action, struct proposal *proposal)
{
	switch (action->type) {
	case ZAB_LOG_EPOCHS:
		set_epochs(replica, action);
		break;
	case ZAB_LOG_ROW:
		append(replica, action, proposal);
		break;
	case ZAB_DELIVER:
		deliver(replica, action->zxid);
		break;
	case ZAB_CHANGED:
		changed(replica, action);
		break;
	case ZAB_RECOVER:
		replica->recovering = true;
		drop_all(replica);
		break;
	case ZAB_FATAL:
		fatal(EX_SOFTWARE, "no epoch is left above %u", (unsigned)ZAB_EPOCH_MAX);
	default:
		CHECK(!"an action of an ensemble of one");
	}
}

static void
arm(struct replica *replica)
{
	uint64_t due_ns = zab_timer_ns(replica->zab), now_ns = replica_now_ns(), us;
	struct timeval wait;

	if (due_ns == UINT64_MAX) {
		evtimer_del(replica->timer);
		return;
	}
	us = due_ns <= now_ns ? 0 : (due_ns - now_ns) / 1000 + 1;
	wait.tv_sec = (time_t)(us / 1000000);
	wait.tv_usec = (suseconds_t)(us % 1000000);
	CHECK(evtimer_add(replica->timer, &wait) == 0);
}

static void settle(struct replica *replica);

/* Steps, and does what the step says, in the output's order. */
static void
run(struct replica *replica, struct zab_event *event, struct proposal *proposal)
{
	uint64_t due_ns = zab_timer_ns(replica->zab);
	struct zab_output out;
	uint32_t i;

	event->now_ns = replica_now_ns();
	zab_step(replica->zab, event, &out);
	for (i = 0; i < out.count; i++)
		act(replica, &out.actions[i], proposal);
	if (replica->recovering)
		settle(replica);
	else if (zab_timer_ns(replica->zab) != due_ns || event->type == ZAB_EVENT_TICK)
		arm(replica);
}

void
order_init(struct replica *replica)
{
	const struct conf *conf = replica->conf;
	struct zab_config config = { .self = replica->member,
		.tick_ns = conf->tick_ms * NS_PER_MS,
		.init_limit = conf->init_limit,
		.sync_limit = conf->sync_limit,
		.finalize_ns = FINALIZE_NS };
	size_t i;

	for (i = 0; i < conf->nmembers; i++)
		config.members[config.count++].sid = conf->members[i].id;
	replica->zab = malloc(zab_size());
	CHECK(replica->zab != NULL);
	zab_init(replica->zab, &config);
}

/* The core starts, with what is durable. */
static void
begin(struct replica *replica)
{
	struct zab_event event = { .type = ZAB_EVENT_START };
	struct zab_status status;

	replica->recovering = false;
	zab_status(replica->zab, &status);
	event.start.generation = status.generation;
	CHECK(
	    getrandom(&event.start.nonce, sizeof event.start.nonce, 0) == sizeof event.start.nonce);
	event.start.accepted_epoch = replica->durable.accepted_epoch;
	event.start.accepted_sid = replica->durable.accepted_sid;
	event.start.current_epoch = replica->durable.current_epoch;
	/* The only member's log is committed, and the tree has all of it. */
	event.start.last_zxid = tree_applied(replica->tree);
	event.start.delivered = tree_applied(replica->tree);
	event.start.voter = true;
	run(replica, &event, NULL);
}

/* Once the log has done what it was asked for. */
static void
settle(struct replica *replica)
{
	if (replica->done_op == replica->asked_op)
		begin(replica);
}

void
order_start(struct replica *replica)
{
	replica->durable = store_state(replica->store)->durable;
	begin(replica);
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
order_timer(struct replica *replica)
{
	struct zab_event event = { .type = ZAB_EVENT_TICK };

	run(replica, &event, NULL);
}

static void
logged(struct replica *replica, const struct store_done *done)
{
	struct zab_event event = {
		.type = ZAB_EVENT_LOGGED, .op = done->op, .zxid = done->durable.last_zxid
	};

	replica->durable = done->durable;
	replica->done_op = done->op;
	run(replica, &event, NULL);
}

static void
full(struct replica *replica, const struct store_done *done)
{
	struct zab_event event = { .type = ZAB_EVENT_LOST };

	if (!replica->disk_full)
		log_warn("disk full, writes are refused zxid=0x%llx",
		    (unsigned long long)done->durable.last_zxid);
	replica->disk_full = true;
	replica->durable = done->durable;
	/* What was asked of the log and is void now must not be waited for. */
	replica->done_op = replica->asked_op;
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
