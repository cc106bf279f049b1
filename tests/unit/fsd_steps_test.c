/*
 * The text of `.zab/txn` and `.zab/stream`: each operation with its options, quoting, what is
 * wrong and how it is said, limits; results as text that can be read again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fsd/steps.h"
#include "replica/lib/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define UMASK 027

static struct steps steps;
static char why[STEPS_WHY_MAX];
static struct blob left; /* of steps.packed */
static struct wire_step step;
static msgpack_sbuffer out;

static int
setup(void **state)
{
	(void)state;
	steps_init(&steps, UMASK);
	msgpack_sbuffer_init(&out);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	steps_destroy(&steps);
	msgpack_sbuffer_destroy(&out);
	return 0;
}

static void
begin_again(void)
{
	steps_destroy(&steps);
	steps_init(&steps, UMASK);
	why[0] = '\0';
}

static int
parse(const char *line)
{
	int errnum;

	begin_again();
	errnum = steps_line(&steps, line, strlen(line), why);
	left = (struct blob){ (const uint8_t *)steps.packed.data, (uint32_t)steps.packed.size };
	return errnum;
}

/* The next step of what was parsed. */
static void
next(uint32_t kind, const char *path)
{
	assert_int_equal(wire_step_next(&left, &step), 1);
	assert_int_equal(step.kind, kind);
	assert_int_equal(step.path.len, strlen(path));
	assert_memory_equal(step.path.data, path, strlen(path));
}

static void
value_is(const char *value, size_t len)
{
	assert_int_equal(step.value.len, len);
	assert_memory_equal(step.value.data, value, len);
}

static void
no_more(void)
{
	assert_int_equal(wire_step_next(&left, &step), 0);
}

static void
test_operations(void **state)
{
	(void)state;
	assert_int_equal(parse("create /a/b one ; mkdir /d ; set x two version=7 ; delete /y ; "
			       "delete /z version=0 ; check /c ; check /c version=4294967295 ; "
			       "check /e absent"),
	    0);
	assert_int_equal(steps.count, 8);
	next(WIRE_STEP_CREATE, "/a/b");
	value_is("one", 3);
	assert_int_equal(step.mode, S_IFREG | 0640);
	assert_int_equal(step.owner, WIRE_PERSISTENT);
	assert_int_equal(step.flags, 0);
	next(WIRE_STEP_CREATE, "/d");
	value_is("", 0);
	assert_int_equal(step.mode, S_IFDIR | 0750);
	next(WIRE_STEP_SET, "x");
	value_is("two", 3);
	assert_int_equal(step.version, 7);
	next(WIRE_STEP_DELETE, "/y");
	assert_int_equal(step.version, -1);
	next(WIRE_STEP_DELETE, "/z");
	assert_int_equal(step.version, 0);
	next(WIRE_STEP_CHECK, "/c");
	assert_int_equal(step.version, -1);
	next(WIRE_STEP_CHECK, "/c");
	assert_int_equal(step.version, UINT32_MAX);
	next(WIRE_STEP_CHECK, "/e");
	assert_int_equal(step.version, WIRE_ABSENT);
	no_more();
}

static void
test_options_of_create(void **state)
{
	(void)state;
	assert_int_equal(parse("create /a v sequence ephemeral ; create /b v ephemeral ; "
			       "create /c v ttl=2s sequence ; mkdir /d container ; "
			       "mkdir /e ttl=1h ; mkdir /f sequence"),
	    0);
	next(WIRE_STEP_CREATE, "/a");
	assert_int_equal(step.flags, WIRE_SEQUENCE);
	assert_int_equal(step.owner, WIRE_EPHEMERAL);
	next(WIRE_STEP_CREATE, "/b");
	assert_int_equal(step.flags, 0);
	assert_int_equal(step.owner, WIRE_EPHEMERAL);
	next(WIRE_STEP_CREATE, "/c");
	assert_int_equal(step.flags, WIRE_SEQUENCE);
	assert_int_equal(step.owner, WIRE_TTL);
	assert_int_equal(step.handle, 2000);
	next(WIRE_STEP_CREATE, "/d");
	assert_int_equal(step.owner, WIRE_CONTAINER);
	next(WIRE_STEP_CREATE, "/e");
	assert_int_equal(step.handle, 3600000);
	next(WIRE_STEP_CREATE, "/f");
	assert_int_equal(step.mode, S_IFDIR | 0750);
	assert_int_equal(step.flags, WIRE_SEQUENCE);
	no_more();
}

