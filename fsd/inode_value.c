/* A znode's cached value goes; and the names that the kernel knows znodes by. See inode.h. */
#include "fsd/inode_internal.h"

#include "replica/lib/check.h"

#include <string.h>
#include <xxhash.h>

void
inode_value_forget(struct inodes *inodes, struct inode *inode)
{
	if (inode->value == NULL)
		return;
	inodes->value_bytes -= sizeof *inode->value + inode->value->len;
	TAILQ_REMOVE(&inodes->lru, inode, lru);
	value_unref(inode->value);
	inode->value = NULL;
}

/*
 * 64 bits are wide. A collision would have the kernel look twice for what it removes or moves, and
 * spare an echo. 0 means none.
 */
static uint64_t
name_key(uint64_t parent, const char *name)
{
	uint64_t key = XXH64(name, strlen(name), parent);

	return key == 0 ? 1 : key;
}

void
inode_name_forget(struct inodes *inodes, struct inode *inode)
{
	PPvoid_t slot;

	inode_place_forget(inode);
	if (inode->kept->name == 0)
		return;
	slot = JudyLGet(inodes->names, inode->kept->name, PJE0);
	if (slot != NULL && (uint64_t)(uintptr_t)*slot == inode->kept->ino)
		JudyLDel(&inodes->names, inode->kept->name, PJE0);
	inode->kept->name = 0;
}

void
inode_name_adopt(struct inodes *inodes, struct inode *inode)
{
	PPvoid_t slot = JudyLIns(&inodes->names, inode->kept->name, PJE0);

	CHECK(slot != NULL && slot != PPJERR);
	*slot = (void *)(uintptr_t)inode->kept->ino;
}

void
inode_name_set(struct fsd *fsd, uint64_t parent, const char *name, uint64_t id)
{
	struct inode *inode = inode_find(fsd->inodes, id), *other;

	if (inode == NULL)
		return;
	other = inode_find(fsd->inodes, inode_name_get(fsd, parent, name));
	if (other != NULL)
		inode_name_forget(fsd->inodes, other);
	inode_name_forget(fsd->inodes, inode);
	inode->kept->name = name_key(parent, name);
	inode_name_adopt(fsd->inodes, inode);
}

uint64_t
inode_name_get(const struct fsd *fsd, uint64_t parent, const char *name)
{
	PPvoid_t slot = JudyLGet(fsd->inodes->names, name_key(parent, name), PJE0);

	return slot == NULL ? 0 : (uint64_t)(uintptr_t)*slot;
}
