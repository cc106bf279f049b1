/*
 * A tree file: made, opened, loaded. The loop loads it through a connection of
 * its own, the writing one is the image thread's (image.c, snap.c).
 */
#include "replica/store/store_internal.h"

#include "replica/lib/err.h"

#include <stdio.h>
#include <sysexits.h>

/* The sums come before what may be long: they are read alone, too. */
static const char schema[] =
    "CREATE TABLE node(id INTEGER PRIMARY KEY, sum INTEGER, parent INTEGER, mode INTEGER,"
    " uid INTEGER, gid INTEGER, czxid INTEGER, mzxid INTEGER, pzxid INTEGER, version INTEGER,"
    " cversion INTEGER, aversion INTEGER, owner INTEGER, handle INTEGER, birth_ns INTEGER,"
    " mtime_ns INTEGER, ctime_ns INTEGER, quota_nodes INTEGER, quota_bytes INTEGER,"
    " quota_hard INTEGER, name BLOB, value BLOB);"
    "CREATE TABLE session(id INTEGER PRIMARY KEY, sum INTEGER, timeout_ms INTEGER,"
    " acked INTEGER, secret BLOB, identity BLOB, results BLOB);"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;";

#define NODE_COLUMNS                                                                               \
	"id, parent, name, mode, uid, gid, czxid, mzxid, pzxid, version, cversion, aversion,"      \
	" owner, handle, birth_ns, mtime_ns, ctime_ns, value, sum, quota_nodes, quota_bytes,"      \
	" quota_hard"
#define SESSION_COLUMNS "id, timeout_ms, acked, secret, identity, results, sum"

int
image_create(struct image *image, const char *dir, uint32_t number, char *err, size_t errlen)
{
	char name[TREE_FILE_SPACE];
	int code;

	tree_file_name(number, name);
	*image = (struct image){ .number = number };
	code = db_open(dir, name, TREE_APPLICATION_ID, DB_BUILD, &image->db, err, errlen);
	if (code != 0 || db_exec(image->db, schema) == DB_OK)
		return code;
	snprintf(err, errlen, "%s/%s: the disk is full", dir, name);
	image_close(image);
	return EX_CANTCREAT;
}

static uint64_t
stored_digest(sqlite3 *db)
{
	static const char *const tables[] = { "SELECT sum FROM node", "SELECT sum FROM session" };
	sqlite3_stmt *statement;
	uint64_t digest = 0;
	size_t i;

	for (i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		statement = db_prepare(db, tables[i]);
		while (db_row(db, statement, "reading the image"))
			digest += db_number(statement, 0);
		sqlite3_finalize(statement);
	}
	return digest;
}

/* Format 1 did not say what shows in the image: anything of the log, all of which is committed. */
static enum db_result
upgrade_meta(struct image *image, uint64_t last_zxid)
{
	struct image_meta *meta = &image->meta;

	*meta = (struct image_meta){ .digest = stored_digest(image->db) };
	meta_old(image->db, "applied", &meta->applied);
	meta_old(image->db, "next_id", &meta->next_id);
	meta->upto = meta->applied > last_zxid ? meta->applied : last_zxid;
	return image_meta_write(image->db, meta);
}

/* Format 2 had no quotas; NULL is 0. */
static int
upgrade(struct image *image, const char *dir, uint64_t last_zxid, char *err, size_t errlen)
{
	int format = db_format(image->db);
	enum db_result result = db_exec(image->db,
	    "BEGIN IMMEDIATE; ALTER TABLE node ADD COLUMN quota_nodes INTEGER;"
	    "ALTER TABLE node ADD COLUMN quota_bytes INTEGER;"
	    "ALTER TABLE node ADD COLUMN quota_hard INTEGER; PRAGMA user_version = 3");

	if (result == DB_OK && format == 1)
		result = upgrade_meta(image, last_zxid);
	if (result == DB_OK)
		result = db_exec(image->db, "COMMIT");
	if (result == DB_OK)
		return 0;
	snprintf(err, errlen, "%s: the disk is full", dir);
	return EX_CANTCREAT;
}

int
image_open(struct image *image, const char *dir, uint32_t number, uint64_t last_zxid, char *err,
    size_t errlen)
{
	char name[TREE_FILE_SPACE];
	int code;

	tree_file_name(number, name);
	*image = (struct image){ .number = number };
	code = db_open(dir, name, TREE_APPLICATION_ID, DB_WRITE, &image->db, err, errlen);
	if (code == EX_NOINPUT) {
		snprintf(err, errlen, "%s: %s is missing", dir, name);
		return EX_DATAERR;
	}
	if (code != 0)
		return code;
	db_checkpoint(image->db, SQLITE_CHECKPOINT_TRUNCATE);
	if (db_format(image->db) != STORE_FORMAT) {
		code = upgrade(image, dir, last_zxid, err, errlen);
		if (code != 0)
			return code;
	}
	if (image_meta_read(image->db, &image->meta))
		return 0;
	snprintf(err, errlen, "%s/%s: damaged", dir, name);
	return EX_DATAERR;
}

