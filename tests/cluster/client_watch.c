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
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define BUFFER (1 << 20)
#define BEHIND (1 << 16) /* bytes of events that wait, about a thousand: that is far */
#define MASK (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE)
#define LAST_MS 60000

static const char *const dirs[] = { "reg", "names", "eph" };
#define DIRS (sizeof dirs / sizeof dirs[0])

struct watcher {
	struct worker *worker;
	int fd;
	int watches[DIRS];
	char *raised;		  /* what was taken from the kernel, */
	size_t at, len, room;	  /* and is gone through up to here */
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

/*
 * When an event is there, reading shows the change that it stands for, or a later one. The clients
 * together change more than one can look at: who is far behind looks at registers only, whose last
 * value has to be seen.
 */
static void
look(struct watcher *watcher, const char *dir, const char *name)
{
	struct worker *worker = watcher->worker;
	char path[PATH_LEN], value[VALUE_LEN + 2];
	bool is_register = strcmp(dir, "reg") == 0;
	uint64_t begun = now_ns();
	struct stat st;
	int error;

	if (!is_register && watcher->len - watcher->at > BEHIND)
		return;
	worker_path(worker, path, "%s/%s", dir, name);
	if (!is_register) {
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

/*
 * The kernel keeps 16,384 events, and a look takes as long as fsd and a replica need: all that there
 * are is taken from it before each.
 */
static void
take_events(struct watcher *watcher)
{
	ssize_t n;

	do {
		if (watcher->room - watcher->len < BUFFER) {
			watcher->room += BUFFER;
			watcher->raised = realloc(watcher->raised, watcher->room);
			if (watcher->raised == NULL)
				errx(1, "no memory");
		}
		n = read(watcher->fd, watcher->raised + watcher->len, BUFFER);
		watcher->len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
}

static void
read_events(struct watcher *watcher)
{
	const struct inotify_event *event;

	take_events(watcher);
	for (watcher->at = 0; watcher->at < watcher->len; take_events(watcher)) {
		event = (const struct inotify_event *)(const void *)(watcher->raised + watcher->at);
		watcher->at += sizeof *event + event->len;
		on_event(watcher, event);
	}
	watcher->len = 0;
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

void
watch(struct worker *worker)
{
	struct watcher watcher = { .worker = worker,
		.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
	struct pollfd pollfd = { .fd = watcher.fd, .events = POLLIN };
	char path[PATH_LEN];
	uint64_t stopped = 0;
	size_t i;

	for (i = 0; i < DIRS; i++) {
		worker_path(worker, path, "%s", dirs[i]);
		watcher.watches[i] = inotify_add_watch(watcher.fd, path, MASK);
		if (watcher.watches[i] < 0)
			err(1, "%s", path);
	}
	ready(worker->client);
	while (!seen_all(&watcher)) {
		if (poll(&pollfd, 1, 100) > 0)
			read_events(&watcher);
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
	read_events(&watcher);
	close(watcher.fd);
	free(watcher.raised);
}
