/*
 * Locks in the tree: the queue of a node, its entries in order of the transactions that put them
 * there. Who holds the lock follows from the queue alone: the first, and if that is shared all
 * shared ones right behind it. A lock belongs to a session and lives until it is taken back or the
 * session ends, whatever becomes of the node. Shared by the tree's files; nobody outside of
 * replica/tree includes it.
 */
#ifndef ZABFS_TREE_LOCK_H
#define ZABFS_TREE_LOCK_H

#include "replica/tree/session.h"

/*
 * The only lock of (session, node, owner) from now on, at the queue's end: an earlier one goes
 * first. zxid: the transaction's, of which each puts one lock at most.
 */
void lock_put(struct tree *tree, struct session *session, uint64_t node, uint64_t owner,
    bool exclusive, uint64_t zxid);
/* Whether some lock of the node has that place. */
bool lock_is_there(const struct tree *tree, uint64_t node, uint64_t zxid);
/* False: there was none. */
bool lock_remove(struct tree *tree, struct session *session, uint64_t node, uint64_t owner);
/* All of the session's. */
void lock_remove_all(struct tree *tree, struct session *session);
/* What the transaction before has settled is forgotten. */
void lock_begin(struct tree *tree);
void lock_free(struct tree *tree);

uint64_t lock_hash(const struct lock *lock);
/* The sum of all of the session's. */
uint64_t lock_hashes(const struct session *session);

#endif
