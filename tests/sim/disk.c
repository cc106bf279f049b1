/*
 * A member's disk: orders wait, are written together, and are durable when
 * that write is done. A synchronisation is durable with its commit, all of it
 * or nothing. A crash keeps what is durable, and all or nothing of the write
 * that is on its way.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>

#define LAME_US 100000

uint64_t
disk_last(const struct disk *disk)
{
	return disk->nrows == 0 ? disk->base_zxid : disk->rows[disk->nrows - 1].zxid;
}

uint64_t
disk_last_hash(const struct disk *disk)
{
	return disk->nrows == 0 ? disk->base_hash : disk->rows[disk->nrows - 1].hash;
}

/* The index of the first row above zxid. */
static uint32_t
above(const struct disk *disk, uint64_t zxid)
{
	uint32_t low = 0, high = disk->nrows, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (disk->rows[middle].zxid <= zxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct row *
disk_row(const struct disk *disk, uint64_t zxid)
{
	uint32_t i = above(disk, zxid);

	return i == 0 || disk->rows[i - 1].zxid != zxid ? NULL : &disk->rows[i - 1];
}

bool
disk_look_up(const struct disk *disk, uint64_t zxid, uint64_t *found, uint64_t *hash)
{
	uint32_t i;

	if (zxid < disk->base_zxid)
		return false;
	*found = disk->base_zxid;
	*hash = disk->base_hash;
	i = above(disk, zxid);
	if (i > 0) {
		*found = disk->rows[i - 1].zxid;
		*hash = disk->rows[i - 1].hash;
	}
	return true;
}

const struct row *
disk_after(const struct disk *disk, uint64_t zxid)
{
	uint32_t i = above(disk, zxid);

	return i < disk->nrows ? &disk->rows[i] : NULL;
}

/* How many of the orders can be written together: none of an open synchronisation. */
uint32_t
disk_writable(const struct disk *disk)
{
	uint32_t i, begun = UINT32_MAX;

	for (i = 0; i < disk->norders; i++) {
		if (disk->orders[i].type == ZAB_LOG_SYNC_BEGIN ||
		    disk->orders[i].type == ZAB_LOG_SYNC_SNAP)
			begun = i;
		if (disk->orders[i].type == ZAB_LOG_SYNC_COMMIT)
			begun = UINT32_MAX;
	}
	return begun == UINT32_MAX ? disk->norders : begun;
}

size_t
disk_queued(const struct disk *disk)
{
	size_t bytes = 0;
	uint32_t i;

	for (i = 0; i < disk->norders; i++)
		if (disk->orders[i].type == ZAB_LOG_ROW)
			bytes += disk->orders[i].row.payload->len;
	return bytes;
}

/* How long a write takes: one of the disks may be worse than the others. */
static uint64_t
duration(struct world *world, const struct member *member)
{
	uint64_t us = 1 + random_below(world, world->options.disk_us);

	if (world->options.lame == member->sid)
		us += random_below(world, LAME_US);
	return us * 1000;
}

static void
write_begin(struct world *world, struct member *member)
{
	struct disk *disk = &member->disk;
	uint64_t time = world->now + duration(world, member);
	struct event *event;

	if (disk->in_flight != 0 || disk_writable(disk) == 0)
		return;
	disk->in_flight = disk_writable(disk);
	if (world->now < disk->slow_until)
		time = disk->slow_until;
	event = heap_add(world, time, EVENT_DISK);
	event->member = (uint32_t)(member - world->members);
	event->life = member->life;
}

void
disk_order(struct world *world, struct member *member, const struct order *order)
{
	struct disk *disk = &member->disk;
	struct order *added;

	if (disk->norders == disk->orders_space) {
		disk->orders_space = disk->orders_space * 2 + 16;
		disk->orders = realloc(disk->orders, disk->orders_space * sizeof *disk->orders);
		CHECK(disk->orders != NULL);
	}
	added = &disk->orders[disk->norders++];
	*added = *order;
	write_begin(world, member);
}

static void
append(struct disk *disk, const struct row *row)
{
	CHECK(row->prev == disk_last(disk));
	if (disk->nrows == disk->space) {
		disk->space = disk->space * 2 + 64;
		disk->rows = realloc(disk->rows, disk->space * sizeof *disk->rows);
		CHECK(disk->rows != NULL);
	}
	disk->rows[disk->nrows++] = *row;
}

static void
apply(struct world *world, struct member *member, const struct order *order)
{
	struct disk *disk = &member->disk;

	if (order->nothing)
		return;
	switch (order->type) {
	case ZAB_LOG_EPOCHS:
		disk->accepted_epoch = order->accepted_epoch;
		disk->accepted_sid = order->accepted_sid;
		disk->current_epoch = order->current_epoch;
		break;
	case ZAB_LOG_ROW:
		append(disk, &order->row);
		break;
	case ZAB_LOG_SYNC_BEGIN:
		check_truncated(world, member, order->zxid);
		disk->nrows = above(disk, order->zxid);
		break;
	case ZAB_LOG_SYNC_SNAP:
		check_replaced(world, member, order->zxid);
		disk->nrows = 0;
		disk->base_zxid = order->zxid;
		disk->base_hash = order->hash;
		image_clear(&disk->image);
		disk->image = disk->snap;
		memset(&disk->snap, 0, sizeof disk->snap);
		break;
	case ZAB_LOG_SYNC_COMMIT:
		disk->current_epoch = order->current_epoch;
		/* An observer has promised nothing: what it had is all that it had lost. */
		if (member->observer)
			member->amnesiac = false;
		break;
	case ZAB_LOG_VOTER:
		disk->voter = true;
		member->amnesiac = false;
		break;
	default:
		CHECK(!"a log action");
	}
}

static void
drop_orders(struct disk *disk, uint32_t from, uint32_t count)
{
	if (count == 0)
		return;
	memmove(disk->orders + from, disk->orders + from + count,
	    (disk->norders - from - count) * sizeof *disk->orders);
	disk->norders -= count;
}

/* Undoes a synchronisation that has no commit; `op` is reported when all before it is over. */
void
disk_abort(struct world *world, struct member *member, uint64_t op)
{
	struct order nothing = { .type = ZAB_LOG_EPOCHS, .nothing = true, .op = op };
	struct disk *disk = &member->disk;
	uint32_t keep = disk_writable(disk);

	drop_orders(disk, keep, disk->norders - keep);
	image_clear(&disk->snap);
	disk_order(world, member, &nothing);
}

/* The transaction is written; what it makes durable counts from now on. */
static void
written(struct world *world, struct member *member)
{
	struct disk *disk = &member->disk;
	struct order snap = { 0 };
	uint64_t op = 0;
	uint32_t i;

	CHECK(disk->in_flight > 0 && disk->in_flight <= disk->norders);
	for (i = 0; i < disk->in_flight; i++) {
		apply(world, member, &disk->orders[i]);
		trap_logged(world, (uint32_t)(member - world->members), disk->orders[i].type);
		op = disk->orders[i].op;
		if (disk->orders[i].type == ZAB_LOG_SYNC_SNAP)
			snap = disk->orders[i];
	}
	drop_orders(disk, 0, disk->in_flight);
	disk->in_flight = 0;
	/* The tree is another before the core hears of it. */
	if (snap.type == ZAB_LOG_SYNC_SNAP) {
		check_snapshot(world, member, snap.index, snap.state);
		member->delivered = snap.zxid;
		member->index = snap.index;
		member->state = snap.state;
		if (!world->healed && (world->options.kinds & 1u << FAULT_CRASH) != 0 &&
		    random_one_in(world, 4))
			member->dying = true;
	}
	write_begin(world, member);
	store_push(member, STORE_LOGGED, op);
}

bool
disk_fails(struct world *world, struct member *member)
{
	if (!member->disk.failing || member->dying)
		return false;
	trace(world, "%u has an input/output error", member->sid);
	member->disk.failing = false;
	member->dying = true;
	return true;
}

void
disk_done(struct world *world, struct member *member)
{
	struct disk *disk = &member->disk;

	if (!member_enter(world, member))
		return;
	if (disk_fails(world, member)) {
		member_leave(world, member);
		return;
	}
	if (world->now < disk->full_until) {
		disk->norders = disk->in_flight = 0;
		image_clear(&disk->snap);
		store_push(member, STORE_FULL, 0);
	} else {
		written(world, member);
	}
	replica_completions(member->replica);
	member_leave(world, member);
}

void
disk_crash(struct world *world, struct member *member)
{
	struct disk *disk = &member->disk;
	uint32_t i;

	if (disk->in_flight != 0 && world->now >= disk->full_until && random_one_in(world, 2))
		for (i = 0; i < disk->in_flight; i++)
			apply(world, member, &disk->orders[i]);
	disk->norders = disk->in_flight = 0;
	disk->failing = false;
}

/* The rows that are no longer needed. */
void
disk_trim(struct world *world, struct member *member)
{
	struct disk *disk = &member->disk;
	uint32_t drop = above(disk, disk->image.applied),
		 needed = above(disk, member->store.needed);

	drop -= drop <= world->options.keep_rows ? drop : world->options.keep_rows;
	if (needed < drop && disk->nrows > world->options.keep_rows + SENT_MAX)
		disk->cut_short = true;
	else if (needed < drop)
		drop = needed;
	if (drop == 0)
		return;
	disk->base_zxid = disk->rows[drop - 1].zxid;
	disk->base_hash = disk->rows[drop - 1].hash;
	memmove(disk->rows, disk->rows + drop, (disk->nrows - drop) * sizeof *disk->rows);
	disk->nrows -= drop;
}

void
disk_free(struct disk *disk)
{
	free(disk->rows);
	free(disk->orders);
	free(disk->images);
	image_clear(&disk->image);
	image_clear(&disk->snap);
}
