/*
 * Times the making and removing of names in two places, in alternating blocks: a directory that is
 * nearly empty and one of a million, plain names and those of a sequence. It knows nothing of zabfs.
 * Called by tests/bench/run.
 */
#include "tests/bench/measure.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES_MAX 1000000u
#define PATH_BYTES 4096
#define BLOCK 50u

struct place {
	const char *series, *dir;
	int64_t *made, *removed;
};

/* Each name once; who numbers by himself is given the beginning. */
static void
path_of(char path[PATH_BYTES], const struct place *place, const char *what, size_t n)
{
	int len = snprintf(path, PATH_BYTES, "%s/%s%zu", place->dir, what, n);

	if (len < 0 || len >= PATH_BYTES)
		errx(1, "%s: too long", place->dir);
}

static int64_t
make(const char *path)
{
	int64_t start = measure_now_ns(), took;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	took = measure_now_ns() - start;
	if (fd < 0)
		err(1, "%s", path);
	close(fd);
	return took;
}

static int64_t
take(const char *path)
{
	int64_t start = measure_now_ns();

	if (unlink(path) != 0)
		err(1, "%s", path);
	return measure_now_ns() - start;
}

static void
block(struct place *place, size_t from, size_t end, bool removes)
{
	char path[PATH_BYTES];
	size_t i;

	for (i = from; i < end; i++) {
		path_of(path, place, "bench-", i);
		place->made[i] = make(path);
	}
	for (i = from; removes && i < end; i++) {
		path_of(path, place, "bench-", i);
		place->removed[i] = take(path);
	}
}

static void
print(const struct place *place, size_t n, bool removes)
{
	char series[64];

	snprintf(series, sizeof series, "%s_made", place->series);
	measure_print(series, place->made, n);
	snprintf(series, sizeof series, "%s_removed", place->series);
	if (removes)
		measure_print(series, place->removed, n);
}

int
main(int argc, char **argv)
{
	struct place places[2];
	bool removes = argc == 7 && strcmp(argv[1], "turnover") == 0;
	size_t i, end, n, p;

	if (argc != 7 || (!removes && strcmp(argv[1], "make") != 0)) {
		fprintf(stderr, "usage: bench_names turnover|make SERIES DIR SERIES DIR N\n");
		return 64;
	}
	n = measure_number(argv[6], SAMPLES_MAX);
	for (p = 0; p < 2; p++)
		places[p] = (struct place){ argv[2 + 2 * p], argv[3 + 2 * p], measure_room(n),
			measure_room(n) };
	for (i = 0; i < n; i = end) {
		end = i + BLOCK < n ? i + BLOCK : n;
		for (p = 0; p < 2; p++)
			block(&places[p], i, end, removes);
	}
	for (p = 0; p < 2; p++)
		print(&places[p], n, removes);
	return 0;
}
