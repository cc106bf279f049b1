/*
 * WRITE, and FSYNC and FLUSH, which wait for what was written. One write(2) is one transaction;
 * O_TRUNC waits for the first write, or for RELEASE if none comes (zabfs(7)). See fsd.h.
 */
#include "fsd/flow.h"
#include "fsd/grace.h"
#include "fsd/inode.h"
#include "fsd/multi.h"
#include "fsd/qualified.h"
#include "fsd/queued.h"
#include "fsd/reply.h"
#include "fsd/zab.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* What this file may expect from now on is what it has written itself. */
static void
wrote(const struct call *call, struct handle *handle, const struct wire_stat *stat)
{
	handle->trunc = false;
	handle->answer_at = 0;
	/* Not twice, if the process that counted it died before it could say so. */
	if (handle->write_rid != call->rid)
		handle->write_at += call->size;
	handle->write_rid = call->rid;
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
		handle_pin(call->fsd, handle, NULL);
		if (stat != NULL)
			handle->stat = *stat;
		if (reply->code == ERR_OK)
			wrote(call, handle, stat);
	}
	taken = reply_written(call, reply->code);
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
	/* Who writes because he has a lock does not write when he has it no more. */
	bool append = (call->flags & O_APPEND) != 0, bound = handle_is_bound(handle);
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
	if (handle->async != NULL)
		queued_send(call, &msg, (uint32_t)call->size, bound, done);
	else
		call_send(call, &msg, done);
	if (bound)
		link_bind(call->request);
	free(whole);
}

/* Nobody waited for it. */
static void
written_async(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	uint64_t id = ino_node(call->ino);
	/* A process before us had the answer, and has kept what went wrong. */
	int code = call_is_lost(call, reply) ? ERR_OK : reply->code;

	(void)stat;
	inode_value_drop(call->fsd, id);
	inode_invalidate(call->fsd, ino_make(INO_ZNODE, id));
	flow_end(call->flow, call->size, err_errno(code));
	queued_done(call->fsd, call->queued);
	flow_wake(call->flow);
	flow_maybe_free(call->flow, id);
	call_free(call);
}

void
write_go_on(struct call *call, struct wire_msg *msg, uint32_t weight)
{
	struct handle *handle = handle_find(call->fsd, call->fh);
	bool open = handle != NULL && handle->async != NULL;

	call->size = weight;
	call->flow = open ? handle->async : flow_new(NULL);
	flow_begin(call->flow, weight);
	if (!open)
		flow_close(call->flow, ino_node(call->ino));
	call_send(call, msg, written_async);
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
	message->resent = call->resent;
	message->ino = call->ino;
	message->fh = call->fh;
	message->flow = handle->async;
	message->flags = call->flags;
	message->size = call->size;
	message->offset = call->offset;
	/* Counted only when it is kept: if this process ends in between it comes again. */
	send_write(message, handle, data, written_async);
	flow_begin(handle->async, call->size);
	handle->trunc = false;
	handle_pin(call->fsd, handle, NULL);
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

/* Until nothing that was written through it is under way. */
static void
wait_all(struct call *call, const struct handle *handle)
{
	if (handle->stream != NULL) {
		stream_sync(call, handle->stream);
		return;
	}
	flow_wait(handle->async, call, FLOW_ALL, flow_tell);
}

/* What was told of it, and what not, went with a process before us. */
static bool
lost(const struct fsd *fsd, uint64_t ino, const struct handle *handle)
{
	return handle == NULL ? zab_talks(ino) : handle_expired(fsd, handle);
}

void
op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	const struct handle *handle = handle_find(fsd, fi->fh);
	struct call *call;

	(void)datasync;
	if (lost(fsd, ino, handle)) {
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

	if (zab_talks(ino) && lost(fsd, ino, handle)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
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
