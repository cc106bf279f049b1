/*
 * Deletes held nodes that nobody holds. See stray.h; called by op_create.c and op_file.c.
 *
 * A write's id must be above all that were promised never to come again
 * (link.h), and below those that the kernel will give out. Its ids are even
 * (the odd one belongs to the interrupt), so behind each request of the kernel
 * there is room for one write of ours.
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

struct strays {
	struct fsd *fsd;
	struct event *timer;
	Pvoid_t ids;	  /* Judy1 */
	Pvoid_t doubts;	  /* JudyL: fh -> struct doubt * */
	uint64_t rid, id; /* the last attempt */
};

static void
again(struct strays *strays)
{
	static const struct timeval after = { .tv_usec = 100000 };

	event_add(strays->timer, &after);
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

static void
delete_one(struct strays *strays, uint64_t rid, uint64_t id)
{
	struct wire_msg msg = { .type = WIRE_T_DELETE,
		.delete = { .flags = WIRE_ECHO, .id = id, .version = -1 } };
	struct call *call = call_new(strays->fsd, NULL);

	if (call == NULL)
		return;
	call->rid = rid;
	call->ino = id;
	strays->rid = rid;
	strays->id = id;
	Judy1Unset(&strays->ids, id, PJE0);
	call_send(call, &msg, gone);
}

/* Where the kernel asks for nothing, an attempt that failed is repeated under its own number. */
static void
delete_some(struct strays *strays)
{
	uint64_t rid = kernel_rid(strays->fsd->kernel) + KERNEL_RIDS - 1,
		 last = link_rid_last(strays->fsd->link);
	Word_t id = 0;

	if (link_get_state(strays->fsd->link) != LINK_CONNECTED)
		return;
	if (rid > last && Judy1First(strays->ids, &id, PJE0) == 1)
		delete_one(strays, rid, id);
	else if (rid == last && rid == strays->rid && Judy1Test(strays->ids, strays->id, PJE0) == 1)
		delete_one(strays, rid, strays->id);
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
	delete_some(strays);
	if (Judy1Count(strays->ids, 0, (Word_t)-1, PJE0) != 0 ||
	    JudyLCount(strays->doubts, 0, (Word_t)-1, PJE0) != 0)
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
	free(strays);
}

static bool
too_many(uint64_t count)
{
	if (count < STRAYS_MAX)
		return false;
	log_warn("a held node may stay until the session ends strays_max=%d", STRAYS_MAX);
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