/* What is nothing; where a word ends. */
static void
test_blanks(void **state)
{
	static const char *const nothing[] = { "", " \t ", "\r", "# create /a b", "  # x ; y" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
		assert_int_equal(parse(nothing[i]), 0);
		assert_int_equal(steps.count, 0);
	}
	assert_int_equal(parse("\tcreate  /a\t#v  \r"), 0);
	next(WIRE_STEP_CREATE, "/a");
	value_is("#v", 2);
	no_more();
	/* A semicolon is one by itself only; an operation behind it may be a comment. */
	assert_int_equal(parse("create /a; b;c ; check x ; # the rest"), 0);
	assert_int_equal(steps.count, 2);
	next(WIRE_STEP_CREATE, "/a;");
	value_is("b;c", 3);
	next(WIRE_STEP_CHECK, "x");
	assert_int_equal(parse("check x ;"), 0);
	assert_int_equal(steps.count, 1);
}

static void
test_quotes(void **state)
{
	(void)state;
	assert_int_equal(parse("create \"/a b\" \"\""), 0);
	next(WIRE_STEP_CREATE, "/a b");
	value_is("", 0);
	assert_int_equal(parse("create / \"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'\\?\""), 0);
	next(WIRE_STEP_CREATE, "/");
	value_is("\a\b\f\n\r\t\v\\\"'?", 11);
	assert_int_equal(parse("set / \"\\0\\x0\\1234\\x41g\\377\\xff\""), 0);
	next(WIRE_STEP_SET, "/");
	value_is("\0\0S4Ag\377\377", 8);
	assert_int_equal(parse("set / \";\" ; set / a\"b"), 0);
	next(WIRE_STEP_SET, "/");
	value_is(";", 1);
	next(WIRE_STEP_SET, "/");
	value_is("a\"b", 3);
	/* What is quoted is a value, and no operation, option or end. */
	assert_int_equal(parse("\"create\" /a b"), EINVAL);
	assert_int_equal(parse("create /a b \"sequence\""), EINVAL);
	assert_int_equal(parse("check /a \"absent\""), EINVAL);
	assert_int_equal(parse("\"#\" x"), EINVAL);
}

static void
refused(const char *line, const char *reason)
{
	assert_int_equal(parse(line), EINVAL);
	assert_string_equal(why, reason);
}

#define BAD_STRING "a string without an end, or a bad escape in it"

