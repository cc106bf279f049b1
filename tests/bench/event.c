/*
 * Times what a watcher waits for: a write through one mount, from its return
 * (and from its call: began_modify), until its inotify event is read on the other. One thread writes, one polls the inotify
 * descriptor; both use the same clock. Each write waits for the event of the
 * one before, because inotify merges equal events. Called by tests/bench/run.
 */
#include "tests/bench/measure.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define VALUE_BYTES 1024
#define LOST_MS 5000

struct watcher {
	int fd;
	sem_t closed;	   /* CLOSE_WRITE was read */
	int64_t modify_ns; /* when the first MODIFY since the last CLOSE_WRITE was read */
	int64_t closed_ns;
};

/* True: CLOSE_WRITE is among what was read. */
static int
watcher_read(struct watcher *watcher)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	ssize_t len = read(watcher->fd, buf, sizeof buf), off;
	int64_t now_ns = measure_now_ns();
	int closed = 0;

	if (len <= 0)
		err(1, "inotify");
	for (off = 0; off < len; off += (ssize_t)sizeof *event + event->len) {
		event = (const struct inotify_event *)(const void *)(buf + off);
		if ((event->mask & IN_MODIFY) != 0 && watcher->modify_ns == 0)
			watcher->modify_ns = now_ns;
		if ((event->mask & IN_CLOSE_WRITE) != 0) {
			watcher->closed_ns = now_ns;
			closed = 1;
		}
	}
	return closed;
}

static void *
watcher_run(void *arg)
{
	struct watcher *watcher = arg;
	struct pollfd pollfd = { .fd = watcher->fd, .events = POLLIN };

	for (;;) {
		if (poll(&pollfd, 1, -1) < 0)
			err(1, "poll");
		if (watcher_read(watcher))
			sem_post(&watcher->closed);
	}
	return NULL;
}

static void
wait_closed(struct watcher *watcher, size_t i)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += LOST_MS / 1000;
	while (sem_timedwait(&watcher->closed, &end) != 0)
		if (errno != EINTR)
			errx(1, "write %zu: no CLOSE_WRITE within %d ms", i, LOST_MS);
}

static void
pause_ns(int64_t ns)
{
	struct timespec ts = { .tv_nsec = (long)ns };

	nanosleep(&ts, NULL);
}

static void
write_and_wait(const char *path, struct watcher *watcher, size_t n)
{
	int64_t *modify = measure_room(n), *closed = measure_room(n), *began = measure_room(n);
	int64_t began_ns, returned_ns;
	static char value[VALUE_BYTES];
	int fd = open(path, O_WRONLY);
	size_t i;

	if (fd < 0)
		err(1, "%s", path);
	for (i = 0; i < n; i++) {
		/* From 0.5 to 4 ms: never in step with a daemon's own rhythm. */
		pause_ns(NS_PER_MS / 2 * (int64_t)(1 + i % 8));
		value[0]++;
		began_ns = measure_now_ns();
		if (pwrite(fd, value, sizeof value, 0) != sizeof value)
			err(1, "%s", path);
		returned_ns = measure_now_ns();
		wait_closed(watcher, i);
		began[i] = watcher->modify_ns - began_ns;
		modify[i] = watcher->modify_ns - returned_ns;
		closed[i] = watcher->closed_ns - returned_ns;
		watcher->modify_ns = 0;
	}
	measure_print("modify", modify, n);
	measure_print("close_write", closed, n);
	measure_print("began_modify", began, n);
}

int
main(int argc, char **argv)
{
	struct watcher watcher = { 0 };
	pthread_t thread;

	if (argc != 4) {
		fprintf(stderr, "usage: bench_event FILE-ON-A FILE-ON-B N\n");
		return 64;
	}
	watcher.fd = inotify_init1(IN_CLOEXEC);
	if (watcher.fd < 0 ||
	    inotify_add_watch(watcher.fd, argv[2], IN_MODIFY | IN_CLOSE_WRITE) < 0)
		err(1, "%s", argv[2]);
	sem_init(&watcher.closed, 0, 0);
	if (pthread_create(&thread, NULL, watcher_run, &watcher) != 0)
		err(1, "thread");
	write_and_wait(argv[1], &watcher, measure_number(argv[3], 1000000));
	return 0;
}
