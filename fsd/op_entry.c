/* LOOKUP, FORGET, READLINK and the table of handlers. See fsd.h. */
#include "fsd/grace.h"
#include "fsd/inode.h"
#include "fsd/kernel.h"
#include "fsd/reply.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"

#include <limits.h>
#include <string.h>

#define LOOKUPS_MAX 16 /* a name that is replaced faster than it can be read is given up */

static void looked_up(
    struct call *call, const struct wire_reply *reply, const struct wire_stat *stat);

/* now: by what is being answered. Otherwise it may have been moved since. */
static void
entry_found(struct call *call, const struct wire_stat *stat, bool now)
{
	if (reply_entry(call, stat)) {
		inode_name_set(call->fsd, call->parent, call->name, stat->id);
		if (now)
			inode_place_set(call->fsd, call->parent, call->name, stat->id);
	}
	call_free(call);
}

/* The value of what was found (grace.h); or it is gone already: who stands at the name now? */
static void
value_found(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct fsd *fsd = call->fsd;
	uint64_t id = call->ino;
	struct value *value;

	if (reply->code == ERR_NONODE && call->size++ < LOOKUPS_MAX) {
		call_lookup(call, call->parent, call->name, looked_up);
	} else if (call_code(reply, stat) != ERR_OK) {
		reply_code(call, call_code(reply, stat));
		call_free(call);
	} else {
		value = value_new(stat, reply->data);
		if (value != NULL)
			grace_keep(fsd, call->tid, call->parent, call->name, value);
		value_unref(value);
		entry_found(call, stat, false);
	}
	inode_let_go(fsd, id);
}

/*
 * A directory goes on to have its name while nobody can be asked. With an error the kernel would
 * drop it with all names below, and watches there would be deaf until somebody looked it up again
 * (fact 13). Its attributes are not kept: whoever wants something of it asks, and fails.
 */
static bool
directory_stays(struct call *call)
{
	uint64_t id = inode_name_get(call->fsd, call->parent, call->name);
	struct wire_stat last;
	struct stat attr;

	if (id == 0 || inode_is_gone(call->fsd, id) || !inode_last(call->fsd, id, &last) ||
	    !S_ISDIR(last.mode))
		return false;
	reply_stat(&last, &attr);
	reply_entry_zab(call, id, &attr, 0);
	return true;
}

static void
looked_up(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	/*
	 * An absent name is an error, never a negative entry: the echo may create it any time (fact
	 * 2).
	 */
	if (call_code(reply, stat) != ERR_OK) {
		if (reply->code != ERR_NOQUORUM || !directory_stays(call))
			reply_code(call, call_code(reply, stat));
		call_free(call);
	} else if (call->req != NULL && grace_due(call->fsd, call->tid)) {
		/*
		 * A reference of our own: the interest that this answer has begun must not end
		 * meanwhile.
		 */
		inode_hold(call->fsd, stat->id);
		call->ino = stat->id;
		call_read(call, stat->id, value_found);
	} else {
		entry_found(call, stat, true);
	}
}

void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fsd *fsd = call_fsd(req);
	struct wire_stat stat;
	struct call *call;

	if (echo_caller(fsd->echo, req)) {
		echo_op_lookup(fsd->echo, req, parent, name);
		return;
	}
	/* By whom a node is opened by its number, and the kernel has forgotten it, or its name. */
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL || !call_name(call, call->name, name))
		return;
	call->parent = parent;
	if (zab_place(parent, name)) {
		zab_lookup(call, parent, call->name);
	} else if (!grace_due(fsd, call->tid) && inode_placed(fsd, parent, call->name, &stat)) {
		/* The echo makes the kernel ask again for each directory that it has worked in. */
		reply_entry(call, &stat);
		call_free(call);
	} else {
		call_lookup(call, parent, call->name, looked_up);
	}
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
	const struct value *value =
	    reply->code == ERR_NONODE ? grace_get(call->fsd, call->tid, call->ino) : NULL;
	struct blob text = value != NULL ? (struct blob){ value->data, value->len } : reply->data;
	char target[PATH_MAX];
	fuse_req_t req = call->req;

	(void)stat;
	if (reply->code == ERR_NONODE && value == NULL) {
		reply_vanished(call);
	} else if (reply->code != ERR_OK && value == NULL) {
		reply_code(call, reply->code);
	} else if (text.len >= sizeof target) {
		reply_err(call, ENAMETOOLONG);
	} else if (req != NULL) {
		if (text.len != 0)
			memcpy(target, text.data, text.len);
		target[text.len] = '\0';
		call->req = NULL;
		fuse_reply_readlink(req, target);
	}
	call_free(call);
}

void
op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct call *call = call_new(call_fsd(req), req);

	if (call == NULL)
		return;
	call->ino = ino;
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

static void
op_fallocate(
    fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len, struct fuse_file_info *fi)
{
	(void)ino;
	(void)mode;
	(void)offset;
	(void)len;
	(void)fi;
	fuse_reply_err(req, EOPNOTSUPP);
}

/*
 * What is missing is ENOSYS, which the kernel remembers: extended attributes (fact 14), LSEEK,
 * IOCTL.
 */
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
	.flush = op_flush,
	.poll = op_poll,
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
