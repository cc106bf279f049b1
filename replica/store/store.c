/*
 * Opening and closing the store, and its completions. See store.h; called by
 * replica.c and recover.c.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

static const char log_schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE log(zxid INTEGER PRIMARY KEY, prev INTEGER NOT NULL, hash INTEGER NOT NULL,"
    " payload BLOB NOT NULL);";

void
store_wake(struct store *store)
{
	uint64_t one = 1;

	CHECK(write(store->wake_fd, &one, sizeof one) == sizeof one);
}

void
store_done_push(struct store *store, enum store_done_type type, uint64_t zxid, uint64_t epochs)
{
	struct done *done = malloc(sizeof *done);

	CHECK(done != NULL);
	done->done = (struct store_done){ .type = type, .zxid = zxid, .epochs = epochs };
	pthread_mutex_lock(&store->done_mutex);
	STAILQ_INSERT_TAIL(&store->dones, done, next);
	pthread_mutex_unlock(&store->done_mutex);
	store_wake(store);
}

int
store_wake_fd(const struct store *store)
{
	return store->wake_fd;
}

bool
store_poll(struct store *store, struct store_done *out)
{
	struct done *done;
	uint64_t count;

	pthread_mutex_lock(&store->done_mutex);
	done = STAILQ_FIRST(&store->dones);
	if (done != NULL)
		STAILQ_REMOVE_HEAD(&store->dones, next);
	else if (read(store->wake_fd, &count, sizeof count) < 0)
		CHECK(errno == EAGAIN);
	pthread_mutex_unlock(&store->done_mutex);
	if (done == NULL)
		return false;
	*out = done->done;
	free(done);
	if (out->type == STORE_FULL) {
		/* What was appended until now is void; what comes next is not. */
		store->generation++;
		store->last_appended = out->zxid;
	}
	return true;
}

const struct store_state *
store_state(const struct store *store)
{
	return &store->state;
}

static bool
exists(const char *dir, const char *file)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", dir, file);
	return access(path, F_OK) == 0;
}

/* One process at a time; the lock goes with it. */
static int
lock(struct store *store, char *err, size_t errlen)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/lock", store->dir);
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->lock_fd < 0) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		return EX_CANTCREAT;
	}
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	snprintf(err, errlen, "%s: another process uses these databases", store->dir);
	return EX_TEMPFAIL;
}

static int
check_files(const struct store_options *options, char *err, size_t errlen)
{
	bool log = exists(options->dir, LOG_FILE), tree = exists(options->dir, TREE_FILE);

	if (options->found && (log || tree)) {
		snprintf(err, errlen, "%s: -I founds a new member, but databases exist here",
		    options->dir);
		return EX_USAGE;
	}
	if (!options->found && !(log && tree)) {
		snprintf(err, errlen,
		    log || tree ? "%s: log.db or %s is missing"
				: "%s: no databases here; -I founds a new member",
		    options->dir, TREE_FILE);
		return log || tree ? EX_DATAERR : EX_NOINPUT;
	}
	return 0;
}

/* Who these databases belong to. */
static int
check_owner(struct store *store, const struct store_options *options, char *err, size_t errlen)
{
	sqlite3_stmt *statement;
	uint64_t member = 0;
	bool same;

	db_meta_get(store->log, "member", &member);
	if (member != options->member) {
		snprintf(err, errlen, "%s: belongs to member %llu, not %u", options->dir,
		    (unsigned long long)member, (unsigned)options->member);
		return EX_DATAERR;
	}
	statement =
	    db_prepare(store->log, "SELECT 1 FROM meta WHERE key = 'cluster' AND value = ?");
	sqlite3_bind_text(statement, 1, options->cluster, -1, SQLITE_STATIC);
	same = db_row(store->log, statement, "reading the cluster's name");
	sqlite3_finalize(statement);
	if (same)
		return 0;
	snprintf(err, errlen, "%s: belongs to another cluster than \"%s\"", options->dir,
	    options->cluster);
	return EX_DATAERR;
}

static int
found_log(struct store *store, const struct store_options *options, char *err, size_t errlen)
{
	sqlite3_stmt *statement;
	enum db_result result;

	result = db_exec(store->log, "BEGIN");
	if (result == DB_OK)
		result = db_exec(store->log, log_schema);
	if (result == DB_OK)
		result = db_meta_set(store->log, "member", options->member);
	if (result == DB_OK)
		result = db_exec(store->log,
		    "INSERT INTO meta(key, value) VALUES ('tree_file', '" TREE_FILE "')");
	if (result == DB_OK) {
		statement =
		    db_prepare(store->log, "INSERT INTO meta(key, value) VALUES ('cluster', ?)");
		sqlite3_bind_text(statement, 1, options->cluster, -1, SQLITE_STATIC);
		result = db_run(store->log, statement, "founding");
		sqlite3_finalize(statement);
	}
	if (result == DB_OK)
		result = db_exec(store->log, "COMMIT");
	if (result == DB_OK)
		return 0;
	snprintf(err, errlen, "%s: the disk is full", options->dir);
	return EX_CANTCREAT;
}

