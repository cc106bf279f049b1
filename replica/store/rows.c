/* Log rows read back, each checked against the chain of hashes. Called on the loop's thread. */
#include "replica/store/store_internal.h"

#include "replica/lib/err.h"

#include <xxhash.h>

uint64_t
row_hash(uint64_t prev_hash, uint64_t zxid, uint64_t prev_zxid, struct blob payload)
{
	uint64_t place[3] = { prev_hash, zxid, prev_zxid };

	return XXH3_64bits_withSeed(payload.data, payload.len, XXH3_64bits(place, sizeof place));
}

/* The hash and zxid that the row after `after` must name. False: its rows are gone. */
static bool
chain_start(struct store *store, uint64_t after, uint64_t *zxid, uint64_t *hash)
{
	sqlite3_stmt *statement;
	uint64_t base = 0;

	db_meta_get(store->reader, "base_zxid", &base);
	if (after < base)
		return false;
	*zxid = base;
	*hash = 0;
	db_meta_get(store->reader, "base_hash", hash);
	statement = db_prepare(
	    store->reader, "SELECT zxid, hash FROM log WHERE zxid <= ? ORDER BY zxid DESC LIMIT 1");
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)after);
	if (db_row(store->reader, statement, "reading a log row")) {
		*zxid = (uint64_t)sqlite3_column_int64(statement, 0);
		*hash = (uint64_t)sqlite3_column_int64(statement, 1);
	}
	sqlite3_finalize(statement);
	return true;
}

static struct blob
column_blob(sqlite3_stmt *statement, int column)
{
	struct blob blob;

	blob.data = sqlite3_column_blob(statement, column);
	blob.len = (uint32_t)sqlite3_column_bytes(statement, column);
	return blob;
}

int
store_read(struct store *store, uint64_t after,
    bool (*row)(void *arg, uint64_t zxid, struct blob payload), void *arg)
{
	uint64_t zxid, prev_zxid, hash;
	sqlite3_stmt *statement;
	struct blob payload;
	int code, result = 0;

	/* One read transaction: the base must not move between the two looks. */
	db_exec(store->reader, "BEGIN");
	if (!chain_start(store, after, &prev_zxid, &hash)) {
		db_exec(store->reader, "COMMIT");
		return ERR_NONODE;
	}
	statement = db_prepare(store->reader,
	    "SELECT zxid, prev, hash, payload FROM log WHERE zxid > ? ORDER BY zxid");
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)after);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		zxid = (uint64_t)sqlite3_column_int64(statement, 0);
		payload = column_blob(statement, 3);
		hash = row_hash(hash, zxid, prev_zxid, payload);
		if ((uint64_t)sqlite3_column_int64(statement, 1) != prev_zxid ||
		    (uint64_t)sqlite3_column_int64(statement, 2) != hash) {
			result = ERR_IO;
			break;
		}
		prev_zxid = zxid;
		if (!row(arg, zxid, payload))
			break;
	}
	if (result == 0)
		result = db_read_result(store->reader, code, "reading the log");
	sqlite3_finalize(statement);
	db_exec(store->reader, "COMMIT");
	return result;
}
