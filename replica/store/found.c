/*
 * New databases, and files that are in nobody's force. log.db gets its name
 * when all is there: a founding that was cut short has not happened. Called by
 * store_open; the removing also by the image thread.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE log(zxid INTEGER PRIMARY KEY, prev INTEGER NOT NULL, hash INTEGER NOT NULL,"
    " payload BLOB NOT NULL);";

void
tree_file_name(uint32_t number, char name[TREE_FILE_SPACE])
{
	snprintf(name, TREE_FILE_SPACE, "tree-%u.db", (unsigned)number);
}

static bool
exists(const char *dir, const char *file)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", dir, file);
	return access(path, F_OK) == 0;
}

/* A database, and what SQLite keeps beside it. */
static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
#define SUFFIXES (sizeof suffixes / sizeof suffixes[0])

void
found_remove(const char *dir, const char *file)
{
	char path[4096];
	size_t i;

	for (i = 0; i < SUFFIXES; i++) {
		snprintf(path, sizeof path, "%s/%s%s", dir, file, suffixes[i]);
		if (unlink(path) != 0 && errno != ENOENT)
			fatal(EX_IOERR, "%s: unlink: %s", path, strerror(errno));
	}
}

/* The number in the name of a tree file, or of what is beside it; 0: another file. */
static uint32_t
tree_file_number(const char *name)
{
	char wanted[TREE_FILE_SPACE];
	unsigned number = 0;
	size_t i, len;

	if (sscanf(name, "tree-%u.db", &number) != 1)
		return 0;
	tree_file_name(number, wanted);
	len = strlen(wanted);
	if (strncmp(name, wanted, len) != 0)
		return 0;
	for (i = 0; i < SUFFIXES; i++)
		if (strcmp(name + len, suffixes[i]) == 0)
			return number;
	return 0;
}

/* The first tree file but that one; 0: there is none. */
static uint32_t
find_tree(const char *dir, uint32_t but)
{
	DIR *entries = opendir(dir);
	struct dirent *entry;
	uint32_t number = 0;

	if (entries == NULL)
		fatal(EX_IOERR, "%s: %s", dir, strerror(errno));
	while (number == 0 && (entry = readdir(entries)) != NULL) {
		number = tree_file_number(entry->d_name);
		if (number == but)
			number = 0;
	}
	closedir(entries);
	return number;
}

void
found_remove_trees(const char *dir, uint32_t but)
{
	char name[TREE_FILE_SPACE];
	uint32_t number;

	while ((number = find_tree(dir, but)) != 0) {
		tree_file_name(number, name);
		log_info("not in force, removed file=%s/%s", dir, name);
		found_remove(dir, name);
	}
}

int
found_check(const struct store_options *options, bool *make, char *err, size_t errlen)
{
	const char *dir = options->dir;
	bool log = exists(dir, LOG_FILE), tree;

	if (!log && exists(dir, LOG_FILE_NEW)) {
		found_remove_trees(dir, 0);
		found_remove(dir, LOG_FILE_NEW);
	}
	tree = find_tree(dir, 0) != 0;
	*make = !log && (options->found || options->replaceable);
	if (options->found && (log || tree)) {
		snprintf(err, errlen, "%s: -I founds a new member, but databases exist here", dir);
		return EX_USAGE;
	}
	if (log || *make)
		return 0;
	snprintf(err, errlen,
	    tree ? "%s: log.db is missing" : "%s: no databases here; -I founds a new member", dir);
	return tree ? EX_DATAERR : EX_NOINPUT;
}

static enum db_result
fill(sqlite3 *db, const struct store_options *options)
{
	struct log_meta meta = { .voter = options->found, .tree = 1, .member = options->member };
	sqlite3_stmt *statement;
	enum db_result result = db_exec(db, "BEGIN");

	if (result == DB_OK)
		result = db_exec(db, schema);
	if (result == DB_OK)
		result = log_meta_write(db, &meta);
	if (result != DB_OK)
		return result;
	statement = db_prepare(db, "INSERT INTO meta(key, value) VALUES ('cluster', ?)");
	sqlite3_bind_text(statement, 1, options->cluster, -1, SQLITE_STATIC);
	result = db_run(db, statement, "founding");
	sqlite3_finalize(statement);
	if (result == DB_OK)
		result = db_exec(db, "COMMIT");
	return result == DB_OK ? db_built(db) : result;
}

static int
make_log(const struct store_options *options, char *err, size_t errlen)
{
	enum db_result result;
	sqlite3 *db;
	int code;

	code = db_open(options->dir, LOG_FILE_NEW, LOG_APPLICATION_ID, DB_BUILD, &db, err, errlen);
	if (code != 0)
		return code;
	result = fill(db, options);
	sqlite3_close(db);
	if (result == DB_OK)
		return 0;
	snprintf(err, errlen, "%s: the disk is full", options->dir);
	return EX_CANTCREAT;
}

static int
make_tree(const struct store_options *options, char *err, size_t errlen)
{
	struct image image = { 0 };
	enum db_result result;
	int code;

	code = image_create(&image, options->dir, 1, err, errlen);
	if (code != 0)
		return code;
	result = image_meta_write(image.db, &image.meta);
	if (result == DB_OK)
		result = db_built(image.db);
	image_close(&image);
	if (result == DB_OK)
		return 0;
	snprintf(err, errlen, "%s: the disk is full", options->dir);
	return EX_CANTCREAT;
}

int
found_all(const struct store_options *options, char *err, size_t errlen)
{
	char from[4096], to[4096];
	int code, fd;

	/* The mark of a founding under way: with it alone, what else is here may go. */
	snprintf(from, sizeof from, "%s/%s", options->dir, LOG_FILE_NEW);
	snprintf(to, sizeof to, "%s/%s", options->dir, LOG_FILE);
	fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		snprintf(err, errlen, "%s: %s", from, strerror(errno));
		return EX_CANTCREAT;
	}
	close(fd);
	db_dir_sync(options->dir);
	found_remove_trees(options->dir, 0);
	code = make_tree(options, err, errlen);
	if (code == 0)
		code = make_log(options, err, errlen);
	if (code != 0)
		return code;
	db_dir_sync(options->dir);
	if (rename(from, to) != 0) {
		snprintf(err, errlen, "%s: %s", to, strerror(errno));
		return EX_IOERR;
	}
	db_dir_sync(options->dir);
	return 0;
}
