/*
 * What must be true of a tree in memory, whatever was applied to it in
 * recovery: counters, hash and indices agree with the nodes themselves.
 * Looks into the tree's rooms. Included by txn_fuzz.c, tree_fuzz.c, image_fuzz.c.
 */
#ifndef ZABFS_TESTS_FUZZ_TREE_CHECK_H
#define ZABFS_TESTS_FUZZ_TREE_CHECK_H

#include "tests/fuzz/fuzz.h"

#include "replica/tree/change.h"
#include "replica/tree/image.h"
#include "replica/tree/node.h"

static inline void
tree_check_node(const struct tree *tree, const struct znode *node)
{
	const struct znode *dir = tree_node(tree, node->parent);
	struct wire_stat stat;

	znode_stat(tree, node, &stat);
	CHECK(stat.id == node->id && stat.size == node->value_len);
	CHECK(node->children == NULL || node->children->count > 0);
	if (node->id == TREE_ROOT || !node->placed)
		return;
	CHECK(dir != NULL && dir->children != NULL);
	CHECK(tree_child(tree, node->parent, znode_name(node)) == node);
	CHECK(tree_next_child(tree, node->parent, node->id - 1) == node);
}

/* When it goes by itself, 0: never, said again. */
static inline uint64_t
tree_check_deadline(const struct znode *node)
{
	uint64_t ttl_ms = wire_owner_ttl_ms(node->owner);
	bool container = node->owner == WIRE_OWNER_CONTAINER;

	if ((!container && ttl_ms == 0) || node->children != NULL || node->mtime_ns <= 0)
		return 0;
	if (container && node->cversion == 0)
		return 0;
	return (uint64_t)node->mtime_ns + (container ? 0 : ttl_ms * 1000000);
}

/* The index has those that go, each once, in order. */
static inline void
tree_check_due(const struct tree *tree, uint64_t due)
{
	struct tree_due at = { 0 }, before;

	for (; due != 0; due--) {
		before = at;
		CHECK(tree_next_due(tree, INT64_MAX, &at));
		CHECK((uint64_t)at.deadline_ns == tree_check_deadline(tree_node(tree, at.id)));
		CHECK((uint64_t)at.deadline_ns > (uint64_t)before.deadline_ns ||
		      (at.deadline_ns == before.deadline_ns && at.id > before.id));
	}
	CHECK(!tree_next_due(tree, INT64_MAX, &at));
}

/* Whether it is held, by the rule itself. */
static inline bool
tree_check_is_held(const struct tree *tree, const struct lock *lock)
{
	const struct session *session = NULL;
	const struct lock *other;
	uint64_t id = 0;

	while ((session = tree_next_session(tree, id)) != NULL) {
		id = session_id(session);
		for (other = session_next_lock(session, NULL); other != NULL;
		     other = session_next_lock(session, other))
			if (other->node == lock->node && other->zxid < lock->zxid &&
			    (other->exclusive || lock->exclusive))
				return false;
	}
	return true;
}

static inline void
tree_check_locks(const struct tree *tree)
{
	const struct session *session = NULL;
	const struct lock *lock;
	uint64_t id = 0, count = 0;

	while ((session = tree_next_session(tree, id)) != NULL) {
		id = session_id(session);
		for (lock = session_next_lock(session, NULL); lock != NULL;
		     lock = session_next_lock(session, lock), count++) {
			CHECK(lock->session == id);
			CHECK(tree_lock(tree, id, lock->node, lock->owner) == lock);
			CHECK(tree_lock_is_held(tree, lock) == tree_check_is_held(tree, lock));
		}
	}
	CHECK(count == tree_locks(tree));
}

/* What stands below each directory, counted again; not in recovery. */
static inline struct usage
tree_check_usage(const struct tree *tree, const struct znode *node)
{
	struct usage sum = { 1, node->value_len }, part;
	const struct znode *child;
	uint64_t after = 0;

	while ((child = tree_next_child(tree, node->id, after)) != NULL) {
		after = child->id;
		part = tree_check_usage(tree, child);
		sum.nodes += part.nodes;
		sum.bytes += part.bytes;
	}
	znode_usage(node, &part);
	CHECK(part.nodes == sum.nodes && part.bytes == sum.bytes);
	return sum;
}

static inline void
tree_check_quotas(const struct tree *tree)
{
	const struct znode *node;
	Word_t id = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(tree->quotas, &id, PJE0); slot != NULL;
	     slot = JudyLNext(tree->quotas, &id, PJE0)) {
		node = tree_node(tree, id);
		CHECK(node != NULL && quota_limits(*slot));
	}
}

static inline void
tree_check(const struct tree *tree)
{
	uint64_t count = 0, bytes = 0, unplaced = 0, ephemerals = 0, children = 0, due = 0;
	const struct znode *node;
	Word_t id = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(tree->nodes, &id, PJE0); slot != NULL;
	     slot = JudyLNext(tree->nodes, &id, PJE0)) {
		node = *slot;
		CHECK(node->id == id && id < tree_next_id(tree));
		tree_check_node(tree, node);
		count++;
		bytes += node->value_len;
		unplaced += !node->placed;
		ephemerals += wire_owner_is_session(node->owner);
		due += tree_check_deadline(node) != 0;
		children += node->children == NULL ? 0 : node->children->count;
	}
	CHECK(count == tree_nodes(tree) && bytes == tree_bytes(tree));
	CHECK(ephemerals == tree_ephemerals(tree));
	tree_check_due(tree, due);
	CHECK(unplaced == tree->unplaced);
	CHECK(children == count - unplaced - 1); /* the root is nobody's */
	tree_check_locks(tree);
	tree_check_quotas(tree);
	CHECK(tree_hash(tree) == tree_hash_slow(tree));
}

#endif
