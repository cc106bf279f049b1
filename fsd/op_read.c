/*
 * READ: from a snapshot of one version, so that no reader without locks ever
 * sees half of two (fsd/README.md, fact 5). The snapshot is changed by a read
 * at offset 0, by a write through the same file, and by a read behind its end
 * if the new value only goes on where the old one ended (tail -f of an
 * appended file). POLL: of what makes its reader wait. See fsd.h.
 */
#include "fsd/events.h"
#include "fsd/flow.h"
#include "fsd/inode.h"
#include "fsd/kernel.h"
#include "fsd/multi.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <xxhash.h>

/*
 * Whether `later` begins with all of `earlier`: who has read that far has read a part of
 * `later`.
 */
static bool
goes_on(const struct value *earlier, const struct value *later)
{
	return later->len >= earlier->len && memcmp(earlier->data, later->data, earlier->len) == 0;
}

/* The same, where a process before us knew what was read, all of it. */
static bool
goes_on_unseen(const struct handle *handle, const struct value *later)
{
	const struct handle_read *read = &handle->read;

	if (!read->hashed || handle->stat.version == later->stat.version)
		return true;
	return later->len >= read->len && XXH64(later->data, read->len, 0) == read->hash;
}

/* Makes `value` (borrowed) the snapshot, if a reader at this offset may change it. */
static void
adopt(struct fsd *fsd, struct handle *handle, struct value *value, int64_t offset)
{
	uint32_t upto = offset == 0 ? 0 : handle->read_upto;

	if (offset != 0 && !(handle->value == NULL ? goes_on_unseen(handle, value)
						   : goes_on(handle->value, value)))
		return;
	handle_pin(fsd, handle, value_ref(value));
	handle->read_upto = upto;
}

/* Of a snapshot that went with a process before us all was read. */
static void
reply_snapshot(struct call *call, struct handle *handle)
{
	if (handle->value == NULL) {
		reply_text(call, "", 0);
	} else {
		handle_was_read(
		    call->fsd, handle, (uint64_t)call->offset, (uint64_t)call->offset + call->size);
		reply_value(call, handle->value, call->offset, call->size);
	}
	call_free(call);
}

/*
 * Who may also write has read: what is written then is for this version alone. (Not with O_APPEND:
 * the leader puts that where the end is. Nor through async: which version the writes that are under
 * way make is not known.)
 */
static void
expect(struct handle *handle)
{
	if (handle->value != NULL && (handle->flags & O_ACCMODE) == O_RDWR &&
	    (handle->flags & O_APPEND) == 0 && handle->async == NULL && !handle->versioned &&
	    !handle->trunc)
		handle->expect = handle->value->stat.version;
}

static void
fetched(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = call->req == NULL ? NULL : handle_find(call->fsd, call->fh);
	struct value *value;

	/* A deleted file goes on to be what it was, for those who have it open. */
	if (handle != NULL && reply->code == ERR_NONODE &&
	    (handle->value != NULL || handle->read.hashed)) {
		reply_snapshot(call, handle);
		return;
	}
	if (handle == NULL || call_code(reply, stat) != ERR_OK) {
		reply_code(call, call_code(reply, stat));
		call_free(call);
		return;
	}
	value = value_new(stat, reply->data);
	if (value == NULL) {
		reply_err(call, ENOMEM);
		call_free(call);
		return;
	}
	inode_value_keep(call->fsd, stat->id, value);
	adopt(call->fsd, handle, value, call->offset);
	value_unref(value);
	expect(handle);
	reply_snapshot(call, handle);
}

/* Whether the snapshot answers; otherwise the replica is asked. */
static bool
from_snapshot(struct fsd *fsd, struct handle *handle, int64_t offset)
{
	uint64_t id = ino_node(handle->ino);
	struct value *cached = inode_value(fsd, id);
	bool fresh = handle->fresh, told = inode_known(fsd, ino_make(INO_ZNODE, id));

	handle->fresh = false;
	if (handle->value != NULL && offset > 0 && (uint64_t)offset < handle->value->len)
		return true;
	if (cached != NULL) {
		if (cached != handle->value)
			adopt(fsd, handle, cached, offset);
		return true;
	}
	if (handle->value == NULL)
		return false;
	/* Nobody tells us of changes of a node that the kernel knows by its alias only. */
	return !told && (fresh || offset > 0);
}

/*
 * What was answered to a write or a creation, from a position of its own: bash reads where its last
 * write ended (fact 17).
 */
static void
read_answer(struct call *call, struct handle *handle)
{
	size_t at = call->offset == 0 ? 0 : handle->answer_at;
	const char *left = handle->answer + at;
	size_t len = reply_line_len(left, strlen(left), call->size);

	handle_takes_line(handle, call->rid, at);
	handle->answer_at = at + len;
	if (!reply_text(call, left, len))
		handle->answer_at = at;
	call_free(call);
}

/* What was written through the same file is there. */
static void
read_after(struct call *call)
{
	call_read(call, ino_node(call->ino), fetched);
}

void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	struct handle *handle = handle_find(fsd, fi->fh);
	struct call *call;

	if (handle == NULL && qualified_resolve(fsd, &ino))
		handle = handle_get(fsd, ino, fi);
	if (handle == NULL || handle_expired(fsd, handle)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL)
		return;
	call->ino = handle->ino;
	call->fh = handle->fh;
	call->size = size;
	call->offset = offset;
	if (handle->value == NULL)
		handle_restore(fsd, handle);
	if (handle->answer != NULL) {
		read_answer(call, handle);
	} else if (handle->stream != NULL) {
		stream_read(call, handle->stream);
	} else if (handle->events != NULL) {
		events_read(call, handle->events);
	} else if (handle->async != NULL) {
		flow_wait(handle->async, call, FLOW_ALL, read_after);
	} else if (zab_made(ino)) {
		zab_read(call, handle);
	} else if (from_snapshot(fsd, handle, offset)) {
		expect(handle);
		reply_snapshot(call, handle);
	} else {
		call_read(call, ino_node(handle->ino), fetched);
	}
}

void
op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	struct handle *handle = handle_find(call_fsd(req), fi->fh);
	unsigned events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

	(void)ino;
	if (handle != NULL && ph != NULL)
		handle->poll = kernel_poll_id(call_fsd(req)->kernel);
	if (handle != NULL && handle->stream != NULL)
		events = stream_poll(handle->stream, ph);
	else if (handle != NULL && handle->events != NULL)
		events = events_poll(handle->events, ph);
	else if (ph != NULL)
		fuse_pollhandle_destroy(ph);
	fuse_reply_poll(req, events);
}
