/* Usages and quotas. See quota.h, tree.h. */
#include "replica/tree/quota.h"

#include "replica/lib/check.h"

#include <stdlib.h>

static const struct quota *
quota_find(const struct tree *tree, uint64_t id)
{
	PPvoid_t slot = JudyLGet(tree->quotas, id, PJE0);

	return slot == NULL ? NULL : *slot;
}

static uint64_t
quota_hash(uint64_t id, const struct quota *quota)
{
	uint64_t numbers[] = { id, (uint64_t)quota->nodes, (uint64_t)quota->bytes, quota->hard };

	return hash_numbers(numbers, sizeof numbers / sizeof numbers[0], 4);
}

void
quota_begin(struct tree *tree)
{
	Judy1FreeArray(&tree->exceeded, PJE0);
}

void
quota_remove(struct tree *tree, uint64_t id)
{
	PPvoid_t slot = JudyLGet(tree->quotas, id, PJE0);

	if (slot == NULL)
		return;
	tree->hash -= quota_hash(id, *slot);
	free(*slot);
	JudyLDel(&tree->quotas, id, PJE0);
}

void
quota_put(struct tree *tree, uint64_t id, const struct quota *quota)
{
	struct quota *copy;
	PPvoid_t slot;

	quota_remove(tree, id);
	if (!quota_limits(quota))
		return;
	copy = malloc(sizeof *copy);
	slot = JudyLIns(&tree->quotas, id, PJE0);
	CHECK(copy != NULL && slot != NULL && slot != PPJERR);
	*copy = *quota;
	*slot = copy;
	tree->hash += quota_hash(id, quota);
}

uint64_t
quota_hashes(const struct tree *tree)
{
	uint64_t hash = 0;
	Word_t id = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(tree->quotas, &id, PJE0); slot != NULL;
	     slot = JudyLNext(tree->quotas, &id, PJE0))
		hash += quota_hash(id, *slot);
	return hash;
}

void
quota_free(struct tree *tree)
{
	Word_t id = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(tree->quotas, &id, PJE0); slot != NULL;
	     slot = JudyLNext(tree->quotas, &id, PJE0))
		free(*slot);
	JudyLFreeArray(&tree->quotas, PJE0);
	quota_begin(tree);
}

bool
quota_exceeded(const struct quota *quota, const struct usage *usage)
{
	return (quota->nodes != 0 && usage->nodes > quota->nodes) ||
	       (quota->bytes != 0 && usage->bytes > quota->bytes);
}

/* It took less before. */
static void
note(struct tree *tree, const struct znode *node, const struct usage *before)
{
	const struct quota *quota = quota_find(tree, node->id);
	struct usage now;

	if (quota == NULL)
		return;
	znode_usage(node, &now);
	if (quota_exceeded(quota, &now) && !quota_exceeded(quota, before))
		CHECK(Judy1Set(&tree->exceeded, node->id, PJE0) != JERR);
}

static struct znode *
above(const struct tree *tree, const struct znode *node)
{
	return node->placed ? node_find(tree, node->parent) : NULL;
}

/* Of every directory that the node is in. */
static void
change(struct tree *tree, const struct znode *node, int64_t nodes, int64_t bytes)
{
	struct usage before;
	struct znode *dir;

	if (tree->recovering || (nodes == 0 && bytes == 0))
		return;
	for (dir = above(tree, node); dir != NULL; dir = above(tree, dir)) {
		znode_usage(dir, &before);
		dir->children->below.nodes += nodes;
		dir->children->below.bytes += bytes;
		note(tree, dir, &before);
	}
}

void
usage_come(struct tree *tree, const struct znode *node)
{
	struct usage usage;

	znode_usage(node, &usage);
	change(tree, node, usage.nodes, usage.bytes);
}

void
usage_leave(struct tree *tree, const struct znode *node)
{
	struct usage usage;

	znode_usage(node, &usage);
	change(tree, node, -usage.nodes, -usage.bytes);
}

void
usage_resized(struct tree *tree, const struct znode *node, uint32_t was)
{
	int64_t more = (int64_t)node->value_len - was;
	struct usage before;

	if (tree->recovering)
		return;
	znode_usage(node, &before);
	before.bytes -= more;
	note(tree, node, &before);
	change(tree, node, 0, more);
}

/* All below the node is counted; so may be its directory, then. */
static void
climb(const struct tree *tree, const struct znode *node)
{
	struct usage usage;
	struct znode *dir;

	for (dir = above(tree, node); dir != NULL; dir = above(tree, dir)) {
		znode_usage(node, &usage);
		dir->children->below.nodes += usage.nodes;
		dir->children->below.bytes += usage.bytes;
		if (++dir->children->counted != dir->children->count)
			return;
		node = dir;
	}
}

bool
usage_count(struct tree *tree)
{
	struct usage usage;
	struct znode *node;
	Word_t id = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(tree->nodes, &id, PJE0); slot != NULL;
	     slot = JudyLNext(tree->nodes, &id, PJE0)) {
		node = *slot;
		if (node->children == NULL)
			continue;
		node->children->below = (struct usage){ 0 };
		node->children->counted = 0;
	}
	id = 0;
	for (slot = JudyLFirst(tree->nodes, &id, PJE0); slot != NULL;
	     slot = JudyLNext(tree->nodes, &id, PJE0)) {
		node = *slot;
		if (node->children == NULL)
			climb(tree, node);
	}
	znode_usage(node_find(tree, TREE_ROOT), &usage);
	return usage.nodes == (int64_t)tree->count;
}

bool
usage_is_below(const struct tree *tree, const struct znode *dir, const struct znode *node)
{
	while (dir != NULL && dir != node)
		dir = above(tree, dir);
	return dir != NULL;
}

void
znode_usage(const struct znode *node, struct usage *out)
{
	*out = (struct usage){ 1, node->value_len };
	if (node->children == NULL)
		return;
	out->nodes += node->children->below.nodes;
	out->bytes += node->children->below.bytes;
}

bool
tree_has_quotas(const struct tree *tree)
{
	return tree->quotas != NULL;
}

void
tree_quota(const struct tree *tree, uint64_t id, struct quota *out)
{
	const struct quota *quota = quota_find(tree, id);

	*out = quota == NULL ? (struct quota){ 0 } : *quota;
}

bool
tree_next_exceeded(const struct tree *tree, uint64_t after, uint64_t *id)
{
	Word_t next = after;

	if (Judy1Next(tree->exceeded, &next, PJE0) != 1)
		return false;
	*id = next;
	return true;
}
