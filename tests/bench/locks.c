/*
 * Times flock(2): taken and released beside a write, handed from one mount to another, and one of
 * many waiters woken by each release. It knows nothing of zabfs; any directory will do. Called by
 * tests/bench/run.
 */
#include "tests/bench/measure.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define VALUE_BYTES 1024
#define SAMPLES_MAX 1000000u
#define WAITERS_MAX 10000u
#define BLOCK 50u
#define STACK_BYTES (64u << 10)

static int
open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void
lock(int fd, int how)
{
	if (flock(fd, how) != 0)
		err(1, "flock");
}

static int64_t
write_call(int fd)
{
	static char value[VALUE_BYTES];
	int64_t start = measure_now_ns();

	value[0]++;
	if (pwrite(fd, value, sizeof value, 0) != sizeof value)
		err(1, "pwrite");
	return measure_now_ns() - start;
}

static int64_t
lock_calls(int fd)
{
	int64_t start = measure_now_ns();

	lock(fd, LOCK_EX);
	lock(fd, LOCK_UN);
	return measure_now_ns() - start;
}

/* In alternating blocks. */
static void
alone(const char *path, size_t n)
{
	int64_t *writes = measure_room(n), *locks = measure_room(n);
	int fd = open_file(path);
	size_t i, j, end;

	for (i = 0; i < n; i = end) {
		end = i + BLOCK < n ? i + BLOCK : n;
		for (j = i; j < end; j++)
			writes[j] = write_call(fd);
		for (j = i; j < end; j++)
			locks[j] = lock_calls(fd);
	}
	measure_print("write", writes, n);
	measure_print("lock_unlock", locks, n);
	close(fd);
	free(writes);
	free(locks);
}

/* One of those who take it in turn. */
struct turn {
	pthread_t thread;
	const char *path;
	size_t rounds;
};
static _Atomic int64_t released_ns;
static _Atomic size_t handed;
static int64_t *samples;

static void *
take_turns(void *arg)
{
	const struct turn *turn = arg;
	int fd = open_file(turn->path);
	int64_t now, since;
	size_t i;

	for (i = 0; i < turn->rounds; i++) {
		lock(fd, LOCK_EX);
		now = measure_now_ns();
		since = released_ns;
		if (since != 0)
			samples[handed++] = now - since;
		/* The other one is in the queue by then. */
		usleep(2000);
		released_ns = measure_now_ns();
		lock(fd, LOCK_UN);
	}
	close(fd);
	return NULL;
}

static void
run(struct turn *turns, size_t n)
{
	pthread_attr_t attr;
	size_t i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (i = 0; i < n; i++)
		if (pthread_create(&turns[i].thread, &attr, take_turns, &turns[i]) != 0)
			err(1, "pthread_create");
	for (i = 0; i < n; i++)
		pthread_join(turns[i].thread, NULL);
}

/* From the beginning of the release to the return of the one that waits. */
static void
hand_over(const char *path, const char *other, size_t n)
{
	struct turn turns[2] = { { .path = path, .rounds = n }, { .path = other, .rounds = n } };

	samples = measure_room(2 * n);
	run(turns, 2);
	measure_print("hand_over", samples, handed);
	free(samples);
}

static void
many(const char *path, size_t n)
{
	struct turn *turns = calloc(n, sizeof *turns);
	size_t i;

	if (turns == NULL)
		err(1, "%zu waiters", n);
	for (i = 0; i < n; i++)
		turns[i] = (struct turn){ .path = path, .rounds = 1 };
	samples = measure_room(n);
	run(turns, n);
	measure_print("waiters", samples, handed);
	free(samples);
	free(turns);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 4 && strcmp(what, "alone") == 0) {
		alone(argv[2], measure_number(argv[3], SAMPLES_MAX));
	} else if (argc == 5 && strcmp(what, "hand-over") == 0) {
		hand_over(argv[2], argv[3], measure_number(argv[4], SAMPLES_MAX));
	} else if (argc == 4 && strcmp(what, "many") == 0) {
		many(argv[2], measure_number(argv[3], WAITERS_MAX));
	} else {
		fprintf(stderr,
		    "usage: bench_locks alone FILE N | hand-over FILE FILE N | many FILE "
		    "WAITERS\n");
		return 64;
	}
	return 0;
}