static void
test_wrong(void **state)
{
	static const char *const strings[] = { "set a \"", "set a \"b", "set a \"b\\",
		"set a \"\\q\"", "set a \"\\x\"", "set a \"\\xg\"", "set a \"\\400\"",
		"set a \"b\"c", "set \"a\"\"b\"", "\"", "create /a \"b\" \"", "set a \"\\8\"" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof strings / sizeof strings[0]; i++)
		refused(strings[i], BAD_STRING);
	refused("frobnicate /x", "no such operation: frobnicate");
	refused("Create /x v", "no such operation: Create");
	refused("; create /x v", "no such operation: ;");
	refused("create", "create: no path");
	refused("mkdir ;", "mkdir: no path");
	refused("create /x", "create: no value");
	refused("set /x ;", "set: no value");
	refused("mkdir /x v", "mkdir: not understood: v");
	refused("create /x v w", "create: not understood: w");
	refused("create /x v held", "create: not understood: held");
	refused("create /x v async", "create: not understood: async");
	refused("create /x v sequence sequence", "create: not understood: sequence");
	refused("create /x v ephemeral container", "create: not understood: container");
	refused("create /x v sequence,ephemeral", "create: not understood: sequence,ephemeral");
	refused("create /x v version=1", "create: not understood: version=1");
	refused("create /x v absent", "create: not understood: absent");
	refused("create /x v ttl=0", "create: not understood: ttl=0");
	refused("set /x v ephemeral", "set: not understood: ephemeral");
	refused("set /x v absent", "set: not understood: absent");
	refused("set /x v version=-1", "set: not understood: version=-1");
	refused("set /x v version=4294967296", "set: not understood: version=4294967296");
	refused("delete /x version=1 version=1", "delete: not understood: version=1");
	refused("delete /x sequence", "delete: not understood: sequence");
	refused("check /x absent absent", "check: not understood: absent");
	refused("check /x version=1 absent", "check: not understood: absent");
	refused("create /a b ; nonsense", "no such operation: nonsense");
	begin_again();
	assert_int_equal(steps_line(&steps, "check /x absent\0", 16, why), EINVAL);
	begin_again();
	assert_int_equal(steps_line(&steps, "check\0 /x", 9, why), EINVAL);
}

static void
test_long_words(void **state)
{
	static char line[WIRE_VALUE_MAX + 100];
	size_t len;

	(void)state;
	/* What is wrong is said, and cut. */
	memset(line, 'x', 5000);
	line[5000] = '\0';
	assert_int_equal(parse(line), EINVAL);
	assert_true(strlen(why) < STEPS_WHY_MAX);
	for (len = WIRE_PATH_MAX; len <= WIRE_PATH_MAX + 1; len++) {
		snprintf(line, sizeof line, "check %0*d", (int)len, 0);
		assert_int_equal(parse(line), len == WIRE_PATH_MAX ? 0 : ENAMETOOLONG);
	}
	assert_string_equal(why, "check: the path is too long");
	/* A path and the rest take some of it. */
	memset(line, 'v', sizeof line);
	memcpy(line, "set /x ", 7);
	begin_again();
	assert_int_equal(steps_line(&steps, line, 7 + WIRE_VALUE_MAX - 100, why), 0);
	begin_again();
	assert_int_equal(steps_line(&steps, line, 7 + WIRE_VALUE_MAX, why), EFBIG);
	assert_string_equal(why, "too long");
}

static void
test_number_of_steps(void **state)
{
	uint32_t i;

	(void)state;
	begin_again();
	for (i = 0; i < WIRE_STEPS_MAX / 2; i++)
		assert_int_equal(steps_line(&steps, "check /a ; check /b", 19, why), 0);
	assert_int_equal(steps.count, WIRE_STEPS_MAX);
	assert_int_equal(steps_line(&steps, "# nothing", 9, why), 0);
	assert_int_equal(steps_line(&steps, "check /a", 8, why), EFBIG);
	assert_string_equal(why, "more than 2048 operations");
	assert_int_equal(steps.count, WIRE_STEPS_MAX);
}

/* Results. */

static msgpack_sbuffer packed;

static void
result(uint32_t kind, const char *name, uint32_t version)
{
	struct wire_result one = { .kind = kind,
		.name = { (const uint8_t *)name, (uint32_t)strlen(name) },
		.version = version };

	wire_result_pack(&packed, &one);
}

/* Of what was parsed: the text. */
static void
say(int code, uint32_t more, const char *between, const char *text)
{
	struct wire_reply reply = { .code = code,
		.more = more,
		.data = { (const uint8_t *)packed.data, (uint32_t)packed.size } };
	struct blob all = { (const uint8_t *)steps.packed.data, (uint32_t)steps.packed.size };

	msgpack_sbuffer_clear(&out);
	steps_results(all, &reply, between, &out);
	assert_int_equal(msgpack_sbuffer_write(&out, "", 1), 0);
	assert_string_equal(out.data, text);
	msgpack_sbuffer_clear(&packed);
}

