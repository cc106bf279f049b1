/*
 * A snapshot's tree file, on the image thread: written without any protection,
 * because nothing names it; on disk as a whole, with its directory, before the
 * log thread hears that it is ready; in force when log.db says so.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/log.h"

#include <stdlib.h>
#include <sysexits.h>

/* The disk is full: the log thread ends the synchronisation. */
static void
fail(struct store *store, uint32_t number)
{
	store->snapshot.failed = true;
	log_snap_result(store, number, false);
}

void
snap_begin(struct store *store, const struct image_order *order)
{
	struct image *snapshot = &store->snapshot;
	char err[512];
	int code;

	code = image_create(snapshot, store->dir, order->tree, err, sizeof err);
	if (code == EX_CANTCREAT) {
		log_warn("the snapshot can't be written reason=\"%s\"", err);
		fail(store, order->tree);
		return;
	}
	if (code != 0)
		fatal(code, "%s", err);
	snapshot->meta.applied = order->applied;
	image_prepare(snapshot);
	if (db_exec(snapshot->db, "BEGIN") != DB_OK)
		fail(store, order->tree);
}

void
snap_put(struct store *store, const struct store_batch *batch)
{
	struct image *snapshot = &store->snapshot;

	if (snapshot->db == NULL || snapshot->failed)
		return;
	if (batch_write(snapshot, batch) != DB_OK)
		fail(store, snapshot->number);
}

void
snap_end(struct store *store, const struct image_order *order)
{
	struct image *snapshot = &store->snapshot;
	struct image_meta *meta = &snapshot->meta;

	if (snapshot->db == NULL || snapshot->failed)
		return;
	meta->upto = meta->snap_upto = order->upto;
	meta->next_id = order->next_id;
	if (image_meta_write(snapshot->db, meta) != DB_OK ||
	    db_exec(snapshot->db, "COMMIT") != DB_OK || db_built(snapshot->db) != DB_OK) {
		fail(store, snapshot->number);
		return;
	}
	db_dir_sync(store->dir);
	log_snap_result(store, snapshot->number, true);
}

/* Closed without the checkpoint that SQLite would make of it, and gone. */
static void
discard(struct store *store, struct image *image)
{
	char name[TREE_FILE_SPACE];
	uint32_t number = image->number;

	if (image->db != NULL)
		sqlite3_db_config(image->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	image_close(image);
	if (number == 0)
		return;
	tree_file_name(number, name);
	found_remove(store->dir, name);
}

void
snap_abort(struct store *store)
{
	discard(store, &store->snapshot);
}

void
snap_adopt(struct store *store)
{
	struct image old = store->image;

	store->image = store->snapshot;
	store->snapshot = (struct image){ 0 };
	db_exec(store->image.db, "PRAGMA synchronous = NORMAL");
	db_watch_wal(store->image.db, &store->image_wal_pages);
	discard(store, &old);
}
