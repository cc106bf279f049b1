/*
 * The store's log beside what the disk itself can: batches of rows of 1 KiB
 * through store_append to the completion that says that they are durable, and
 * one pwrite+fdatasync of as many bytes, in alternating blocks. Samples: the
 * nanoseconds of a batch. Called by tests/bench/run.
 */
#include "replica/lib/check.h"
#include "replica/lib/log.h"
#include "replica/store/store.h"
#include "tests/bench/measure.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROW 1024u
#define BLOCK 50u	     /* batches of one kind in a row */
#define RAW_BYTES (64 << 20) /* of the raw file, overwritten again and again, as a WAL is */

static const uint32_t batches[] = { 1, 16, 128 };
#define BATCHES (sizeof batches / sizeof batches[0])
#define BATCH_MAX 128u

static uint8_t bytes[BATCH_MAX * ROW];
static uint64_t zxid, op;

/* The batch is durable when the completion counts its last row. */
static int64_t
log_batch(struct store *store, uint32_t rows)
{
	struct pollfd wake = { .fd = store_wake_fd(store), .events = POLLIN };
	int64_t began = measure_now_ns();
	struct store_done done;
	uint64_t durable = 0, hash;
	uint32_t i;

	for (i = 0; i < rows; i++) {
		struct store_row row = {
			.zxid = zxid + 1, .prev_zxid = zxid, .payload = { bytes, ROW }
		};

		CHECK(store_append(store, ++op, &row, &hash) == 0);
		zxid++;
	}
	while (durable < zxid) {
		if (poll(&wake, 1, 60000) != 1)
			errx(1, "the log does not answer");
		while (store_poll(store, &done)) {
			if (done.type == STORE_FULL)
				errx(1, "the disk is full");
			durable = done.durable.last_zxid;
		}
	}
	return measure_now_ns() - began;
}

static int64_t
raw_batch(int fd, uint32_t rows)
{
	static off_t offset;
	size_t len = (size_t)rows * ROW;
	int64_t began = measure_now_ns();

	if (offset + (off_t)len > RAW_BYTES)
		offset = 0;
	if (pwrite(fd, bytes, len, offset) != (ssize_t)len || fdatasync(fd) != 0)
		err(1, "the raw file");
	offset += (off_t)len;
	return measure_now_ns() - began;
}

static int
raw_open(const char *dir)
{
	char path[4096];
	off_t at;
	int fd;

	snprintf(path, sizeof path, "%s/raw", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "%s", path);
	for (at = 0; at < RAW_BYTES; at += (off_t)sizeof bytes)
		if (pwrite(fd, bytes, sizeof bytes, at) != (ssize_t)sizeof bytes)
			err(1, "%s", path);
	if (fsync(fd) != 0)
		err(1, "%s", path);
	return fd;
}

static struct store *
store_found(const char *dir)
{
	struct store_options options = {
		.dir = dir, .found = true, .member = 1, .cluster = "bench", .log_rows_min = 100000
	};
	struct store *store;
	char text[256];

	if (store_open(&options, &store, text, sizeof text) != 0)
		errx(1, "%s", text);
	return store;
}

int
main(int argc, char **argv)
{
	int64_t *ns[2][BATCHES];
	struct store *store;
	size_t blocks, block, kind, i, n;
	char series[16];
	int raw;

	if (argc != 3)
		errx(64, "usage: bench_log DIR BLOCKS");
	blocks = measure_number(argv[2], 1000);
	log_init("bench_log", true, 0);
	memset(bytes, 'x', sizeof bytes);
	raw = raw_open(argv[1]);
	store = store_found(argv[1]);
	zxid = store_state(store)->durable.last_zxid;
	n = blocks * BLOCK;
	for (kind = 0; kind < BATCHES; kind++) {
		ns[0][kind] = measure_room(n);
		ns[1][kind] = measure_room(n);
	}
	for (block = 0; block < blocks; block++) {
		for (kind = 0; kind < BATCHES; kind++) {
			for (i = block * BLOCK; i < (block + 1) * BLOCK; i++)
				ns[0][kind][i] = log_batch(store, batches[kind]);
			for (i = block * BLOCK; i < (block + 1) * BLOCK; i++)
				ns[1][kind][i] = raw_batch(raw, batches[kind]);
		}
	}
	store_close(store);
	close(raw);
	for (kind = 0; kind < BATCHES; kind++) {
		snprintf(series, sizeof series, "log%u", (unsigned)batches[kind]);
		measure_print(series, ns[0][kind], n);
		snprintf(series, sizeof series, "raw%u", (unsigned)batches[kind]);
		measure_print(series, ns[1][kind], n);
		free(ns[0][kind]);
		free(ns[1][kind]);
	}
	return 0;
}
