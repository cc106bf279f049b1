/*
 * The leader removes the nodes that go by themselves: containers whose last
 * child has gone, nodes whose time to live is over. Each is a transaction of
 * its own, as if somebody had removed it. Called by replica.c with each tick.
 */
#include "replica/replica.h"

#define REAPED_MAX 256 /* with one tick: those who write are served, too */

void
reap_tick(struct replica *replica)
{
	struct tree_due due = { 0 };
	int64_t now_ns;
	uint64_t zxid;
	struct txn txn;
	int n = 0;

	if (!replica->leading)
		return;
	now_ns = write_time_ns(replica);
	while (n < REAPED_MAX && tree_next_due(replica->tree, now_ns, &due)) {
		zxid = order_next_zxid(replica);
		if (zxid == 0)
			break;
		if (prep_reap(replica->prep, zxid, now_ns, due.id, replica->zone, &txn)) {
			order_propose(replica, zxid, &txn);
			n++;
		}
		msgpack_zone_clear(replica->zone);
	}
}
