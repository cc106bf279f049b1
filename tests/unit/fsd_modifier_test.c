/* MODIFIER[,MODIFIER…] taken apart, and what a modifier would have made. */
#include "fsd/modifier.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *text;
	struct modifier is;
} right[] = {
	{ "sequence", { .sequence = true } },
	{ "ephemeral", { .owner = WIRE_EPHEMERAL } },
	{ "held", { .owner = WIRE_HELD } },
	{ "container", { .owner = WIRE_CONTAINER } },
	{ "version=0", { .versioned = true } },
	{ "version=17", { .versioned = true, .version = 17 } },
	{ "version=007", { .versioned = true, .version = 7 } },
	{ "version=4294967295", { .versioned = true, .version = UINT32_MAX } },
	{ "ttl=1", { .owner = WIRE_TTL, .ttl_ms = 1000 } },
	{ "ttl=30s", { .owner = WIRE_TTL, .ttl_ms = 30000 } },
	{ "ttl=1ms", { .owner = WIRE_TTL, .ttl_ms = 1 } },
	{ "ttl=2m", { .owner = WIRE_TTL, .ttl_ms = 120000 } },
	{ "ttl=2min", { .owner = WIRE_TTL, .ttl_ms = 120000 } },
	{ "ttl=3h", { .owner = WIRE_TTL, .ttl_ms = 10800000 } },
	{ "ttl=1d", { .owner = WIRE_TTL, .ttl_ms = 86400000 } },
	{ "ttl=0001s", { .owner = WIRE_TTL, .ttl_ms = 1000 } },
	{ "ttl=1099511627775ms", { .owner = WIRE_TTL, .ttl_ms = WIRE_TTL_MAX } },
	{ "ttl=1099511627s", { .owner = WIRE_TTL, .ttl_ms = 1099511627000 } },
	{ "ttl=12725d", { .owner = WIRE_TTL, .ttl_ms = UINT64_C(12725) * 86400000 } },
	{ "sequence,ephemeral", { .sequence = true, .owner = WIRE_EPHEMERAL } },
	{ "ephemeral,sequence", { .sequence = true, .owner = WIRE_EPHEMERAL } },
	{ "sequence,held", { .sequence = true, .owner = WIRE_HELD } },
	{ "held,sequence", { .sequence = true, .owner = WIRE_HELD } },
	{ "sequence,container", { .sequence = true, .owner = WIRE_CONTAINER } },
	{ "async", { .async = true } },
	{ "ttl=5s,sequence", { .sequence = true, .owner = WIRE_TTL, .ttl_ms = 5000 } },
};

static void
test_right(void **state)
{
	struct modifier got;

	(void)state;
	for (size_t i = 0; i < COUNT(right); i++) {
		if (modifier_parse(right[i].text, &got) != 0)
			fail_msg("%s is none", right[i].text);
		assert_int_equal(got.sequence, right[i].is.sequence);
		assert_int_equal(got.async, right[i].is.async);
		assert_int_equal(got.versioned, right[i].is.versioned);
		assert_int_equal(got.version, right[i].is.version);
		assert_int_equal(got.owner, right[i].is.owner);
		assert_int_equal(got.ttl_ms, right[i].is.ttl_ms);
		assert_int_equal(modifier_version(&got),
		    right[i].is.versioned ? (int64_t)right[i].is.version : -1);
	}
}

static void
all_are(int errnum, const char *const *texts, size_t n)
{
	struct modifier got;
	int is;

	for (size_t i = 0; i < n; i++) {
		is = modifier_parse(texts[i], &got);
		if (is != errnum)
			fail_msg("\"%s\": %s", texts[i], strerror(is));
	}
}

/* A modifier's name, with an argument that it can't have, or with one that excludes it. */
static void
test_wrong(void **state)
{
	static const char *const wrong[] = { "ttl=", "ttl=0", "ttl=0ms", "ttl=-1", "ttl=+1",
		"ttl= 1", "ttl=1 ", "ttl=1x", "ttl=1S", "ttl=1.5s", "ttl=s", "ttl=1ss", "ttl=0x10",
		"ttl=1099511627776ms", "ttl=1099511628s", "ttl=18325194m", "ttl=305420h",
		"ttl=12726d", "ttl=18446744073709551616", "ttl=18446744073709551617ms",
		"ttl=99999999999999999999999999999", "version=", "version=-1", "version=+1",
		"version= 1", "version=1 ", "version=x", "version=1x", "version=0x1",
		"version=4294967296", "version=18446744073709551616", "sequence,sequence",
		"ephemeral,ephemeral", "held,held", "held,ephemeral", "ephemeral,held",
		"container,container", "container,held", "ephemeral,container", "ttl=1,held",
		"held,ttl=1", "container,ttl=1", "ttl=1,ttl=1", "ttl=1,ephemeral",
		"version=1,version=1", "version=1,sequence", "sequence,version=1",
		"version=1,ephemeral", "held,version=1", "container,version=1", "version=1,ttl=1",
		"async,async", "async,sequence", "version=1,async", "async,version=1", "held,async",
		"async,ttl=1", "sequence,ttl=0", "sequence,version=x", "sequence,held,sequence",
		"sequence,held,ephemeral" };

	(void)state;
	all_are(EINVAL, wrong, COUNT(wrong));
}

