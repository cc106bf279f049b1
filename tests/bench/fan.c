/*
 * Times how far apart many mounts are told of one change: a write through one path, and its inotify
 * event on all the others, from the first to the last; and from the write's return to the first.
 * It knows nothing of zabfs. Called by tests/bench/run.
 */
#include "tests/bench/measure.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define VALUE_BYTES 1024
#define LOST_MS 5000
#define WATCHED_MAX 1000

struct fan {
	int fd;
	size_t watched, told;	     /* how many; of them, since the last write */
	bool heard[WATCHED_MAX + 1]; /* by watch descriptor, from 1 on */
	int64_t first_ns, last_ns;
};

/* What has come; the first event of each counts. */
static void
hear(struct fan *fan)
{
	char buf[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	ssize_t len = read(fan->fd, buf, sizeof buf), off;
	int64_t now_ns = measure_now_ns();

	if (len <= 0)
		err(1, "inotify");
	for (off = 0; off < len; off += (ssize_t)sizeof *event + event->len) {
		event = (const struct inotify_event *)(const void *)(buf + off);
		if (event->wd < 1 || event->wd > WATCHED_MAX || fan->heard[event->wd])
			continue;
		fan->heard[event->wd] = true;
		if (fan->told++ == 0)
			fan->first_ns = now_ns;
		fan->last_ns = now_ns;
	}
}

static void
wait_all(struct fan *fan, size_t i)
{
	struct pollfd pollfd = { .fd = fan->fd, .events = POLLIN };

	while (fan->told < fan->watched) {
		if (poll(&pollfd, 1, LOST_MS) <= 0)
			errx(1, "write %zu: %zu of %zu have heard of it within %d ms", i, fan->told,
			    fan->watched, LOST_MS);
		hear(fan);
	}
	memset(fan->heard, 0, sizeof fan->heard);
	fan->told = 0;
}

static void
writes(struct fan *fan, const char *path, size_t n)
{
	int64_t *first = measure_room(n), *spread = measure_room(n), returned_ns;
	static char value[VALUE_BYTES];
	/* The rest of a change's events is through by then. */
	struct timespec pause = { .tv_nsec = 100 * NS_PER_MS };
	int fd = open(path, O_WRONLY);
	size_t i;

	if (fd < 0)
		err(1, "%s", path);
	for (i = 0; i < n; i++) {
		nanosleep(&pause, NULL);
		value[0]++;
		if (pwrite(fd, value, sizeof value, 0) != sizeof value)
			err(1, "%s", path);
		returned_ns = measure_now_ns();
		wait_all(fan, i);
		first[i] = fan->first_ns - returned_ns;
		spread[i] = fan->last_ns - fan->first_ns;
	}
	measure_print("first", first, n);
	measure_print("spread", spread, n);
}

int
main(int argc, char **argv)
{
	/* Before all others: what it reads late it would take for what came together. */
	const struct sched_param first = { .sched_priority = 1 };
	struct fan fan = { 0 };
	int i;

	if (argc < 4 || argc - 3 > WATCHED_MAX) {
		fprintf(stderr, "usage: bench_fan N FILE WATCHED…\n");
		return 64;
	}
	if (sched_setscheduler(0, SCHED_FIFO, &first) != 0)
		warn("SCHED_FIFO");
	fan.fd = inotify_init1(IN_CLOEXEC);
	for (i = 3; i < argc; i++, fan.watched++)
		if (fan.fd < 0 || inotify_add_watch(fan.fd, argv[i], IN_MODIFY) < 0)
			err(1, "%s", argv[i]);
	writes(&fan, argv[2], measure_number(argv[1], 1000000));
	return 0;
}
