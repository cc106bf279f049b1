/*
 * The change stream: what a transaction changed goes to every front end whose
 * kernel knows one of the nodes, before any reply that reflects it. The same
 * stream comes from the log for a front end that reattaches.
 */
#include "replica/replica.h"

#include "replica/lib/err.h"
#include "replica/lib/log.h"
#include "replica/tree/change.h"

#include <sysexits.h>

/* Of the log, for one front end in one turn of the loop: the others wait so long. */
#define RESUME_ROWS 2048u
#define RESUME_BYTES (4u << 20)

static bool
concerns(const struct front *front, const struct wire_change *change)
{
	return front_interested(front, change->id) || front_interested(front, change->parent) ||
	       (change->id2 != 0 && front_interested(front, change->id2)) ||
	       (change->parent2 != 0 && front_interested(front, change->parent2));
}

/* Its session asked for it, and it raises the events by itself. */
static bool
is_own(const struct front *front, const struct txn *txn)
{
	return txn->head.session == front_session(front) && (txn->head.flags & WIRE_ECHO) == 0;
}

/* As it is now; empty: it is gone. */
static struct blob
stat_of(const struct replica *replica, uint64_t id, msgpack_sbuffer *packed)
{
	const struct znode *node = tree_node(replica->tree, id);
	struct wire_stat stat;

	if (node == NULL)
		return (struct blob){ 0 };
	znode_stat(replica->tree, node, &stat);
	wire_stat_pack(packed, &stat);
	return (struct blob){ (const uint8_t *)packed->data, (uint32_t)packed->size };
}

static void
send_change(struct replica *replica, struct front *front, const struct wire_change *change)
{
	struct wire_msg msg = { .type = WIRE_T_CHANGE, .change = *change };
	msgpack_sbuffer packed[2];

	msgpack_sbuffer_init(&packed[0]);
	msgpack_sbuffer_init(&packed[1]);
	msg.change.stat = stat_of(replica, change->id, &packed[0]);
	if (change->kind == WIRE_ADD || change->kind == WIRE_REMOVE)
		msg.change.pstat = stat_of(replica, change->parent, &packed[1]);
	front_send(front, &msg);
	msgpack_sbuffer_destroy(&packed[0]);
	msgpack_sbuffer_destroy(&packed[1]);
}

/*
 * What the front end itself has asked for is told by the answer, if that is about to follow: `live`,
 * and asked for here. Otherwise it is told as its own: until it has asked once more, a read behind an
 * fsync would show what was there before, and others see what is there now.
 * `last` marks the final change on this connection: so each is sent when the next is known.
 */
static void
send_txn(struct replica *replica, struct front *front, const struct txn *txn, bool live)
{
	struct wire_change change, held;
	bool any = false, own = is_own(front, txn);
	uint32_t i;

	if (own && live && request_waits(replica, front, txn->head.rid))
		return;
	for (i = 0; i < txn->nops; i++) {
		if (!change_of(txn, i, &change) || !concerns(front, &change))
			continue;
		change.own = own;
		if (any)
			send_change(replica, front, &held);
		held = change;
		any = true;
	}
	if (!any)
		return;
	held.last = 1;
	send_change(replica, front, &held);
}

void
watch_send(struct replica *replica, const struct txn *txn)
{
	struct front *front;

	for (front = front_next(replica->fronts, NULL); front != NULL;
	     front = front_next(replica->fronts, front))
		if (front_resumed(front))
			send_txn(replica, front, txn, true);
}

struct resume {
	struct replica *replica;
	struct front *front;
	uint64_t upto; /* the last row */
	size_t rows, bytes;
	bool broken, too_much;
};

static bool
is_long(const struct resume *resume)
{
	return resume->rows >= RESUME_ROWS || resume->bytes >= RESUME_BYTES;
}

static bool
resume_row(void *arg, uint64_t zxid, struct blob payload)
{
	struct resume *resume = arg;
	struct txn txn;

	/* What is logged and not yet applied will come live. */
	if (zxid > tree_applied(resume->replica->tree))
		return false;
	/* The front end forgets what it cached rather than be told all of it. */
	resume->too_much = front_unsent(resume->front) > FRONT_RESUME_MAX;
	if (resume->too_much)
		return false;
	resume->broken = txn_unpack(payload, zxid, resume->replica->zone, &txn) != 0;
	if (!resume->broken)
		send_txn(resume->replica, resume->front, &txn, false);
	msgpack_zone_clear(resume->replica->zone);
	resume->upto = zxid;
	resume->rows++;
	resume->bytes += payload.len;
	return !resume->broken && !is_long(resume);
}

void
watch_resume(struct replica *replica, struct front *front)
{
	struct resume resume = { .replica = replica, .front = front };
	uint64_t seen = front_seen(front), applied = tree_applied(replica->tree);
	int code = ERR_OK;

	/* A session's id is the zxid of its opening: what was before doesn't concern it. */
	if (seen < front_session(front))
		seen = front_session(front);
	if (seen < applied)
		code = store_read(replica->store, seen, resume_row, &resume);
	if (code == ERR_IO || resume.broken)
		fatal(EX_DATAERR, "log.db is damaged above zxid=0x%llx", (unsigned long long)seen);
	/* What is applied meanwhile is behind it in the log. */
	if (code == ERR_OK && !resume.too_much && is_long(&resume)) {
		front_resume_on(front, resume.upto);
		return;
	}
	front_resume_done(front, applied, code == ERR_OK && !resume.too_much);
}
