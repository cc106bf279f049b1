/*
 * The loop's side of the log: the calls of store.h become items of the log
 * thread's queue, and what it reports sets the place where the next ones
 * begin. What concerns the image goes to the image thread in the same order.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define EPOCH_MAX INT32_MAX /* a zxid is stored as a signed 64-bit integer */

static struct item *
item_new(struct store *store, enum item_type type, uint64_t op, uint32_t len)
{
	struct item *item = calloc(1, sizeof *item + len);

	CHECK(item != NULL);
	/* What is undone has no call of its own. */
	CHECK(op > store->called || (type == ITEM_ABORT && op == store->called));
	store->called = op;
	item->type = type;
	item->generation = store->generation;
	item->op = op;
	item->len = len;
	return item;
}

bool
queue_crowded(const struct store *store)
{
	return store->queued_rows >= STORE_CROWDED_ROWS ||
	       store->queued_bytes >= STORE_CROWDED_BYTES;
}

static void
free_all(struct items *items)
{
	struct item *item;

	while ((item = STAILQ_FIRST(items)) != NULL) {
		STAILQ_REMOVE_HEAD(items, next);
		free(item);
	}
}

/*
 * Who allocates frees: the two threads would wait for each other at malloc(3)'s lock, for each row.
 * No more than was queued waits for that.
 */
void
queue_free_spent(struct store *store)
{
	struct items spent = STAILQ_HEAD_INITIALIZER(spent);

	pthread_mutex_lock(&store->log_mutex);
	STAILQ_CONCAT(&spent, &store->spent);
	pthread_mutex_unlock(&store->log_mutex);
	free_all(&spent);
}

static void
enqueue(struct store *store, struct item *item)
{
	struct items spent = STAILQ_HEAD_INITIALIZER(spent);

	pthread_mutex_lock(&store->log_mutex);
	STAILQ_CONCAT(&spent, &store->spent);
	STAILQ_INSERT_TAIL(&store->items, item, next);
	store->queued_bytes += item->len;
	store->queued_rows += item->type == ITEM_ROW;
	if (store->log_sleeping)
		pthread_cond_signal(&store->log_work);
	pthread_mutex_unlock(&store->log_mutex);
	free_all(&spent);
}

int
store_append(struct store *store, uint64_t op, const struct store_row *row, uint64_t *hash)
{
	struct item *item;
	bool full;

	pthread_mutex_lock(&store->log_mutex);
	full = store->queued_rows >= STORE_QUEUE_ROWS_MAX ||
	       store->queued_bytes + row->payload.len > STORE_QUEUE_BYTES_MAX;
	pthread_mutex_unlock(&store->log_mutex);
	if (full)
		return ERR_BUSY;
	CHECK(row->zxid > row->prev_zxid && row->prev_zxid == store->appended);
	item = item_new(store, ITEM_ROW, op, row->payload.len);
	*hash = row_hash(store->appended_hash, row->zxid, row->prev_zxid, row->payload);
	store->appended = row->zxid;
	store->appended_hash = *hash;
	item->zxid = row->zxid;
	item->prev_zxid = row->prev_zxid;
	item->hash = *hash;
	if (row->payload.len != 0)
		memcpy(item->payload, row->payload.data, row->payload.len);
	enqueue(store, item);
	return 0;
}

bool
store_crowded(struct store *store)
{
	bool crowded;

	pthread_mutex_lock(&store->log_mutex);
	crowded = queue_crowded(store);
	pthread_mutex_unlock(&store->log_mutex);
	return crowded;
}

static void
check_epoch(uint64_t epoch)
{
	if (epoch > EPOCH_MAX)
		fatal(EX_SOFTWARE, "epoch %llu is beyond what the log can hold",
		    (unsigned long long)epoch);
}

void
store_set_epochs(
    struct store *store, uint64_t op, uint64_t accepted, uint64_t accepted_sid, uint64_t current)
{
	struct item *item = item_new(store, ITEM_EPOCHS, op, 0);

	CHECK(!store->syncing);
	check_epoch(accepted);
	item->accepted = accepted;
	item->accepted_sid = accepted_sid;
	item->current = current;
	enqueue(store, item);
}

void
store_set_voter(struct store *store, uint64_t op)
{
	CHECK(!store->syncing);
	enqueue(store, item_new(store, ITEM_VOTER, op, 0));
}

static void
begin(struct store *store, uint64_t zxid, uint64_t hash)
{
	CHECK(!store->syncing && store->sync_op == 0);
	store->syncing = true;
	store->before_sync = store->appended;
	store->before_sync_hash = store->appended_hash;
	store->appended = zxid;
	store->appended_hash = hash;
}

