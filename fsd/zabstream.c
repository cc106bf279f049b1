/*
 * `.zab/stream`: each line that is written is a transaction, sent at once; the
 * write returns while they are under way. Results are lines, in the same order,
 * kept until they are read: up to RESULTS_MAX bytes, then a line says how many
 * were lost.
 */
#include "fsd/flow.h"
#include "fsd/kernel.h"
#include "fsd/lines.h"
#include "fsd/multi.h"
#include "fsd/reply.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESULTS_MAX (16u << 20)

/* A line that was written; gone when its result is among the others. */
struct line {
	TAILQ_ENTRY(line) next;
	struct stream *stream;
	struct steps steps;
	bool done;
	bool was_read; /* the result, from a process before us */
	int errnum;    /* it is done, and failed */
	msgpack_sbuffer result;
};

struct stream {
	struct fsd *fsd;
	struct flow flow;
	bool keeps, closed;
	struct handle *handle;	       /* while it is open; borrowed */
	struct handle_flow *kept, own; /* its counts, likewise */
	bool broken;		       /* the beginning of the next line is lost */
	TAILQ_HEAD(, line) written;
	char *partial; /* the beginning of a line */
	size_t partial_len;
	struct lines results;
	uint64_t lost;
	/* Of the WRITE that comes again: lines whose results were read, and the others. */
	uint32_t were_read, anew;
};

struct stream *
stream_new(struct fsd *fsd, struct handle *handle)
{
	struct stream *stream = calloc(1, sizeof *stream);

	CHECK(stream != NULL);
	stream->fsd = fsd;
	stream->keeps = (handle->flags & O_ACCMODE) != O_WRONLY;
	stream->handle = handle;
	stream->kept = &handle->flow;
	flow_init(&stream->flow);
	TAILQ_INIT(&stream->written);
	lines_init(&stream->results);
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
	CHECK(TAILQ_EMPTY(&stream->written));
	lines_destroy(&stream->results);
	free(stream->partial);
	free(stream);
}

void
stream_close(struct stream *stream)
{
	stream->closed = true;
	stream->handle = NULL;
	stream->own = *stream->kept;
	stream->kept = &stream->own;
	maybe_free(stream);
}

static void
say_lost(struct stream *stream, uint64_t count)
{
	text_format(&stream->results.text, "lost %llu\n", (unsigned long long)count);
}

void
stream_restore(struct fsd *fsd, struct handle *handle)
{
	struct stream *stream = stream_new(fsd, handle);

	handle->stream = stream;
	if (handle->flow.under_way != 0)
		stream->flow.error = ETIMEDOUT;
	handle->flow.under_way = 0;
}

void
stream_lost(struct stream *stream, bool again)
{
	const struct handle_flow *kept = stream->kept;

	if (again) {
		stream->anew = kept->wrote < kept->unread ? kept->wrote : kept->unread;
		stream->were_read = kept->wrote - stream->anew;
	}
	stream->broken = again ? kept->began : kept->partial;
	if (stream->keeps && kept->unread != stream->anew)
		say_lost(stream, kept->unread - stream->anew);
}

/* Where the next result stands, or, for who has read all others, at once. */
static void
say_dropped(struct stream *stream)
{
	if (stream->lost != 0)
		say_lost(stream, stream->lost);
	stream->lost = 0;
}

static void
keep_result(struct stream *stream, const struct line *line)
{
	if (!stream->keeps || stream->closed || line->was_read)
		return;
	if (lines_unread(&stream->results) + line->result.size > RESULTS_MAX) {
		stream->lost++;
		return;
	}
	say_dropped(stream);
	text_put(&stream->results.text, line->result.data, line->result.size);
}

/* Results come in the order of the lines; until then each is one that is under way. */
static void
gather(struct stream *stream)
{
	struct line *line;
	size_t size;
	int errnum;

	while ((line = TAILQ_FIRST(&stream->written)) != NULL && line->done) {
		TAILQ_REMOVE(&stream->written, line, next);
		keep_result(stream, line);
		size = steps_packed(&line->steps).len;
		errnum = line->errnum;
		line_free(line);
		lines_wake(&stream->results);
		flow_end(&stream->flow, size, errnum);
	}
	stream->kept->under_way = stream->flow.outstanding;
}

static void
answered(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	static const struct wire_reply lost = { .code = ERR_UNKNOWN };
	struct line *line = call->arg;
	struct stream *stream = line->stream;

	(void)stat;
	if (call_is_lost(call, reply))
		reply = &lost;
	steps_results(steps_packed(&line->steps), reply, " ; ", &line->result);
	line->done = true;
	line->errnum = err_errno(reply->code);
	call_free(call);
	gather(stream);
	maybe_free(stream);
}

