/*
 * The store when it is synchronised with others, on real files: all or nothing
 * of a synchronisation, snapshots that take the image's place, members that
 * have lost what they had.
 */
#include <sqlite3.h>

#include "tests/unit/store_harness.h"

static bool
expect_other(void *arg, uint64_t zxid, struct blob payload)
{
	struct expected *expected = arg;

	assert_int_equal(zxid, expected->next++);
	assert_int_equal(payload.len, 5);
	assert_memory_equal(payload.data, "other", 5);
	return true;
}

static void
append_other(struct store *store, uint64_t first, uint64_t last)
{
	uint64_t zxid;

	for (zxid = first; zxid <= last; zxid++)
		append(store, zxid, zxid - 1, "other");
}

/* What ends a synchronisation is reported, and nothing before it. */
static struct store_done
ended(struct store *store)
{
	struct store_done done = completion(store);

	assert_int_equal(done.type, STORE_LOGGED);
	assert_int_equal(done.op, op);
	assert_false(store_poll(store, &done));
	return done;
}

static void
path_of(char path[256], const char *file)
{
	snprintf(path, 256, "%s/%s", dir, file);
}

static bool
there(const char *file)
{
	char path[256];

	path_of(path, file);
	return access(path, F_OK) == 0;
}

static void
gone_soon(const char *file)
{
	int tries;

	for (tries = 0; tries < DEADLINE_MS / 10 && there(file); tries++)
		poll(NULL, 0, 10);
	assert_false(there(file));
}

static void
touch(const char *file)
{
	char path[256];
	int fd;

	path_of(path, file);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void
sql(const char *file, const char *text)
{
	char path[256];
	sqlite3 *db;

	path_of(path, file);
	/* The store's own, so that it works beside it. */
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix-excl"), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void
test_rows_are_replaced_at_once(void **state)
{
	struct expected others = { 16, 0 };
	struct store *store = open_store(true);
	struct store_done done;
	uint64_t found, hash;

	(void)state;
	store_set_epochs(store, ++op, 5, 1, 0);
	append_rows(store, 1, 20);
	store_sync_begin(store, ++op, 15);
	append_other(store, 16, 18);
	/* A reader sees the old rows until the commit. */
	expect_rows(store, 0, 20);
	store_sync_commit(store, ++op, 5);
	done = ended(store);
	assert_int_equal(done.durable.last_zxid, 18);
	assert_int_equal(done.durable.current_epoch, 5);
	assert_int_equal(store_read(store, 15, expect_other, &others), 0);
	assert_int_equal(others.next, 19);
	/* The chain goes on behind them. */
	append_other(store, 19, 19);
	logged(store, 19);
	has_rows(store, 19);
	assert_int_equal(store_look_up(store, 19, &found, &hash), 0);
	store_close(store);
	store = open_store(false);
	assert_int_equal(store_state(store)->durable.last_zxid, 19);
	assert_int_equal(store_state(store)->last_hash, hash);
	others.next = 16;
	assert_int_equal(store_read(store, 15, expect_other, &others), 0);
	store_close(store);
}

static void
test_an_abort_undoes_it(void **state)
{
	struct store *store = open_store(true);

	(void)state;
	append_rows(store, 1, 20);
	store_sync_begin(store, ++op, 10);
	append_other(store, 11, 30);
	/* Not a call more: the core counts none. */
	store_sync_abort(store, op);
	assert_int_equal(ended(store).durable.last_zxid, 20);
	expect_rows(store, 0, 20);
	has_rows(store, 20);
	append_rows(store, 21, 25);
	/* Without one it only reports. */
	store_sync_abort(store, ++op);
	assert_int_equal(ended(store).durable.last_zxid, 25);
	store_sync_begin(store, ++op, 25);
	append_other(store, 26, 26);
	store_close(store);
	store = open_store(false);
	expect_rows(store, 0, 25);
	assert_int_equal(store_state(store)->durable.last_zxid, 25);
	store_close(store);
}

/* A row too big for the memory that a transaction may take before it goes to the WAL. */
static void
append_big(struct store *store, uint64_t zxid, uint64_t prev)
{
	static uint8_t big[1 << 20];
	struct store_row row = { zxid, prev, { big, sizeof big } };
	uint64_t hash;

	assert_int_equal(store_append(store, ++op, &row, &hash), 0);
}

static void
sync_child(int out)
{
	struct store *store = open_store(false);
	struct store_done done;
	char path[256];
	struct stat st;
	uint64_t zxid;

	store_sync_begin(store, ++op, 10);
	for (zxid = 11; zxid <= 30; zxid++)
		append_big(store, zxid, zxid - 1);
	path_of(path, "log.db-wal");
	while (stat(path, &st) != 0 || st.st_size < 10 << 20)
		poll(NULL, 0, 1);
	assert_int_equal(write(out, "w", 1), 1);
	while (!store_poll(store, &done))
		poll(NULL, 0, 100);
	assert_int_equal(write(out, "d", 1), 1);
	_exit(0);
}

static void
test_kill_9_in_a_synchronisation(void **state)
{
	struct store *store = open_store(true);
	int fds[2];
	pid_t child;
	char said;

	(void)state;
	append_rows(store, 1, 20);
	store_close(store);
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0)
		sync_child(fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &said, 1), 1);
	assert_int_equal(said, 'w');
	kill(child, SIGKILL);
	assert_int_equal(read(fds[0], &said, 1), 0);
	close(fds[0]);
	waitpid(child, NULL, 0);
	store = open_store(false);
	expect_rows(store, 0, 20);
	store_close(store);
}

