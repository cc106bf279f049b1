/*
 * Shared by the store's files. Nobody else includes it.
 *
 *   store.c      opening and closing, completions
 *   found.c      new databases; files that are not in force
 *   queue.c      the loop's side of the log
 *   log.c        the log thread: group commit; trim.c: retention
 *   sync.c       its synchronisations
 *   rows.c       reading the log
 *   image.c      the image thread; snap.c: its snapshots
 *   image_file.c opening and loading a tree file; batch.c: its rows
 *   meta.c       what a database knows of itself, with a checksum
 *   highwater.c
 *   db.c         connections, and the policy on errors
 */
#ifndef ZABFS_STORE_INTERNAL_H
#define ZABFS_STORE_INTERNAL_H

#include "replica/store/store.h"

#include <bsd/sys/queue.h>
#include <pthread.h>
#include <sqlite3.h>

#define LOG_FILE "log.db"
#define LOG_FILE_NEW "log.db.new"      /* until all of it is there */
#define TREE_FILE_SPACE 32	       /* tree-4294967295.db-wal */
#define LOG_APPLICATION_ID 0x7a61626c  /* "zabl" */
#define TREE_APPLICATION_ID 0x7a616274 /* "zabt" */
#define WAL_PAGES_MAX 2048	       /* 8 MiB: checkpointed, however much there is to do */
/* 1: no checksums of meta and image as a whole; 2: no quotas. */
#define STORE_FORMAT 3

/* The meta tables, in the order of meta.c's keys. */
struct log_meta {
	uint64_t accepted_epoch, accepted_sid, current_epoch;
	uint64_t base_zxid, base_hash;
	uint64_t voter;
	uint64_t tree; /* the number of the tree file in force */
	uint64_t member;
};
struct image_meta {
	uint64_t applied, next_id;
	uint64_t upto;	    /* store_state's image_upto */
	uint64_t snap_upto; /* what it was in the snapshot that the file comes from */
	uint64_t digest;    /* the sum of all rows' checksums */
};

/* What a transaction of the log makes durable. */
struct progress {
	struct log_meta meta;
	uint64_t zxid, hash; /* of the last row */
	uint64_t rows;
	uint64_t op;
};

/* An order to the log thread. */
enum item_type { ITEM_ROW, ITEM_EPOCHS, ITEM_VOTER, ITEM_SYNC, ITEM_SNAP, ITEM_COMMIT, ITEM_ABORT };
struct item {
	STAILQ_ENTRY(item) next;
	enum item_type type;
	uint64_t generation; /* void when the disk was full after it was called for */
	uint64_t op;
	uint64_t zxid, prev_zxid, hash;
	uint64_t accepted, accepted_sid, current;
	uint32_t tree; /* SNAP: the number of its tree file */
	uint32_t len;
	uint8_t payload[];
};
STAILQ_HEAD(items, item);

struct done {
	STAILQ_ENTRY(done) next;
	struct store_done done;
	uint64_t hash;	  /* LOGGED, FULL: of the last row */
	uint64_t pass;	  /* PASSED, PASS_FAILED: which */
	uint64_t applied; /* PASSED */
};
STAILQ_HEAD(dones, done);

/* An order to the image thread. ADOPT is the log thread's, the others are the loop's. */
enum order_type {
	ORDER_PUT,
	ORDER_END,
	ORDER_ABORT,
	ORDER_SNAP,
	ORDER_SNAP_PUT,
	ORDER_SNAP_END,
	ORDER_SNAP_ABORT,
	ORDER_ADOPT
};
struct image_order {
	STAILQ_ENTRY(image_order) next;
	enum order_type type;
	struct store_batch *batch; /* PUT, SNAP_PUT */
	uint64_t pass;
	uint64_t applied, upto, next_id, nodes;
	uint32_t tree; /* SNAP */
};
STAILQ_HEAD(image_orders, image_order);

/* A tree file that is written. */
struct image {
	uint32_t number;
	sqlite3 *db; /* NULL: none */
	sqlite3_stmt *node_put, *node_gone, *node_sum;
	sqlite3_stmt *session_put, *session_gone, *session_sum;
	struct image_meta meta;
	bool failed; /* the disk was full: what follows of the pass, or snapshot, is void */
};

