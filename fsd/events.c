/* See events.h. */
#include "fsd/events.h"

#include "fsd/flow.h"
#include "fsd/lines.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct events {
	struct fsd *fsd;
	uint64_t dir, cursor, stream;
	uint32_t ops; /* of the transaction behind the cursor that were told already */
	int flags;
	bool closed;
	int code;		  /* why the last request failed; for the next reader */
	struct flow flow;	  /* its one request under way, and who waits for it */
	struct lines lines;	  /* what was told and nobody has read */
	struct handle *handle;	  /* borrowed until events_close */
	struct handle_flow *kept; /* its */
	bool restored;		  /* the first of what comes may have been read */
	void (*opened)(struct call *call, struct handle *handle, int code);
};

static void
maybe_free(struct events *events)
{
	if (!events->closed || !flow_idle(&events->flow))
		return;
	lines_destroy(&events->lines);
	free(events);
}

static void
events_send(struct events *events, struct call *call, call_done done)
{
	struct wire_msg msg = { .type = WIRE_T_EVENTS,
		.events = { .root = events->fsd->root.id,
		    .dir = events->dir,
		    .after = events->cursor,
		    .ops = events->ops,
		    .stream = events->stream } };

	call->arg = events;
	call_send(call, &msg, done);
}

/* Of the line that is read next, or was in part: its own, or up to where something is lost. */
static uint64_t
zxid_of(const struct lines *lines)
{
	size_t len = lines->text.size - lines->begin;
	uint64_t zxid;
	char text[64];

	if (len > sizeof text - 1)
		len = sizeof text - 1;
	memcpy(text, lines->text.data + lines->begin, len);
	text[len] = '\0';
	return sscanf(text, "lost %*s %" SCNx64, &zxid) == 1 ? zxid : strtoull(text, NULL, 16);
}

/* What the reader of a process before us had got, of a transaction so many lines. */
static void
skip_read(struct events *events)
{
	const struct handle_flow *kept = events->kept;
	uint32_t nth = 0;
	uint64_t zxid;

	while (lines_unread(&events->lines) != 0) {
		zxid = zxid_of(&events->lines);
		if (zxid > kept->zxid || (zxid == kept->zxid && ++nth > kept->nth))
			break;
		lines_skip(&events->lines);
	}
	events->restored = false;
}

static void
told(struct events *events, const struct wire_reply *reply)
{
	events->code = reply->code;
	if (reply->code != ERR_OK)
		return;
	events->cursor = reply->zxid;
	events->ops = reply->more;
	text_put(&events->lines.text, (const char *)reply->data.data, reply->data.len);
	if (events->restored && reply->data.len != 0)
		skip_read(events);
}

/* All that was told. (Told again to the next process, if this one ends in between: not lost.) */
static void
was_read(struct events *events)
{
	struct handle_flow *kept = events->kept;

	kept->zxid = 0;
	kept->ops = 0;
	atomic_signal_fence(memory_order_seq_cst);
	kept->cursor = events->cursor;
	atomic_signal_fence(memory_order_seq_cst);
	kept->ops = events->ops;
}

static void
go_on(struct events *events)
{
	events->cursor = events->kept->cursor;
	events->ops = events->kept->ops;
}

static void
answered(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct events *events = call->arg;

	(void)stat;
	told(events, reply);
	lines_wake(&events->lines);
	call_free(call);
	flow_end(&events->flow, 0, 0);
	flow_wake(&events->flow);
	maybe_free(events);
}

/* One request at a time: it ends when there is something to tell. */
static void
ask(struct events *events)
{
	struct call *call;

	if (events->flow.outstanding != 0 || events->closed)
		return;
	call = call_new(events->fsd, NULL);
	if (call == NULL) {
		events->code = ERR_NOMEM;
		return;
	}
	flow_begin(&events->flow, 0);
	events_send(events, call, answered);
}

static void
first(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);
	struct events *events = call->arg;

	(void)stat;
	told(events, reply);
	events->code = ERR_OK;
	if (lines_unread(&events->lines) == 0)
		was_read(events);
	events->opened(call, handle, reply->code);
}

static struct events *
make(struct fsd *fsd, struct handle *handle, uint64_t dir)
{
	struct events *events = calloc(1, sizeof *events);

	CHECK(events != NULL);
	events->fsd = fsd;
	events->dir = dir;
	events->stream = handle->fh;
	events->flags = handle->flags;
	events->handle = handle;
	events->kept = &handle->flow;
	flow_init(&events->flow, NULL);
	lines_init(&events->lines);
	handle->events = events;
	return events;
}

void
events_restore(struct fsd *fsd, struct handle *handle)
{
	const struct qualified *found = qualified_find(fsd, handle->ino);

	if (found == NULL)
		return;
	go_on(make(fsd, handle, found->id));
	handle->events->restored = true;
}

void
events_open(struct call *call, struct handle *handle,
    void (*opened)(struct call *call, struct handle *handle, int code))
{
	const struct qualified *found = qualified_find(call->fsd, handle->ino);
	struct events *events;

	if (found == NULL) {
		opened(call, handle, ERR_NONODE);
		return;
	}
	events = make(call->fsd, handle, found->id);
	events->cursor = found->modifier.from;
	was_read(events);
	events->opened = opened;
	/* "From now on" is a zxid, which the replica tells; one that was given is asked for later. */
	if (events->cursor == 0)
		events_send(events, call, first);
	else
		opened(call, handle, ERR_OK);
}

static void
cancelled(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)reply;
	(void)stat;
	call_free(call);
}

void
events_close(struct events *events)
{
	struct wire_msg msg = { .type = WIRE_T_EVENTS, .events.stream = events->stream };
	struct call *call;

	events->closed = true;
	events->restored = false;
	if (events->flow.outstanding != 0) {
		call = call_new(events->fsd, NULL);
		if (call != NULL)
			call_send(call, &msg, cancelled);
	}
	maybe_free(events);
}

static void
read_again(struct call *call)
{
	events_read(call, call->arg);
}

/* The next process is told how far, before the reader is. */
static void
take_line(struct call *call, struct events *events)
{
	uint64_t zxid = zxid_of(&events->lines), before = events->kept->zxid;
	uint32_t nth = events->kept->nth;

	handle_takes_line(events->handle, call->rid, before);
	handle_has_read(events->handle, zxid, zxid == before ? nth + 1 : 1);
}

static void
hand_out(struct call *call, struct events *events)
{
	uint64_t before = events->kept->zxid;
	uint32_t nth = events->kept->nth;

	if (lines_next(&events->lines, call) != NULL)
		take_line(call, events);
	if (!lines_read(&events->lines, call))
		handle_has_read(events->handle, before, nth);
	else if (lines_unread(&events->lines) == 0)
		was_read(events);
	call_free(call);
}

void
events_read(struct call *call, struct events *events)
{
	int code = events->code;

	if (lines_unread(&events->lines) != 0) {
		hand_out(call, events);
		return;
	}
	events->code = ERR_OK;
	if (code != ERR_OK) {
		reply_code(call, code);
		call_free(call);
		return;
	}
	ask(events);
	if ((events->flags & O_NONBLOCK) != 0) {
		reply_err(call, EAGAIN);
		call_free(call);
		return;
	}
	call->arg = events;
	flow_wait(&events->flow, call, FLOW_NEXT, read_again);
}

unsigned
events_poll(struct events *events, struct fuse_pollhandle *handle)
{
	lines_poll(&events->lines, handle);
	if (lines_unread(&events->lines) != 0 || events->code != ERR_OK)
		return POLLIN | POLLRDNORM;
	ask(events);
	return 0;
}