static void
read_last(struct store *store)
{
	sqlite3_stmt *statement =
	    db_prepare(store->log, "SELECT zxid, hash FROM log ORDER BY zxid DESC LIMIT 1");

	store->state.last_zxid = store->state.base_zxid;
	db_meta_get(store->log, "base_hash", &store->state.last_hash);
	if (db_row(store->log, statement, "reading the log's last row")) {
		store->state.last_zxid = (uint64_t)sqlite3_column_int64(statement, 0);
		store->state.last_hash = (uint64_t)sqlite3_column_int64(statement, 1);
	}
	sqlite3_finalize(statement);
}

static int
open_log(struct store *store, const struct store_options *options, char *err, size_t errlen)
{
	struct store_state *state = &store->state;
	int code;

	code = db_open(store->dir, LOG_FILE, LOG_APPLICATION_ID, false, options->found, &store->log,
	    err, errlen);
	if (code == 0 && options->found)
		code = found_log(store, options, err, errlen);
	if (code == 0)
		code = check_owner(store, options, err, errlen);
	if (code != 0)
		return code;
	db_checkpoint(store->log, SQLITE_CHECKPOINT_TRUNCATE);
	db_meta_get(store->log, "accepted_epoch", &state->accepted_epoch);
	db_meta_get(store->log, "accepted_sid", &state->accepted_sid);
	db_meta_get(store->log, "current_epoch", &state->current_epoch);
	db_meta_get(store->log, "base_zxid", &state->base_zxid);
	read_last(store);
	store->durable_zxid = state->last_zxid;
	store->durable_hash = state->last_hash;
	store->last_appended = state->last_zxid;
	return db_open(
	    store->dir, LOG_FILE, LOG_APPLICATION_ID, true, false, &store->reader, err, errlen);
}

static int
check_state(const struct store *store, char *err, size_t errlen)
{
	const struct store_state *state = &store->state;

	if (state->applied >= state->base_zxid && state->applied <= state->last_zxid &&
	    state->accepted_epoch >= state->current_epoch &&
	    state->current_epoch >= state->last_zxid >> 32)
		return 0;
	snprintf(err, errlen,
	    "%s: log.db and the image don't belong together base=0x%llx last=0x%llx image=0x%llx "
	    "epoch=%llu",
	    store->dir, (unsigned long long)state->base_zxid, (unsigned long long)state->last_zxid,
	    (unsigned long long)state->applied, (unsigned long long)state->current_epoch);
	return EX_DATAERR;
}

static int
open_all(struct store *store, const struct store_options *options, char *err, size_t errlen)
{
	int code = lock(store, err, errlen);

	if (code == 0)
		code = check_files(options, err, errlen);
	/* The image first: where founding is cut short, there is no log.db that names it. */
	if (code == 0)
		code = image_open(store, options->found, err, errlen);
	if (code == 0)
		code = open_log(store, options, err, errlen);
	if (code == 0)
		code = check_state(store, err, errlen);
	if (code == 0)
		code = highwater_open(store, store->state.last_zxid, err, errlen);
	return code;
}

static void
close_all(struct store *store)
{
	struct store_done done;

	while (store_poll(store, &done))
		continue;
	sqlite3_close(store->reader);
	sqlite3_close(store->log);
	sqlite3_close(store->tree);
	if (store->highwater_fd >= 0)
		close(store->highwater_fd);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	close(store->wake_fd);
	pthread_mutex_destroy(&store->done_mutex);
	free(store->dir);
	free(store);
}

int
store_open(const struct store_options *options, struct store **out, char *err, size_t errlen)
{
	struct store *store = calloc(1, sizeof *store);
	int code;

	CHECK(store != NULL);
	store->dir = strdup(options->dir);
	CHECK(store->dir != NULL);
	store->lock_fd = store->highwater_fd = -1;
	store->log_rows_min = options->log_rows_min;
	store->log_tree_percent = options->log_tree_percent;
	store->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(store->wake_fd >= 0);
	pthread_mutex_init(&store->done_mutex, NULL);
	STAILQ_INIT(&store->dones);

	code = open_all(store, options, err, errlen);
	if (code != 0) {
		close_all(store);
		return code;
	}
	db_dir_sync(store->dir);
	log_thread_start(store);
	image_thread_start(store);
	*out = store;
	return 0;
}

void
store_close(struct store *store)
{
	image_thread_stop(store);
	log_thread_stop(store);
	db_checkpoint(store->log, SQLITE_CHECKPOINT_TRUNCATE);
	close_all(store);
}
