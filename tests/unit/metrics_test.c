/* Histograms, and the text of figures. */
#include "replica/lib/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define US UINT64_C(1000)
#define S UINT64_C(1000000000)

static msgpack_sbuffer out;

static int
setup(void **state)
{
	(void)state;
	msgpack_sbuffer_init(&out);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	msgpack_sbuffer_destroy(&out);
	return 0;
}

static void
is_text(const char *wanted)
{
	assert_int_equal(out.size, strlen(wanted));
	assert_memory_equal(out.data, wanted, out.size);
}

static bool
has(const char *line)
{
	return out.size != 0 && memmem(out.data, out.size, line, strlen(line)) != NULL;
}

static void
test_values(void **state)
{
	(void)state;
	metrics_gauge(&out, "a", "What a is.", 0);
	metrics_counter(&out, "b_total", "B.", UINT64_MAX);
	metrics_head(&out, "c", METRICS_GAUGE, "C.");
	metrics_value(&out, "c", "x=\"1\"", 7);
	metrics_seconds(&out, "c", "x=\"2\",y=\"3\"", 5 * S + 1);
	metrics_seconds(&out, "d", NULL, 999999999);
	is_text("# HELP a What a is.\n# TYPE a gauge\na 0\n"
		"# HELP b_total B.\n# TYPE b_total counter\nb_total 18446744073709551615\n"
		"# HELP c C.\n# TYPE c gauge\nc{x=\"1\"} 7\nc{x=\"2\",y=\"3\"} 5.000000001\n"
		"d 0.999999999\n");
}

static void
test_bounded(void **state)
{
	(void)state;
	metrics_bounded(&out, "queue", "Q.", 3, 64);
	is_text("# HELP queue Q.\n# TYPE queue gauge\nqueue 3\n"
		"# HELP queue_limit What queue may be at most.\n# TYPE queue_limit gauge\n"
		"queue_limit 64\n");
}

static void
test_histogram(void **state)
{
	struct metrics_histogram histogram = { 0 };

	(void)state;
	metrics_observe(&histogram, 0);
	metrics_observe(&histogram, 1 * US); /* le: the bound itself belongs below */
	metrics_observe(&histogram, 1 * US + 1);
	metrics_observe(&histogram, 60 * S);
	metrics_observe(&histogram, 60 * S + 1);
	metrics_observe(&histogram, 500 * S);
	assert_int_equal(metrics_count(&histogram), 6);
	metrics_durations(&out, "h_seconds", "H.", &histogram);
	assert_true(has("# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
			"h_seconds_bucket{le=\"0.000001\"} 2\n"
			"h_seconds_bucket{le=\"0.000005\"} 3\n"));
	assert_true(has("h_seconds_bucket{le=\"30\"} 3\nh_seconds_bucket{le=\"60\"} 4\n"
			"h_seconds_bucket{le=\"+Inf\"} 6\nh_seconds_sum 620.000002002\n"
			"h_seconds_count 6\n"));
}

/* Each bound is what its text says, and more than the one before. */
static void
test_bounds(void **state)
{
	double bound, before = 0;
	unsigned i, n = 0;
	char line[128];
	const char *at;

	(void)state;
	metrics_durations(&out, "h", "H.", &(struct metrics_histogram){ 0 });
	msgpack_sbuffer_write(&out, "", 1);
	for (at = strstr(out.data, "le=\""); at != NULL; at = strstr(at + 1, "le=\"")) {
		struct metrics_histogram histogram = { 0 };

		if (sscanf(at, "le=\"%lf\"", &bound) != 1 || strncmp(at, "le=\"+Inf", 8) == 0)
			continue;
		assert_true(bound > before);
		before = bound;
		metrics_observe(&histogram, (uint64_t)(bound * 1e9 + 0.5));
		for (i = 0; histogram.counts[i] == 0; i++)
			continue;
		snprintf(line, sizeof line, "%u", i);
		assert_int_equal(i, n++);
	}
	assert_int_equal(n, METRICS_BUCKETS);
}

static void
test_escape(void **state)
{
	char text[8];

	(void)state;
	metrics_escape("plain", text, sizeof text);
	assert_string_equal(text, "plain");
	metrics_escape("a\"b\\\n", text, sizeof text);
	assert_string_equal(text, "a\\\"b\\\\");
	metrics_escape("\n", text, sizeof text);
	assert_string_equal(text, "\\n");
	metrics_escape("0123456789", text, sizeof text);
	assert_string_equal(text, "012345");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
