/*
 * What is durable. Two SQLite databases in the data directory, and a file:
 *
 *   log.db     the authority: epochs, log rows, the log's base, the name of the
 *              tree file in force. WAL, synchronous=FULL. Everything that must
 *              be atomic for consensus is one transaction of it.
 *   tree-N.db  the fuzzy image of the tree.
 *   highwater  epoch and zxid last acknowledged, with a CRC: finds a log that
 *              forgot what it had acknowledged (replica/README.md).
 *
 * Threads. All functions are called from the loop's thread. The log thread
 * owns log.db's writing connection (commits, checkpoints), the image thread
 * owns tree-N.db's; each database has that one writer and mmap off. Work goes
 * to them through queues with the stated bounds and comes back as completions:
 * `wake` becomes readable, store_poll returns them in order.
 *
 * Errors. A failed fsync, EIO or corruption: the process says why and exits
 * with EX_IOERR, nothing more is sent. A full disk: the transaction is rolled
 * back as a whole and reported (STORE_FULL), nothing of it is on disk.
 *
 * Source: replica/README.md, and zab.h for what must be one transaction.
 * Called by the rooms of replica.h; knows no tree and no protocol.
 */
#ifndef ZABFS_STORE_STORE_H
#define ZABFS_STORE_STORE_H

#include "replica/lib/codec.h"

#include <stdbool.h>

struct store;

struct store_options {
	const char *dir; /* borrowed until store_open returns */
	bool found;	 /* -I: make the databases; refuse where some exist */
	/*
	 * A member of an ensemble whose others have what this disk has lost. No
	 * databases: they are made, and this is no voter. Acknowledged rows are missing
	 * (the high-water mark): no voter from now on. Without it both are refused.
	 */
	bool replaceable;
	uint32_t member;	   /* checked against the one that founded them */
	const char *cluster;	   /* likewise */
	uint64_t log_rows_min;	   /* rows kept for DIFF, at least */
	uint32_t log_tree_percent; /* or this share of the tree's nodes, if that is more */
	uint64_t log_rows_sent;	   /* beyond that, for members that are being sent them: at most */
};

/* What the log's transactions have made durable. */
struct store_durable {
	uint64_t accepted_epoch;
	uint64_t accepted_sid;
	uint64_t current_epoch;
	uint64_t last_zxid; /* of the last row, or the base's */
	bool voter;	    /* nothing that it acknowledged is lost */
};

struct store_state {
	struct store_durable durable;
	uint64_t base_zxid;  /* rows at or below it are gone; 0: none is */
	uint64_t last_hash;  /* chained, at last_zxid */
	uint64_t applied;    /* the image's: recovery replays the rows above */
	uint64_t image_upto; /* of what came after it, rows up to here may show in the image,
			      * so all of them were committed. Above last_zxid only after a
			      * snapshot, whose last rows the leader has still to send */
	uint64_t next_id;    /* the image's */
};

/*
 * Opens and recovers: WAL checkpointed with TRUNCATE, directory fsynced, rows
 * contiguous, nothing acknowledged missing; files of a snapshot that was never
 * put in force, and of a founding that was cut short, are removed. On failure returns a sysexits(3) code
 * and a clear line in err: EX_USAGE (found, but some exist), EX_NOINPUT (no
 * databases), EX_DATAERR (corrupt, rows missing, another member's), EX_IOERR,
 * EX_CANTCREAT, EX_TEMPFAIL (locked by another process, and a second
 * later still).
 */
int store_open(const struct store_options *options, struct store **out, char *err, size_t errlen);

/* Waits for both threads to finish what is queued, checkpoints, closes. */
void store_close(struct store *store);

/* As recovered by store_open; not updated later. */
const struct store_state *store_state(const struct store *store);

/*
 * The log. Everything goes through one FIFO to the log thread, which takes
 * everything queued, makes one SQLite transaction and one fsync of it, and
 * reports one completion: group commit. Each call has an `op`, a number above
 * that of the call before it; a completion names the last one that is durable.
 */
#define STORE_QUEUE_ROWS_MAX 65536 /* beyond: store_append says ERR_BUSY */
#define STORE_QUEUE_BYTES_MAX (256u << 20)
#define STORE_CROWDED_ROWS (STORE_QUEUE_ROWS_MAX / 8)
#define STORE_CROWDED_BYTES (STORE_QUEUE_BYTES_MAX / 8)

struct store_row {
	uint64_t zxid;
	uint64_t prev_zxid;
	struct blob payload; /* copied */
};

/*
 * 0 and the row's chained hash, or ERR_BUSY. zxid above, prev_zxid equal to,
 * the last appended one's (CHECK).
 */
int store_append(struct store *store, uint64_t op, const struct store_row *row, uint64_t *hash);
/*
 * Whether one of the above is queued: who takes rows from another member, which may have any
 * number of them, waits. `wake` becomes readable when it is so no more.
 */
bool store_crowded(struct store *store);
void store_set_epochs(
    struct store *store, uint64_t op, uint64_t accepted, uint64_t accepted_sid, uint64_t current);
/* This member is synchronised: it is a voter from now on. */
void store_set_voter(struct store *store, uint64_t op);

