/* GETATTR, SETATTR, STATFS. See fsd.h. */
#include "fsd/grace.h"
#include "fsd/inode.h"
#include "fsd/interrupt.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define STATFS_BLOCK 4096
#define ECHO_PASS 0.01 /* seconds: the kernel asks once for the echo's call, not twice */

static double
timeout_of(const struct call *call, const struct wire_stat *stat)
{
	/* While nobody can be asked nobody tells of changes. */
	if (call->root || ino_kind(call->ino) != INO_ZNODE ||
	    reply_attr_timeout(call->fsd, stat) == 0)
		return 0;
	return reply_forever(call->fsd);
}

static bool
is_unnamed(const struct call *call)
{
	return inode_is_unnamed(call->fsd, ino_node(call->ino)) || ino_kind(call->ino) != INO_ZNODE;
}

/*
 * The node is gone. Is this an fstat, an fchmod? The kernel doesn't say. It is
 * if no name leads here any more, and taken for one if the process has the file
 * open. NULL: it isn't, and the kernel is to look for the name again.
 */
static const struct handle *
descriptor(const struct call *call)
{
	return handle_of(call->fsd, call->ino, is_unnamed(call) ? 0 : call->tid);
}

/* Who stands at the name now, if he is of the same kind. */
static void
got_instead(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct stat attr;

	if (call_code(reply, stat) != ERR_OK) {
		reply_code(call, call_code(reply, stat));
	} else if ((stat->mode & S_IFMT) != (call->attr.mode & S_IFMT)) {
		reply_vanished(call);
	} else {
		reply_stat(stat, &attr);
		reply_attr(call, &attr, 0);
	}
	call_free(call);
}

/* fstat(2) shows what was there last, without a name. False: more is asked first. */
static bool
vanished(struct call *call)
{
	const struct value *value = grace_get(call->fsd, call->tid, call->ino);
	const struct grace_place *place = grace_place(call->fsd, call->tid, call->ino);
	const struct handle *handle = descriptor(call);
	struct wire_stat last;
	struct stat attr;

	if (handle != NULL) {
		if (!inode_last(call->fsd, ino_node(call->ino), &last) ||
		    last.ctime_ns < handle->stat.ctime_ns)
			last = handle->stat;
		zab_attr(handle->ino, &last, &attr);
		attr.st_nlink = 0;
		reply_attr(call, &attr, 0);
	} else if (value != NULL) {
		reply_stat(&value->stat, &attr);
		reply_attr(call, &attr, 0);
	} else if (place != NULL) {
		call->attr.mode = place->mode;
		call_lookup(call, place->parent, place->name, got_instead);
		return false;
	} else {
		reply_vanished(call);
	}
	return true;
}

static void
set_vanished(struct call *call)
{
	const struct handle *handle = descriptor(call);

	if (handle != NULL && !handle_expired(call->fsd, handle))
		reply_err(call, ENOENT);
	else
		reply_vanished(call);
}

/* What this thread's open(2) has just created. */
static bool
just_created(struct call *call)
{
	const struct handle *handle = handle_of(call->fsd, call->ino, call->tid);
	struct stat attr;

	if (!grace_is_created(call->fsd, call->tid, call->ino) || handle == NULL)
		return false;
	zab_attr(handle->ino, &handle->stat, &attr);
	reply_attr(call, &attr, 0);
	return true;
}

static void
got(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct stat attr;

	if (reply->code == ERR_NONODE) {
		if (!vanished(call))
			return;
	} else if (reply->code == ERR_NOQUORUM && just_created(call)) {
		/* answered */
	} else if (call_code(reply, stat) != ERR_OK) {
		reply_code(call, call_code(reply, stat));
	} else {
		zab_attr(call->ino, stat, &attr);
		reply_attr(call, &attr, timeout_of(call, stat));
	}
	call_free(call);
}

static void
root_hasty(struct call *call)
{
	struct stat attr;

	zab_attr(call->fsd->root.id, &call->fsd->root, &attr);
	reply_attr(call, &attr, 0);
}

/*
 * For the echo, which only wants to get past: it must not wait for a replica that may never come.
 * The kernel keeps it no longer than that takes, and not at all what isn't exact.
 */
static bool
getattr_at_once(fuse_req_t req, uint64_t ino)
{
	struct fsd *fsd = call_fsd(req);
	struct wire_stat stat = fsd->root;
	struct stat attr;
	bool exact;

	if (zab_alone(ino))
		return false;
	exact = ino_kind(ino) == INO_ZNODE && inode_exact(fsd, ino, &stat);
	if (!exact && ino_node(ino) != fsd->root.id && !inode_last(fsd, ino_node(ino), &stat))
		return false;
	zab_attr(ino, &stat, &attr);
	fuse_reply_attr(req, &attr, exact ? ECHO_PASS : 0);
	return true;
}

