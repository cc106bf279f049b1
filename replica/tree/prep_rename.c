/*
 * RENAME: what it needs, in the order in which Linux checks, and what results. A subtree that
 * comes into one with a quota needs room there. See prep_internal.h.
 */
#include "replica/tree/prep_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/node.h"

#include <sys/stat.h>

#define RENAME_NOREPLACE_FLAG 1u
#define RENAME_EXCHANGE_FLAG 2u

/* Whether `id` is `dir` or lies above it. */
static bool
is_above(const struct prep_job *job, uint64_t id, uint64_t dir)
{
	struct view_node node;

	while (dir != 0) {
		if (dir == id)
			return true;
		if (!view_get(job->view, dir, &node))
			return false;
		dir = node.parent;
	}
	return false;
}

struct move {
	struct view_node node, other; /* other.id 0: nobody is at the new name */
	struct usage usage, other_usage;
	bool exchange;
};

static int
check_replaced(const struct move *move)
{
	if (move->other.id == 0 || move->exchange)
		return 0;
	if (S_ISDIR(move->node.mode) && !S_ISDIR(move->other.mode))
		return ERR_NOTDIR;
	if (!S_ISDIR(move->node.mode) && S_ISDIR(move->other.mode))
		return ERR_ISDIR;
	return move->other.children != 0 ? ERR_NOTEMPTY : 0;
}

static int
check_rename(const struct prep_job *job, const struct wire_rename *msg, struct move *move)
{
	struct view_node dir, newdir;
	uint64_t id, other;
	int code;

	if (msg->how > RENAME_EXCHANGE_FLAG)
		return ERR_INVAL;
	code = node_check_name(msg->name);
	if (code == 0)
		code = node_check_name(msg->newname);
	if (code == 0)
		code = prep_get_dir(job, msg->parent, &dir);
	if (code == 0)
		code = prep_get_dir(job, msg->newparent, &newdir);
	if (code != 0)
		return code;
	id = view_child(job->view, msg->parent, msg->name);
	if (msg->id != 0 && id != msg->id)
		return ERR_NONODE;
	if (id == 0 || !view_get(job->view, id, &move->node))
		return ERR_NONODE;
	other = view_child(job->view, msg->newparent, msg->newname);
	if (msg->id2 != 0 && other != msg->id2)
		return ERR_NONODE;
	move->other.id = 0;
	if (other != 0)
		CHECK(view_get(job->view, other, &move->other));
	move->exchange = msg->how == RENAME_EXCHANGE_FLAG;
	if (msg->how == RENAME_NOREPLACE_FLAG && other != 0)
		return ERR_EXISTS;
	if (move->exchange && other == 0)
		return ERR_NONODE;
	if (prep_is_guarded(&dir, &move->node, msg->uid) ||
	    (other != 0 && prep_is_guarded(&newdir, &move->other, msg->uid)))
		return ERR_PERM;
	if (is_above(job, id, msg->newparent))
		return ERR_INVAL;
	if (move->exchange && is_above(job, other, msg->parent))
		return ERR_INVAL;
	if (!move->exchange && other != 0 && is_above(job, other, msg->parent))
		return ERR_NOTEMPTY;
	return other == id ? 0 : check_replaced(move);
}

/* How many directories are above it. */
static uint32_t
depth(const struct prep_job *job, uint64_t dir)
{
	uint32_t n = 0;

	while ((dir = view_parent(job->view, dir)) != 0)
		n++;
	return n;
}

/* The nearest directory that both are, or are in. */
static uint64_t
common(const struct prep_job *job, uint64_t a, uint64_t b)
{
	uint32_t a_depth = depth(job, a), b_depth = depth(job, b);

	while (a != b) {
		if (a_depth >= b_depth) {
			a = view_parent(job->view, a);
			a_depth--;
		} else {
			b = view_parent(job->view, b);
			b_depth--;
		}
	}
	return a;
}

/* Where both directories are, nothing comes. */
static int
check_room(const struct prep_job *job, const struct wire_rename *msg, const struct move *move)
{
	struct usage more = { move->usage.nodes - move->other_usage.nodes,
		move->usage.bytes - move->other_usage.bytes };
	struct usage back = { -more.nodes, -more.bytes };
	uint64_t upto;
	int code;

	if (msg->parent == msg->newparent || !view_is_limited(job->view))
		return 0;
	upto = common(job, msg->parent, msg->newparent);
	code = prep_room(job, msg->newparent, upto, &more);
	if (code == 0 && move->exchange)
		code = prep_room(job, msg->parent, upto, &back);
	return code;
}

/* What leaves one directory, with all that is below it, comes to the other. */
static void
charge(struct prep_job *job, uint64_t from, uint64_t to, const struct usage *usage)
{
	struct usage less = { -usage->nodes, -usage->bytes };

	view_charge(job->view, from, &less, job->zxid);
	if (to != 0)
		view_charge(job->view, to, usage, job->zxid);
}

static void
rename_op(struct prep_job *job, const struct wire_rename *msg, const struct move *move)
{
	struct txn_rename *op = &prep_op(job, TXN_RENAME)->rename;
	struct view_node dir;

	op->id = move->node.id;
	op->parent = msg->parent;
	op->name = msg->name;
	op->mode = move->node.mode;
	op->id2 = move->other.id;
	op->parent2 = msg->newparent;
	op->name2 = msg->newname;
	op->mode2 = move->other.id == 0 ? 0 : move->other.mode;
	op->exchange = move->exchange;
	CHECK(view_get(job->view, msg->parent, &dir));
	op->parent_cversion = dir.cversion;
	CHECK(view_get(job->view, msg->newparent, &dir));
	op->parent2_cversion = dir.cversion;
}

int
prep_rename(struct prep_job *job, const struct wire_rename *msg)
{
	struct view_node dir;
	struct move move;
	int code = check_rename(job, msg, &move);

	if (code != 0)
		return code;
	if (move.other.id == move.node.id) {
		/* The same name twice: nothing changes, as in rename(2). */
		job->out->head.result_id = move.node.id;
		return 0;
	}
	view_usage(job->view, move.node.id, &move.usage);
	move.other_usage = (struct usage){ 0 };
	if (move.other.id != 0)
		view_usage(job->view, move.other.id, &move.other_usage);
	code = check_room(job, msg, &move);
	if (code != 0)
		return code;

	job->out->head.result_id = move.node.id;
	charge(job, msg->parent, msg->newparent, &move.usage);
	if (move.other.id != 0)
		charge(job, msg->newparent, move.exchange ? msg->parent : 0, &move.other_usage);
	CHECK(view_get(job->view, msg->parent, &dir));
	prep_dir_change(job, &dir, move.exchange ? 0 : -1);
	CHECK(view_get(job->view, msg->newparent, &dir));
	dir.cversion -= msg->parent == msg->newparent; /* one change of one directory */
	prep_dir_change(job, &dir, move.exchange || move.other.id != 0 ? 0 : 1);

	if (move.other.id != 0 && !move.exchange)
		view_remove(job->view, move.other.id, job->zxid);
	view_name(job->view, msg->parent, msg->name, move.exchange ? move.other.id : 0, job->zxid);
	view_name(job->view, msg->newparent, msg->newname, move.node.id, job->zxid);
	prep_set_name(&move.node, msg->newparent, msg->newname);
	view_put(job->view, &move.node, job->zxid);
	if (move.exchange) {
		prep_set_name(&move.other, msg->parent, msg->name);
		view_put(job->view, &move.other, job->zxid);
	}
	rename_op(job, msg, &move);
	return 0;
}
