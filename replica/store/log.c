/*
 * The log thread: takes everything queued, one transaction, one fsync, one
 * completion (group commit). When it has nothing to do it checkpoints and
 * drops old rows, a little at a time.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define IDLE_MS 20	    /* without work, before the WAL is moved to the database */
#define WAL_PAGES_MAX 2048  /* 8 MiB: checkpointed even under load */
#define TRIM_ROWS 500	    /* dropped in one transaction */
#define EPOCH_MAX INT32_MAX /* a zxid is stored as a signed 64-bit integer */

static struct item *
item_new(struct store *store, enum item_type type, uint32_t len)
{
	struct item *item = malloc(sizeof *item + len);

	CHECK(item != NULL);
	item->type = type;
	item->generation = store->generation;
	item->len = len;
	return item;
}

static void
enqueue(struct store *store, struct item *item)
{
	pthread_mutex_lock(&store->log_mutex);
	STAILQ_INSERT_TAIL(&store->items, item, next);
	store->queued_bytes += item->len;
	store->queued_rows += item->type == ITEM_ROW;
	if (store->log_sleeping)
		pthread_cond_signal(&store->log_work);
	pthread_mutex_unlock(&store->log_mutex);
}

int
store_append(struct store *store, const struct store_row *row)
{
	struct item *item;
	bool full;

	pthread_mutex_lock(&store->log_mutex);
	full = store->queued_rows >= STORE_QUEUE_ROWS_MAX ||
	       store->queued_bytes + row->payload.len > STORE_QUEUE_BYTES_MAX;
	pthread_mutex_unlock(&store->log_mutex);
	if (full)
		return ERR_BUSY;
	CHECK(row->zxid > row->prev_zxid && row->prev_zxid == store->last_appended);
	store->last_appended = row->zxid;
	item = item_new(store, ITEM_ROW, row->payload.len);
	item->zxid = row->zxid;
	item->prev_zxid = row->prev_zxid;
	memcpy(item->payload, row->payload.data, row->payload.len);
	enqueue(store, item);
	return 0;
}

void
store_set_epochs(struct store *store, uint64_t accepted, uint64_t accepted_sid, uint64_t current)
{
	struct item *item = item_new(store, ITEM_EPOCHS, 0);

	if (accepted > EPOCH_MAX)
		fatal(EX_SOFTWARE, "epoch %llu is beyond what the log can hold",
		    (unsigned long long)accepted);
	item->accepted = accepted;
	item->accepted_sid = accepted_sid;
	item->current = current;
	enqueue(store, item);
}

uint64_t
store_queued(const struct store *store)
{
	struct store *unconst = (struct store *)(uintptr_t)store;
	uint64_t rows;

	pthread_mutex_lock(&unconst->log_mutex);
	rows = store->queued_rows;
	pthread_mutex_unlock(&unconst->log_mutex);
	return rows;
}

void
log_trim(struct store *store, uint64_t applied, uint64_t nodes)
{
	pthread_mutex_lock(&store->log_mutex);
	store->trim_applied = applied;
	store->trim_nodes = nodes;
	pthread_cond_signal(&store->log_work);
	pthread_mutex_unlock(&store->log_mutex);
}

static void
items_free(struct items *items)
{
	struct item *item;

	while ((item = STAILQ_FIRST(items)) != NULL) {
		STAILQ_REMOVE_HEAD(items, next);
		free(item);
	}
}

/* What became durable with a batch. */
struct progress {
	uint64_t zxid, hash, epochs;
};

static enum db_result
write_row(struct store *store, const struct item *item, struct progress *progress)
{
	struct blob payload = { item->payload, item->len };

	CHECK(item->prev_zxid == progress->zxid);
	progress->hash = row_hash(progress->hash, item->zxid, item->prev_zxid, payload);
	progress->zxid = item->zxid;
	sqlite3_bind_int64(store->insert, 1, (sqlite3_int64)item->zxid);
	sqlite3_bind_int64(store->insert, 2, (sqlite3_int64)item->prev_zxid);
	sqlite3_bind_int64(store->insert, 3, (sqlite3_int64)progress->hash);
	sqlite3_bind_blob(store->insert, 4, item->payload, (int)item->len, SQLITE_STATIC);
	return db_run(store->log, store->insert, "appending a log row");
}