/*
 * A synchronisation: what is between store_sync_begin or store_snap_begin and
 * store_sync_commit (rows only) becomes durable with the commit, as ONE
 * transaction, and is not reported before. store_sync_abort, instead of the
 * commit, undoes it (`op`, which may be that of its last call, is then reported
 * with what was durable before); with none open it only reports.
 *
 * store_sync_begin: the rows above zxid go first; zxid is a durable row's, or
 * the base's.
 * store_snap_begin: all rows go, zxid and hash become the base, and a new tree
 * file takes the old one's place, made of the batches of store_snap_put; it
 * is invisible until the commit. No pass may be under way (store_pass_abort),
 * nor begin before the commit is reported, or it is undone (CHECK).
 * store_snap_end, before the commit, says that the batches are complete;
 * image_upto and next_id are store_state's.
 */
void store_sync_begin(struct store *store, uint64_t op, uint64_t zxid);
void store_snap_begin(struct store *store, uint64_t op, uint64_t zxid, uint64_t hash);
struct store_batch;
void store_snap_put(struct store *store, struct store_batch *batch); /* owned by the store */
void store_snap_end(struct store *store, uint64_t image_upto, uint64_t next_id);
void store_sync_commit(struct store *store, uint64_t op, uint64_t current_epoch);
void store_sync_abort(struct store *store, uint64_t op);

enum store_done_type {
	STORE_LOGGED, /* durable up to `op` */
	STORE_FULL, /* the disk is full: of what was called for since the last STORE_LOGGED nothing
		       * is on disk, the queue is empty again (a synchronisation is over), the
		       * next row's prev_zxid is durable.last_zxid */
	STORE_PASSED,	   /* the image is durable; now rows are dropped as retention allows */
	STORE_PASS_FAILED, /* the disk is full: `applied` is as before, some of the pass's rows
			    * may be in it */
};
struct store_done {
	enum store_done_type type;
	uint64_t op;
	struct store_durable durable; /* LOGGED, FULL */
	uint64_t sync_ns; /* LOGGED: what the commit took, its fsync; 0: none was needed */
};
/* How much there is of what. */
struct store_figures {
	uint64_t rows; /* of the log, durable */
	uint64_t queued_rows, queued_bytes;
	uint64_t log_bytes, image_bytes; /* of their files; a WAL's, too */
	uint64_t free_bytes;		 /* of the disk */
};
void store_figures(struct store *store, struct store_figures *out);

int store_wake_fd(const struct store *store); /* poll for reading */
bool store_poll(struct store *store, struct store_done *out);

/*
 * The greatest durable row at or below zxid (the base counts) and its chained
 * hash. 0; ERR_NONODE where zxid is below the base; ERR_IO (corrupt).
 */
int store_look_up(struct store *store, uint64_t zxid, uint64_t *found, uint64_t *hash);

/*
 * Calls row() for each durable row above `after`, in order, until it returns
 * false. 0; ERR_NONODE where rows above `after` are gone already; ERR_IO
 * (corrupt: the row's chained hash does not match). Payload: borrowed until row() returns.
 */
int store_read(struct store *store, uint64_t after,
    bool (*row)(void *arg, uint64_t zxid, struct blob payload), void *arg);

/* The image's rows. Blobs are borrowed. */
struct store_node {
	uint64_t id, parent, czxid, mzxid, pzxid, owner, handle;
	uint32_t mode, uid, gid, version, cversion, aversion;
	int64_t birth_ns, mtime_ns, ctime_ns;
	int64_t quota_nodes, quota_bytes;
	uint32_t quota_hard;
	struct blob name, value;
};
struct store_session {
	uint64_t id, acked;
	uint32_t timeout_ms;
	struct blob secret, identity;
	struct blob results; /* msgpack, the tree's business */
};

/* Sessions, then nodes, each row checked. 0, ERR_IO (corrupt), or what a callback returned. */
int store_image_load(struct store *store, int (*node)(void *arg, const struct store_node *row),
    int (*session)(void *arg, const struct store_session *row), void *arg);

/* A batch of image rows: one small transaction of tree-N.db. */
struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *batch);
void store_batch_node(struct store_batch *batch, const struct store_node *row);
void store_batch_node_gone(struct store_batch *batch, uint64_t id);
void store_batch_session(struct store_batch *batch, const struct store_session *row);
void store_batch_session_gone(struct store_batch *batch, uint64_t id);
size_t store_batch_bytes(const struct store_batch *batch);

/*
 * A pass. put: hands the batch to the image thread (owned by the store from now
 * on); upto: what the tree had applied when its rows were made, durable with
 * them as image_upto.
 */
void store_pass_put(struct store *store, struct store_batch *batch, uint64_t upto);
/* Batches handed over and not yet written, of a snapshot, too: the caller keeps this small. */
uint32_t store_pass_queued(const struct store *store);
/*
 * The end of a pass: `applied` and `next_id` are recorded and everything is
 * fsynced; then the log drops rows at or below `applied`, but keeps
 * max(log_rows_min, log_tree_percent of nodes), and what store_need has said.
 * STORE_PASSED follows.
 */
void store_pass_end(struct store *store, uint64_t applied, uint64_t next_id, uint64_t nodes);
/*
 * A member is being sent the rows above `after`: from the next pass's end on they are kept, unless
 * the log has log_rows_sent more than it keeps otherwise. UINT64_MAX: nobody is.
 */
void store_need(struct store *store, uint64_t after);
/* The pass ends here; nothing follows. What was written of it stays. */
void store_pass_abort(struct store *store);

#endif
