/*
 * The image thread and its passes. Batches are small transactions without
 * fsync, moved from the WAL to the database every some MiB; the one that records
 * `applied` is synced, and with it everything before it. A snapshot's orders are
 * snap.c's.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/check.h"

#include <stdlib.h>

void
image_push(struct store *store, const struct image_order *order)
{
	struct image_order *copy = malloc(sizeof *copy);

	CHECK(copy != NULL);
	*copy = *order;
	pthread_mutex_lock(&store->image_mutex);
	STAILQ_INSERT_TAIL(&store->orders, copy, next);
	store->orders_queued += copy->batch != NULL;
	pthread_cond_signal(&store->image_work);
	pthread_mutex_unlock(&store->image_mutex);
}

uint32_t
store_pass_queued(const struct store *store)
{
	struct store *unconst = (struct store *)(uintptr_t)store;
	uint32_t queued;

	pthread_mutex_lock(&unconst->image_mutex);
	queued = store->orders_queued;
	pthread_mutex_unlock(&unconst->image_mutex);
	return queued;
}

/*
 * A pass is written back as it goes: a disk that gets all of it at once would let the log's fsyncs
 * wait behind it.
 */
static void
write_back(struct store *store)
{
	if (store->image_wal_pages <= WAL_PAGES_MAX)
		return;
	db_checkpoint(store->image.db, SQLITE_CHECKPOINT_PASSIVE);
	store->image_wal_pages = 0;
}

static void
put(struct store *store, const struct image_order *order)
{
	struct image *image = &store->image;
	struct image_meta before = image->meta;

	if (image->failed)
		return;
	if (order->upto > image->meta.upto)
		image->meta.upto = order->upto;
	if (db_exec(image->db, "BEGIN IMMEDIATE") == DB_OK &&
	    batch_write(image, order->batch) == DB_OK &&
	    image_meta_write(image->db, &image->meta) == DB_OK &&
	    db_exec(image->db, "COMMIT") == DB_OK) {
		write_back(store);
		return;
	}
	image->failed = true;
	image->meta = before;
	db_roll_back(image->db);
}

static enum db_result
write_end(struct image *image, const struct image_order *order)
{
	struct image_meta before = image->meta;
	enum db_result result;

	if (image->failed)
		return DB_FULL;
	image->meta.applied = order->applied;
	image->meta.next_id = order->next_id;
	if (order->applied > image->meta.upto)
		image->meta.upto = order->applied;
	db_exec(image->db, "PRAGMA synchronous = FULL");
	result = db_exec(image->db, "BEGIN IMMEDIATE");
	if (result == DB_OK)
		result = image_meta_write(image->db, &image->meta);
	if (result == DB_OK)
		result = db_exec(image->db, "COMMIT");
	if (result != DB_OK) {
		image->meta = before;
		db_roll_back(image->db);
	}
	db_exec(image->db, "PRAGMA synchronous = NORMAL");
	return result;
}

static void
end(struct store *store, const struct image_order *order)
{
	struct image *image = &store->image;
	struct done done = { .pass = order->pass, .applied = order->applied };
	enum db_result result = write_end(image, order);

	image->failed = false;
	/* Also after a failure: the WAL's space is what the disk lacks. */
	db_checkpoint(image->db, SQLITE_CHECKPOINT_TRUNCATE);
	if (result == DB_OK)
		log_trim(store, image->number, order->applied, order->nodes);
	done.done.type = result == DB_OK ? STORE_PASSED : STORE_PASS_FAILED;
	store_done_push(store, &done);
}

static struct image_order *
take(struct store *store)
{
	struct image_order *order;

	pthread_mutex_lock(&store->image_mutex);
	while (STAILQ_EMPTY(&store->orders) && !store->image_stopping)
		pthread_cond_wait(&store->image_work, &store->image_mutex);
	order = STAILQ_FIRST(&store->orders);
	if (order != NULL)
		STAILQ_REMOVE_HEAD(&store->orders, next);
	pthread_mutex_unlock(&store->image_mutex);
	return order;
}

static void
carry_out(struct store *store, const struct image_order *order)
{
	switch (order->type) {
	case ORDER_PUT:
		put(store, order);
		break;
	case ORDER_END:
		end(store, order);
		break;
	case ORDER_ABORT:
		store->image.failed = false;
		break;
	case ORDER_SNAP:
		snap_begin(store, order);
		break;
	case ORDER_SNAP_PUT:
		snap_put(store, order->batch);
		break;
	case ORDER_SNAP_END:
		snap_end(store, order);
		break;
	case ORDER_SNAP_ABORT:
		snap_abort(store);
		break;
	case ORDER_ADOPT:
		snap_adopt(store);
		break;
	}
}

static void *
image_main(void *arg)
{
	struct store *store = arg;
	struct image_order *order;

	while ((order = take(store)) != NULL) {
		carry_out(store, order);
		if (order->batch != NULL) {
			store_batch_free(order->batch);
			pthread_mutex_lock(&store->image_mutex);
			store->orders_queued--;
			pthread_mutex_unlock(&store->image_mutex);
			/* The loop may hand over the next one. */
			store_wake(store);
		}
		free(order);
	}
	snap_abort(store);
	return NULL;
}

void
image_thread_start(struct store *store)
{
	pthread_mutex_init(&store->image_mutex, NULL);
	pthread_cond_init(&store->image_work, NULL);
	STAILQ_INIT(&store->orders);
	image_prepare(&store->image);
	db_exec(store->image.db, "PRAGMA synchronous = NORMAL");
	db_watch_wal(store->image.db, &store->image_wal_pages);
	CHECK(pthread_create(&store->image_thread, NULL, image_main, store) == 0);
}

void
image_thread_stop(struct store *store)
{
	pthread_mutex_lock(&store->image_mutex);
	store->image_stopping = true;
	pthread_cond_signal(&store->image_work);
	pthread_mutex_unlock(&store->image_mutex);
	pthread_join(store->image_thread, NULL);
	pthread_mutex_destroy(&store->image_mutex);
	pthread_cond_destroy(&store->image_work);
}
