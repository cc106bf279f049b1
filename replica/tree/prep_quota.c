/*
 * QUOTA, and whether there is room for more. Asked is the view, so what is in flight counts. What
 * takes less is never refused, however much is there. See prep_internal.h.
 */
#include "replica/tree/prep_internal.h"

#include "replica/lib/err.h"

/* Whether so much more goes beyond a limit. */
static bool
is_beyond(int64_t limit, int64_t used, int64_t more)
{
	return limit != 0 && more > 0 && (used > limit || more > limit - used);
}

int
prep_room(const struct prep_job *job, uint64_t from, uint64_t upto, const struct usage *more)
{
	struct quota quota;
	struct usage used;
	uint64_t id;

	if ((more->nodes <= 0 && more->bytes <= 0) || !view_is_limited(job->view))
		return 0;
	for (id = from; id != upto && id != 0; id = view_parent(job->view, id)) {
		view_quota(job->view, id, &quota);
		if (!quota.hard)
			continue;
		view_usage(job->view, id, &used);
		if (is_beyond(quota.nodes, used.nodes, more->nodes) ||
		    is_beyond(quota.bytes, used.bytes, more->bytes))
			return ERR_QUOTA;
	}
	return 0;
}

int
prep_quota(struct prep_job *job, const struct wire_quota *msg)
{
	struct txn_quota *op;
	struct view_node dir;
	int code = prep_get_dir(job, msg->id, &dir);

	if (code != 0)
		return code;
	if (msg->nodes < 0 || msg->bytes < 0 || msg->hard > 1)
		return ERR_INVAL;
	dir.quota = (struct quota){ msg->nodes, msg->bytes, msg->hard != 0 };
	if (!quota_limits(&dir.quota))
		dir.quota.hard = false;
	view_put(job->view, &dir, job->zxid);
	op = &prep_op(job, TXN_QUOTA)->quota;
	op->id = dir.id;
	op->nodes = dir.quota.nodes;
	op->bytes = dir.quota.bytes;
	op->hard = dir.quota.hard;
	return 0;
}
