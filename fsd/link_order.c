/*
 * Who waits for whom, beyond the order of the queues: for a write that nobody waits for, and yet is
 * to be done first (a barrier); for those that are still to come, for their call reads first, or has
 * more of them than can be under way (a hold). See link.h, link_internal.h; used by link_queue.c.
 *
 * A write promises that none with a lesser rid will be sent, but for those without an answer
 * (wire.h, `acked`): the replica would refuse one that comes after all. So writes that are asked for
 * later wait for the read of the one before, which waits for no write of theirs, and takes its
 * replica no time to speak of; or for a stream's lines, behind which they would stand in any case.
 * There are as many holds as such calls, each of which ends.
 */
#include "fsd/link_internal.h"

#include "replica/lib/check.h"

#include <stdlib.h>

struct link_hold {
	TAILQ_ENTRY(link_hold) next;
	uint64_t rid, last;
	uint64_t order; /* its writes' */
};

void
link_barrier(struct link *link, struct link_request *request, uint64_t parent)
{
	CHECK(request->write && !request->is_barrier);
	request->is_barrier = true;
	request->barrier_parent = parent;
	TAILQ_INSERT_TAIL(&link->barriers, request, barrier);
}

/* A barrier names its node by id: it is a WRITE or a DELETE. */
static uint64_t
barrier_node(const struct link_request *barrier)
{
	return barrier->msg.type == WIRE_T_WRITE ? barrier->msg.write.id : barrier->msg.delete.id;
}

bool
link_is_behind_barrier(const struct link *link, const struct link_request *request)
{
	const struct wire_msg *msg = &request->msg;
	uint64_t node = 0, dir = 0;
	const struct link_request *barrier;

	if (msg->type == WIRE_T_GETATTR)
		node = msg->getattr.id;
	else if (msg->type == WIRE_T_READ)
		node = msg->read.id;
	else if (msg->type == WIRE_T_LOOKUP)
		dir = msg->lookup.parent;
	else if (msg->type == WIRE_T_LIST)
		dir = msg->list.id;
	else if (msg->type == WIRE_T_WRITE)
		node = msg->write.id;
	else if (msg->type == WIRE_T_SETATTR)
		node = msg->setattr.id;
	else if (msg->type == WIRE_T_CREATE)
		dir = msg->create.parent;
	TAILQ_FOREACH (barrier, &link->barriers, barrier) {
		if (barrier->order >= request->order)
			break;
		if ((node != 0 && node == barrier_node(barrier)) ||
		    (dir != 0 && dir == barrier->barrier_parent))
			return true;
	}
	return false;
}

static struct link_hold *
find(const struct link *link, uint64_t rid)
{
	struct link_hold *hold;

	TAILQ_FOREACH (hold, &link->holds, next)
		if (hold->rid <= rid && rid <= hold->last)
			return hold;
	return NULL;
}

void
link_hold(struct link *link, uint64_t rid, uint64_t last)
{
	struct link_hold *hold = malloc(sizeof *hold);

	CHECK(hold != NULL && find(link, rid) == NULL);
	*hold = (struct link_hold){ .rid = rid, .last = last, .order = ++link->orders };
	TAILQ_INSERT_TAIL(&link->holds, hold, next);
}

static void
end(struct link *link, struct link_hold *hold)
{
	TAILQ_REMOVE(&link->holds, hold, next);
	free(hold);
}

uint64_t
link_hold_take(struct link *link, uint64_t rid)
{
	struct link_hold *hold = find(link, rid);
	uint64_t order;

	if (hold == NULL)
		return 0;
	order = hold->order;
	if (hold->last == rid)
		end(link, hold);
	return order;
}

/* What has waited goes when the answer that led here has been handled, or by the clock. */
void
link_unhold(struct link *link, uint64_t rid)
{
	struct link_hold *hold = find(link, rid);

	if (hold != NULL)
		end(link, hold);
}

bool
link_is_held_back(const struct link *link, const struct link_request *write)
{
	const struct link_hold *first = TAILQ_FIRST(&link->holds);

	return first != NULL && first->order < write->order;
}
