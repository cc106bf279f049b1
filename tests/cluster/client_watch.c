/*
 * The watcher of a mount: directories of registers, names and ephemerals, by
 * inotify(7). Each event is noted, and what a look at what it is about shows.
 * Ends when it has seen the end of the run.
 */
#include "tests/cluster/client.h"
#include "tests/cluster/client_ears.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#define BEHIND (1 << 16) /* bytes of events that wait, about a thousand: that is far */
#define MASK (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE)
#define LAST_MS 60000
#define QUIET_MS 200 /* what is raised late is heard by then */

static const char *const dirs[] = { "reg", "names", "eph" };
#define DIRS (sizeof dirs / sizeof dirs[0])

struct watcher {
	struct worker *worker;
	struct ears *ears;
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

	if (!is_register && ears_waiting(watcher->ears) > BEHIND)
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
	struct watcher watcher = { .worker = worker, .ears = ears_open() };
	const struct inotify_event *event;
	char path[PATH_LEN];
	uint64_t stopped = 0;
	size_t i;

	for (i = 0; i < DIRS; i++) {
		worker_path(worker, path, "%s", dirs[i]);
		watcher.watches[i] = ears_watch(watcher.ears, path, MASK);
	}
	ready(worker->client);
	while (!seen_all(&watcher)) {
		event = ears_next(watcher.ears, 100);
		if (event != NULL)
			on_event(&watcher, event);
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
	while ((event = ears_next(watcher.ears, QUIET_MS)) != NULL)
		on_event(&watcher, event);
	ears_close(watcher.ears);
}
