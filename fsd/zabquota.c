/*
 * `DIR/.zab/quota`: what the directory and all below it may take, and does. The kernel enforces who
 * may set it (zab_attr). The words of a quota may come in several writes, since some shells write
 * each line by itself: those of one open file go together, from its last write at offset 0 on, over
 * the death of a process (handle.h). See zab.h.
 */
#include "fsd/zab.h"

#include "fsd/reply.h"
#include "replica/lib/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_TEXT_MAX 24
#define BLANKS " \t\n"

void
quota_ask(struct call *call, uint64_t ino, call_done done)
{
	struct wire_msg msg = { .type = WIRE_T_USAGE, .usage = { .id = ino_node(ino) } };

	call_send(call, &msg, done);
}

static void
limit_text(int64_t limit, char text[NUMBER_TEXT_MAX])
{
	snprintf(text, NUMBER_TEXT_MAX, limit == 0 ? "-" : "%" PRId64, limit);
}

static const char *
kind_text(const struct wire_used *used)
{
	if (used->nodes_max == 0 && used->bytes_max == 0)
		return "-";
	return used->hard != 0 ? "hard" : "soft";
}

int
quota_text(const struct wire_reply *reply, char *text, size_t len, size_t *used)
{
	char nodes[NUMBER_TEXT_MAX], bytes[NUMBER_TEXT_MAX];
	struct wire_used is;
	int n;

	if (wire_used_unpack(reply->data, &is) != 0)
		return ERR_PROTO;
	limit_text(is.nodes_max, nodes);
	limit_text(is.bytes_max, bytes);
	n = snprintf(text, len,
	    "nodes %s\nbytes %s\nlimit %s\nnodes_used %" PRId64 "\nbytes_used %" PRId64 "\n", nodes,
	    bytes, kind_text(&is), is.nodes, is.bytes);
	*used = n < 0 ? 0 : (size_t)n < len ? (size_t)n : len - 1;
	return ERR_OK;
}

/* The next word, cut off the front; empty: there is none. */
static struct blob
next_word(const char **text)
{
	struct blob word;

	*text += strspn(*text, BLANKS);
	word = (struct blob){ (const uint8_t *)*text, (uint32_t)strcspn(*text, BLANKS) };
	*text += word.len;
	return word;
}

static bool
is_word(struct blob word, const char *text)
{
	return word.len == strlen(text) && memcmp(word.data, text, word.len) == 0;
}

/* A number above 0, or `-`: none. False: neither. */
static bool
parse_limit(struct blob word, int64_t *limit)
{
	uint32_t i;

	*limit = 0;
	if (is_word(word, "-"))
		return true;
	for (i = 0; i < word.len; i++) {
		int digit = word.data[i] - '0';

		if (digit < 0 || digit > 9 || *limit > (INT64_MAX - digit) / 10)
			return false;
		*limit = *limit * 10 + digit;
	}
	return *limit != 0;
}

/* What has been said, each at most once. */
struct said {
	bool nodes, bytes, how, none;
};

static bool
once(bool *said)
{
	bool before = *said;

	*said = true;
	return !before;
}

static bool
take(struct blob word, const char **text, struct said *said, struct wire_quota *msg)
{
	if (is_word(word, "nodes"))
		return once(&said->nodes) && parse_limit(next_word(text), &msg->nodes);
	if (is_word(word, "bytes"))
		return once(&said->bytes) && parse_limit(next_word(text), &msg->bytes);
	if (is_word(word, "none"))
		return once(&said->none);
	msg->hard = is_word(word, "hard");
	return (msg->hard != 0 || is_word(word, "soft")) && once(&said->how);
}

int
quota_parse(const char *text, struct wire_quota *msg)
{
	struct said said = { 0 };
	struct blob word;

	msg->hard = 1;
	while ((word = next_word(&text)).len != 0)
		if (!take(word, &text, &said, msg))
			return EINVAL;
	if (said.none && (said.nodes || said.bytes || said.how))
		return EINVAL;
	if (msg->nodes != 0 || msg->bytes != 0)
		return 0;
	msg->hard = 0;
	return said.how ? EINVAL : 0;
}

static void
set(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);

	(void)stat;
	/* What it has read is old. */
	if (handle != NULL)
		handle_pin(call->fsd, handle, NULL);
	reply_written(call, reply->code);
	call_free(call);
}

/*
 * What was written through it before, up to here, and this, as one. (A request that is sent again
 * stands where it stood.) False: it is no text, or too long.
 */
static bool
gather(struct handle *handle, int64_t offset, const char *data, size_t size)
{
	size_t at = strlen(handle->words);

	if ((uint64_t)offset < at)
		at = (size_t)offset;
	if (at + size > HANDLE_WORDS_MAX || memchr(data, '\0', size) != NULL)
		return false;
	memcpy(handle->words + at, data, size);
	handle->words[at + size] = '\0';
	return true;
}

void
quota_write(struct call *call, struct handle *handle, const char *data)
{
	struct wire_msg msg = { .type = WIRE_T_QUOTA, .quota = { .id = ino_node(call->ino) } };

	if (!gather(handle, call->offset, data, call->size) ||
	    quota_parse(handle->words, &msg.quota) != 0) {
		handle->words[0] = '\0';
		reply_err(call, EINVAL);
		call_free(call);
		return;
	}
	call_send(call, &msg, set);
}