static void
pass_of(struct store *store, uint64_t id, const char *name, uint64_t applied)
{
	struct store_node row = node(id, name, "");
	struct store_batch *batch = store_batch_new();

	store_batch_node(batch, &row);
	pass(store, applied, batch);
}

static int
collect(void *arg, const struct store_node *row)
{
	char *names = arg;

	strncat(names, (const char *)row->name.data, row->name.len);
	strcat(names, ",");
	return 0;
}

static int
no_session(void *arg, const struct store_session *row)
{
	(void)arg;
	(void)row;
	return -1;
}

static void
expect_image(struct store *store, const char *wanted)
{
	char names[256] = "";

	assert_int_equal(store_image_load(store, collect, no_session, names), 0);
	assert_string_equal(names, wanted);
}

/* The snapshot at `zxid`, of two nodes, without its commit. */
static void
snapshot(struct store *store, uint64_t zxid)
{
	struct store_node five = node(5, "five", "v"), six = node(6, "six", "w");
	struct store_batch *batch = store_batch_new();

	store_snap_begin(store, ++op, zxid, 77);
	store_batch_node(batch, &five);
	store_snap_put(store, batch);
	batch = store_batch_new();
	store_batch_node(batch, &six);
	store_snap_put(store, batch);
}

static void
test_a_snapshot(void **state)
{
	struct store *store = open_store(true);
	struct expected others = { 101, 0 };
	const struct store_state *now;
	uint64_t found, hash;
	struct store_done done;

	(void)state;
	append_rows(store, 1, 20);
	pass_of(store, 2, "two", 20);
	snapshot(store, 100);
	append_other(store, 101, 102);
	store_snap_end(store, 103, 55);
	store_sync_commit(store, ++op, 0);
	done = ended(store);
	assert_int_equal(done.durable.last_zxid, 102);
	expect_image(store, "five,six,");
	gone_soon("tree-1.db");
	gone_soon("tree-1.db-wal");
	assert_int_equal(store_look_up(store, 100, &found, &hash), 0);
	assert_int_equal(found, 100);
	assert_int_equal(hash, 77);
	assert_int_equal(store_look_up(store, 99, &found, &hash), ERR_NONODE);
	store_close(store);
	assert_false(there("tree-1.db"));

	store = open_store(false);
	now = store_state(store);
	assert_int_equal(now->base_zxid, 100);
	assert_int_equal(now->applied, 100);
	assert_int_equal(now->image_upto, 103);
	assert_int_equal(now->durable.last_zxid, 102);
	assert_int_equal(now->next_id, 55);
	assert_int_equal(store_read(store, 100, expect_other, &others), 0);
	assert_int_equal(others.next, 103);
	expect_image(store, "five,six,");
	/* Passes go on in the new file, and image_upto stays. */
	pass_of(store, 7, "seven", 102);
	store_close(store);
	store = open_store(false);
	assert_int_equal(store_state(store)->applied, 102);
	assert_int_equal(store_state(store)->image_upto, 103);
	expect_image(store, "five,six,seven,");
	store_close(store);
}

