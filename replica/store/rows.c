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

bool
rows_contiguous(sqlite3 *log, struct progress *progress)
{
	sqlite3_stmt *statement = db_prepare(log, "SELECT zxid, prev, hash FROM log ORDER BY zxid");
	bool good = true;

	progress->zxid = progress->meta.base_zxid;
	progress->hash = progress->meta.base_hash;
	progress->rows = 0;
	while (good && db_row(log, statement, "reading the log")) {
		good = db_number(statement, 1) == progress->zxid &&
		       db_number(statement, 0) > progress->zxid;
		progress->zxid = db_number(statement, 0);
		progress->hash = db_number(statement, 2);
		progress->rows++;
	}
	sqlite3_finalize(statement);
	return good;
}

/* A place in the chain: a row's, or the base's. */
struct link {
	uint64_t zxid, prev, hash;
	bool good; /* a row: its hash is what its predecessor and its payload make */
};

/* The row that the query finds, checked against the link before it; false: there is none. */
static bool
find(struct store *store, const char *sql, uint64_t zxid, const struct link *before,
    struct link *row)
{
	sqlite3_stmt *statement = db_prepare(store->reader, sql);
	bool found;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)zxid);
	found = db_row(store->reader, statement, "reading a log row");
	if (found) {
		row->zxid = db_number(statement, 0);
		row->prev = db_number(statement, 1);
		row->hash = db_number(statement, 2);
		row->good = before != NULL && row->prev == before->zxid &&
			    row->hash ==
				row_hash(before->hash, row->zxid, row->prev, db_blob(statement, 3));
	}
	sqlite3_finalize(statement);
	return found;
}

#define ROW_AT_OR_BELOW                                                                            \
	"SELECT zxid, prev, hash, payload FROM log WHERE zxid <= ? ORDER BY zxid DESC LIMIT 1"
#define ROW_ABOVE "SELECT zxid, prev, hash, payload FROM log WHERE zxid > ? ORDER BY zxid LIMIT 1"

/* The greatest link at or below zxid. 0, ERR_NONODE (below the base), ERR_IO. */
static int
link_at(struct store *store, uint64_t zxid, struct link *out)
{
	struct link base = { .good = true }, before, row;
	struct log_meta meta;

	if (!log_meta_read(store->reader, &meta))
		return ERR_IO;
	if (zxid < meta.base_zxid)
		return ERR_NONODE;
	base.zxid = meta.base_zxid;
	base.hash = meta.base_hash;
	*out = base;
	if (!find(store, ROW_AT_OR_BELOW, zxid, NULL, &row))
		return 0;
	if (row.zxid == 0 || !find(store, ROW_AT_OR_BELOW, row.zxid - 1, NULL, &before))
		before = base;
	/* Read again, now that its predecessor is known. */
	if (!find(store, ROW_AT_OR_BELOW, zxid, &before, out) || !out->good)
		return ERR_IO;
	return 0;
}

static int
look_up(struct store *store, uint64_t zxid, struct link *at)
{
	struct link next;
	int code = link_at(store, zxid, at);

	if (code != 0)
		return code;
	/* Nor may rows be missing between it and the next one, or the search have gone astray. */
	if (find(store, ROW_ABOVE, zxid, at, &next))
		return next.good && next.zxid > zxid ? 0 : ERR_IO;
	return store->sync_op == 0 && at->zxid < store->durable && at->zxid < zxid ? ERR_IO : 0;
}

int
store_look_up(struct store *store, uint64_t zxid, uint64_t *found, uint64_t *hash)
{
	struct link at;
	int code;

	/* One read transaction: the base must not move between the looks. */
	db_exec(store->reader, "BEGIN");
	code = look_up(store, zxid, &at);
	db_exec(store->reader, "COMMIT");
	if (code != 0)
		return code;
	*found = at.zxid;
	*hash = at.hash;
	return 0;
}

/* The rows above `after`, as a chain that begins at `at`. */
static int
read_rows(struct store *store, struct link at, uint64_t after,
    bool (*row)(void *arg, uint64_t zxid, struct blob payload), void *arg)
{
	sqlite3_stmt *statement = db_prepare(store->reader,
	    "SELECT zxid, prev, hash, payload FROM log WHERE zxid > ? ORDER BY zxid");
	struct blob payload;
	int code = SQLITE_DONE, result = 0;
	bool more = true;
	uint64_t zxid;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)after);
	while (more && result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		zxid = db_number(statement, 0);
		payload = db_blob(statement, 3);
		at.hash = row_hash(at.hash, zxid, at.zxid, payload);
		if (zxid <= after || db_number(statement, 1) != at.zxid ||
		    db_number(statement, 2) != at.hash) {
			result = ERR_IO;
			continue;
		}
		at.zxid = zxid;
		more = row(arg, zxid, payload);
	}
	sqlite3_finalize(statement);
	if (result == 0)
		result = db_read_result(store->reader, code, "reading the log");
	if (result == 0 && more && store->sync_op == 0 && at.zxid < store->durable)
		result = ERR_IO; /* the last ones are missing */
	return result;
}

int
store_read(struct store *store, uint64_t after,
    bool (*row)(void *arg, uint64_t zxid, struct blob payload), void *arg)
{
	struct link at;
	int code;

	db_exec(store->reader, "BEGIN");
	code = link_at(store, after, &at);
	if (code == 0)
		code = read_rows(store, at, after, row, arg);
	db_exec(store->reader, "COMMIT");
	return code;
}
