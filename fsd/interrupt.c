/* Ends interrupted requests. See interrupt.h; called by call.c. */
#include "fsd/interrupt.h"

#include "fsd/clock.h"
#include "replica/lib/check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGKILL_BIT (UINT64_C(1) << (SIGKILL - 1))

static const struct timeval look_again = { .tv_usec = INTERRUPT_LOOK_MS * 1000 };

struct waits {
	struct fsd *fsd;
	struct event *timer;
	TAILQ_HEAD(, call) calls; /* interrupted or in a hurry, and waiting for an answer */
};

/*
 * A fatal signal puts SIGKILL into each thread's pending set. A thread that is gone needs no
 * answer. One of a pid namespace that we don't see has no number here.
 */
static bool
fatal_pending(int32_t tid)
{
	char path[64], line[256];
	unsigned long long pending;
	bool fatal = false;
	FILE *file;

	if (tid == 0)
		return false;
	snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
	file = fopen(path, "re");
	if (file == NULL)
		return true;
	while (!fatal && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "SigPnd: %llx", &pending) == 1 ||
		    sscanf(line, "ShdPnd: %llx", &pending) == 1)
			fatal = (pending & SIGKILL_BIT) != 0;
	}
	fclose(file);
	return fatal;
}

static void
on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct waits *waits = arg;
	uint64_t now_ns = fsd_now_ns();
	struct call *call, *next;
	bool patient;

	(void)fd;
	(void)events;
	TAILQ_FOREACH_SAFE (call, &waits->calls, wait, next) {
		patient = now_ns - call->started_ns < INTERRUPT_PATIENCE_MS * UINT64_C(1000000);
		if (call->interrupted && (call->eager || fatal_pending(call->tid)))
			patient = false;
		if (patient)
			continue;
		interrupt_forget(call);
		if (call->hasty != NULL)
			call->hasty(call);
		else
			call_abandon(call);
	}
	if (!TAILQ_EMPTY(&waits->calls))
		event_add(waits->timer, &look_again);
}

static void
list(struct call *call)
{
	if (call->listed)
		return;
	call->listed = true;
	TAILQ_INSERT_TAIL(&call->fsd->waits->calls, call, wait);
}

/* libfuse holds locks of the request here: it is looked at in the loop's next turn. */
static void
on_interrupt(fuse_req_t req, void *arg)
{
	struct call *call = arg;

	(void)req;
	if (call->interrupted)
		return;
	call->interrupted = true;
	call->signalled = true;
	list(call);
	event_active(call->fsd->waits->timer, EV_TIMEOUT, 1);
}

struct waits *
waits_new(struct fsd *fsd)
{
	struct waits *waits = calloc(1, sizeof *waits);

	CHECK(waits != NULL);
	waits->fsd = fsd;
	TAILQ_INIT(&waits->calls);
	waits->timer = evtimer_new(fsd->base, on_timer, waits);
	CHECK(waits->timer != NULL);
	return waits;
}

void
waits_free(struct waits *waits)
{
	if (waits == NULL)
		return;
	event_free(waits->timer);
	free(waits);
}

void
interrupt_watch(struct call *call)
{
	fuse_req_interrupt_func(call->req, on_interrupt, call);
}

void
interrupt_hurry(struct call *call, void (*hasty)(struct call *call))
{
	call->hasty = hasty;
	list(call);
	if (!event_pending(call->fsd->waits->timer, EV_TIMEOUT, NULL))
		event_add(call->fsd->waits->timer, &look_again);
}

void
interrupt_forget(struct call *call)
{
	if (!call->listed)
		return;
	TAILQ_REMOVE(&call->fsd->waits->calls, call, wait);
	call->listed = false;
	call->interrupted = false;
}
