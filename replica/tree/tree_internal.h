/*
 * The tree's own state, shared by tree.c (indexes, places, hash), apply.c
 * (transactions) and image.c (what is due for the disk). Nobody else includes it.
 *
 * Between tree_change and tree_changed the node's or session's fields may
 * differ from what the hash counts; nowhere else.
 */
#ifndef ZABFS_TREE_INTERNAL_H
#define ZABFS_TREE_INTERNAL_H

#include "replica/tree/index.h"
#include "replica/tree/node.h"
#include "replica/tree/session.h"
#include "replica/tree/tree.h"

/* Nodes and sessions whose row on disk is not what memory holds, or may not be. */
struct due {
	Pvoid_t nodes;	  /* Judy1 */
	Pvoid_t sessions; /* Judy1 */
};

struct image_pass {
	uint64_t applied;
	struct due due;
};

struct tree {
	Pvoid_t nodes;	  /* JudyL: id -> struct znode */
	Pvoid_t sessions; /* JudyL: id -> struct session */
	uint64_t applied, next_id, hash;
	uint64_t nnodes, bytes, ephemerals;
	uint64_t unplaced; /* nodes without a place, */
	uint64_t unopened; /* and sessions that are not open: in recovery */
	bool recovering;

	struct due dirty;
	struct image_pass *pass;
	struct due removed; /* gone rows that the last pass handed out: see image_mark_all */
};

struct znode *tree_get(const struct tree *tree, uint64_t id);
/* Not open where it had to be made. */
struct session *tree_get_session(struct tree *tree, uint64_t id);

void tree_change(struct tree *tree, const struct znode *node);
void tree_changed(struct tree *tree, const struct znode *node);
/* Of one that the image gave: it is counted, but not due. */
void tree_count(struct tree *tree, const struct znode *node);

/* A node without a place, all else zero; between tree_change and tree_changed from the start. */
struct znode *tree_add(struct tree *tree, uint64_t id, struct blob name);
void tree_remove(struct tree *tree, struct znode *node);

/* Gives the node the place that its parent and name say. In recovery it may get none. */
void tree_place(struct tree *tree, struct znode *node);
void tree_unplace(struct tree *tree, struct znode *node);
/* Sets parent and name of a node without a place. The node may move in memory. */
struct znode *tree_rename(struct tree *tree, struct znode *node, uint64_t parent, struct blob name);

/* Three changes that keep the counts. */
void tree_set_owner(struct tree *tree, struct znode *node, uint64_t owner, uint64_t handle);
void tree_resize(struct tree *tree, struct znode *node, uint32_t size);
void tree_open_session(struct tree *tree, struct session *session);
/* Frees it, unless nodes of a fuzzy image still name it. */
void tree_close_session(struct tree *tree, struct session *session);

void due_free(struct due *due);

#endif
