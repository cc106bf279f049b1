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

#define LOCK_WAIT_MS 1000

void
store_wake(struct store *store)
{
	uint64_t one = 1;

	CHECK(write(store->wake_fd, &one, sizeof one) == sizeof one);
}

void
store_done_push(struct store *store, const struct done *done)
{
	struct done *copy = malloc(sizeof *copy);

	CHECK(copy != NULL);
	*copy = *done;
	pthread_mutex_lock(&store->done_mutex);
	STAILQ_INSERT_TAIL(&store->dones, copy, next);
	pthread_mutex_unlock(&store->done_mutex);
	store_wake(store);
}

int
store_wake_fd(const struct store *store)
{
	return store->wake_fd;
}

static struct done *
take(struct store *store)
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
	return done;
}

bool
store_poll(struct store *store, struct store_done *out)
{
	struct done *done;
	bool stale;

	while ((done = take(store)) != NULL) {
		/* Of a pass that was aborted before the loop heard of its end. */
		stale = done->pass != 0 && done->pass != store->pass;
		if (!stale)
			queue_reported(store, done);
		*out = done->done;
		free(done);
		if (!stale)
			return true;
	}
	return false;
}

const struct store_state *
store_state(const struct store *store)
{
	return &store->state;
}

/* Also from a process that was killed: it has it until its memory is freed. */
static bool
locked(int fd)
{
	uint32_t waited_ms = 0;

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (waited_ms++ == LOCK_WAIT_MS)
			return false;
		usleep(1000);
	}
	return true;
}

/* One process at a time; the lock goes with it. */
static int
lock(struct store *store, char *err, size_t errlen)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/lock", store->dir);
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->lock_fd < 0) {
		snprintf(err, errlen, "data directory %s: %s", store->dir, strerror(errno));
		return EX_CANTCREAT;
	}
	if (locked(store->lock_fd))
		return 0;
	snprintf(err, errlen, "%s: another process uses these databases", store->dir);
	return EX_TEMPFAIL;
}

