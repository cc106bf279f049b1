/*
 * Locks that front ends here wait for: an AWAIT is answered when the transaction that gives the
 * lock, or takes it away, is applied. Only those that a transaction settles are looked at, however
 * many wait. Each AWAIT belongs to its connection: who reattaches asks again. Called by read.c,
 * write.c and attend.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>

struct await {
	struct await *next; /* for the same lock: processes that share an open file */
	uint64_t rid, node, owner;
};

/* Under the zxid of the lock: another one of the same owner is not what was waited for. */
static void
keep(struct attendance *attendance, const struct wire_await *msg, uint64_t zxid)
{
	PPvoid_t slot = JudyLIns(&attendance->awaits, zxid, PJE0);
	struct await *await = malloc(sizeof *await);

	CHECK(slot != NULL && slot != PPJERR && await != NULL);
	*await =
	    (struct await){ .next = *slot, .rid = msg->rid, .node = msg->id, .owner = msg->owner };
	*slot = await;
	attendance->nawaits++;
}

void
await_take(struct replica *replica, struct front *front, const struct wire_await *msg)
{
	struct attendance *attendance = attend_find(replica, front_session(front));
	const struct lock *lock;

	if (attendance == NULL || attendance->front != front)
		return; /* it is being closed */
	lock = tree_lock(replica->tree, attendance->session, msg->id, msg->owner);
	if (lock == NULL)
		replica_answer(replica, front, msg->rid, ERR_NONODE);
	else if (tree_lock_is_held(replica->tree, lock))
		replica_answer(replica, front, msg->rid, ERR_OK);
	else if (attendance->nawaits >= WIRE_AWAITS_MAX)
		replica_answer(replica, front, msg->rid, ERR_NOLCK);
	else
		keep(attendance, msg, lock->zxid);
}

static void
settled(struct replica *replica, struct attendance *attendance, uint64_t zxid)
{
	PPvoid_t slot = JudyLGet(attendance->awaits, zxid, PJE0);
	struct await *await, *next;
	const struct lock *lock;

	if (slot == NULL)
		return;
	await = *slot;
	JudyLDel(&attendance->awaits, zxid, PJE0);
	for (; await != NULL; await = next) {
		next = await->next;
		lock = tree_lock(replica->tree, attendance->session, await->node, await->owner);
		replica_answer(replica, attendance->front, await->rid,
		    lock != NULL && lock->zxid == zxid ? ERR_OK : ERR_NONODE);
		attendance->nawaits--;
		free(await);
	}
}

void
await_applied(struct replica *replica)
{
	struct attendance *attendance;
	uint64_t zxid = 0, session;

	while (tree_next_settled(replica->tree, zxid, &zxid, &session)) {
		attendance = attend_find(replica, session);
		/* Who hears of the session's end needs no other answer. */
		if (attendance != NULL && tree_session(replica->tree, session) != NULL)
			settled(replica, attendance, zxid);
	}
}

void
await_free(struct attendance *attendance)
{
	struct await *await, *next;
	Word_t zxid = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(attendance->awaits, &zxid, PJE0); slot != NULL;
	     slot = JudyLNext(attendance->awaits, &zxid, PJE0)) {
		for (await = *slot; await != NULL; await = next) {
			next = await->next;
			free(await);
		}
	}
	JudyLFreeArray(&attendance->awaits, PJE0);
	attendance->nawaits = 0;
}
