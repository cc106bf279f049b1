/*
 * What one process of fsd leaves to the next of a stream, and what that makes of it: counts, if the
 * first one was killed; results, and the beginning of a line, if it left. See multi.h; called by
 * handle.c.
 */
#include "fsd/zabstream_internal.h"

#include "fsd/kept.h"
#include "replica/lib/check.h"

#include <stdlib.h>

/* Behind one another: the process ends, and nobody reads here any more. */
void
stream_leave(struct stream *stream)
{
	struct handle_flow *kept = stream->flow.kept;
	msgpack_sbuffer *text = &stream->results.text;
	size_t begin = stream->results.begin, left;

	if (!flow_idle(&stream->flow))
		return;
	stream_say_dropped(stream);
	/* Too long, they are lost, and the next process says how many. */
	if (text->size - begin + stream->partial_len > WIRE_VALUE_MAX)
		begin = stream->results.read = text->size;
	left = text->size - begin;
	if (left + stream->partial_len == 0)
		return;
	CHECK(stream->partial_len == 0 ||
	      msgpack_sbuffer_write(text, stream->partial, stream->partial_len) == 0);
	if (!kept_bytes_save(
		stream->fsd->kept, stream->handle, text->data + begin, left + stream->partial_len))
		return;
	kept->left = (uint32_t)left;
	kept->left_read = (uint32_t)(stream->results.read - begin);
	kept->left_more = (uint32_t)stream->partial_len;
}

/* Once: what this process makes of it is its own. */
static void
take_left(struct stream *stream)
{
	struct handle_flow *kept = stream->flow.kept;
	uint32_t left = kept->left, more = kept->left_more;
	char *text = malloc(left + more + 1);

	CHECK(text != NULL);
	kept->left = 0;
	kept->left_more = 0;
	if (kept_bytes_load(stream->fsd->kept, stream->handle, text, left + more)) {
		CHECK(left == 0 || msgpack_sbuffer_write(&stream->results.text, text, left) == 0);
		stream->results.read = kept->left_read;
		CHECK(stream_keep_partial(stream, text + left, more));
	}
	kept_bytes_drop(stream->fsd->kept, stream->handle);
	free(text);
}

void
stream_restore(struct fsd *fsd, struct handle *handle)
{
	handle->stream = stream_new(fsd, handle);
	if (handle->flow.left + handle->flow.left_more != 0)
		take_left(handle->stream);
}

void
stream_lost(struct stream *stream, bool again, uint32_t queued, uint32_t to_go_on)
{
	struct handle_flow *kept = stream->flow.kept;
	uint32_t results;

	/* The last of what was under way are the lines of the WRITE. */
	if (again && kept->under_way <= kept->wrote)
		kept->under_way = 0;
	flow_restore(&stream->flow, queued);
	if (again) {
		stream->anew = kept->wrote < kept->unread ? kept->wrote : kept->unread;
		stream->were_read = kept->wrote - stream->anew;
	}
	stream->broken = (again ? kept->began : kept->partial) && stream->partial_len == 0;
	results = stream->anew + to_go_on;
	if (stream->keeps && lines_unread(&stream->results) == 0 && kept->unread > results)
		stream_say_lost(stream, kept->unread - results);
}
