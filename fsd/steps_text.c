/*
 * What operations did, or why not, as text that could be read again. See steps.h; called by
 * zabtxn.c and zabstream.c.
 */
#include "fsd/steps.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void
put(msgpack_sbuffer *out, const char *text, size_t len)
{
	if (len != 0)
		CHECK(msgpack_sbuffer_write(out, text, len) == 0);
}

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
	char byte[8];
	uint32_t i;
	int len;

	if (is_plain(text)) {
		put(out, (const char *)text.data, text.len);
		return;
	}
	put(out, "\"", 1);
	for (i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '"' || c == '\\')
			len = snprintf(byte, sizeof byte, "\\%c", c);
		else if (c < ' ' || c == 127)
			len = snprintf(byte, sizeof byte, "\\%03o", c);
		else
			len = snprintf(byte, sizeof byte, "%c", c);
		put(out, byte, (size_t)len);
	}
	put(out, "\"", 1);
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
	put(out, verb(step), strlen(verb(step)));
	put(out, " ", 1);
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
	put(out, verb(step), strlen(verb(step)));
	put(out, " ", 1);
	put_word(out, (struct blob){ (uint8_t *)path, dir + name.len });
}

static void
put_result(msgpack_sbuffer *out, const struct wire_step *step, struct blob *results)
{
	char version[32];
	struct wire_result result;

	if (step->kind == WIRE_STEP_CHECK || wire_result_next(results, &result) != 1) {
		put_step(out, step);
	} else if (step->kind == WIRE_STEP_CREATE) {
		put_created(out, step, result.name);
	} else {
		put_step(out, step);
		if (step->kind == WIRE_STEP_SET)
			put(out, version,
			    (size_t)snprintf(
				version, sizeof version, " version=%u", result.version));
	}
}

void
steps_error(int errnum, const char *why, msgpack_sbuffer *out)
{
	const char *name = strerrorname_np(errnum);

	put(out, "error ", 6);
	if (name != NULL)
		put(out, name, strlen(name));
	put(out, " ", 1);
	put(out, why, strlen(why));
	put(out, "\n", 1);
}

static void
put_failure(msgpack_sbuffer *out, struct blob packed, const struct wire_reply *reply)
{
	int errnum = err_errno(reply->code);
	const char *name = strerrorname_np(errnum);
	struct wire_step step;
	char which[32];
	uint32_t n = 0;

	put(out, "error ", 6);
	put(out, name == NULL ? "EIO" : name, strlen(name == NULL ? "EIO" : name));
	while (n < reply->more && wire_step_next(&packed, &step) == 1)
		n++;
	if (n != 0) {
		put(out, which,
		    (size_t)snprintf(which, sizeof which, " operation %u: ", (unsigned)n));
		put_step(out, &step);
	}
	put(out, ": ", 2);
	put(out, err_text(reply->code), strlen(err_text(reply->code)));
	put(out, "\n", 1);
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
		put(out, first ? "ok " : between, first ? 3 : strlen(between));
		put_result(out, &step, &results);
		first = false;
	}
	put(out, "\n", 1);
}
