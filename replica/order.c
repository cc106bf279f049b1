/*
 * The only place that orders step -> persist -> send -> deliver. What happened
 * goes into zab_step; what it says is done here, in its order, each thing after
 * what has to be durable before it (replica/README.md). What a step changes for
 * the rooms above is looked after when all of it is done.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define NS_PER_MS UINT64_C(1000000)
#define FINALIZE_NS (50 * NS_PER_MS)

const char *const order_reasons[ZAB_REASONS] = { "-", "start", "leader-gone", "leader-silent",
	"leader-resigned", "old-epoch", "no-quorum", "timeout", "storage", "rollover", "hand-over",
	"epoch-behind", "protocol", "synchronised" };

/* The row of this very event: its payload is the proposer's or the message's. */
static void
append(struct replica *replica, const struct zab_action *action, struct blob payload)
{
	struct store_row row = {
		.zxid = action->zxid, .prev_zxid = action->from, .payload = payload
	};
	uint64_t hash;

	/* A leader's bounds are below the queue's, and what a learner gets is held back. */
	CHECK(store_append(replica->store, action->op, &row, &hash) == 0);
	rows_add(replica, &row, hash);
}

static void
sync_snap(struct replica *replica, const struct zab_action *action, const struct zab_event *event)
{
	imager_abort(replica);
	store_snap_begin(replica->store, action->op, action->zxid, action->hash);
	snap_in_begin(
	    replica, replica_peer(replica, event->peer), event->message.attempt, action->zxid);
	replica->in_sync = true;
}

/* What goes to the log. */
static void
persist(struct replica *replica, const struct zab_action *action, const struct zab_event *event,
    struct blob payload)
{
	replica->op_asked = action->op;
	switch (action->type) {
	case ZAB_LOG_EPOCHS:
		store_set_epochs(replica->store, action->op, action->accepted_epoch,
		    action->accepted_sid, action->current_epoch);
		break;
	case ZAB_LOG_ROW:
		append(replica, action, payload);
		break;
	case ZAB_LOG_SYNC_BEGIN:
		CHECK(action->zxid >= tree_applied(replica->tree));
		CHECK(TAILQ_EMPTY(&replica->proposals));
		store_sync_begin(replica->store, action->op, action->zxid);
		replica->in_sync = true;
		break;
	case ZAB_LOG_SYNC_SNAP:
		sync_snap(replica, action, event);
		break;
	case ZAB_LOG_SYNC_COMMIT:
		store_sync_commit(replica->store, action->op, action->current_epoch);
		replica->in_sync = false;
		replica->sync_op = action->op;
		break;
	case ZAB_LOG_VOTER:
		store_set_voter(replica->store, action->op);
		break;
	default:
		CHECK(!"a log action");
	}
}

static void
recovering(struct replica *replica)
{
	replica->recovering = true;
	if (replica->in_sync) {
		store_sync_abort(replica->store, replica->op_asked);
		snap_in_abort(replica);
		replica->in_sync = false;
	}
	deliver_stop(replica);
	rows_drop(replica);
	prep_reset(replica->prep);
	if (replica->alone && replica->disk_full)
		attend_full(replica);
}

/* Nothing is promised that isn't durable. */
static void
check_durable(const struct replica *replica, const struct zab_action *action)
{
	const struct zab_durable *durable = &action->durable;

	CHECK(durable->accepted_epoch <= replica->durable.accepted_epoch);
	CHECK(durable->current_epoch <= replica->durable.current_epoch);
	CHECK(durable->zxid <= replica->durable.last_zxid);
}

static void
act(struct replica *replica, const struct zab_action *action, const struct zab_event *event,
    struct blob payload)
{
	struct peer *peer = action->peer == 0 || action->peer == replica->member
				? NULL
				: replica_peer(replica, action->peer);