/* Whatever else is said, what is no modifier's name is the name of nothing. */
static void
test_none(void **state)
{
	static const char *const none[] = { "", ",", "x", "sequence,", ",sequence",
		"sequence,,held", "Sequence", "sequences", " sequence", "sequence ", "held=1",
		"sequence=1", "container=", "async=1", "events", "events,from=1", "ttl", "ttl:1",
		"version", "VERSION=1", "data", "stat", "self", "sequence,x", "ttl=0,x",
		"sequence,sequence,x", "version=1,sequence,x" };

	(void)state;
	all_are(ENOENT, none, COUNT(none));
}

/* The longest, with an argument that is long in vain, and one byte more. */
static void
test_long(void **state)
{
	char text[MODIFIER_TEXT_MAX + 2];
	struct modifier got;

	(void)state;
	memset(text, '0', sizeof text);
	memcpy(text, "sequence,ttl=", 13);
	text[MODIFIER_TEXT_MAX - 1] = '7';
	text[MODIFIER_TEXT_MAX] = '\0';
	assert_int_equal(modifier_parse(text, &got), 0);
	assert_int_equal(got.ttl_ms, 7000);
	memset(text, '0', sizeof text);
	memcpy(text, "sequence,ttl=", 13);
	text[MODIFIER_TEXT_MAX] = '7';
	text[MODIFIER_TEXT_MAX + 1] = '\0';
	assert_int_equal(modifier_parse(text, &got), ENOENT);
}

/* A zxid is as .zab/session or a line of events has it, or decimal; 0 is not "now". */
static void
test_events(void **state)
{
	static const struct {
		const char *text;
		uint64_t from;
	} taken[] = {
		{ "events", 0 },
		{ "events,from=0", 1 },
		{ "events,from=0x0", 1 },
		{ "events,from=1", 1 },
		{ "events,from=17", 17 },
		{ "events,from=0x011", 17 },
		{ "events,from=0xfF", 255 },
		{ "events,from=0x200000003", 0x200000003 },
		{ "events,from=18446744073709551615", UINT64_MAX },
	};
	static const char *const none[] = { "", "event", "events,", "events,from", "Events,from=1",
		"events,to=1", "sequence" };
	static const char *const wrong[] = { "events,from=", "events,from=-1", "events,from=+1",
		"events,from= 1", "events,from=1 ", "events,from=1x", "events,from=abc",
		"events,from=010", "events,from=00", "events,from=0x", "events,from=0X1",
		"events,from=0x0x1", "events,from=0x-1", "events,from=0x1g",
		"events,from=18446744073709551616", "events,from=0x10000000000000000",
		"events,from=1,from=1" };
	uint64_t from = 9;

	(void)state;
	for (size_t i = 0; i < COUNT(taken); i++)
		if (modifier_events(taken[i].text, &from) != 0 || from != taken[i].from)
			fail_msg("\"%s\" is from %#jx", taken[i].text, (uintmax_t)from);
	for (size_t i = 0; i < COUNT(none); i++)
		if (modifier_events(none[i], &from) != ENOENT)
			fail_msg("\"%s\" is events", none[i]);
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (modifier_events(wrong[i], &from) != EINVAL)
			fail_msg("\"%s\" is no bad argument", wrong[i]);
}

static void
test_made(void **state)
{
	static const uint64_t session = 0x100000001;
	static const uint64_t owners[] = { 0, 0x100000001, 0x100000002, WIRE_OWNER_CONTAINER,
		WIRE_OWNER_TTL | 5000, WIRE_OWNER_TTL | 5001 };
	/* Which of them each takes for its own. */
	static const struct {
		const char *text;
		const char *takes;
	} cases[] = {
		{ "sequence", "yyyyyy" },
		{ "version=3", "yyyyyy" },
		{ "async", "yyyyyy" },
		{ "ephemeral", "-y----" },
		{ "held", "-y----" },
		{ "sequence,held", "-y----" },
		{ "container", "---y--" },
		{ "ttl=5s", "----y-" },
		{ "ttl=5000ms,sequence", "----y-" },
	};
	struct modifier modifier;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(modifier_parse(cases[i].text, &modifier), 0);
		for (size_t j = 0; j < COUNT(owners); j++)
			assert_int_equal(
			    modifier_made(&modifier, owners[j], session), cases[i].takes[j] == 'y');
	}
	/* Before there is a session nothing is bound to it. */
	modifier = (struct modifier){ .owner = WIRE_EPHEMERAL };
	assert_false(modifier_made(&modifier, 0, 0));
	modifier.owner = WIRE_PERSISTENT;
	assert_true(modifier_made(&modifier, 0, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
