/*
 * What the store's tests share: a folder of their own, calls that wait for
 * their completion, rows and nodes that are told by their numbers.
 */
#ifndef ZABFS_STORE_HARNESS_H
#define ZABFS_STORE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "replica/lib/err.h"
#include "replica/store/store.h"

#define DEADLINE_MS 20000

static char base[64], dir[128];
static uint64_t op; /* of the log; grows through a test */

static inline struct store_options
options(bool found)
{
	return (struct store_options){ .dir = dir,
		.found = found,
		.member = 1,
		.cluster = "c",
		.log_rows_min = 100,
		.log_tree_percent = 10,
		.log_rows_sent = 1000 };
}

static inline struct store *
open_store(bool found)
{
	struct store_options opts = options(found);
	struct store *store;
	char err[512] = "";

	if (store_open(&opts, &store, err, sizeof err) != 0)
		fail_msg("store_open: %s", err);
	return store;
}

/* The log has that many rows, soon: they go in pieces. */
static inline void
has_rows(struct store *store, uint64_t rows)
{
	struct store_figures figures = { .rows = rows + 1 };
	int ms;

	for (ms = 0; ms < DEADLINE_MS && figures.rows != rows; ms++) {
		store_figures(store, &figures);
		if (figures.rows != rows)
			usleep(1000);
	}
	assert_int_equal(figures.rows, rows);
}

static inline void
refused(struct store_options opts, int code, const char *wanted)
{
	struct store *store;
	char err[512] = "";

	assert_int_equal(store_open(&opts, &store, err, sizeof err), code);
	if (strstr(err, wanted) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, wanted);
}

/* Of all of a program's tests. */
static inline int
make_base(void **state)
{
	(void)state;
	snprintf(base, sizeof base, "/tmp/zabfs-store.XXXXXX");
	return mkdtemp(base) == NULL ? -1 : 0;
}

static inline int
remove_base(void **state)
{
	(void)state;
	return rmdir(base);
}

static inline int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "%s/d", base);
	op = 0;
	return mkdir(dir, 0700);
}

static inline int
teardown(void **state)
{
	char command[256], small[128];

	(void)state;
	snprintf(small, sizeof small, "%s/d", base);
	umount2(small, MNT_DETACH); /* test_a_full_disk's */
	snprintf(command, sizeof command, "rm -rf %s", small);
	return system(command);
}

static inline void
append(struct store *store, uint64_t zxid, uint64_t prev, const char *text)
{
	struct store_row row = { zxid, prev, { (const uint8_t *)text, (uint32_t)strlen(text) } };
	uint64_t hash;

	int code, tries = 0;

	/* The queue is bounded, and a disk may be slow. */
	++op;
	while ((code = store_append(store, op, &row, &hash)) == ERR_BUSY && tries++ < DEADLINE_MS)
		usleep(1000);
	assert_int_equal(code, 0);
}

/* The next completion, with a deadline. */
static inline struct store_done
completion(struct store *store)
{
	struct pollfd fd = { .fd = store_wake_fd(store), .events = POLLIN };
	struct store_done done;
	int tries;

	for (tries = 0; tries < DEADLINE_MS / 10; tries++) {
		if (store_poll(store, &done))
			return done;
		poll(&fd, 1, 10);
	}
	fail_msg("no completion");
	return done;
}

static inline void
logged(struct store *store, uint64_t zxid)
{
	struct store_done done;

	do {
		done = completion(store);
		assert_int_equal(done.type, STORE_LOGGED);
	} while (done.durable.last_zxid < zxid);
	assert_int_equal(done.durable.last_zxid, zxid);
	assert_int_equal(done.op, op);
}

struct expected {
	uint64_t next, last;
};

static inline bool
expect_row(void *arg, uint64_t zxid, struct blob payload)
{
	struct expected *expected = arg;
	char text[32];

	snprintf(text, sizeof text, "row %llu", (unsigned long long)zxid);
	assert_int_equal(zxid, expected->next);
	assert_int_equal(payload.len, strlen(text));
	assert_memory_equal(payload.data, text, payload.len);
	expected->next++;
	return true;
}

/* Rows first … last, in one epoch 0 for readable numbers. */
static inline void
append_rows(struct store *store, uint64_t first, uint64_t last)
{
	char text[32];
	uint64_t zxid;

	for (zxid = first; zxid <= last; zxid++) {
		snprintf(text, sizeof text, "row %llu", (unsigned long long)zxid);
		append(store, zxid, zxid - 1, text);
	}
	logged(store, last);
}

static inline void
expect_rows(struct store *store, uint64_t after, uint64_t last)
{
	struct expected expected = { after + 1, last };

	assert_int_equal(store_read(store, after, expect_row, &expected), 0);
	assert_int_equal(expected.next, last + 1);
}

static inline bool
any_row(void *arg, uint64_t zxid, struct blob payload)
{
	(void)zxid;
	(void)payload;
	++*(int *)arg;
	return true;
}

/* Flips one bit in the middle of the first place where `text` stands in the file. */
static inline void
flip(const char *file, const char *text)
{
	char path[256], *bytes, *at;
	struct stat st;
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	at = memmem(bytes, (size_t)st.st_size, text, strlen(text));
	assert_non_null(at);
	at += strlen(text) / 2;
	*at ^= 1;
	assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
	close(fd);
	free(bytes);
}

static inline struct store_node
node(uint64_t id, const char *name, const char *value)
{
	return (struct store_node){ .id = id,
		.parent = 1,
		.czxid = id * 10,
		.mzxid = id * 11,
		.pzxid = id * 12,
		.owner = 7,
		.handle = UINT64_MAX,
		.mode = 0100644,
		.uid = 1000,
		.gid = UINT32_MAX,
		.version = 3,
		.cversion = 4,
		.aversion = 5,
		.birth_ns = -1,
		.mtime_ns = INT64_MAX,
		.ctime_ns = 6,
		.name = { (const uint8_t *)name, (uint32_t)strlen(name) },
		.value = { (const uint8_t *)value, (uint32_t)strlen(value) } };
}

static inline void
pass(struct store *store, uint64_t applied, struct store_batch *batch)
{
	struct store_done done;

	store_pass_put(store, batch, applied);
	store_pass_end(store, applied, 100, 10);
	done = completion(store);
	assert_int_equal(done.type, STORE_PASSED);
	assert_int_equal(store_pass_queued(store), 0);
}

static inline void
fill(const char *path, off_t spare)
{
	static char zeros[65536];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct stat st;

	while (write(fd, zeros, sizeof zeros) > 0)
		continue;
	fstat(fd, &st);
	assert_int_equal(ftruncate(fd, st.st_size > spare ? st.st_size - spare : 0), 0);
	close(fd);
}

#endif
