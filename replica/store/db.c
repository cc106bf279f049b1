/*
 * SQLite connections with our settings, and the one policy on errors: a full
 * disk is reported, everything else ends the process, because SQLite goes on
 * after an error where we may not (replica/README.md).
 */
#include "replica/store/store_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/*
 * SQLite calls EIO of a read a damaged file (SQLITE_IOERR_CORRUPTFS, which ends as
 * SQLITE_CORRUPT), so that only a failed write or sync is known to be the disk's.
 */
static int
db_exit_code(int code)
{
	code &= 0xff;
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? EX_DATAERR : EX_IOERR;
}

_Noreturn void
db_die(sqlite3 *db, const char *what)
{
	log_error("storage failed, the process ends what=\"%s\" reason=\"%s\" errno=%d", what,
	    sqlite3_errmsg(db), sqlite3_system_errno(db));
	/* No cleanup: nothing more may be written or acknowledged. */
	_exit(db_exit_code(sqlite3_errcode(db)));
}

enum db_result
db_check(sqlite3 *db, int code, const char *what)
{
	int extended = sqlite3_extended_errcode(db);

	if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
		return DB_OK;
	if (code == SQLITE_FULL || (code & 0xff) == SQLITE_FULL)
		return DB_FULL;
	if (extended == SQLITE_IOERR_WRITE &&
	    (sqlite3_system_errno(db) == ENOSPC || sqlite3_system_errno(db) == EDQUOT))
		return DB_FULL;
	db_die(db, what);
}

enum db_result
db_exec(sqlite3 *db, const char *sql)
{
	return db_check(db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

enum db_result
db_run(sqlite3 *db, sqlite3_stmt *statement, const char *what)
{
	enum db_result result = db_check(db, sqlite3_step(statement), what);

	sqlite3_reset(statement);
	return result;
}

sqlite3_stmt *
db_prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
	    SQLITE_OK)
		db_die(db, sql);
	return statement;
}

bool
db_row(sqlite3 *db, sqlite3_stmt *statement, const char *what)
{
	int code = sqlite3_step(statement);

	if (code != SQLITE_ROW && code != SQLITE_DONE)
		db_die(db, what);
	return code == SQLITE_ROW;
}

int
db_read_result(sqlite3 *db, int code, const char *what)
{
	if (code == SQLITE_ROW || code == SQLITE_DONE)
		return 0;
	if (db_exit_code(code) == EX_IOERR)
		db_die(db, what);
	return ERR_IO;
}

bool
db_meta_get(sqlite3 *db, const char *key, uint64_t *value)
{
	sqlite3_stmt *statement = db_prepare(db, "SELECT value FROM meta WHERE key = ?");
	bool found;

	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	found = db_row(db, statement, "reading meta");
	if (found)
		*value = (uint64_t)sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return found;
}

enum db_result
db_meta_set(sqlite3 *db, const char *key, uint64_t value)
{
	sqlite3_stmt *statement = db_prepare(db, "REPLACE INTO meta(key, value) VALUES (?, ?)");
	enum db_result result;

	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)value);
	result = db_run(db, statement, "writing meta");
	sqlite3_finalize(statement);
	return result;
}

void
db_checkpoint(sqlite3 *db, int mode)
{
	int code = sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL);

	/* BUSY: a reader stands in the WAL; the rest follows next time. */
	if ((code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED)
		db_check(db, code, "checkpoint");
}

void
db_dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* SQLite ignores a failure here, silently. */
	if (fd < 0 || fsync(fd) != 0)
		fatal(EX_IOERR, "%s: fsync: %s", dir, strerror(errno));
	close(fd);
}

static int
pragma_int(sqlite3 *db, const char *sql, int *value)
{
	sqlite3_stmt *statement;
	int code;

	code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*value = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* A foreign or newer file is refused before anything is written to it. */
static int
identify(sqlite3 *db, const char *dir, const char *file, int application, bool create, char *err,
    size_t errlen)
{
	int id = 0, format = 0, code;
	char sql[128];

	if (create) {
		snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
		    application, STORE_FORMAT);
		if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
			snprintf(err, errlen, "%s/%s: %s", dir, file, sqlite3_errmsg(db));
			return EX_CANTCREAT;
		}
		return 0;
	}
	code = pragma_int(db, "PRAGMA application_id", &id);
	if (code == SQLITE_OK)
		code = pragma_int(db, "PRAGMA user_version", &format);
	if (code != SQLITE_OK && (code & 0xff) != SQLITE_NOTADB) {
		snprintf(err, errlen, "%s/%s: %s", dir, file, sqlite3_errmsg(db));
		return db_exit_code(code);
	}
	if (code != SQLITE_OK || id != application) {
		snprintf(err, errlen, "%s/%s: not a zabfs database", dir, file);
		return EX_DATAERR;
	}
	if (format != STORE_FORMAT) {
		snprintf(err, errlen, "%s/%s: format %d, this version knows format %d", dir, file,
		    format, STORE_FORMAT);
		return EX_DATAERR;
	}
	return 0;
}

int
db_open(const char *dir, const char *file, int application, bool readonly, bool create,
    sqlite3 **out, char *err, size_t errlen)
{
	static const char settings[] =
	    "PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL;"
	    "PRAGMA journal_mode = WAL; PRAGMA temp_store = MEMORY";
	char path[4096];
	sqlite3 *db = NULL;
	int code, flags = readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	code = sqlite3_open_v2(path, &db, flags | (create ? SQLITE_OPEN_CREATE : 0), NULL);
	CHECK(db != NULL);
	sqlite3_extended_result_codes(db, 1);
	if (code != SQLITE_OK) {
		snprintf(err, errlen, "%s: %s", path, sqlite3_errmsg(db));
		sqlite3_close(db);
		if ((code & 0xff) == SQLITE_IOERR)
			return EX_IOERR;
		return create ? EX_CANTCREAT : EX_NOINPUT;
	}
	code = identify(db, dir, file, application, create, err, errlen);
	if (code == 0 && sqlite3_exec(db, settings, NULL, NULL, NULL) != SQLITE_OK) {
		snprintf(err, errlen, "%s: %s", path, sqlite3_errmsg(db));
		code = db_exit_code(sqlite3_errcode(db));
	}
	if (code != 0) {
		sqlite3_close(db);
		return code;
	}
	*out = db;
	return 0;
}
