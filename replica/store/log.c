/*
 * The log thread: takes everything queued, one transaction, one fsync, one
 * completion (group commit). When it has nothing to do it checkpoints and
 * drops old rows, a little at a time; never in the middle of a
 * synchronisation, which is one transaction however long it takes.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <time.h>

#define IDLE_MS 20 /* without work, before the WAL is moved to the database */

void
log_trim(struct store *store, uint32_t tree, uint64_t applied, uint64_t nodes)
{
	pthread_mutex_lock(&store->log_mutex);
	store->trim_tree = tree;
	store->trim_applied = applied;
	store->trim_nodes = nodes;
	pthread_cond_signal(&store->log_work);
	pthread_mutex_unlock(&store->log_mutex);
}

void
log_snap_result(struct store *store, uint32_t tree, bool ok)
{
	pthread_mutex_lock(&store->log_mutex);
	if (ok)
		store->snap_ready = tree;
	else
		store->snap_failed = tree;
	pthread_cond_signal(&store->log_work);
	pthread_mutex_unlock(&store->log_mutex);
}

void
log_report(struct store *store, enum store_done_type type)
{
	const struct progress *log = &store->log_durable;
	struct done done = { .done = { .type = type,
				 .op = log->op,
				 .durable = { .accepted_epoch = log->meta.accepted_epoch,
				     .accepted_sid = log->meta.accepted_sid,
				     .current_epoch = log->meta.current_epoch,
				     .last_zxid = log->zxid,
				     .voter = log->meta.voter != 0 } },
		.hash = log->hash };

	if (type == STORE_LOGGED)
		done.done.sync_ns = store->sync_ns;
	store->sync_ns = 0;
	store_done_push(store, &done);
}

enum db_result
log_begin(struct store *store)
{
	if (store->log_open)
		return DB_OK;
	store->log_open = true;
	store->log_pending = store->log_durable;
	return db_exec(store->log, "BEGIN IMMEDIATE");
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* Nothing to commit is a success. Not reported here. */
enum db_result
log_commit(struct store *store)
{
	uint64_t begun_ns;

	if (!store->log_open)
		return DB_OK;
	begun_ns = now_ns();
	if (db_exec(store->log, "COMMIT") != DB_OK)
		return DB_FULL;
	store->sync_ns = now_ns() - begun_ns;
	store->log_durable = store->log_pending;
	store->rows = store->log_durable.rows;
	store->log_open = store->log_syncing = false;
	store->log_snap = 0;
	highwater_set(store, &store->log_durable);
	return DB_OK;
}

void
log_undo(struct store *store)
{
	db_roll_back(store->log);
	store->log_open = store->log_syncing = false;
	store->log_snap = 0;
	/* The WAL's space may be what the disk lacks. */
	db_checkpoint(store->log, SQLITE_CHECKPOINT_TRUNCATE);
}

static void
fail(struct store *store)
{
	log_undo(store);
	store->log_generation++;
	log_report(store, STORE_FULL);
}

static enum db_result
write_row(struct store *store, const struct item *item)
{
	CHECK(item->prev_zxid == store->log_pending.zxid);
	store->log_pending.zxid = item->zxid;
	store->log_pending.hash = item->hash;
	store->log_pending.rows++;
	sqlite3_bind_int64(store->insert, 1, (sqlite3_int64)item->zxid);
	sqlite3_bind_int64(store->insert, 2, (sqlite3_int64)item->prev_zxid);
	sqlite3_bind_int64(store->insert, 3, (sqlite3_int64)item->hash);
	sqlite3_bind_blob(store->insert, 4, item->payload, (int)item->len, SQLITE_STATIC);
	return db_run(store->log, store->insert, "appending a log row");
}

static enum db_result
write_meta(struct store *store, const struct item *item)
{
	struct log_meta *meta = &store->log_pending.meta;

	if (item->type == ITEM_VOTER) {
		meta->voter = true;
	} else {
		meta->accepted_epoch = item->accepted;
		meta->accepted_sid = item->accepted_sid;
		meta->current_epoch = item->current;
	}
	return log_meta_write(store->log, meta);
}

static enum db_result
write_item(struct store *store, const struct item *item)
{
	enum db_result result;

	switch (item->type) {
	case ITEM_SYNC:
	case ITEM_SNAP:
		return sync_begin(store, item);
	case ITEM_COMMIT:
		return sync_commit(store, item);
	case ITEM_ABORT:
		return sync_abort(store, item);
	default:
		break;
	}
	result = log_begin(store);
	store->log_pending.op = item->op;
	if (result != DB_OK)
		return result;
	return item->type == ITEM_ROW ? write_row(store, item) : write_meta(store, item);
}

static void
write_items(struct store *store, const struct items *items)
{
	const struct item *item;

	STAILQ_FOREACH (item, items, next) {
		/* Called for before the loop knew that the disk had been full: void. */
		if (item->generation >= store->log_generation && write_item(store, item) != DB_OK)
			fail(store);
	}
	if (!store->log_open || store->log_syncing)
		return;
	if (log_commit(store) == DB_OK)
		log_report(store, STORE_LOGGED);
	else
		fail(store);
}

/* Waits for work, or for the moment of idleness after which the WAL is moved. The mutex is held. */
static void
wait_for_work(struct store *store)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += IDLE_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	store->log_sleeping = true;
	if (store->wal_pages != 0 && !store->log_syncing)
		pthread_cond_timedwait(&store->log_work, &store->log_mutex, &until);
	else
		pthread_cond_wait(&store->log_work, &store->log_mutex);
	store->log_sleeping = false;
}

