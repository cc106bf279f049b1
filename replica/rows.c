/*
 * The log as this member has it: rows on their way to the disk and rows that
 * are not applied yet are in memory, `proposals`, in order; what is before them
 * is in the store. A learner keeps no more of them than a leader may: those
 * that wait longest are read back when they are committed. Called by order.c,
 * outbox.c and replica.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void
take_out(struct replica *replica, struct proposal *proposal)
{
	TAILQ_REMOVE(&replica->proposals, proposal, next);
	replica->proposed_bytes -= proposal->len;
}

static void
drop_first(struct replica *replica)
{
	struct proposal *proposal = TAILQ_FIRST(&replica->proposals);

	take_out(replica, proposal);
	free(proposal);
}

void
rows_add(struct replica *replica, const struct store_row *row, uint64_t hash)
{
	struct proposal *proposal = malloc(sizeof *proposal + row->payload.len);

	CHECK(proposal != NULL);
	proposal->zxid = row->zxid;
	proposal->prev_zxid = row->prev_zxid;
	proposal->hash = hash;
	proposal->added_ns = replica->step_ns;
	proposal->len = row->payload.len;
	memcpy(proposal->payload, row->payload.data, row->payload.len);
	TAILQ_INSERT_TAIL(&replica->proposals, proposal, next);
	replica->proposed_bytes += proposal->len;
	/* A leader's own bound is below. The last one is looked up. */
	while (!replica->leading && replica->proposed_bytes > PROPOSED_BYTES_MAX &&
	       TAILQ_FIRST(&replica->proposals) != proposal)
		drop_first(replica);
}

void
rows_drop(struct replica *replica)
{
	while (!TAILQ_EMPTY(&replica->proposals))
		drop_first(replica);
}

void
rows_hold_back(struct replica *replica, struct peer *peer, uint64_t conn)
{
	if (!store_crowded(replica->store))
		return;
	if (replica->held != NULL && (replica->held != peer || replica->held_conn != conn))
		links_pause(replica->links, replica->held->sid, replica->held_conn, false);
	replica->held = peer;
	replica->held_conn = conn;
	links_pause(replica->links, peer->sid, conn, true);
}

void
rows_go_on(struct replica *replica)
{
	if (replica->held == NULL || store_crowded(replica->store))
		return;
	links_pause(replica->links, replica->held->sid, replica->held_conn, false);
	replica->held = NULL;
}

static _Noreturn void
damaged(uint64_t zxid)
{
	fatal(EX_DATAERR, "log.db is damaged above zxid=0x%llx", (unsigned long long)zxid);
}

bool
rows_look_up(struct replica *replica, uint64_t zxid, uint64_t *found, uint64_t *hash)
{
	const struct proposal *proposal;
	int code;

	TAILQ_FOREACH_REVERSE(proposal, &replica->proposals, proposals, next)
	{
		if (proposal->zxid > zxid)
			continue;
		*found = proposal->zxid;
		*hash = proposal->hash;
		return true;
	}
	code = store_look_up(replica->store, zxid, found, hash);
	if (code == ERR_IO)
		damaged(zxid);
	return code == 0;
}

bool
rows_has(struct replica *replica, uint64_t zxid)
{
	const struct proposal *last = TAILQ_LAST(&replica->proposals, proposals);
	uint64_t newest = last == NULL ? replica->durable.last_zxid : last->zxid, found, hash;

	if (zxid <= tree_applied(replica->tree))
		return true;
	/* Within an epoch no number is left out. */
	if (zab_zxid_epoch(zxid) == zab_zxid_epoch(newest))
		return zxid <= newest && zab_zxid_counter(zxid) != 0;
	return zxid < newest && rows_look_up(replica, zxid, &found, &hash) && found == zxid;
}

struct reading {
	uint64_t prev_zxid, before; /* rows from here on are in memory */
	rows_each row;
	void *arg;
	bool stopped;
};

