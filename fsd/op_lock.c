/*
 * FLOCK: the lock is asked for by one write; where it has to wait, a read asks when it waits no
 * longer, for as long as that takes, over reattachments. Who is interrupted leaves the queue:
 * what can't be said at once stray.c says. Byte-range locks are refused. See lock.h, fsd.h.
 */
#include "fsd/lock.h"

#include "fsd/kernel.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "fsd/stray.h"
#include "replica/lib/err.h"

#include <sys/file.h>

/* NULL: the file is closed, or the same lock was asked for or taken back since: that counts. */
static struct handle *
latest(const struct call *call)
{
	struct handle *handle = handle_find(call->fsd, call->fh);

	return handle != NULL && handle->claim == call->rid ? handle : NULL;
}

/* Nobody waits for it, or nobody may believe in it. */
static void
withdraw(struct call *call)
{
	struct handle *handle = latest(call);

	if (handle == NULL)
		return;
	handle->locked = false;
	stray_lock(call->fsd, ino_node(call->ino), call->fh);
}

/* Interrupted. The read that waits is answered when the lock is taken back. */
static void
leave(struct call *call)
{
	reply_err(call, EINTR);
	withdraw(call);
}

static void
fail(struct call *call, int code)
{
	reply_code(call, code);
	withdraw(call);
	call_free(call);
}

static void
granted(struct call *call)
{
	struct handle *handle = latest(call);

	/* By now others may be told that the session is over. */
	if (link_get_state(call->fsd->link) == LINK_SUSPENDED) {
		fail(call, ERR_NOQUORUM);
		return;
	}
	if (handle != NULL) {
		handle->locked = true;
		handle->lock_session = link_session(call->fsd->link);
	}
	if (!reply_err(call, 0))
		withdraw(call);
	call_free(call);
}

static void
awaited(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)stat;
	if (call->req == NULL) /* it has left */
		call_free(call);
	else if (reply->code == ERR_OK)
		granted(call);
	else if (reply->code != ERR_NONODE)
		fail(call, reply->code);
	else if (call->session != link_session(call->fsd->link))
		fail(call, ERR_EXPIRED);
	else /* whoever shares the open file has unlocked it, or locks it otherwise */
		fail(call, ERR_NOLCK);
}

static void
await(struct call *call)
{
	struct wire_msg msg = { .type = WIRE_T_AWAIT,
		.await = { .id = ino_node(call->ino), .owner = call->fh } };

	call->session = link_session(call->fsd->link);
	call->eager = true;
	call->abandoned = leave;
	call_send(call, &msg, awaited);
}

static void
asked(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = latest(call);

	(void)stat;
	if (reply->code == ERR_OK) {
		granted(call);
		return;
	}
	/* An earlier process of this mount has asked, and had the answer: the queue knows. */
	if (reply->code == ERR_PROTO && call->req != NULL) {
		await(call);
		return;
	}
	if (reply->code != ERR_AGAIN && reply->code != ERR_UNKNOWN) {
		reply_code(call, reply->code);
		call_free(call);
		return;
	}
	/* What there was before went first. */
	if (handle != NULL)
		handle->locked = false;
	if (reply->code == ERR_UNKNOWN) {
		fail(call, ERR_UNKNOWN);
	} else if ((call->flags & LOCK_NB) != 0) {
		if (handle != NULL)
			handle->claim = 0;
		reply_code(call, ERR_AGAIN);
		call_free(call);
	} else if (call->req == NULL || call->signalled) {
		leave(call);
		call_free(call);
	} else {
		await(call);
	}
}

static void
lock(struct call *call, struct handle *handle)
{
	struct wire_msg msg = { .type = WIRE_T_LOCK,
		.lock = { .id = ino_node(call->ino), .owner = call->fh } };

	msg.lock.how |= (call->flags & LOCK_EX) != 0 ? WIRE_EXCLUSIVE : 0;
	msg.lock.how |= (call->flags & LOCK_NB) != 0 ? WIRE_AT_ONCE : 0;
	handle->claim = call->rid;
	stray_lock_forget(call->fsd, call->fh);
	call_send(call, &msg, asked);
}

