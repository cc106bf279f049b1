/*
 * `.zab/events`: the history below a directory, as lines of text, from the log
 * where the reader is behind, then as it is made. A request waits here until
 * there is something to tell. Called by replica.c and write.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/change.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_MAX (128u << 10) /* bytes of lines in one reply, about */
#define ROWS_MAX 4096	      /* of the log, looked at for one reply */
#define DEPTH_MAX 4096	      /* a path that has more names is told by its last ones */

struct event_wait {
	TAILQ_ENTRY(event_wait) next;
	struct front *front;
	uint64_t rid, dir, after, stream;
};

static void
put(msgpack_sbuffer *out, const char *text, size_t len)
{
	CHECK(len == 0 || msgpack_sbuffer_write(out, text, len) == 0);
}

/* A name's bytes, those that would end a word as \NNN. */
static void
put_name(msgpack_sbuffer *out, struct blob name)
{
	char escaped[8];
	uint32_t i;

	for (i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];

		if (c > ' ' && c != 127 && c != '\\')
			put(out, (const char *)&name.data[i], 1);
		else
			put(out, escaped,
			    (size_t)snprintf(escaped, sizeof escaped, "\\%03o", c));
	}
}

struct chain {
	const struct znode *nodes[DEPTH_MAX]; /* from the parent up, without the root */
	uint32_t count;
	uint64_t broken; /* id of a directory that is gone; 0: none is */
	bool below;	 /* `dir` is among them */
};

static void
climb(const struct tree *tree, uint64_t id, uint64_t dir, struct chain *chain)
{
	const struct znode *node;
	struct wire_stat stat;

	*chain = (struct chain){ .below = id == dir };
	while (id != TREE_ROOT && chain->count < DEPTH_MAX) {
		node = tree_node(tree, id);
		if (node == NULL) {
			chain->broken = id;
			return;
		}
		chain->nodes[chain->count++] = node;
		znode_stat(tree, node, &stat);
		id = stat.parent;
		chain->below = chain->below || id == dir;
	}
}

static void
put_path(msgpack_sbuffer *out, const struct chain *chain, struct blob name)
{
	char text[32];
	uint32_t i;

	if (chain->broken != 0)
		put(out, text,
		    (size_t)snprintf(text, sizeof text, "#%" PRIu64, chain->broken));
	for (i = chain->count; i > 0; i--) {
		put(out, "/", 1);
		put_name(out, znode_name(chain->nodes[i - 1]));
	}
	if (name.len != 0 || (chain->count == 0 && chain->broken == 0))
		put(out, "/", 1);
	put_name(out, name);
}

static const char *
kind_of(const struct wire_change *change)
{
	switch (change->kind) {
	case WIRE_ADD:
		return S_ISDIR(change->mode) ? "mkdir" : S_ISLNK(change->mode) ? "symlink" : "create";
	case WIRE_REMOVE:
		return S_ISDIR(change->mode) ? "rmdir" : "delete";
	case WIRE_MOVE:
		return "move";
	case WIRE_SWAP:
		return "exchange";
	case WIRE_VALUE:
		return "set";
	default:
		return "attr";
	}
}

static void
put_version(msgpack_sbuffer *out, const struct txn_op *op)
{
	char text[32] = "-";

	if (op->type == TXN_CREATE)
		strcpy(text, "0");
	else if (op->type == TXN_WRITE)
		snprintf(text, sizeof text, "%" PRIu32, op->write.version);
	put(out, text, strlen(text));
}

/* One operation, if it is below the directory. */
static void
put_change(const struct replica *replica, uint64_t dir, const struct txn *txn, uint32_t i,
    msgpack_sbuffer *out)
{
	static struct chain from, to; /* large, and of one thread */
	struct wire_change change;
	char zxid[32];

	if (!change_of(txn, i, &change))
		return;
	climb(replica->tree, change.parent == 0 ? TREE_ROOT : change.parent, dir, &from);
	to.below = false;
	if (change.parent2 != 0)
		climb(replica->tree, change.parent2, dir, &to);
	/* Whose directory is gone may have been below: it is told rather than left out. */
	if (!from.below && !to.below && from.broken == 0 && change.id != dir)
		return;
	put(out, zxid, (size_t)snprintf(zxid, sizeof zxid, "0x%" PRIx64 " ", txn->zxid));
	put(out, kind_of(&change), strlen(kind_of(&change)));
	put(out, " ", 1);
	put_path(out, &from, change.name);
	if (change.parent2 != 0) {
		put(out, " ", 1);
		put_path(out, &to, change.name2);
	}
	put(out, " ", 1);
	put_version(out, &txn->ops[i]);
	put(out, "\n", 1);
}

