/*
 * ZooKeeper's side of the comparison, the twin of bench_wire: a tree that is
 * filled, and the moment from which a server answers; and the way to its other
 * commands, each in a file of its own. Called by tests/bench/zookeeper/run.
 */
#include "tests/bench/zookeeper/zk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILL_OUTSTANDING 512
#define VALUE_MAX 1000000u

void
zk_check(int code, const char *what)
{
	if (code != ZOK)
		errx(1, "%s: %s", what, zerror(code));
}

zhandle_t *
zk_open(const char *hosts, watcher_fn watcher, void *context)
{
	int64_t end_ns = measure_now_ns() + 60 * NS_PER_S;
	struct timespec pause = { .tv_nsec = NS_PER_MS };
	zhandle_t *zh;

	zoo_set_debug_level(0);
	zoo_deterministic_conn_order(1);
	zh = zookeeper_init(hosts, watcher, ZK_TIMEOUT_MS, NULL, context, 0);
	if (zh == NULL)
		err(1, "%s", hosts);
	while (zoo_state(zh) != ZOO_CONNECTED_STATE) {
		if (measure_now_ns() > end_ns)
			errx(1, "%s: no session", hosts);
		nanosleep(&pause, NULL);
	}
	return zh;
}

static void
fill_done(int code, const char *name, const void *arg)
{
	(void)name;
	zk_check(code, "create");
	sem_post((sem_t *)(uintptr_t)arg);
}

static void
fill(const char *hosts, size_t nodes, size_t per_dir, size_t bytes, const char *prefix)
{
	static char value[VALUE_MAX], path[128];
	zhandle_t *zh = zk_open(hosts, NULL, NULL);
	int64_t start = measure_now_ns();
	size_t made, i;
	sem_t room;

	memset(value, 'v', sizeof value);
	sem_init(&room, 0, FILL_OUTSTANDING);
	for (made = 0; made < nodes; made++) {
		if (made % per_dir == 0) {
			snprintf(path, sizeof path, "/%s%04zu", prefix, made / per_dir);
			sem_wait(&room);
			zk_check(
			    zoo_acreate(zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, fill_done, &room),
			    path);
		}
		snprintf(path, sizeof path, "/%s%04zu/node%04zu", prefix, made / per_dir,
		    made % per_dir);
		sem_wait(&room);
		zk_check(zoo_acreate(zh, path, value, (int)bytes, &ZOO_OPEN_ACL_UNSAFE, 0,
			     fill_done, &room),
		    path);
	}
	for (i = 0; i < FILL_OUTSTANDING; i++)
		sem_wait(&room);
	printf("load_rate %" PRId64 "\n", (int64_t)nodes * NS_PER_S / (measure_now_ns() - start));
	zookeeper_close(zh);
}

/*
 * What a server says of itself: "srvr" has a line "Mode: …" as soon as it serves. One that asks
 * while it starts may wait for ever.
 */
static bool
serves(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_usec = 200000 };
	char text[4096];
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
		err(1, "socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
	    write(fd, "srvr", 4) == 4)
		while (
		    len < sizeof text - 1 && (n = read(fd, text + len, sizeof text - 1 - len)) > 0)
			len += (size_t)n;
	close(fd);
	text[len] = '\0';
	return strstr(text, "Mode: ") != NULL;
}

/* Tries until the server answers a read, and prints the moment, as bash's EPOCHREALTIME counts. */
static void
first(size_t port, size_t deadline_ms)
{
	int64_t end_ns = measure_now_ns() + (int64_t)deadline_ms * NS_PER_MS;
	struct timespec pause = { .tv_nsec = NS_PER_MS };
	char host[64];
	zhandle_t *zh;

	/* Its answer may not come either. */
	alarm((unsigned)(deadline_ms / 1000 + 1));
	while (!serves((uint16_t)port)) {
		if (measure_now_ns() > end_ns)
			errx(1, "port %zu: no answer within %zu ms", port, deadline_ms);
		nanosleep(&pause, NULL);
	}
	snprintf(host, sizeof host, "127.0.0.1:%zu", port);
	zh = zk_open(host, NULL, NULL);
	zk_check(zoo_exists(zh, "/", 0, NULL), "/");
	printf("answered_us %" PRId64 "\n", measure_date_us());
	zookeeper_close(zh);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: zk first PORT MILLISECONDS | fill HOST NODES PER-DIRECTORY BYTES PREFIX |\n"
	    "\tload READ-PERCENT OUTSTANDING BYTES MILLISECONDS HOST... |\n"
	    "\twatch WRITER-HOST WATCHER-HOST N | writer HOST[,HOST]... MILLISECONDS\n");
	exit(64);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 4 && strcmp(what, "first") == 0)
		first(measure_number(argv[2], 65535), measure_number(argv[3], 3600000));
	else if (argc == 7 && strcmp(what, "fill") == 0)
		fill(argv[2], measure_number(argv[3], 100000000),
		    measure_number(argv[4], 100000000), measure_number(argv[5], VALUE_MAX),
		    argv[6]);
	else if (argc > 2 && strcmp(what, "load") == 0)
		zk_load(argc - 2, argv + 2);
	else if (argc == 5 && strcmp(what, "watch") == 0)
		zk_watch(argv[2], argv[3], measure_number(argv[4], 1000000));
	else if (argc == 4 && strcmp(what, "writer") == 0)
		zk_writer(argv[2], measure_number(argv[3], 3600000));
	else
		usage();
	return 0;
}
