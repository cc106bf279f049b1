/*
 * The store with real files: what is reported durable is there after a reopen,
 * also after kill -9; what is damaged or missing is found; a full disk loses
 * nothing and is survived.
 */
#include "tests/unit/store_harness.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/file.h>

static void
test_rows_are_there_after_a_reopen(void **state)
{
	struct store *store = open_store(true);

	(void)state;
	append_rows(store, 1, 500);
	expect_rows(store, 0, 500);
	expect_rows(store, 321, 500);
	store_close(store);
	store = open_store(false);
	assert_int_equal(store_state(store)->durable.last_zxid, 500);
	expect_rows(store, 0, 500);
	append_rows(store, 501, 510);
	expect_rows(store, 0, 510);
	store_close(store);
}

static void
test_epochs(void **state)
{
	struct store *store = open_store(true);
	struct store_done done;

	(void)state;
	store_set_epochs(store, 7, 3, 1, 2);
	done = completion(store);
	assert_int_equal(done.type, STORE_LOGGED);
	assert_int_equal(done.op, 7);
	assert_int_equal(done.durable.accepted_epoch, 3);
	assert_int_equal(done.durable.accepted_sid, 1);
	assert_int_equal(done.durable.current_epoch, 2);
	assert_true(done.durable.voter);
	store_close(store);
	store = open_store(false);
	assert_int_equal(store_state(store)->durable.accepted_epoch, 3);
	assert_int_equal(store_state(store)->durable.accepted_sid, 1);
	assert_int_equal(store_state(store)->durable.current_epoch, 2);
	store_close(store);
}

static void
test_openings_that_are_refused(void **state)
{
	struct store_options opts = options(false);
	struct store *store;
	char path[256];

	(void)state;
	refused(opts, EX_NOINPUT, "no databases");
	store = open_store(true);
	refused(options(false), EX_TEMPFAIL, "another process");
	store_close(store);
	refused(options(true), EX_USAGE, "-I");
	opts.member = 2;
	refused(opts, EX_DATAERR, "member 1");
	opts = options(false);
	opts.cluster = "d";
	refused(opts, EX_DATAERR, "another cluster");
	snprintf(path, sizeof path, "%s/tree-1.db", dir);
	unlink(path);
	refused(options(false), EX_DATAERR, "missing");
}

/* How many descriptors of ours are of the lock. */
static int
locks(const char *lock)
{
	DIR *fds = opendir("/proc/self/fd");
	const struct dirent *entry;
	char target[256];
	int n = 0;

	while ((entry = readdir(fds)) != NULL) {
		ssize_t len = readlinkat(dirfd(fds), entry->d_name, target, sizeof target - 1);

		target[len < 0 ? 0 : len] = '\0';
		n += strcmp(target, lock) == 0;
	}
	closedir(fds);
	return n;
}

/* When the store has opened it too. */
static void *
goes(void *arg)
{
	char path[256];
	int ms;

	snprintf(path, sizeof path, "%s/lock", dir);
	for (ms = 0; ms < DEADLINE_MS && locks(path) < 2; ms++)
		usleep(1000);
	close(*(int *)arg);
	return NULL;
}

