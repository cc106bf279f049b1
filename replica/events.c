/*
 * `.zab/events`: the history below a directory, as lines of text (event_text.c), from the log
 * where the reader is behind, then as it is made. A request waits here until there is something to
 * tell; what is too much for one reply goes on in the next, in the midst of a transaction if need
 * be. Called by replica.c and write.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ROWS_MAX 4096 /* of the log, looked at for one reply */

/* How far a reader was told: all up to zxid, and so many operations of the next transaction. */
struct upto {
	uint64_t zxid;
	uint32_t ops;
};

struct event_wait {
	TAILQ_ENTRY(event_wait) next;
	struct front *front;
	uint64_t rid, stream;
	struct event_reader reader;
	struct upto upto;
};

static void
reply(struct front *front, uint64_t rid, struct upto upto, const msgpack_sbuffer *text)
{
	struct blob data = { (const uint8_t *)text->data, (uint32_t)text->size };

	front_reply(front, rid, ERR_OK, upto.zxid, NULL, &data, upto.ops);
}

/*
 * So much of this mount's is unread that nothing is told now: it would be dropped, come back, and
 * ask the same. An answer without text stands behind what is unread; who gets it asks again. Not for
 * who is ahead: whatever an answer says has been seen (wire.h).
 */
static bool
put_off(struct front *front, uint64_t rid, struct upto upto)
{
	static const msgpack_sbuffer nothing;

	if (front_unsent(front) <= EVENT_UNSENT_MAX)
		return false;
	reply(front, rid, upto, &nothing);
	return true;
}

/* The next transaction. False: there was no room for all of it. */
static bool
tell(const struct replica *replica, const struct event_reader *reader, const struct txn *txn,
    struct upto *upto, msgpack_sbuffer *out)
{
	uint32_t ops = event_text(replica->tree, reader, txn, upto->ops, out);

	if (ops < txn->nops) {
		upto->ops = ops;
		return false;
	}
	*upto = (struct upto){ .zxid = txn->zxid };
	return true;
}

struct history {
	struct replica *replica;
	struct event_reader reader;
	struct upto upto;
	uint32_t rows;
	msgpack_sbuffer *out;
};

static bool
history_row(void *arg, uint64_t zxid, uint64_t prev_zxid, struct blob payload)
{
	struct history *history = arg;
	msgpack_zone *zone = history->replica->zone;
	struct txn txn;
	bool all;

	(void)prev_zxid;
	if (zxid > tree_applied(history->replica->tree))
		return false;
	CHECK(txn_unpack(payload, zxid, zone, &txn) == 0);
	all = tell(history->replica, &history->reader, &txn, &history->upto, history->out);
	msgpack_zone_clear(zone);
	return all && ++history->rows < ROWS_MAX && history->out->size < EVENT_TEXT_MAX;
}

/* What the log still has; what it has no longer is said to be lost. */
static struct upto
read_history(
    struct replica *replica, struct event_reader reader, struct upto after, msgpack_sbuffer *out)
{
	struct history history = {
		.replica = replica, .reader = reader, .upto = after, .out = out
	};
	uint64_t applied = tree_applied(replica->tree);

	if (after.zxid >= applied || rows_read(replica, after.zxid, history_row, &history))
		return history.upto;
	text_format(out, "lost 0x%" PRIx64 " 0x%" PRIx64 "\n", history.upto.zxid, applied);
	return (struct upto){ .zxid = applied };
}

static struct event_wait *
wait_find(const struct replica *replica, const struct front *front, uint64_t stream)
{
	struct event_wait *wait;

	TAILQ_FOREACH (wait, &replica->event_waits, next)
		if (wait->front == front && wait->stream == stream)
			return wait;
	return NULL;
}

static void
wait_end(struct replica *replica, struct event_wait *wait)
{
	TAILQ_REMOVE(&replica->event_waits, wait, next);
	replica->nevent_waits--;
	free(wait);
}