static enum db_result
write_epochs(struct store *store, const struct item *item, struct progress *progress)
{
	progress->epochs++;
	sqlite3_bind_int64(store->epochs, 1, (sqlite3_int64)item->accepted);
	sqlite3_bind_int64(store->epochs, 2, (sqlite3_int64)item->accepted_sid);
	sqlite3_bind_int64(store->epochs, 3, (sqlite3_int64)item->current);
	return db_run(store->log, store->epochs, "writing the epochs");
}

static enum db_result
write_items(struct store *store, const struct items *items, struct progress *progress)
{
	enum db_result result = db_exec(store->log, "BEGIN IMMEDIATE");
	const struct item *item;

	STAILQ_FOREACH (item, items, next) {
		if (result != DB_OK)
			return result;
		/* Appended before the loop knew that the disk had been full: void. */
		if (item->generation < store->log_generation)
			continue;
		if (item->type == ITEM_ROW)
			result = write_row(store, item, progress);
		else
			result = write_epochs(store, item, progress);
	}
	return result == DB_OK ? db_exec(store->log, "COMMIT") : result;
}

static void
roll_back(struct store *store)
{
	/* After some errors SQLite has rolled back already. */
	if (!sqlite3_get_autocommit(store->log) && db_exec(store->log, "ROLLBACK") != DB_OK)
		db_die(store->log, "rolling back");
}

static void
commit(struct store *store, struct items *items, uint64_t rows, size_t bytes)
{
	struct progress progress = { store->durable_zxid, store->durable_hash,
		store->durable_epochs };
	bool full = write_items(store, items, &progress) != DB_OK;

	if (full) {
		roll_back(store);
		store->log_generation++;
	} else {
		store->durable_zxid = progress.zxid;
		store->durable_hash = progress.hash;
		store->durable_epochs = progress.epochs;
		highwater_set(store, progress.zxid);
	}
	pthread_mutex_lock(&store->log_mutex);
	store->queued_rows -= rows;
	store->queued_bytes -= bytes;
	pthread_mutex_unlock(&store->log_mutex);
	items_free(items);
	store_done_push(
	    store, full ? STORE_FULL : STORE_LOGGED, store->durable_zxid, store->durable_epochs);
}

/*
 * The row below which nothing is kept: `keep` rows stay. Rows of one epoch are
 * numbered from 1 without a gap, so only the epochs are walked. 0: keep all.
 */
static uint64_t
cut_at(struct store *store, uint64_t keep)
{
	uint64_t zxid = store->durable_zxid, counter;
	sqlite3_stmt *statement = db_prepare(store->log, "SELECT prev FROM log WHERE zxid = ?");

	for (;;) {
		counter = zxid & UINT32_MAX;
		if (counter > keep) {
			sqlite3_finalize(statement);
			return zxid - keep;
		}
		keep -= counter;
		sqlite3_reset(statement);
		sqlite3_bind_int64(statement, 1, (sqlite3_int64)(zxid - counter + 1));
		if (!db_row(store->log, statement, "reading the log's epochs"))
			break; /* below the base */
		zxid = (uint64_t)sqlite3_column_int64(statement, 0);
		if (zxid == 0)
			break;
	}
	sqlite3_finalize(statement);
	return 0;
}

static void
trim_begin(struct store *store, uint64_t applied, uint64_t nodes)
{
	uint64_t keep = nodes * store->log_tree_percent / 100, cut;

	cut = cut_at(store, keep > store->log_rows_min ? keep : store->log_rows_min);
	store->trim_to = cut < applied ? cut : applied;
}

