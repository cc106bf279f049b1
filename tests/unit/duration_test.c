/* Durations: what is one, what is none, and the bound. */
#include "replica/lib/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HOUR_MS UINT64_C(3600000)

static void
test_what_is_one(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {
		{ "1ms", 1 },
		{ "500ms", 500 },
		{ "10", 10000 },
		{ "10s", 10000 },
		{ "007s", 7000 },
		{ "2m", 120000 },
		{ "2min", 120000 },
		{ "1h", HOUR_MS },
		{ "3d", 72 * HOUR_MS },
		{ "18446744073709551615ms", UINT64_MAX },
	};
	uint64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof good[0]; i++)
		if (!duration_ms(good[i].text, UINT64_MAX, &ms) || ms != good[i].ms)
			fail_msg("%s", good[i].text);
}

static void
test_what_is_none(void **state)
{
	static const char *const bad[] = { "", "0", "0ms", "0d", "s", "ms", "-1", "+1", " 1", "1 ",
		"1 s", "1S", "1x", "1ss", "1.5s", "0x10", "1h30m", "18446744073709551616ms",
		"18446744073709551615s", "18446744073709552s", "99999999999999999999999999" };
	uint64_t ms = 42;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (duration_ms(bad[i], UINT64_MAX, &ms) || ms != 42)
			fail_msg("%s", bad[i]);
}

static void
test_the_bound(void **state)
{
	static const char *const within[] = { "1h", "60m", "3600", "3600000ms" };
	static const char *const beyond[] = { "2h", "1d", "61min", "3601", "3600001ms" };
	uint64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof within / sizeof within[0]; i++)
		if (!duration_ms(within[i], HOUR_MS, &ms) || ms != HOUR_MS)
			fail_msg("%s", within[i]);
	for (i = 0; i < sizeof beyond / sizeof beyond[0]; i++)
		if (duration_ms(beyond[i], HOUR_MS, &ms))
			fail_msg("%s", beyond[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_one),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_the_bound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
