/* See lines.h. */
#include "fsd/lines.h"

#include "fsd/reply.h"

#include <stdint.h>
#include <string.h>

#define READ_MAX (1u << 20) /* bytes that were read and are not forgotten yet */

void
lines_init(struct lines *lines)
{
	*lines = (struct lines){ 0 };
	msgpack_sbuffer_init(&lines->text);
}

static void
forget_poll(struct lines *lines)
{
	if (lines->poll != NULL)
		fuse_pollhandle_destroy(lines->poll);
	lines->poll = NULL;
}

void
lines_destroy(struct lines *lines)
{
	forget_poll(lines);
	msgpack_sbuffer_destroy(&lines->text);
}

size_t
lines_unread(const struct lines *lines)
{
	return lines->text.size - lines->read;
}

static void
forget_read(struct lines *lines)
{
	size_t left = lines->text.size - lines->begin;

	if (lines->begin == 0 || (left != 0 && lines->begin <= READ_MAX))
		return;
	memmove(lines->text.data, lines->text.data + lines->begin, left);
	lines->text.size = left;
	lines->read -= lines->begin;
	lines->begin = 0;
}

static const char *
unread(const struct lines *lines)
{
	return lines_unread(lines) == 0 ? "" : lines->text.data + lines->read;
}

static bool
is_end(const char *text, size_t len)
{
	return len != 0 && text[len - 1] == '\n';
}

const char *
lines_next(const struct lines *lines, const struct call *call)
{
	const char *text = unread(lines);
	size_t len = reply_line_len(text, lines_unread(lines), call->size);

	return is_end(text, len) ? lines->text.data + lines->begin : NULL;
}

bool
lines_read(struct lines *lines, struct call *call)
{
	const char *text = unread(lines);
	size_t len = reply_line_len(text, lines_unread(lines), call->size);

	if (!reply_text(call, text, len))
		return false;
	lines->read += len;
	if (is_end(text, len))
		lines->begin = lines->read;
	forget_read(lines);
	return true;
}

void
lines_skip(struct lines *lines)
{
	lines->read += reply_line_len(unread(lines), lines_unread(lines), SIZE_MAX);
	lines->begin = lines->read;
	forget_read(lines);
}

void
lines_poll(struct lines *lines, struct fuse_pollhandle *handle)
{
	if (handle == NULL)
		return;
	forget_poll(lines);
	lines->poll = handle;
}

void
lines_wake(struct lines *lines)
{
	if (lines->poll != NULL)
		fuse_lowlevel_notify_poll(lines->poll);
	forget_poll(lines);
}
