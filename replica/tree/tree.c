/*
 * The tree: transactions applied, nodes read. See tree.h. One function per
 * operation; each takes what it finds, which in service is noted.
 */
#include "replica/tree/tree.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/expiry.h"
#include "replica/tree/image_internal.h"
#include "replica/tree/lock.h"
#include "replica/tree/node.h"
#include "replica/tree/quota.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tree *
tree_new(void)
{
	struct tree *tree = calloc(1, sizeof *tree);
	struct znode *root;

	CHECK(tree != NULL);
	root = node_new(tree, TREE_ROOT, (struct blob){ 0 });
	root->mode = S_IFDIR | 0755;
	root->placed = true; /* it has no parent to stand in */
	tree->unplaced--;
	tree->next_id = TREE_ROOT + 1;
	node_end(tree, root);
	return tree;
}

void
tree_free(struct tree *tree)
{
	struct session *session;
	struct znode *node;
	Word_t key = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(tree->nodes, &key, PJE0); slot != NULL;
	     slot = JudyLNext(tree->nodes, &key, PJE0)) {
		node = *slot;
		if (node->children != NULL)
			Judy1FreeArray(&node->children->ids, PJE0);
		free(node->children);
		free(node->value);
		free(node);
	}
	JudyLFreeArray(&tree->nodes, PJE0);
	key = 0;
	while ((slot = JudyLFirst(tree->sessions, &key, PJE0)) != NULL) {
		session = *slot;
		session_free(tree, session);
		key = 0;
	}
	Judy1FreeArray(&tree->dirty_nodes, PJE0);
	Judy1FreeArray(&tree->dirty_sessions, PJE0);
	expiry_free(tree);
	lock_free(tree);
	quota_free(tree);
	image_pass_free(tree->pass);
	free(tree);
}

static bool
at(const struct znode *node, uint64_t parent, struct blob name)
{
	return node->placed && node->parent == parent && node->name_len == name.len &&
	       memcmp(node->name, name.data, name.len) == 0;
}

void
tree_misfit(struct tree *tree)
{
	tree->misfit = tree->misfit || !tree->recovering;
}

bool
tree_fits(const struct tree *tree)
{
	return !tree->misfit;
}

/* What an operation expects. */
static bool
expect(struct tree *tree, bool holds)
{
	if (!holds)
		tree_misfit(tree);
	return holds;
}

static void
dir_changed(struct tree *tree, const struct txn *txn, uint64_t id, uint32_t cversion)
{
	struct znode *dir = node_find(tree, id);

	if (!expect(tree, dir != NULL))
		return;
	expect(tree, cversion == dir->cversion + 1);
	node_begin(tree, dir);
	dir->cversion = cversion;
	dir->pzxid = txn->zxid;
	dir->mtime_ns = txn->head.time_ns;
	dir->ctime_ns = txn->head.time_ns;
	node_end(tree, dir);
}

static void
delete_node(struct tree *tree, struct znode *node)
{
	uint64_t id = node->id;

	node_begin(tree, node);
	if (wire_owner_is_session(node->owner))
		session_ephemeral_remove(tree, node->owner, id);
	node_free(tree, node);
	CHECK(Judy1Set(&tree->dirty_nodes, id, PJE0) != JERR);
}

static void
apply_create(struct tree *tree, const struct txn *txn, const struct txn_create *op)
{
	struct znode *node = node_find(tree, op->id);

	expect(tree, node == NULL && op->id >= tree->next_id);
	if (node == NULL)
		node = node_new(tree, op->id, op->name);
	else
		node_begin(tree, node);
	/* Its value is there when it is counted. */
	node_write(tree, node, op->value.len, 0, op->value, true);
	node = node_place(tree, node, op->parent, op->name);
	if (node->owner != op->owner)
		session_ephemeral_remove(tree, node->owner, op->id);
	quota_remove(tree, op->id);
	tree->ephemerals -= wire_owner_is_session(node->owner);
	tree->ephemerals += wire_owner_is_session(op->owner);
	node->mode = op->mode;
	node->uid = op->uid;
	node->gid = op->gid;
	node->owner = op->owner;
	node->czxid = node->mzxid = node->pzxid = txn->zxid;
	node->version = node->cversion = node->aversion = 0;
	node->birth_ns = node->mtime_ns = node->ctime_ns = txn->head.time_ns;
	node_end(tree, node);
	if (wire_owner_is_session(op->owner))
		session_ephemeral_add(tree, op->owner, op->id, op->handle);
	if (op->id >= tree->next_id)
		tree->next_id = op->id + 1;
	dir_changed(tree, txn, op->parent, op->parent_cversion);
}

