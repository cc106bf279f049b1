/*
 * Retention: the rows that the image makes dispensable go, a piece at a time,
 * but some are kept for members that are behind. On the log thread.
 */
#include "replica/store/store_internal.h"

#define TRIM_ROWS 500 /* dropped in one transaction */

/*
 * The row below which nothing is kept: `keep` rows stay. Rows of one epoch are
 * numbered from 1 without a gap, so only the epochs are walked. 0: keep all.
 */
static uint64_t
cut_at(struct store *store, uint64_t keep)
{
	uint64_t zxid = store->log_durable.zxid, counter;
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
		zxid = db_number(statement, 0);
		if (zxid == 0)
			break;
	}
	sqlite3_finalize(statement);
	return 0;
}

void
trim_begin(struct store *store, uint64_t applied, uint64_t nodes, uint64_t needed)
{
	uint64_t keep = nodes * store->log_tree_percent / 100, cut;

	if (keep < store->log_rows_min)
		keep = store->log_rows_min;
	cut = cut_at(store, keep);
	if (cut > applied)
		cut = applied;
	/* Who is being sent them has them longer, but not without end. */
	if (needed < cut && store->log_durable.rows <= keep + store->log_rows_sent)
		cut = needed;
	store->trim_to = cut;
}

static enum db_result
trim_rows(struct store *store, uint64_t upto, uint64_t hash)
{
	sqlite3_stmt *statement = db_prepare(store->log, "DELETE FROM log WHERE zxid <= ?");
	enum db_result result = db_exec(store->log, "BEGIN IMMEDIATE");
	struct log_meta meta = store->log_durable.meta;
	uint64_t gone = 0;

	meta.base_zxid = upto;
	meta.base_hash = hash;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)upto);
	if (result == DB_OK)
		result = db_run(store->log, statement, "dropping log rows");
	if (result == DB_OK) {
		gone = (uint64_t)sqlite3_changes(store->log);
		result = log_meta_write(store->log, &meta);
	}
	if (result == DB_OK)
		result = db_exec(store->log, "COMMIT");
	if (result == DB_OK) {
		store->log_durable.meta = meta;
		store->rows = store->log_durable.rows -= gone;
	}
	sqlite3_finalize(statement);
	return result;
}

/* Drops one piece. The rows and the new base change in one transaction. */
void
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
		upto = db_number(statement, 0);
		hash = db_number(statement, 1);
	}
	sqlite3_finalize(statement);
	if (upto == 0) {
		store->trim_to = 0;
		return;
	}
	if (trim_rows(store, upto, hash) != DB_OK) {
		db_roll_back(store->log);
		store->trim_to = 0; /* after the next pass */
	}
}