	check_durable(replica, action);
	figures_action(replica, action);
	switch (action->type) {
	case ZAB_SEND:
		outbox_message(replica, peer, action->conn, &action->message);
		break;
	case ZAB_SEND_ROWS:
		outbox_rows(replica, peer, action);
		break;
	case ZAB_SEND_SNAP:
		outbox_snap(replica, peer, action);
		break;
	case ZAB_FORGET:
		outbox_forget(replica, peer);
		break;
	case ZAB_DROP:
		links_close(replica->links, action->peer, action->conn, "silent or out of order");
		break;
	case ZAB_LOG_EPOCHS:
	case ZAB_LOG_ROW:
	case ZAB_LOG_SYNC_BEGIN:
	case ZAB_LOG_SYNC_SNAP:
	case ZAB_LOG_SYNC_COMMIT:
	case ZAB_LOG_VOTER:
		persist(replica, action, event, payload);
		break;
	case ZAB_LOOK_UP: /* answered when this step's actions are done */
		break;
	case ZAB_DELIVER:
		deliver_upto(replica, action->zxid);
		break;
	case ZAB_CONFIRMED:
		replica->round_confirmed = action->zxid;
		break;
	case ZAB_CHANGED:
		deliver_changed(replica, action);
		break;
	case ZAB_RECOVER:
		recovering(replica);
		break;
	case ZAB_ALARM:
		log_error("a member's history differs from this leader's, it gets a snapshot "
			  "member=%u zxid=0x%llx",
		    (unsigned)action->peer, (unsigned long long)action->zxid);
		break;
	case ZAB_FATAL:
		deliver_undone(action->zxid);
	}
}

static void run(struct replica *replica, struct zab_event *event, struct blob payload);

static void
look_up(struct replica *replica, const struct zab_action *action)
{
	struct zab_event event = {
		.type = ZAB_EVENT_LOOKED_UP, .peer = action->peer, .attempt = action->attempt
	};

	event.found = rows_look_up(replica, action->zxid, &event.zxid, &event.hash);
	run(replica, &event, (struct blob){ 0 });
}

static void begin(struct replica *replica);

/* START, once the log has done what it was asked for. */
static void
settle(struct replica *replica)
{
	if (replica->recovering && replica->op_done == replica->op_asked)
		begin(replica);
}

/* What steps have changed for sessions and requests. These may step again. */
static void
look_after(struct replica *replica)
{
	if (replica->looking_after)
		return;
	replica->looking_after = true;
	if (replica->changed) {
		replica->changed = false;
		status_changed(replica);
		attend_changed(replica);
	}
	request_applied(replica);
	lead_run(replica);
	replica->looking_after = false;
}

/* Steps, and does what the step says, in the output's order. */
static void
run(struct replica *replica, struct zab_event *event, struct blob payload)
{
	struct zab_output out;
	uint32_t i;

	CHECK(!replica->stepping);
	replica->stepping = true;
	event->now_ns = replica->step_ns = replica_now_ns();
	zab_step(replica->zab, event, &out);
	for (i = 0; i < out.count; i++)
		act(replica, &out.actions[i], event, payload);
	replica->stepping = false;
	for (i = 0; i < out.count; i++)
		if (out.actions[i].type == ZAB_LOOK_UP)
			look_up(replica, &out.actions[i]);
	settle(replica);
	look_after(replica);
	loop_arm(replica->loop, zab_timer_ns(replica->zab));
}

void
order_deliver(struct replica *replica)
{
	deliver_more(replica);
	look_after(replica);
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
		config.members[config.count++] = (struct zab_member){ .sid = conf->members[i].id,
			.observer = conf->members[i].observer };
	replica->zab = malloc(zab_size());
	CHECK(replica->zab != NULL);
	zab_init(replica->zab, &config);
	TAILQ_INIT(&replica->proposals);
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
	replica_random(&event.start.nonce, sizeof event.start.nonce);
	event.start.accepted_epoch = replica->durable.accepted_epoch;
	event.start.accepted_sid = replica->durable.accepted_sid;
	event.start.current_epoch = replica->durable.current_epoch;
	event.start.last_zxid = replica->durable.last_zxid;
	event.start.delivered = tree_applied(replica->tree);
	event.start.voter = replica->durable.voter;
	run(replica, &event, (struct blob){ 0 });
}

