/*
 * The name of a directory below `.zab`. What is taken for modifiers makes sense
 * together, means the same in other words, and is told from everything else.
 */
#include "tests/fuzz/fuzz.h"

#include "fsd/modifier.h"

#include <errno.h>
#include <stdio.h>

#define SAID_MAX 128

/* What it means, in other words. */
static void
say(const struct modifier *is, char said[SAID_MAX])
{
	static const char *const owners[] = { "", "ephemeral,", "held,", "container," };
	size_t len = 0;

	if (is->owner == WIRE_TTL)
		len +=
		    (size_t)snprintf(said, SAID_MAX, "ttl=%llums,", (unsigned long long)is->ttl_ms);
	else
		len += (size_t)snprintf(said, SAID_MAX, "%s", owners[is->owner]);
	if (is->versioned)
		len += (size_t)snprintf(said + len, SAID_MAX - len, "version=%u,", is->version);
	if (is->async)
		len += (size_t)snprintf(said + len, SAID_MAX - len, "async,");
	if (is->sequence)
		len += (size_t)snprintf(said + len, SAID_MAX - len, "sequence,");
	CHECK(len > 0 && len < SAID_MAX);
	said[len - 1] = '\0';
}

static void
makes_sense(const struct modifier *is)
{
	CHECK(is->owner <= WIRE_TTL);
	CHECK((is->ttl_ms != 0) == (is->owner == WIRE_TTL) && is->ttl_ms <= WIRE_TTL_MAX);
	CHECK(!is->versioned || (!is->sequence && is->owner == WIRE_PERSISTENT));
	CHECK(!is->async || (!is->sequence && !is->versioned && is->owner == WIRE_PERSISTENT));
	CHECK(is->versioned || is->version == 0);
	CHECK(is->versioned || is->sequence || is->async || is->owner != WIRE_PERSISTENT);
	CHECK(modifier_version(is) == (is->versioned ? (int64_t)is->version : -1));
}

static void
same(const struct modifier *a, const struct modifier *b)
{
	CHECK(a->sequence == b->sequence && a->versioned == b->versioned && a->async == b->async);
	CHECK(a->version == b->version && a->owner == b->owner && a->ttl_ms == b->ttl_ms);
}

/* Once more, or with something that is none behind it. */
static void
not_with(const char *text, const char *more, int errnum)
{
	char both[2 * SAID_MAX];
	struct modifier is;

	if (strlen(text) + 1 + strlen(more) > MODIFIER_TEXT_MAX)
		return;
	snprintf(both, sizeof both, "%s,%s", text, more);
	CHECK(modifier_parse(both, &is) == errnum);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[SAID_MAX], said[SAID_MAX];
	struct modifier is, again;
	uint64_t from;
	int errnum, events;

	if (size >= sizeof text)
		size = sizeof text - 1;
	if (size != 0)
		memcpy(text, data, size);
	text[size] = '\0';
	errnum = modifier_parse(text, &is);
	/* Nothing is both. */
	events = modifier_events(text, &from);
	CHECK(events == ENOENT || errnum == ENOENT);
	CHECK(events != 0 || (from != 0) == (strlen(text) > strlen("events")));
	CHECK(errnum == 0 || errnum == ENOENT || errnum == EINVAL);
	CHECK(strlen(text) <= MODIFIER_TEXT_MAX || errnum == ENOENT);
	if (errnum != ENOENT)
		not_with(text, "none", ENOENT);
	if (errnum != 0)
		return 0;
	makes_sense(&is);
	not_with(text, text, EINVAL);
	say(&is, said);
	CHECK(modifier_parse(said, &again) == 0);
	same(&is, &again);
	CHECK(modifier_made(&is, is.owner == WIRE_TTL ? WIRE_OWNER_TTL | is.ttl_ms : 0, 1) ==
	      (is.owner == WIRE_TTL || is.owner == WIRE_PERSISTENT));
	return 0;
}
