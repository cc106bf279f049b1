/*
 * LOCK and UNLOCK. Whether a lock has to wait is decided here, from all that is in flight before
 * it, and said by the transaction's code; then nothing has to be said of it when it is applied.
 * See prep_internal.h.
 */
#include "replica/tree/prep_internal.h"

#include "replica/lib/err.h"

static void
unlock_op(struct prep_job *job, const struct lock_key *key)
{
	struct txn_unlock *op = &prep_op(job, TXN_UNLOCK)->unlock;

	op->node = key->node;
	op->owner = key->owner;
	lock_view_remove(job->locks, key, job->zxid);
}

static void
lock_op(struct prep_job *job, const struct lock_key *key, bool exclusive, bool held)
{
	struct txn_lock *op = &prep_op(job, TXN_LOCK)->lock;

	op->node = key->node;
	op->owner = key->owner;
	op->exclusive = exclusive;
	lock_view_put(job->locks, key, exclusive, held, job->zxid);
}

/* As Linux converts: the old lock goes first, whatever becomes of the new one. */
int
prep_lock(struct prep_job *job, const struct wire_lock *msg)
{
	struct lock_key key = { job->session, msg->id, msg->owner };
	bool exclusive = (msg->how & WIRE_EXCLUSIVE) != 0;
	bool at_once = (msg->how & WIRE_AT_ONCE) != 0, is_free;
	struct lock_state mine;

	if ((msg->how & ~(WIRE_EXCLUSIVE | WIRE_AT_ONCE)) != 0)
		return ERR_INVAL;
	/* One that is gone can be locked by whoever still has it open. */
	if (!view_is_used(job->view, msg->id))
		return ERR_NONODE;
	lock_view_get(job->locks, &key, &mine);
	if (mine.there && mine.exclusive == exclusive && (mine.held || !at_once))
		return mine.held ? 0 : ERR_AGAIN;
	is_free = lock_view_is_free(job->locks, &key, exclusive);
	if (is_free || !at_once)
		lock_op(job, &key, exclusive, is_free);
	else if (mine.there)
		unlock_op(job, &key);
	return is_free ? 0 : ERR_AGAIN;
}

int
prep_unlock(struct prep_job *job, const struct wire_unlock *msg)
{
	struct lock_key key = { job->session, msg->id, msg->owner };
	struct lock_state mine;

	lock_view_get(job->locks, &key, &mine);
	if (mine.there)
		unlock_op(job, &key);
	return 0;
}
