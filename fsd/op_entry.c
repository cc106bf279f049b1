/* LOOKUP, FORGET, READLINK and the table of handlers. See fsd.h. */
#include "fsd/inode.h"
#include "fsd/kernel.h"
#include "fsd/reply.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"

#include <limits.h>
#include <string.h>

static void
looked_up(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	/* An absent name is an error, never a negative entry: the echo may create it any time (fact 2). */
	if (reply->code != ERR_OK || stat == NULL)
		reply_code(call, reply->code != ERR_OK ? reply->code : ERR_PROTO);
	else if (reply_entry(call, stat))
		inode_name_set(call->fsd, call->parent, call->name, stat->id);
	call_free(call);
}

void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fsd *fsd = call_fsd(req);
	struct call *call;

	if (echo_caller(fsd->echo, req)) {
		echo_op_lookup(fsd->echo, req, parent, name);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL || !call_name(call, call->name, name))
		return;
	call->parent = parent;
	if (zab_place(parent, name))
		zab_lookup(call, parent, call->name);
	else
		call_lookup(call, parent, call->name, looked_up);
}

void
op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	inode_forget(call_fsd(req), ino, nlookup);
	fuse_reply_none(req);
}

void
op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		inode_forget(call_fsd(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void
link_read(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	char target[PATH_MAX];
	fuse_req_t req = call->req;

	if (reply->code == ERR_NONODE) {
		reply_err(call, reply_vanished(call->fsd, call->tid));
	} else if (reply->code != ERR_OK || stat == NULL) {
		reply_code(call, reply->code != ERR_OK ? reply->code : ERR_PROTO);
	} else if (reply->data.len >= sizeof target) {
		reply_err(call, ENAMETOOLONG);
	} else if (req != NULL) {
		if (reply->data.len != 0)
			memcpy(target, reply->data.data, reply->data.len);
		target[reply->data.len] = '\0';
		call->req = NULL;
		fuse_reply_readlink(req, target);
	}
	call_free(call);
}

void
op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct call *call = call_new(call_fsd(req), req);

	if (call != NULL)
		call_read(call, ino_node(ino), link_read);
}

void
op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

/* Locks must reach us to be refused: without these the kernel would lock locally and silently. */
static void
op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
	(void)ino;
	(void)fi;
	(void)lock;
	fuse_reply_err(req, EOPNOTSUPP);
}

static void
op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep)
{
	(void)ino;
	(void)fi;
	(void)lock;
	(void)sleep;
	fuse_reply_err(req, EOPNOTSUPP);
}

static void
op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	(void)ino;
	(void)fi;
	(void)op;
	fuse_reply_err(req, EOPNOTSUPP);
}

static void
op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len, struct fuse_file_info *fi)
{
	(void)ino;
	(void)mode;
	(void)offset;
	(void)len;
	(void)fi;
	fuse_reply_err(req, EOPNOTSUPP);
}

/* What is missing is ENOSYS, which the kernel remembers: extended attributes (fact 14), FLUSH, LSEEK, IOCTL. */
const struct fuse_lowlevel_ops fsd_ops = {
	.init = kernel_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsync,
	.statfs = op_statfs,
	.create = op_create,
	.getlk = op_getlk,
	.setlk = op_setlk,
	.flock = op_flock,
	.fallocate = op_fallocate,
};
