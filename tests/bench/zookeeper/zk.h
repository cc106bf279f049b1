/*
 * Sessions with ZooKeeper for its side of the comparison, over its C client
 * with threads. What cannot be done ends the program.
 */
#ifndef ZABFS_BENCH_ZK_H
#define ZABFS_BENCH_ZK_H

#include "tests/bench/measure.h"

#include <zookeeper/zookeeper.h>

/* Ours is the same: the default of a mount. */
#define ZK_TIMEOUT_MS 10000

/* hosts: "HOST:PORT,…", tried in this order. Returns when it is connected; watcher: NULL or the session's. */
zhandle_t *zk_open(const char *hosts, watcher_fn watcher, void *context);
void zk_check(int code, const char *what);

/* The commands of zk.c that have files of their own. */
void zk_load(int argc, char **argv);
void zk_watch(const char *writer, const char *watcher, size_t n);
void zk_writer(const char *hosts, size_t run_ms);

#endif
