/* See flow.h. */
#include "fsd/flow.h"

#include "fsd/reply.h"
#include "replica/lib/check.h"

void
flow_init(struct flow *flow)
{
	*flow = (struct flow){ 0 };
	TAILQ_INIT(&flow->waits);
}

static bool
holds(const struct flow *flow, const struct call *call)
{
	if (call->until == FLOW_ALL)
		return flow->outstanding == 0;
	return call->until != FLOW_ROOM || flow->outstanding < FLOW_MAX;
}

/* The process is being killed, or has waited for long: what is under way goes on. */
static void
abandoned(struct call *call)
{
	TAILQ_REMOVE(&call->flow->waits, call, flow_next);
	call->abandoned = NULL;
	reply_err(call, EINTR);
	call_free(call);
}

static void
add(struct flow *flow, struct call *call, int until, void (*go)(struct call *call))
{
	call->flow = flow;
	call->until = until;
	call->go = go;
	call->abandoned = abandoned;
	TAILQ_INSERT_TAIL(&flow->waits, call, flow_next);
}

void
flow_wait(
    struct flow *flow, struct call *call, enum flow_until until, void (*go)(struct call *call))
{
	call->until = (int)until;
	if (holds(flow, call))
		go(call);
	else
		add(flow, call, (int)until, go);
}

void
flow_wait_any(struct flow *flow, struct call *call, void (*go)(struct call *call))
{
	add(flow, call, -1, go);
}

void
flow_begin(struct flow *flow)
{
	flow->outstanding++;
}

static void
wake(struct flow *flow)
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

void
flow_end(struct flow *flow, int errnum)
{
	CHECK(flow->outstanding > 0);
	flow->outstanding--;
	if (flow->error == 0)
		flow->error = errnum;
	wake(flow);
}

bool
flow_idle(const struct flow *flow)
{
	return flow->outstanding == 0 && TAILQ_EMPTY(&flow->waits);
}

int
flow_error(struct flow *flow)
{
	int errnum = flow->error;

	flow->error = 0;
	return errnum;
}
