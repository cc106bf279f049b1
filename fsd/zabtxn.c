/*
 * `.zab/txn`: one write(2) is one transaction. What its operations did is read
 * from the same file (handle_answer).
 */
#include "fsd/multi.h"

#include "fsd/reply.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BETWEEN "\nok " /* a line for each operation */

/* Nothing was asked of the replica. */
static void
refuse(struct call *call, struct handle *handle, int errnum, const char *why)
{
	msgpack_sbuffer text;

	msgpack_sbuffer_init(&text);
	steps_error(errnum, why, &text);
	handle_answer(call->fsd, handle, text.data, text.size);
	msgpack_sbuffer_destroy(&text);
	reply_err(call, errnum);
	call_free(call);
}

static void
done(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = call->req == NULL ? NULL : handle_find(call->fsd, call->fh);
	struct steps *steps = call->steps;
	msgpack_sbuffer text;

	(void)stat;
	msgpack_sbuffer_init(&text);
	steps_results(steps_packed(steps), reply, BETWEEN, &text);
	if (handle != NULL)
		handle_answer(call->fsd, handle, text.data, text.size);
	msgpack_sbuffer_destroy(&text);
	steps_destroy(steps);
	free(steps);
	reply_written(call, reply->code);
	call_free(call);
}

/* All lines; false: refused. */
static bool
parse(struct call *call, struct handle *handle, const char *data, struct steps *steps)
{
	const char *line = data, *end = data + call->size, *newline;
	char why[STEPS_WHY_MAX], text[STEPS_WHY_MAX + 32];
	unsigned n;
	int errnum;

	for (n = 1; line < end; n++, line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(end - line));
		errnum = newline == NULL ? EINVAL
					 : steps_line(steps, line, (size_t)(newline - line), why);
		if (errnum == 0)
			continue;
		snprintf(text, sizeof text, "line %u: %s", n,
		    newline == NULL ? "it is cut off: no newline" : why);
		refuse(call, handle, errnum, text);
		return false;
	}
	return true;
}

void
zabtxn_write(struct call *call, struct handle *handle, const char *data)
{
	struct steps *steps = malloc(sizeof *steps);
	struct wire_msg msg;
	struct who who;

	CHECK(steps != NULL);
	who_of(call, &who);
	steps_init(steps, who.umask);
	if (!parse(call, handle, data, steps)) {
		steps_destroy(steps);
		free(steps);
		return;
	}
	call->steps = steps;
	msg = multi_msg(call, &who, steps);
	call_send(call, &msg, done);
}
