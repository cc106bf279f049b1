/*
 * What is committed goes to the tree: as much as a turn of the loop may apply, the
 * rest in later turns, for a whole history takes seconds, and who is silent so
 * long is no leader. Whatever speaks of the tree waits for its end: this member
 * serves when the tree has all that was committed before. Called by order.c.
 */
#include "replica/replica.h"

#include "replica/lib/log.h"

#include <sysexits.h>

#define PROGRESS_NS UINT64_C(2000000000)

static bool
has(const struct replica *replica, uint64_t zxid)
{
	return tree_applied(replica->tree) >= zxid;
}

_Noreturn void
deliver_undone(uint64_t zxid)
{
	fatal(EX_SOFTWARE,
	    "what was committed here is not in the history of the leader, or no epoch is left "
	    "zxid=0x%llx",
	    (unsigned long long)zxid);
}

/* It has all that was committed before. */
static void
serving(struct replica *replica, const struct zab_action *action)
{
	replica->serves_at = 0;
	replica->serving = true;
	replica->leading = action->role == ZAB_LEADING;
	replica->changed = true;
	/* A leader that a quorum follows has all that was committed: or the quorum lies. */
	if (replica->catch_up != 0)
		deliver_undone(replica->catch_up);
	replica->disk_full = false;
	log_info("%s epoch=%llu zxid=0x%llx leader=%u", replica->leading ? "leading" : "following",
	    (unsigned long long)action->current_epoch, (unsigned long long)action->zxid,
	    (unsigned)action->peer);
	if (replica->ready != NULL)
		replica->ready(replica->ready_arg);
	replica->ready = NULL;
}

void
deliver_changed(struct replica *replica, const struct zab_action *action)
{
	bool was_serving = replica->serving;

	replica->role = action->role;
	replica->leader = action->peer;
	replica->epoch = action->current_epoch;
	replica->serves_at = 0;
	if (action->phase == ZAB_BROADCAST && has(replica, replica->deliver_upto)) {
		serving(replica, action);
		return;
	}
	replica->serving = replica->leading = false;
	replica->changed = true;
	if (action->phase == ZAB_BROADCAST) {
		replica->serves_at = replica->deliver_upto;
		replica->serving_as = *action;
		replica->delivery_said_ns = replica->step_ns;
		return;
	}
	/* While the disk is full it tries again and again; that was said once. */
	if (action->role == ZAB_RECOVERING && (was_serving || !replica->disk_full))
		log_info("looking zxid=0x%llx reason=%s", (unsigned long long)action->zxid,
		    order_reasons[action->reason]);
}

void
deliver_upto(struct replica *replica, uint64_t upto)
{
	bool in_turn = has(replica, replica->deliver_upto);

	replica->deliver_upto = upto;
	if (in_turn && !rows_deliver(replica, upto))
		loop_deliver(replica->loop);
}

/* Long work says how far it is. */
static void
progress(struct replica *replica)
{
	uint64_t now_ns = replica_now_ns();

	if (now_ns - replica->delivery_said_ns < PROGRESS_NS)
		return;
	replica->delivery_said_ns = now_ns;
	log_info("applying zxid=0x%llx of=0x%llx", (unsigned long long)tree_applied(replica->tree),
	    (unsigned long long)replica->deliver_upto);
}

void
deliver_more(struct replica *replica)
{
	if (has(replica, replica->deliver_upto))
		return;
	if (!rows_deliver(replica, replica->deliver_upto))
		loop_deliver(replica->loop);
	if (replica->serves_at == 0)
		return;
	if (!has(replica, replica->serves_at)) {
		progress(replica);
		return;
	}
	serving(replica, &replica->serving_as);
	outbox_ready(replica);
}

void
deliver_stop(struct replica *replica)
{
	/* Alone, it will say of what has no answer that it was not executed: that has to be so. */
	while (replica->alone && !has(replica, replica->deliver_upto))
		rows_deliver(replica, replica->deliver_upto);
	/* What the tree lacks is in the log; a leader commits it once more. */
	replica->deliver_upto = 0;
}
