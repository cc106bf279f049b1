/*
 * The watcher of a mount: directories of registers, names and ephemerals, by
 * inotify(7). Each event is noted, and what a look at what it is about shows.
 * Ends when it has seen the end of the run.
 */
#include "tests/cluster/client.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define BUFFER (1 << 20)
#define MASK (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE)
#define LAST_MS 60000

static const char *const dirs[] = { "reg", "names", "eph" };
#define DIRS (sizeof dirs / sizeof dirs[0])

struct watcher {
	struct worker *worker;
	int fd;
	int watches[DIRS];
	uint32_t ends;		  /* names that were seen */
	bool finished[REGISTERS]; /* the last value was seen */
};

static const char *
event_name(uint32_t mask)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = { { IN_CREATE, "CREATE" }, { IN_DELETE, "DELETE" },
		{ IN_MOVED_FROM, "MOVED_FROM" }, { IN_MOVED_TO, "MOVED_TO" },
		{ IN_MODIFY, "MODIFY" }, { IN_CLOSE_WRITE, "CLOSE_WRITE" },
		{ IN_Q_OVERFLOW, "OVERFLOW" }, { IN_UNMOUNT, "UNMOUNT" },
		{ IN_IGNORED, "IGNORED" } };
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if ((mask & names[i].bit) != 0)
			return names[i].name;
	return "OTHER";
}

/* When an event is there, reading shows the change that it stands for, or a later one. */
static void
look(struct watcher *watcher, const char *dir, const char *name)
{
	struct worker *worker = watcher->worker;
	char path[PATH_LEN], value[VALUE_LEN + 2];
	uint64_t begun = now_ns();
	struct stat st;
	int error;

	worker_path(worker, path, "%s/%s", dir, name);
	if (strcmp(dir, "reg") != 0) {
		record(worker, begun, "look", name, "-", lstat(path, &st) == 0 ? 0 : errno);
		return;
	}
	error = read_text(path, value, sizeof value);
	record(worker, begun, "eread", name, value, error);
	if (strstr(value, ".finish.") != NULL)
		watcher->finished[strtoul(name, NULL, 10) % REGISTERS] = true;
}

static void
on_event(struct watcher *watcher, const struct inotify_event *event)
{
	const char *name = event->len == 0 ? "-" : event->name, *dir = "-";
	char value[64];
	size_t i;

	for (i = 0; i < DIRS; i++)
		if (watcher->watches[i] == event->wd)
			dir = dirs[i];
	snprintf(
	    value, sizeof value, "%s:%s:%" PRIu32, dir, event_name(event->mask), event->cookie);
	record(watcher->worker, now_ns(), "event", name, value, 0);
	if (strcmp(dir, "-") == 0 || event->len == 0)
		return;
	if ((event->mask & IN_CREATE) != 0 && strncmp(name, END_NAME, strlen(END_NAME)) == 0)
		watcher->ends++;
	if ((event->mask & (IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM)) != 0)
		look(watcher, dir, name);
}

static void
read_events(struct watcher *watcher, char *buffer)
{
	const struct inotify_event *event;
	ssize_t len = read(watcher->fd, buffer, BUFFER), at;

	for (at = 0; at < len; at += (ssize_t)(sizeof *event + event->len)) {
		event = (const struct inotify_event *)(const void *)(buffer + at);
		on_event(watcher, event);
	}
}

static bool
seen_all(const struct watcher *watcher)
{
	uint32_t i;

	for (i = 0; i < REGISTERS; i++)
		if (!watcher->finished[i])
			return false;
	return watcher->ends == ENDS;
}

static void
ready(const struct client *client)
{
	char path[PATH_LEN];
	int fd;

	snprintf(path, sizeof path, "%s/%s.ready", client->histories, client->name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "%s", path);
	close(fd);
}

/*
 * The kernel keeps 16,384 events. On a machine that has more to do than it can, a thread may wait for
 * longer than those take to come: this one goes first.
 */
static void
soon(void)
{
	struct sched_param first = { .sched_priority = 1 };

	if (pthread_setschedparam(pthread_self(), SCHED_RR, &first) != 0)
		warnx("the watcher has no priority");
}

void
watch(struct worker *worker)
{
	struct watcher watcher = { .worker = worker,
		.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
	struct pollfd pollfd = { .fd = watcher.fd, .events = POLLIN };
	char path[PATH_LEN], *buffer = malloc(BUFFER);
	uint64_t stopped = 0;
	size_t i;

	soon();
	for (i = 0; i < DIRS; i++) {
		worker_path(worker, path, "%s", dirs[i]);
		watcher.watches[i] = inotify_add_watch(watcher.fd, path, MASK);
		if (watcher.watches[i] < 0)
			err(1, "%s", path);
	}
	ready(worker->client);
	while (!seen_all(&watcher)) {
		if (poll(&pollfd, 1, 100) > 0)
			read_events(&watcher, buffer);
		if (!worker->client->stop)
			continue;
		if (stopped == 0)
			stopped = now_ns();
		if (now_ns() - stopped > (uint64_t)LAST_MS * 1000000) {
			record(worker, stopped, "event", "-", "-:LOST:0", 0);
			break;
		}
	}
	/* What else has been raised by now. */
	read_events(&watcher, buffer);
	close(watcher.fd);
	free(buffer);
}
