/*
 * Shared by the store's files: db.c (connections and the policy on errors),
 * store.c (opening, completions), log.c (the log thread), rows.c (reading the
 * log), image.c (the image thread), batch.c, highwater.c. Nobody else
 * includes it.
 */
#ifndef ZABFS_STORE_INTERNAL_H
#define ZABFS_STORE_INTERNAL_H

#include "replica/store/store.h"

#include <bsd/sys/queue.h>
#include <pthread.h>
#include <sqlite3.h>

#define LOG_FILE "log.db"
#define TREE_FILE "tree-1.db"
#define LOG_APPLICATION_ID 0x7a61626c  /* "zabl" */
#define TREE_APPLICATION_ID 0x7a616274 /* "zabt" */
#define STORE_FORMAT 1

/* An order to the log thread. */
enum item_type { ITEM_ROW, ITEM_EPOCHS };
struct item {
	STAILQ_ENTRY(item) next;
	enum item_type type;
	uint64_t generation; /* void when the disk was full after it was appended */
	uint64_t zxid, prev_zxid;
	uint64_t accepted, accepted_sid, current;
	uint32_t len;
	uint8_t payload[];
};
STAILQ_HEAD(items, item);

struct done {
	STAILQ_ENTRY(done) next;
	struct store_done done;
};
STAILQ_HEAD(dones, done);

/* An order to the image thread: a batch, or the end of a pass. */
struct image_order {
	STAILQ_ENTRY(image_order) next;
	struct store_batch *batch; /* NULL: the end */
	uint64_t applied, next_id, nodes;
};
STAILQ_HEAD(image_orders, image_order);

struct store {
	char *dir;
	int lock_fd, wake_fd, highwater_fd;
	struct store_state state;
	uint64_t log_rows_min;
	uint32_t log_tree_percent;

	pthread_mutex_t done_mutex;
	struct dones dones;

	/* The log. The mutex guards the queue, what follows it is the log thread's. */
	pthread_t log_thread;
	pthread_mutex_t log_mutex;
	pthread_cond_t log_work;
	struct items items;
	uint64_t queued_rows; /* not yet completed; also read by the loop */
	size_t queued_bytes;
	uint64_t trim_applied, trim_nodes; /* asked for by the image thread; 0: nothing */
	bool log_stopping, log_sleeping;
	uint64_t generation;	/* the loop's: how often it has seen STORE_FULL */
	uint64_t last_appended; /* the loop's */

	sqlite3 *log;
	sqlite3_stmt *insert, *epochs;
	uint64_t log_generation;
	uint64_t durable_zxid, durable_hash, durable_epochs;
	uint64_t trim_to;
	int wal_pages; /* since the last checkpoint */

	sqlite3 *reader; /* read-only, the loop's */

	/* The image. */
	pthread_t image_thread;
	pthread_mutex_t image_mutex;
	pthread_cond_t image_work;
	struct image_orders orders;
	uint32_t orders_queued;
	bool image_stopping;
	sqlite3 *tree;
	sqlite3_stmt *node_put, *node_gone, *session_put, *session_gone;
	bool pass_failed; /* the image thread's */
};

/* db.c */
enum db_result { DB_OK, DB_FULL };
/*
 * 0, or a sysexits(3) code and a line in err. readonly: the file must exist.
 * application: its id; a new file gets it.
 */
int db_open(const char *dir, const char *file, int application, bool readonly, bool create,
    sqlite3 **out, char *err, size_t errlen);
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
bool db_meta_get(sqlite3 *db, const char *key, uint64_t *value);
enum db_result db_meta_set(sqlite3 *db, const char *key, uint64_t value);
/* Moves what the WAL holds to the database; a full disk leaves it where it is. */
void db_checkpoint(sqlite3 *db, int mode);
void db_dir_sync(const char *dir);

/* store.c: called on the threads. */
void store_wake(struct store *store);
void store_done_push(
    struct store *store, enum store_done_type type, uint64_t zxid, uint64_t epochs);

/* log.c */
void log_thread_start(struct store *store);
void log_thread_stop(struct store *store);
void log_trim(struct store *store, uint64_t applied, uint64_t nodes);

/* rows.c: XXH3 over the previous hash, the row's place and its payload. */
uint64_t row_hash(uint64_t prev_hash, uint64_t zxid, uint64_t prev_zxid, struct blob payload);

/* image.c */
int image_open(struct store *store, bool create, char *err, size_t errlen);
void image_thread_start(struct store *store);
void image_thread_stop(struct store *store);

/* batch.c: writes the rows of a batch; the statements are the store's. */
enum db_result batch_write(struct store *store, const struct store_batch *batch);
uint64_t node_sum(const struct store_node *row);
uint64_t session_sum(const struct store_session *row);

/* highwater.c: 0, or EX_… and err. zxid: of the last durable row. */
int highwater_open(struct store *store, uint64_t zxid, char *err, size_t errlen);
void highwater_set(struct store *store, uint64_t zxid);

#endif
