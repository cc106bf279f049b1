/*
 * `.zab/stream`: each line that is written is a transaction, sent when there is room; the
 * write returns while the last of them are under way. Results are lines, in the same order,
 * kept until they are read: up to RESULTS_MAX bytes, then a line says how many
 * were lost. See multi.h; what the next process goes on with is zabstream_kept.c's.
 */
#include "fsd/zabstream_internal.h"

#include "fsd/kernel.h"
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
/* Of a WRITE, those that are not blank, and the first. The other half of its ids is stray.c's. */
#define LINES_MAX (KERNEL_RIDS / 2)

/* A line that was written; gone when its result is among the others. */
struct line {
	TAILQ_ENTRY(line) next;
	struct stream *stream;
	struct steps steps;
	bool done;
	bool was_read;	 /* the result, from a process before us */
	bool lost;	 /* likewise had, and not read */
	int errnum;	 /* it is done, and failed */
	uint32_t queued; /* for the process after us: its place */
	msgpack_sbuffer result;
};

struct stream *
stream_new(struct fsd *fsd, struct handle *handle)
{
	struct stream *stream = calloc(1, sizeof *stream);

	CHECK(stream != NULL);
	stream->fsd = fsd;
	stream->keeps = (handle->flags & O_ACCMODE) != O_WRONLY;
	stream->handle = handle;
	flow_init(&stream->flow, &handle->flow);
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
	flow_part(&stream->flow);
	maybe_free(stream);
}

void
stream_say_lost(struct stream *stream, uint64_t count)
{
	text_format(&stream->results.text, "lost %llu\n", (unsigned long long)count);
}

void
stream_say_dropped(struct stream *stream)
{
	if (stream->lost != 0)
		stream_say_lost(stream, stream->lost);
	stream->lost = 0;
}

bool
stream_keep_partial(struct stream *stream, const char *text, size_t len)
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
keep_result(struct stream *stream, const struct line *line)
{
	if (!stream->keeps || stream->closed || line->was_read)
		return;
	if (line->lost || lines_unread(&stream->results) + line->result.size > RESULTS_MAX) {
		stream->lost++;
		return;
	}
	stream_say_dropped(stream);
	text_put(&stream->results.text, line->result.data, line->result.size);
}

/* Results come in the order of the lines; until then each is one that is under way. */
static void
gather(struct stream *stream)
{
	struct line *line;
	uint32_t queued;
	size_t size;
	int errnum;

	while ((line = TAILQ_FIRST(&stream->written)) != NULL && line->done) {
		TAILQ_REMOVE(&stream->written, line, next);
		keep_result(stream, line);
		size = steps_packed(&line->steps).len;
		errnum = line->errnum;
		queued = line->queued;
		line_free(line);
		flow_end(&stream->flow, size, errnum);
		queued_done(stream->fsd, queued);
		lines_wake(&stream->results);
		flow_wake(&stream->flow);
	}
}

static void
answered(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct line *line = call->arg;
	struct stream *stream = line->stream;

	(void)stat;
	line->done = true;
	/* A process before us had its result, and has kept what went wrong. */
	line->lost = call_is_lost(call, reply);
	if (!line->lost)
		line->errnum = err_errno(reply->code);
	if (!line->lost && stream->keeps && !stream->closed)
		steps_results(steps_packed(&line->steps), reply, " ; ", &line->result);
	call_free(call);
	gather(stream);
	maybe_free(stream);
}

/* An interrupted WRITE may leave 500,000 of them: not in the 8 KiB that the text is made in. */
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

static struct line *
line_new(struct stream *stream)
{
	struct line *line = calloc(1, sizeof *line);

	CHECK(line != NULL);
	line->stream = stream;
	line->queued = QUEUED_NOT;
	steps_init(&line->steps, stream->who.umask);
	msgpack_sbuffer_init(&line->result);
	return line;
}

static void
send_line(struct stream *stream, struct line *line, struct call *call)
{
	struct wire_msg msg = multi_msg(call, &stream->who, &line->steps);

	call->arg = line;
	call->fh = stream->handle->fh;
	queued_send(call, &msg, 0, false, answered);
	line->queued = call->queued;
}

