/*
 * One write after another to ZooKeeper, whatever happens to its servers: the
 * twin of "bench_calls writer". The client moves to the next host by itself;
 * a session that is over is replaced by a new one.
 */
#include "tests/bench/zookeeper/zk.h"

#include <string.h>
#include <unistd.h>

#define VALUE_BYTES 1024

void
zk_writer(const char *hosts, size_t run_ms)
{
	int64_t end_ns = measure_now_ns() + (int64_t)run_ms * NS_PER_MS;
	struct timespec pause = { .tv_nsec = NS_PER_MS };
	static char value[VALUE_BYTES], path[64];
	zhandle_t *zh = zk_open(hosts, NULL, NULL);
	int code;

	snprintf(path, sizeof path, "/writer-%ld", (long)getpid());
	zk_check(zoo_create(zh, path, value, sizeof value, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), path);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (measure_now_ns() < end_ns) {
		code = zoo_set(zh, path, value, sizeof value, -1);
		if (code == ZOK) {
			printf("done_us %" PRId64 "\n", measure_date_us());
			continue;
		}
		printf("failed_us %" PRId64 " %s\n", measure_date_us(), zerror(code));
		if (is_unrecoverable(zh)) {
			zookeeper_close(zh);
			zh = zk_open(hosts, NULL, NULL);
		}
		nanosleep(&pause, NULL);
	}
	zookeeper_close(zh);
}
