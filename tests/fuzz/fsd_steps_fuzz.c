/*
 * The text of `.zab/txn` and `.zab/stream`. What is understood is the same said in other words,
 * within the bounds; what becomes of it is one line a transaction, whatever a replica answers.
 */
#include "tests/fuzz/fuzz.h"

#include "fsd/steps.h"
#include "replica/lib/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define UMASK 022

static struct blob
blob_of(const msgpack_sbuffer *buffer)
{
	return (struct blob){ (const uint8_t *)buffer->data, (uint32_t)buffer->size };
}

static void
put(msgpack_sbuffer *out, const char *text)
{
	CHECK(msgpack_sbuffer_write(out, text, strlen(text)) == 0);
}

/* Each byte as a number. */
static void
put_word(msgpack_sbuffer *out, struct blob word)
{
	char byte[8];
	uint32_t i;

	put(out, " \"");
	for (i = 0; i < word.len; i++) {
		snprintf(byte, sizeof byte, i % 2 == 0 ? "\\%03o" : "\\x%02X", word.data[i]);
		put(out, byte);
	}
	put(out, "\"");
}

static void
put_options(msgpack_sbuffer *out, const struct wire_step *step)
{
	static const char *const owners[] = { "", " ephemeral", NULL, " container" };
	char text[64] = "";

	if (step->version == WIRE_ABSENT)
		put(out, " absent");
	else if (step->version != -1)
		snprintf(text, sizeof text, " version=%lld", (long long)step->version);
	if (step->owner == WIRE_TTL)
		snprintf(text, sizeof text, " ttl=%llums", (unsigned long long)step->handle);
	else
		put(out, owners[step->owner]);
	put(out, text);
	if (step->flags == WIRE_SEQUENCE)
		put(out, "\tsequence");
}

static void
say(msgpack_sbuffer *out, const struct wire_step *step)
{
	switch (step->kind) {
	case WIRE_STEP_CREATE:
		put(out, S_ISDIR(step->mode) ? "mkdir" : "create");
		break;
	case WIRE_STEP_SET:
		put(out, "set");
		break;
	case WIRE_STEP_DELETE:
		put(out, "delete");
		break;
	default:
		put(out, "check");
		break;
	}
	put_word(out, step->path);
	if (step->kind == WIRE_STEP_SET || (step->kind == WIRE_STEP_CREATE && S_ISREG(step->mode)))
		put_word(out, step->value);
	put_options(out, step);
	put(out, " ; ");
}

static void
makes_sense(const struct wire_step *step)
{
	CHECK(step->kind >= WIRE_STEP_CREATE && step->kind <= WIRE_STEP_CHECK);
	CHECK(step->path.len <= WIRE_PATH_MAX);
	CHECK(step->version >= WIRE_ABSENT && step->version <= UINT32_MAX);
	CHECK(step->version != WIRE_ABSENT || step->kind == WIRE_STEP_CHECK);
	CHECK((step->handle != 0) == (step->owner == WIRE_TTL) && step->handle <= WIRE_TTL_MAX);
	CHECK(step->owner != WIRE_HELD && step->owner <= WIRE_TTL);
	if (step->kind == WIRE_STEP_CREATE)
		CHECK((step->mode & UMASK) == 0 && step->version == -1);
	else
		CHECK(step->mode == 0 && step->owner == 0 && step->flags == 0);
}

/* The same, in other words. */
static void
again(const struct steps *steps)
{
	struct blob left = blob_of(&steps->packed);
	char why[STEPS_WHY_MAX];
	struct wire_step step;
	msgpack_sbuffer text;
	struct steps other;
	uint32_t n = 0;

	msgpack_sbuffer_init(&text);
	for (; wire_step_next(&left, &step) == 1; n++) {
		makes_sense(&step);
		say(&text, &step);
	}
	CHECK(left.len == 0 && n == steps->count && n <= WIRE_STEPS_MAX);
	steps_init(&other, UMASK);
	CHECK(steps_line(&other, text.data, text.size, why) == 0);
	CHECK(other.packed.size == steps->packed.size);
	CHECK(n == 0 || memcmp(other.packed.data, steps->packed.data, other.packed.size) == 0);
	steps_destroy(&other);
	msgpack_sbuffer_destroy(&text);
}

/* As the input has it: results that fit, and such as don't. */
static void
answer(const struct steps *steps, struct fuzz_input *in)
{
	static const int codes[] = { ERR_OK, ERR_OK, ERR_EXISTS, ERR_NOQUORUM, -9999 };
	struct wire_reply reply = { .code = codes[fuzz_below(in, 5)],
		.more = fuzz_byte(in),
		.data = fuzz_bytes(in, in->len / 4) };
	msgpack_sbuffer text;
	size_t i;

	msgpack_sbuffer_init(&text);
	steps_results(blob_of(&steps->packed), &reply, " ; ", &text);
	for (i = 0; i + 1 < text.size; i++)
		CHECK((uint8_t)text.data[i] >= ' ' && text.data[i] != 127);
	CHECK(text.size != 0 && text.data[text.size - 1] == '\n');
	if (steps->count != 0 || reply.code != ERR_OK)
		CHECK(memcmp(text.data, reply.code == ERR_OK ? "ok " : "error ", 3) == 0);
	msgpack_sbuffer_destroy(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	char why[STEPS_WHY_MAX] = "";
	const char *newline;
	struct steps steps;
	struct blob line;
	int errnum = 0;

	steps_init(&steps, UMASK);
	answer(&steps, &in);
	while (in.len != 0 && errnum == 0) {
		newline = memchr(in.data, '\n', in.len);
		line = fuzz_bytes(
		    &in, newline == NULL ? in.len : (size_t)((const uint8_t *)newline - in.data));
		fuzz_bytes(&in, 1);
		errnum = steps_line(&steps, (const char *)line.data, line.len, why);
	}
	CHECK(errnum == 0 || errnum == EINVAL || errnum == EFBIG || errnum == ENAMETOOLONG);
	CHECK(errnum == 0 || (why[0] != '\0' && memchr(why, '\0', sizeof why) != NULL));
	if (errnum == 0)
		again(&steps);
	in = (struct fuzz_input){ data, size };
	answer(&steps, &in);
	steps_destroy(&steps);
	return 0;
}