static void
put_txn(const struct replica *replica, uint64_t dir, const struct txn *txn, msgpack_sbuffer *out)
{
	uint32_t i;

	for (i = 0; i < txn->nops; i++)
		put_change(replica, dir, txn, i, out);
}

static void
reply(struct front *front, uint64_t rid, uint64_t upto, const msgpack_sbuffer *text)
{
	struct blob data = { (const uint8_t *)text->data, (uint32_t)text->size };

	front_reply(front, rid, ERR_OK, upto, NULL, &data, 0);
}

struct history {
	struct replica *replica;
	uint64_t dir, upto;
	uint32_t rows;
	msgpack_sbuffer *out;
};

static bool
history_row(void *arg, uint64_t zxid, uint64_t prev_zxid, struct blob payload)
{
	struct history *history = arg;
	struct replica *replica = history->replica;
	msgpack_zone *zone;
	struct txn txn;

	(void)prev_zxid;
	if (zxid > tree_applied(replica->tree))
		return false;
	zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	CHECK(zone != NULL && txn_unpack(payload, zxid, zone, &txn) == 0);
	put_txn(replica, history->dir, &txn, history->out);
	msgpack_zone_free(zone);
	history->upto = zxid;
	return ++history->rows < ROWS_MAX && history->out->size < TEXT_MAX;
}

/* What the log still has; what it has no longer is said to be lost. */
static uint64_t
read_history(struct replica *replica, uint64_t dir, uint64_t after, msgpack_sbuffer *out)
{
	struct history history = { .replica = replica, .dir = dir, .upto = after, .out = out };
	uint64_t applied = tree_applied(replica->tree);
	char line[80];

	if (after >= applied)
		return after;
	if (rows_read(replica, after, history_row, &history))
		return history.upto;
	put(out, line,
	    (size_t)snprintf(
		line, sizeof line, "lost 0x%" PRIx64 " 0x%" PRIx64 "\n", after, applied));
	return applied;
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
		front_reply(front, wait->rid, ERR_INTR, tree_applied(replica->tree), NULL, NULL, 0);
		wait_end(replica, wait);
	}
	front_reply(front, msg->rid, ERR_OK, tree_applied(replica->tree), NULL, NULL, 0);
}

static void
keep(struct replica *replica, struct front *front, const struct wire_events *msg, uint64_t upto)
{
	struct event_wait *wait = malloc(sizeof *wait);

	CHECK(wait != NULL);
	*wait = (struct event_wait){ .front = front,
		.rid = msg->rid,
		.dir = msg->dir,
		.after = upto,
		.stream = msg->stream };
	TAILQ_INSERT_TAIL(&replica->event_waits, wait, next);
	replica->nevent_waits++;
}

void
events_request(struct replica *replica, struct front *front, const struct wire_events *msg)
{
	const struct znode *dir = tree_node(replica->tree, msg->dir);
	uint64_t applied = tree_applied(replica->tree), upto = applied;
	msgpack_sbuffer text;
	int code = ERR_OK;

	if (msg->dir == 0) {
		cancel(replica, front, msg);
		return;
	}
	if (dir == NULL || !S_ISDIR(znode_mode(dir)))
		code = dir == NULL ? ERR_NONODE : ERR_NOTDIR;
	else if (replica->nevent_waits >= EVENT_WAITS_MAX)
		code = ERR_BUSY;
	if (code != ERR_OK) {
		front_reply(front, msg->rid, code, applied, NULL, NULL, 0);
		return;
	}
	msgpack_sbuffer_init(&text);
	if (msg->after != 0)
		upto = read_history(replica, msg->dir, msg->after, &text);
	/* A long way without anything to tell is told, too: it need not be gone twice. */
	if (msg->after == 0 || text.size != 0 || upto < applied)
		reply(front, msg->rid, upto, &text);
	else
		keep(replica, front, msg, upto);
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
		if (txn->zxid <= wait->after)
			continue;
		msgpack_sbuffer_clear(&text);
		put_txn(replica, wait->dir, txn, &text);
		wait->after = txn->zxid;
		if (text.size == 0)
			continue;
		reply(wait->front, wait->rid, txn->zxid, &text);
		wait_end(replica, wait);
	}
	msgpack_sbuffer_destroy(&text);
}

void
events_front_gone(struct replica *replica, const struct front *front)
{
	struct event_wait *wait, *next;

	TAILQ_FOREACH_SAFE (wait, &replica->event_waits, next, next)
		if (wait->front == front)
			wait_end(replica, wait);
}