/* A line of a WRITE, sent under an id of its own. */
static void
take_line(struct stream *stream, const struct call *of, const char *text, size_t len)
{
	struct line *line = line_new(stream);
	uint64_t nth = stream->nth;
	char why[STEPS_WHY_MAX];
	struct call *call;
	int errnum;
	bool blank;

	errnum = steps_line(&line->steps, text, len, why);
	if (stream->broken) {
		errnum = ETIMEDOUT;
		snprintf(why, sizeof why, "the beginning of the line is lost");
	}
	stream->broken = false;
	blank = errnum == 0 && line->steps.count == 0;
	/* Whether the first one is blank is not known any more where its beginning is lost. */
	if (!blank || nth == 0)
		stream->nth++;
	if (blank) {
		line_free(line);
		return;
	}
	TAILQ_INSERT_TAIL(&stream->written, line, next);
	line->was_read = stream->were_read != 0;
	if (line->was_read)
		stream->were_read--;
	else
		stream->flow.kept->unread++;
	stream->flow.kept->wrote++;
	call = errnum != 0 ? NULL : call_new(stream->fsd, NULL);
	if (call == NULL) {
		flow_begin(&stream->flow, steps_packed(&line->steps).len);
		wrong(line, errnum != 0 ? errnum : ENOMEM, errnum != 0 ? why : "out of memory");
		return;
	}
	CHECK(nth < LINES_MAX);
	call->rid = of->rid + nth;
	call->resent = of->resent;
	send_line(stream, line, call);
	/* Counted only when it is kept: if this process ends in between it comes again. */
	flow_begin(&stream->flow, steps_packed(&line->steps).len);
}

/* The file is closed: nobody asks what becomes of it. */
static void
answered_nobody(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)reply;
	(void)stat;
	queued_done(call->fsd, call->queued);
	call_free(call);
}

void
stream_go_on(struct call *call, struct wire_msg *msg)
{
	struct handle *handle = handle_find(call->fsd, call->fh);
	struct blob steps = msg->multi.steps;
	struct line *line;

	if (handle == NULL || handle->stream == NULL) {
		call_send(call, msg, answered_nobody);
		return;
	}
	line = line_new(handle->stream);
	CHECK(msgpack_sbuffer_write(&line->steps.packed, (const char *)steps.data, steps.len) == 0);
	line->queued = call->queued;
	TAILQ_INSERT_TAIL(&handle->stream->written, line, next);
	flow_begin(&handle->stream->flow, steps.len);
	call->arg = line;
	call_send(call, msg, answered);
}

/* What is known of the WRITE before goes first. */
static void
begin_write(struct stream *stream, uint64_t unique)
{
	struct handle_flow *kept = stream->flow.kept;

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

/* The next line, or what is left. False: one that never ends. */
static bool
take_next(struct stream *stream, const struct call *call)
{
	const char *at = stream->text + stream->at,
		   *newline = memchr(at, '\n', stream->len - stream->at);
	size_t len = newline == NULL ? stream->len - stream->at : (size_t)(newline - at);

	if (!stream_keep_partial(stream, at, len))
		return false;
	stream->at += len;
	if (newline == NULL)
		return true;
	stream->at++;
	take_line(stream, call, stream->partial, stream->partial_len);
	stream->partial_len = 0;
	return true;
}

/*
 * As many as may be under way; the others as those end, but for who is interrupted: he has written.
 */
static void
take_lines(struct call *call)
{
	struct stream *stream = call->arg;
	bool fits = true;

	while (fits && stream->at < stream->len) {
		if (!flow_has_room(&stream->flow) && !call->signalled) {
			if (call->holds == 0)
				call_hold_all(call, call->rid, call->rid + LINES_MAX - 1);
			flow_wait(&stream->flow, call, FLOW_ROOM, take_lines);
			return;
		}
		fits = take_next(stream, call);
	}
	call_unhold(call);
	stream->flow.kept->partial = stream->partial_len != 0 || stream->broken;
	free(stream->text);
	stream->text = NULL;
	if (!fits) {
		reply_err(call, EFBIG);
		call_free(call);
	} else if (call->signalled) {
		taken(call);
	} else {
		flow_wait(&stream->flow, call, FLOW_ROOM, taken);
	}
}

void
stream_write(struct call *call, struct stream *stream, const char *data)
{
	CHECK(stream->text == NULL);
	stream->text = malloc(call->size);
	CHECK(stream->text != NULL);
	memcpy(stream->text, data, call->size);
	stream->at = 0;
	stream->len = call->size;
	stream->nth = 0;
	who_of(call, &stream->who);
	begin_write(stream, call->rid / KERNEL_RIDS);
	call->arg = stream;
	take_lines(call);
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
	uint32_t unread = stream->flow.kept->unread, read = text == NULL ? 0 : results_of(text);

	if (read != 0)
		handle_takes_line(stream->handle, call->rid, unread);
	stream->flow.kept->unread = unread - read;
	if (!lines_read(&stream->results, call))
		stream->flow.kept->unread = unread;
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
		stream_say_dropped(stream);
	if (lines_unread(&stream->results) == 0 && stream->flow.outstanding != 0) {
		call->arg = stream;
		flow_wait(&stream->flow, call, FLOW_NEXT, read_more);
		return;
	}
	hand_out(call, stream);
}

void
stream_sync(struct call *call, struct stream *stream)
{
	flow_wait(&stream->flow, call, FLOW_ALL, flow_tell);
}

static void
all_done_whole(struct call *call)
{
	const struct stream *stream = call->arg;

	if (flow_error(&stream->flow) != 0 || stream->partial_len == 0) {
		flow_tell(call);
		return;
	}
	reply_err(call, EINVAL);
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
