/*
 * Transactions on the tree, one function per operation. Each sets absolute
 * values. In service what the transaction expects is there, or it is a bug; in
 * recovery the image may be ahead of the log (tree.md, "Transactions"): what is
 * already there is overwritten, what is gone is skipped, and a node may have no
 * place until the row that gave it its last one is replayed.
 */
#include "replica/tree/tree_internal.h"

#include "replica/lib/err.h"

#include <string.h>
#include <sys/stat.h>

/* Whether the node stands where the transaction says; recovery asks nobody. */
static bool
stands(const struct tree *tree, const struct znode *node, uint64_t parent, struct blob name)
{
	if (tree->recovering)
		return true;
	return node != NULL && node->placed && node->parent == parent &&
	    node->name_len == name.len && memcmp(node->name, name.data, name.len) == 0;
}

/* A child came, went or moved. */
static void
touch_parent(struct tree *tree, const struct txn *txn, uint64_t id, uint32_t cversion)
{
	struct znode *dir = tree_get(tree, id);

	if (dir == NULL) {
		CHECK(tree->recovering);
		return;
	}
	CHECK(tree->recovering || cversion == dir->cversion + 1);
	tree_change(tree, dir);
	dir->cversion = cversion;
	dir->pzxid = txn->zxid;
	dir->mtime_ns = txn->head.time_ns;
	dir->ctime_ns = txn->head.time_ns;
	tree_changed(tree, dir);
}

static void
apply_create(struct tree *tree, const struct txn *txn, const struct txn_create *op)
{
	struct znode *node = tree_get(tree, op->id);

	if (node == NULL) {
		CHECK(tree->recovering || op->id >= tree->next_id);
		node = tree_add(tree, op->id, op->name);
		node->parent = op->parent;
	} else {
		CHECK(tree->recovering);
		tree_change(tree, node);
		tree_unplace(tree, node);
		node = tree_rename(tree, node, op->parent, op->name);
	}
	tree_set_owner(tree, node, op->owner, op->handle);
	tree_resize(tree, node, op->value.len);
	if (op->value.len > 0)
		memcpy(node->value, op->value.data, op->value.len);
	node->mode = op->mode;
	node->uid = op->uid;
	node->gid = op->gid;
	node->version = node->cversion = node->aversion = 0;
	node->czxid = node->mzxid = node->pzxid = txn->zxid;
	node->birth_ns = node->mtime_ns = node->ctime_ns = txn->head.time_ns;
	tree_place(tree, node);
	tree_changed(tree, node);
	touch_parent(tree, txn, op->parent, op->parent_cversion);
}

static void
apply_delete(struct tree *tree, const struct txn *txn, const struct txn_delete *op)
{
	struct znode *node = tree_get(tree, op->id);

	CHECK(stands(tree, node, op->parent, op->name));
	if (node != NULL)
		tree_remove(tree, node);
	touch_parent(tree, txn, op->parent, op->parent_cversion);
}

static void
apply_write(struct tree *tree, const struct txn *txn, const struct txn_write *op)
{
	struct znode *node = tree_get(tree, op->id);

	if (node == NULL) {
		CHECK(tree->recovering);
		return;
	}
	CHECK(tree->recovering || op->version == node->version + 1);
	tree_change(tree, node);
	tree_resize(tree, node, op->size);
	if (op->data.len > 0)
		memcpy(node->value + op->offset, op->data.data, op->data.len);
	node->version = op->version;
	node->mzxid = txn->zxid;
	node->ctime_ns = txn->head.time_ns;
	if (!S_ISDIR(node->mode))
		node->mtime_ns = txn->head.time_ns;
	tree_changed(tree, node);
}

static void
apply_attr(struct tree *tree, const struct txn *txn, const struct txn_attr *op)
{
	struct znode *node = tree_get(tree, op->id);

	if (node == NULL) {
		CHECK(tree->recovering);
		return;
	}
	CHECK(tree->recovering || op->aversion == node->aversion + 1);
	tree_change(tree, node);
	node->aversion = op->aversion;
	node->mode = op->mode;
	node->uid = op->uid;
	node->gid = op->gid;
	node->ctime_ns = txn->head.time_ns;
	if (op->mtime != 0)
		node->mtime_ns = txn->head.time_ns;
	tree_changed(tree, node);
}

