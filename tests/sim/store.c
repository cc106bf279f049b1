/*
 * store.h over a simulated disk: one life of a member's store. Orders go to
 * disk.c and image.c, which say when they are done. Stands in for
 * replica/store.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static struct member *
self(void)
{
	return the_world->running;
}

static struct store_durable
durable(const struct disk *disk)
{
	return (struct store_durable){ .accepted_epoch = disk->accepted_epoch,
		.accepted_sid = disk->accepted_sid,
		.current_epoch = disk->current_epoch,
		.last_zxid = disk_last(disk),
		.voter = disk->voter };
}

int
store_open(const struct store_options *options, struct store **out, char *err, size_t errlen)
{
	struct member *member = self();
	struct store *store = &member->store;
	const struct disk *disk = &member->disk;

	(void)options;
	(void)err;
	(void)errlen;
	memset(store, 0, sizeof *store);
	store->state = (struct store_state){ .durable = durable(disk),
		.base_zxid = disk->base_zxid,
		.last_hash = disk_last_hash(disk),
		.applied = disk->image.applied,
		.image_upto = disk->image.upto,
		.next_id = disk->image.next_id };
	store->needed = UINT64_MAX;
	store->last_zxid = disk_last(disk);
	store->last_hash = disk_last_hash(disk);
	member->piece = 1; /* what it begins with is looked at once, too */
	*out = store;
	return 0;
}

void
store_close(struct store *store)
{
	(void)store;
}

const struct store_state *
store_state(const struct store *store)
{
	return &store->state;
}

void
store_push(struct member *member, enum store_done_type type, uint64_t op)
{
	struct store *store = &member->store;

	CHECK(store->last - store->first < sizeof store->done / sizeof store->done[0]);
	store->done[store->last++ % 64] =
	    (struct store_done){ .type = type, .op = op, .durable = durable(&member->disk) };
}

bool
store_poll(struct store *store, struct store_done *out)
{
	if (store->first == store->last || self()->dying)
		return false;
	*out = store->done[store->first++ % 64];
	if (out->type == STORE_FULL) {
		store->last_zxid = disk_last(&self()->disk);
		store->last_hash = disk_last_hash(&self()->disk);
	}
	return true;
}

static void
order(const struct order *order)
{
	if (member_acts(the_world, self()))
		disk_order(the_world, self(), order);
}

int
store_append(struct store *store, uint64_t op, const struct store_row *row, uint64_t *hash)
{
	struct order order_ = {
		.type = ZAB_LOG_ROW, .op = op, .row = { .zxid = row->zxid, .prev = row->prev_zxid }
	};

	CHECK(self()->dying || row->prev_zxid == store->last_zxid);
	order_.row.value = XXH3_64bits(row->payload.data, row->payload.len);
	order_.row.hash = state_next(store->last_hash, &order_.row);
	order_.row.payload = bytes_new(the_world, row->payload.data, row->payload.len);
	store->last_zxid = row->zxid;
	*hash = store->last_hash = order_.row.hash;
	if (self()->replica->leading)
		check_proposed(the_world, &order_.row, disk_queued(&self()->disk));
	order(&order_);
	return 0;
}

bool
store_crowded(struct store *store)
{
	(void)store;
	/* What a synchronisation has so far is not in anyone's way. */
	return disk_writable(&self()->disk) >= (the_world->options.crowd_ms != 0 ? 2 : 64);
}

void
store_set_epochs(
    struct store *store, uint64_t op, uint64_t accepted, uint64_t accepted_sid, uint64_t current)
{
	struct order order_ = { .type = ZAB_LOG_EPOCHS,
		.op = op,
		.accepted_epoch = accepted,
		.accepted_sid = accepted_sid,
		.current_epoch = current };

	(void)store;
	order(&order_);
}

void
store_set_voter(struct store *store, uint64_t op)
{
	struct order order_ = { .type = ZAB_LOG_VOTER, .op = op };

	(void)store;
	order(&order_);
}

