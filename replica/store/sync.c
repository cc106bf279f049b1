/*
 * A synchronisation with the leader, on the log thread: one transaction, kept
 * open while its rows come in, from the truncation, or the snapshot's base, to
 * the epoch. Crash where it may, the log is the old one or the new one.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/check.h"

/* What was called for before is not a part of it. */
static enum db_result
finish_open(struct store *store)
{
	bool open = store->log_open;
	enum db_result result = log_commit(store);

	if (open && result == DB_OK)
		log_report(store, STORE_LOGGED);
	return result;
}

static enum db_result
truncate_rows(struct store *store, uint64_t zxid)
{
	sqlite3_stmt *statement = db_prepare(store->log, "DELETE FROM log WHERE zxid > ?");
	enum db_result result;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)zxid);
	result = db_run(store->log, statement, "truncating the log");
	store->log_pending.rows -= (uint64_t)sqlite3_changes(store->log);
	sqlite3_finalize(statement);
	return result;
}

enum db_result
sync_begin(struct store *store, const struct item *item)
{
	struct progress *pending = &store->log_pending;
	enum db_result result = finish_open(store);

	if (result != DB_OK)
		return result;
	result = log_begin(store);
	store->log_syncing = true;
	pending->zxid = item->zxid;
	pending->hash = item->hash;
	if (item->type == ITEM_SYNC) {
		CHECK(item->zxid >= pending->meta.base_zxid);
		return result == DB_OK ? truncate_rows(store, item->zxid) : result;
	}
	store->trim_to = 0;
	store->log_snap = item->tree;
	pending->meta.base_zxid = item->zxid;
	pending->meta.base_hash = item->hash;
	pending->meta.tree = item->tree;
	pending->rows = 0;
	return result == DB_OK ? db_exec(store->log, "DELETE FROM log") : result;
}

/* The tree file has to be on disk, whole, before it is named. */
static enum db_result
wait_for_snap(struct store *store)
{
	bool ready;

	pthread_mutex_lock(&store->log_mutex);
	store->log_sleeping = true;
	while (store->snap_ready != store->log_snap && store->snap_failed != store->log_snap)
		pthread_cond_wait(&store->log_work, &store->log_mutex);
	store->log_sleeping = false;
	ready = store->snap_ready == store->log_snap;
	pthread_mutex_unlock(&store->log_mutex);
	return ready ? DB_OK : DB_FULL;
}

enum db_result
sync_commit(struct store *store, const struct item *item)
{
	struct image_order adopt = { .type = ORDER_ADOPT };
	struct progress *pending = &store->log_pending;
	uint32_t snap = store->log_snap;
	enum db_result result = DB_OK;

	CHECK(store->log_syncing);
	pending->meta.current_epoch = item->current;
	pending->op = item->op;
	if (snap != 0)
		result = wait_for_snap(store);
	if (result == DB_OK)
		result = log_meta_write(store->log, &pending->meta);
	if (result == DB_OK && pending->zxid < store->log_durable.zxid)
		result = highwater_lower(store, pending);
	if (result == DB_OK)
		result = log_commit(store);
	if (result != DB_OK)
		return result;
	/* Before anyone can ask for a pass. */
	if (snap != 0)
		image_push(store, &adopt);
	log_report(store, STORE_LOGGED);
	return DB_OK;
}

enum db_result
sync_abort(struct store *store, const struct item *item)
{
	enum db_result result = DB_OK;

	if (store->log_syncing)
		log_undo(store);
	else
		result = log_commit(store);
	if (result != DB_OK)
		return result;
	store->log_durable.op = item->op;
	log_report(store, STORE_LOGGED);
	return DB_OK;
}