void
order_start(struct replica *replica)
{
	replica->durable = store_state(replica->store)->durable;
	begin(replica);
}

uint64_t
order_next_zxid(const struct replica *replica)
{
	return replica->proposed_bytes > PROPOSED_BYTES_MAX ? 0 : zab_next_zxid(replica->zab);
}

void
order_propose(struct replica *replica, uint64_t zxid, const struct txn *txn)
{
	struct zab_event event = { .type = ZAB_EVENT_PROPOSE, .zxid = zxid };
	struct blob payload;

	msgpack_sbuffer_clear(&replica->scratch);
	txn_pack(&replica->scratch, txn);
	payload.data = (const uint8_t *)replica->scratch.data;
	payload.len = (uint32_t)replica->scratch.size;
	replica->figures.proposed++;
	run(replica, &event, payload);
}

void
order_confirm(struct replica *replica, uint64_t round)
{
	struct zab_event event = { .type = ZAB_EVENT_CONFIRM, .zxid = round };

	run(replica, &event, (struct blob){ 0 });
}

void
order_connected(struct replica *replica, struct peer *peer, uint64_t conn)
{
	struct zab_event event = { .type = ZAB_EVENT_CONNECTED, .peer = peer->sid, .conn = conn };

	run(replica, &event, (struct blob){ 0 });
}

void
order_disconnected(struct replica *replica, struct peer *peer, uint64_t conn)
{
	struct zab_event event = {
		.type = ZAB_EVENT_DISCONNECTED, .peer = peer->sid, .conn = conn
	};

	run(replica, &event, (struct blob){ 0 });
}

void
order_heard(struct replica *replica, struct peer *peer)
{
	struct zab_event event = { .type = ZAB_EVENT_HEARD, .peer = peer->sid, .conn = peer->conn };

	run(replica, &event, (struct blob){ 0 });
}

void
order_message(struct replica *replica, struct peer *peer, uint64_t conn,
    const struct zab_message *message, struct blob payload)
{
	struct zab_event event = {
		.type = ZAB_EVENT_MESSAGE, .peer = peer->sid, .conn = conn, .message = *message
	};

	run(replica, &event, payload);
}

void
order_hand_over(struct replica *replica, uint32_t sid)
{
	struct zab_event event = { .type = ZAB_EVENT_HAND_OVER, .peer = sid };

	run(replica, &event, (struct blob){ 0 });
}

void
order_timer(struct replica *replica)
{
	struct zab_event event = { .type = ZAB_EVENT_TICK };

	run(replica, &event, (struct blob){ 0 });
}

static void
logged(struct replica *replica, const struct store_done *done)
{
	struct zab_event event = {
		.type = ZAB_EVENT_LOGGED, .op = done->op, .zxid = done->durable.last_zxid
	};

	replica->durable = done->durable;
	replica->op_done = done->op;
	if (done->sync_ns != 0)
		metrics_observe(&replica->figures.fsyncs, done->sync_ns);
	/* The tree is the snapshot's before the core hears of it. */
	if (replica->snap != NULL && !replica->in_sync && done->op >= replica->sync_op)
		snap_in_force(replica);
	run(replica, &event, (struct blob){ 0 });
}

static void
full(struct replica *replica, const struct store_done *done)
{
	struct zab_event event = { .type = ZAB_EVENT_LOST };

	if (!replica->disk_full)
		log_warn("disk full, writes are refused zxid=0x%llx",
		    (unsigned long long)done->durable.last_zxid);
	replica->disk_full = true;
	/* What was asked of the log and is void now must not be waited for. */
	replica->durable = done->durable;
	replica->op_done = replica->op_asked;
	replica->in_sync = false;
	snap_in_abort(replica);
	run(replica, &event, (struct blob){ 0 });
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
