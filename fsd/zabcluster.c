/*
 * `.zab/cluster` and `.zab/metrics`: the replica makes the text, of what it
 * knows, and is asked whether there is a session or not; and what is written to
 * `leader`. See zab.h.
 */
#include "fsd/zab.h"

#include "fsd/reply.h"
#include "replica/lib/err.h"

#include <string.h>

#define DIGITS_MAX 9

/* 0: the replica doesn't make it. */
static uint32_t
what(uint64_t ino)
{
	switch (ino_kind(ino)) {
	case INO_MEMBERS:
		return WIRE_MEMBERS;
	case INO_LEADER:
		return WIRE_LEADER;
	case INO_EPOCH:
		return WIRE_EPOCH;
	case INO_METRICS:
		return WIRE_METRICS;
	default:
		return 0;
	}
}

bool
zab_reported(uint64_t ino)
{
	return what(ino) != 0;
}

void
zab_report(struct call *call, uint64_t ino, call_done done)
{
	struct wire_msg msg = { .type = WIRE_T_REPORT, .report = { .what = what(ino) } };

	call_send(call, &msg, done);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* A decimal number, and blanks around it; 0: it is none. */
static uint32_t
number(const char *data, size_t size)
{
	uint32_t value = 0, digits = 0;

	while (size > 0 && is_blank(data[size - 1]))
		size--;
	for (; size > 0 && is_blank(*data); size--)
		data++;
	for (; size > 0; size--, data++) {
		if (*data < '0' || *data > '9' || ++digits > DIGITS_MAX)
			return 0;
		value = value * 10 + (uint32_t)(*data - '0');
	}
	return value;
}

static void
handed_over(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)stat;
	reply_written(call, reply->code);
	call_free(call);
}

void
zab_hand_over(struct call *call, const char *data)
{
	struct wire_msg msg = { .type = WIRE_T_HAND_OVER,
		.hand_over = { .member = number(data, call->size) } };

	if (msg.hand_over.member == 0) {
		reply_code(call, ERR_INVAL);
		call_free(call);
		return;
	}
	call_send(call, &msg, handed_over);
}