static bool
read_row(void *arg, uint64_t zxid, struct blob payload)
{
	struct reading *reading = arg;

	if (zxid >= reading->before)
		return false;
	reading->stopped = !reading->row(reading->arg, zxid, reading->prev_zxid, payload);
	reading->prev_zxid = zxid;
	return !reading->stopped;
}

/* The first row in memory above zxid; NULL: none. Most want the last ones. */
static struct proposal *
above(const struct replica *replica, uint64_t zxid)
{
	struct proposal *proposal, *first = NULL;

	TAILQ_FOREACH_REVERSE(proposal, &replica->proposals, proposals, next)
	{
		if (proposal->zxid <= zxid)
			break;
		first = proposal;
	}
	return first;
}

bool
rows_read(struct replica *replica, uint64_t after, rows_each row, void *arg)
{
	struct proposal *proposal = above(replica, after);
	struct reading reading = { .prev_zxid = after, .row = row, .arg = arg };
	int code = 0;

	if (proposal == NULL || proposal->prev_zxid > after) {
		reading.before = proposal == NULL ? UINT64_MAX : proposal->zxid;
		code = store_read(replica->store, after, read_row, &reading);
	}
	if (code == ERR_IO)
		damaged(after);
	if (code != 0)
		return false;
	for (; proposal != NULL && !reading.stopped; proposal = TAILQ_NEXT(proposal, next)) {
		struct blob payload = { proposal->payload, proposal->len };

		reading.stopped = !row(arg, proposal->zxid, proposal->prev_zxid, payload);
	}
	return true;
}

struct delivery {
	struct replica *replica;
	uint64_t upto;
	uint32_t rows, rows_max;
	size_t bytes;
};

static bool
is_long(const struct delivery *delivery)
{
	return delivery->rows >= delivery->rows_max || delivery->bytes >= DELIVER_BYTES_MAX;
}

static void
deliver(struct delivery *delivery, uint64_t zxid, struct blob payload)
{
	write_deliver(delivery->replica, zxid, payload);
	delivery->rows++;
	delivery->bytes += payload.len;
}

static bool
deliver_row(void *arg, uint64_t zxid, uint64_t prev_zxid, struct blob payload)
{
	struct delivery *delivery = arg;

	(void)prev_zxid;
	if (zxid > delivery->upto)
		return false;
	deliver(delivery, zxid, payload);
	return zxid != delivery->upto && !is_long(delivery);
}

/* Rows that an earlier life of this process, or of the role, has left in the store. */
static void
deliver_stored(struct delivery *delivery)
{
	struct replica *replica = delivery->replica;
	const struct proposal *first = TAILQ_FIRST(&replica->proposals);
	uint64_t applied = tree_applied(replica->tree), upto = delivery->upto;

	if (first != NULL && first->prev_zxid <= applied)
		return;
	if (first != NULL && first->prev_zxid < upto)
		delivery->upto = first->prev_zxid;
	if (applied < delivery->upto && !rows_read(replica, applied, deliver_row, delivery))
		damaged(applied);
	delivery->upto = upto;
}

bool
rows_deliver(struct replica *replica, uint64_t upto)
{
	struct delivery delivery = {
		.replica = replica, .upto = upto, .rows_max = loop_rows_max(replica->loop)
	};
	struct proposal *proposal;

	CHECK(upto <= replica->durable.last_zxid);
	deliver_stored(&delivery);
	while (!is_long(&delivery) && (proposal = TAILQ_FIRST(&replica->proposals)) != NULL &&
	       proposal->zxid <= upto) {
		take_out(replica, proposal);
		figures_delivered(replica, proposal);
		deliver(
		    &delivery, proposal->zxid, (struct blob){ proposal->payload, proposal->len });
		free(proposal);
	}
	if (tree_applied(replica->tree) == upto)
		return true;
	CHECK(tree_applied(replica->tree) < upto && is_long(&delivery));
	return false;
}
