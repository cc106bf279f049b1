/*
 * The nodes that go by themselves, by the moment at which they are due:
 * containers without children, and nodes whose time to live has passed. node.c
 * keeps the index right; the leader asks by tree_next_due and proposes the
 * removal. Nobody outside of replica/tree includes it.
 */
#ifndef ZABFS_TREE_EXPIRY_H
#define ZABFS_TREE_EXPIRY_H

#include "replica/tree/node.h"

/*
 * Between these two the node's owner, cversion, times, and whether it has children may change.
 * Either does nothing if there is nothing to do.
 */
void expiry_remove(struct tree *tree, const struct znode *node);
void expiry_add(struct tree *tree, const struct znode *node);
void expiry_free(struct tree *tree);

#endif