static enum db_result
trim_rows(struct store *store, uint64_t upto, uint64_t hash)
{
	sqlite3_stmt *statement = db_prepare(store->log, "DELETE FROM log WHERE zxid <= ?");
	enum db_result result = db_exec(store->log, "BEGIN IMMEDIATE");

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)upto);
	if (result == DB_OK)
		result = db_run(store->log, statement, "dropping log rows");
	if (result == DB_OK)
		result = db_meta_set(store->log, "base_zxid", upto);
	if (result == DB_OK)
		result = db_meta_set(store->log, "base_hash", hash);
	if (result == DB_OK)
		result = db_exec(store->log, "COMMIT");
	sqlite3_finalize(statement);
	return result;
}

/* Drops one piece. The rows and the new base change in one transaction. */
static void
trim_some(struct store *store)
{
	sqlite3_stmt *statement =
	    db_prepare(store->log, "SELECT zxid, hash FROM (SELECT zxid, hash FROM log WHERE zxid "
				   "<= ? ORDER BY zxid LIMIT ?) "
				   "ORDER BY zxid DESC LIMIT 1");
	uint64_t upto = 0, hash = 0;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)store->trim_to);
	sqlite3_bind_int64(statement, 2, TRIM_ROWS);
	if (db_row(store->log, statement, "reading what the log may drop")) {
		upto = (uint64_t)sqlite3_column_int64(statement, 0);
		hash = (uint64_t)sqlite3_column_int64(statement, 1);
	}
	sqlite3_finalize(statement);
	if (upto == 0) {
		store->trim_to = 0;
		return;
	}
	if (trim_rows(store, upto, hash) != DB_OK) {
		roll_back(store);
		store->trim_to = 0; /* after the next pass */
	}
}

/* SQLite tells the size of the WAL after each commit. */
static int
on_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *store = arg;

	(void)db;
	(void)name;
	store->wal_pages = pages;
	return SQLITE_OK;
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
	if (store->wal_pages != 0)
		pthread_cond_timedwait(&store->log_work, &store->log_mutex, &until);
	else
		pthread_cond_wait(&store->log_work, &store->log_mutex);
	store->log_sleeping = false;
}

static void
checkpoint(struct store *store)
{
	db_checkpoint(store->log, SQLITE_CHECKPOINT_PASSIVE);
	store->wal_pages = 0;
}

static void *
log_main(void *arg)
{
	struct store *store = arg;
	struct items items;
	uint64_t rows, applied, nodes;
	size_t bytes;
	bool stopping;

	for (;;) {
		STAILQ_INIT(&items);
		pthread_mutex_lock(&store->log_mutex);
		if (STAILQ_EMPTY(&store->items) && !store->log_stopping &&
		    store->trim_applied == 0 && store->trim_to == 0)
			wait_for_work(store);
		STAILQ_CONCAT(&items, &store->items);
		rows = store->queued_rows;
		bytes = store->queued_bytes;
		applied = store->trim_applied;
		nodes = store->trim_nodes;
		store->trim_applied = 0;
		stopping = store->log_stopping;
		pthread_mutex_unlock(&store->log_mutex);

		if (applied != 0)
			trim_begin(store, applied, nodes);
		if (!STAILQ_EMPTY(&items))
			commit(store, &items, rows, bytes);
		else if (stopping && store->trim_to == 0)
			break;
		else if (store->trim_to == 0 && store->wal_pages != 0)
			checkpoint(store);
		if (store->trim_to != 0)
			trim_some(store);
		if (store->wal_pages > WAL_PAGES_MAX)
			checkpoint(store);
	}
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
	store->insert = db_prepare(
	    store->log, "INSERT INTO log(zxid, prev, hash, payload) VALUES (?, ?, ?, ?)");
	store->epochs =
	    db_prepare(store->log, "REPLACE INTO meta(key, value) VALUES ('accepted_epoch', ?1), "
				   "('accepted_sid', ?2), ('current_epoch', ?3)");
	sqlite3_wal_hook(store->log, on_wal, store);
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
	sqlite3_finalize(store->insert);
	sqlite3_finalize(store->epochs);
	pthread_mutex_destroy(&store->log_mutex);
	pthread_cond_destroy(&store->log_work);
}
