/* Events, taken as fast as they are raised. See client_ears.h. */
#include "tests/cluster/client_ears.h"

#include <bsd/sys/queue.h>
#include <err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (1 << 16)
#define NS_PER_MS 1000000
#define NS_PER_S 1000000000

/* What one read(2) has brought. */
struct chunk {
	STAILQ_ENTRY(chunk) next;
	size_t len, at;
	_Alignas(struct inotify_event) char events[];
};
STAILQ_HEAD(chunks, chunk);

struct ears {
	int fd;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t heard;
	/* Under the mutex; the first chunk's `at` is the reader's own. */
	struct chunks chunks;
	size_t waiting;
};

static struct chunk *
chunk_new(const char *events, size_t len)
{
	struct chunk *chunk = malloc(sizeof *chunk + len);

	if (chunk == NULL)
		errx(1, "no memory");
	chunk->len = len;
	chunk->at = 0;
	memcpy(chunk->events, events, len);
	return chunk;
}

/* Until it is cancelled, in read(2). */
static void *
listen_on(void *arg)
{
	char events[READ_BYTES];
	struct ears *ears = arg;
	struct chunk *chunk;
	ssize_t n;
	int state;

	while ((n = read(ears->fd, events, sizeof events)) > 0) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		chunk = chunk_new(events, (size_t)n);
		pthread_mutex_lock(&ears->mutex);
		STAILQ_INSERT_TAIL(&ears->chunks, chunk, next);
		ears->waiting += chunk->len;
		pthread_cond_signal(&ears->heard);
		pthread_mutex_unlock(&ears->mutex);
		pthread_setcancelstate(state, NULL);
	}
	err(1, "inotify");
}

struct ears *
ears_open(void)
{
	struct ears *ears = calloc(1, sizeof *ears);

	if (ears == NULL)
		errx(1, "no memory");
	ears->fd = inotify_init1(IN_CLOEXEC);
	if (ears->fd < 0)
		err(1, "inotify");
	STAILQ_INIT(&ears->chunks);
	pthread_mutex_init(&ears->mutex, NULL);
	pthread_cond_init(&ears->heard, NULL);
	if (pthread_create(&ears->thread, NULL, listen_on, ears) != 0)
		errx(1, "no thread");
	return ears;
}

static void
drop_first(struct ears *ears)
{
	struct chunk *chunk = STAILQ_FIRST(&ears->chunks);

	STAILQ_REMOVE_HEAD(&ears->chunks, next);
	free(chunk);
}

void
ears_close(struct ears *ears)
{
	pthread_cancel(ears->thread);
	pthread_join(ears->thread, NULL);
	while (!STAILQ_EMPTY(&ears->chunks))
		drop_first(ears);
	close(ears->fd);
	pthread_cond_destroy(&ears->heard);
	pthread_mutex_destroy(&ears->mutex);
	free(ears);
}

int
ears_watch(struct ears *ears, const char *path, uint32_t mask)
{
	int watch = inotify_add_watch(ears->fd, path, mask);

	if (watch < 0)
		err(1, "%s", path);
	return watch;
}

static struct timespec
after(uint32_t ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += (long)(ms % 1000) * NS_PER_MS;
	if (at.tv_nsec >= NS_PER_S) {
		at.tv_nsec -= NS_PER_S;
		at.tv_sec++;
	}
	return at;
}

/* Under the mutex. */
static struct chunk *
first(struct ears *ears)
{
	struct chunk *chunk = STAILQ_FIRST(&ears->chunks);

	if (chunk != NULL && chunk->at == chunk->len) {
		drop_first(ears);
		chunk = STAILQ_FIRST(&ears->chunks);
	}
	return chunk;
}

const struct inotify_event *
ears_next(struct ears *ears, uint32_t ms)
{
	const struct inotify_event *event = NULL;
	struct timespec until = after(ms);
	struct chunk *chunk;
	int error = 0;

	pthread_mutex_lock(&ears->mutex);
	while ((chunk = first(ears)) == NULL && error == 0)
		error = pthread_cond_clockwait(&ears->heard, &ears->mutex, CLOCK_MONOTONIC, &until);
	if (chunk != NULL) {
		event = (const struct inotify_event *)(const void *)(chunk->events + chunk->at);
		chunk->at += sizeof *event + event->len;
		ears->waiting -= sizeof *event + event->len;
	}
	pthread_mutex_unlock(&ears->mutex);
	return event;
}

size_t
ears_waiting(struct ears *ears)
{
	size_t waiting;

	pthread_mutex_lock(&ears->mutex);
	waiting = ears->waiting;
	pthread_mutex_unlock(&ears->mutex);
	return waiting;
}
