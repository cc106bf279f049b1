/* The text of operations, taken apart. See steps.h; what becomes of them is steps_text.c's. */
#include "fsd/steps.h"

#include "fsd/modifier.h"
#include "replica/lib/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Words are taken apart in place: an unquoted one is never longer than its text. */
struct words {
	const char *at, *end;
	char *space; /* where the next word goes */
	bool wrong;  /* a string without an end, or a bad escape */
};

struct word {
	const char *text; /* terminated, for those that may not have a NUL in them */
	uint32_t len;
	bool quoted;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* Up to `max` digits of a base. False: none. */
static bool
number(struct words *words, int base, int max, char *out)
{
	int value = 0, n = 0;

	while (n < max && words->at < words->end && digit(*words->at) < base) {
		value = value * base + digit(*words->at++);
		n++;
	}
	*out = (char)value;
	return n != 0 && value < 256;
}

/* Behind a backslash. */
static bool
escape(struct words *words, char *out)
{
	static const char names[] = "abfnrtv\\\"'?", values[] = "\a\b\f\n\r\t\v\\\"'?";
	const char *name;

	if (words->at == words->end)
		return false;
	if (*words->at == 'x') {
		words->at++;
		return number(words, 16, 2, out);
	}
	if (digit(*words->at) < 8)
		return number(words, 8, 3, out);
	name = *words->at == '\0' ? NULL : strchr(names, *words->at);
	if (name == NULL)
		return false;
	words->at++;
	*out = values[name - names];
	return true;
}

static void
quoted(struct words *words)
{
	char c;

	words->at++;
	while (words->at < words->end && *words->at != '"') {
		c = *words->at++;
		if (c == '\\' && !escape(words, &c)) {
			words->wrong = true;
			return;
		}
		*words->space++ = c;
	}
	if (words->at == words->end) {
		words->wrong = true;
		return;
	}
	words->at++;
	/* Something right behind it would be another word, or a mistake. */
	words->wrong = words->at < words->end && !is_blank(*words->at);
}

/* The next word of this operation; false: no more, or words->wrong. */
static bool
next_word(struct words *words, struct word *word)
{
	while (words->at < words->end && is_blank(*words->at))
		words->at++;
	if (words->at == words->end)
		return false;
	word->text = words->space;
	word->quoted = *words->at == '"';
	if (word->quoted)
		quoted(words);
	else
		while (words->at < words->end && !is_blank(*words->at))
			*words->space++ = *words->at++;
	word->len = (uint32_t)(words->space - word->text);
	*words->space++ = '\0';
	return !words->wrong;
}

static bool
is(const struct word *word, const char *text)
{
	return !word->quoted && strlen(text) == word->len &&
	       memcmp(word->text, text, word->len) == 0;
}

/* A bare semicolon ends an operation. */
static bool
next_argument(struct words *words, struct word *word, bool *ended)
{
	if (*ended || !next_word(words, word)) {
		*ended = true;
		return false;
	}
	*ended = is(word, ";");
	return !*ended;
}

static const struct operation {
	const char *name;
	enum wire_step_kind kind;
	uint32_t mode;
	bool value;
} operations[] = {
	{ "create", WIRE_STEP_CREATE, S_IFREG | 0666, true },
	{ "mkdir", WIRE_STEP_CREATE, S_IFDIR | 0777, false },
	{ "set", WIRE_STEP_SET, 0, true },
	{ "delete", WIRE_STEP_DELETE, 0, false },
	{ "check", WIRE_STEP_CHECK, 0, false },
};

static const struct operation *
operation_of(const struct word *word)
{
	size_t i;

	for (i = 0; i < sizeof operations / sizeof operations[0]; i++)
		if (is(word, operations[i].name))
			return &operations[i];
	return NULL;
}

/* version=N, absent, or what a new node is: each at most once. */
static bool
option(struct wire_step *step, const struct word *word)
{
	struct modifier modifier;

	if (word->quoted || strlen(word->text) != word->len)
		return false;
	if (is(word, "absent")) {
		if (step->kind != WIRE_STEP_CHECK || step->version != -1)
			return false;
		step->version = WIRE_ABSENT;
		return true;
	}
	if (strchr(word->text, ',') != NULL || modifier_parse(word->text, &modifier) != 0 ||
	    modifier.async)
		return false;
	if (modifier.versioned) {
		if (step->kind == WIRE_STEP_CREATE || step->version != -1)
			return false;
		step->version = modifier.version;
		return true;
	}
	if (step->kind != WIRE_STEP_CREATE)
		return false;
	if (modifier.sequence) {
		if (step->flags != 0)
			return false;
		step->flags = WIRE_SEQUENCE;
		return true;
	}
	if (step->owner != WIRE_PERSISTENT || modifier.owner == WIRE_HELD)
		return false;
	step->owner = modifier.owner;
	step->handle = modifier.ttl_ms;
	return true;
}

/* One operation, whose name was read. */
static int
parse(struct steps *steps, struct words *words, const struct operation *operation, bool *ended,
    char why[STEPS_WHY_MAX])
{
	struct wire_step step = { .kind = operation->kind,
		.mode = operation->mode & ~(uint32_t)(steps->umask & 0777),
		.version = -1 };
	struct word word;

	if (!next_argument(words, &word, ended)) {
		snprintf(why, STEPS_WHY_MAX, "%s: no path", operation->name);
		return EINVAL;
	}
	if (word.len > WIRE_PATH_MAX) {
		snprintf(why, STEPS_WHY_MAX, "%s: the path is too long", operation->name);
		return ENAMETOOLONG;
	}
	step.path = (struct blob){ (const uint8_t *)word.text, word.len };
	if (operation->value) {
		if (!next_argument(words, &word, ended)) {
			snprintf(why, STEPS_WHY_MAX, "%s: no value", operation->name);
			return EINVAL;
		}
		step.value = (struct blob){ (const uint8_t *)word.text, word.len };
	}
	while (next_argument(words, &word, ended)) {
		if (option(&step, &word))
			continue;
		snprintf(
		    why, STEPS_WHY_MAX, "%s: not understood: %.80s", operation->name, word.text);
		return EINVAL;
	}
	wire_step_pack(&steps->packed, &step);
	return 0;
}

static int
parse_all(struct steps *steps, struct words *words, char why[STEPS_WHY_MAX])
{
	const struct operation *operation;
	struct word word;
	bool ended;
	int errnum;

	while (next_word(words, &word)) {
		if (word.len != 0 && *word.text == '#' && !word.quoted)
			return 0;
		operation = operation_of(&word);
		if (operation == NULL) {
			snprintf(why, STEPS_WHY_MAX, "no such operation: %.80s", word.text);
			return EINVAL;
		}
		if (steps->count == WIRE_STEPS_MAX) {
			snprintf(why, STEPS_WHY_MAX, "more than %d operations", WIRE_STEPS_MAX);
			return EFBIG;
		}
		ended = false;
		errnum = parse(steps, words, operation, &ended, why);
		if (errnum != 0 || words->wrong)
			return errnum;
		steps->count++;
	}
	return 0;
}

int
steps_line(struct steps *steps, const char *line, size_t len, char why[STEPS_WHY_MAX])
{
	struct words words;
	char *space;
	int errnum;

	if (len == 0)
		return 0;
	/* Each word gets a terminator, and takes at least one byte of text and one of blank. */
	space = malloc(2 * len + 2);
	CHECK(space != NULL);
	words = (struct words){ .at = line, .end = line + len, .space = space };
	errnum = parse_all(steps, &words, why);
	if (words.wrong) {
		snprintf(why, STEPS_WHY_MAX, "a string without an end, or a bad escape in it");
		errnum = EINVAL;
	}
	free(space);
	if (errnum == 0 && steps->packed.size > WIRE_VALUE_MAX) {
		snprintf(why, STEPS_WHY_MAX, "too long");
		errnum = EFBIG;
	}
	return errnum;
}

void
steps_init(struct steps *steps, mode_t umask)
{
	*steps = (struct steps){ .umask = umask };
	msgpack_sbuffer_init(&steps->packed);
}

void
steps_destroy(struct steps *steps)
{
	msgpack_sbuffer_destroy(&steps->packed);
}
