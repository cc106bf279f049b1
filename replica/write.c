/*
 * A write, from its request to its reply: prepared by the leader, proposed
 * (order.c), and once committed applied on every member, told to the watchers,
 * and answered where the session is attached. Called by lead.c and rows.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <sysexits.h>

void
write_time_seen(struct replica *replica, int64_t time_ns)
{
	if (time_ns > replica->time_ns)
		replica->time_ns = time_ns;
}

int64_t
write_time_ns(struct replica *replica)
{
	write_time_seen(replica, replica_time_ns());
	return replica->time_ns;
}

/* A node, if it still is, shows as it is now. */
static void
answer_node(struct replica *replica, struct front *front, uint64_t rid, int code, uint64_t zxid,
    uint64_t node_id)
{
	const struct znode *node = node_id == 0 ? NULL : tree_node(replica->tree, node_id);
	struct wire_stat stat;
	struct blob name;

	if (node == NULL) {
		front_reply(front, rid, code, zxid, NULL, NULL, 0);
		return;
	}
	znode_stat(replica->tree, node, &stat);
	name = znode_name(node);
	front_interest_add(front, node_id, 1);
	front_reply(front, rid, code, zxid, &stat, &name, 0);
}

static void
answer_multi(struct front *front, const struct txn *txn)
{
	uint32_t failed = (uint32_t)txn->head.result_id;
	msgpack_sbuffer results;
	struct blob data;

	msgpack_sbuffer_init(&results);
	txn_results(txn, &results);
	data = (struct blob){ (const uint8_t *)results.data, (uint32_t)results.size };
	front_reply(front, txn->head.rid, txn->head.code, txn->zxid, NULL, &data, failed);
	msgpack_sbuffer_destroy(&results);
}

static void
answer(struct replica *replica, struct front *front, const struct txn *txn)
{
	if ((txn->head.flags & TXN_MULTI) != 0)
		answer_multi(front, txn);
	else
		answer_node(
		    replica, front, txn->head.rid, txn->head.code, txn->zxid, txn->head.result_id);
}

struct again {
	struct replica *replica;
	struct front *front;
	const struct session_result *result;
	bool answered;
};

static bool
answer_row(void *arg, uint64_t zxid, uint64_t prev_zxid, struct blob payload)
{
	struct again *again = arg;
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	struct txn txn;

	(void)prev_zxid;
	CHECK(zone != NULL);
	if (zxid == again->result->zxid && txn_unpack(payload, zxid, zone, &txn) == 0) {
		answer(again->replica, again->front, &txn);
		again->answered = true;
	}
	msgpack_zone_free(zone);
	return false;
}

void
write_answer(struct replica *replica, struct front *front, const struct session_result *result)
{
	struct again again = { replica, front, result, false };

	/* The row says all of it; where it is gone, the table says what matters. */
	rows_read(replica, result->zxid - 1, answer_row, &again);
	if (!again.answered)
		answer_node(replica, front, result->rid, result->code, result->zxid,
		    result->code == ERR_OK ? result->node : 0);
}

bool
write_overtakes(Pvoid_t *refused, uint64_t rid, uint64_t acked)
{
	Word_t first = 0;

	while (Judy1First(*refused, &first, PJE0) == 1 && first <= acked)
		Judy1Unset(refused, first, PJE0);
	return *refused != NULL && first < rid;
}

void
write_refused(Pvoid_t *refused, uint64_t rid, bool is_refused)
{
	if (!is_refused)
		Judy1Unset(refused, rid, PJE0);
	else if (Judy1Count(*refused, 0, UINT64_MAX, PJE0) < REFUSED_MAX)
		CHECK(Judy1Set(refused, rid, PJE0) != JERR);
}

void
write_forget_refused(Pvoid_t *refused)
{
	Judy1FreeArray(refused, PJE0);
}

void
write_prepare(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_msg *msg)
{
	struct attendance *attendance = attend_find(replica, session);
	bool overtakes =
	    write_overtakes(&attendance->refused, msg->setattr.rid, msg->setattr.acked);
	uint64_t zxid = overtakes ? 0 : order_next_zxid(replica);
	enum prep_verdict verdict;
	struct txn txn;
	int code = 0;

	verdict = prep_write(replica->prep, session, msg, zxid, write_time_ns(replica),
	    replica->conf->value_max, replica->zone, &txn, &code);
	write_refused(
	    &attendance->refused, msg->setattr.rid, verdict == PREP_REFUSE && code == ERR_BUSY);
	switch (verdict) {
	case PREP_PROPOSE:
		order_propose(replica, zxid, &txn);
		break;
	case PREP_DONE:
		lead_reply(replica, member, session, serial, msg, ERR_OK,
		    session_result(tree_session(replica->tree, session), msg->setattr.rid)->zxid);
		break;
	case PREP_WAIT:
		break;
	case PREP_REFUSE:
		lead_reply(replica, member, session, serial, msg, code, 0);
		break;
	}
	msgpack_zone_clear(replica->zone);
}

/* The session that the transaction ended, NULL: none. */
static const struct txn_session_close *
closing(const struct txn *txn)
{
	const struct txn_op *last = txn->nops == 0 ? NULL : &txn->ops[txn->nops - 1];

	return last != NULL && last->type == TXN_SESSION_CLOSE ? &last->session_close : NULL;
}

static void
reply(struct replica *replica, const struct txn *txn)
{
	struct attendance *attendance = attend_find(replica, txn->head.session);

	if (attendance == NULL || attendance->front == NULL ||
	    !request_done(replica, attendance, txn->head.rid))
		return;
	answer(replica, attendance->front, txn);
}

void
write_deliver(struct replica *replica, uint64_t zxid, struct blob payload)
{
	/* Of its own: what it is called from may use the other one. */
	msgpack_zone *zone = replica->delivery;
	const struct txn_session_close *close;
	struct txn txn;

	CHECK(txn_unpack(payload, zxid, zone, &txn) == 0);
	tree_apply(replica->tree, &txn);
	/* It was committed and can't be undone: what this member has is not what the others have. */
	if (!tree_fits(replica->tree))
		fatal(EX_DATAERR, "a row of the history does not fit the tree zxid=0x%llx",
		    (unsigned long long)zxid);
	replica->figures.applied++;
	prep_applied(replica->prep, txn.zxid);
	write_time_seen(replica, txn.head.time_ns);
	recover_caught_up(replica);
	watch_send(replica, &txn);
	/* Who asked is not told by a change: so before anything that says how far things are. */
	if (txn.head.rid != 0)
		reply(replica, &txn);
	events_applied(replica, &txn);
	await_applied(replica);
	quota_applied(replica);
	close = closing(&txn);
	if (close != NULL)
		attend_closed(replica, close->id, close->expired != 0);
	else if (txn.nops == 1 && txn.ops[0].type == TXN_SESSION_OPEN)
		attend_opened(replica, &txn);
	msgpack_zone_clear(zone);
}
