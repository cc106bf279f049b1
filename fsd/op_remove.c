/*
 * UNLINK, RMDIR, RENAME: one transaction each. See fsd.h.
 *
 * The kernel takes the node that it knows by a name for the one that is removed
 * or moved. Until the echo has told it of a change made elsewhere that may be
 * another one.
 */
#include "fsd/grace.h"
#include "fsd/inode.h"
#include "fsd/reply.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"

#include <fcntl.h>
#include <string.h>

/*
 * The kernel removes or moves the node by itself; what the echo still has to tell of it is
 * void. zxid: the answer's. name: where it is now, NULL: nowhere.
 */
static void
own(struct fsd *fsd, uint64_t zxid, uint64_t id, uint64_t parent, const char *name)
{
	if (id != 0 && fsd->echo != NULL && !echo_owned(fsd->echo, zxid))
		echo_own(fsd->echo, id, parent, name);
}

/* It is at this name now. */
static void
arrived(struct fsd *fsd, uint64_t zxid, uint64_t id, uint64_t parent, const char *name)
{
	struct wire_stat stat;

	if (id == 0 || fsd->echo == NULL || echo_owned(fsd->echo, zxid))
		return;
	if (inode_last(fsd, id, &stat))
		echo_made(fsd->echo, parent, name, &stat);
}

/*
 * The kernel has just been told, or has done so itself, that what stood at the name is gone; if it
 * is: a name may be taken again.
 */
static void
told_gone(struct fsd *fsd, uint64_t parent, const char *name)
{
	uint64_t id = inode_name_get(fsd, parent, name);

	if (inode_is_gone(fsd, id))
		inode_unnamed(fsd, id);
}

/* The process was killed meanwhile, and the kernel knows nothing of what was done. */
static void
unseen(struct call *call, uint64_t parent, const char *name, uint64_t id)
{
	inode_entry_drop(call->fsd, parent, name);
	inode_invalidate(call->fsd, ino_make(INO_ZNODE, parent));
	if (id != 0)
		inode_invalidate(call->fsd, id);
}

/* call->ino: it was asked for certain nodes alone. Then the kernel looks again, once. */
static void
not_done(struct call *call, int code)
{
	if (code == ERR_NONODE && call->ino != 0)
		reply_vanished(call);
	else
		reply_code(call, code);
	call_free(call);
}

/*
 * Whatever stood at the name, nobody knows what that was: the kernel has raised its events, maybe
 * for another node that was there a moment ago. What was done is told back, so that all of them end
 * as they are now.
 */
static bool
told_back(const struct call *call)
{
	return (call->target.flags & WIRE_ECHO) != 0;
}

/* call->ino: which one. */
static void
removed(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	uint64_t id = told_back(call) ? 0 : call->ino;

	(void)stat;
	if (reply->code != ERR_OK) {
		not_done(call, reply->code);
		return;
	}
	inode_unnamed(call->fsd, id);
	if (id == 0)
		told_gone(call->fsd, call->parent, call->name);
	if (call->req != NULL)
		own(call->fsd, reply->zxid, id, 0, NULL);
	inode_outdate(call->fsd, call->parent);
	if (!reply_err(call, 0))
		unseen(call, call->target.dir, call->name, id);
	call_free(call);
}

/*
 * Which node the kernel means; 0: whichever stands at the name. If it is not
 * that one, the kernel is to look again, once.
 */
static uint64_t
meant(const struct call *call, uint64_t parent, const char *name)
{
	if (grace_due(call->fsd, call->tid))
		return 0;
	return inode_name_get(call->fsd, parent, name);
}

/* call->mode: whether it is rmdir. */
static void
send_delete(struct call *call, call_done done)
{
	const struct zab_target *target = &call->target;
	struct wire_msg msg = { .type = WIRE_T_DELETE,
		.delete = { .flags = target->flags,
		    .parent = target->dir,
		    .name = call_blob(call->name),
		    .dir = call->mode,
		    .id = call->ino,
		    .version = modifier_version(&target->modifier),
		    .uid = call->attr.uid } };

	call_send(call, &msg, done);
}

/* Whether a process before us has removed it. */
static void
became(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	if (reply->code == ERR_OK) {
		removed(call, reply, stat);
		return;
	}
	reply_err(call, reply->code == ERR_NONODE ? call->flags : err_errno(reply->code));
	call_free(call);
}

/*
 * There is nothing to remove, call->flags is the errno. Where a process before us may have done it
 * already, the replica is asked for that: no node has this id.
 */
static void
not_there(struct call *call)
{
	if (call->resent) {
		call->ino = UINT64_MAX;
		send_delete(call, became);
		return;
	}
	reply_err(call, call->flags);
	call_free(call);
}

