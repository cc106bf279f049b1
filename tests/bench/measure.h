/*
 * What the benchmark's programs share: the clock, and the form in which
 * samples leave them, one line `SERIES NANOSECONDS` each. Samples are kept in
 * memory and printed at the end, so that printing disturbs nothing; medians
 * and verdicts are the script's (tests/bench/run).
 */
#ifndef ZABFS_BENCH_MEASURE_H
#define ZABFS_BENCH_MEASURE_H

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static inline int64_t
measure_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* As bash's EPOCHREALTIME counts. */
static inline int64_t
measure_date_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

/* Room for n samples; touched, so that no page fault is measured. */
static inline int64_t *
measure_room(size_t n)
{
	int64_t *ns = malloc(n * sizeof *ns);
	size_t i;

	if (ns == NULL)
		err(1, "%zu samples", n);
	for (i = 0; i < n; i++)
		ns[i] = -1;
	return ns;
}

static inline void
measure_print(const char *series, const int64_t *ns, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		printf("%s %" PRId64 "\n", series, ns[i]);
}

/* An argument: a number from 1 to max. */
static inline size_t
measure_number(const char *text, size_t max)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text || number == 0 || number > max)
		errx(1, "%s: not a number from 1 to %zu", text, max);
	return number;
}

#endif