static void
test_a_pass_after_a_snapshot(void **state)
{
	struct store *store = open_store(true);

	(void)state;
	append_rows(store, 1, 20);
	snapshot(store, 30);
	store_snap_end(store, 30, 55);
	store_sync_commit(store, ++op, 0);
	ended(store);
	append_other(store, 31, 400);
	logged(store, 400);
	has_rows(store, 370);
	pass_of(store, 9, "nine", 400);
	store_close(store);
	store = open_store(false);
	/* Retention works on: 100 rows are kept. */
	assert_int_equal(store_state(store)->base_zxid, 300);
	expect_image(store, "five,six,nine,");
	store_close(store);
}

static void
test_a_snapshot_undone(void **state)
{
	struct store *store = open_store(true);

	(void)state;
	append_rows(store, 1, 20);
	pass_of(store, 2, "two", 20);
	snapshot(store, 100);
	append_other(store, 101, 102);
	store_sync_abort(store, ++op);
	assert_int_equal(ended(store).durable.last_zxid, 20);
	gone_soon("tree-2.db");
	expect_rows(store, 0, 20);
	expect_image(store, "two,");
	/* Also by the end of the process, whatever is queued. */
	snapshot(store, 100);
	store_snap_end(store, 100, 55);
	store_close(store);
	assert_false(there("tree-3.db"));
	store = open_store(false);
	expect_rows(store, 0, 20);
	expect_image(store, "two,");
	/* And the next one is put in force as if nothing had been. */
	snapshot(store, 100);
	store_snap_end(store, 100, 55);
	store_sync_commit(store, ++op, 0);
	ended(store);
	expect_image(store, "five,six,");
	store_close(store);
}

static void
test_files_not_in_force_go(void **state)
{
	struct store *store = open_store(true);

	(void)state;
	append_rows(store, 1, 20);
	pass_of(store, 2, "two", 20);
	store_close(store);
	touch("tree-7.db");
	touch("tree-7.db-wal");
	touch("tree-12.db-shm");
	touch("log.db.new");
	touch("tree-7.dbx");
	touch("tree-x.db");
	store = open_store(false);
	expect_image(store, "two,");
	assert_false(there("tree-7.db"));
	assert_false(there("tree-7.db-wal"));
	assert_false(there("tree-12.db-shm"));
	assert_false(there("log.db.new"));
	/* Other people's files stay. */
	assert_true(there("tree-x.db"));
	assert_true(there("tree-7.dbx"));
	store_close(store);
}

static void
small_disk(char ballast[256])
{
	char small[128];

	snprintf(small, sizeof small, "%s/d", base);
	if (mount("zabfs-test", small, "tmpfs", 0, "size=4m") != 0)
		fail_msg("a tmpfs, which needs root: %s", strerror(errno));
	snprintf(dir, sizeof dir, "%s/d/in", base);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(ballast, 256, "%s/d/ballast", base);
}

static void
expect_full(struct store *store, uint64_t last)
{
	struct store_done done = completion(store);

	assert_int_equal(done.type, STORE_FULL);
	assert_int_equal(done.durable.last_zxid, last);
}

static void
test_a_full_disk_ends_a_synchronisation(void **state)
{
	struct expected others = { 11, 0 };
	struct store *store;
	char ballast[256];
	uint64_t zxid;

	(void)state;
	small_disk(ballast);
	store = open_store(true);
	store_set_epochs(store, ++op, 5, 1, 0);
	append_rows(store, 1, 20);
	store_sync_begin(store, ++op, 10);
	for (zxid = 11; zxid <= 20; zxid++)
		append_big(store, zxid, zxid - 1);
	store_sync_commit(store, ++op, 5);
	expect_full(store, 20);
	expect_rows(store, 0, 20);
	append_rows(store, 21, 22);
	store_sync_begin(store, ++op, 10);
	append_other(store, 11, 12);
	store_sync_commit(store, ++op, 5);
	assert_int_equal(ended(store).durable.last_zxid, 12);
	store_close(store);
	store = open_store(false);
	assert_int_equal(store_read(store, 10, expect_other, &others), 0);
	assert_int_equal(others.next, 13);
	store_close(store);
}

