/* MODIFIER[,MODIFIER…] taken apart. See modifier.h. */
#include "fsd/modifier.h"

#include "replica/lib/duration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A decimal number at the start of *text, at most `max`; *text moves behind it. */
static bool
number(const char **text, uint64_t max, uint64_t *out)
{
	const char *at = *text;

	if (*at < '0' || *at > '9')
		return false;
	for (*out = 0; *at >= '0' && *at <= '9'; at++) {
		*out = *out * 10 + (uint64_t)(*at - '0');
		if (*out > max)
			return false;
	}
	*text = at;
	return true;
}

static int
parse_ttl(const char *text, struct modifier *out)
{
	return duration_ms(text, WIRE_TTL_MAX, &out->ttl_ms) ? 0 : EINVAL;
}

static int
parse_version(const char *text, struct modifier *out)
{
	uint64_t version;

	if (!number(&text, UINT32_MAX, &version) || *text != '\0')
		return EINVAL;
	out->versioned = true;
	out->version = (uint32_t)version;
	return 0;
}

/* At most one says whose the node is. */
static int
owned(struct modifier *out, enum wire_owner owner)
{
	if (out->owner != WIRE_PERSISTENT)
		return EINVAL;
	out->owner = owner;
	return 0;
}

static int
parse_one(const char *text, struct modifier *out)
{
	if (strcmp(text, "sequence") == 0) {
		if (out->sequence)
			return EINVAL;
		out->sequence = true;
		return 0;
	}
	if (strcmp(text, "async") == 0) {
		if (out->async)
			return EINVAL;
		out->async = true;
		return 0;
	}
	if (strcmp(text, "ephemeral") == 0)
		return owned(out, WIRE_EPHEMERAL);
	if (strcmp(text, "held") == 0)
		return owned(out, WIRE_HELD);
	if (strcmp(text, "container") == 0)
		return owned(out, WIRE_CONTAINER);
	if (strncmp(text, "ttl=", 4) == 0)
		return owned(out, WIRE_TTL) != 0 ? EINVAL : parse_ttl(text + 4, out);
	if (strncmp(text, "version=", 8) == 0)
		return out->versioned ? EINVAL : parse_version(text + 8, out);
	return ENOENT;
}

int
modifier_parse(const char *text, struct modifier *out)
{
	char copy[MODIFIER_TEXT_MAX + 1], *rest = copy, *one;
	int errnum, wrong = 0;

	memset(out, 0, sizeof *out);
	if (strlen(text) > MODIFIER_TEXT_MAX)
		return ENOENT;
	strcpy(copy, text);
	while ((one = strsep(&rest, ",")) != NULL) {
		errnum = parse_one(one, out);
		if (errnum == ENOENT)
			return ENOENT;
		if (errnum != 0)
			wrong = errnum;
	}
	/* A version is that of a node that is there: nothing is created. */
	if ((out->versioned || out->async) && (out->sequence || out->owner != WIRE_PERSISTENT))
		return EINVAL;
	if (out->versioned && out->async)
		return EINVAL;
	return wrong;
}

/* As zxids are written, or decimal; no octal one, which a leading 0 would be for a shell. */
static int
parse_zxid(const char *text, uint64_t *out)
{
	bool hex = strncmp(text, "0x", 2) == 0;
	const char *digits = hex ? "0123456789abcdefABCDEF" : "0123456789";

	if (hex)
		text += 2;
	else if (text[0] == '0' && text[1] != '\0')
		return EINVAL;
	if (*text == '\0' || text[strspn(text, digits)] != '\0')
		return EINVAL;
	errno = 0;
	*out = strtoull(text, NULL, hex ? 16 : 10);
	return errno == 0 ? 0 : EINVAL;
}

int
modifier_events(const char *text, uint64_t *from)
{
	static const char with[] = "events,from=";

	*from = 0;
	if (strcmp(text, "events") == 0)
		return 0;
	if (strncmp(text, with, sizeof with - 1) != 0)
		return ENOENT;
	if (parse_zxid(text + sizeof with - 1, from) != 0)
		return EINVAL;
	/* Behind 0 is what is behind 1: the log begins above both. */
	if (*from == 0)
		*from = 1;
	return 0;
}

int64_t
modifier_version(const struct modifier *modifier)
{
	return modifier->versioned ? (int64_t)modifier->version : -1;
}

bool
modifier_made(const struct modifier *modifier, uint64_t owner, uint64_t session)
{
	switch (modifier->owner) {
	case WIRE_EPHEMERAL:
	case WIRE_HELD:
		return owner == session && session != 0;
	case WIRE_CONTAINER:
		return owner == WIRE_OWNER_CONTAINER;
	case WIRE_TTL:
		return owner == (WIRE_OWNER_TTL | modifier->ttl_ms);
	default:
		return true;
	}
}
