/*
 * A client of the cluster tests, see client.h. Three uses:
 *   cluster-client work NAME MOUNT HISTORIES SEED PACE-US   until SIGTERM
 *   cluster-client end NAME MOUNT HISTORIES                 what the watchers wait for
 *   cluster-client finish NAME MOUNT HISTORIES              and last values, too
 *   cluster-client dump MOUNT                               all that there is
 * `work` makes HISTORIES/NAME.ready when its watches stand, begins when there is
 * HISTORIES/go, so that everybody sees everything, and makes NAME.stopped when
 * nobody changes anything any more; then it waits for its watcher to see the end.
 */
#include "tests/cluster/client.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define WORKERS_MAX 16
#define PROGRESS_LEN 16

static const struct {
	const char *kind;
	void (*run)(struct worker *);
} kinds[] = {
	{ "write", write_registers },
	{ "read", read_registers },
	{ "synced", read_synced },
	{ "names", change_names },
	{ "append", append_lines },
	{ "ephemeral", keep_ephemerals },
	{ "lock", take_locks },
	{ "pace", keep_pace },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t
worker_random(struct worker *worker, uint64_t below)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random % below;
}

bool
worker_goes_on(struct worker *worker)
{
	if (!worker->client->stop)
		usleep((useconds_t)worker_random(worker, worker->client->pace_us * 2 + 1));
	return !worker->client->stop;
}

void
worker_unique(struct worker *worker, char *text, size_t len)
{
	snprintf(
	    text, len, "%s.%s.%06" PRIu64, worker->client->name, worker->kind, ++worker->sequence);
}

void
record(struct worker *worker, uint64_t begun, const char *op, const char *key, const char *value,
    int error)
{
	const char *result = error == 0 ? "ok" : strerrorname_np(error);

	fprintf(worker->history, "%" PRIu64 " %" PRIu64 " %s %s %s %s %s %s\n", begun, now_ns(),
	    worker->client->name, worker->kind, op, key, *value == '\0' ? "-" : value,
	    result == NULL ? "unknown" : result);
}

void
record_change(struct worker *worker, uint64_t begun, const char *op, const char *key,
    const char *value, int error)
{
	char text[PROGRESS_LEN + 1];

	record(worker, begun, op, key, value, error);
	if (error != 0 || worker->client->progress == NULL)
		return;
	snprintf(text, sizeof text, "%015" PRIu64 "\n",
	    atomic_fetch_add(&worker->client->acknowledged, 1) + 1);
	memcpy(worker->client->progress, text, PROGRESS_LEN);
}

void
worker_path(struct worker *worker, char *path, const char *fmt, ...)
{
	va_list args;
	int len = snprintf(path, PATH_LEN, "%s/", worker->client->mount);

	va_start(args, fmt);
	vsnprintf(path + len, (size_t)(PATH_LEN - len), fmt, args);
	va_end(args);
}

int
sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY), error = 0;

	if (fd < 0)
		return errno;
	if (fsync(fd) != 0)
		error = errno;
	close(fd);
	return error;
}

int
read_text(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY), error = 0;
	ssize_t n;

	*text = '\0';
	if (fd < 0)
		return errno;
	n = read(fd, text, len - 1);
	if (n < 0)
		error = errno;
	else
		text[n] = '\0';
	close(fd);
	return error;
}

/* Another one for each worker of a run, never 0. */
static uint64_t
random_start(const struct worker *worker)
{
	const char *const texts[] = { worker->client->name, worker->kind };
	uint64_t random = worker->client->seed ^ UINT64_C(0xcbf29ce484222325);
	const char *text;
	size_t i;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		for (text = texts[i]; *text != '\0'; text++)
			random = (random ^ (uint64_t)*text) * UINT64_C(0x100000001b3);
	return random | 1;
}

static void
worker_open(struct worker *worker)
{
	char path[PATH_LEN];

	snprintf(path, sizeof path, "%s/%s.%s.history", worker->client->histories,
	    worker->client->name, worker->kind);
	worker->history = fopen(path, "ae");
	if (worker->history == NULL)
		err(1, "%s", path);
	worker->random = random_start(worker);
}

static void *
worker_main(void *arg)
{
	struct worker *worker = arg;

	worker->run(worker);
	fclose(worker->history);
	return NULL;
}

static void
worker_start(
    struct worker *worker, struct client *client, const char *kind, void (*run)(struct worker *))
{
	*worker = (struct worker){ .client = client, .kind = kind, .run = run };
	worker_open(worker);
	if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
		errx(1, "no thread");
}

/* An empty file of that name says so. */
static void
announce(const struct client *client, const char *what)
{
	char path[PATH_LEN];
	int fd;

	snprintf(path, sizeof path, "%s/%s.%s", client->histories, client->name, what);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "%s", path);
	close(fd);
}

static void
progress_map(struct client *client)
{
	char path[PATH_LEN];
	int fd;

	snprintf(path, sizeof path, "%s/%s.progress", client->histories, client->name);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, PROGRESS_LEN) != 0)
		err(1, "%s", path);
	client->progress = mmap(NULL, PROGRESS_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (client->progress == MAP_FAILED)
		err(1, "%s", path);
	memcpy(client->progress, "000000000000000\n", PROGRESS_LEN);
	close(fd);
}

static void
wait_for_go(const struct client *client)
{
	char path[PATH_LEN];

	snprintf(path, sizeof path, "%s/go", client->histories);
	while (access(path, F_OK) != 0)
		usleep(1000);
}

/* The watcher ends by itself, when it has seen the end. */
static int
work(struct client *client, const sigset_t *ends)
{
	struct worker workers[KINDS], watcher;
	int number;
	size_t i;

	progress_map(client);
	worker_start(&watcher, client, "watch", watch);
	wait_for_go(client);
	for (i = 0; i < KINDS; i++)
		worker_start(&workers[i], client, kinds[i].kind, kinds[i].run);
	sigwait(ends, &number);
	client->stop = true;
	for (i = 0; i < KINDS; i++)
		pthread_join(workers[i].thread, NULL);
	announce(client, "stopped");
	pthread_join(watcher.thread, NULL);
	return 0;
}

int
main(int argc, char **argv)
{
	struct client client = { 0 };
	struct worker last = { .client = &client, .kind = "finish" };
	sigset_t ends;

	if (argc == 3 && strcmp(argv[1], "dump") == 0)
		return dump(argv[2]);
	if (argc < 5)
		errx(64, "see client.c");
	client.name = argv[2];
	client.mount = argv[3];
	client.histories = argv[4];
	if (strcmp(argv[1], "finish") == 0 || strcmp(argv[1], "end") == 0) {
		worker_open(&last);
		finish(&last, strcmp(argv[1], "finish") == 0);
		fclose(last.history);
		return 0;
	}
	if (argc != 7)
		errx(64, "see client.c");
	client.seed = strtoull(argv[5], NULL, 10);
	client.pace_us = (uint32_t)strtoul(argv[6], NULL, 10);
	/* Before any thread: no call of theirs is interrupted. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	return work(&client, &ends);
}
