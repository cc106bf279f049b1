/*
 * Figures of a running daemon, and their text: Prometheus' exposition format
 * 0.0.4, with HELP and TYPE for each name. A counter or a gauge is a plain
 * number of its owner's; a histogram has fixed buckets. Whoever counts does it on
 * one thread: nothing here locks or allocates, but for the text. Used by the
 * replica (figures.c) and by fsd (figures.c).
 */
#ifndef ZABFS_LIB_METRICS_H
#define ZABFS_LIB_METRICS_H

#include <msgpack/sbuffer.h>
#include <stdint.h>

#define METRICS_BUCKETS 22 /* from 1 µs to 1 min; metrics.c has them */

/* Durations. */
struct metrics_histogram {
	uint64_t counts[METRICS_BUCKETS + 1]; /* the last: longer than that */
	uint64_t sum_ns;
};

void metrics_observe(struct metrics_histogram *histogram, uint64_t ns);
uint64_t metrics_count(const struct metrics_histogram *histogram);

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER };

/* The head of a name, which its values follow. help: one line, no backslash. */
void metrics_head(msgpack_sbuffer *out, const char *name, enum metrics_type type, const char *help);
/* labels: `role="leader",…`, or NULL. */
void metrics_value(msgpack_sbuffer *out, const char *name, const char *labels, uint64_t value);
void metrics_seconds(msgpack_sbuffer *out, const char *name, const char *labels, uint64_t ns);

/* A head and the one value. */
void metrics_gauge(msgpack_sbuffer *out, const char *name, const char *help, uint64_t value);
void metrics_counter(msgpack_sbuffer *out, const char *name, const char *help, uint64_t value);
/* What waits, and, under NAME_limit, how much may. */
void metrics_bounded(
    msgpack_sbuffer *out, const char *name, const char *help, uint64_t value, uint64_t limit);
void metrics_durations(msgpack_sbuffer *out, const char *name, const char *help,
    const struct metrics_histogram *histogram);

/* A label's value: cut at len; quotes, backslashes and newlines as the format wants them. */
void metrics_escape(const char *value, char *text, size_t len);

#endif