/* Who these databases belong to. */
static int
check_owner(struct store *store, const struct store_options *options, char *err, size_t errlen)
{
	uint64_t member = store->log_durable.meta.member;
	sqlite3_stmt *statement;
	bool same;

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

/* One transaction of log.db; the process ends where it can't be. */
static int
write_meta(struct store *store, const char *also, char *err, size_t errlen)
{
	enum db_result result = db_exec(store->log, "BEGIN IMMEDIATE");

	if (result == DB_OK)
		result = db_exec(store->log, also);
	if (result == DB_OK)
		result = log_meta_write(store->log, &store->log_durable.meta);
	if (result == DB_OK)
		result = db_exec(store->log, "COMMIT");
	if (result == DB_OK)
		return 0;
	db_roll_back(store->log);
	snprintf(err, errlen, "%s: the disk is full", store->dir);
	return EX_CANTCREAT;
}

static int
upgrade(struct store *store, char *err, size_t errlen)
{
	struct log_meta *meta = &store->log_durable.meta;

	/* What is damaged is told by who reads it. */
	if (db_format(store->log) == 2)
		return log_meta_read(store->log, meta)
			   ? write_meta(store, "PRAGMA user_version = 3", err, errlen)
			   : 0;
	*meta = (struct log_meta){ .voter = true, .tree = 1 };
	meta_old(store->log, "accepted_epoch", &meta->accepted_epoch);
	meta_old(store->log, "accepted_sid", &meta->accepted_sid);
	meta_old(store->log, "current_epoch", &meta->current_epoch);
	meta_old(store->log, "base_zxid", &meta->base_zxid);
	meta_old(store->log, "base_hash", &meta->base_hash);
	meta_old(store->log, "member", &meta->member);
	return write_meta(store,
	    "DELETE FROM meta WHERE key = 'tree_file'; PRAGMA user_version = 3", err, errlen);
}

static int
open_log(struct store *store, const struct store_options *options, char *err, size_t errlen)
{
	struct progress *log = &store->log_durable;
	int code;

	code =
	    db_open(store->dir, LOG_FILE, LOG_APPLICATION_ID, DB_WRITE, &store->log, err, errlen);
	if (code != 0)
		return code;
	if (db_format(store->log) != STORE_FORMAT)
		code = upgrade(store, err, errlen);
	if (code == 0)
		code = db_open(
		    store->dir, LOG_FILE, LOG_APPLICATION_ID, DB_READ, &store->reader, err, errlen);
	if (code != 0)
		return code;
	if (!log_meta_read(store->log, &log->meta) || log->meta.tree == 0 ||
	    log->meta.tree > UINT32_MAX) {
		snprintf(err, errlen, "%s/" LOG_FILE ": damaged", store->dir);
		return EX_DATAERR;
	}
	code = check_owner(store, options, err, errlen);
	if (code != 0)
		return code;
	if (rows_contiguous(store->log, log))
		return 0;
	snprintf(err, errlen, "%s/" LOG_FILE ": damaged, rows are missing", store->dir);
	return EX_DATAERR;
}

/* The image holds what the log has lost. */
static bool
image_ahead(const struct store *store)
{
	const struct image_meta *image = &store->image.meta;
	uint64_t zxid = store->log_durable.zxid;

	return image->applied > zxid ||
	       image->upto > (zxid > image->snap_upto ? zxid : image->snap_upto);
}

static bool
belong_together(const struct store *store)
{
	const struct image_meta *image = &store->image.meta;
	const struct progress *log = &store->log_durable;

	return !image_ahead(store) && image->applied >= log->meta.base_zxid &&
	       image->upto >= image->applied &&
	       log->meta.accepted_epoch >= log->meta.current_epoch &&
	       log->meta.current_epoch >= log->zxid >> 32;
}

/*
 * What this member acknowledged is not there, but others have it. It is no voter until it has it
 * again. Where even what the image holds has gone, the log begins at the image: its row's hash is
 * nobody's, so that the leader sends a snapshot.
 */
static int
give_up_vote(struct store *store, char *err, size_t errlen)
{
	struct progress *log = &store->log_durable;
	uint64_t applied = store->image.meta.applied;
	const char *rows = "";

	log_warn("acknowledged data is missing, no voter until synchronised zxid=0x%llx",
	    (unsigned long long)log->zxid);
	log->meta.voter = false;
	if (image_ahead(store)) {
		store->image.meta.snap_upto = store->image.meta.upto;
		if (image_meta_write(store->image.db, &store->image.meta) != DB_OK) {
			snprintf(err, errlen, "%s: the disk is full", store->dir);
			return EX_CANTCREAT;
		}
		rows = "DELETE FROM log";
		log->zxid = log->meta.base_zxid = applied;
		log->hash = log->meta.base_hash = 0;
		log->rows = 0;
	}
	if (log->meta.current_epoch < log->zxid >> 32)
		log->meta.current_epoch = log->zxid >> 32;
	if (log->meta.accepted_epoch < log->meta.current_epoch)
		log->meta.accepted_epoch = log->meta.current_epoch;
	return write_meta(store, rows, err, errlen);
}

static int
check_loss(struct store *store, const struct store_options *options, char *err, size_t errlen)
{
	const struct log_meta *meta = &store->log_durable.meta;
	bool above, ahead = image_ahead(store);
	int code;

	code = highwater_open(store, &above, err, errlen);
	if (code == 0 && (above || ahead) && options->replaceable)
		code = give_up_vote(store, err, errlen);
	else if (code == 0 && above)
		code = EX_DATAERR;
	if (code == 0 && !belong_together(store)) {
		snprintf(err, errlen,
		    "%s: log.db and the image don't belong together base=0x%llx last=0x%llx "
		    "image=0x%llx upto=0x%llx epoch=%llu",
		    store->dir, (unsigned long long)meta->base_zxid,
		    (unsigned long long)store->log_durable.zxid,
		    (unsigned long long)store->image.meta.applied,
		    (unsigned long long)store->image.meta.upto,
		    (unsigned long long)meta->current_epoch);
		code = EX_DATAERR;
	}
	if (code == 0 && above && highwater_lower(store, &store->log_durable) != DB_OK)
		log_warn("disk full, the high-water mark stays as it was");
	else if (code == 0)
		highwater_set(store, &store->log_durable);
	return code;
}

static int
open_all(struct store *store, const struct store_options *options, char *err, size_t errlen)
{
	bool make = false;
	int code = lock(store, err, errlen);

	if (code == 0)
		code = found_check(options, &make, err, errlen);
	if (code == 0 && make)
		code = found_all(options, err, errlen);
	if (code == 0 && make && !options->found)
		log_info("no databases, no voter until synchronised dir=%s", store->dir);
	if (code == 0)
		code = open_log(store, options, err, errlen);
	if (code == 0)
		code = image_open(&store->image, store->dir, (uint32_t)store->log_durable.meta.tree,
		    store->log_durable.zxid, err, errlen);
	if (code != 0)
		return code;
	/* Not before the image is open: on a full disk it takes what the other needs. */
	db_checkpoint(store->log, SQLITE_CHECKPOINT_TRUNCATE);
	return check_loss(store, options, err, errlen);
}

static void
close_all(struct store *store)
{
	struct done *done;

	while ((done = take(store)) != NULL)
		free(done);
	sqlite3_close(store->reader);
	sqlite3_close(store->log);
	image_close(&store->image);
	if (store->highwater_fd >= 0)
		close(store->highwater_fd);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	close(store->wake_fd);
	pthread_mutex_destroy(&store->done_mutex);
	free(store->dir);
	free(store);
}

/* What everyone begins with. */
static void
set_out(struct store *store)
{
	const struct progress *log = &store->log_durable;
	const struct image_meta *image = &store->image.meta;

	store->state = (struct store_state){
		.durable = { .accepted_epoch = log->meta.accepted_epoch,
		    .accepted_sid = log->meta.accepted_sid,
		    .current_epoch = log->meta.current_epoch,
		    .last_zxid = log->zxid,
		    .voter = log->meta.voter != 0 },
		.base_zxid = log->meta.base_zxid,
		.last_hash = log->hash,
		.applied = image->applied,
		.image_upto = image->upto,
		.next_id = image->next_id,
	};
	store->appended = store->durable = log->zxid;
	store->appended_hash = log->hash;
	store->rows = log->rows;
	store->applied = image->applied;
	store->tree = store->snap_last = store->image.number;
	store->pass = 1; /* 0: no completion of a pass */
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
	store->log_rows_sent = options->log_rows_sent;
	store->needed = UINT64_MAX;
	store->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(store->wake_fd >= 0);
	pthread_mutex_init(&store->done_mutex, NULL);
	STAILQ_INIT(&store->dones);

	code = open_all(store, options, err, errlen);
	if (code != 0) {
		close_all(store);
		return code;
	}
	found_remove_trees(store->dir, store->image.number);
	found_remove(store->dir, LOG_FILE_NEW);
	db_dir_sync(store->dir);
	set_out(store);
	log_thread_start(store);
	image_thread_start(store);
	*out = store;
	return 0;
}

void
store_close(struct store *store)
{
	/* The log thread first: it may wait for the image thread. */
	log_thread_stop(store);
	image_thread_stop(store);
	log_thread_free(store);
	db_checkpoint(store->log, SQLITE_CHECKPOINT_TRUNCATE);
	close_all(store);
}