/* A WRITE may have 500,000 of them, which wait: not in the 8 KiB that the text is made in. */
static void
wrong(struct line *line, int errnum, const char *why)
{
	msgpack_sbuffer text;

	msgpack_sbuffer_init(&text);
	steps_error(errnum, why, &text);
	CHECK(msgpack_sbuffer_write(&line->result, text.data, text.size) == 0);
	msgpack_sbuffer_destroy(&text);
	line->done = true;
	line->errnum = errnum;
	gather(line->stream);
}

/* The nth line of a WRITE, sent under an id of its own. */
static void
take_line(struct stream *stream, const struct who *who, const struct call *of, uint64_t nth,
    const char *text, size_t len)
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
	if (stream->broken) {
		errnum = ETIMEDOUT;
		snprintf(why, sizeof why, "the beginning of the line is lost");
	}
	stream->broken = false;
	if (errnum == 0 && line->steps.count == 0) {
		line_free(line);
		return;
	}
	TAILQ_INSERT_TAIL(&stream->written, line, next);
	line->was_read = stream->were_read != 0;
	if (line->was_read)
		stream->were_read--;
	else
		stream->kept->unread++;
	stream->kept->wrote++;
	flow_begin(&stream->flow, steps_packed(&line->steps).len);
	call = errnum != 0 ? NULL : call_new(stream->fsd, NULL);
	if (call == NULL) {
		wrong(line, errnum != 0 ? errnum : ENOMEM, errnum != 0 ? why : "out of memory");
		return;
	}
	call->rid = of->rid + nth;
	call->resent = of->resent;
	call->arg = line;
	stream->kept->under_way = stream->flow.outstanding;
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

/* What is known of the WRITE before goes first. */
static void
begin_write(struct stream *stream, uint64_t unique)
{
	struct handle_flow *kept = stream->kept;

	kept->write = 0;
	atomic_signal_fence(memory_order_seq_cst);
	kept->unread -= stream->anew;
	stream->anew = 0;
	kept->wrote = 0;
	kept->began = stream->partial_len != 0 || stream->broken;
	atomic_signal_fence(memory_order_seq_cst);
	kept->write = unique;
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
	uint64_t nth = 0;
	struct who who;
	bool fits;

	who_of(call, &who);
	begin_write(stream, call->rid / KERNEL_RIDS);
	while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		if (!keep_partial(stream, at, (size_t)(newline - at)))
			break;
		take_line(stream, &who, call, nth++, stream->partial, stream->partial_len);
		stream->partial_len = 0;
		at = newline + 1;
	}
	fits = newline == NULL && keep_partial(stream, at, (size_t)(end - at));
	stream->kept->partial = stream->partial_len != 0 || stream->broken;
	if (!fits) {
		reply_err(call, EFBIG);
		call_free(call);
		return;
	}
	flow_wait(&stream->flow, call, FLOW_ROOM, taken);
}

/* Of how many lines this is the result. */
static uint32_t
results_of(const char *text)
{
	static const char lost[] = "lost ";

	if (strncmp(text, lost, sizeof lost - 1) == 0)
		return (uint32_t)strtoul(text + sizeof lost - 1, NULL, 10);
	return 1;
}

static void
hand_out(struct call *call, struct stream *stream)
{
	const char *text = lines_next(&stream->results, call);
	uint32_t unread = stream->kept->unread, read = text == NULL ? 0 : results_of(text);

	if (read != 0)
		handle_takes_line(stream->handle, call->rid, unread);
	stream->kept->unread = unread - read;
	if (!lines_read(&stream->results, call))
		stream->kept->unread = unread;
	call_free(call);
}

static void
read_more(struct call *call)
{
	stream_read(call, call->arg);
}

void
stream_read(struct call *call, struct stream *stream)
{
	if (lines_unread(&stream->results) == 0)
		say_dropped(stream);
	if (lines_unread(&stream->results) == 0 && stream->flow.outstanding != 0) {
		call->arg = stream;
		flow_wait(&stream->flow, call, FLOW_NEXT, read_more);
		return;
	}
	hand_out(call, stream);
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

	lines_poll(&stream->results, handle);
	if (lines_unread(&stream->results) != 0 || stream->lost != 0 ||
	    stream->flow.outstanding == 0)
		events |= POLLIN | POLLRDNORM;
	if (flow_has_room(&stream->flow))
		events |= POLLOUT | POLLWRNORM;
	return events;
}