static void
apply_delete(struct tree *tree, const struct txn *txn, const struct txn_delete *op)
{
	struct znode *node = node_find(tree, op->id);

	if (expect(
		tree, node != NULL && at(node, op->parent, op->name) && node->children == NULL) ||
	    node != NULL)
		delete_node(tree, node);
	dir_changed(tree, txn, op->parent, op->parent_cversion);
}

static void
apply_write(struct tree *tree, const struct txn *txn, const struct txn_write *op)
{
	struct znode *node = node_find(tree, op->id);

	expect(tree,
	    node != NULL && at(node, op->parent, op->name) && node->version + 1 == op->version);
	if (node == NULL)
		return;
	node_begin(tree, node);
	node_write(tree, node, op->size, op->offset, op->data, op->whole != 0);
	node->version = op->version;
	node->mzxid = txn->zxid;
	node->ctime_ns = txn->head.time_ns;
	if (!S_ISDIR(node->mode))
		node->mtime_ns = txn->head.time_ns;
	node_end(tree, node);
}

static void
apply_attr(struct tree *tree, const struct txn *txn, const struct txn_attr *op)
{
	struct znode *node = node_find(tree, op->id);

	expect(tree, node != NULL && node->aversion + 1 == op->aversion);
	if (node == NULL)
		return;
	node_begin(tree, node);
	node->mode = op->mode;
	node->uid = op->uid;
	node->gid = op->gid;
	node->aversion = op->aversion;
	node->ctime_ns = txn->head.time_ns;
	if (op->mtime)
		node->mtime_ns = txn->head.time_ns;
	node_end(tree, node);
}

/* Puts a node that exists to its new place. */
static void
move_node(struct tree *tree, const struct txn *txn, uint64_t id, uint64_t parent, struct blob name)
{
	struct znode *node = node_find(tree, id);

	if (node == NULL)
		return;
	node_begin(tree, node);
	node = node_place(tree, node, parent, name);
	node->ctime_ns = txn->head.time_ns;
	node_end(tree, node);
}

static void
apply_rename(struct tree *tree, const struct txn *txn, const struct txn_rename *op)
{
	struct znode *node = node_find(tree, op->id),
		     *other = op->id2 == 0 ? NULL : node_find(tree, op->id2);

	expect(tree, node != NULL && at(node, op->parent, op->name));
	expect(tree, op->id2 == 0 || (other != NULL && at(other, op->parent2, op->name2)));
	if (other != NULL && !op->exchange)
		delete_node(tree, other);
	/* Both leave before one arrives: neither is in the other's way. */
	if (other != NULL && op->exchange)
		node_unplace(tree, other);
	move_node(tree, txn, op->id, op->parent2, op->name2);
	if (op->exchange)
		move_node(tree, txn, op->id2, op->parent, op->name);
	dir_changed(tree, txn, op->parent, op->parent_cversion);
	if (op->parent2 != op->parent)
		dir_changed(tree, txn, op->parent2, op->parent2_cversion);
}

static void
apply_session_close(struct tree *tree, const struct txn_session_close *op)
{
	struct session *session = session_find(tree, op->id);

	if (!expect(tree, session != NULL))
		return;
	expect(tree, session->ephemerals == NULL);
	session_remove(tree, session);
}

/* Whether it has to wait is known already: the request was answered by that. */
static void
apply_lock(struct tree *tree, const struct txn *txn, const struct txn_lock *op)
{
	struct session *session = session_find(tree, txn->head.session);

	if (!expect(tree, session != NULL))
		return;
	lock_put(tree, session, op->node, op->owner, op->exclusive != 0, txn->zxid);
	expect(tree, tree_lock_is_held(tree, tree_lock(tree, session->id, op->node, op->owner)) ==
			 (txn->head.code == ERR_OK));
}

static void
apply_unlock(struct tree *tree, const struct txn *txn, const struct txn_unlock *op)
{
	struct session *session = session_find(tree, txn->head.session);

	if (expect(tree, session != NULL))
		expect(tree, lock_remove(tree, session, op->node, op->owner));
}

