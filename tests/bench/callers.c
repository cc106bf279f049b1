/*
 * Puts a load on mounts by system calls, one thread for each call that is
 * outstanding, each with a file of its own, in a directory of each mount's own,
 * so that no other one is told of changes: on a descriptor that stays open
 * (pwrite, pread), or from open to close, as "echo v > f" and "cat f" do.
 * It knows nothing of zabfs. Called by tests/bench/run and
 * tests/bench/zookeeper/run; load.h has the other arguments and the output.
 */
#include "tests/bench/load.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

struct caller {
	const struct load *load;
	pthread_barrier_t *start;
	pthread_t thread;
	bool held; /* its descriptor is */
	int fd;
	char path[PATH_MAX];
	char *buf; /* for one byte more than is read */
	uint64_t random;
	struct load_samples samples;
};

static char value[LOAD_BYTES_MAX];

static int
caller_open(const struct caller *caller, int flags)
{
	int fd = caller->held ? caller->fd : open(caller->path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", caller->path);
	return fd;
}

static void
caller_close(const struct caller *caller, int fd)
{
	if (!caller->held)
		close(fd);
}

static void
caller_write(const struct caller *caller)
{
	ssize_t bytes = (ssize_t)caller->load->bytes;
	int fd = caller_open(caller, O_WRONLY | O_TRUNC);

	if (pwrite(fd, value, (size_t)bytes, 0) != bytes)
		err(1, "%s: write", caller->path);
	caller_close(caller, fd);
}

static void
caller_read(const struct caller *caller)
{
	int fd = caller_open(caller, O_RDONLY);

	if (pread(fd, caller->buf, caller->load->bytes + 1, 0) != (ssize_t)caller->load->bytes)
		err(1, "%s: not the value", caller->path);
	caller_close(caller, fd);
}

static void *
caller_run(void *arg)
{
	struct caller *caller = arg;
	int64_t end_ns, begun_ns, now_ns;

	pthread_barrier_wait(caller->start);
	begun_ns = measure_now_ns();
	end_ns = begun_ns + caller->load->run_ns;
	for (;;) {
		enum load_kind kind = load_kind(caller->load, &caller->random);

		if (kind == LOAD_WRITE)
			caller_write(caller);
		else
			caller_read(caller);
		now_ns = measure_now_ns();
		if (now_ns > end_ns)
			return NULL;
		load_add(&caller->samples, kind, now_ns - begun_ns);
		begun_ns = now_ns;
	}
}

static void
caller_start(struct caller *caller, size_t number)
{
	const struct load *load = caller->load;

	snprintf(caller->path, sizeof caller->path, "%s/callers%zu",
	    load->targets[number % load->ntargets], number % load->ntargets);
	if (mkdir(caller->path, 0755) != 0 && errno != EEXIST)
		err(1, "%s", caller->path);
	snprintf(caller->path, sizeof caller->path, "%s/callers%zu/%zu",
	    load->targets[number % load->ntargets], number % load->ntargets, number);
	caller->fd = open(caller->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	caller->buf = malloc(load->bytes + 1);
	if (caller->buf == NULL || caller->fd < 0 || ftruncate(caller->fd, 0) != 0 ||
	    pwrite(caller->fd, value, load->bytes, 0) != (ssize_t)load->bytes)
		err(1, "%s", caller->path);
	caller->random = load_seed(number);
	load_samples_init(&caller->samples);
	if (pthread_create(&caller->thread, NULL, caller_run, caller) != 0)
		err(1, "thread %zu", number);
}

int
main(int argc, char **argv)
{
	struct caller *callers;
	pthread_barrier_t start;
	size_t i, all = 0;
	struct load load;
	bool held;

	if (argc < 2 || (strcmp(argv[1], "held") != 0 && strcmp(argv[1], "open") != 0))
		errx(64, "usage: bench_callers held|open " LOAD_USAGE);
	held = strcmp(argv[1], "held") == 0;
	load = load_parse(argc - 2, argv + 2);
	callers = calloc(load.outstanding, sizeof *callers);
	if (callers == NULL || pthread_barrier_init(&start, NULL, (unsigned)load.outstanding) != 0)
		err(1, "%zu callers", load.outstanding);
	memset(value, 'v', sizeof value);
	for (i = 0; i < load.outstanding; i++) {
		callers[i].load = &load;
		callers[i].start = &start;
		callers[i].held = held;
		caller_start(&callers[i], i);
	}
	for (i = 0; i < load.outstanding; i++) {
		pthread_join(callers[i].thread, NULL);
		close(callers[i].fd);
		free(callers[i].buf);
		all += load_print(&callers[i].samples);
	}
	load_print_rate(&load, all);
	free(callers);
	return 0;
}
