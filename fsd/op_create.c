/*
 * CREATE, MKNOD, MKDIR, SYMLINK: each is one create transaction. See fsd.h;
 * zab.h for those that go through a modifier.
 */
#include "fsd/grace.h"
#include "fsd/inode.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "fsd/stray.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

/* Whether such a node can be created that way; 0, or the errno. */
static int
check_target(const struct call *call)
{
	const struct modifier *modifier = &call->target.modifier;
	bool bound = modifier->owner == WIRE_EPHEMERAL || modifier->owner == WIRE_HELD;

	/* There is no version of what isn't there. */
	if (modifier->versioned)
		return ENOENT;
	if (bound && S_ISDIR(call->mode))
		return EINVAL;
	/* Held by what, if not an open file? */
	if (modifier->owner == WIRE_HELD && call->fh == 0)
		return EINVAL;
	/* A container is for others to be created in. */
	return modifier->owner == WIRE_CONTAINER && !S_ISDIR(call->mode) ? EINVAL : 0;
}

/* Sends the create, or answers that there is no such place. False: the call has ended. */
static bool
send_create(struct call *call, const char *value, call_done done)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(call->req);
	const struct modifier *modifier = &call->target.modifier;
	struct wire_msg msg = { .type = WIRE_T_CREATE };
	int errnum;

	errnum = zab_target(call->fsd, call->parent, call->name, &call->target);
	if (errnum == 0)
		errnum = check_target(call);
	if (errnum != 0) {
		reply_err(call, errnum);
		call_free(call);
		return false;
	}
	msg.create = (struct wire_create){
		.flags = call->target.flags | (modifier->sequence ? WIRE_SEQUENCE : 0),
		.parent = call->target.dir,
		.name = call_blob(call->name),
		.mode = call->mode,
		.uid = ctx->uid,
		.gid = ctx->gid,
		.owner = modifier->owner,
		.handle = modifier->owner == WIRE_HELD ? call->fh : modifier->ttl_ms,
		.value = call_blob(value),
	};
	call_send(call, &msg, done);
	return true;
}

static uint64_t
own_number(const struct call *call, uint64_t id)
{
	return ino_make(ino_kind(call->parent) == INO_ZNODE ? INO_ZNODE : INO_ALIAS, id);
}

/* The number that the kernel is to know the new node by. */
static uint64_t
number(const struct call *call, uint64_t id)
{
	if (ino_kind(call->parent) == INO_MODIFIER && call->req != NULL)
		return qualified_ino(call->fsd, INO_REACHED, id, &call->target.modifier);
	return own_number(call, id);
}

/* The kernel wasn't there to see the directory change. */
static void
unseen(struct call *call)
{
	inode_invalidate(call->fsd, ino_make(INO_ZNODE, call->target.dir));
}

/* The kernel knows the new node by its name. */
static void
named(struct call *call, const struct wire_stat *stat, uint64_t zxid)
{
	inode_name_set(call->fsd, call->parent, call->name, stat->id);
	if (call->fsd->echo != NULL && !echo_owned(call->fsd->echo, zxid))
		echo_made(call->fsd->echo, call->parent, call->name, stat);
}

static void
made(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct stat attr;
	bool taken;

	if (call_done_code(reply, stat) != ERR_OK) {
		reply_code(call, call_done_code(reply, stat));
		call_free(call);
		return;
	}
	inode_outdate(call->fsd, call->parent);
	if (ino_kind(call->parent) == INO_ZNODE) {
		taken = reply_entry(call, stat);
		if (taken)
			named(call, stat, reply->zxid);
	} else {
		reply_stat(stat, &attr);
		taken = reply_entry_zab(call, number(call, stat->id), &attr, 0);
	}
	if (!taken)
		unseen(call);
	call_free(call);
}

static void
make(fuse_req_t req, fuse_ino_t parent, const char *name, uint32_t mode, const char *value)
{
	struct fsd *fsd = call_fsd(req);
	struct call *call;

	if (echo_caller(fsd->echo, req)) {
		echo_op_create(fsd->echo, req, parent, name);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL || !call_name(call, call->name, name))
		return;
	call->parent = parent;
	call->mode = mode;
	send_create(call, value, made);
}

void
op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	(void)rdev;
	if (S_ISREG(mode))
		make(req, parent, name, mode, "");
	else
		fuse_reply_err(req, EPERM);
}

void
op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make(req, parent, name, S_IFDIR | (mode & 07777), "");
}

void
op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	make(req, parent, name, S_IFLNK | 0777, target);
}

/* Ends a CREATE whose file isn't opened. */
static void
not_opened(struct call *call, struct handle *handle, int errnum)
{
	reply_err(call, errnum);
	handle_free(call->fsd, handle);
	call_free(call);
}

