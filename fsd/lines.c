/* See lines.h. */
#include "fsd/lines.h"

#include "fsd/reply.h"

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
	size_t left = lines_unread(lines);

	if (lines->read == 0 || (left != 0 && lines->read <= READ_MAX))
		return;
	memmove(lines->text.data, lines->text.data + lines->read, left);
	lines->text.size = left;
	lines->read = 0;
}

bool
lines_read(struct lines *lines, struct call *call)
{
	size_t left = lines_unread(lines), taken;
	const char *text = left == 0 ? "" : lines->text.data + lines->read;
	bool whole;

	taken = reply_line(call, text, left);
	whole = taken != 0 && text[taken - 1] == '\n';
	lines->read += taken;
	forget_read(lines);
	return whole;
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
