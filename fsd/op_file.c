/*
 * OPEN, WRITE, FSYNC, RELEASE. One write(2) is one transaction; O_TRUNC waits
 * for the first write, or for RELEASE if none comes (zabfs(7)).
 * See fsd.h; op_read.c reads.
 */
#include "fsd/events.h"
#include "fsd/flow.h"
#include "fsd/grace.h"
#include "fsd/inode.h"
#include "fsd/lock.h"
#include "fsd/multi.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "fsd/stray.h"
#include "fsd/zab.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
	handle_pin(handle, value);
	handle->fresh = true;
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
		handle_pin(handle, value);
		handle->fresh = true;
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
		handle_pin(handle, value_ref(value));
		handle->fresh = true;
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

/* What this file may expect from now on is what it has written itself. */
static void
wrote(const struct call *call, struct handle *handle, const struct wire_stat *stat)
{
	handle->trunc = false;
	handle->answer_at = 0;
	handle->write_at += call->size;
	if (handle->expect >= 0 && stat != NULL)
		handle->expect = stat->version;
}

/* Whatever became of the write: what was read before may be old. */
static void
written(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = call->req == NULL ? NULL : handle_find(call->fsd, call->fh);
	uint64_t id = ino_node(call->ino);
	bool taken;

	inode_value_drop(call->fsd, id);
	if (handle != NULL) {
		handle_pin(handle, NULL);
		if (stat != NULL)
			handle->stat = *stat;
		if (reply->code == ERR_OK)
			wrote(call, handle, stat);
	}
	if (reply->code == ERR_OK)
		taken = reply_write(call, call->size);
	else
		taken = reply_code(call, reply->code);
	/*
	 * The kernel knows of a write that it made itself; not that it changed the directory, if it
	 * was .zab/data.
	 */
	if (ino_kind(call->ino) == INO_DATA)
		inode_invalidate(call->fsd, ino_make(INO_ZNODE, id));
	if (!taken)
		inode_invalidate(call->fsd, call->ino);
	call_free(call);
}

/* A first write behind the beginning of a file opened with O_TRUNC: zeros, then the data. */
static uint8_t *
padded(const char *data, size_t size, size_t offset)
{
	uint8_t *whole = calloc(1, offset + size);

	CHECK(whole != NULL);
	memcpy(whole + offset, data, size);
	return whole;
}

static void
send_write(struct call *call, const struct handle *handle, const char *data, call_done done)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE,
		.write = { .flags = zab_flags(call->ino),
		    .id = ino_node(call->ino),
		    .version = handle->expect } };
	bool append = (call->flags & O_APPEND) != 0;
	uint8_t *whole = NULL;

	msg.write.data = (struct blob){ (const uint8_t *)data, (uint32_t)call->size };
	if (handle->trunc) {
		msg.write.how = WIRE_REPLACE;
		if (!append && call->offset != 0) {
			whole = padded(data, call->size, (size_t)call->offset);
			msg.write.data =
			    (struct blob){ whole, (uint32_t)((size_t)call->offset + call->size) };
		}
	} else if (append) {
		msg.write.how = WIRE_APPEND; /* the kernel's offset comes from a size that may be
						old (fact 16) */
	} else {
		msg.write.how = WIRE_AT;
		msg.write.offset = (uint64_t)call->offset;
	}
	call_send(call, &msg, done);
	/* Who writes because he has a lock does not write when he has it no more. */
	if (handle->held || handle->locked)
		link_bind(call->request);
	free(whole);
}

/* Nobody waited for it. */
static void
written_async(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	uint64_t id = ino_node(call->ino);

	(void)stat;
	inode_value_drop(call->fsd, id);
	inode_invalidate(call->fsd, ino_make(INO_ZNODE, id));
	flow_end(call->flow, err_errno(reply->code));
	flow_maybe_free(call->flow, id);
	call_free(call);
}

static void
queued(struct call *call)
{
	reply_write(call, call->size);
	call_free(call);
}

/* Answered at once, or when there is room for more; the message is a call of its own. */
static void
write_async(struct call *call, struct handle *handle, const char *data)
{
	struct call *message = call_new(call->fsd, NULL);

	if (message == NULL) {
		reply_err(call, ENOMEM);
		call_free(call);
		return;
	}
	message->ino = call->ino;
	message->flow = handle->async;
	message->flags = call->flags;
	message->size = call->size;
	message->offset = call->offset;
	flow_begin(handle->async);
	send_write(message, handle, data, written_async);
	handle->trunc = false;
	handle_pin(handle, NULL);
	flow_wait(handle->async, call, FLOW_ROOM, queued);
}

/*
 * Who reads the name of what a sequence created moves the file's position: writes go on from where
 * the last one ended, or from the beginning.
 */
static off_t
write_offset(struct handle *handle, off_t offset)
{
	if (handle->answer == NULL)
		return offset;
	if (offset == 0)
		handle->write_at = 0;
	return (off_t)handle->write_at;
}

void
op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
    struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	struct handle *handle;
	struct call *call;
	bool append = (fi->flags & O_APPEND) != 0;

	if (echo_caller(fsd->echo, req)) {
		echo_op_write(fsd->echo, req, size);
		return;
	}
	if (!qualified_resolve(fsd, &ino)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	handle = handle_get(fsd, ino, fi);
	if (handle_expired(fsd, handle)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	handle->wrote = true;
	offset = write_offset(handle, offset);
	/* All or nothing: never a short write. What a stream is brought is many things. */
	if ((size > WIRE_VALUE_MAX && handle->stream == NULL) ||
	    (!append && !zab_writable(ino) && (uint64_t)offset > WIRE_VALUE_MAX - size)) {
		fuse_reply_err(req, EFBIG);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL)
		return;
	call->ino = ino;
	call->fh = handle->fh;
	call->flags = fi->flags;
	call->size = size;
	call->offset = offset;
	if (zab_writable(ino))
		zab_write(call, handle, data);
	else if (handle->async != NULL)
		write_async(call, handle, data);
	else
		send_write(call, handle, data, written);
}

static void
synced(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)stat;
	if (reply->code == ERR_OK)
		grace_synced(call->fsd);
	reply_code(call, reply->code);
	call_free(call);
}