/* A process that was killed has the lock for a moment more. */
static void
test_a_lock_that_goes(void **state)
{
	pthread_t thread;
	char path[256];
	int fd;

	(void)state;
	store_close(open_store(true));
	snprintf(path, sizeof path, "%s/lock", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(pthread_create(&thread, NULL, goes, &fd), 0);
	store_close(open_store(false));
	pthread_join(thread, NULL);
}

static void
test_foreign_files_are_refused(void **state)
{
	char path[256];
	int fd, i;

	(void)state;
	store_close(open_store(true));
	snprintf(path, sizeof path, "%s/log.db", dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	for (i = 0; i < 1000; i++)
		assert_int_equal(write(fd, "rubbish ", 8), 8);
	close(fd);
	refused(options(false), EX_DATAERR, "not a zabfs database");
}

static void
test_a_lost_acknowledgement_is_found(void **state)
{
	struct store *store = open_store(true);
	char command[512], path[256];

	(void)state;
	append_rows(store, 1, 10);
	store_close(store);
	snprintf(command, sizeof command, "cp %s/log.db %s/kept", dir, dir);
	assert_int_equal(system(command), 0);
	store = open_store(false);
	append_rows(store, 11, 20);
	store_close(store);
	snprintf(command, sizeof command, "cp %s/kept %s/log.db", dir, dir);
	assert_int_equal(system(command), 0);
	refused(options(false), EX_DATAERR, "acknowledged");
	snprintf(path, sizeof path, "%s/highwater", dir);
	assert_int_equal(unlink(path), 0);
	store = open_store(false);
	assert_int_equal(store_state(store)->durable.last_zxid, 10);
	store_close(store);
}

static void
test_a_flipped_bit_in_the_log_is_found(void **state)
{
	struct store *store = open_store(true);
	int rows = 0;

	(void)state;
	append(store, 1, 0, "first");
	append(store, 2, 1, "a payload that will rot");
	append(store, 3, 2, "third");
	logged(store, 3);
	store_close(store);
	flip("log.db", "a payload that will rot");
	store = open_store(false);
	assert_int_equal(store_read(store, 0, any_row, &rows), ERR_IO);
	assert_int_equal(rows, 1);
	store_close(store);
}

struct loaded {
	int nodes, sessions;
};

static int
load_node(void *arg, const struct store_node *row)
{
	struct loaded *loaded = arg;
	struct store_node wanted =
	    node(row->id, row->id == 2 ? "two" : "three", row->id == 2 ? "value two" : "");

	assert_true(row->id == 2 || row->id == 3);
	assert_int_equal(row->name.len, wanted.name.len);
	assert_memory_equal(row->name.data, wanted.name.data, row->name.len);
	assert_int_equal(row->value.len, wanted.value.len);
	if (row->value.len != 0)
		assert_memory_equal(row->value.data, wanted.value.data, row->value.len);
	wanted.name = row->name;
	wanted.value = row->value;
	assert_memory_equal(row, &wanted, sizeof wanted);
	loaded->nodes++;
	return 0;
}

static int
load_session(void *arg, const struct store_session *row)
{
	struct loaded *loaded = arg;

	assert_int_equal(row->id, 99);
	assert_int_equal(row->acked, 5);
	assert_int_equal(row->timeout_ms, 1000);
	assert_int_equal(row->results.len, 3);
	assert_memory_equal(row->secret.data, "secret", 6);
	loaded->sessions++;
	return 0;
}

static void
test_the_image(void **state)
{
	struct store_session session = { .id = 99,
		.acked = 5,
		.timeout_ms = 1000,
		.secret = { (const uint8_t *)"secret", 6 },
		.identity = { (const uint8_t *)"me", 2 },
		.results = { (const uint8_t *)"abc", 3 } };
	struct store_node two = node(2, "two", "value two"), three = node(3, "three", ""),
			  four = node(4, "four", "gone");
	struct store *store = open_store(true);
	struct store_batch *batch = store_batch_new();
	struct loaded loaded = { 0 };

	(void)state;
	append_rows(store, 1, 20);
	store_batch_node(batch, &two);
	store_batch_node(batch, &four);
	store_batch_session(batch, &session);
	pass(store, 10, batch);
	batch = store_batch_new();
	store_batch_node(batch, &three);
	store_batch_node_gone(batch, 4);
	store_batch_session_gone(batch, 98);
	assert_true(store_batch_bytes(batch) > 0);
	pass(store, 20, batch);
	store_close(store);

	store = open_store(false);
	assert_int_equal(store_state(store)->applied, 20);
	assert_int_equal(store_state(store)->next_id, 100);
	assert_int_equal(store_image_load(store, load_node, load_session, &loaded), 0);
	assert_int_equal(loaded.nodes, 2);
	assert_int_equal(loaded.sessions, 1);
	store_close(store);
}

/* 32 MiB, in batches of one. */
static void
test_a_long_pass_is_written_back_as_it_goes(void **state)
{
	static char value[512u << 10];
	struct store *store = open_store(true);
	struct store_node nodes[2] = { node(2, "two", ""), node(3, "three", "") };
	struct store_batch *batch;
	struct stat st;
	char path[256];
	int i, k;

	(void)state;
	memset(value, 'x', sizeof value);
	append_rows(store, 1, 1);
	for (i = 0; i < 32; i++) {
		batch = store_batch_new();
		for (k = 0; k < 2; k++) {
			nodes[k].id = (uint64_t)(2 + 2 * i + k);
			nodes[k].value = (struct blob){ (const uint8_t *)value, sizeof value };
			store_batch_node(batch, &nodes[k]);
		}
		store_pass_put(store, batch, 1);
	}
	for (i = 0; i < DEADLINE_MS && store_pass_queued(store) != 0; i++)
		usleep(1000);
	assert_int_equal(store_pass_queued(store), 0);
	snprintf(path, sizeof path, "%s/tree-1.db-wal", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 1, 12u << 20);
	snprintf(path, sizeof path, "%s/tree-1.db", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 20u << 20, UINT32_MAX);
	store_close(store);
}

static int
load_any(void *arg, const struct store_node *row)
{
	(void)arg;
	(void)row;
	return 0;
}

static void
test_a_flipped_bit_in_the_image_is_found(void **state)
{
	struct store_node two = node(2, "two", "a value that will rot");
	struct store *store = open_store(true);
	struct store_batch *batch = store_batch_new();

	(void)state;
	append_rows(store, 1, 1);
	store_batch_node(batch, &two);
	pass(store, 1, batch);
	store_close(store);
	flip("tree-1.db", "a value that will rot");
	store = open_store(false);
	assert_int_equal(store_image_load(store, load_any, load_session, NULL), ERR_IO);
	store_close(store);
}

static uint64_t
base_of(struct store *store)
{
	uint64_t base_zxid;

	store_close(store);
	store = open_store(false);
	base_zxid = store_state(store)->base_zxid;
	store_close(store);
	return base_zxid;
}

static void
test_retention(void **state)
{
	struct store *store = open_store(true);
	int rows = 0;

	(void)state;
	append_rows(store, 1, 2000);
	/* Nothing above `applied` goes, and log_rows_min stay: 100. */
	pass(store, 50, store_batch_new());
	has_rows(store, 1950);
	assert_int_equal(base_of(store), 50);
	store = open_store(false);
	has_rows(store, 1950);
	pass(store, 2000, store_batch_new());
	assert_int_equal(base_of(store), 1900);
	store = open_store(false);
	assert_int_equal(store_read(store, 1899, any_row, &rows), ERR_NONODE);
	expect_rows(store, 1900, 2000);
	has_rows(store, 100);
	/* 10 % of 5000 nodes is more than 100. */
	append_rows(store, 2001, 4000);
	store_pass_end(store, 4000, 100, 5000);
	assert_int_equal(completion(store).type, STORE_PASSED);
	has_rows(store, 500);
	assert_int_equal(base_of(store), 3500);
}

/* Who is being sent rows has them longer than the others, but not however many they become. */
static void
test_rows_that_are_being_sent(void **state)
{
	struct store *store = open_store(true);

	(void)state;
	append_rows(store, 1, 1100);
	store_need(store, 300);
	pass(store, 1100, store_batch_new());
	has_rows(store, 800);
	assert_int_equal(base_of(store), 300);
	store = open_store(false);
	/* What is needed less far back than the rest is kept for is no reason to keep less. */
	store_need(store, 1090);
	pass(store, 1100, store_batch_new());
	has_rows(store, 100);
	store_need(store, 1000);
	append_rows(store, 1101, 2101);
	pass(store, 2101, store_batch_new());
	has_rows(store, 100);
	assert_int_equal(base_of(store), 2001);
}

/* A child appends and says on a pipe what is durable; it is killed in the middle. */
static void
crash_child(int out, uint64_t first)
{
	struct pollfd fd;
	struct store *store = open_store(false);
	struct store_done done;
	uint64_t zxid = first, durable = first - 1;
	char text[32];

	fd = (struct pollfd){ .fd = store_wake_fd(store), .events = POLLIN };
	for (;;) {
		while (zxid - durable < 20) {
			snprintf(text, sizeof text, "row %llu", (unsigned long long)zxid);
			append(store, zxid, zxid - 1, text);
			zxid++;
		}
		poll(&fd, 1, 100);
		while (store_poll(store, &done)) {
			durable = done.durable.last_zxid;
			if (write(out, &durable, sizeof durable) != sizeof durable)
				_exit(1);
		}
	}
}

static void
test_kill_9(void **state)
{
	uint64_t durable = 0, last = 0, zxid;
	struct store *store = open_store(true);
	int fds[2], round;
	pid_t child;

	(void)state;
	store_close(store);
	for (round = 0; round < 20; round++) {
		assert_int_equal(pipe(fds), 0);
		child = fork();
		if (child == 0) {
			close(fds[0]);
			crash_child(fds[1], last + 1);
		}
		close(fds[1]);
		/* After some acknowledgements, a different number each time. */
		for (int n = 0; n < 3 + round * 5; n++)
			if (read(fds[0], &zxid, sizeof zxid) == sizeof zxid)
				durable = zxid;
		kill(child, SIGKILL);
		while (read(fds[0], &zxid, sizeof zxid) == sizeof zxid)
			durable = zxid;
		close(fds[0]);
		waitpid(child, NULL, 0);
		store = open_store(false);
		last = store_state(store)->durable.last_zxid;
		assert_true(last >= durable);
		expect_rows(store, 0, last);
		store_close(store);
	}
	assert_true(durable > 100);
}

/* Appends until the disk is full: the last zxid that is durable, and *next to go on with. */
static uint64_t
append_until_full(struct store *store, uint64_t first)
{
	uint64_t zxid = first;
	struct store_done done;
	char text[32];

	for (;;) {
		snprintf(text, sizeof text, "row %llu", (unsigned long long)zxid);
		append(store, zxid, zxid - 1, text);
		zxid++;
		while (store_poll(store, &done)) {
			if (done.type == STORE_FULL)
				return done.durable.last_zxid;
			assert_int_equal(done.type, STORE_LOGGED);
		}
	}
}

static void
test_a_full_disk(void **state)
{
	char ballast[256], small[128];
	struct store *store;
	uint64_t last;

	(void)state;
	snprintf(small, sizeof small, "%s/d", base);
	if (mount("zabfs-test", small, "tmpfs", 0, "size=1m") != 0)
		fail_msg("a tmpfs, which needs root: %s", strerror(errno));
	snprintf(dir, sizeof dir, "%s/d/in", base);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(ballast, sizeof ballast, "%s/d/ballast", base);
	store = open_store(true);
	append_rows(store, 1, 10);
	fill(ballast, 16384);
	last = append_until_full(store, 11);
	assert_true(last >= 10);
	/* What was queued is void; the next row follows the last durable one. */
	expect_rows(store, 0, last);
	/* Service goes on when there is space again. */
	assert_int_equal(unlink(ballast), 0);
	append_rows(store, last + 1, last + 50);
	expect_rows(store, 0, last + 50);
	store_close(store);
	store = open_store(false);
	expect_rows(store, 0, last + 50);
	store_close(store);
}

/* Nothing is reported before its end, but who waits for room in the queue hears of it. */
static void
test_a_crowd_in_a_synchronisation(void **state)
{
	static uint8_t bytes[1u << 20];
	struct store *store = open_store(true);
	struct pollfd fd = { .fd = store_wake_fd(store), .events = POLLIN };
	struct store_row row = { .payload = { bytes, sizeof bytes } };
	struct store_done done;
	uint64_t hash;

	(void)state;
	append_rows(store, 1, 1);
	store_sync_begin(store, ++op, 1);
	while (!store_crowded(store)) {
		row.zxid = op;
		row.prev_zxid = op - 1;
		assert_int_equal(store_append(store, ++op, &row, &hash), 0);
	}
	while (store_crowded(store)) {
		assert_int_equal(poll(&fd, 1, DEADLINE_MS), 1);
		assert_false(store_poll(store, &done));
	}
	store_close(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_rows_are_there_after_a_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_epochs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_openings_that_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_lock_that_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_files_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_lost_acknowledgement_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_flipped_bit_in_the_log_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_image, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_long_pass_is_written_back_as_it_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_flipped_bit_in_the_image_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rows_that_are_being_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill_9, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_crowd_in_a_synchronisation, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make_base, remove_base);
}
