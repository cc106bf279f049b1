/*
 * What other members say, looked at before the rooms that it is for hear of it:
 * the core (order.c), which sees no payload, no log and no tree; the leader's
 * part (lead.c); the front ends here, which are promised that an answer is
 * one. What can't be ends the connection. Called by replica.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

/* What can't be read could not be applied when it is committed. */
static bool
is_row(struct replica *replica, uint64_t zxid, struct blob payload)
{
	struct txn txn;
	bool reads = txn_unpack(payload, zxid, replica->zone, &txn) == 0;

	msgpack_zone_clear(replica->zone);
	return reads;
}

static const char *
check_commit(struct replica *replica, const struct zab_message *message)
{
	struct zab_status status;

	zab_status(replica->zab, &status);
	/* Of an attempt that is over. */
	if (message->attempt != status.attempt)
		return NULL;
	if (!rows_has(replica, message->zxid))
		return "a commit of what is no row";
	if (message->type == ZAB_UPTODATE && message->zxid < replica->catch_up)
		return "a commit of less than the snapshot shows";
	return NULL;
}

static const char *
check_zab(struct replica *replica, const struct zab_message *message, struct blob payload)
{
	bool incomplete = replica->snap != NULL && replica->in_sync && !snap_in_complete(replica);

	switch (message->type) {
	case ZAB_ROW:
		if (!is_row(replica, message->zxid, payload))
			return "a row that is none";
		return incomplete ? "a row, and the snapshot is not complete" : NULL;
	case ZAB_NEWLEADER:
		return incomplete ? "the history's end, and the snapshot is not complete" : NULL;
	case ZAB_UPTODATE:
	case ZAB_COMMIT:
		return check_commit(replica, message);
	default:
		return NULL;
	}
}

/* These three return NULL, or what is wrong. */

static const char *
for_core(struct replica *replica, struct peer *peer, uint64_t conn, const struct wire_zab *msg,
    struct blob payload)
{
	struct zab_message message = message_from_wire(msg);
	const char *why = check_zab(replica, &message, payload);

	if (why != NULL)
		return why;
	order_message(replica, peer, conn, &message, payload);
	if (message.type == ZAB_ROW)
		rows_hold_back(replica, peer, conn);
	return NULL;
}

static bool
is_request(enum wire_type type)
{
	return wire_is_write(type) || type == WIRE_T_SYNC || type == WIRE_T_CLOSE ||
	       type == WIRE_T_PING || type == WIRE_T_HAND_OVER;
}

/* What front ends of other members ask of the leader; what names another's epoch is void. */
static const char *
to_leader(struct replica *replica, uint32_t sid, const struct wire_msg *msg)
{
	msgpack_zone *zone;
	struct wire_msg request;
	bool good;

	if (!replica->leading)
		return NULL;
	if (msg->type == WIRE_T_OPEN && msg->open.epoch == replica->epoch)
		lead_open(replica, sid, &msg->open);
	if (msg->type == WIRE_T_ATTACH && msg->attach.epoch == replica->epoch)
		lead_attach(replica, sid, msg->attach.session, msg->attach.serial);
	if (msg->type != WIRE_T_FORWARD || msg->forward.epoch != replica->epoch)
		return NULL;
	zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	CHECK(zone != NULL);
	good =
	    wire_unpack(msg->forward.request.data, msg->forward.request.len, zone, &request) == 0 &&
	    is_request(request.type);
	if (good)
		lead_take(replica, sid, msg->forward.session, msg->forward.serial, &request);
	msgpack_zone_free(zone);
	return good ? NULL : "a request that is none";
}

static bool
is_answer(const struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_T_OPENED: /* it only refuses */
		return err_is_known(msg->opened.code) && msg->opened.code != ERR_OK;
	case WIRE_T_ATTACHED:
		return err_is_known(msg->attached.code);
	case WIRE_T_ANSWER:
		return err_is_known(msg->answer.code) &&
		       (msg->answer.type == WIRE_T_REPLY || msg->answer.type == WIRE_T_SYNC ||
			   msg->answer.type == WIRE_T_HAND_OVER ||
			   msg->answer.type == WIRE_T_PONG || msg->answer.type == WIRE_T_BYE);
	default:
		return false;
	}
}

static const char *
from_leader(struct replica *replica, uint32_t sid, const struct wire_msg *msg)
{
	if (!is_answer(msg))
		return "an answer that is none";
	if (!replica->serving || sid != replica->leader)
		return NULL;
	if (msg->type == WIRE_T_OPENED && msg->opened.epoch == replica->epoch)
		attend_refused(replica, msg->opened.secret, msg->opened.code);
	if (msg->type == WIRE_T_ATTACHED && msg->attached.epoch == replica->epoch)
		attend_attached(replica, &msg->attached);
	if (msg->type == WIRE_T_ANSWER && !request_answer(replica, &msg->answer))
		return "answers to more than was asked";
	return NULL;
}

void
inbox_message(struct replica *replica, struct peer *peer, uint64_t conn, const struct wire_msg *msg,
    struct blob payload)
{
	const char *why = NULL;

	switch (msg->type) {
	case WIRE_T_ZAB:
		why = for_core(replica, peer, conn, &msg->zab, payload);
		break;
	case WIRE_T_PIECE:
		if (!snap_in_piece(replica, peer, conn, &msg->piece))
			why = "a piece that is none";
		break;
	case WIRE_T_OPEN:
	case WIRE_T_ATTACH:
	case WIRE_T_FORWARD:
		why = to_leader(replica, peer->sid, msg);
		break;
	case WIRE_T_STATUS:
		if (!status_take(replica, peer, &msg->status))
			why = "a status that is none";
		break;
	default:
		why = from_leader(replica, peer->sid, msg);
	}
	if (why != NULL)
		links_close(replica->links, peer->sid, conn, why);
}