static void
unlocked(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);

	(void)stat;
	if (reply->code != ERR_OK && handle == NULL)
		stray_lock(call->fsd, ino_node(call->ino), call->fh);
	else if (reply->code != ERR_OK && handle->claim == 0)
		handle->claim = call->rid;
	reply_code(call, reply->code);
	call_free(call);
}

static void
unlock(struct call *call)
{
	struct wire_msg msg = { .type = WIRE_T_UNLOCK,
		.unlock = { .id = ino_node(call->ino), .owner = call->fh } };

	stray_lock_forget(call->fsd, call->fh);
	call_send(call, &msg, unlocked);
}

/* Whether something of this file may be in the queue. */
static bool
may_have(const struct handle *handle)
{
	return handle->claim != 0 || handle->adopted;
}

bool
lock_is_lost(const struct fsd *fsd, const struct handle *handle)
{
	return handle->locked && handle->lock_session != link_session(fsd->link);
}

/* Says at once what needs no replica. */
static bool
at_once(fuse_req_t req, struct handle *handle, int op)
{
	struct fsd *fsd = call_fsd(req);
	/* (a LOCK_UN that a process before us was about to carry out comes again) */
	bool lost = lock_is_lost(fsd, handle),
	     had = may_have(handle) || kernel_is_resent(fsd->kernel);

	if ((op & LOCK_UN) == 0) {
		if (!handle_expired(fsd, handle))
			return false;
		fuse_reply_err(req, ESTALE);
		return true;
	}
	handle->locked = false;
	if (had && !lost)
		return false;
	handle->claim = 0;
	fuse_reply_err(req, lost ? ESTALE : 0);
	return true;
}

void
op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct fsd *fsd = call_fsd(req);
	struct handle *handle;
	struct call *call;

	if (!qualified_resolve(fsd, &ino)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (ino_kind(ino) != INO_ZNODE && ino_kind(ino) != INO_ALIAS) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	handle = handle_get(fsd, ino, fi);
	if (at_once(req, handle, op))
		return;
	call = call_new(fsd, req);
	if (call == NULL)
		return;
	call->ino = ino;
	call->fh = handle->fh;
	call->flags = op;
	if ((op & LOCK_UN) == 0) {
		lock(call, handle);
	} else {
		handle->claim = 0;
		unlock(call);
	}
}

bool
lock_is_due(const struct fsd *fsd, const struct handle *handle, const struct fuse_file_info *fi)
{
	if (handle == NULL || handle->adopted)
		return fi->flock_release;
	return handle->claim != 0 && !lock_is_lost(fsd, handle);
}

static void
left(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)stat;
	if (reply->code != ERR_OK)
		stray_lock(call->fsd, ino_node(call->ino), call->fh);
	call->go(call);
}

/* The RELEASE's second one: what else the close does has the first, and is done before. */
uint64_t
lock_release_rid(const struct call *call)
{
	return call->rid + 1;
}

void
lock_release(struct call *call, void (*then)(struct call *call))
{
	struct wire_msg msg = { .type = WIRE_T_UNLOCK,
		.unlock = { .id = ino_node(call->ino), .owner = call->fh } };

	call->rid = lock_release_rid(call);
	call->go = then;
	stray_lock_forget(call->fsd, call->fh);
	call_send(call, &msg, left);
}

/* Byte ranges. Without these the kernel would lock them locally and silently. */
void
op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
	(void)ino;
	(void)fi;
	(void)lock;
	fuse_reply_err(req, EOPNOTSUPP);
}

void
op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep)
{
	(void)ino;
	(void)fi;
	(void)lock;
	(void)sleep;
	fuse_reply_err(req, EOPNOTSUPP);
}