static void
test_a_full_disk_ends_a_snapshot(void **state)
{
	static uint8_t big[1 << 20];
	struct store_node row = node(5, "five", "");
	struct store_batch *batch;
	struct store *store;
	char ballast[256];

	(void)state;
	small_disk(ballast);
	store = open_store(true);
	append_rows(store, 1, 20);
	pass_of(store, 2, "two", 20);
	row.value = (struct blob){ big, sizeof big };
	store_snap_begin(store, ++op, 100, 77);
	for (row.id = 5; row.id < 15; row.id++) {
		batch = store_batch_new();
		store_batch_node(batch, &row);
		store_snap_put(store, batch);
	}
	/* It is said without a commit. */
	expect_full(store, 20);
	gone_soon("tree-2.db");
	expect_rows(store, 0, 20);
	expect_image(store, "two,");
	append_rows(store, 21, 22);
	pass_of(store, 3, "three", 22);
	/* Full before its first byte. */
	fill(ballast, 0);
	snapshot(store, 100);
	store_snap_end(store, 100, 55);
	store_sync_commit(store, ++op, 0);
	expect_full(store, 22);
	assert_int_equal(unlink(ballast), 0);
	snapshot(store, 100);
	store_snap_end(store, 100, 55);
	store_sync_commit(store, ++op, 0);
	assert_int_equal(ended(store).durable.last_zxid, 100);
	expect_image(store, "five,six,");
	store_close(store);
}

static struct store *
open_replaceable(void)
{
	struct store_options opts = options(false);
	struct store *store;
	char err[512] = "";

	opts.replaceable = true;
	if (store_open(&opts, &store, err, sizeof err) != 0)
		fail_msg("store_open: %s", err);
	return store;
}

static void
test_an_empty_disk_is_no_voter(void **state)
{
	struct store *store = open_replaceable();

	(void)state;
	assert_false(store_state(store)->durable.voter);
	append_rows(store, 1, 3);
	store_close(store);
	store = open_store(false);
	assert_false(store_state(store)->durable.voter);
	store_set_voter(store, ++op);
	assert_true(completion(store).durable.voter);
	store_close(store);
	store = open_replaceable();
	assert_true(store_state(store)->durable.voter);
	expect_rows(store, 0, 3);
	store_close(store);
	store = NULL;
}

static void
keep(const char *file)
{
	char command[512];

	snprintf(command, sizeof command, "cp %s/%s %s/kept", dir, file, dir);
	assert_int_equal(system(command), 0);
}

static void
bring_back(const char *file)
{
	char command[512];

	snprintf(command, sizeof command, "mv %s/kept %s/%s", dir, dir, file);
	assert_int_equal(system(command), 0);
}

static void
test_who_lost_rows_is_no_voter(void **state)
{
	struct store *store = open_store(true);

	(void)state;
	append_rows(store, 1, 10);
	store_close(store);
	keep("log.db");
	store = open_store(false);
	append_rows(store, 11, 20);
	store_close(store);
	bring_back("log.db");
	refused(options(false), EX_DATAERR, "acknowledged");
	store = open_replaceable();
	assert_false(store_state(store)->durable.voter);
	expect_rows(store, 0, 10);
	store_close(store);
	/* That is durable; the mark is where the log ends. */
	store = open_store(false);
	assert_false(store_state(store)->durable.voter);
	assert_int_equal(store_state(store)->durable.last_zxid, 10);
	append_rows(store, 11, 12);
	store_close(store);
}

static void
test_who_lost_an_epoch_is_no_voter(void **state)
{
	struct store *store = open_store(true);

	(void)state;
	store_set_epochs(store, ++op, 3, 1, 2);
	logged(store, 0);
	store_close(store);
	keep("log.db");
	store = open_store(false);
	store_set_epochs(store, ++op, 4, 2, 2);
	logged(store, 0);
	store_close(store);
	bring_back("log.db");
	refused(options(false), EX_DATAERR, "acknowledged");
	store = open_replaceable();
	assert_false(store_state(store)->durable.voter);
	assert_int_equal(store_state(store)->durable.accepted_epoch, 3);
	store_close(store);
}

static void
test_the_log_ends_below_the_image(void **state)
{
	struct store *store = open_store(true);
	const struct store_state *now;

	(void)state;
	append_rows(store, 1, 10);
	store_close(store);
	keep("log.db");
	store = open_store(false);
	append_rows(store, 11, 30);
	pass_of(store, 2, "two", 20);
	store_close(store);
	bring_back("log.db");
	refused(options(false), EX_DATAERR, "acknowledged");
	store_close(open_replaceable());
	store = open_store(false);
	now = store_state(store);
	assert_false(now->durable.voter);
	assert_int_equal(now->base_zxid, 20);
	assert_int_equal(now->durable.last_zxid, 20);
	assert_int_equal(now->applied, 20);
	expect_image(store, "two,");
	store_close(store);
}

