/*
 * The hall: a hidden directory in the root's `.zab` where directories get a name
 * when the kernel knows none of theirs. A watch keeps a directory's inode, not
 * its name: short of memory the kernel drops that, and could not open the
 * directory by its number any more (fsd/README.md, fact 13). It asks then for
 * what is above it, reads there what it is called, and looks that up: all is
 * answered here, out of the number alone. The name is dropped when the job is done.
 * Called by echo_ops.c and the handlers, on the loop's thread.
 *
 * Kernel: fs/exportfs/expfs.c, reconnect_path; fuse_get_parent.
 */
#include "fsd/echo_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
echo_hall_name(uint64_t ino, char name[ECHO_GUEST_LEN])
{
	snprintf(name, ECHO_GUEST_LEN, "%" PRIx64, ino);
}

uint64_t
echo_hall_lookup(struct echo *echo, fuse_ino_t parent, const char *name)
{
	char guest[ECHO_GUEST_LEN];

	if (strcmp(name, "..") == 0) {
		echo->guest = parent;
		return echo->patient ? 0 : ECHO_HALL_INO;
	}
	echo_hall_name(echo->guest, guest);
	if (parent == ECHO_HALL_INO && strcmp(name, guest) == 0)
		return echo->guest;
	if (parent == ino_make(INO_ZAB, echo->root) && strcmp(name, ECHO_HALL) == 0)
		return ECHO_HALL_INO;
	return 0;
}

void
echo_op_readdir(
    struct echo *echo, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
	struct fuse_entry_param param;
	char name[ECHO_GUEST_LEN], buffer[256];
	size_t len;

	if (ino != ECHO_HALL_INO) {
		fuse_reply_err(req, EIO);
		return;
	}
	if (offset != 0) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	/* Not a reference: an entry without `ino`. */
	memset(&param, 0, sizeof param);
	param.attr.st_ino = echo->guest;
	param.attr.st_mode = S_IFDIR;
	echo_hall_name(echo->guest, name);
	len = plus ? fuse_add_direntry_plus(req, buffer, sizeof buffer, name, &param, 1)
		   : fuse_add_direntry(req, buffer, sizeof buffer, name, &param.attr, 1);
	if (len > sizeof buffer || len > size)
		fuse_reply_err(req, EINVAL);
	else
		fuse_reply_buf(req, buffer, len);
}