void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	static const struct wire_reply fine = { .code = ERR_OK };
	struct fsd *fsd = call_fsd(req);
	struct wire_stat stat;
	struct call *call;

	(void)fi;
	if (echo_caller(fsd->echo, req) &&
	    (echo_op_getattr(fsd->echo, req, ino) || getattr_at_once(req, ino)))
		return;
	if (!qualified_resolve(fsd, &ino)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL)
		return;
	call->ino = ino;
	if (ino_kind(ino) == INO_ZNODE && inode_exact(fsd, ino, &stat)) {
		got(call, &fine, &stat);
		return;
	}
	call->root = ino == fsd->root.id;
	if (ino_kind(ino) == INO_ZNODE || ino_kind(ino) == INO_ALIAS)
		call_getattr(call, ino_node(ino), got);
	else
		zab_getattr(call, ino);
	if (ino == fsd->root.id)
		interrupt_hurry(call, root_hasty);
}

/* WIRE_SET_… of what libfuse says; -1: a time other than now. */
static int
wire_valid(int valid)
{
	int set = 0;

	if (((valid & FUSE_SET_ATTR_MTIME) != 0 && (valid & FUSE_SET_ATTR_MTIME_NOW) == 0) ||
	    ((valid & FUSE_SET_ATTR_ATIME) != 0 && (valid & FUSE_SET_ATTR_ATIME_NOW) == 0))
		return -1;
	if ((valid & FUSE_SET_ATTR_MODE) != 0)
		set |= (int)WIRE_SET_MODE;
	if ((valid & FUSE_SET_ATTR_UID) != 0)
		set |= (int)WIRE_SET_UID;
	if ((valid & FUSE_SET_ATTR_GID) != 0)
		set |= (int)WIRE_SET_GID;
	if ((valid & FUSE_SET_ATTR_SIZE) != 0)
		set |= (int)WIRE_SET_SIZE;
	if ((valid & FUSE_SET_ATTR_MTIME_NOW) != 0)
		set |= (int)WIRE_SET_MTIME;
	return set;
}

static void
set(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct fsd *fsd = call->fsd;
	uint64_t id = ino_node(call->ino);
	struct handle *handle = call->fh == 0 ? NULL : handle_find(fsd, call->fh);
	int code = call_done_code(reply, stat);
	struct stat attr;

	if ((call->mode & WIRE_SET_SIZE) != 0) {
		inode_value_drop(fsd, id);
		if (handle != NULL && call->req != NULL)
			handle_pin(fsd, handle, NULL);
	}
	if (handle != NULL && code == ERR_OK) {
		handle->trunc = handle->trunc && (call->mode & WIRE_SET_SIZE) == 0;
		if (handle->expect >= 0)
			handle->expect = stat->version;
	}
	if (reply->code == ERR_NONODE && call->fh == 0) {
		set_vanished(call);
	} else if (code != ERR_OK) {
		reply_code(call, code);
	} else {
		if (S_ISDIR(stat->mode))
			inode_invalidate_zab(fsd, id);
		if (ino_kind(call->ino) != INO_ZNODE)
			inode_invalidate(fsd, ino_make(INO_ZNODE, id));
		zab_attr(call->ino, stat, &attr);
		if (!reply_attr(call, &attr, timeout_of(call, stat)))
			inode_invalidate(fsd, call->ino);
	}
	call_free(call);
}

/* Through a descriptor that has a lock, or holds a node: not once that is over (op_write.c). */
static void
send_set(struct call *call, struct wire_msg *msg)
{
	const struct handle *handle = call->fh == 0 ? NULL : handle_find(call->fsd, call->fh);

	call_send(call, msg, set);
	if (handle != NULL && handle_is_bound(handle))
		link_bind(call->request);
}

/* ftruncate of a file whose O_TRUNC is still due: both at once, or neither. */
static void
set_size_anew(struct call *call, struct handle *handle, uint64_t size)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE,
		.write = { .flags = zab_flags(call->ino),
		    .id = ino_node(call->ino),
		    .how = WIRE_REPLACE,
		    .version = handle->expect } };
	uint8_t *zeros;

	if (size > WIRE_VALUE_MAX) {
		reply_err(call, EFBIG);
		call_free(call);
		return;
	}
	zeros = calloc(1, size + 1);
	if (zeros == NULL) {
		reply_err(call, ENOMEM);
		call_free(call);
		return;
	}
	handle->wrote = true;
	msg.write.data = (struct blob){ zeros, (uint32_t)size };
	send_set(call, &msg);
	free(zeros);
}

/* The version that the change is for, -1: any. */
static int64_t
expected(const struct call *call)
{
	const struct handle *handle = call->fh == 0 ? NULL : handle_find(call->fsd, call->fh);

	/* It may have written since it was opened. */
	if (handle != NULL && (handle->versioned || (call->mode & WIRE_SET_SIZE) != 0))
		return handle->expect;
	return modifier_version(&call->target.modifier);
}

