/*
 * What must be true of a tree in memory, whatever was applied to it in
 * recovery: counters, hash and both indices agree with the nodes themselves.
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

static inline void
tree_check(const struct tree *tree)
{
	uint64_t count = 0, bytes = 0, unplaced = 0, ephemerals = 0, children = 0;
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
		ephemerals += node->owner != 0;
		children += node->children == NULL ? 0 : node->children->count;
	}
	CHECK(count == tree_nodes(tree) && bytes == tree_bytes(tree));
	CHECK(ephemerals == tree_ephemerals(tree));
	CHECK(unplaced == tree->unplaced);
	CHECK(children == count - unplaced - 1); /* the root is nobody's */
	CHECK(tree_hash(tree) == tree_hash_slow(tree));
}

#endif
