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
 * One process has the files (the lock), so the index of the WAL is in its memory. In a -shm file,
 * mapped, a write to a full disk is a SIGBUS.
 */
#define VFS "unix-excl"

/*
 * SQLite calls EIO of a read a damaged file (SQLITE_IOERR_CORRUPTFS, which ends as
 * SQLITE_CORRUPT), so that only a failed write or sync is known to be the disk's.
 * Our statements are right: SQLITE_ERROR is a schema that has rotted.
 */
static int
db_exit_code(int code)
{
	code &= 0xff;
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ? EX_DATAERR
										       : EX_IOERR;
}

_Noreturn void
db_die(sqlite3 *db, const char *what)
{
	log_error("storage failed, the process ends what=\"%s\" reason=\"%s\" errno=%d", what,
	    sqlite3_errmsg(db), sqlite3_system_errno(db));
	/* No cleanup: nothing more may be written or acknowledged. */
	_exit(db_exit_code(sqlite3_errcode(db)));
}

_Noreturn void
db_damaged(const char *what)
{
	log_error("storage is damaged, the process ends what=\"%s\"", what);
	_exit(EX_DATAERR);
}

static bool
is_full(sqlite3 *db, int code)
{
	int extended = sqlite3_extended_errcode(db), number = sqlite3_system_errno(db);

	if ((code & 0xff) == SQLITE_FULL)
		return true;
	return (extended == SQLITE_IOERR_WRITE || extended == SQLITE_IOERR_SHMSIZE) &&
	       (number == ENOSPC || number == EDQUOT);
}

enum db_result
db_check(sqlite3 *db, int code, const char *what)
{
	if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
		return DB_OK;
	if (is_full(db, code))
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

void
db_roll_back(sqlite3 *db)
{
	/* After some errors SQLite has rolled back already. */
	if (!sqlite3_get_autocommit(db) && db_exec(db, "ROLLBACK") != DB_OK)
		db_die(db, "rolling back");
}

uint64_t
db_number(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

struct blob
db_blob(sqlite3_stmt *statement, int column)
{
	struct blob blob;

	blob.data = sqlite3_column_blob(statement, column);
	blob.len = (uint32_t)sqlite3_column_bytes(statement, column);
	return blob;
}

void
db_checkpoint(sqlite3 *db, int mode)
{
	int code = sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL);

	/* BUSY: a reader stands in the WAL; the rest follows next time. */
	if ((code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED)
		db_check(db, code, "checkpoint");
}

static int
on_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
	int *wal_pages = arg;

	(void)db;
	(void)name;
	*wal_pages = pages;
	return SQLITE_OK;
}

void
db_watch_wal(sqlite3 *db, int *pages)
{
	*pages = 0;
	sqlite3_wal_hook(db, on_wal, pages);
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

int
db_format(sqlite3 *db)
{
	int format = 0;

	if (pragma_int(db, "PRAGMA user_version", &format) != SQLITE_OK)
		db_die(db, "reading the format");
	return format;
}

/* A foreign or newer file is refused before anything is written to it. */
static int
identify(sqlite3 *db, const char *path, int application, char *err, size_t errlen)
{
	int id = 0, format = 0, code;

	code = pragma_int(db, "PRAGMA application_id", &id);
	if (code == SQLITE_OK)
		code = pragma_int(db, "PRAGMA user_version", &format);
	if (code != SQLITE_OK && (code & 0xff) != SQLITE_NOTADB) {
		snprintf(err, errlen, "%s: %s", path, sqlite3_errmsg(db));
		return db_exit_code(code);
	}
	if (code != SQLITE_OK || id != application) {
		snprintf(err, errlen, "%s: not a zabfs database", path);
		return EX_DATAERR;
	}
	if (format < 1 || format > STORE_FORMAT) {
		snprintf(err, errlen, "%s: format %d, this version knows format %d", path, format,
		    STORE_FORMAT);
		return EX_DATAERR;
	}
	return 0;
}

static int
configure(sqlite3 *db, enum db_mode mode, int application)
{
	static const char always[] = "PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0;"
				     "PRAGMA temp_store = MEMORY";
	char identity[256] = "";
	int code = sqlite3_exec(db, always, NULL, NULL, NULL);

	if (mode == DB_BUILD)
		snprintf(identity, sizeof identity,
		    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
		    "PRAGMA application_id = %d; PRAGMA user_version = %d",
		    application, STORE_FORMAT);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db,
		    mode == DB_BUILD ? identity
				     : "PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL",
		    NULL, NULL, NULL);
	return code;
}

int
db_open(const char *dir, const char *file, int application, enum db_mode mode, sqlite3 **out,
    char *err, size_t errlen)
{
	static const int flags[] = { [DB_READ] = SQLITE_OPEN_READONLY,
		[DB_WRITE] = SQLITE_OPEN_READWRITE,
		[DB_BUILD] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE };
	char path[4096];
	sqlite3 *db = NULL;
	int code;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	code = sqlite3_open_v2(path, &db, flags[mode], VFS);
	CHECK(db != NULL);
	sqlite3_extended_result_codes(db, 1);
	if (code != SQLITE_OK) {
		snprintf(err, errlen, "%s: %s", path, sqlite3_errmsg(db));
		if (sqlite3_system_errno(db) == EIO)
			code = SQLITE_IOERR;
		sqlite3_close(db);
		if ((code & 0xff) == SQLITE_IOERR)
			return EX_IOERR;
		return mode == DB_BUILD ? EX_CANTCREAT : EX_NOINPUT;
	}
	code = mode == DB_BUILD ? 0 : identify(db, path, application, err, errlen);
	if (code == 0 && configure(db, mode, application) != SQLITE_OK) {
		snprintf(err, errlen, "%s: %s", path, sqlite3_errmsg(db));
		code = mode == DB_BUILD && is_full(db, sqlite3_errcode(db))
			   ? EX_CANTCREAT
			   : db_exit_code(sqlite3_errcode(db));
	}
	if (code != 0) {
		sqlite3_close(db);
		return code;
	}
	*out = db;
	return 0;
}

enum db_result
db_built(sqlite3 *db)
{
	/* The read makes the WAL's file, so that it is in the directory when that is synced. */
	enum db_result result =
	    db_exec(db, "PRAGMA journal_mode = WAL; SELECT count(*) FROM sqlite_master");
	sqlite3_file *file = NULL;

	if (result != DB_OK)
		return result;
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
		fatal(EX_IOERR, "%s: fsync: %s", sqlite3_db_filename(db, "main"), strerror(errno));
	db_exec(db, "PRAGMA synchronous = FULL");
	return DB_OK;
}
