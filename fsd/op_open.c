/*
 * OPEN: at once, where the node is known and its value is here if it is wanted; or the replica is
 * asked. A name that is replaced meanwhile is looked for again (grace.h). See fsd.h.
 */
#include "fsd/grace.h"
#include "fsd/inode.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"

#include <fcntl.h>

#define TRIES_MAX 16 /* a name that is replaced faster than it can be read is given up */

/*
 * A reader gets its snapshot at OPEN. Who may also write gets it at the first
 * read, if there is one.
 */
static bool
wants_value(int flags)
{
	return (flags & O_ACCMODE) == O_RDONLY && (flags & O_TRUNC) == 0;
}

static bool
writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
}

static void
not_opened(struct call *call, struct handle *handle, int errnum)
{
	reply_err(call, errnum);
	handle_free(call->fsd, handle);
	call_free(call);
}

static void
open_with(struct call *call, struct handle *handle, struct value *value)
{
	handle_pin_unread(call->fsd, handle, value);
	if (!reply_open(call, handle))
		handle_free(call->fsd, handle);
	call_free(call);
}

static void open_vanished(struct call *call, struct handle *handle);

static void
read_instead(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);
	struct value *value = NULL;

	if (reply->code == ERR_NONODE) {
		open_vanished(call, handle);
		return;
	}
	if (call_code(reply, stat) == ERR_OK)
		value = value_new(stat, reply->data);
	if (value != NULL)
		open_with(call, handle, value);
	else
		not_opened(call, handle, ENOMEM);
}

/* Only if the kernel would let the same ones open it. */
static void
found_instead(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);

	if (call_code(reply, stat) != ERR_OK)
		not_opened(call, handle, err_errno(call_code(reply, stat)));
	else if (stat->mode == call->attr.mode && stat->uid == call->attr.uid &&
		 stat->gid == call->attr.gid)
		call_read(call, stat->id, read_instead);
	else
		not_opened(call, handle, ESTALE);
}

/*
 * As it was when this thread's second lookup found it; or who stands at the name now, again and
 * again. If there was no second one, the kernel looks.
 */
static void
open_vanished(struct call *call, struct handle *handle)
{
	struct value *value = grace_get(call->fsd, call->tid, handle->ino);
	const struct grace_place *place = grace_place(call->fsd, call->tid, handle->ino);

	if (value != NULL) {
		open_with(call, handle, value_ref(value));
	} else if (place != NULL && call->size++ < TRIES_MAX) {
		call->attr.mode = place->mode;
		call->attr.uid = place->uid;
		call->attr.gid = place->gid;
		call_lookup(call, place->parent, place->name, found_instead);
	} else {
		reply_vanished(call);
		handle_free(call->fsd, handle);
		call_free(call);
	}
}

static void
opened(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);
	uint64_t id = ino_node(handle->ino);
	struct value *value;

	if (reply->code == ERR_NONODE) {
		open_vanished(call, handle);
		return;
	}
	if (call_code(reply, stat) != ERR_OK) {
		not_opened(call, handle, err_errno(call_code(reply, stat)));
		return;
	}
	/* Through a modifier only what it would have created can be changed. */
	if (ino_kind(handle->ino) == INO_ALIAS && writes(call->flags) &&
	    !call_would_make(call, stat)) {
		not_opened(call, handle, EEXIST);
		return;
	}
	handle->stat = *stat;
	if (call->type == WIRE_T_READ) {
		value = value_new(stat, reply->data);
		if (value == NULL) {
			not_opened(call, handle, ENOMEM);
			return;
		}
		inode_value_keep(call->fsd, id, value);
		handle_pin_unread(call->fsd, handle, value);
	}
	if (!reply_open(call, handle))
		handle_free(call->fsd, handle);
	call_free(call);
}

/*
 * Without asking the replica: the node is known to exist, and its value is here if it is
 * wanted.
 */
static bool
open_at_once(fuse_req_t req, struct handle *handle)
{
	struct fsd *fsd = call_fsd(req);
	uint64_t id = ino_node(handle->ino);
	struct value *value;

	if (ino_kind(handle->ino) == INO_ALIAS || !inode_live(fsd, id))
		return false;
	if (wants_value(handle->flags)) {
		value = inode_value(fsd, id);
		if (value == NULL)
			return false;
		handle_pin_unread(fsd, handle, value_ref(value));
	} else {
		inode_last(fsd, id, &handle->stat);
	}
	reply_req_open(req, handle);
	return true;
}

void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	struct modifier modifier;
	struct handle *handle;
	struct call *call;

	if (echo_caller(fsd->echo, req)) {
		echo_op_open(fsd->echo, req, ino, fi);
		return;
	}
	if (zab_made(ino) && !zab_writable(ino) && writes(fi->flags)) {
		fuse_reply_err(req, EACCES);
		return;
	}
	if (!qualified_reached(fsd, &ino, &modifier)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	handle = handle_new(fsd, ino, fi->flags, fuse_req_ctx(req)->pid);
	handle->versioned = modifier.versioned;
	if (modifier.async)
		handle_async(handle);
	handle->expect = modifier_version(&modifier);
	if (!zab_made(ino) && open_at_once(req, handle))
		return;
	call = call_new(fsd, req);
	if (call == NULL) {
		handle_free(fsd, handle);
		return;
	}
	call->target.modifier = modifier;
	call->flags = fi->flags;
	call->fh = handle->fh;
	if (zab_made(ino))
		zab_open(call, handle);
	else if (wants_value(fi->flags))
		call_read(call, ino_node(ino), opened);
	else
		call_getattr(call, ino_node(ino), opened);
}
