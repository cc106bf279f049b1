/*
 * What a watcher of ZooKeeper waits for: from the call of a write through one
 * server to the event on a session with another, where a read sets the watch
 * anew each time. The twin of bench_event.
 */
#include "tests/bench/zookeeper/zk.h"

#include <semaphore.h>
#include <stdint.h>
#include <string.h>

#define VALUE_BYTES 1024
#define LOST_S 10
#define PATH "/watched"

struct watched {
	sem_t seen; /* and the watch is set anew */
	int64_t event_ns;
};

static void watched_event(zhandle_t *zh, int type, int state, const char *path, void *arg);

static void
watched_value(int code, const char *data, int len, const struct Stat *stat, const void *arg)
{
	struct watched *watched = (struct watched *)(uintptr_t)arg;

	(void)data;
	(void)len;
	(void)stat;
	zk_check(code, "get");
	sem_post(&watched->seen);
}

static void
watched_read(zhandle_t *zh, struct watched *watched)
{
	zk_check(zoo_awget(zh, PATH, watched_event, watched, watched_value, watched), PATH);
}

static void
watched_event(zhandle_t *zh, int type, int state, const char *path, void *arg)
{
	struct watched *watched = arg;

	(void)state;
	(void)path;
	if (type != ZOO_CHANGED_EVENT)
		return;
	watched->event_ns = measure_now_ns();
	watched_read(zh, watched);
}

static void
synced(int code, const char *path, const void *arg)
{
	(void)path;
	(void)arg;
	zk_check(code, "sync");
}

static void
watched_wait(struct watched *watched)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += LOST_S;
	while (sem_timedwait(&watched->seen, &end) != 0)
		if (errno != EINTR)
			errx(1, "no event within %d s", LOST_S);
}

void
zk_watch(const char *writer_host, const char *watcher_host, size_t n)
{
	int64_t *event = measure_room(n), began_ns;
	zhandle_t *writer = zk_open(writer_host, NULL, NULL);
	zhandle_t *watcher = zk_open(watcher_host, NULL, NULL);
	static char data[VALUE_BYTES];
	struct watched watched = { 0 };
	struct timespec pause = { 0 };
	size_t i;
	int code;

	sem_init(&watched.seen, 0, 0);
	code = zoo_create(writer, PATH, data, sizeof data, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
	if (code != ZNODEEXISTS)
		zk_check(code, PATH);
	/* The watcher's server may be behind; a sync brings it up. */
	zk_check(zoo_async(watcher, PATH, synced, NULL), "sync");
	watched_read(watcher, &watched);
	watched_wait(&watched);
	for (i = 0; i < n; i++) {
		/* As in event.c: never in step with a server's own rhythm. */
		pause.tv_nsec = NS_PER_MS / 2 * (long)(1 + i % 8);
		nanosleep(&pause, NULL);
		data[0]++;
		began_ns = measure_now_ns();
		zk_check(zoo_set(writer, PATH, data, sizeof data, -1), PATH);
		watched_wait(&watched);
		event[i] = watched.event_ns - began_ns;
	}
	measure_print("began_event", event, n);
	zookeeper_close(watcher);
	zookeeper_close(writer);
}