/* Through a modifier only what it would have created can be removed. */
static void
qualified(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	int code = call_code(reply, stat);

	if (code == ERR_OK && call_would_make(call, stat)) {
		call->ino = stat->id;
		send_delete(call, removed);
	} else if (code == ERR_OK || code == ERR_NONODE) {
		call->flags = code == ERR_OK ? EPERM : ENOENT;
		not_there(call);
	} else {
		reply_code(call, code);
		call_free(call);
	}
}

static void
remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, bool dir)
{
	struct fsd *fsd = call_fsd(req);
	const struct modifier *modifier;
	struct call *call;
	int errnum;

	if (echo_caller(fsd->echo, req)) {
		echo_op_remove(fsd->echo, req, parent, name);
		told_gone(fsd, parent, name);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL || !call_name(call, call->name, name))
		return;
	call->parent = parent;
	call->attr.uid = fuse_req_ctx(req)->uid;
	call->mode = dir ? 1 : 0;
	modifier = &call->target.modifier;
	errnum = zab_target(fsd, parent, name, &call->target);
	/* What a sequence made has another name. */
	if (errnum == 0 && modifier->sequence)
		errnum = ENOENT;
	if (errnum != 0) {
		reply_err(call, errnum);
		call_free(call);
		return;
	}
	if (modifier->owner != WIRE_PERSISTENT) {
		call_hold(call, call->rid);
		call_lookup(call, call->target.dir, call->name, qualified);
		return;
	}
	if (!modifier->versioned)
		call->ino = meant(call, parent, call->name);
	if (call->ino == 0)
		call->target.flags |= WIRE_ECHO;
	send_delete(call, removed);
}

void
op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, false);
}

void
op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, true);
}

static void
renamed(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct fsd *fsd = call->fsd;
	uint64_t moved = inode_name_get(fsd, call->parent, call->name);
	uint64_t target = inode_name_get(fsd, call->newparent, call->newname);
	bool exchange = (call->flags & RENAME_EXCHANGE) != 0;
	bool other = stat != NULL && moved != 0 && moved != stat->id;

	if (reply->code != ERR_OK) {
		not_done(call, reply->code);
		return;
	}
	if (stat != NULL)
		moved = stat->id;
	if (target == moved)
		target = 0;
	if (target != 0 && !exchange && !told_back(call))
		inode_unnamed(fsd, target);
	else if (!exchange)
		told_gone(fsd, call->newparent, call->newname);
	if (moved != 0)
		inode_name_set(fsd, call->newparent, call->newname, moved);
	if (target != 0 && exchange)
		inode_name_set(fsd, call->parent, call->name, target);
	if (call->req != NULL && !told_back(call)) {
		own(fsd, reply->zxid, moved, call->newparent, call->newname);
		own(fsd, reply->zxid, target, call->parent, exchange ? call->name : NULL);
		/* Behind what that has left to be told of what stood at the name before. */
		arrived(fsd, reply->zxid, moved, call->newparent, call->newname);
		if (exchange)
			arrived(fsd, reply->zxid, target, call->parent, call->name);
	}
	inode_outdate(fsd, call->parent);
	inode_outdate(fsd, call->newparent);
	inode_outdate(fsd, moved);
	inode_outdate(fsd, target);
	/* The kernel has moved another node than was moved: it must ask for both names. */
	if (!reply_err(call, 0) || other) {
		unseen(call, call->parent, call->name, moved);
		unseen(call, call->newparent, call->newname, target);
	}
	call_free(call);
}

void
op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
    const char *newname, unsigned int flags)
{
	struct fsd *fsd = call_fsd(req);
	struct wire_msg msg = { .type = WIRE_T_RENAME };
	struct call *call;
	int errnum = 0;

	if (echo_caller(fsd->echo, req)) {
		echo_op_rename(fsd->echo, req);
		told_gone(fsd, newparent, newname);
		return;
	}
	if (strcmp(name, ZAB_NAME) == 0 || strcmp(newname, ZAB_NAME) == 0)
		errnum = EPERM;
	else if (ino_kind(parent) != INO_ZNODE || ino_kind(newparent) != INO_ZNODE)
		errnum = EXDEV; /* mv then copies: a creation through the modifier */
	else if ((flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0)
		errnum = EINVAL;
	if (errnum != 0) {
		fuse_reply_err(req, errnum);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL || !call_name(call, call->name, name) ||
	    !call_name(call, call->newname, newname))
		return;
	call->parent = parent;
	call->newparent = newparent;
	call->flags = (int)flags;
	call->target.flags = grace_due(fsd, call->tid) ? WIRE_ECHO : 0;
	msg.rename = (struct wire_rename){ .flags = call->target.flags,
		.parent = parent,
		.name = call_blob(call->name),
		.newparent = newparent,
		.newname = call_blob(call->newname),
		.how = flags,
		.id = meant(call, parent, call->name),
		.id2 = meant(call, newparent, call->newname),
		.uid = fuse_req_ctx(req)->uid };
	call->ino = msg.rename.id != 0 ? msg.rename.id : msg.rename.id2;
	call_send(call, &msg, renamed);
}
