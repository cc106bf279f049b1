/*
 * What goes to another member, in the core's order, no faster than it is
 * taken: while the connection has more than LINK_UNSENT_LOW unsent, what
 * follows waits here. Rows wait as a range of the log, not as copies, and
 * ranges, commits and pings that follow each other are one: so what waits for a
 * slow member is some parcels, however long it is slow. The log keeps the rows for
 * it, OUTBOX_ROWS_MAX at most. Called by order.c, and by replica.c when a
 * connection has room again.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"

#include <stdlib.h>

enum parcel_type { PARCEL_MESSAGE, PARCEL_ROWS, PARCEL_SNAP };

struct parcel {
	TAILQ_ENTRY(parcel) next;
	enum parcel_type type;
	struct zab_message message; /* MESSAGE; SNAP: what announces it */
	uint64_t attempt;
	uint64_t from, upto; /* ROWS */
	struct snap_out *snap;
};

static const struct blob nothing;

static void
send_message(struct replica *replica, const struct peer *peer, const struct zab_message *message,
    struct blob payload)
{
	struct wire_msg msg = { .type = WIRE_T_ZAB, .zab = message_to_wire(message) };

	links_send(replica->links, peer->sid, peer->conn, &msg, payload);
}

static bool
has_room(const struct replica *replica, const struct peer *peer)
{
	return links_unsent(replica->links, peer->sid, peer->conn) < LINK_UNSENT_LOW;
}

struct sending {
	struct replica *replica;
	const struct peer *peer;
	struct parcel *parcel;
};

static bool
send_row(void *arg, uint64_t zxid, uint64_t prev_zxid, struct blob payload)
{
	struct sending *sending = arg;
	struct parcel *parcel = sending->parcel;
	struct zab_message message = {
		.type = ZAB_ROW, .attempt = parcel->attempt, .zxid = zxid, .prev = prev_zxid
	};

	if (zxid > parcel->upto)
		return false;
	CHECK(prev_zxid == parcel->from);
	send_message(sending->replica, sending->peer, &message, payload);
	parcel->from = zxid;
	return zxid != parcel->upto && has_room(sending->replica, sending->peer);
}

/* False: there is more. */
static bool
send_rows(struct replica *replica, struct peer *peer, struct parcel *parcel)
{
	struct sending sending = { replica, peer, parcel };

	if (!has_room(replica, peer))
		return false;
	if (!rows_read(replica, parcel->from, send_row, &sending)) {
		/* Retention was faster: the learner comes again, for a snapshot. */
		links_close(
		    replica->links, peer->sid, peer->conn, "its rows are gone from the log");
		return false;
	}
	return parcel->from == parcel->upto;
}

static bool
send_snap(struct replica *replica, struct peer *peer, struct parcel *parcel)
{
	uint64_t found, hash;

	/* It takes so long that the log does not keep for it what follows: a newer one is shorter. */
	if (!rows_look_up(replica, parcel->message.zxid, &found, &hash)) {
		links_close(replica->links, peer->sid, peer->conn,
		    "the rows behind its snapshot are gone from the log");
		return false;
	}
	if (parcel->snap == NULL) {
		send_message(replica, peer, &parcel->message, nothing);
		parcel->snap = snap_out_new(parcel->attempt);
	}
	while (has_room(replica, peer))
		if (!snap_out_next(replica, parcel->snap, peer))
			return true;
	return false;
}

static void
parcel_free(struct peer *peer, struct parcel *parcel)
{
	TAILQ_REMOVE(&peer->outbox, parcel, next);
	snap_out_free(parcel->snap);
	free(parcel);
}

static bool
send_parcel(struct replica *replica, struct peer *peer, struct parcel *parcel)
{
	switch (parcel->type) {
	case PARCEL_MESSAGE:
		send_message(replica, peer, &parcel->message, nothing);
		return true;
	case PARCEL_ROWS:
		return send_rows(replica, peer, parcel);
	case PARCEL_SNAP:
		return send_snap(replica, peer, parcel);
	}
	return true;
}

void
outbox_run(struct replica *replica, struct peer *peer)
{
	struct parcel *parcel;

	while ((parcel = TAILQ_FIRST(&peer->outbox)) != NULL) {
		if (!send_parcel(replica, peer, parcel))
			return;
		parcel_free(peer, parcel);
	}
}

static void
add(struct peer *peer, const struct parcel *parcel)
{
	struct parcel *copy = malloc(sizeof *copy);

	CHECK(copy != NULL);
	*copy = *parcel;
	TAILQ_INSERT_TAIL(&peer->outbox, copy, next);
}

static bool
is_message(const struct parcel *parcel, uint32_t type, uint64_t attempt)
{
	return parcel->type == PARCEL_MESSAGE && parcel->message.type == type &&
	       parcel->message.attempt == attempt;
}

