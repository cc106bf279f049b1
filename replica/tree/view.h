/*
 * The tree as it will be when everything in flight is applied: an overlay of
 * changed nodes, names and usages over the tree. prep.c and prep_*.c ask and
 * change it; entries go when their last transaction has been applied.
 */
#ifndef ZABFS_TREE_VIEW_H
#define ZABFS_TREE_VIEW_H

#include "replica/tree/tree.h"

struct view;

/*
 * A view over a view, for what is prepared whole or not at all. Dropped by view_free, or put into
 * the one below (and freed), as changes of the transaction `zxid`.
 */
struct view *view_layer(struct view *below);
void view_merge(struct view *layer, uint64_t zxid);

/* What preparation has to know of a node. */
struct view_node {
	uint64_t id, parent, owner;
	uint32_t mode, uid, gid, size, version, cversion, aversion, children;
	struct quota quota;
	uint8_t name_len;
	uint8_t name[WIRE_NAME_MAX];
};

struct view *view_new(const struct tree *tree);
void view_free(struct view *view);

/* False: there is no such node. */
bool view_get(const struct view *view, uint64_t id, struct view_node *out);
bool view_in_flight(const struct view *view, uint64_t id);
/* 0: it is the root, or not there. */
uint64_t view_parent(const struct view *view, uint64_t id);
/* Of a node that is there, with all that is below it. */
void view_usage(const struct view *view, uint64_t id, struct usage *out);
/* Likewise its quota. */
void view_quota(const struct view *view, uint64_t id, struct quota *out);
/* Whether anybody may have one. */
bool view_is_limited(const struct view *view);
/* The id at (parent, name); 0: none. */
uint64_t view_child(const struct view *view, uint64_t parent, struct blob name);

/* The node's state after the transaction `zxid`. */
void view_put(struct view *view, const struct view_node *node, uint64_t zxid);
void view_remove(struct view *view, uint64_t id, uint64_t zxid);
/* So much more is below the directory, and so below all that it is in. */
void view_charge(struct view *view, uint64_t dir, const struct usage *more, uint64_t zxid);
/* id 0: nobody is there. */
void view_name(struct view *view, uint64_t parent, struct blob name, uint64_t id, uint64_t zxid);

uint64_t view_new_id(struct view *view); /* never used before */
/* Whether some node had it, has it, or will. */
bool view_is_used(const struct view *view, uint64_t id);

void view_applied(struct view *view, uint64_t zxid);
void view_reset(struct view *view);
size_t view_size(const struct view *view);

struct blob view_node_name(const struct view_node *node);

#endif