static void
test_looking_up(void **state)
{
	struct store *store = open_store(true);
	uint64_t found, hash, second;

	(void)state;
	assert_int_equal(store_look_up(store, 0, &found, &hash), 0);
	assert_int_equal(found, 0);
	append(store, 1, 0, "one");
	append(store, 2, 1, "two");
	append(store, 10, 2, "ten");
	logged(store, 10);
	assert_int_equal(store_look_up(store, 2, &found, &second), 0);
	assert_int_equal(found, 2);
	assert_int_equal(store_look_up(store, 9, &found, &hash), 0);
	assert_int_equal(found, 2);
	assert_int_equal(hash, second);
	assert_int_equal(store_look_up(store, 99, &found, &hash), 0);
	assert_int_equal(found, 10);
	store_close(store);
	/* Neither a row that has rotted, nor one that is missing, is passed over. */
	sql("log.db", "UPDATE log SET payload = 'twx' WHERE zxid = 2");
	store = open_store(false);
	assert_int_equal(store_look_up(store, 1, &found, &hash), ERR_IO);
	assert_int_equal(store_look_up(store, 2, &found, &hash), ERR_IO);
	assert_int_equal(store_look_up(store, 10, &found, &hash), 0);
	sql("log.db", "DELETE FROM log WHERE zxid = 10");
	assert_int_equal(store_look_up(store, 10, &found, &hash), ERR_IO);
	store_close(store);
}

static void
test_what_shows_in_the_image(void **state)
{
	struct store *store = open_store(true);
	struct store_node row = node(2, "two", "");
	struct store_batch *batch = store_batch_new();
	struct store_done done;

	(void)state;
	append_rows(store, 1, 30);
	store_batch_node(batch, &row);
	store_pass_put(store, batch, 25);
	store_pass_put(store, store_batch_new(), 24);
	store_pass_end(store, 10, 9, 1);
	/* Whether it was over or not, nothing is heard of it. */
	store_pass_abort(store);
	append_rows(store, 31, 31);
	assert_false(store_poll(store, &done));
	store_pass_put(store, store_batch_new(), 26);
	store_close(store);
	store = open_store(false);
	assert_int_equal(store_state(store)->applied, 10);
	assert_int_equal(store_state(store)->image_upto, 26);
	expect_image(store, "two,");
	store_close(store);
}

#define WITHOUT_QUOTAS                                                                             \
	"ALTER TABLE node DROP COLUMN quota_nodes; ALTER TABLE node DROP COLUMN quota_bytes;"      \
	"ALTER TABLE node DROP COLUMN quota_hard;"

static int
load_quota(void *arg, const struct store_node *row)
{
	if (row->id == 5)
		*(struct store_node *)arg = *row;
	return 0;
}

static int
load_no_session(void *arg, const struct store_session *row)
{
	(void)arg;
	(void)row;
	return 0;
}

/* Format 2: as now, without quotas. */
static void
test_a_format_without_quotas(void **state)
{
	struct store *store = open_store(true);
	struct store_node row = node(5, "five", "v"), loaded;
	struct store_batch *batch = store_batch_new();

	(void)state;
	append_rows(store, 1, 30);
	pass_of(store, 2, "two", 20);
	store_close(store);
	sql("log.db", "PRAGMA user_version = 2");
	sql("tree-1.db", WITHOUT_QUOTAS "PRAGMA user_version = 2");
	store = open_store(false);
	assert_int_equal(store_state(store)->applied, 20);
	expect_image(store, "two,");
	row.quota_nodes = 7;
	row.quota_bytes = INT64_MAX;
	row.quota_hard = 1;
	store_batch_node(batch, &row);
	store_pass_put(store, batch, 30);
	store_close(store);
	store = open_store(false);
	expect_image(store, "two,five,");
	assert_int_equal(store_image_load(store, load_quota, load_no_session, &loaded), 0);
	assert_int_equal(loaded.quota_nodes, 7);
	assert_int_equal(loaded.quota_bytes, INT64_MAX);
	assert_int_equal(loaded.quota_hard, 1);
	expect_rows(store, 0, 30);
	store_close(store);
	/* A quota that has rotted is found. */
	sql("tree-1.db", "UPDATE node SET quota_nodes = 8 WHERE id = 5");
	store = open_store(false);
	assert_int_equal(store_image_load(store, load_quota, load_no_session, &loaded), ERR_IO);
	store_close(store);
	/* A format to come. */
	sql("tree-1.db", "PRAGMA user_version = 4");
	refused(options(false), EX_DATAERR, "format 4");
}

