/* Histograms, and the text of figures. See metrics.h. */
#include "replica/lib/metrics.h"

#include "replica/lib/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_LEN 512
#define NS_PER_S UINT64_C(1000000000)
#define US UINT64_C(1000)
#define MS (1000 * US)

/* What a bucket holds at most, and as the text says it. */
static const struct {
	uint64_t ns;
	const char *text;
} bounds[METRICS_BUCKETS] = { { 1 * US, "0.000001" }, { 5 * US, "0.000005" },
	{ 10 * US, "0.00001" }, { 25 * US, "0.000025" }, { 50 * US, "0.00005" },
	{ 100 * US, "0.0001" }, { 250 * US, "0.00025" }, { 500 * US, "0.0005" },
	{ 1 * MS, "0.001" }, { MS * 5 / 2, "0.0025" }, { 5 * MS, "0.005" }, { 10 * MS, "0.01" },
	{ 25 * MS, "0.025" }, { 50 * MS, "0.05" }, { 100 * MS, "0.1" }, { 250 * MS, "0.25" },
	{ 500 * MS, "0.5" }, { NS_PER_S, "1" }, { NS_PER_S * 5 / 2, "2.5" },
	{ 10 * NS_PER_S, "10" }, { 30 * NS_PER_S, "30" }, { 60 * NS_PER_S, "60" } };

void
metrics_observe(struct metrics_histogram *histogram, uint64_t ns)
{
	unsigned i = 0;

	while (i < METRICS_BUCKETS && ns > bounds[i].ns)
		i++;
	histogram->counts[i]++;
	histogram->sum_ns += ns;
}

uint64_t
metrics_count(const struct metrics_histogram *histogram)
{
	uint64_t count = 0;
	unsigned i;

	for (i = 0; i <= METRICS_BUCKETS; i++)
		count += histogram->counts[i];
	return count;
}

static void __attribute__((format(printf, 2, 3)))
line(msgpack_sbuffer *out, const char *format, ...)
{
	char text[LINE_LEN];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	CHECK(n > 0 && n < LINE_LEN && msgpack_sbuffer_write(out, text, (size_t)n) == 0);
}

static void
head(msgpack_sbuffer *out, const char *name, const char *type, const char *help)
{
	line(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
metrics_head(msgpack_sbuffer *out, const char *name, enum metrics_type type, const char *help)
{
	head(out, name, type == METRICS_COUNTER ? "counter" : "gauge", help);
}

void
metrics_value(msgpack_sbuffer *out, const char *name, const char *labels, uint64_t value)
{
	if (labels == NULL)
		line(out, "%s %" PRIu64 "\n", name, value);
	else
		line(out, "%s{%s} %" PRIu64 "\n", name, labels, value);
}

void
metrics_seconds(msgpack_sbuffer *out, const char *name, const char *labels, uint64_t ns)
{
	uint64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;

	if (labels == NULL)
		line(out, "%s %" PRIu64 ".%09" PRIu64 "\n", name, s, rest);
	else
		line(out, "%s{%s} %" PRIu64 ".%09" PRIu64 "\n", name, labels, s, rest);
}

void
metrics_gauge(msgpack_sbuffer *out, const char *name, const char *help, uint64_t value)
{
	metrics_head(out, name, METRICS_GAUGE, help);
	metrics_value(out, name, NULL, value);
}

void
metrics_counter(msgpack_sbuffer *out, const char *name, const char *help, uint64_t value)
{
	metrics_head(out, name, METRICS_COUNTER, help);
	metrics_value(out, name, NULL, value);
}

void
metrics_bounded(
    msgpack_sbuffer *out, const char *name, const char *help, uint64_t value, uint64_t limit)
{
	char bound[128], why[160];

	snprintf(bound, sizeof bound, "%s_limit", name);
	snprintf(why, sizeof why, "What %s may be at most.", name);
	metrics_gauge(out, name, help, value);
	metrics_gauge(out, bound, why, limit);
}

void
metrics_durations(msgpack_sbuffer *out, const char *name, const char *help,
    const struct metrics_histogram *histogram)
{
	uint64_t count = 0;
	char sum[128];
	unsigned i;

	head(out, name, "histogram", help);
	for (i = 0; i < METRICS_BUCKETS; i++) {
		count += histogram->counts[i];
		line(out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, bounds[i].text, count);
	}
	count += histogram->counts[i];
	line(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
	snprintf(sum, sizeof sum, "%s_sum", name);
	metrics_seconds(out, sum, NULL, histogram->sum_ns);
	line(out, "%s_count %" PRIu64 "\n", name, count);
}

void
metrics_escape(const char *value, char *text, size_t len)
{
	size_t at = 0;

	/* An escape takes two, and the end one. */
	for (; *value != '\0' && at + 3 <= len; value++) {
		if (*value == '"' || *value == '\\' || *value == '\n')
			text[at++] = '\\';
		text[at++] = *value == '\n' ? 'n' : *value;
	}
	text[at] = '\0';
}