struct store {
	char *dir;
	int lock_fd, wake_fd, highwater_fd;
	struct store_state state;
	uint64_t log_rows_min;
	uint32_t log_tree_percent;
	uint64_t log_rows_sent;

	pthread_mutex_t done_mutex;
	struct dones dones;

	/* The loop's. */
	uint64_t generation;			/* how often it has seen STORE_FULL */
	uint64_t called;			/* the last op */
	uint64_t appended, appended_hash;	/* the last row */
	uint64_t before_sync, before_sync_hash; /* likewise */
	uint64_t durable;			/* the last row, as reported */
	uint64_t applied;			/* the image's, as reported */
	bool syncing;				/* begun, neither committed nor aborted */
	uint64_t sync_op;			/* of a commit that is not reported yet; 0: none */
	uint32_t snap, snap_last;		/* the snapshot's tree file: now (0: none), ever */
	uint64_t snap_zxid;
	bool snap_ended;
	uint32_t tree;	 /* the tree file in force, as reported */
	uint64_t pass;	 /* counts aborted passes, too */
	sqlite3 *reader; /* of log.db, read-only */

	/* The log. The mutex guards the queue and what others say to the log thread. */
	pthread_t log_thread;
	pthread_mutex_t log_mutex;
	pthread_cond_t log_work;
	struct items items;
	struct items spent;   /* written: whose memory is the loop's to free */
	uint64_t queued_rows; /* not yet written; also read by the loop */
	size_t queued_bytes;
	uint64_t trim_applied, trim_nodes; /* asked for by the image thread; 0: nothing */
	uint32_t trim_tree;		   /* for which tree file */
	uint64_t needed;		   /* store_need's */
	uint32_t snap_ready, snap_failed;  /* the image thread's word on a tree file */
	bool log_stopping, log_sleeping;

	/* The log thread's. */
	sqlite3 *log;
	sqlite3_stmt *insert;
	uint64_t log_generation;
	struct progress log_durable, log_pending; /* pending: with the open transaction */
	bool log_open;				  /* a transaction */
	bool log_syncing;			  /* it is a synchronisation */
	uint32_t log_snap;			  /* the tree file that it puts in force; 0: none */
	uint64_t trim_to;
	uint64_t sync_ns;      /* what the last commit took; 0: it was reported */
	_Atomic uint64_t rows; /* of the log, durable; the loop may look */
	int wal_pages;	       /* since the last checkpoint */

	/* The image. */
	pthread_t image_thread;
	pthread_mutex_t image_mutex;
	pthread_cond_t image_work;
	struct image_orders orders;
	uint32_t orders_queued;
	bool image_stopping;
	struct image image, snapshot; /* in force, and to be */
	int image_wal_pages;	      /* of the one in force, since its last checkpoint */
};

/* db.c */
enum db_result { DB_OK, DB_FULL };
enum db_mode {
	DB_READ,  /* must exist */
	DB_WRITE, /* likewise; WAL */
	DB_BUILD  /* new, without any protection until db_built */
};
/* 0, or a sysexits(3) code and a line in err. application: its id. */
int db_open(const char *dir, const char *file, int application, enum db_mode mode, sqlite3 **out,
    char *err, size_t errlen);
/* The end of DB_BUILD: on disk, and in WAL mode from now on. The directory is the caller's. */
enum db_result db_built(sqlite3 *db);
/* A full disk is the caller's business; any other failure ends the process. */
enum db_result db_check(sqlite3 *db, int code, const char *what);
enum db_result db_exec(sqlite3 *db, const char *sql);
/* Runs a bound statement that returns no row, and resets it. */
enum db_result db_run(sqlite3 *db, sqlite3_stmt *statement, const char *what);
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql);
/* Steps a bound query: whether there is a row. A failure ends the process. */
bool db_row(sqlite3 *db, sqlite3_stmt *statement, const char *what);
/* What a query ended with: 0, ERR_IO for what is damaged; a disk that fails ends the process. */
int db_read_result(sqlite3 *db, int code, const char *what);
/* EX_DATAERR for a damaged file, else EX_IOERR. */
_Noreturn void db_die(sqlite3 *db, const char *what);
/* Damage that SQLite knows nothing of. */
_Noreturn void db_damaged(const char *what);
void db_roll_back(sqlite3 *db);
uint64_t db_number(sqlite3_stmt *statement, int column);
struct blob db_blob(sqlite3_stmt *statement, int column);
int db_format(sqlite3 *db);
/* Moves what the WAL holds to the database; a full disk leaves it where it is. */
void db_checkpoint(sqlite3 *db, int mode);
/* *pages: the WAL's, after each commit from now on. */
void db_watch_wal(sqlite3 *db, int *pages);
void db_dir_sync(const char *dir);