/* NULL, gone already, is fine. */
static void
move(struct tree *tree, const struct txn *txn, struct znode *node, uint64_t parent,
    struct blob name)
{
	if (node == NULL)
		return;
	tree_change(tree, node);
	tree_unplace(tree, node);
	node = tree_rename(tree, node, parent, name);
	node->ctime_ns = txn->head.time_ns;
	tree_place(tree, node);
	tree_changed(tree, node);
}

static void
apply_rename(struct tree *tree, const struct txn *txn, const struct txn_rename *op)
{
	struct znode *node = tree_get(tree, op->id);
	struct znode *other = op->id2 == 0 ? NULL : tree_get(tree, op->id2);

	CHECK(stands(tree, node, op->parent, op->name));
	CHECK(op->id2 == 0 || stands(tree, other, op->parent2, op->name2));
	if (op->exchange != 0) {
		if (other != NULL)
			tree_unplace(tree, other); /* makes room */
		move(tree, txn, node, op->parent2, op->name2);
		move(tree, txn, other, op->parent, op->name);
	} else {
		if (other != NULL)
			tree_remove(tree, other);
		move(tree, txn, node, op->parent2, op->name2);
	}
	touch_parent(tree, txn, op->parent, op->parent_cversion);
	if (op->parent2 != op->parent)
		touch_parent(tree, txn, op->parent2, op->parent2_cversion);
}

static void
apply_session_open(struct tree *tree, const struct txn_session_open *op)
{
	struct session *session = tree_get_session(tree, op->id);

	tree->hash -= session_hash(session);
	if (session->open)
		CHECK(tree->recovering);
	else
		tree_open_session(tree, session);
	session_set(session, op->secret, op->timeout_ms, op->identity, 0);
	tree->hash += session_hash(session);
	set_add(&tree->dirty.sessions, op->id);
}

static void
apply_session_close(struct tree *tree, const struct txn_session_close *op)
{
	struct session *session = map_get(tree->sessions, op->id);

	if (session == NULL || !session->open) {
		CHECK(tree->recovering);
		return;
	}
	tree->hash -= session_hash(session);
	tree_close_session(tree, session);
	set_add(&tree->dirty.sessions, op->id);
}

/* The retry table. */
static void
record(struct tree *tree, const struct txn *txn)
{
	struct session *session = map_get(tree->sessions, txn->head.session);
	struct session_result result = {
		.rid = txn->head.rid,
		.zxid = txn->zxid,
		.node = txn->head.result_id,
		.code = txn->head.code,
	};

	if (session == NULL || !session->open) {
		CHECK(tree->recovering);
		return;
	}
	tree->hash += session_acknowledge(session, txn->head.acked);
	tree->hash += session_keep(session, &result);
	set_add(&tree->dirty.sessions, session->id);
}

static void
apply_op(struct tree *tree, const struct txn *txn, const struct txn_op *op)
{
	switch (op->type) {
	case TXN_CREATE:
		apply_create(tree, txn, &op->create);
		break;
	case TXN_DELETE:
		apply_delete(tree, txn, &op->delete);
		break;
	case TXN_WRITE:
		apply_write(tree, txn, &op->write);
		break;
	case TXN_ATTR:
		apply_attr(tree, txn, &op->attr);
		break;
	case TXN_RENAME:
		apply_rename(tree, txn, &op->rename);
		break;
	case TXN_SESSION_OPEN:
		apply_session_open(tree, &op->session_open);
		break;
	case TXN_SESSION_CLOSE:
		apply_session_close(tree, &op->session_close);
		break;
	}
}

void
tree_apply(struct tree *tree, const struct txn *txn)
{
	CHECK(txn->zxid > tree->applied);
	CHECK(txn->head.code == ERR_OK || txn->nops == 0);
	for (uint32_t i = 0; i < txn->nops; i++)
		apply_op(tree, txn, &txn->ops[i]);
	if (txn->head.session != 0 && txn->head.rid != 0)
		record(tree, txn);
	tree->applied = txn->zxid;
}
