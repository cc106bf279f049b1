/*
 * The locks as they will be when everything in flight is applied: an overlay over those of the
 * tree, as view.h is one over its nodes. prep.c and prep_lock.c ask and change it.
 */
#ifndef ZABFS_TREE_LOCK_VIEW_H
#define ZABFS_TREE_LOCK_VIEW_H

#include "replica/tree/tree.h"

struct lock_view;

struct lock_key {
	uint64_t session, node, owner;
};
/* Not there: nothing else is said. */
struct lock_state {
	bool there, exclusive, held;
};

struct lock_view *lock_view_new(const struct tree *tree);
void lock_view_free(struct lock_view *view);

void lock_view_get(
    const struct lock_view *view, const struct lock_key *key, struct lock_state *out);
/* Whether another lock at the end of the queue, in place of this one, would be held at once. */
bool lock_view_is_free(const struct lock_view *view, const struct lock_key *key, bool exclusive);
/* At the end of the queue, whatever was there of this key. */
void lock_view_put(
    struct lock_view *view, const struct lock_key *key, bool exclusive, bool held, uint64_t zxid);
/* If it is there. */
void lock_view_remove(struct lock_view *view, const struct lock_key *key, uint64_t zxid);

void lock_view_applied(struct lock_view *view, uint64_t zxid);
size_t lock_view_size(const struct lock_view *view);

#endif
