/*
 * What is below each directory, counted as it comes and goes, and limits to it.
 * node.c says what changes, tree.c when; who reads: tree.h. Counted is every
 * directory, so a limit can be set, and a subtree moved, without a walk; each
 * change goes up to the root, so it costs as much as it is deep. In recovery,
 * over a fuzzy image, nothing is counted but at its end, all at once. Nobody
 * outside of replica/tree includes it.
 */
#ifndef ZABFS_TREE_QUOTA_H
#define ZABFS_TREE_QUOTA_H

#include "replica/tree/node.h"

/* Before a transaction: nothing was exceeded by it yet. */
void quota_begin(struct tree *tree);

/* Without a limit: there is none from now on. */
void quota_put(struct tree *tree, uint64_t id, const struct quota *quota);
void quota_remove(struct tree *tree, uint64_t id);
uint64_t quota_hashes(const struct tree *tree);
void quota_free(struct tree *tree);

/* The node, with all that is below it, stands in its directory now; or is about to leave it. */
void usage_come(struct tree *tree, const struct znode *node);
void usage_leave(struct tree *tree, const struct znode *node);
/* Its value had so many bytes. */
void usage_resized(struct tree *tree, const struct znode *node, uint32_t was);

/* Counts everything anew. False: not all of it is below the root. */
bool usage_count(struct tree *tree);

/* Whether the directory is the node itself, or below it. */
bool usage_is_below(const struct tree *tree, const struct znode *dir, const struct znode *node);

#endif
