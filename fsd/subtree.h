/*
 * A subtree as the mount's root: its path is led to a znode once, when the
 * session stands. From then on the znode is the root, wherever it is moved to.
 * Called by main.c.
 */
#ifndef ZABFS_FSD_SUBTREE_H
#define ZABFS_FSD_SUBTREE_H

#include "fsd/fsd.h"

/*
 * Sets fsd->root and calls done with ERR_OK; or ERR_NONODE, ERR_NOTDIR, or why the replica can't
 * say. Through directories alone, whatever their permissions. path: from the tree's root, with at
 * least one name; borrowed until then.
 */
void subtree_find(struct fsd *fsd, const char *path, void (*done)(void *arg, int code), void *arg);

#endif