void
store_sync_begin(struct store *store, uint64_t op, uint64_t zxid)
{
	struct item *item = item_new(store, ITEM_SYNC, op, 0);
	uint64_t found = store->appended, hash = store->appended_hash;
	int code = 0;

	/* What the image has was committed; nobody may ask for it to be undone. */
	CHECK(zxid >= store->applied);
	if (zxid != found)
		code = store_look_up(store, zxid, &found, &hash);
	if (code == ERR_IO)
		db_damaged("the row at which a synchronisation begins");
	CHECK(code == 0 && found == zxid);
	begin(store, zxid, hash);
	item->zxid = zxid;
	item->hash = hash;
	enqueue(store, item);
}

void
store_snap_begin(struct store *store, uint64_t op, uint64_t zxid, uint64_t hash)
{
	struct item *item = item_new(store, ITEM_SNAP, op, 0);
	struct image_order order = { .type = ORDER_SNAP, .applied = zxid };

	begin(store, zxid, hash);
	store->snap = ++store->snap_last;
	store->snap_zxid = zxid;
	store->snap_ended = false;
	order.tree = item->tree = store->snap;
	item->zxid = zxid;
	item->hash = hash;
	image_push(store, &order);
	enqueue(store, item);
}

void
store_snap_put(struct store *store, struct store_batch *batch)
{
	struct image_order order = { .type = ORDER_SNAP_PUT, .batch = batch };

	CHECK(store->syncing && store->snap != 0 && !store->snap_ended);
	image_push(store, &order);
}

void
store_snap_end(struct store *store, uint64_t image_upto, uint64_t next_id)
{
	struct image_order order = {
		.type = ORDER_SNAP_END, .upto = image_upto, .next_id = next_id
	};

	CHECK(store->syncing && store->snap != 0 && !store->snap_ended);
	CHECK(image_upto >= store->snap_zxid);
	store->snap_ended = true;
	image_push(store, &order);
}

void
store_sync_commit(struct store *store, uint64_t op, uint64_t current_epoch)
{
	struct item *item = item_new(store, ITEM_COMMIT, op, 0);

	CHECK(store->syncing && (store->snap == 0 || store->snap_ended));
	check_epoch(current_epoch);
	item->current = current_epoch;
	store->syncing = false;
	store->sync_op = op;
	enqueue(store, item);
}

static void
drop_snap(struct store *store)
{
	struct image_order order = { .type = ORDER_SNAP_ABORT };

	if (store->snap != 0)
		image_push(store, &order);
	store->snap = 0;
}

void
store_sync_abort(struct store *store, uint64_t op)
{
	struct item *item = item_new(store, ITEM_ABORT, op, 0);

	if (store->syncing) {
		store->syncing = false;
		store->appended = store->before_sync;
		store->appended_hash = store->before_sync_hash;
		drop_snap(store);
	}
	enqueue(store, item);
}

void
queue_reported(struct store *store, const struct done *done)
{
	queue_free_spent(store);
	switch (done->done.type) {
	case STORE_LOGGED:
		store->durable = done->done.durable.last_zxid;
		if (store->sync_op == 0 || done->done.op < store->sync_op)
			break;
		store->sync_op = 0;
		if (store->snap == 0)
			break;
		store->tree = store->snap;
		store->applied = store->snap_zxid;
		store->snap = 0;
		break;
	case STORE_FULL:
		/* What was called for until now is void; what comes next is not. */
		store->generation++;
		store->appended = store->durable = done->done.durable.last_zxid;
		store->appended_hash = done->hash;
		store->syncing = false;
		store->sync_op = 0;
		drop_snap(store);
		break;
	case STORE_PASSED:
		store->applied = done->applied;
		break;
	case STORE_PASS_FAILED:
		break;
	}
}

/* The passes: the image thread's business alone. */
void
store_pass_put(struct store *store, struct store_batch *batch, uint64_t upto)
{
	struct image_order order = { .type = ORDER_PUT, .batch = batch, .upto = upto };

	CHECK(store->snap == 0);
	image_push(store, &order);
}

void
store_pass_end(struct store *store, uint64_t applied, uint64_t next_id, uint64_t nodes)
{
	struct image_order order = { .type = ORDER_END,
		.pass = store->pass,
		.applied = applied,
		.next_id = next_id,
		.nodes = nodes };

	CHECK(store->snap == 0);
	image_push(store, &order);
}

void
store_need(struct store *store, uint64_t after)
{
	pthread_mutex_lock(&store->log_mutex);
	store->needed = after;
	pthread_mutex_unlock(&store->log_mutex);
}

void
store_pass_abort(struct store *store)
{
	struct image_order order = { .type = ORDER_ABORT };

	store->pass++;
	image_push(store, &order);
}
