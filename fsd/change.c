/*
 * A change made elsewhere, applied to this mount. See change.h; called by
 * main.c's link handler.
 */
#include "fsd/change.h"

#include "fsd/fsd.h"
#include "fsd/ino.h"
#include "fsd/inode.h"

#include <sys/stat.h>

/* The node's attributes and value, under each number that the kernel may know it by. */
static void
node_changed(struct fsd *fsd, uint64_t id)
{
	if (id == 0)
		return;
	inode_value_drop(fsd, id);
	inode_invalidate(fsd, ino_make(INO_ZNODE, id));
}

static bool
known(struct fsd *fsd, uint64_t id)
{
	return id != 0 && (id == FUSE_ROOT_ID || inode_known(fsd, ino_make(INO_ZNODE, id)));
}

/* A directory's own value shows in its .zab. */
static void
echo_dir_value(struct fsd *fsd, uint64_t dir)
{
	uint64_t data = ino_make(INO_DATA, dir);

	if (inode_known(fsd, data) || inode_known(fsd, ino_make(INO_ZAB, dir)))
		echo_push_zab(fsd->echo, dir, "data", data);
}

void
change_apply(struct fsd *fsd, const struct wire_change *change, bool tell)
{
	node_changed(fsd, change->id);
	node_changed(fsd, change->id2);
	if (change->kind != WIRE_VALUE && change->kind != WIRE_ATTR) {
		node_changed(fsd, change->parent);
		node_changed(fsd, change->parent2);
	}
	if (!tell)
		return;
	if (change->kind == WIRE_VALUE && S_ISDIR(change->mode)) {
		echo_dir_value(fsd, change->id);
		return;
	}
	if (known(fsd, change->id) || known(fsd, change->id2) || known(fsd, change->parent) ||
	    known(fsd, change->parent2))
		echo_push(fsd->echo, change);
}
