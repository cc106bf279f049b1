/*
 * Contents that are made on the fly: metadata and the session, one `key value`
 * a line, and what the replica makes (zabcluster.c, zabquota.c). See zab.h. A content is
 * made at OPEN, and anew by a read at offset 0 that is not the first.
 */
#include "fsd/zab.h"

#include "fsd/events.h"
#include "fsd/grace.h"
#include "fsd/multi.h"
#include "fsd/reply.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NS_PER_S 1000000000
#define TIME_MAX 64

/* RFC 3339, in UTC, with nanoseconds: sorts as text. */
static void
time_text(int64_t ns, char text[TIME_MAX])
{
	time_t seconds = ns / NS_PER_S;
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(text, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, TIME_MAX - len, ".%09" PRId64 "Z", ns % NS_PER_S);
}

/* 0, or a number that is written in hex everywhere: a session, a handle. */
static void
hex_text(uint64_t number, char text[32])
{
	snprintf(text, 32, number == 0 ? "%" PRIx64 : "0x%" PRIx64, number);
}

static const char *
kind_text(uint32_t mode)
{
	return S_ISDIR(mode) ? "directory" : S_ISLNK(mode) ? "symlink" : "file";
}

static size_t
length(int n, size_t len)
{
	return n < 0 ? 0 : (size_t)n < len ? (size_t)n : len - 1;
}

size_t
zab_stat_text(const struct wire_stat *stat, char *text, size_t len)
{
	char birth[TIME_MAX], mtime[TIME_MAX], owner[32], handle[32];

	time_text(stat->birth_ns, birth);
	time_text(stat->mtime_ns, mtime);
	hex_text(wire_owner_is_session(stat->owner) ? stat->owner : 0, owner);
	hex_text(stat->handle, handle);
	return length(
	    snprintf(text, len,
		"czxid 0x%" PRIx64 "\nmzxid 0x%" PRIx64 "\npzxid 0x%" PRIx64 "\n"
		"version %u\ncversion %u\naversion %u\nowner %s\nhandle %s\nbirth %s\nmtime %s\n"
		"id %" PRIu64 "\nsize %u\nchildren %u\nkind %s\nttl_ms %" PRIu64 "\ncontainer %s\n",
		stat->czxid, stat->mzxid, stat->pzxid, stat->version, stat->cversion,
		stat->aversion, owner, handle, birth, mtime, stat->id, stat->size, stat->children,
		kind_text(stat->mode), wire_owner_ttl_ms(stat->owner),
		stat->owner == WIRE_OWNER_CONTAINER ? "yes" : "no"),
	    len);
}

/* As an operator reads it (zabfs(7)): without a connection the session is suspended. */
static const char *
state_text(enum link_state state)
{
	switch (state) {
	case LINK_CONNECTED:
		return "connected";
	case LINK_EXPIRED:
		return "expired";
	case LINK_CONNECTING:
	case LINK_SUSPENDED:
		break;
	}
	return "suspended";
}

size_t
zab_session_text(const struct fsd *fsd, char *text, size_t len)
{
	char id[32];

	hex_text(link_session(fsd->link), id);
	return length(
	    snprintf(text, len,
		"id %s\nstate %s\ntimeout_ms %u\nreplica %u\nzxid 0x%" PRIx64 "\n%s", id,
		state_text(link_get_state(fsd->link)), link_timeout_ms(fsd->link),
		link_replica(fsd->link), link_zxid(fsd->link), fsd->stale ? "stale yes\n" : ""),
	    len);
}

bool
zab_made(uint64_t ino)
{
	return ino_kind(ino) == INO_STAT || ino_kind(ino) == INO_EVENTS ||
	       ino_kind(ino) == INO_QUOTA || (zab_alone(ino) && ino_kind(ino) != INO_CLUSTER);
}

bool
zab_talks(uint64_t ino)
{
	return ino_kind(ino) == INO_TXN || ino_kind(ino) == INO_STREAM ||
	       ino_kind(ino) == INO_EVENTS;
}

bool
zab_writable(uint64_t ino)
{
	return ino_kind(ino) == INO_LEADER || ino_kind(ino) == INO_TXN ||
	       ino_kind(ino) == INO_STREAM || ino_kind(ino) == INO_QUOTA;
}

/* Pins the text; stat is that of the znode, or nothing. */
static bool
pin(struct fsd *fsd, struct handle *handle, const struct wire_stat *stat, const char *text,
    size_t len)
{
	static const struct wire_stat none;
	struct value *value;

	value = value_new(
	    stat != NULL ? stat : &none, (struct blob){ (const uint8_t *)text, (uint32_t)len });
	if (value == NULL)
		return false;
	handle_pin(fsd, handle, value);
	return true;
}

static int
make_report(struct fsd *fsd, struct handle *handle, struct blob text)
{
	msgpack_sbuffer out;
	bool pinned;

	msgpack_sbuffer_init(&out);
	if (text.len != 0)
		CHECK(msgpack_sbuffer_write(&out, (const char *)text.data, text.len) == 0);
	if (ino_kind(handle->ino) == INO_METRICS)
		figures_text(fsd, &out);
	pinned = pin(fsd, handle, NULL, out.data, out.size);
	msgpack_sbuffer_destroy(&out);
	return pinned ? ERR_OK : ERR_NOMEM;
}

static int
make_sync(struct fsd *fsd, struct handle *handle, uint64_t zxid)
{
	char text[32];
	int len = snprintf(text, sizeof text, "0x%" PRIx64 "\n", zxid);

	grace_synced(fsd);
	return pin(fsd, handle, NULL, text, (size_t)len) ? ERR_OK : ERR_NOMEM;
}

