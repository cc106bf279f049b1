/*
 * What members tell each other of themselves, about once a second and when the
 * role changes: what they are, what they are doing, how far they are. Nothing
 * depends on it but what an operator reads (report.c); a member answers from
 * what it was told, whether there is a leader or not. Who has not been heard of
 * for a while, whatever it may have to say, is unreachable. Called by
 * replica.c and order.c.
 */
#include "replica/replica.h"

#define NS_PER_MS UINT64_C(1000000)
#define PERIOD_MS 1000
#define SILENCE_PERIODS 3
#define EPOCHS_MAX 64 /* that are walked to count transactions */

static const struct blob nothing;

static uint64_t
period_ns(const struct replica *replica)
{
	uint32_t ms = replica->conf->tick_ms > PERIOD_MS ? replica->conf->tick_ms : PERIOD_MS;

	return ms * NS_PER_MS;
}

/*
 * Transactions from that one to what is applied here. Rows of one epoch are
 * numbered from 1 without a gap, so only the epochs are walked.
 */
static uint64_t
count_above(struct replica *replica, uint64_t zxid)
{
	uint64_t at = tree_applied(replica->tree), count = 0, hash;
	unsigned epochs = 0;

	while (zab_zxid_epoch(at) > zab_zxid_epoch(zxid)) {
		count += zab_zxid_counter(at);
		if (++epochs > EPOCHS_MAX ||
		    !rows_look_up(replica, zab_zxid(zab_zxid_epoch(at), 0), &at, &hash))
			return STATUS_UNKNOWN;
	}
	return at > zxid ? count + (at - zxid) : count;
}

static enum status_doing
doing(const struct replica *replica, const struct zab_status *core)
{
	if (replica->disk_full)
		return STATUS_DISK_FULL;
	if (replica->serving)
		return STATUS_SERVING;
	if (replica->snap != NULL)
		return STATUS_SNAPSHOT;
	if (core->role == ZAB_RECOVERING)
		return STATUS_RECOVERING;
	if (core->role != ZAB_LOOKING)
		return STATUS_SYNCING;
	return core->voter || replica->observer ? STATUS_ELECTING : STATUS_NO_VOTE;
}

void
status_own(const struct replica *replica, struct wire_status *out)
{
	struct zab_status core;

	zab_status(replica->zab, &core);
	*out = (struct wire_status){ .role = core.role,
		.doing = doing(replica, &core),
		.epoch = replica->serving ? replica->epoch : replica->durable.current_epoch,
		.zxid = tree_applied(replica->tree),
		.lag = replica->leading	  ? 0
		       : replica->serving ? replica->lag
					  : STATUS_UNKNOWN,
		.yours = STATUS_UNKNOWN };
	if (out->doing == STATUS_SNAPSHOT)
		out->percent = snap_in_percent(replica);
}

static void
tell(struct replica *replica, const struct peer *peer, const struct wire_status *own)
{
	struct wire_msg msg = { .type = WIRE_T_STATUS, .status = *own };

	if (peer->conn == 0)
		return;
	if (replica->leading)
		msg.status.yours = peer->lag;
	links_send(replica->links, peer->sid, peer->conn, &msg, nothing);
}

static void
tell_all(struct replica *replica, uint64_t now_ns)
{
	struct wire_status own;
	uint32_t i;

	replica->told_ns = now_ns;
	status_own(replica, &own);
	for (i = 0; i < replica->npeers; i++)
		tell(replica, &replica->peers[i], &own);
}

void
status_up(struct replica *replica, struct peer *peer)
{
	struct wire_status own;

	peer->told = false;
	peer->lag = STATUS_UNKNOWN;
	peer->heard_ns = replica_now_ns();
	status_own(replica, &own);
	tell(replica, peer, &own);
}

void
status_changed(struct replica *replica)
{
	uint32_t i;

	replica->lag = STATUS_UNKNOWN;
	for (i = 0; i < replica->npeers; i++)
		replica->peers[i].lag = STATUS_UNKNOWN;
	tell_all(replica, replica_now_ns());
}

bool
status_take(struct replica *replica, struct peer *peer, const struct wire_status *status)
{
	if (status->role > ZAB_OBSERVING || status->doing >= STATUS_DOINGS || status->percent > 100)
		return false;
	peer->told = true;
	peer->status = *status;
	if (replica->leading)
		peer->lag = count_above(replica, status->zxid);
	else if (replica->serving && peer->sid == replica->leader)
		replica->lag = status->yours;
	return true;
}

static bool
of_peer(const struct replica *replica, const struct peer *peer, struct wire_status *out)
{
	if (peer->conn == 0 || !peer->told ||
	    replica_now_ns() > peer->heard_ns + SILENCE_PERIODS * period_ns(replica))
		return false;
	*out = peer->status;
	if (replica->leading)
		out->lag = peer->lag;
	return true;
}

bool
status_member(const struct replica *replica, uint32_t sid, struct wire_status *out)
{
	uint32_t i;

	if (sid == replica->member) {
		status_own(replica, out);
		return true;
	}
	for (i = 0; i < replica->npeers; i++)
		if (replica->peers[i].sid == sid)
			return of_peer(replica, &replica->peers[i], out);
	return false;
}

void
status_tick(struct replica *replica, uint64_t now_ns)
{
	uint32_t i;

	for (i = 0; i < replica->npeers; i++) {
		if (replica->peers[i].spoke)
			replica->peers[i].heard_ns = now_ns;
		replica->peers[i].spoke = false;
	}
	if (now_ns >= replica->told_ns + period_ns(replica))
		tell_all(replica, now_ns);
}
