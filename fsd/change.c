/*
 * A change made elsewhere, applied to this mount. See change.h; called by
 * main.c's link handler.
 */
#include "fsd/change.h"

#include "fsd/fsd.h"
#include "fsd/ino.h"
#include "fsd/inode.h"
#include "replica/lib/log.h"

#include <sys/stat.h>

/* packed: how it is now, as far as that is told. moved: it stands elsewhere now, or is gone. */
static void
node_changed(
    struct fsd *fsd, const struct wire_change *change, uint64_t id, struct blob packed, bool moved)
{
	struct wire_stat stat;
	bool known = packed.len != 0 && wire_stat_unpack(packed, &stat) == 0;

	if (id == 0)
		return;
	/* What is shown while nobody can be asked is not to be older than what was shown before. */
	if (known && stat.id == fsd->root.id)
		fsd->root = stat;
	inode_told(fsd, id, known ? &stat : NULL, change->zxid, moved);
	inode_value_drop(fsd, id);
	inode_invalidate(fsd, ino_make(INO_ZNODE, id));
}

static bool
known(struct fsd *fsd, uint64_t id)
{
	return id != 0 && inode_known(fsd, ino_make(INO_ZNODE, id));
}

/* A directory's own value shows in its .zab. */
static void
echo_dir_value(struct fsd *fsd, uint64_t dir)
{
	uint64_t data = ino_make(INO_DATA, dir);

	if (inode_known(fsd, data) || inode_known(fsd, ino_make(INO_ZAB, dir)))
		echo_push_zab(fsd->echo, dir, "data", data);
}

static void
root_gone(struct fsd *fsd)
{
	struct wire_change told = { .kind = WIRE_ATTR, .id = fsd->root.id, .mode = fsd->root.mode };

	log_warn("the znode at the mount's root was removed, there is nothing here any more");
	inode_unnamed(fsd, fsd->root.id);
	echo_push(fsd->echo, &told);
}

/*
 * Whether it is about the mount's root as a name in the directory above it, which has none here:
 * moved, it is still the root; removed or replaced, it is gone, and whoever watches it is told to
 * look.
 */
static bool
of_root(struct fsd *fsd, const struct wire_change *change)
{
	bool first = change->id == fsd->root.id, second = change->id2 == fsd->root.id;

	if ((change->kind == WIRE_REMOVE && first) || (change->kind == WIRE_MOVE && second)) {
		root_gone(fsd);
		return true;
	}
	return (change->kind == WIRE_MOVE || change->kind == WIRE_SWAP) && (first || second);
}

void
change_apply(struct fsd *fsd, const struct wire_change *change, bool tell)
{
	bool names = change->kind != WIRE_VALUE && change->kind != WIRE_ATTR,
	     moved = names && change->kind != WIRE_ADD;
	const struct blob untold = { 0 };

	node_changed(fsd, change, change->id, change->stat, moved);
	node_changed(fsd, change, change->id2, untold, moved);
	if (names) {
		node_changed(fsd, change, change->parent, change->pstat, false);
		node_changed(fsd, change, change->parent2, untold, false);
	}
	if (!tell)
		return;
	if (change->kind == WIRE_VALUE && S_ISDIR(change->mode)) {
		echo_dir_value(fsd, change->id);
		return;
	}
	if (of_root(fsd, change))
		return;
	if (known(fsd, change->id) || known(fsd, change->id2) || known(fsd, change->parent) ||
	    known(fsd, change->parent2))
		echo_push(fsd->echo, change);
}
