/*
 * What clients were told of locks, beside queues that are kept the plain way: who is answered that
 * it has one is the first in its queue, or all before it are shared as it is; who is refused, or
 * has to wait, is not; who is told that it waits no longer has it then, and who is told that there
 * is nothing to wait for has nothing there. Called by history.c at the end of a run.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>

struct place {
	uint64_t session, node, owner;
	bool exclusive;
	uint64_t zxid;
};

/* All queues in one, in order of their zxids. */
struct queue {
	struct place places[4096];
	uint32_t count;
};

static struct place *
find(struct queue *queue, uint64_t session, uint64_t node, uint64_t owner)
{
	uint32_t i;

	for (i = 0; i < queue->count; i++) {
		struct place *place = &queue->places[i];

		if (place->session == session && place->node == node && place->owner == owner)
			return place;
	}
	return NULL;
}

static void
take_out(struct queue *queue, struct place *place)
{
	uint32_t after = queue->count - (uint32_t)(place - queue->places) - 1;

	memmove(place, place + 1, after * sizeof *place);
	queue->count--;
}

static bool
is_held(const struct queue *queue, const struct place *place)
{
	const struct place *before;

	for (before = queue->places; before < place; before++)
		if (before->node == place->node && (before->exclusive || place->exclusive))
			return false;
	return true;
}

static void
apply(struct queue *queue, const struct txn *txn)
{
	const struct txn_op *op = txn->nops == 0 ? NULL : &txn->ops[txn->nops - 1];
	uint64_t session = txn->head.session;
	struct place *place;
	uint32_t i;

	if (op != NULL && op->type == TXN_LOCK) {
		place = find(queue, session, op->lock.node, op->lock.owner);
		if (place != NULL)
			take_out(queue, place);
		CHECK(queue->count < sizeof queue->places / sizeof queue->places[0]);
		queue->places[queue->count++] = (struct place){ session, op->lock.node,
			op->lock.owner, op->lock.exclusive != 0, txn->zxid };
	} else if (op != NULL && op->type == TXN_UNLOCK) {
		place = find(queue, session, op->unlock.node, op->unlock.owner);
		CHECK(place != NULL);
		take_out(queue, place);
	} else if (op != NULL && op->type == TXN_SESSION_CLOSE) {
		for (i = queue->count; i > 0; i--)
			if (queue->places[i - 1].session == op->session_close.id)
				take_out(queue, &queue->places[i - 1]);
	}
}

/* Whether one at the end of the queue would be held. */
static bool
is_free(const struct queue *queue, uint64_t node, bool exclusive)
{
	uint32_t i;

	for (i = 0; i < queue->count; i++)
		if (queue->places[i].node == node && (queue->places[i].exclusive || exclusive))
			return false;
	return true;
}

static void
check_lock(struct world *world, struct queue *queue, const struct done *done)
{
	uint32_t how = (uint32_t)(done->written & 0xff);
	struct place *place = find(queue, done->session, done->key, done->written >> 8 & 0xff);
	bool ok;

	if (done->code == ERR_OK)
		ok = place != NULL && is_held(queue, place) &&
		     place->exclusive == ((how & WIRE_EXCLUSIVE) != 0);
	else if ((how & WIRE_AT_ONCE) != 0)
		ok = place == NULL && !is_free(queue, done->key, (how & WIRE_EXCLUSIVE) != 0);
	else
		ok = place != NULL && place->exclusive == ((how & WIRE_EXCLUSIVE) != 0) &&
		     !is_held(queue, place);
	if (!ok && (done->code == ERR_OK || done->code == ERR_AGAIN))
		fail(world, "client %u was told %d of its lock of %llx at %llx (how %u)",
		    done->client, done->code, (unsigned long long)done->key,
		    (unsigned long long)done->zxid, how);
}

static void
check_await(struct world *world, struct queue *queue, const struct done *done)
{
	struct place *place = find(queue, done->session, done->key, done->written >> 8 & 0xff);

	/* Another one of the same owner has just taken its place. */
	if (place != NULL && place->zxid == done->zxid && done->code == ERR_NONODE)
		return;
	if (done->code != (place == NULL ? ERR_NONODE : ERR_OK) ||
	    (place != NULL && !is_held(queue, place)))
		fail(world, "client %u was told %d of the lock of %llx that it waits for at %llx",
		    done->client, done->code, (unsigned long long)done->key,
		    (unsigned long long)done->zxid);
}

/* What was answered at `from`, or by a read above it and below `upto`. */
static void
check_between(struct world *world, struct queue *queue, uint64_t from, uint64_t upto)
{
	uint32_t i;

	for (i = 0; i < world->ndones; i++) {
		const struct done *done = &world->dones[i];

		if (done->ended == 0 || done->given_up)
			continue;
		if (done->type == WIRE_T_LOCK && done->zxid == from)
			check_lock(world, queue, done);
		if (done->type == WIRE_T_AWAIT && done->zxid >= from && done->zxid < upto)
			check_await(world, queue, done);
	}
}

void
locks_check(struct world *world)
{
	struct queue *queue = calloc(1, sizeof *queue);
	msgpack_zone *zone = msgpack_zone_new(4096);
	struct txn txn;
	uint64_t i;

	CHECK(queue != NULL && zone != NULL);
	for (i = 0; i < world->history.count; i++) {
		const struct row *row = &world->history.rows[i];
		bool last = i + 1 == world->history.count;

		CHECK(txn_unpack((struct blob){ row->payload->data, row->payload->len }, row->zxid,
			  zone, &txn) == 0);
		apply(queue, &txn);
		msgpack_zone_clear(zone);
		check_between(
		    world, queue, row->zxid, last ? UINT64_MAX : world->history.rows[i + 1].zxid);
	}
	msgpack_zone_free(zone);
	free(queue);
}
