/*
 * `.zab/stream`: each line that is written is a transaction, sent at once; the
 * write returns while they are under way. Results are lines, in the same order,
 * kept until they are read: up to RESULTS_MAX bytes, then a line says how many
 * were lost.
 */
#include "fsd/flow.h"
#include "fsd/kernel.h"
#include "fsd/multi.h"
#include "fsd/reply.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESULTS_MAX (16u << 20)
#define READ_MAX (1u << 20) /* bytes that were read and are not forgotten yet */

/* A line that was written; gone when its result is among the others. */
struct line {
	TAILQ_ENTRY(line) next;
	struct stream *stream;
	struct steps steps;
	bool done;
	msgpack_sbuffer result;
};

struct stream {
	struct fsd *fsd;
	struct flow flow;
	bool keeps, closed;
	TAILQ_HEAD(, line) lines;
	char *partial; /* the beginning of a line */
	size_t partial_len;
	msgpack_sbuffer results;
	size_t read; /* of them */
	uint64_t lost;
	struct fuse_pollhandle *poll; /* NULL: nobody polls */
};

struct stream *
stream_new(struct fsd *fsd, bool keeps_results)
{
	struct stream *stream = calloc(1, sizeof *stream);

	CHECK(stream != NULL);
	stream->fsd = fsd;
	stream->keeps = keeps_results;
	flow_init(&stream->flow);
	TAILQ_INIT(&stream->lines);
	msgpack_sbuffer_init(&stream->results);
	return stream;
}

static void
line_free(struct line *line)
{
	steps_destroy(&line->steps);
	msgpack_sbuffer_destroy(&line->result);
	free(line);
}

static void
maybe_free(struct stream *stream)
{
	if (!stream->closed || !flow_idle(&stream->flow))
		return;
	CHECK(TAILQ_EMPTY(&stream->lines));
	if (stream->poll != NULL)
		fuse_pollhandle_destroy(stream->poll);
	msgpack_sbuffer_destroy(&stream->results);
	free(stream->partial);
	free(stream);
}

void
stream_close(struct stream *stream)
{
	stream->closed = true;
	maybe_free(stream);
}

static void
append(struct stream *stream, const char *text, size_t len)
{
	CHECK(msgpack_sbuffer_write(&stream->results, text, len) == 0);
}

static void
keep_result(struct stream *stream, const struct line *line)
{
	char text[64];

	if (!stream->keeps || stream->closed)
		return;
	if (stream->results.size - stream->read + line->result.size > RESULTS_MAX) {
		stream->lost++;
		return;
	}
	if (stream->lost != 0)
		append(stream, text,
		    (size_t)snprintf(
			text, sizeof text, "lost %llu\n", (unsigned long long)stream->lost));
	stream->lost = 0;
	append(stream, line->result.data, line->result.size);
}

/* Results come in the order of the lines. */
static void
gather(struct stream *stream)
{
	struct line *line;

	while ((line = TAILQ_FIRST(&stream->lines)) != NULL && line->done) {
		TAILQ_REMOVE(&stream->lines, line, next);
		keep_result(stream, line);
		line_free(line);
	}
	if (stream->poll == NULL)
		return;
	fuse_lowlevel_notify_poll(stream->poll);
	fuse_pollhandle_destroy(stream->poll);
	stream->poll = NULL;
}

static void
answered(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct line *line = call->arg;
	struct stream *stream = line->stream;

	(void)stat;
	steps_results(steps_packed(&line->steps), reply, " ; ", &line->result);
	line->done = true;
	call_free(call);
	gather(stream);
	flow_end(&stream->flow, err_errno(reply->code));
	maybe_free(stream);
}

static void
wrong(struct line *line, int errnum, const char *why)
{
	struct stream *stream = line->stream;

	steps_error(errnum, why, &line->result);
	line->done = true;
	flow_begin(&stream->flow);
	gather(stream);
	flow_end(&stream->flow, errnum);
}

