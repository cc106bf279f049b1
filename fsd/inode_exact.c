/*
 * What is certain of a directory without asking. See inode.h; fed by call.c (answers) and change.c
 * (changes), asked by op_attr.c and op_entry.c.
 *
 * The changes of what the kernel knows come in order, before any later answer: so what was seen
 * last is what a replica would say now, as long as each change since has brought its attributes
 * along. Writes of this session are not told, their answer is it: what is known from before the
 * last of them is not used. Only directories: what a file shows depends on who holds it.
 */
#include "fsd/inode_internal.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The name in full: a hash is enough for a doubt, not for an answer. */
struct inode_place {
	uint64_t dir;
	uint64_t moves; /* those of the session, when it was found */
	char name[];
};

void
inode_place_forget(struct inode *inode)
{
	free(inode->exact.place);
	inode->exact.place = NULL;
}

void
inode_place_set(struct fsd *fsd, uint64_t dir, const char *name, uint64_t id)
{
	struct inode *inode = inode_find(fsd->inodes, id);
	size_t len = strlen(name) + 1;
	struct inode_place *place;

	if (inode == NULL || !S_ISDIR(inode->kept->last.mode))
		return;
	inode_place_forget(inode);
	place = malloc(sizeof *place + len);
	CHECK(place != NULL);
	*place = (struct inode_place){ .dir = dir, .moves = fsd->inodes->moves };
	memcpy(place->name, name, len);
	inode->exact.place = place;
}

void
inode_exact_forget(struct inode *inode)
{
	inode->exact.zxid = 0;
	inode_place_forget(inode);
}

void
inode_last_set(struct inode *inode, const struct wire_stat *stat, uint64_t zxid)
{
	inode->kept->last = (struct inode_last){ .mode = stat->mode,
		.uid = stat->uid,
		.gid = stat->gid,
		.size = stat->size,
		.mtime_ns = stat->mtime_ns,
		.ctime_ns = stat->ctime_ns };
	inode->exact.zxid = S_ISDIR(stat->mode) ? zxid : 0;
	inode->exact.children = stat->children;
}

void
inode_told(struct fsd *fsd, uint64_t id, const struct wire_stat *stat, uint64_t zxid, bool moved)
{
	struct inode *inode = inode_find(fsd->inodes, id);

	if (inode == NULL)
		return;
	inode->exact.zxid = 0;
	if (moved)
		inode_place_forget(inode);
	if (stat != NULL && stat->id == id && S_ISDIR(stat->mode))
		inode_last_set(inode, stat, zxid);
}

void
inode_wrote(struct fsd *fsd, enum wire_type type, const struct wire_stat *stat, uint64_t zxid)
{
	/* A file's value is no matter of directories, nor is who has its lock. */
	if (type == WIRE_T_LOCK || type == WIRE_T_UNLOCK ||
	    (type == WIRE_T_WRITE && stat != NULL && S_ISREG(stat->mode)))
		return;
	if (zxid > fsd->inodes->written)
		fsd->inodes->written = zxid;
	if (type != WIRE_T_CREATE && type != WIRE_T_WRITE && type != WIRE_T_SETATTR)
		fsd->inodes->moves++;
}

static bool
exact(const struct fsd *fsd, const struct inode *inode)
{
	return inode_is_live(fsd, inode) && inode->exact.zxid != 0 &&
	       inode->exact.zxid >= fsd->inodes->written && link_is_current(fsd->link);
}

bool
inode_exact(const struct fsd *fsd, uint64_t id, struct wire_stat *stat)
{
	const struct inode *inode = inode_find(fsd->inodes, id);

	if (!exact(fsd, inode) || !inode_last(fsd, id, stat))
		return false;
	stat->children = inode->exact.children;
	return true;
}

bool
inode_placed(const struct fsd *fsd, uint64_t parent, const char *name, struct wire_stat *stat)
{
	uint64_t id = inode_name_get(fsd, parent, name);
	const struct inode *inode = inode_find(fsd->inodes, id);
	const struct inode_place *place = inode == NULL ? NULL : inode->exact.place;

	return place != NULL && place->dir == parent && place->moves == fsd->inodes->moves &&
	       strcmp(place->name, name) == 0 && inode_exact(fsd, id, stat);
}
