/*
 * What the load generators have in common, so that each puts the same load on
 * what it is made for: reads and writes in a given mixture, a number of them
 * outstanding, spread over some sessions or mounts, until a time is over. They
 * are bench_requests (the wire), bench_callers (system calls on mounts) and
 * zookeeper/zk.c (ZooKeeper's C client), all with the arguments that
 * load_parse takes, and the output of load_print.
 */
#ifndef ZABFS_BENCH_LOAD_H
#define ZABFS_BENCH_LOAD_H

#include "tests/bench/measure.h"

#include <stdbool.h>
#include <string.h>

#define LOAD_USAGE "READ-PERCENT OUTSTANDING BYTES MILLISECONDS TARGET..."
#define LOAD_TARGETS_MAX 16u
#define LOAD_OUTSTANDING_MAX 1024u
#define LOAD_BYTES_MAX 1044480u
#define LOAD_NODES 64u	    /* files of each session */
#define LOAD_SAMPLES 16384u /* kept of each session and kind, the last ones */

struct load {
	unsigned read_percent;
	size_t outstanding, bytes;
	int64_t run_ns;
	size_t ntargets;
	char **targets;
};

enum load_kind { LOAD_WRITE, LOAD_READ, LOAD_KINDS };

/* What one thread has measured. */
struct load_samples {
	int64_t *ns[LOAD_KINDS];
	size_t n[LOAD_KINDS]; /* answered before the time was over */
	int64_t longest_ns;
};

/* argv: as LOAD_USAGE says. */
static inline struct load
load_parse(int argc, char **argv)
{
	struct load load = { 0 };

	if (argc < 5 || (size_t)argc - 4 > LOAD_TARGETS_MAX)
		errx(64, "usage: %s", LOAD_USAGE);
	load.read_percent = strcmp(argv[0], "0") == 0 ? 0 : (unsigned)measure_number(argv[0], 100);
	load.outstanding = measure_number(argv[1], LOAD_OUTSTANDING_MAX);
	load.bytes = measure_number(argv[2], LOAD_BYTES_MAX);
	load.run_ns = (int64_t)measure_number(argv[3], 600000) * NS_PER_MS;
	load.ntargets = (size_t)argc - 4;
	load.targets = argv + 4;
	if (load.ntargets > load.outstanding)
		load.ntargets = load.outstanding;
	return load;
}

/* How many of all that are outstanding are target i's. */
static inline size_t
load_share(const struct load *load, size_t i)
{
	return load->outstanding / load->ntargets + (i < load->outstanding % load->ntargets);
}

/* xorshift64: which kind is next, and which node. */
static inline uint64_t
load_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline uint64_t
load_seed(size_t i)
{
	return UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
}

static inline enum load_kind
load_kind(const struct load *load, uint64_t *random)
{
	return load_random(random) % 100 < load->read_percent ? LOAD_READ : LOAD_WRITE;
}

static inline void
load_samples_init(struct load_samples *samples)
{
	size_t kind;

	memset(samples, 0, sizeof *samples);
	for (kind = 0; kind < LOAD_KINDS; kind++)
		samples->ns[kind] = measure_room(LOAD_SAMPLES);
}

static inline void
load_add(struct load_samples *samples, enum load_kind kind, int64_t ns)
{
	samples->ns[kind][samples->n[kind]++ % LOAD_SAMPLES] = ns;
	if (ns > samples->longest_ns)
		samples->longest_ns = ns;
}

/* Lines "write NANOSECONDS" and "read NANOSECONDS", and "longest"; frees the samples. */
static inline size_t
load_print(struct load_samples *samples)
{
	static const char *const series[LOAD_KINDS] = { "write", "read" };
	size_t kind, all = 0;

	for (kind = 0; kind < LOAD_KINDS; kind++) {
		size_t n = samples->n[kind];

		measure_print(series[kind], samples->ns[kind], n < LOAD_SAMPLES ? n : LOAD_SAMPLES);
		free(samples->ns[kind]);
		all += n;
	}
	printf("longest %" PRId64 "\n", samples->longest_ns);
	return all;
}

/* "rate": answers a second, of all together. */
static inline void
load_print_rate(const struct load *load, size_t all)
{
	printf("rate %" PRId64 "\n", (int64_t)all * NS_PER_S / load->run_ns);
}

#endif