void
store_sync_begin(struct store *store, uint64_t op, uint64_t zxid)
{
	struct order order_ = { .type = ZAB_LOG_SYNC_BEGIN, .op = op, .zxid = zxid };
	uint64_t found;

	CHECK(self()->dying || disk_look_up(&self()->disk, zxid, &found, &store->last_hash));
	store->last_zxid = zxid;
	order(&order_);
}

void
store_snap_begin(struct store *store, uint64_t op, uint64_t zxid, uint64_t hash)
{
	struct order order_ = { .type = ZAB_LOG_SYNC_SNAP,
		.op = op,
		.zxid = zxid,
		.hash = hash,
		.index = self()->snap_index,
		.state = self()->snap_state };

	store->last_zxid = zxid;
	store->last_hash = hash;
	image_void(self());
	image_clear(&self()->disk.snap);
	self()->disk.snap.applied = zxid;
	order(&order_);
}

void
store_snap_put(struct store *store, struct store_batch *batch)
{
	(void)store;
	image_apply(&self()->disk.snap, batch);
	store_batch_free(batch);
}

void
store_snap_end(struct store *store, uint64_t image_upto, uint64_t next_id)
{
	(void)store;
	self()->disk.snap.upto = image_upto;
	self()->disk.snap.next_id = next_id;
}

void
store_sync_commit(struct store *store, uint64_t op, uint64_t current_epoch)
{
	struct order order_ = {
		.type = ZAB_LOG_SYNC_COMMIT, .op = op, .current_epoch = current_epoch
	};

	(void)store;
	order(&order_);
}

void
store_sync_abort(struct store *store, uint64_t op)
{
	if (member_acts(the_world, self()))
		disk_abort(the_world, self(), op);
	store->last_zxid = disk_last(&self()->disk);
	store->last_hash = disk_last_hash(&self()->disk);
}

int
store_look_up(struct store *store, uint64_t zxid, uint64_t *found, uint64_t *hash)
{
	(void)store;
	disk_fails(the_world, self());
	return disk_look_up(&self()->disk, zxid, found, hash) ? 0 : ERR_NONODE;
}

int
store_read(struct store *store, uint64_t after,
    bool (*row)(void *arg, uint64_t zxid, struct blob payload), void *arg)
{
	const struct disk *disk = &self()->disk;
	const struct row *next;

	(void)store;
	disk_fails(the_world, self());
	if (after < disk->base_zxid)
		return ERR_NONODE;
	while ((next = disk_after(disk, after)) != NULL) {
		after = next->zxid;
		if (!row(arg, next->zxid, (struct blob){ next->payload->data, next->payload->len }))
			break;
	}
	return 0;
}

int
store_image_load(struct store *store, int (*node)(void *arg, const struct store_node *row),
    int (*session)(void *arg, const struct store_session *row), void *arg)
{
	const struct image *image = &self()->disk.image;
	int code = 0;
	uint32_t i;

	(void)store;
	for (i = 0; i < image->nsessions && code == 0; i++)
		code = session(arg, &image->sessions[i]);
	for (i = 0; i < image->nnodes && code == 0; i++)
		code = node(arg, &image->nodes[i]);
	return code;
}

void
store_pass_put(struct store *store, struct store_batch *batch, uint64_t upto)
{
	struct image_order order_ = { .batch = batch, .upto = upto };

	(void)store;
	image_order(the_world, self(), &order_);
}

uint32_t
store_pass_queued(const struct store *store)
{
	(void)store;
	return self()->disk.nimages;
}

void
store_figures(struct store *store, struct store_figures *out)
{
	(void)store;
	*out = (struct store_figures){ .rows = self()->disk.nrows };
}

void
store_pass_end(struct store *store, uint64_t applied, uint64_t next_id, uint64_t nodes)
{
	struct image_order order_ = { .applied = applied, .next_id = next_id };

	(void)store;
	(void)nodes;
	image_order(the_world, self(), &order_);
}

void
store_need(struct store *store, uint64_t after)
{
	store->needed = after;
}

void
store_pass_abort(struct store *store)
{
	(void)store;
}
