/* See flow.h. */
#include "fsd/flow.h"

#include "fsd/reply.h"
#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
flow_init(struct flow *flow, struct handle_flow *kept)
{
	*flow = (struct flow){ .kept = kept != NULL ? kept : &flow->own };
	TAILQ_INIT(&flow->waits);
}

/* Of the two, what the next process goes by comes first. */
static void
set_error(struct flow *flow, int errnum)
{
	flow->kept->error = errnum;
	flow->error = errnum;
}

void
flow_restore(struct flow *flow, uint32_t queued)
{
	flow->error = flow->kept->error;
	if (flow->kept->under_way > queued && flow->error == 0)
		set_error(flow, ETIMEDOUT);
	flow->kept->under_way = 0;
}

void
flow_part(struct flow *flow)
{
	flow->own = *flow->kept;
	flow->kept = &flow->own;
}

struct flow *
flow_new(struct handle_flow *kept)
{
	struct flow *flow = malloc(sizeof *flow);

	CHECK(flow != NULL);
	flow_init(flow, kept);
	return flow;
}

void
flow_maybe_free(struct flow *flow, uint64_t id)
{
	if (!flow->closed || !flow_idle(flow))
		return;
	if (flow->error != 0)
		log_warn("writes that were not waited for have failed id=%llu reason=\"%s\"",
		    (unsigned long long)id, strerror(flow->error));
	free(flow);
}

void
flow_close(struct flow *flow, uint64_t id)
{
	flow->closed = true;
	flow_part(flow);
	flow_maybe_free(flow, id);
}

bool
flow_has_room(const struct flow *flow)
{
	return flow->outstanding < FLOW_MAX && flow->bytes < FLOW_BYTES_MAX;
}

static bool
holds(const struct flow *flow, const struct call *call)
{
	switch ((enum flow_until)call->until) {
	case FLOW_ROOM:
		return flow_has_room(flow);
	case FLOW_ALL:
		return flow->outstanding == 0;
	case FLOW_NEXT:
		break;
	}
	return true;
}

/* The process is being killed, or has waited for long: what is under way goes on. */
static void
abandoned(struct call *call)
{
	TAILQ_REMOVE(&call->flow->waits, call, flow_next);
	call->abandoned = NULL;
	if (call->until == FLOW_ROOM) {
		call->go(call);
		return;
	}
	reply_err(call, EINTR);
	call_free(call);
}

void
flow_wait(
    struct flow *flow, struct call *call, enum flow_until until, void (*go)(struct call *call))
{
	call->until = (int)until;
	call->flow = flow;
	if (until != FLOW_NEXT && holds(flow, call)) {
		go(call);
		return;
	}
	call->go = go;
	call->abandoned = abandoned;
	TAILQ_INSERT_TAIL(&flow->waits, call, flow_next);
}

void
flow_begin(struct flow *flow, size_t bytes)
{
	flow->outstanding++;
	flow->bytes += bytes;
	flow->kept->under_way = flow->outstanding;
}

void
flow_end(struct flow *flow, size_t bytes, int errnum)
{
	CHECK(flow->outstanding > 0 && flow->bytes >= bytes);
	flow->outstanding--;
	flow->bytes -= bytes;
	if (flow->error == 0)
		set_error(flow, errnum);
	flow->kept->under_way = flow->outstanding;
}

static void
wake_each(struct flow *flow)
{
	struct call *call, *next, *last = TAILQ_LAST(&flow->waits, calls);

	/* Who waits again comes behind the last one. */
	TAILQ_FOREACH_SAFE (call, &flow->waits, flow_next, next) {
		if (holds(flow, call)) {
			TAILQ_REMOVE(&flow->waits, call, flow_next);
			call->abandoned = NULL;
			call->go(call);
		}
		if (call == last)
			break;
	}
}

/* Who goes on may end something himself (a stream's line that is wrong). */
void
flow_wake(struct flow *flow)
{
	flow->again = true;
	if (flow->waking)
		return;
	flow->waking = true;
	while (flow->again) {
		flow->again = false;
		wake_each(flow);
	}
	flow->waking = false;
}

bool
flow_idle(const struct flow *flow)
{
	return flow->outstanding == 0 && TAILQ_EMPTY(&flow->waits);
}

int
flow_error(const struct flow *flow)
{
	return flow->error;
}

void
flow_tell(struct call *call)
{
	reply_err(call, flow_error(call->flow));
	/* Only now: without an answer it is asked for again. */
	set_error(call->flow, 0);
	call_free(call);
}
