/*
 * What a step says: actions, in the order in which they are to be done. Called by
 * every role's file; order.c does what they say. See zab.h.
 */
#include "replica/zab/zab_internal.h"

#include <string.h>

struct zab_action *
zab_act(struct zab_output *out, enum zab_action_type type)
{
	struct zab_action *action;

	CHECK(out->count < ZAB_ACTIONS_MAX);
	action = &out->actions[out->count++];
	memset(action, 0, sizeof *action);
	action->type = type;
	return action;
}

struct zab_message *
zab_send(struct zab_output *out, const struct zab_peer *peer, enum zab_type type, uint64_t attempt)
{
	struct zab_action *action = zab_act(out, ZAB_SEND);

	action->peer = peer->sid;
	action->conn = peer->conn;
	action->message.type = type;
	action->message.attempt = attempt;
	return &action->message;
}

void
zab_drop(const struct zab_peer *peer, struct zab_output *out)
{
	struct zab_action *action = zab_act(out, ZAB_DROP);

	action->peer = peer->sid;
	action->conn = peer->conn;
}

struct zab_action *
zab_log(struct zab *zab, struct zab_output *out, enum zab_action_type type)
{
	struct zab_action *action = zab_act(out, type);

	action->op = ++zab->op;
	return action;
}

void
zab_changed(const struct zab *zab, enum zab_reason reason, struct zab_output *out)
{
	struct zab_action *action = zab_act(out, ZAB_CHANGED);

	action->role = zab->role;
	action->reason = reason;
	action->peer = zab->role == ZAB_LEADING ? zab->config.self : zab->leader;
	action->current_epoch = zab->epoch;
	action->zxid = zab->delivered;
	if (zab->role == ZAB_LEADING && zab->lead == LEAD_SERVING)
		action->phase = ZAB_BROADCAST;
	else if (zab->role >= ZAB_FOLLOWING && zab->learn == LEARN_SERVING)
		action->phase = ZAB_BROADCAST;
	else if (zab->role >= ZAB_LEADING)
		action->phase = ZAB_DISCOVERY;
}

void
zab_deliver(struct zab *zab, struct zab_output *out)
{
	uint64_t upto = zab->committed < zab->last_logged ? zab->committed : zab->last_logged;

	if (upto <= zab->delivered)
		return;
	zab->delivered = upto;
	zab_act(out, ZAB_DELIVER)->zxid = upto;
}