static bool
is_member(fuse_req_t req, gid_t gid)
{
	static gid_t groups[NGROUPS_MAX];
	int n, i;

	if (fuse_req_ctx(req)->gid == gid)
		return true;
	n = fuse_req_getgroups(req, NGROUPS_MAX, groups);
	for (i = 0; i < n && i < NGROUPS_MAX; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/* What the kernel would have checked, had it known the node. */
static bool
may_open(fuse_req_t req, const struct wire_stat *stat, int flags)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	uint32_t shift = ctx->uid == stat->uid ? 6 : is_member(req, stat->gid) ? 3 : 0;
	uint32_t bits = stat->mode >> shift, want;

	want = (flags & O_ACCMODE) == O_RDONLY ? 4 : (flags & O_ACCMODE) == O_WRONLY ? 2 : 6;
	if ((flags & O_TRUNC) != 0)
		want |= 2;
	return ctx->uid == 0 || (bits & want) == want;
}

/* The node that was created meanwhile, found: opened as it is. */
static void
existing(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);

	if (call_code(reply, stat) != ERR_OK || call->req == NULL) {
		not_opened(call, handle, err_errno(call_code(reply, stat)));
		return;
	}
	if (!S_ISREG(stat->mode)) {
		not_opened(call, handle, S_ISDIR(stat->mode) ? EISDIR : ELOOP);
		return;
	}
	if (!may_open(call->req, stat, call->flags)) {
		not_opened(call, handle, EACCES);
		return;
	}
	/* Another's node is not what the modifier says. */
	if (!call_would_make(call, stat)) {
		not_opened(call, handle, EEXIST);
		return;
	}
	handle->held = false;
	handle->ino = own_number(call, stat->id);
	handle->stat = *stat;
	if (!reply_create(call, stat, number(call, stat->id), handle))
		handle_free(call->fsd, handle);
	else if (ino_kind(call->parent) == INO_ZNODE)
		inode_name_set(call->fsd, call->parent, call->name, stat->id);
	call_free(call);
}

/*
 * Somebody else was faster. Run again, the kernel finds the node itself, checks
 * its permissions, and opens it as one that was there. If that fails twice
 * (created and deleted in turn), it is opened from here; then the kernel takes
 * it for new and raises a CREATE of its own.
 */
static void
exists(struct call *call, struct handle *handle)
{
	uint64_t what = XXH64(call->name, strlen(call->name), call->parent);

	if ((call->flags & O_EXCL) != 0 || call->target.modifier.sequence)
		not_opened(call, handle, EEXIST);
	else if (!grace_begin(call->fsd, call->tid, what))
		not_opened(call, handle, ESTALE);
	else
		call_lookup(call, call->target.dir, call->name, existing);
}

/* A line with the name that the sequence has given. */
static void
answer_name(struct call *call, struct handle *handle, struct blob name)
{
	char line[WIRE_NAME_MAX + 2];
	int len = snprintf(line, sizeof line, "%.*s\n", (int)name.len, (const char *)name.data);

	handle_answer(call->fsd, handle, line, (size_t)len);
}

static void
created(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);
	bool held = handle->held;

	/* Only after this answer a process before us had still something to ask. */
	if (reply->code == ERR_EXISTS || call_is_lost(call, reply)) {
		exists(call, handle);
		return;
	}
	if (call_done_code(reply, stat) != ERR_OK) {
		if (held && reply->code == ERR_UNKNOWN)
			stray_doubt(call->fsd, call->rid, handle->fh);
		not_opened(call, handle, err_errno(call_done_code(reply, stat)));
		return;
	}
	handle->ino = own_number(call, stat->id);
	handle->session = link_session(call->fsd->link);
	handle->trunc = false;
	handle->stat = *stat;
	if (call->target.modifier.async)
		handle_async(handle);
	if (call->target.modifier.sequence)
		answer_name(call, handle, reply->data);
	/* Before the kernel can ask. */
	grace_created(call->fsd, call->tid, handle->ino);
	inode_outdate(call->fsd, call->parent);
	if (reply_create(call, stat, number(call, stat->id), handle)) {
		if (ino_kind(call->parent) == INO_ZNODE)
			named(call, stat, reply->zxid);
	} else {
		handle_free(call->fsd, handle);
		unseen(call);
		if (held)
			stray_add(call->fsd, stat->id);
	}
	call_free(call);
}

void
op_create(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	struct handle *handle;
	struct call *call;

	if (echo_caller(fsd->echo, req)) {
		echo_op_create(fsd->echo, req, parent, name);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL || !call_name(call, call->name, name))
		return;
	handle = handle_new(fsd, 0, fi->flags, call->tid);
	call->parent = parent;
	call->mode = S_IFREG | (mode & 07777);
	call->flags = fi->flags;
	call->fh = handle->fh;
	if (send_create(call, "", created))
		handle->held = call->target.modifier.owner == WIRE_HELD;
	else
		handle_free(fsd, handle);
}