static bool
snap_failed(const struct store *store)
{
	return store->log_snap != 0 && store->snap_failed == store->log_snap;
}

/* What there is to do, taken from the queue. */
struct work {
	struct items items;
	uint64_t rows;
	size_t bytes;
	uint64_t trim_applied, trim_nodes, needed;
	bool stopping, snap_failed;
};

static void
take(struct store *store, struct work *work)
{
	bool trim;

	*work = (struct work){ 0 };
	STAILQ_INIT(&work->items);
	pthread_mutex_lock(&store->log_mutex);
	trim = !store->log_syncing && (store->trim_applied != 0 || store->trim_to != 0);
	if (STAILQ_EMPTY(&store->items) && !store->log_stopping && !trim && !snap_failed(store))
		wait_for_work(store);
	STAILQ_CONCAT(&work->items, &store->items);
	work->rows = store->queued_rows;
	work->bytes = store->queued_bytes;
	if (!store->log_syncing) {
		/* A tree file that a snapshot has replaced says nothing of these rows. */
		if (store->trim_tree == store->log_durable.meta.tree)
			work->trim_applied = store->trim_applied;
		work->trim_nodes = store->trim_nodes;
		work->needed = store->needed;
		store->trim_applied = 0;
	}
	work->stopping = store->log_stopping;
	work->snap_failed = snap_failed(store);
	pthread_mutex_unlock(&store->log_mutex);
}

static void
written(struct store *store, struct work *work)
{
	bool crowded;

	pthread_mutex_lock(&store->log_mutex);
	STAILQ_CONCAT(&store->spent, &work->items);
	crowded = queue_crowded(store);
	store->queued_rows -= work->rows;
	store->queued_bytes -= work->bytes;
	crowded = crowded && !queue_crowded(store);
	pthread_mutex_unlock(&store->log_mutex);
	/* In a synchronisation no completion would say so. */
	if (crowded)
		store_wake(store);
}

static void
checkpoint(struct store *store)
{
	db_checkpoint(store->log, SQLITE_CHECKPOINT_PASSIVE);
	store->wal_pages = 0;
}

/* Between transactions. */
static void
tidy(struct store *store, bool idle)
{
	if (idle && store->trim_to == 0 && store->wal_pages != 0)
		checkpoint(store);
	if (store->trim_to != 0)
		trim_some(store);
	if (store->wal_pages > WAL_PAGES_MAX)
		checkpoint(store);
}

static void *
log_main(void *arg)
{
	struct store *store = arg;
	struct work work;
	bool idle;

	for (;;) {
		take(store, &work);
		idle = STAILQ_EMPTY(&work.items);
		if (work.trim_applied != 0)
			trim_begin(store, work.trim_applied, work.trim_nodes, work.needed);
		if (work.snap_failed)
			fail(store);
		write_items(store, &work.items);
		written(store, &work);
		if (work.stopping && idle && (store->log_syncing || store->trim_to == 0))
			break;
		if (!store->log_syncing)
			tidy(store, idle);
	}
	if (store->log_syncing)
		log_undo(store);
	return NULL;
}

void
log_thread_start(struct store *store)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&store->log_work, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&store->log_mutex, NULL);
	STAILQ_INIT(&store->items);
	STAILQ_INIT(&store->spent);
	store->insert = db_prepare(
	    store->log, "INSERT INTO log(zxid, prev, hash, payload) VALUES (?, ?, ?, ?)");
	db_watch_wal(store->log, &store->wal_pages);
	CHECK(pthread_create(&store->log_thread, NULL, log_main, store) == 0);
}

void
log_thread_stop(struct store *store)
{
	pthread_mutex_lock(&store->log_mutex);
	store->log_stopping = true;
	pthread_cond_signal(&store->log_work);
	pthread_mutex_unlock(&store->log_mutex);
	pthread_join(store->log_thread, NULL);
}

/* When the image thread, too, has ended. */
void
log_thread_free(struct store *store)
{
	queue_free_spent(store);
	sqlite3_finalize(store->insert);
	pthread_mutex_destroy(&store->log_mutex);
	pthread_cond_destroy(&store->log_work);
}
