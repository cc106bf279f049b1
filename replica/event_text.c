/*
 * The lines of `.zab/events` (zabfs(7)): what the operations of a transaction say of a directory
 * and of what is below it. Paths are those of the tree as it is now, from the root of the reader's
 * mount on; what is not below that is not his to know. Called by events.c.
 */
#include "replica/replica.h"

#include "replica/lib/text.h"
#include "replica/tree/change.h"

#include <inttypes.h>
#include <sys/stat.h>

#define NAMES_MAX 256 /* of a path; one that is longer begins with a number */
#define PATH_TEXT_MAX (NAMES_MAX * (1 + TEXT_ESCAPED_MAX * WIRE_NAME_MAX) + 64)
#define LINE_TEXT_MAX (2 * PATH_TEXT_MAX + 64)

_Static_assert(EVENT_TEXT_MAX + LINE_TEXT_MAX <= WIRE_VALUE_MAX, "what is told fits into a reply");

static void
put_name(msgpack_sbuffer *out, struct blob name)
{
	text_name(out, name.data, name.len);
}

/* Where a directory stands. */
struct place {
	const struct znode *names[NAMES_MAX]; /* from the directory up, without the root */
	uint32_t count;
	uint64_t
	    start;    /* the directory above them, if that is not the root: told by its id; or 0 */
	bool gone;    /* it is not there any more: what was above it is not known */
	bool outside; /* the reader's root is not above it, or that is not known */
	bool below;   /* the reader's directory is among them */
};

static void
place_of(
    const struct tree *tree, const struct event_reader *reader, uint64_t id, struct place *place)
{
	const struct znode *node;
	struct wire_stat stat;

	place->count = 0;
	place->start = 0;
	place->gone = false;
	place->outside = false;
	place->below = id == reader->dir;
	while (id != reader->root) {
		node = tree_node(tree, id);
		if (node == NULL || place->count == NAMES_MAX)
			place->start = place->start == 0 ? id : place->start;
		if (node == NULL || id == TREE_ROOT) {
			place->gone = node == NULL;
			place->outside = reader->root != TREE_ROOT;
			return;
		}
		if (place->start == 0)
			place->names[place->count++] = node;
		znode_stat(tree, node, &stat);
		id = stat.parent;
		place->below = place->below || id == reader->dir;
	}
}

static void
put_path(msgpack_sbuffer *out, const struct place *place, struct blob name)
{
	uint32_t i;

	if (place->outside) {
		text_add(out, "-");
		return;
	}
	if (place->start != 0)
		text_format(out, "#%" PRIu64, place->start);
	for (i = place->count; i > 0; i--) {
		text_add(out, "/");
		put_name(out, znode_name(place->names[i - 1]));
	}
	if (name.len != 0 || (place->count == 0 && place->start == 0))
		text_add(out, "/");
	put_name(out, name);
}

static const char *
kind_of(const struct wire_change *change)
{
	switch (change->kind) {
	case WIRE_ADD:
		return S_ISDIR(change->mode)   ? "mkdir"
		       : S_ISLNK(change->mode) ? "symlink"
					       : "create";
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
	if (op->type == TXN_CREATE)
		text_add(out, "0");
	else if (op->type == TXN_WRITE)
		text_format(out, "%" PRIu32, op->write.version);
	else
		text_add(out, "-");
}

/*
 * A name of the reader's root is above it, and he knows none: moved, the root is where it was for
 * him; replaced, it is removed. False: there is nothing to tell.
 */
static bool
at_root(uint64_t root, struct wire_change *change)
{
	bool moves = change->kind == WIRE_MOVE || change->kind == WIRE_SWAP;

	if (change->id != root && change->id2 != root)
		return true;
	if (moves && (change->kind == WIRE_SWAP || change->id == root))
		return false;
	if (moves)
		change->kind = WIRE_REMOVE;
	change->id = change->parent = root;
	change->id2 = change->parent2 = 0;
	change->name.len = 0;
	return true;
}

/*
 * What stands where nobody knows may have been below: it is told rather than left out, unless it
 * may have been outside of the mount, too.
 */
static bool
concerns(const struct event_reader *reader, const struct place *place, uint64_t id)
{
	return !place->outside && (place->below || place->gone || id == reader->dir);
}

/* One operation, if it is below the directory, or the directory itself. */
static void
put_change(const struct tree *tree, const struct event_reader *reader, const struct txn *txn,
    uint32_t i, msgpack_sbuffer *out)
{
	static struct place from, to; /* large, and of one thread */
	struct wire_change change;
	bool two, told;

	if (!change_of(txn, i, &change) || !at_root(reader->root, &change))
		return;
	two = change.parent2 != 0;
	place_of(tree, reader, change.parent, &from);
	told = concerns(reader, &from, change.id) || concerns(reader, &from, change.id2);
	if (two) {
		place_of(tree, reader, change.parent2, &to);
		told =
		    told || concerns(reader, &to, change.id) || concerns(reader, &to, change.id2);
	}
	if (!told)
		return;
	text_format(out, "0x%" PRIx64 " ", txn->zxid);
	text_add(out, kind_of(&change));
	text_add(out, " ");
	put_path(out, &from, change.name);
	if (two) {
		text_add(out, " ");
		put_path(out, &to, change.name2);
	}
	text_add(out, " ");
	put_version(out, &txn->ops[i]);
	text_add(out, "\n");
}

uint32_t
event_text(const struct tree *tree, const struct event_reader *reader, const struct txn *txn,
    uint32_t first, msgpack_sbuffer *out)
{
	uint32_t i;

	for (i = first; i < txn->nops && out->size < EVENT_TEXT_MAX; i++)
		put_change(tree, reader, txn, i, out);
	return i;
}
