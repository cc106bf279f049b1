/*
 * RELEASE: what was to end with the open file ends, a held node, a lock, an O_TRUNC that no write
 * has carried out. Nobody waits for it. See fsd.h.
 */
#include "fsd/inode.h"
#include "fsd/lock.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "fsd/stray.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

/* The kernel has its answer last: without one it asks again, should this process die. */
static void
release_done(struct call *call)
{
	struct handle *handle = handle_find(call->fsd, call->fh);

	if (handle != NULL)
		handle_free(call->fsd, handle);
	reply_err(call, 0);
	call_free(call);
}

/* What else the close does comes first: the unlock has a greater id. */
static void
release_lock(struct call *call)
{
	if (call->locks)
		lock_release(call, release_done);
	else
		release_done(call);
}

/* The process is not told: it doesn't wait for RELEASE. */
static void
not_truncated(uint64_t id, int code)
{
	log_warn("a file was not truncated at its close id=%llu reason=\"%s\"",
	    (unsigned long long)id, err_text(code));
}

/* The O_TRUNC that no write has carried out. */
static void
truncated(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)stat;
	if (reply->code != ERR_OK && reply->code != ERR_NONODE)
		not_truncated(ino_node(call->ino), reply->code);
	inode_value_drop(call->fsd, ino_node(call->ino));
	inode_invalidate(call->fsd, call->ino);
	inode_invalidate(call->fsd, ino_make(INO_ZNODE, ino_node(call->ino)));
	release_lock(call);
}

static void
released(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)stat;
	/* The session was suspended for too long. If it goes on, so would the node. */
	if (reply->code != ERR_OK && reply->code != ERR_NONODE)
		stray_add(call->fsd, ino_node(call->ino));
	release_lock(call);
}

/* Of a handle that was not kept the node itself says whether this file held it. */
static void
adopted(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	if (reply->code == ERR_OK && stat != NULL && stat->handle == call->fh &&
	    stat->owner == link_session(call->fsd->link))
		stray_add(call->fsd, stat->id);
	release_lock(call);
}

static void
ask(struct call *call)
{
	if (call->locks)
		call_hold(call, lock_release_rid(call));
	call_getattr(call, ino_node(call->ino), adopted);
}

static void
send_release(struct call *call, const struct handle *handle)
{
	struct wire_msg truncate = { .type = WIRE_T_WRITE,
		.write = { .flags = zab_flags(call->ino),
		    .id = ino_node(call->ino),
		    .how = WIRE_REPLACE,
		    .version = handle->expect } };
	struct wire_msg delete = { .type = WIRE_T_DELETE,
		.delete = { .flags = WIRE_ECHO, .id = ino_node(call->ino), .version = -1 } };

	if (handle->held)
		call_send(call, &delete, released);
	else
		call_send(call, &truncate, truncated);
	link_barrier(call->fsd->link, call->request, handle->stat.parent);
	if (!handle->held && handle->locked)
		link_bind(call->request);
}

/* Another may have the lock by now, and have written what would be lost. */
static bool
truncates(const struct fsd *fsd, const struct handle *handle)
{
	if (handle == NULL || !handle->trunc || handle->wrote)
		return false;
	if (!lock_is_lost(fsd, handle))
		return true;
	not_truncated(ino_node(handle->ino), ERR_EXPIRED);
	return false;
}

/* Nobody waits for the answer; what is to be done is sent before the same process's next request. */
void
op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	const struct handle *handle = handle_find(fsd, fi->fh);
	bool unknown = handle == NULL || handle->adopted, held = handle != NULL && handle->held,
	     due = !held && truncates(fsd, handle);
	struct call *call = call_new(fsd, req);

	if (call == NULL)
		return;
	if (!qualified_resolve(fsd, &ino))
		ino = handle == NULL ? 0 : handle->ino;
	call->ino = ino;
	call->fh = fi->fh;
	if (fi->fh == ECHO_FH || zab_made(ino)) {
		release_done(call);
		return;
	}
	call->locks = lock_is_due(fsd, handle, fi);
	unknown = unknown && ino_kind(ino) == INO_ALIAS;
	if (!held && !due && !unknown) {
		release_lock(call);
		return;
	}
	if (held || due)
		send_release(call, handle);
	else
		ask(call);
	/* What the kernel caches of the node is old from now on. */
	inode_invalidate(fsd, ino_make(INO_ZNODE, ino_node(ino)));
}
