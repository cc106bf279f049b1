/*
 * A write, from its request to its reply: prepared, proposed (order.c), and
 * once committed applied, told to the watchers, answered. Called by replica.c
 * with what the front ends send and by order.c with what was delivered.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <time.h>

#define NS_PER_S INT64_C(1000000000)

int64_t
write_time_ns(struct replica *replica)
{
	struct timespec ts;
	int64_t now;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = ts.tv_sec * NS_PER_S + ts.tv_nsec;
	if (now > replica->time_ns)
		replica->time_ns = now;
	return replica->time_ns;
}

/* Every write starts with rid, acked, flags: WIRE_CREATE … WIRE_RENAME. */
static uint64_t
rid_of(const struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_T_CREATE:
		return msg->create.rid;
	case WIRE_T_DELETE:
		return msg->delete.rid;
	case WIRE_T_WRITE:
		return msg->write.rid;
	case WIRE_T_SETATTR:
		return msg->setattr.rid;
	case WIRE_T_RENAME:
		return msg->rename.rid;
	default:
		CHECK(!"a write");
	}
	return 0;
}

/* The answer to a write that was executed; its node, if it still is, shows as it is now. */
static void
answer(struct replica *replica, struct front *front, uint64_t rid, int code, uint64_t zxid,
    uint64_t node_id)
{
	const struct znode *node = node_id == 0 ? NULL : tree_node(replica->tree, node_id);
	struct wire_stat stat;

	if (node == NULL) {
		front_reply(front, rid, code, zxid, NULL, NULL, false);
		return;
	}
	znode_stat(replica->tree, node, &stat);
	front_interest_add(front, node_id, 1);
	front_reply(front, rid, code, zxid, &stat, NULL, false);
}

static int
not_leading(const struct replica *replica)
{
	return replica->disk_full ? ERR_NOSPC : ERR_NOQUORUM;
}

void
write_request(struct replica *replica, struct front *front, const struct wire_msg *msg)
{
	const struct session_result *result;
	uint64_t zxid = zab_next_zxid(replica->zab), rid = rid_of(msg);
	uint64_t session = front_session(front);
	struct txn txn;
	int code = 0;

	if (!replica->leading) {
		front_reply(front, rid, not_leading(replica), tree_applied(replica->tree), NULL,
		    NULL, false);
		return;
	}
	if (zxid == 0 || replica->proposed_bytes > PROPOSED_BYTES_MAX) {
		front_reply(front, rid, ERR_BUSY, tree_applied(replica->tree), NULL, NULL, false);
		return;
	}
	switch (prep_write(replica->prep, session, msg, zxid, write_time_ns(replica),
	    replica->conf->value_max, replica->zone, &txn, &code)) {
	case PREP_PROPOSE:
		order_propose(replica, zxid, &txn, NULL);
		break;
	case PREP_DONE:
		result = session_result(tree_session(replica->tree, session), rid);
		answer(replica, front, rid, result->code, result->zxid, result->node);
		break;
	case PREP_WAIT:
		break;
	case PREP_REFUSE:
		front_reply(front, rid, code, tree_applied(replica->tree), NULL, NULL, false);
		break;
	}
	msgpack_zone_clear(replica->zone);
}

/* The session that the transaction ended, 0: none. */
static const struct txn_session_close *
closing(const struct txn *txn)
{
	const struct txn_op *last = txn->nops == 0 ? NULL : &txn->ops[txn->nops - 1];

	return last != NULL && last->type == TXN_SESSION_CLOSE ? &last->session_close : NULL;
}

void
write_deliver(struct replica *replica, const struct proposal *proposal)
{
	struct blob payload = { proposal->payload, proposal->len };
	const struct txn_session_close *close;
	struct front *front;
	struct txn txn;

	CHECK(txn_unpack(payload, proposal->zxid, replica->zone, &txn) == 0);
	tree_apply(replica->tree, &txn);
	prep_applied(replica->prep, txn.zxid);
	watch_send(replica, &txn);
	front = attend_front(replica, txn.head.session);
	close = closing(&txn);
	if (close != NULL)
		attend_closed(replica, close->id, close->expired != 0);
	else if (txn.nops == 1 && txn.ops[0].type == TXN_SESSION_OPEN)
		attend_opened(replica, &txn, proposal->opener);
	else if (front != NULL && front_resumed(front))
		answer(replica, front, txn.head.rid, txn.head.code, txn.zxid, txn.head.result_id);
	msgpack_zone_clear(replica->zone);
}

void
write_drop(struct replica *replica, const struct proposal *proposal)
{
	struct blob payload = { proposal->payload, proposal->len };
	struct wire_welcome refusal = { .code = ERR_NOSPC, .replica = replica->member };
	const struct txn_session_close *close;
	struct front *front;
	struct txn txn;

	CHECK(txn_unpack(payload, proposal->zxid, replica->zone, &txn) == 0);
	front = attend_front(replica, txn.head.session);
	close = closing(&txn);
	if (proposal->opener != NULL)
		front_welcome(proposal->opener, &refusal);
	else if (close != NULL)
		attend_close_dropped(replica, close->id);
	else if (front != NULL && front_resumed(front) && txn.head.rid != 0)
		front_reply(
		    front, txn.head.rid, ERR_NOSPC, tree_applied(replica->tree), NULL, NULL, false);
	msgpack_zone_clear(replica->zone);
}