static void
apply_quota(struct tree *tree, const struct txn_quota *op)
{
	const struct znode *node = node_find(tree, op->id);
	struct quota quota = { op->nodes, op->bytes, op->hard != 0 };

	if (!expect(tree, node != NULL && S_ISDIR(node->mode)))
		return;
	node_begin(tree, node);
	quota_put(tree, op->id, &quota);
	node_end(tree, node);
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
		session_put(tree, op->session_open.id, op->session_open.secret,
		    op->session_open.timeout_ms, op->session_open.identity);
		break;
	case TXN_SESSION_CLOSE:
		apply_session_close(tree, &op->session_close);
		break;
	case TXN_LOCK:
		apply_lock(tree, txn, &op->lock);
		break;
	case TXN_UNLOCK:
		apply_unlock(tree, txn, &op->unlock);
		break;
	case TXN_QUOTA:
		apply_quota(tree, &op->quota);
		break;
	}
}

static void
record_result(struct tree *tree, const struct txn *txn)
{
	struct session_result result = { .rid = txn->head.rid,
		.zxid = txn->zxid,
		.node = txn->head.result_id,
		.code = txn->head.code };
	struct session *session = session_find(tree, txn->head.session);

	if (expect(tree, session != NULL))
		session_record(tree, session, &result, txn->head.acked);
}

void
tree_apply(struct tree *tree, const struct txn *txn)
{
	uint32_t i;

	CHECK(txn->zxid > tree->applied);
	CHECK(txn->head.code == ERR_OK || txn->head.code == ERR_AGAIN || txn->nops == 0);
	lock_begin(tree);
	quota_begin(tree);
	for (i = 0; i < txn->nops; i++)
		apply_op(tree, txn, &txn->ops[i]);
	if (txn->head.session != 0 && txn->head.rid != 0)
		record_result(tree, txn);
	tree->applied = txn->zxid;
}

void
tree_recovery_begin(struct tree *tree)
{
	tree->recovering = true;
}

bool
tree_recovery_end(struct tree *tree)
{
	if (tree->unplaced != 0 || tree_last_id(tree) >= tree->next_id || !usage_count(tree))
		return false;
	tree->recovering = false;
	return true;
}

uint64_t
tree_applied(const struct tree *tree)
{
	return tree->applied;
}

uint64_t
tree_hash(const struct tree *tree)
{
	return tree->hash;
}

uint64_t
tree_hash_slow(const struct tree *tree)
{
	uint64_t hash = 0;
	Word_t key = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(tree->nodes, &key, PJE0); slot != NULL;
	     slot = JudyLNext(tree->nodes, &key, PJE0))
		hash += node_hash(*slot);
	key = 0;
	for (slot = JudyLFirst(tree->sessions, &key, PJE0); slot != NULL;
	     slot = JudyLNext(tree->sessions, &key, PJE0))
		hash += session_hash(*slot);
	return hash + quota_hashes(tree);
}

uint64_t
tree_next_id(const struct tree *tree)
{
	return tree->next_id;
}

uint64_t
tree_last_id(const struct tree *tree)
{
	Word_t last = UINT64_MAX;

	/* The root is always there. */
	CHECK(JudyLLast(tree->nodes, &last, PJE0) != NULL);
	return last;
}

uint64_t
tree_nodes(const struct tree *tree)
{
	return tree->count;
}

uint64_t
tree_bytes(const struct tree *tree)
{
	return tree->bytes;
}

uint64_t
tree_ephemerals(const struct tree *tree)
{
	return tree->ephemerals;
}

const struct znode *
tree_node(const struct tree *tree, uint64_t id)
{
	return node_find(tree, id);
}

const struct znode *
tree_child(const struct tree *tree, uint64_t parent, struct blob name)
{
	const struct znode *dir = node_find(tree, parent);

	return dir == NULL ? NULL : node_child(dir, name);
}

const struct znode *
tree_next_child(const struct tree *tree, uint64_t parent, uint64_t after)
{
	const struct znode *dir = node_find(tree, parent);
	Word_t id = after;

	if (dir == NULL || dir->children == NULL || Judy1Next(dir->children->ids, &id, PJE0) != 1)
		return NULL;
	return node_find(tree, id);
}
