/*
 * Deletes held nodes that nobody holds. See stray.h; called by op_create.c.
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

#include <Judy.h>
#include <stdlib.h>

struct strays {
	struct fsd *fsd;
	struct event *timer;
	Pvoid_t ids; /* Judy1 */
};

static void
gone(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	(void)reply;
	(void)stat;
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
	Judy1Unset(&strays->ids, id, PJE0);
	call_send(call, &msg, gone);
}

static void
on_timer(evutil_socket_t fd, short events, void *arg)
{
	static const struct timeval again = { .tv_usec = 100000 };
	struct strays *strays = arg;
	uint64_t rid = kernel_unique(strays->fsd->kernel) | 1;
	Word_t id = 0;

	(void)fd;
	(void)events;
	if (Judy1First(strays->ids, &id, PJE0) == 1 && rid > link_rid_last(strays->fsd->link))
		delete_one(strays, rid, id);
	id = 0;
	if (Judy1First(strays->ids, &id, PJE0) == 1)
		event_add(strays->timer, &again);
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
	if (strays == NULL)
		return;
	event_free(strays->timer);
	Judy1FreeArray(&strays->ids, PJE0);
	free(strays);
}

void
stray_add(struct fsd *fsd, uint64_t id)
{
	CHECK(Judy1Set(&fsd->strays->ids, id, PJE0) != JERR);
	event_active(fsd->strays->timer, EV_TIMEOUT, 1);
}