static void
cancel(struct replica *replica, struct front *front, const struct wire_events *msg)
{
	struct event_wait *wait = wait_find(replica, front, msg->stream);

	if (wait != NULL) {
		replica_answer(replica, front, wait->rid, ERR_INTR);
		wait_end(replica, wait);
	}
	replica_answer(replica, front, msg->rid, ERR_OK);
}

static struct event_reader
reader_of(const struct wire_events *msg)
{
	return (struct event_reader){ .root = msg->root, .dir = msg->dir };
}

/* ERR_OK: it waits. */
static int
keep(struct replica *replica, struct front *front, const struct wire_events *msg, struct upto upto)
{
	struct event_wait *wait;

	/* All that was to be told of it has been. */
	if (tree_node(replica->tree, msg->dir) == NULL)
		return ERR_NONODE;
	if (replica->nevent_waits >= EVENT_WAITS_MAX)
		return ERR_BUSY;
	wait = malloc(sizeof *wait);
	CHECK(wait != NULL);
	*wait = (struct event_wait){ .front = front,
		.rid = msg->rid,
		.stream = msg->stream,
		.reader = reader_of(msg),
		.upto = upto };
	TAILQ_INSERT_TAIL(&replica->event_waits, wait, next);
	replica->nevent_waits++;
	return ERR_OK;
}

/* Whoever begins names a directory; one that is gone still has a history. */
static int
check_dir(const struct tree *tree, const struct wire_events *msg)
{
	const struct znode *dir = tree_node(tree, msg->dir);

	if (dir == NULL)
		return msg->after == 0 ? ERR_NONODE : ERR_OK;
	return S_ISDIR(znode_mode(dir)) ? ERR_OK : ERR_NOTDIR;
}

void
events_request(struct replica *replica, struct front *front, const struct wire_events *msg)
{
	uint64_t applied = tree_applied(replica->tree);
	struct upto upto = { msg->after, msg->ops };
	msgpack_sbuffer text;
	int code;

	if (msg->dir == 0) {
		cancel(replica, front, msg);
		return;
	}
	if (msg->after != 0 && msg->after < applied && put_off(front, msg->rid, upto))
		return;
	msgpack_sbuffer_init(&text);
	code = check_dir(replica->tree, msg);
	if (code == ERR_OK && msg->after == 0)
		upto = (struct upto){ .zxid = applied };
	else if (code == ERR_OK)
		upto = read_history(replica, reader_of(msg), upto, &text);
	/* A long way without anything to tell is told, too: it need not be gone twice. */
	if (code == ERR_OK && (msg->after == 0 || text.size != 0 || upto.zxid < applied))
		reply(front, msg->rid, upto, &text);
	else if (code == ERR_OK)
		code = keep(replica, front, msg, upto);
	if (code != ERR_OK)
		replica_answer(replica, front, msg->rid, code);
	msgpack_sbuffer_destroy(&text);
}

void
events_applied(struct replica *replica, const struct txn *txn)
{
	struct event_wait *wait, *next;
	msgpack_sbuffer text;

	if (TAILQ_EMPTY(&replica->event_waits))
		return;
	msgpack_sbuffer_init(&text);
	TAILQ_FOREACH_SAFE (wait, &replica->event_waits, next, next) {
		/* Who asked from a point that is ahead waits for it. */
		if (txn->zxid <= wait->upto.zxid)
			continue;
		if (put_off(wait->front, wait->rid, wait->upto)) {
			wait_end(replica, wait);
			continue;
		}
		msgpack_sbuffer_clear(&text);
		tell(replica, &wait->reader, txn, &wait->upto, &text);
		if (text.size == 0)
			continue;
		reply(wait->front, wait->rid, wait->upto, &text);
		wait_end(replica, wait);
	}
	msgpack_sbuffer_destroy(&text);
}

void
events_drop(struct replica *replica)
{
	struct event_wait *wait;

	while ((wait = TAILQ_FIRST(&replica->event_waits)) != NULL)
		wait_end(replica, wait);
}

void
events_front_gone(struct replica *replica, const struct front *front)
{
	struct event_wait *wait, *next;

	TAILQ_FOREACH_SAFE (wait, &replica->event_waits, next, next)
		if (wait->front == front)
			wait_end(replica, wait);
}