static int
make_quota(struct fsd *fsd, struct handle *handle, const struct wire_reply *reply,
    const struct wire_stat *stat)
{
	char text[ZAB_TEXT_MAX];
	size_t len = 0;
	int code = quota_text(reply, text, sizeof text, &len);

	if (code != ERR_OK)
		return code;
	return pin(fsd, handle, stat, text, len) ? ERR_OK : ERR_NOMEM;
}

/* ERR_OK, or why there is no content. */
static int
make(struct call *call, struct handle *handle, const struct wire_reply *reply,
    const struct wire_stat *stat)
{
	char text[ZAB_TEXT_MAX];

	if (reply->code != ERR_OK)
		return reply->code;
	if (zab_reported(handle->ino))
		return make_report(call->fsd, handle, reply->data);
	if (ino_kind(handle->ino) == INO_SYNC)
		return make_sync(call->fsd, handle, reply->zxid);
	if (stat == NULL)
		return ERR_PROTO;
	if (ino_kind(handle->ino) == INO_QUOTA)
		return make_quota(call->fsd, handle, reply, stat);
	return pin(call->fsd, handle, stat, text, zab_stat_text(stat, text, sizeof text))
		   ? ERR_OK
		   : ERR_NOMEM;
}

static int
make_session(struct call *call, struct handle *handle)
{
	char text[ZAB_TEXT_MAX];

	return pin(call->fsd, handle, NULL, text, zab_session_text(call->fsd, text, sizeof text))
		   ? ERR_OK
		   : ERR_NOMEM;
}

static void
opened(struct call *call, struct handle *handle, int code)
{
	handle->fresh = true;
	if (code == ERR_NONODE)
		reply_vanished(call);
	else if (code != ERR_OK)
		reply_code(call, code);
	if (code != ERR_OK || !reply_open(call, handle))
		handle_free(call->fsd, handle);
	call_free(call);
}

static void
open_answered(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);

	opened(call, handle, make(call, handle, reply, stat));
}

/* What is written is a command, and what is read its answer. */
static bool
open_commands(struct call *call, struct handle *handle)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(call->req);

	handle->uid = ctx->uid;
	handle->gid = ctx->gid;
	if (ino_kind(handle->ino) == INO_TXN)
		handle_answer(call->fsd, handle, "", 0);
	else if (ino_kind(handle->ino) == INO_STREAM)
		handle->stream = stream_new(call->fsd, handle);
	else
		return false;
	opened(call, handle, ERR_OK);
	return true;
}

void
zab_open(struct call *call, struct handle *handle)
{
	call->fh = handle->fh;
	if (open_commands(call, handle))
		return;
	if (ino_kind(handle->ino) == INO_SESSION)
		opened(call, handle, make_session(call, handle));
	else if (ino_kind(handle->ino) == INO_SYNC)
		call_sync(call, open_answered);
	else if (ino_kind(handle->ino) == INO_EVENTS)
		events_open(call, handle, opened);
	else if ((handle->flags & O_ACCMODE) == O_WRONLY)
		opened(call, handle, ERR_OK);
	else if (zab_reported(handle->ino))
		zab_report(call, handle->ino, open_answered);
	else if (ino_kind(handle->ino) == INO_QUOTA)
		quota_ask(call, handle->ino, open_answered);
	else
		call_getattr(call, ino_node(handle->ino), open_answered);
}

static void
read_done(struct call *call, struct handle *handle, int code)
{
	if (code != ERR_OK)
		reply_code(call, code);
	else
		reply_value(call, handle->value, call->offset, call->size);
	call_free(call);
}

static void
read_answered(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = call->req == NULL ? NULL : handle_find(call->fsd, call->fh);

	read_done(call, handle, handle == NULL ? ERR_INTR : make(call, handle, reply, stat));
}

void
zab_read(struct call *call, struct handle *handle)
{
	bool anew = handle->value == NULL || (call->offset == 0 && !handle->fresh);

	handle->fresh = false;
	call->fh = handle->fh;
	if (anew && ino_kind(handle->ino) == INO_SESSION)
		read_done(call, handle, make_session(call, handle));
	else if (anew && ino_kind(handle->ino) == INO_SYNC)
		call_sync(call, read_answered);
	else if (anew && zab_reported(handle->ino))
		zab_report(call, handle->ino, read_answered);
	else if (anew && ino_kind(handle->ino) == INO_QUOTA)
		quota_ask(call, handle->ino, read_answered);
	else if (anew)
		call_getattr(call, ino_node(handle->ino), read_answered);
	else
		read_done(call, handle, ERR_OK);
}

/*
 * Whether who opened it writes. A command has the rights of its writer, and that may be a setuid
 * program, which writes what others say to whatever descriptor it was started with.
 */
static bool
is_opener(const struct call *call, const struct handle *handle)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(call->req);

	return ctx->uid == handle->uid && ctx->gid == handle->gid;
}

void
zab_write(struct call *call, struct handle *handle, const char *data)
{
	enum ino_kind kind = ino_kind(handle->ino);

	if ((kind == INO_TXN || kind == INO_STREAM) && !is_opener(call, handle)) {
		reply_err(call, EPERM);
		call_free(call);
		return;
	}
	switch (kind) {
	case INO_TXN:
		zabtxn_write(call, handle, data);
		break;
	case INO_STREAM:
		stream_write(call, handle->stream, data);
		break;
	case INO_QUOTA:
		quota_write(call, handle, data);
		break;
	default:
		zab_hand_over(call, data);
	}
}
