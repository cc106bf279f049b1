/*
 * Takes back what nobody holds. See stray.h; called by op_create.c, op_release.c and op_lock.c.
 *
 * A write's id must be above all that were promised never to come again
 * (link.h), and below those that the kernel's next request will have. Of the ids
 * of the last one the upper half is for what is done here; beyond that it waits
 * for the kernel to ask for something.
 */
#include "fsd/stray.h"

#include "fsd/call.h"
#include "fsd/kernel.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <Judy.h>
#include <stdlib.h>
#include <string.h>

struct doubt {
	uint64_t rid;
	bool asked; /* what the handle holds */
};

struct lock {
	uint64_t id;
	uint64_t rid; /* of the attempt on its way; 0: none is */
};

struct strays {
	struct fsd *fsd;
	struct event *timer;
	Pvoid_t ids;	/* Judy1 */
	Pvoid_t doubts; /* JudyL: fh -> struct doubt * */
	Pvoid_t locks;	/* JudyL: fh -> struct lock * */
};

static void
again(struct strays *strays)
{
	static const struct timeval after = { .tv_usec = 100000 };

	event_add(strays->timer, &after);
}

/* 0: none is left. */
static uint64_t
next_rid(const struct strays *strays)
{
	uint64_t first = kernel_rid(strays->fsd->kernel) + KERNEL_RIDS / 2,
		 last = link_rid_last(strays->fsd->link);

	if (last < first)
		return first;
	return last + 1 < first + KERNEL_RIDS / 2 ? last + 1 : 0;
}

static void
gone(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct strays *strays = call->fsd->strays;

	(void)stat;
	if (reply->code != ERR_OK && reply->code != ERR_NONODE) {
		CHECK(Judy1Set(&strays->ids, call->ino, PJE0) != JERR);
		again(strays);
	}
	call_free(call);
}

/* False: not now. */
static bool
delete_one(struct strays *strays, uint64_t id)
{
	struct wire_msg msg = { .type = WIRE_T_DELETE,
		.delete = { .flags = WIRE_ECHO, .id = id, .version = -1 } };
	uint64_t rid = next_rid(strays);
	struct call *call = rid == 0 ? NULL : call_new(strays->fsd, NULL);

	if (call == NULL)
		return false;
	call->rid = rid;
	call->ino = id;
	Judy1Unset(&strays->ids, id, PJE0);
	call_send(call, &msg, gone);
	return true;
}

static struct lock *
lock_find(const struct strays *strays, uint64_t fh)
{
	PPvoid_t slot = JudyLGet(strays->locks, fh, PJE0);

	return slot == NULL ? NULL : *slot;
}

static void
unlocked(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct strays *strays = call->fsd->strays;
	struct lock *lock = lock_find(strays, call->fh);

	(void)stat;
	/* Otherwise it was wanted meanwhile, and may have become one of these again. */
	if (lock != NULL && lock->rid == call->rid) {
		lock->rid = 0;
		if (reply->code == ERR_OK)
			stray_lock_forget(call->fsd, call->fh);
		else
			again(strays);
	}
	call_free(call);
}

static bool
unlock_one(struct strays *strays, uint64_t fh, struct lock *lock)
{
	struct wire_msg msg = { .type = WIRE_T_UNLOCK, .unlock = { .id = lock->id, .owner = fh } };
	uint64_t rid = next_rid(strays);
	struct call *call = rid == 0 ? NULL : call_new(strays->fsd, NULL);

	if (call == NULL)
		return false;
	call->rid = rid;
	call->fh = fh;
	lock->rid = rid;
	call_send(call, &msg, unlocked);
	return true;
}

static void
take_back(struct strays *strays)
{
	struct lock *lock;
	Word_t key = 0;
	PPvoid_t slot;

	if (link_get_state(strays->fsd->link) != LINK_CONNECTED)
		return;
	while (Judy1First(strays->ids, &key, PJE0) == 1 && delete_one(strays, key))
		key = 0;
	key = 0;
	for (slot = JudyLFirst(strays->locks, &key, PJE0); slot != NULL;
	     slot = JudyLNext(strays->locks, &key, PJE0)) {
		lock = *slot;
		if (lock->rid == 0 && !unlock_one(strays, key, lock))
			break;
	}
}

static void
found(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct strays *strays = call->fsd->strays;
	PPvoid_t slot = JudyLGet(strays->doubts, call->fh, PJE0);
	struct doubt *doubt = *slot;

	if (reply->code == ERR_OK || reply->code == ERR_NONODE) {
		JudyLDel(&strays->doubts, call->fh, PJE0);
		free(doubt);
		if (stat != NULL)
			stray_add(call->fsd, stat->id);
	} else {
		doubt->asked = false;
	}
	call_free(call);
}

