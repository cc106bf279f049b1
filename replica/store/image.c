/*
 * The tree's image: tree-N.db and its thread. Batches are small transactions
 * without fsync; the one that records `applied` is synced, and with it
 * everything before it in the same WAL.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char schema[] =
    "CREATE TABLE node(id INTEGER PRIMARY KEY, parent INTEGER, name BLOB, mode INTEGER, uid "
    "INTEGER, gid INTEGER,"
    " czxid INTEGER, mzxid INTEGER, pzxid INTEGER, version INTEGER, cversion INTEGER, aversion "
    "INTEGER,"
    " owner INTEGER, handle INTEGER, birth_ns INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, value "
    "BLOB, sum INTEGER);"
    "CREATE TABLE session(id INTEGER PRIMARY KEY, timeout_ms INTEGER, acked INTEGER, secret BLOB, "
    "identity BLOB,"
    " results BLOB, sum INTEGER);"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;";

int
image_open(struct store *store, bool create, char *err, size_t errlen)
{
	int code = db_open(
	    store->dir, TREE_FILE, TREE_APPLICATION_ID, false, create, &store->tree, err, errlen);

	if (code != 0)
		return code;
	if (create && db_exec(store->tree, schema) != DB_OK)
		return EX_CANTCREAT;
	db_checkpoint(store->tree, SQLITE_CHECKPOINT_TRUNCATE);
	db_meta_get(store->tree, "applied", &store->state.applied);
	db_meta_get(store->tree, "next_id", &store->state.next_id);
	return 0;
}

static struct blob
column_blob(sqlite3_stmt *statement, int column)
{
	struct blob blob;

	blob.data = sqlite3_column_blob(statement, column);
	blob.len = (uint32_t)sqlite3_column_bytes(statement, column);
	return blob;
}

static uint64_t
column_number(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

static int
load_node(sqlite3_stmt *s, int (*node)(void *arg, const struct store_node *row), void *arg)
{
	struct store_node row = {
		.id = column_number(s, 0),
		.parent = column_number(s, 1),
		.name = column_blob(s, 2),
		.mode = (uint32_t)column_number(s, 3),
		.uid = (uint32_t)column_number(s, 4),
		.gid = (uint32_t)column_number(s, 5),
		.czxid = column_number(s, 6),
		.mzxid = column_number(s, 7),
		.pzxid = column_number(s, 8),
		.version = (uint32_t)column_number(s, 9),
		.cversion = (uint32_t)column_number(s, 10),
		.aversion = (uint32_t)column_number(s, 11),
		.owner = column_number(s, 12),
		.handle = column_number(s, 13),
		.birth_ns = sqlite3_column_int64(s, 14),
		.mtime_ns = sqlite3_column_int64(s, 15),
		.ctime_ns = sqlite3_column_int64(s, 16),
		.value = column_blob(s, 17),
	};

	return column_number(s, 18) == node_sum(&row) ? node(arg, &row) : ERR_IO;
}

static int
load_session(sqlite3_stmt *s, int (*session)(void *arg, const struct store_session *row), void *arg)
{
	struct store_session row = {
		.id = column_number(s, 0),
		.timeout_ms = (uint32_t)column_number(s, 1),
		.acked = column_number(s, 2),
		.secret = column_blob(s, 3),
		.identity = column_blob(s, 4),
		.results = column_blob(s, 5),
	};

	return column_number(s, 6) == session_sum(&row) ? session(arg, &row) : ERR_IO;
}

int
store_image_load(struct store *store, int (*node)(void *arg, const struct store_node *row),
    int (*session)(void *arg, const struct store_session *row), void *arg)
{
	sqlite3_stmt *statement = db_prepare(store->tree, "SELECT * FROM session ORDER BY id");
	int code, result = 0;

	while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW)
		result = load_session(statement, session, arg);
	sqlite3_finalize(statement);
	if (result == 0)
		result = db_read_result(store->tree, code, "reading the image");
	if (result != 0)
		return result;
	statement = db_prepare(store->tree, "SELECT * FROM node ORDER BY id");
	while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW)
		result = load_node(statement, node, arg);
	sqlite3_finalize(statement);
	return result != 0 ? result : db_read_result(store->tree, code, "reading the image");
}

static void
push(struct store *store, struct image_order *order)
{
	pthread_mutex_lock(&store->image_mutex);
	STAILQ_INSERT_TAIL(&store->orders, order, next);
	store->orders_queued += order->batch != NULL;
	pthread_cond_signal(&store->image_work);
	pthread_mutex_unlock(&store->image_mutex);
}

void
store_pass_put(struct store *store, struct store_batch *batch)
{
	struct image_order *order = calloc(1, sizeof *order);

	CHECK(order != NULL);
	order->batch = batch;
	push(store, order);
}

void
store_pass_end(struct store *store, uint64_t applied, uint64_t next_id, uint64_t nodes)
{
	struct image_order *order = calloc(1, sizeof *order);

	CHECK(order != NULL);
	order->applied = applied;
	order->next_id = next_id;
	order->nodes = nodes;
	push(store, order);
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

static void
roll_back(struct store *store)
{
	store->pass_failed = true;
	if (!sqlite3_get_autocommit(store->tree) && db_exec(store->tree, "ROLLBACK") != DB_OK)
		db_die(store->tree, "rolling back");
}

static void
write_batch(struct store *store, const struct store_batch *batch)
{
	if (store->pass_failed)
		return;
	if (db_exec(store->tree, "BEGIN IMMEDIATE") == DB_OK &&
	    batch_write(store, batch) == DB_OK && db_exec(store->tree, "COMMIT") == DB_OK)
		return;
	roll_back(store);
}

static enum db_result
write_end(struct store *store, const struct image_order *order)
{
	enum db_result result;

	if (store->pass_failed)
		return DB_FULL;
	db_exec(store->tree, "PRAGMA synchronous = FULL");
	result = db_exec(store->tree, "BEGIN IMMEDIATE");
	if (result == DB_OK)
		result = db_meta_set(store->tree, "applied", order->applied);
	if (result == DB_OK)
		result = db_meta_set(store->tree, "next_id", order->next_id);
	if (result == DB_OK)
		result = db_exec(store->tree, "COMMIT");
	if (result != DB_OK)
		roll_back(store);
	db_exec(store->tree, "PRAGMA synchronous = NORMAL");
	return result;
}

static void
end_pass(struct store *store, const struct image_order *order)
{
	enum db_result result = write_end(store, order);

	store->pass_failed = false;
	/* Also after a failure: the WAL's space is what the disk lacks. */
	db_checkpoint(store->tree, SQLITE_CHECKPOINT_TRUNCATE);
	if (result == DB_OK)
		log_trim(store, order->applied, order->nodes);
	store_done_push(
	    store, result == DB_OK ? STORE_PASSED : STORE_PASS_FAILED, order->applied, 0);
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