static void
all_done(struct call *call)
{
	reply_err(call, flow_error(call->flow));
	call_free(call);
}

/* Until nothing that was written through it is under way. */
static void
wait_all(struct call *call, const struct handle *handle)
{
	if (handle->stream != NULL) {
		stream_sync(call, handle->stream);
		return;
	}
	call->flow = handle->async;
	flow_wait(handle->async, call, FLOW_ALL, all_done);
}

void
op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	const struct handle *handle = handle_find(fsd, fi->fh);
	struct call *call;

	(void)ino;
	(void)datasync;
	if (handle != NULL && handle_expired(fsd, handle)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL)
		return;
	if (handle != NULL && (handle->stream != NULL || handle->async != NULL))
		wait_all(call, handle);
	else
		call_sync(call, synced);
}

/* close(2), of what is not waited for otherwise; other files have FOPEN_NOFLUSH (fact 15). */
void
op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	const struct handle *handle = handle_find(fsd, fi->fh);
	struct call *call;

	(void)ino;
	if (handle == NULL || (handle->stream == NULL && handle->async == NULL)) {
		fuse_reply_err(req, 0);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL)
		return;
	if (handle->stream != NULL)
		stream_flush(call, handle->stream);
	else
		wait_all(call, handle);
}

void
op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	const struct handle *handle = handle_find(call_fsd(req), fi->fh);
	unsigned events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

	(void)ino;
	if (handle != NULL && handle->stream != NULL)
		events = stream_poll(handle->stream, ph);
	else if (handle != NULL && handle->events != NULL)
		events = events_poll(handle->events, ph);
	else if (ph != NULL)
		fuse_pollhandle_destroy(ph);
	fuse_reply_poll(req, events);
}

/*
 * The O_TRUNC that no write has carried out. The process is not told: it doesn't wait for
 * RELEASE.
 */
static void
truncated(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)stat;
	if (reply->code != ERR_OK && reply->code != ERR_NONODE)
		log_warn("a file was not truncated at its close id=%llu reason=\"%s\"",
		    (unsigned long long)ino_node(call->ino), err_text(reply->code));
	inode_value_drop(call->fsd, ino_node(call->ino));
	inode_invalidate(call->fsd, call->ino);
	inode_invalidate(call->fsd, ino_make(INO_ZNODE, ino_node(call->ino)));
	call_free(call);
}

static void
released(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)stat;
	/* The session was suspended for too long. If it goes on, so would the node. */
	if (reply->code != ERR_OK && reply->code != ERR_NONODE)
		stray_add(call->fsd, ino_node(call->ino));
	call_free(call);
}

static void
delete_held(struct call *call)
{
	struct wire_msg msg = { .type = WIRE_T_DELETE,
		.delete = { .flags = WIRE_ECHO, .id = ino_node(call->ino), .version = -1 } };

	call_send(call, &msg, released);
}

/*
 * A file that an earlier process of this mount opened: the node itself says whether this file held
 * it.
 */
static void
adopted(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	if (reply->code == ERR_OK && stat != NULL && stat->handle == call->fh &&
	    stat->owner == link_session(call->fsd->link))
		delete_held(call);
	else
		call_free(call);
}

static void
release(struct fsd *fsd, const struct handle *handle, uint64_t ino, uint64_t fh)
{
	struct wire_msg truncate = { .type = WIRE_T_WRITE,
		.write = { .flags = zab_flags(ino),
		    .id = ino_node(ino),
		    .how = WIRE_REPLACE,
		    .version = handle == NULL ? -1 : handle->expect } };
	bool held = handle != NULL && handle->held;
	bool unknown = (handle == NULL || handle->adopted) && ino_kind(ino) == INO_ALIAS;
	struct call *call;

	if (!held && !unknown && (handle == NULL || !handle->trunc || handle->wrote))
		return;
	call = call_new(fsd, NULL);
	if (call == NULL) {
		log_warn("no memory for a release");
		return;
	}
	call->ino = ino;
	call->fh = fh;
	if (held)
		delete_held(call);
	else if (unknown)
		call_getattr(call, ino_node(ino), adopted);
	else
		call_send(call, &truncate, truncated);
	if (!unknown || held)
		link_barrier(fsd->link, call->request, handle->stat.parent);
	/* What the kernel caches of the node is old from now on. */
	inode_invalidate(fsd, ino_make(INO_ZNODE, ino_node(ino)));
}

void
op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	struct handle *handle = handle_find(fsd, fi->fh);

	if (!qualified_resolve(fsd, &ino))
		ino = handle == NULL ? 0 : handle->ino;
	/*
	 * Nobody waits for the answer; what follows is sent before the same process's next
	 * request.
	 */
	if (fi->fh != ECHO_FH && !zab_made(ino)) {
		release(fsd, handle, ino, fi->fh);
		lock_release(fsd, handle, ino, fi);
	}
	if (handle != NULL)
		handle_free(fsd, handle);
	fuse_reply_err(req, 0);
}
