/* The two numbers of the mount's root. See kernel_root.h; called by kernel.c. */
#include "fsd/kernel_root.h"

#include <linux/fuse.h>

void
kernel_root_in(uint64_t root, void *request, size_t len)
{
	struct fuse_in_header *header = request;
	struct fuse_rename_in *rename = (void *)(header + 1);

	if (header->nodeid == FUSE_ROOT_ID)
		header->nodeid = root;
	/* Of both kinds the new directory is the first field. */
	if ((header->opcode == FUSE_RENAME || header->opcode == FUSE_RENAME2) &&
	    len >= sizeof *header + sizeof *rename && rename->newdir == FUSE_ROOT_ID)
		rename->newdir = root;
}

void
kernel_root_out(uint64_t root, const struct iovec *iov, int count)
{
	const struct fuse_out_header *header = iov[0].iov_base;
	struct fuse_notify_inval_inode_out *inode;
	struct fuse_notify_inval_entry_out *entry;

	if (header->unique != 0 || count < 2)
		return;
	inode = iov[1].iov_base;
	entry = iov[1].iov_base;
	if (header->error == FUSE_NOTIFY_INVAL_INODE && inode->ino == root)
		inode->ino = FUSE_ROOT_ID;
	else if (header->error == FUSE_NOTIFY_INVAL_ENTRY && entry->parent == root)
		entry->parent = FUSE_ROOT_ID;
}
