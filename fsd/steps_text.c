/*
 * What operations did, or why not, as text that could be read again. See steps.h; called by
 * zabtxn.c and zabstream.c.
 */
#include "fsd/steps.h"

#include "replica/lib/err.h"
#include "replica/lib/text.h"

#include <string.h>
#include <sys/stat.h>

static bool
is_plain(struct blob text)
{
	uint32_t i;

	for (i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] == 127 || text.data[i] == '"' ||
		    text.data[i] == '\\')
			return false;
	return text.len != 0 && *text.data != ';' && *text.data != '#';
}

/* As it could be read again. */
static void
put_word(msgpack_sbuffer *out, struct blob text)
{
	uint32_t i;

	if (is_plain(text)) {
		text_put(out, (const char *)text.data, text.len);
		return;
	}
	text_add(out, "\"");
	for (i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '"' || c == '\\')
			text_format(out, "\\%c", c);
		else if (c < ' ' || c == 127)
			text_format(out, "\\%03o", c);
		else
			text_put(out, (const char *)&text.data[i], 1);
	}
	text_add(out, "\"");
}

static const char *
verb(const struct wire_step *step)
{
	switch (step->kind) {
	case WIRE_STEP_CREATE:
		return S_ISDIR(step->mode) ? "mkdir" : "create";
	case WIRE_STEP_SET:
		return "set";
	case WIRE_STEP_DELETE:
		return "delete";
	default:
		return "check";
	}
}

static void
put_step(msgpack_sbuffer *out, const struct wire_step *step)
{
	text_add(out, verb(step));
	text_add(out, " ");
	put_word(out, step->path);
}

/* The path with the name that was given in the end. */
static void
put_created(msgpack_sbuffer *out, const struct wire_step *step, struct blob name)
{
	char path[WIRE_PATH_MAX + WIRE_NAME_MAX + 1];
	uint32_t dir = step->path.len;

	while (dir != 0 && step->path.data[dir - 1] == '/')
		dir--;
	while (dir != 0 && step->path.data[dir - 1] != '/')
		dir--;
	memcpy(path, step->path.data, dir);
	memcpy(path + dir, name.data, name.len);
	text_add(out, verb(step));
	text_add(out, " ");
	put_word(out, (struct blob){ (uint8_t *)path, dir + name.len });
}

static void
put_result(msgpack_sbuffer *out, const struct wire_step *step, struct blob *results)
{
	struct wire_result result;

	if (step->kind == WIRE_STEP_CHECK || wire_result_next(results, &result) != 1) {
		put_step(out, step);
	} else if (step->kind == WIRE_STEP_CREATE) {
		put_created(out, step, result.name);
	} else {
		put_step(out, step);
		if (step->kind == WIRE_STEP_SET)
			text_format(out, " version=%u", result.version);
	}
}

/* One that has no name is an I/O error, as err_errno() makes it. */
static void
put_errno(msgpack_sbuffer *out, int errnum)
{
	const char *name = strerrorname_np(errnum);

	text_format(out, "error %s", name != NULL ? name : "EIO");
}

void
steps_error(int errnum, const char *why, msgpack_sbuffer *out)
{
	put_errno(out, errnum);
	text_add(out, " ");
	text_add(out, why);
	text_add(out, "\n");
}

static void
put_failure(msgpack_sbuffer *out, struct blob packed, const struct wire_reply *reply)
{
	struct wire_step step;
	uint32_t n = 0;

	put_errno(out, err_errno(reply->code));
	while (n < reply->more && wire_step_next(&packed, &step) == 1)
		n++;
	if (n != 0) {
		text_format(out, " operation %u: ", (unsigned)n);
		put_step(out, &step);
	}
	text_add(out, ": ");
	text_add(out, err_text(reply->code));
	text_add(out, "\n");
}

void
steps_results(
    struct blob packed, const struct wire_reply *reply, const char *between, msgpack_sbuffer *out)
{
	struct blob results = reply->data;
	struct wire_step step;
	bool first = true;

	if (reply->code != ERR_OK) {
		put_failure(out, packed, reply);
		return;
	}
	while (wire_step_next(&packed, &step) == 1) {
		text_add(out, first ? "ok " : between);
		put_result(out, &step, &results);
		first = false;
	}
	text_add(out, "\n");
}