/* meta.c: read says false where something is missing or the checksum is wrong. */
bool log_meta_read(sqlite3 *db, struct log_meta *meta);
enum db_result log_meta_write(sqlite3 *db, const struct log_meta *meta);
bool image_meta_read(sqlite3 *db, struct image_meta *meta);
enum db_result image_meta_write(sqlite3 *db, const struct image_meta *meta);
/* A value of format 1; as it was where the key is missing. */
void meta_old(sqlite3 *db, const char *key, uint64_t *value);

/* found.c: 0, or EX_… and err. */
int found_check(const struct store_options *options, bool *make, char *err, size_t errlen);
int found_all(const struct store_options *options, char *err, size_t errlen);
void tree_file_name(uint32_t number, char name[TREE_FILE_SPACE]);
/* Removes a database and what SQLite keeps beside it. */
void found_remove(const char *dir, const char *file);
/* Removes every tree file but that one (0: every one). */
void found_remove_trees(const char *dir, uint32_t but);

/* store.c: called on the threads. */
void store_wake(struct store *store);
void store_done_push(struct store *store, const struct done *done);

/* queue.c: what a completion means for the calls to come. */
void queue_reported(struct store *store, const struct done *done);
/* On the loop's thread. */
void queue_free_spent(struct store *store);
/* store_crowded; the mutex is held. */
bool queue_crowded(const struct store *store);

/* log.c */
void log_thread_start(struct store *store);
void log_thread_stop(struct store *store);
void log_thread_free(struct store *store);
void log_trim(struct store *store, uint32_t tree, uint64_t applied, uint64_t nodes);
void log_snap_result(struct store *store, uint32_t tree, bool ok);
/* On the log thread: with sync.c. */
enum db_result log_begin(struct store *store);
enum db_result log_commit(struct store *store);
void log_undo(struct store *store);
void log_report(struct store *store, enum store_done_type type);

/* trim.c, on the log thread */
void trim_begin(struct store *store, uint64_t applied, uint64_t nodes, uint64_t needed);
void trim_some(struct store *store);

/* sync.c, on the log thread */
enum db_result sync_begin(struct store *store, const struct item *item);
enum db_result sync_commit(struct store *store, const struct item *item);
enum db_result sync_abort(struct store *store, const struct item *item);

/* rows.c: XXH3 over the previous hash, the row's place and its payload. */
uint64_t row_hash(uint64_t prev_hash, uint64_t zxid, uint64_t prev_zxid, struct blob payload);
/* Whether the rows are a chain from the base on, by the zxids; the last one, and how many. */
bool rows_contiguous(sqlite3 *log, struct progress *progress);

/* image.c */
void image_thread_start(struct store *store);
void image_thread_stop(struct store *store);
void image_push(struct store *store, const struct image_order *order);

/* image_file.c */
int image_create(struct image *image, const char *dir, uint32_t number, char *err, size_t errlen);
int image_open(struct image *image, const char *dir, uint32_t number, uint64_t last_zxid, char *err,
    size_t errlen);
void image_prepare(struct image *image);
void image_close(struct image *image);

/* snap.c, on the image thread */
void snap_begin(struct store *store, const struct image_order *order);
void snap_put(struct store *store, const struct store_batch *batch);
void snap_end(struct store *store, const struct image_order *order);
void snap_abort(struct store *store);
void snap_adopt(struct store *store);

/* batch.c: writes the rows of a batch; the digest follows. */
enum db_result batch_write(struct image *image, const struct store_batch *batch);
uint64_t node_sum(const struct store_node *row);
uint64_t session_sum(const struct store_session *row);

/* highwater.c */
/* 0, or EX_… and err. *above: something acknowledged is not in the log; err: what. */
int highwater_open(struct store *store, bool *above, char *err, size_t errlen);
void highwater_set(struct store *store, const struct progress *progress);
/* Before rows go: it must not stand above the log's end, whatever the crash. */
enum db_result highwater_lower(struct store *store, const struct progress *progress);

#endif