static void
test_an_older_format(void **state)
{
	struct store *store = open_store(true);

	(void)state;
	append_rows(store, 1, 30);
	store_set_epochs(store, ++op, 4, 2, 3);
	logged(store, 30);
	pass_of(store, 2, "two", 20);
	store_close(store);
	sql("log.db",
	    "DELETE FROM meta WHERE key IN ('sum', 'voter', 'tree');"
	    "INSERT INTO meta VALUES ('tree_file', 'tree-1.db'); PRAGMA user_version = 1");
	sql("tree-1.db", WITHOUT_QUOTAS "DELETE FROM meta WHERE key NOT IN ('applied', 'next_id');"
					"PRAGMA user_version = 1");
	store = open_store(false);
	assert_true(store_state(store)->durable.voter);
	assert_int_equal(store_state(store)->durable.accepted_epoch, 4);
	assert_int_equal(store_state(store)->applied, 20);
	assert_int_equal(store_state(store)->image_upto, 30);
	expect_image(store, "two,");
	append_rows(store, 31, 31);
	pass_of(store, 3, "three", 31);
	store_close(store);
	store = open_store(false);
	expect_image(store, "two,three,");
	expect_rows(store, 0, 31);
	store_close(store);
}

static void
test_what_is_missing_is_missed(void **state)
{
	struct store *store = open_store(true);
	char names[256] = "";

	(void)state;
	append_rows(store, 1, 30);
	pass_of(store, 2, "two", 20);
	pass_of(store, 3, "three", 30);
	store_close(store);
	sql("tree-1.db", "DELETE FROM node WHERE id = 2");
	store = open_store(false);
	assert_int_equal(store_image_load(store, collect, no_session, names), ERR_IO);
	store_close(store);
	sql("tree-1.db", "UPDATE meta SET value = 19 WHERE key = 'applied'");
	refused(options(false), EX_DATAERR, "tree-1.db: damaged");
	sql("tree-1.db", "UPDATE meta SET value = 30 WHERE key = 'applied'");
	sql("log.db", "UPDATE meta SET value = 7 WHERE key = 'voter'");
	refused(options(false), EX_DATAERR, "log.db: damaged");
	sql("log.db", "UPDATE meta SET value = 1 WHERE key = 'voter'");
	store_close(open_store(false));
	sql("log.db", "DELETE FROM log WHERE zxid = 5");
	refused(options(false), EX_DATAERR, "rows are missing");
}

static void
test_a_founding_cut_short(void **state)
{
	(void)state;
	touch("log.db.new");
	touch("tree-1.db");
	refused(options(false), EX_NOINPUT, "no databases");
	touch("log.db.new");
	touch("tree-1.db");
	store_close(open_store(true));
	store_close(open_store(false));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_rows_are_replaced_at_once),
		TEST(test_an_abort_undoes_it),
		TEST(test_kill_9_in_a_synchronisation),
		TEST(test_a_snapshot),
		TEST(test_a_pass_after_a_snapshot),
		TEST(test_a_snapshot_undone),
		TEST(test_files_not_in_force_go),
		TEST(test_a_full_disk_ends_a_synchronisation),
		TEST(test_a_full_disk_ends_a_snapshot),
		TEST(test_an_empty_disk_is_no_voter),
		TEST(test_who_lost_rows_is_no_voter),
		TEST(test_who_lost_an_epoch_is_no_voter),
		TEST(test_the_log_ends_below_the_image),
		TEST(test_looking_up),
		TEST(test_what_shows_in_the_image),
		TEST(test_an_older_format),
		TEST(test_a_format_without_quotas),
		TEST(test_what_is_missing_is_missed),
		TEST(test_a_founding_cut_short),
	};

	return cmocka_run_group_tests(tests, make_base, remove_base);
}