void
image_prepare(struct image *image)
{
	image->node_put = db_prepare(image->db,
	    "REPLACE INTO node(" NODE_COLUMNS
	    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	image->node_gone = db_prepare(image->db, "DELETE FROM node WHERE id = ?");
	image->node_sum = db_prepare(image->db, "SELECT sum FROM node WHERE id = ?");
	image->session_put = db_prepare(
	    image->db, "REPLACE INTO session(" SESSION_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?)");
	image->session_gone = db_prepare(image->db, "DELETE FROM session WHERE id = ?");
	image->session_sum = db_prepare(image->db, "SELECT sum FROM session WHERE id = ?");
}

void
image_close(struct image *image)
{
	sqlite3_finalize(image->node_put);
	sqlite3_finalize(image->node_gone);
	sqlite3_finalize(image->node_sum);
	sqlite3_finalize(image->session_put);
	sqlite3_finalize(image->session_gone);
	sqlite3_finalize(image->session_sum);
	sqlite3_close(image->db);
	*image = (struct image){ 0 };
}

struct loading {
	int (*node)(void *arg, const struct store_node *row);
	int (*session)(void *arg, const struct store_session *row);
	void *arg;
	uint64_t digest;
	uint64_t last; /* id, of the table that is read */
};

/* A row that stands where a search for it does not lead was written by one that went astray. */
static bool
in_order(struct loading *loading, uint64_t id)
{
	bool ascends = id > loading->last;

	loading->last = id;
	return ascends;
}

static int
load_node(struct loading *loading, sqlite3_stmt *s)
{
	struct store_node row = {
		.id = db_number(s, 0),
		.parent = db_number(s, 1),
		.name = db_blob(s, 2),
		.mode = (uint32_t)db_number(s, 3),
		.uid = (uint32_t)db_number(s, 4),
		.gid = (uint32_t)db_number(s, 5),
		.czxid = db_number(s, 6),
		.mzxid = db_number(s, 7),
		.pzxid = db_number(s, 8),
		.version = (uint32_t)db_number(s, 9),
		.cversion = (uint32_t)db_number(s, 10),
		.aversion = (uint32_t)db_number(s, 11),
		.owner = db_number(s, 12),
		.handle = db_number(s, 13),
		.birth_ns = sqlite3_column_int64(s, 14),
		.mtime_ns = sqlite3_column_int64(s, 15),
		.ctime_ns = sqlite3_column_int64(s, 16),
		.value = db_blob(s, 17),
		.quota_nodes = sqlite3_column_int64(s, 19),
		.quota_bytes = sqlite3_column_int64(s, 20),
		.quota_hard = (uint32_t)db_number(s, 21),
	};

	loading->digest += db_number(s, 18);
	if (db_number(s, 18) != node_sum(&row) || !in_order(loading, row.id))
		return ERR_IO;
	return loading->node(loading->arg, &row);
}

static int
load_session(struct loading *loading, sqlite3_stmt *s)
{
	struct store_session row = {
		.id = db_number(s, 0),
		.timeout_ms = (uint32_t)db_number(s, 1),
		.acked = db_number(s, 2),
		.secret = db_blob(s, 3),
		.identity = db_blob(s, 4),
		.results = db_blob(s, 5),
	};

	loading->digest += db_number(s, 6);
	if (db_number(s, 6) != session_sum(&row) || !in_order(loading, row.id))
		return ERR_IO;
	return loading->session(loading->arg, &row);
}

static int
load_rows(sqlite3 *db, const char *sql, int (*load)(struct loading *loading, sqlite3_stmt *s),
    struct loading *loading)
{
	sqlite3_stmt *statement = db_prepare(db, sql);
	int code = SQLITE_DONE, result = 0;

	loading->last = 0;
	while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW)
		result = load(loading, statement);
	sqlite3_finalize(statement);
	return result != 0 ? result : db_read_result(db, code, "reading the image");
}

int
store_image_load(struct store *store, int (*node)(void *arg, const struct store_node *row),
    int (*session)(void *arg, const struct store_session *row), void *arg)
{
	struct loading loading = { .node = node, .session = session, .arg = arg };
	struct image_meta meta;
	char name[TREE_FILE_SPACE], err[512];
	sqlite3 *db;
	int result;

	tree_file_name(store->tree, name);
	if (db_open(store->dir, name, TREE_APPLICATION_ID, DB_READ, &db, err, sizeof err) != 0)
		return ERR_IO;
	db_exec(db, "BEGIN");
	result = load_rows(
	    db, "SELECT " SESSION_COLUMNS " FROM session ORDER BY id", load_session, &loading);
	if (result == 0)
		result = load_rows(
		    db, "SELECT " NODE_COLUMNS " FROM node ORDER BY id", load_node, &loading);
	/* Each row was good; this says that none has gone, or come. */
	if (result == 0 && (!image_meta_read(db, &meta) || meta.digest != loading.digest))
		result = ERR_IO;
	sqlite3_close(db);
	return result;
}