/* The newest ping and the newest commit say what older ones behind the same rows would. */
static void
drop_older(struct peer *peer, uint32_t type, uint64_t attempt)
{
	struct parcel *parcel, *previous;

	for (parcel = TAILQ_LAST(&peer->outbox, parcels); parcel != NULL; parcel = previous) {
		previous = TAILQ_PREV(parcel, parcels, next);
		if (parcel->type != PARCEL_MESSAGE)
			return;
		if (is_message(parcel, type, attempt))
			parcel_free(peer, parcel);
	}
}

void
outbox_message(
    struct replica *replica, struct peer *peer, uint64_t conn, const struct zab_message *message)
{
	struct parcel parcel = { .type = PARCEL_MESSAGE, .message = *message };

	if (conn != peer->conn || conn == 0)
		return;
	/* It would hand over requests, and there is no leader yet that takes them. */
	if (message->type == ZAB_UPTODATE && !replica->leading) {
		peer->ready = true;
		peer->uptodate = *message;
		return;
	}
	if (TAILQ_EMPTY(&peer->outbox)) {
		send_message(replica, peer, message, nothing);
		return;
	}
	if (message->type == ZAB_PING || message->type == ZAB_COMMIT)
		drop_older(peer, message->type, message->attempt);
	add(peer, &parcel);
}

/* A range that the new one continues, with nothing but commits and pings behind it. */
static struct parcel *
continued(struct peer *peer, const struct zab_action *action)
{
	struct parcel *parcel;

	TAILQ_FOREACH_REVERSE(parcel, &peer->outbox, parcels, next)
	{
		if (parcel->type == PARCEL_ROWS && parcel->attempt == action->attempt &&
		    parcel->upto == action->from)
			return parcel;
		if (!is_message(parcel, ZAB_PING, action->attempt) &&
		    !is_message(parcel, ZAB_COMMIT, action->attempt))
			return NULL;
	}
	return NULL;
}

void
outbox_rows(struct replica *replica, struct peer *peer, const struct zab_action *action)
{
	struct parcel parcel = { .type = PARCEL_ROWS,
		.attempt = action->attempt,
		.from = action->from,
		.upto = action->zxid };
	struct parcel *before;

	if (action->conn != peer->conn || action->conn == 0)
		return;
	before = continued(peer, action);
	if (before != NULL)
		before->upto = action->zxid;
	else if (!TAILQ_EMPTY(&peer->outbox) || !send_rows(replica, peer, &parcel))
		add(peer, &parcel);
}

void
outbox_snap(struct replica *replica, struct peer *peer, const struct zab_action *action)
{
	struct parcel parcel = { .type = PARCEL_SNAP, .attempt = action->attempt };
	struct parcel rows = { .type = PARCEL_ROWS,
		.attempt = action->attempt,
		.from = tree_applied(replica->tree),
		.upto = action->zxid };
	uint64_t found;

	if (action->conn != peer->conn || action->conn == 0)
		return;
	parcel.message =
	    (struct zab_message){ .type = ZAB_SNAP, .attempt = action->attempt, .zxid = rows.from };
	/* What the tree has is in the log, or is its base. */
	CHECK(rows.from <= rows.upto);
	CHECK(rows_look_up(replica, rows.from, &found, &parcel.message.hash));
	CHECK(found == rows.from);
	add(peer, &parcel);
	/* What is delivered, and is not applied yet. */
	if (rows.from < rows.upto)
		add(peer, &rows);
	outbox_run(replica, peer);
}

void
outbox_forget(struct replica *replica, struct peer *peer)
{
	struct parcel *parcel, *next;

	peer->ready = false;
	TAILQ_FOREACH_SAFE (parcel, &peer->outbox, next, next)
		if (parcel->type != PARCEL_MESSAGE ||
		    (parcel->message.type != ZAB_VOTE && parcel->message.type != ZAB_RESIGN))
			parcel_free(peer, parcel);
	outbox_run(replica, peer);
}

void
outbox_clear(struct peer *peer)
{
	struct parcel *parcel;

	peer->ready = false;
	while ((parcel = TAILQ_FIRST(&peer->outbox)) != NULL)
		parcel_free(peer, parcel);
}

void
outbox_ready(struct replica *replica)
{
	struct peer *peer;
	uint32_t i;

	for (i = 0; i < replica->npeers; i++) {
		peer = &replica->peers[i];
		if (!peer->ready)
			continue;
		peer->ready = false;
		outbox_message(replica, peer, peer->conn, &peer->uptodate);
	}
}

uint64_t
outbox_needed(const struct replica *replica)
{
	uint64_t needed = UINT64_MAX, from;
	const struct parcel *parcel;
	uint32_t i;

	for (i = 0; i < replica->npeers; i++)
		TAILQ_FOREACH (parcel, &replica->peers[i].outbox, next) {
			if (parcel->type == PARCEL_MESSAGE)
				continue;
			from = parcel->type == PARCEL_SNAP ? parcel->message.zxid : parcel->from;
			if (from < needed)
				needed = from;
		}
	return needed;
}
