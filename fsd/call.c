/* Requests that wait for the replica. See call.h; used by the handlers. */
#include "fsd/call.h"

#include "fsd/clock.h"
#include "fsd/inode.h"
#include "fsd/interrupt.h"
#include "fsd/kernel.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>

struct fsd *
call_fsd(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

struct call *
call_new(struct fsd *fsd, fuse_req_t req)
{
	struct call *call = calloc(1, sizeof *call);

	if (call == NULL) {
		if (req != NULL)
			fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	call->fsd = fsd;
	call->req = req;
	call->rid = kernel_rid(fsd->kernel);
	call->started_ns = fsd_now_ns();
	if (req != NULL) {
		call->resent = kernel_is_resent(fsd->kernel);
		call->tid = fuse_req_ctx(req)->pid;
		interrupt_watch(call);
	}
	return call;
}

void
call_free(struct call *call)
{
	CHECK(call->request == NULL && call->req == NULL);
	interrupt_forget(call);
	call_unhold(call);
	free(call);
}

int
call_code(const struct wire_reply *reply, const struct wire_stat *stat)
{
	if (reply->code != ERR_OK)
		return reply->code;
	return stat != NULL ? ERR_OK : ERR_PROTO;
}

int
call_done_code(const struct wire_reply *reply, const struct wire_stat *stat)
{
	return reply->code == ERR_OK && stat == NULL ? ERR_NONODE : reply->code;
}

/* Whether the replica counts this answer as interest in the node that it names (wire.h). */
static bool
counts(enum wire_type type)
{
	return type == WIRE_T_LOOKUP || wire_is_write(type);
}

/* Each entry of a LIST with plus counts; `with` is inode_answered, then inode_settle. */
static void
entries_each(struct fsd *fsd, struct blob data, void (*with)(struct fsd *fsd, uint64_t id))
{
	struct wire_entry entry;

	while (wire_entry_next(&data, &entry) == 1)
		with(fsd, entry.id);
}

static void
answered(void *arg, const struct wire_reply *reply)
{
	static const struct wire_reply broken = { .code = ERR_PROTO };
	struct call *call = arg;
	struct fsd *fsd = call->fsd;
	static const struct wire_reply fine = { .code = ERR_OK };
	bool plus = call->plus && call->type == WIRE_T_LIST, count = counts(call->type),
	     known = false;
	struct blob data = reply->data;
	struct wire_stat stat;

	call->request = NULL;
	interrupt_forget(call);
	if (reply->stat.len != 0) {
		known = wire_stat_unpack(reply->stat, &stat) == 0;
		if (!known)
			reply = &broken;
	}
	if (known && stat.id != 0 && stat.id == fsd->root.id)
		fsd->root = stat;
	call->root = call->root && reply->code == ERR_NOQUORUM;
	if (call->root) {
		reply = &fine;
		stat = fsd->root;
		known = true;
	}
	if (known && stat.id != 0 && count)
		inode_answered(fsd, stat.id);
	if (wire_is_write(call->type))
		inode_wrote(fsd, call->type, known ? &stat : NULL, reply->zxid);
	if (known && stat.id != 0 && !call->root)
		inode_seen(fsd, &stat, reply->zxid);
	if (plus)
		entries_each(fsd, data, inode_answered);

	call->done(call, reply, known ? &stat : NULL);

	if (known && stat.id != 0 && count)
		inode_settle(fsd, stat.id);
	if (plus)
		entries_each(fsd, data, inode_settle);
}

bool
call_would_make(const struct call *call, const struct wire_stat *stat)
{
	return modifier_made(&call->target.modifier, stat->owner, link_session(call->fsd->link));
}

bool
call_is_lost(const struct call *call, const struct wire_reply *reply)
{
	return call->resent && reply->code == ERR_PROTO;
}

void
call_hold(struct call *call, uint64_t rid)
{
	call_hold_all(call, rid, rid);
}

void
call_hold_all(struct call *call, uint64_t rid, uint64_t last)
{
	call->holds = rid;
	link_hold(call->fsd->link, rid, last);
}

void
call_unhold(struct call *call)
{
	if (call->holds != 0)
		link_unhold(call->fsd->link, call->holds);
	call->holds = 0;
}

void
call_send(struct call *call, struct wire_msg *msg, call_done done)
{
	/* rid and the like are the first fields of every request (wire.h). */
	msg->getattr.rid = call->rid;
	call->type = msg->type;
	call->done = done;
	call->request = link_request(call->fsd->link, msg, call->resent, answered, call);
}

void
call_getattr(struct call *call, uint64_t id, call_done done)
{
	struct wire_msg msg = { .type = WIRE_T_GETATTR, .getattr = { .id = id } };

	call_send(call, &msg, done);
}

void
call_read(struct call *call, uint64_t id, call_done done)
{
	struct wire_msg msg = { .type = WIRE_T_READ, .read = { .id = id } };

	call_send(call, &msg, done);
}

void
call_lookup(struct call *call, uint64_t parent, const char *name, call_done done)
{
	struct wire_msg msg = { .type = WIRE_T_LOOKUP,
		.lookup = { .parent = parent, .name = call_blob(name) } };

	call_send(call, &msg, done);
}

void
call_sync(struct call *call, call_done done)
{
	struct wire_msg msg = { .type = WIRE_T_SYNC };

	call_send(call, &msg, done);
}

bool
call_name(struct call *call, char to[WIRE_NAME_MAX + 1], const char *name)
{
	if (strlen(name) <= WIRE_NAME_MAX) {
		memcpy(to, name, strlen(name) + 1);
		return true;
	}
	fuse_reply_err(call->req, ENAMETOOLONG);
	call->req = NULL;
	call_free(call);
	return false;
}

struct blob
call_blob(const char *text)
{
	return (struct blob){ (const uint8_t *)text, (uint32_t)strlen(text) };
}

void
call_abandon(struct call *call)
{
	static const struct wire_reply interrupted = { .code = ERR_INTR };

	if (call->abandoned != NULL) {
		call->abandoned(call);
		return;
	}
	if (link_cancel(call->fsd->link, call->request)) {
		/* Withdrawn: the handler itself says so, and cleans up. */
		answered(call, &interrupted);
		return;
	}
	fuse_reply_err(call->req, EINTR);
	call->req = NULL;
}