static void
test_results(void **state)
{
	(void)state;
	msgpack_sbuffer_init(&packed);
	assert_int_equal(
	    parse("create /q/job- v sequence ; check /q ; set x \"\" ; delete a//b/ ; mkdir /q/"),
	    0);
	result(WIRE_STEP_CREATE, "job-0000000007", 0);
	result(WIRE_STEP_SET, "x", 12);
	result(WIRE_STEP_DELETE, "b", 0);
	result(WIRE_STEP_CREATE, "q", 0);
	say(ERR_OK, 0, " ; ",
	    "ok create /q/job-0000000007 ; check /q ; set x version=12 ; delete a//b/ ; mkdir "
	    "/q\n");
	result(WIRE_STEP_CREATE, "job-0000000007", 0);
	say(ERR_OK, 0, "\nok ",
	    "ok create /q/job-0000000007\nok check /q\nok set x\nok delete a//b/\nok mkdir /q/\n");
	/* Nothing has a result, too. */
	assert_int_equal(parse("#"), 0);
	say(ERR_OK, 0, "\nok ", "\n");
	msgpack_sbuffer_destroy(&packed);
}

static void
test_failures(void **state)
{
	(void)state;
	msgpack_sbuffer_init(&packed);
	assert_int_equal(parse("create /a b ; set \"/c d\" x version=3"), 0);
	say(ERR_EXISTS, 1, " ; ", "error EEXIST operation 1: create /a: znode exists\n");
	say(ERR_BADVERSION, 2, " ; ",
	    "error ECANCELED operation 2: set \"/c d\": version mismatch\n");
	/* It is about all of them; or the number is none. */
	say(ERR_NOQUORUM, 0, " ; ", "error EHOSTUNREACH: no quorum, not executed\n");
	say(ERR_EXISTS, 9, " ; ", "error EEXIST operation 2: set \"/c d\": znode exists\n");
	msgpack_sbuffer_clear(&out);
	steps_error(EFBIG, "why not", &out);
	assert_memory_equal(out.data, "error EFBIG why not\n", 20);
	msgpack_sbuffer_destroy(&packed);
}

/* Whatever a path is, what a result says of it means the same when it is read again. */
static void
test_results_parse_again(void **state)
{
	char path[4], line[64];
	struct blob all;
	struct wire_reply reply = { .code = ERR_OK };
	int a, b;

	(void)state;
	for (a = 0; a < 256; a++)
		for (b = 0; b < 256; b += a == '"' || a == ';' || a == '#' ? 1 : 17) {
			begin_again();
			snprintf(line, sizeof line, "delete \"\\%03o\\%03oz\"", (unsigned)a,
			    (unsigned)b);
			assert_int_equal(steps_line(&steps, line, strlen(line), why), 0);
			all = (struct blob){ (const uint8_t *)steps.packed.data,
				(uint32_t)steps.packed.size };
			msgpack_sbuffer_clear(&out);
			steps_results(all, &reply, " ; ", &out);
			assert_memory_equal(out.data, "ok ", 3);
			assert_null(memchr(out.data, '\n', out.size - 1));
			begin_again();
			assert_int_equal(steps_line(&steps, out.data + 3, out.size - 4, why), 0);
			left = (struct blob){ (const uint8_t *)steps.packed.data,
				(uint32_t)steps.packed.size };
			path[0] = (char)a;
			path[1] = (char)b;
			path[2] = 'z';
			assert_int_equal(wire_step_next(&left, &step), 1);
			assert_int_equal(step.path.len, 3);
			assert_memory_equal(step.path.data, path, 3);
			no_more();
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_operations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options_of_create, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blanks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quotes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_number_of_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_results, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_results_parse_again, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