/* What can't happen any more has happened, or not: the replica knows. */
static void
look(struct strays *strays)
{
	struct wire_msg msg = { .type = WIRE_T_FIND };
	struct fsd *fsd = strays->fsd;
	struct doubt *doubt;
	struct call *call;
	Word_t fh = 0;
	PPvoid_t slot;

	if (link_get_state(fsd->link) != LINK_CONNECTED)
		return;
	for (slot = JudyLFirst(strays->doubts, &fh, PJE0); slot != NULL;
	     slot = JudyLNext(strays->doubts, &fh, PJE0)) {
		doubt = *slot;
		if (doubt->asked || link_is_abandoned(fsd->link, doubt->rid))
			continue;
		call = call_new(fsd, NULL);
		if (call == NULL)
			return;
		doubt->asked = true;
		call->fh = fh;
		msg.find.handle = fh;
		call_send(call, &msg, found);
	}
}

static void
on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct strays *strays = arg;

	(void)fd;
	(void)events;
	look(strays);
	take_back(strays);
	if (strays->ids != NULL || strays->doubts != NULL || strays->locks != NULL)
		again(strays);
}

struct strays *
strays_new(struct fsd *fsd)
{
	struct strays *strays = calloc(1, sizeof *strays);

	CHECK(strays != NULL);
	strays->fsd = fsd;
	strays->timer = evtimer_new(fsd->base, on_timer, strays);
	CHECK(strays->timer != NULL);
	return strays;
}

void
strays_free(struct strays *strays)
{
	Word_t fh = 0;
	PPvoid_t slot;

	if (strays == NULL)
		return;
	event_free(strays->timer);
	Judy1FreeArray(&strays->ids, PJE0);
	for (slot = JudyLFirst(strays->doubts, &fh, PJE0); slot != NULL;
	     slot = JudyLNext(strays->doubts, &fh, PJE0))
		free(*slot);
	JudyLFreeArray(&strays->doubts, PJE0);
	fh = 0;
	for (slot = JudyLFirst(strays->locks, &fh, PJE0); slot != NULL;
	     slot = JudyLNext(strays->locks, &fh, PJE0))
		free(*slot);
	JudyLFreeArray(&strays->locks, PJE0);
	free(strays);
}

static bool
too_many(uint64_t count)
{
	if (count < STRAYS_MAX)
		return false;
	log_warn("a held node or a lock may stay until the session ends strays_max=%d", STRAYS_MAX);
	return true;
}

void
stray_add(struct fsd *fsd, uint64_t id)
{
	if (too_many(Judy1Count(fsd->strays->ids, 0, (Word_t)-1, PJE0)))
		return;
	CHECK(Judy1Set(&fsd->strays->ids, id, PJE0) != JERR);
	event_active(fsd->strays->timer, EV_TIMEOUT, 1);
}

void
stray_doubt(struct fsd *fsd, uint64_t rid, uint64_t fh)
{
	struct doubt *doubt;
	PPvoid_t slot;

	if (too_many(JudyLCount(fsd->strays->doubts, 0, (Word_t)-1, PJE0)))
		return;
	doubt = calloc(1, sizeof *doubt);
	CHECK(doubt != NULL);
	doubt->rid = rid;
	slot = JudyLIns(&fsd->strays->doubts, fh, PJE0);
	CHECK(slot != NULL && slot != PPJERR && *slot == NULL);
	*slot = doubt;
	event_active(fsd->strays->timer, EV_TIMEOUT, 1);
}

void
stray_lock(struct fsd *fsd, uint64_t id, uint64_t fh)
{
	struct lock *lock = lock_find(fsd->strays, fh);
	PPvoid_t slot;

	if (lock == NULL) {
		if (too_many(JudyLCount(fsd->strays->locks, 0, (Word_t)-1, PJE0)))
			return;
		lock = calloc(1, sizeof *lock);
		slot = JudyLIns(&fsd->strays->locks, fh, PJE0);
		CHECK(lock != NULL && slot != NULL && slot != PPJERR);
		*slot = lock;
	}
	lock->id = id;
	lock->rid = 0;
	event_active(fsd->strays->timer, EV_TIMEOUT, 1);
}

void
stray_lock_forget(struct fsd *fsd, uint64_t fh)
{
	free(lock_find(fsd->strays, fh));
	JudyLDel(&fsd->strays->locks, fh, PJE0);
}
