/*
 * What a database knows of itself: numbers by name, written together with the
 * checksum of all of them, because nothing else would notice a bit that
 * flipped in one.
 */
#include "replica/store/store_internal.h"

#include <string.h>
#include <xxhash.h>

#define SUM_KEY "sum"

static const char *const log_keys[] = { "accepted_epoch", "accepted_sid", "current_epoch",
	"base_zxid", "base_hash", "voter", "tree", "member" };
static const char *const image_keys[] = { "applied", "next_id", "image_upto", "snap_upto",
	"digest" };

#define LOG_KEYS (sizeof log_keys / sizeof log_keys[0])
#define IMAGE_KEYS (sizeof image_keys / sizeof image_keys[0])
_Static_assert(sizeof(struct log_meta) == LOG_KEYS * sizeof(uint64_t), "a key for each");
_Static_assert(sizeof(struct image_meta) == IMAGE_KEYS * sizeof(uint64_t), "a key for each");

static bool
get(sqlite3 *db, sqlite3_stmt *statement, const char *key, uint64_t *value)
{
	bool found;

	sqlite3_reset(statement);
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	found = db_row(db, statement, "reading meta");
	if (found)
		*value = db_number(statement, 0);
	return found;
}

static bool
read_all(sqlite3 *db, const char *const *keys, size_t count, void *values)
{
	sqlite3_stmt *statement = db_prepare(db, "SELECT value FROM meta WHERE key = ?");
	uint64_t value[LOG_KEYS] = { 0 }, sum;
	bool found = true;
	size_t i;

	for (i = 0; i < count; i++)
		found = get(db, statement, keys[i], &value[i]) && found;
	found = get(db, statement, SUM_KEY, &sum) && found;
	sqlite3_finalize(statement);
	memcpy(values, value, count * sizeof value[0]);
	return found && sum == XXH3_64bits(values, count * sizeof value[0]);
}

static enum db_result
set(sqlite3 *db, sqlite3_stmt *statement, const char *key, uint64_t value)
{
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)value);
	return db_run(db, statement, "writing meta");
}

static enum db_result
write_all(sqlite3 *db, const char *const *keys, size_t count, const void *values)
{
	sqlite3_stmt *statement = db_prepare(db, "REPLACE INTO meta(key, value) VALUES (?, ?)");
	enum db_result result = DB_OK;
	uint64_t value[LOG_KEYS];
	size_t i;

	memcpy(value, values, count * sizeof value[0]);
	for (i = 0; i < count && result == DB_OK; i++)
		result = set(db, statement, keys[i], value[i]);
	if (result == DB_OK)
		result = set(db, statement, SUM_KEY, XXH3_64bits(values, count * sizeof value[0]));
	sqlite3_finalize(statement);
	return result;
}

bool
log_meta_read(sqlite3 *db, struct log_meta *meta)
{
	return read_all(db, log_keys, LOG_KEYS, meta);
}

enum db_result
log_meta_write(sqlite3 *db, const struct log_meta *meta)
{
	return write_all(db, log_keys, LOG_KEYS, meta);
}

bool
image_meta_read(sqlite3 *db, struct image_meta *meta)
{
	return read_all(db, image_keys, IMAGE_KEYS, meta);
}

enum db_result
image_meta_write(sqlite3 *db, const struct image_meta *meta)
{
	return write_all(db, image_keys, IMAGE_KEYS, meta);
}

void
meta_old(sqlite3 *db, const char *key, uint64_t *value)
{
	sqlite3_stmt *statement = db_prepare(db, "SELECT value FROM meta WHERE key = ?");

	get(db, statement, key, value);
	sqlite3_finalize(statement);
}