static void *
image_main(void *arg)
{
	struct store *store = arg;
	struct image_order *order;

	while ((order = take(store)) != NULL) {
		if (order->batch == NULL) {
			end_pass(store, order);
		} else {
			write_batch(store, order->batch);
			store_batch_free(order->batch);
			pthread_mutex_lock(&store->image_mutex);
			store->orders_queued--;
			pthread_mutex_unlock(&store->image_mutex);
			/* The loop may hand over the next one. */
			store_wake(store);
		}
		free(order);
	}
	return NULL;
}

void
image_thread_start(struct store *store)
{
	pthread_mutex_init(&store->image_mutex, NULL);
	pthread_cond_init(&store->image_work, NULL);
	STAILQ_INIT(&store->orders);
	store->node_put = db_prepare(store->tree,
	    "REPLACE INTO node VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	store->node_gone = db_prepare(store->tree, "DELETE FROM node WHERE id = ?");
	store->session_put =
	    db_prepare(store->tree, "REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?, ?)");
	store->session_gone = db_prepare(store->tree, "DELETE FROM session WHERE id = ?");
	db_exec(store->tree, "PRAGMA synchronous = NORMAL");
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
	sqlite3_finalize(store->node_put);
	sqlite3_finalize(store->node_gone);
	sqlite3_finalize(store->session_put);
	sqlite3_finalize(store->session_gone);
	pthread_mutex_destroy(&store->image_mutex);
	pthread_cond_destroy(&store->image_work);
}