static void
send_setattr(struct call *call)
{
	struct wire_msg msg = { .type = WIRE_T_SETATTR,
		.setattr = { .flags = zab_flags(call->ino),
		    .id = ino_node(call->ino),
		    .valid = call->mode,
		    .mode = call->attr.mode,
		    .uid = call->attr.uid,
		    .gid = call->attr.gid,
		    .size = call->attr.size,
		    .version = expected(call) } };

	send_set(call, &msg);
}

/* Through a modifier only what it would have created can be changed. */
static void
qualified(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	int code = call_code(reply, stat);

	if (code == ERR_OK && call_would_make(call, stat)) {
		send_setattr(call);
		return;
	}
	if (code == ERR_NONODE)
		set_vanished(call);
	else if (code == ERR_OK)
		reply_err(call, EPERM);
	else
		reply_code(call, code);
	call_free(call);
}

static void
set_qualified(struct call *call)
{
	call_hold(call, call->rid);
	call_getattr(call, ino_node(call->ino), qualified);
}

void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int valid, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	struct modifier modifier;
	int wire = wire_valid(valid);
	struct handle *handle;
	enum ino_kind kind;
	struct call *call;

	if (echo_caller(fsd->echo, req)) {
		echo_op_setattr(fsd->echo, req, ino);
		return;
	}
	if (!qualified_reached(fsd, &ino, &modifier)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	kind = ino_kind(ino);
	/* Of what is below .zab only a value can be set. */
	if (wire < 0 || (kind != INO_ZNODE && kind != INO_ALIAS && kind != INO_DATA) ||
	    (kind == INO_DATA && (wire & ~(int)(WIRE_SET_SIZE | WIRE_SET_MTIME)) != 0)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	handle = fi == NULL ? NULL : handle_get(fsd, ino, fi);
	if (handle != NULL && handle_expired(fsd, handle)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL)
		return;
	call->ino = ino;
	call->target.modifier = modifier;
	call->fh = fi == NULL ? 0 : fi->fh;
	call->mode = (uint32_t)wire;
	call->attr.mode = attr->st_mode & 07777;
	call->attr.uid = attr->st_uid;
	call->attr.gid = attr->st_gid;
	call->attr.size = (uint64_t)attr->st_size;
	if (wire == 0)
		call_getattr(call, ino_node(ino), got); /* an access time: there is none */
	else if (handle != NULL && handle->trunc && wire == (int)WIRE_SET_SIZE)
		set_size_anew(call, handle, (uint64_t)attr->st_size);
	else if (kind == INO_ALIAS && handle == NULL && modifier.owner != WIRE_PERSISTENT)
		set_qualified(call);
	else
		send_setattr(call);
}

static void
reply_space(struct call *call)
{
	const struct wire_space *space = &call->fsd->space;
	fuse_req_t req = call->req;
	struct statvfs out;

	if (req == NULL)
		return;
	memset(&out, 0, sizeof out);
	out.f_bsize = STATFS_BLOCK;
	out.f_frsize = STATFS_BLOCK;
	out.f_bfree = space->bytes_left / STATFS_BLOCK;
	out.f_bavail = out.f_bfree;
	out.f_blocks = out.f_bfree + (space->bytes + STATFS_BLOCK - 1) / STATFS_BLOCK;
	out.f_ffree = space->nodes_left;
	out.f_favail = out.f_ffree;
	out.f_files = out.f_ffree + space->nodes;
	out.f_namemax = WIRE_NAME_MAX;
	call->req = NULL;
	fuse_reply_statfs(req, &out);
}

/* umount(8) asks; without a replica the last answer is good enough. */
static void
got_statfs(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct wire_space space;
	int code = reply->code;

	(void)stat;
	if (code == ERR_OK)
		code = wire_space_unpack(reply->data, &space);
	if (code == ERR_OK)
		call->fsd->space = space;
	if (code == ERR_OK || code == ERR_NOQUORUM)
		reply_space(call);
	else
		reply_code(call, code);
	call_free(call);
}

/* Where the node is that the number belongs to. */
static uint64_t
place_of(const struct fsd *fsd, uint64_t ino)
{
	struct qualified of;

	if (zab_alone(ino) || !qualified_resolve(fsd, &ino) || !qualified_dir(fsd, ino, &of))
		return fsd->root.id;
	return of.id;
}

void
op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fsd *fsd = call_fsd(req);
	struct wire_msg msg = { .type = WIRE_T_STATFS, .statfs = { .id = place_of(fsd, ino) } };
	struct call *call = call_new(fsd, req);

	if (call == NULL)
		return;
	call_send(call, &msg, got_statfs);
	interrupt_hurry(call, reply_space);
}