/* A line of a WRITE, sent under an id of its own. */
static void
take_line(struct stream *stream, const struct who *who, uint64_t rid, const char *text, size_t len)
{
	struct line *line = calloc(1, sizeof *line);
	char why[STEPS_WHY_MAX];
	struct call *call;
	int errnum;

	CHECK(line != NULL);
	line->stream = stream;
	steps_init(&line->steps, who->umask);
	msgpack_sbuffer_init(&line->result);
	errnum = steps_line(&line->steps, text, len, why);
	if (errnum == 0 && line->steps.count == 0) {
		line_free(line);
		return;
	}
	TAILQ_INSERT_TAIL(&stream->lines, line, next);
	call = errnum != 0 ? NULL : call_new(stream->fsd, NULL);
	if (call == NULL) {
		wrong(line, errnum != 0 ? errnum : ENOMEM, errnum != 0 ? why : "out of memory");
		return;
	}
	call->rid = rid;
	call->arg = line;
	flow_begin(&stream->flow);
	multi_send(call, who, &line->steps, answered);
}

/* What is left of a WRITE belongs to the next one. False: a line that never ends. */
static bool
keep_partial(struct stream *stream, const char *text, size_t len)
{
	char *more;

	if (stream->partial_len + len > WIRE_VALUE_MAX)
		return false;
	if (len == 0)
		return true;
	more = realloc(stream->partial, stream->partial_len + len);
	CHECK(more != NULL);
	memcpy(more + stream->partial_len, text, len);
	stream->partial = more;
	stream->partial_len += len;
	return true;
}

static void
taken(struct call *call)
{
	reply_write(call, call->size);
	call_free(call);
}

void
stream_write(struct call *call, struct stream *stream, const char *data)
{
	const char *at = data, *end = data + call->size, *newline;
	uint64_t rid = call->rid;
	struct who who;

	who_of(call, &who);
	while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		if (!keep_partial(stream, at, (size_t)(newline - at)))
			break;
		take_line(stream, &who, rid++, stream->partial, stream->partial_len);
		stream->partial_len = 0;
		at = newline + 1;
	}
	if (newline != NULL || !keep_partial(stream, at, (size_t)(end - at))) {
		reply_err(call, EFBIG);
		call_free(call);
		return;
	}
	flow_wait(&stream->flow, call, FLOW_ROOM, taken);
}

static size_t
unread(const struct stream *stream)
{
	return stream->results.size - stream->read;
}

static void
read_more(struct call *call)
{
	stream_read(call, call->arg);
}

void
stream_read(struct call *call, struct stream *stream)
{
	size_t len = unread(stream);

	if (len == 0 && stream->flow.outstanding != 0) {
		call->arg = stream;
		flow_wait(&stream->flow, call, FLOW_NEXT, read_more);
		return;
	}
	stream->read += reply_line(call, len == 0 ? "" : stream->results.data + stream->read, len);
	if (stream->read == 0) {
		call_free(call);
		return;
	}
	if (unread(stream) == 0 || stream->read > READ_MAX) {
		stream->results.size = unread(stream);
		memmove(stream->results.data, stream->results.data + stream->read,
		    stream->results.size);
		stream->read = 0;
	}
	call_free(call);
}

static void
all_done(struct call *call)
{
	struct stream *stream = call->arg;

	reply_err(call, flow_error(&stream->flow));
	call_free(call);
}

void
stream_sync(struct call *call, struct stream *stream)
{
	call->arg = stream;
	flow_wait(&stream->flow, call, FLOW_ALL, all_done);
}

static void
all_done_whole(struct call *call)
{
	struct stream *stream = call->arg;
	int errnum = flow_error(&stream->flow);

	if (errnum == 0 && stream->partial_len != 0)
		errnum = EINVAL;
	reply_err(call, errnum);
	call_free(call);
}

void
stream_flush(struct call *call, struct stream *stream)
{
	call->arg = stream;
	flow_wait(&stream->flow, call, FLOW_ALL, all_done_whole);
}

unsigned
stream_poll(struct stream *stream, struct fuse_pollhandle *handle)
{
	unsigned events = 0;

	if (handle != NULL && stream->poll != NULL)
		fuse_pollhandle_destroy(stream->poll);
	if (handle != NULL)
		stream->poll = handle;
	if (unread(stream) != 0 || stream->flow.outstanding == 0)
		events |= POLLIN | POLLRDNORM;
	if (stream->flow.outstanding < FLOW_MAX)
		events |= POLLOUT | POLLWRNORM;
	return events;
}
