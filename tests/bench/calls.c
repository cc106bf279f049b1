/*
 * Times single system calls on a mounted tree, as a program makes them: stat,
 * open+read+close, write to an open file, one write after another. It knows
 * nothing of zabfs; any directory will do. Called by tests/bench/run.
 */
#include "tests/bench/measure.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_BYTES 1024
#define SAMPLES_MAX 10000000u
#define READ_BLOCK 100u

static void
stat_calls(const char *path, size_t n)
{
	int64_t *ns = measure_room(n), start;
	struct stat st;
	size_t i;

	if (stat(path, &st) != 0)
		err(1, "%s", path);
	for (i = 0; i < n; i++) {
		start = measure_now_ns();
		if (stat(path, &st) != 0)
			err(1, "%s", path);
		ns[i] = measure_now_ns() - start;
	}
	measure_print("stat", ns, n);
	free(ns);
}

static int64_t
read_call(const char *path, bool twice)
{
	char buf[VALUE_BYTES * 4];
	int64_t start = measure_now_ns();
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		err(1, "%s", path);
	if (read(fd, buf, sizeof buf) != VALUE_BYTES)
		err(1, "%s: not the value", path);
	if (twice && read(fd, buf, sizeof buf) != 0)
		err(1, "%s: no end", path);
	close(fd);
	return measure_now_ns() - start;
}

/* Both kinds in alternating blocks, so that the machine's moods hit both. */
static void
read_calls(const char *path, size_t n)
{
	int64_t *once = measure_room(n), *twice = measure_room(n);
	size_t i, end;

	for (i = 0; i < n; i = end) {
		size_t j;

		end = i + READ_BLOCK < n ? i + READ_BLOCK : n;
		for (j = i; j < end; j++)
			once[j] = read_call(path, false);
		for (j = i; j < end; j++)
			twice[j] = read_call(path, true);
	}
	measure_print("open_read_close", once, n);
	measure_print("open_read_read_close", twice, n);
	free(once);
	free(twice);
}

static int
open_filled(const char *path)
{
	static const char value[VALUE_BYTES] = { 'v' };
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	if (fd < 0 || pwrite(fd, value, sizeof value, 0) != sizeof value)
		err(1, "%s", path);
	return fd;
}

static int64_t
write_call(int fd, bool sync)
{
	static char value[VALUE_BYTES];
	int64_t start;

	value[0]++;
	start = measure_now_ns();
	if (pwrite(fd, value, sizeof value, 0) != sizeof value)
		err(1, "pwrite");
	if (sync && fdatasync(fd) != 0)
		err(1, "fdatasync");
	return measure_now_ns() - start;
}

/* The mount's write and the disk's own pwrite + fdatasync, `block` of each in turn. */
static void
write_calls(const char *path, const char *raw_path, size_t rounds, size_t block)
{
	size_t i, j, n = rounds * block;
	int64_t *ns = measure_room(n), *raw = measure_room(n);
	int fd = open_filled(path), raw_fd = open_filled(raw_path);

	if (fsync(raw_fd) != 0)
		err(1, "%s", raw_path);
	for (i = 0; i < rounds; i++) {
		for (j = 0; j < block; j++)
			raw[i * block + j] = write_call(raw_fd, true);
		for (j = 0; j < block; j++)
			ns[i * block + j] = write_call(fd, false);
	}
	measure_print("write", ns, n);
	measure_print("raw", raw, n);
	close(fd);
	close(raw_fd);
	free(ns);
	free(raw);
}

/*
 * One write after another, until the time is over or the process is told to
 * end: a line with the moment when each was done, as bash's EPOCHREALTIME
 * counts, or failed, with its errno. A write of an outage's outcome may be
 * unknown; the same value is simply written again.
 */
static void
writer(const char *path, size_t run_ms)
{
	int64_t end_ns = measure_now_ns() + (int64_t)run_ms * NS_PER_MS;
	struct timespec pause = { .tv_nsec = NS_PER_MS };
	static const char value[VALUE_BYTES] = { 'v' };
	int fd = open_filled(path);

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (measure_now_ns() < end_ns) {
		if (pwrite(fd, value, sizeof value, 0) == sizeof value) {
			printf("done_us %" PRId64 "\n", measure_date_us());
			continue;
		}
		printf("failed_us %" PRId64 " %d\n", measure_date_us(), errno);
		nanosleep(&pause, NULL);
	}
	close(fd);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: bench_calls stat FILE N | read FILE N | write FILE RAWFILE ROUNDS BLOCK |\n"
	    "\twriter FILE MILLISECONDS\n");
	exit(64);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 4 && strcmp(what, "stat") == 0)
		stat_calls(argv[2], measure_number(argv[3], SAMPLES_MAX));
	else if (argc == 4 && strcmp(what, "read") == 0)
		read_calls(argv[2], measure_number(argv[3], SAMPLES_MAX));
	else if (argc == 6 && strcmp(what, "write") == 0)
		write_calls(argv[2], argv[3], measure_number(argv[4], 10000),
		    measure_number(argv[5], 10000));
	else if (argc == 4 && strcmp(what, "writer") == 0)
		writer(argv[2], measure_number(argv[3], 3600000));
	else
		usage();
	return 0;
}
