/*
 * A member's log: orders wait until the script, or `run`, has them written. A
 * synchronisation is durable with its commit, as a whole or not at all. Called
 * by member.c, script.c and world.c.
 */
#include "tests/cases/cases.h"

#include "replica/lib/check.h"

#include <string.h>

uint64_t
row_hash(uint64_t before, const struct row *row)
{
	uint64_t z = before * UINT64_C(0x9e3779b97f4a7c15) + row->zxid;

	z = (z ^ (z >> 31)) * UINT64_C(0xbf58476d1ce4e5b9) + row->value;
	return (z ^ (z >> 29)) * UINT64_C(0x94d049bb133111eb);
}

uint64_t
disk_last(const struct disk *disk)
{
	return disk->nrows == 0 ? disk->base_zxid : disk->rows[disk->nrows - 1].zxid;
}

/* The greatest row at or below, those on their way included; false: below the base. */
bool
disk_look_up(const struct disk *disk, uint64_t zxid, uint64_t *found, uint64_t *hash)
{
	uint32_t i;

	if (zxid < disk->base_zxid)
		return false;
	*found = disk->base_zxid;
	*hash = disk->base_hash;
	for (i = 0; i < disk->nrows && disk->rows[i].zxid <= zxid; i++) {
		*found = disk->rows[i].zxid;
		*hash = disk->rows[i].hash;
	}
	for (i = 0; i < disk->norders; i++)
		if (disk->orders[i].type == ZAB_LOG_ROW && disk->orders[i].row.zxid <= zxid) {
			*found = disk->orders[i].row.zxid;
			*hash = disk->orders[i].row.hash;
		}
	return true;
}

/* The first row above, those on their way included; NULL: none. */
const struct row *
disk_after(const struct disk *disk, uint64_t zxid)
{
	uint32_t i;

	for (i = 0; i < disk->nrows; i++)
		if (disk->rows[i].zxid > zxid)
			return &disk->rows[i];
	for (i = 0; i < disk->norders; i++)
		if (disk->orders[i].type == ZAB_LOG_ROW && disk->orders[i].row.zxid > zxid)
			return &disk->orders[i].row;
	return NULL;
}

void
disk_order(struct world *world, struct member *member, const struct zab_action *action,
    const struct item *item)
{
	struct disk *disk = &member->disk;
	struct order *order = &disk->orders[disk->norders];
	uint64_t found, before = 0;

	CHECK(disk->norders < ORDERS_MAX);
	*order = (struct order){ .type = action->type,
		.seq = ++world->seq,
		.op = action->op,
		.zxid = action->zxid,
		.hash = action->hash,
		.accepted_epoch = action->accepted_epoch,
		.accepted_sid = action->accepted_sid,
		.current_epoch = action->current_epoch };
	if (action->type == ZAB_LOG_ROW && item != NULL) {
		order->row = item->row;
	} else if (action->type == ZAB_LOG_ROW) {
		order->row = (struct row){ action->zxid, action->from, 0, ++world->values };
		if (disk->norders > 0 && order[-1].type == ZAB_LOG_ROW)
			before = order[-1].row.hash;
		else
			disk_look_up(disk, action->from, &found, &before);
		order->row.hash = row_hash(before, &order->row);
	}
	disk->norders++;
}

/* How many of the orders can be written together: none of an open synchronisation. */
uint32_t
disk_writable(const struct disk *disk)
{
	uint32_t i, open = UINT32_MAX;

	for (i = 0; i < disk->norders; i++) {
		if (disk->orders[i].type == ZAB_LOG_SYNC_BEGIN ||
		    disk->orders[i].type == ZAB_LOG_SYNC_SNAP)
			open = i;
		if (disk->orders[i].type == ZAB_LOG_SYNC_COMMIT)
			open = UINT32_MAX;
	}
	return open == UINT32_MAX ? disk->norders : open;
}

void
disk_append(struct disk *disk, const struct row *row)
{
	CHECK(disk->nrows < ROWS_MAX && row->prev == disk_last(disk));
	disk->rows[disk->nrows++] = *row;
}

static void
apply(struct disk *disk, const struct order *order)
{
	switch (order->type) {
	case ZAB_LOG_EPOCHS:
		disk->accepted_epoch = order->accepted_epoch;
		disk->accepted_sid = order->accepted_sid;
		disk->current_epoch = order->current_epoch;
		break;
	case ZAB_LOG_ROW:
		disk_append(disk, &order->row);
		break;
	case ZAB_LOG_SYNC_BEGIN:
		while (disk->nrows > 0 && disk_last(disk) > order->zxid)
			disk->nrows--;
		break;
	case ZAB_LOG_SYNC_SNAP:
		disk->nrows = 0;
		disk->base_zxid = disk->image_zxid = order->zxid;
		disk->base_hash = order->hash;
		break;
	case ZAB_LOG_SYNC_COMMIT:
		disk->current_epoch = order->current_epoch;
		break;
	case ZAB_LOG_VOTER:
		disk->voter = true;
		break;
	default:
		CHECK(!"a log order");
	}
}

/* RECOVER: a synchronisation without its commit is undone; START when all else is written. */
void
disk_settle(struct world *world, struct member *member)
{
	if (!member->settling)
		return;
	member->disk.norders = disk_writable(&member->disk);
	if (member->disk.norders == 0)
		member_begin(world, member);
}

void
disk_write(struct world *world, struct member *member, uint32_t count)
{
	struct disk *disk = &member->disk;
	struct zab_event event = { .type = ZAB_EVENT_LOGGED };
	char what[64];
	uint32_t i;

	for (i = 0; i < count; i++) {
		apply(disk, &disk->orders[i]);
		event.op = disk->orders[i].op;
		/* The tree is loaded anew before the core hears of it. */
		if (disk->orders[i].type == ZAB_LOG_SYNC_SNAP)
			member->delivered = disk->orders[i].zxid;
	}
	disk->norders -= count;
	memmove(disk->orders, disk->orders + count, disk->norders * sizeof disk->orders[0]);
	event.zxid = disk_last(disk);
	if (count == 0)
		snprintf(what, sizeof what, "hears of its log, nothing new");
	else
		snprintf(what, sizeof what, "has logged all that, up to %s", zxid_text(event.zxid));
	member_step(world, member, &event, NULL, false, what);
	disk_settle(world, member);
}

/* A full disk: nothing of what waits is there, or ever will be. */
void
disk_lose(struct world *world, struct member *member)
{
	struct zab_event event = { .type = ZAB_EVENT_LOST };

	member->disk.norders = 0;
	member_step(world, member, &event, NULL, false, "cannot log: disk full");
	disk_settle(world, member);
}
