/*
 * Times single system calls on a mounted tree, as a program makes them: stat,
 * open+read+close, write to an open file, many writers at once. It knows
 * nothing of zabfs; any directory will do. Called by tests/bench/run.
 */
#include "tests/bench/measure.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_BYTES 1024
#define SAMPLES_MAX 10000000u
#define WRITERS_MAX 1024u
#define WRITER_SAMPLES 200000u
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

struct writer {
	pthread_t thread;
	pthread_barrier_t *start;
	int64_t run_ns;
	int fd;
	size_t n;
	int64_t *ns;
};

static void *
writer_run(void *arg)
{
	struct writer *writer = arg;
	int64_t end_ns;

	pthread_barrier_wait(writer->start);
	end_ns = measure_now_ns() + writer->run_ns;
	while (writer->n < WRITER_SAMPLES && measure_now_ns() < end_ns)
		writer->ns[writer->n++] = write_call(writer->fd, false);
	return NULL;
}

static void
writer_calls(const char *dir, size_t nwriters, size_t run_ms)
{
	struct writer *writers = calloc(nwriters, sizeof *writers);
	pthread_barrier_t start;
	char path[PATH_MAX], series[32];
	size_t i, total = 0;
	int64_t begin_ns, took_ns;

	if (writers == NULL || pthread_barrier_init(&start, NULL, (unsigned)nwriters + 1) != 0)
		err(1, "%zu writers", nwriters);
	for (i = 0; i < nwriters; i++) {
		snprintf(path, sizeof path, "%s/writer%zu", dir, i);
		writers[i] = (struct writer){ .start = &start,
			.fd = open_filled(path),
			.run_ns = (int64_t)run_ms * NS_PER_MS,
			.ns = measure_room(WRITER_SAMPLES) };
		if (pthread_create(&writers[i].thread, NULL, writer_run, &writers[i]) != 0)
			err(1, "thread %zu", i);
	}
	pthread_barrier_wait(&start);
	begin_ns = measure_now_ns();
	for (i = 0; i < nwriters; i++)
		pthread_join(writers[i].thread, NULL);
	took_ns = measure_now_ns() - begin_ns;
	snprintf(series, sizeof series, "writers%zu", nwriters);
	for (i = 0; i < nwriters; i++) {
		measure_print(series, writers[i].ns, writers[i].n);
		total += writers[i].n;
		close(writers[i].fd);
		free(writers[i].ns);
	}
	printf("rate%zu %" PRId64 "\n", nwriters, (int64_t)total * NS_PER_S / took_ns);
	free(writers);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: bench_calls stat FILE N | read FILE N | write FILE RAWFILE ROUNDS BLOCK |\n"
	    "\twriters DIR THREADS MILLISECONDS\n");
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
	else if (argc == 5 && strcmp(what, "writers") == 0)
		writer_calls(
		    argv[2], measure_number(argv[3], WRITERS_MAX), measure_number(argv[4], 600000));
	else
		usage();
	return 0;
}
