/*
 * The checkers of the cluster tests (tests/cluster/verify.h): each kind of wrong
 * history that one is there for is refused, and right ones are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cluster/verify.h"

#include <stdlib.h>
#include <string.h>

#define I "initial................."

/* One run: what there is at the end, what the clients were told. says: NULL, or what is wrong. */
struct example {
	const char *dump, *history, *says;
};

static void
run_example(void (*check)(struct run *), const struct example *example)
{
	struct run run = { 0 };
	char *text = NULL;
	size_t len;
	bool found;

	run.report = open_memstream(&text, &len);
	assert_true(run_parse(&run, strdup(example->dump), strdup(example->history)));
	check(&run);
	fclose(run.report);
	found = example->says != NULL && strstr(text, example->says) != NULL;
	if ((run.violations != 0) != (example->says != NULL) || (example->says != NULL && !found))
		fail_msg("history:\n%swanted: %s\ngot: %s", example->history,
		    example->says == NULL ? "nothing" : example->says, text);
	run_free(&run);
	free(text);
}

static void
run_all(void (*check)(struct run *), const struct example *examples, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		run_example(check, &examples[i]);
}
#define RUN(check, examples) run_all(check, examples, sizeof examples / sizeof examples[0])

static void
test_registers(void **state)
{
	static const struct example examples[] = {
		{ "reg/0 9 100644 24 - Y\n",
		    "10 20 a w write 0 X ok\n30 40 b w write 0 Y ok\n"
		    "15 16 b s sread 0 " I " ok\n50 60 a s sread 0 Y ok\n",
		    NULL },
		/* Without a sync it may be older. */
		{ "", "10 20 a w write 0 X ok\n30 40 b r read 0 " I " ok\n", NULL },
		/* A stale read after a sync. */
		{ "", "10 20 a w write 0 X ok\n30 40 b s sread 0 " I " ok\n", "not linearizable" },
		/* There and back. */
		{ "",
		    "10 90 a w write 0 X ok\n10 90 b w write 0 Y ok\n20 21 c s sread 0 X ok\n"
		    "30 31 c s sread 0 Y ok\n40 41 d s sread 0 X ok\n",
		    "not linearizable" },
		/* Within the time of another value. */
		{ "", "10 20 a w write 0 X ok\n30 40 a w write 0 Y ok\n50 60 b s sread 0 X ok\n",
		    "not linearizable" },
		/* An acknowledged write is lost at the end. */
		{ "reg/0 9 100644 24 - X\n", "10 20 a w write 0 X ok\n30 40 a w write 0 Y ok\n",
		    "not linearizable" },
		/* Of unknown outcome: perhaps, later, but once. */
		{ "",
		    "10 20 a w write 0 X ETIMEDOUT\n50 60 b s sread 0 " I " ok\n"
		    "70 80 b s sread 0 X ok\n",
		    NULL },
		{ "",
		    "10 20 a w write 0 X ETIMEDOUT\n50 60 b s sread 0 X ok\n"
		    "70 80 b s sread 0 " I " ok\n",
		    "not linearizable" },
		{ "", "10 20 a w write 0 X EHOSTUNREACH\n50 60 b s sread 0 X ok\n", "refused" },
		{ "", "10 20 a w write 0 X ok\n50 60 b s sread 0 Z ok\n", "nobody wrote" },
		{ "", "50 60 a w write 0 X ok\n10 20 b r read 0 X ok\n", "before it was written" },
		{ "", "10 20 a w write 0 X ok\n50 60 b r read 0 - ESTALE\n", "ESTALE" },
		{ "", "10 20 a w write 0 X ESTALE\n", "ESTALE" },
		/* Two registers have nothing to do with each other. */
		{ "", "10 20 a w write 0 X ok\n10 20 a w write 1 Y ok\n30 40 b s sread 1 Y ok\n",
		    NULL },
	};

	(void)state;
	RUN(check_registers, examples);
}

static void
test_views(void **state)
{
	static const struct example examples[] = {
		{ "",
		    "10 20 a w write 0 X ok\n30 40 a w write 0 Y ok\n"
		    "50 51 b r read 0 " I " ok\n60 61 b r read 0 X ok\n70 71 b r read 0 Y ok\n"
		    "70 71 c r read 0 X ok\n",
		    NULL },
		/* At the same time they may differ, also on one mount. */
		{ "", "10 20 a w write 0 X ok\n30 40 b r read 0 X ok\n35 39 b s read 0 " I " ok\n",
		    NULL },
		{ "", "10 20 a w write 0 X ok\n30 31 b r read 0 X ok\n40 41 b s read 0 " I " ok\n",
		    "goes back" },
		/* Its own write is not there. */
		{ "", "10 20 a w write 0 X ok\n30 31 a r read 0 " I " ok\n", "goes back" },
		/* Two mounts, two orders. */
		{ "",
		    "10 90 a w write 0 X ok\n10 90 a v write 0 Y ok\n"
		    "20 21 b r read 0 X ok\n30 31 b r read 0 Y ok\n"
		    "20 21 c r read 0 Y ok\n30 31 c r read 0 X ok\n",
		    "goes back" },
		/* Not the order in which they were written. */
		{ "",
		    "10 20 a w write 0 X ok\n30 40 b w write 0 Y ok\n"
		    "50 51 c r read 0 Y ok\n60 61 c r read 0 X ok\n",
		    "goes back" },
	};

	(void)state;
	RUN(check_views, examples);
}

static void
test_lines(void **state)
{
	static const struct example examples[] = {
		{ "log/1 9 100644 4 - A,B,\n",
		    "10 20 a l append 1 A ok\n30 40 a l append 1 B ETIMEDOUT\n"
		    "50 60 a l append 1 C ETIMEDOUT\n70 80 a l append 1 D EHOSTUNREACH\n",
		    NULL },
		{ "log/1 9 100644 4 - -\n", "10 20 a l append 1 A ok\n", "is lost" },
		{ "log/1 9 100644 4 - A,A,\n", "10 20 a l append 1 A ok\n", "2 times" },
		{ "log/1 9 100644 4 - A,A,\n", "10 20 a l append 1 A ETIMEDOUT\n", "2 times" },
		{ "log/1 9 100644 4 - A,\n", "10 20 a l append 1 A EHOSTUNREACH\n",
		    "was refused and is there" },
		{ "log/1 9 100644 4 - B,A,\n", "10 20 a l append 1 A ok\n30 40 b l append 1 B ok\n",
		    "is before" },
		{ "log/1 9 100644 4 - Z,\n", "10 20 a l append 2 A ETIMEDOUT\n",
		    "nobody appended" },
		{ "log/1 9 100644 4 - A,\n", "10 20 a l append 2 A ETIMEDOUT\n",
		    "nobody appended" },
		{ "", "10 20 a l append 1 A EIO\n", "EIO" },
	};

	(void)state;
	RUN(check_lines, examples);
}

static void
test_names(void **state)
{
	static const struct example examples[] = {
		{ "names/B 9 40755 0 - -\n",
		    "10 20 a n create A f ok\n30 40 a n remove A - ok\n50 60 a n create B d ok\n"
		    "25 26 b s list names A, ok\n25 55 b s list names - ok\n"
		    "70 80 b s list names B, ok\n",
		    NULL },
		{ "", "10 20 a n create A f ok\n", "is not there" },
		{ "names/A 9 100644 0 - -\n", "10 20 a n create A f ok\n30 40 a n remove A - ok\n",
		    "was removed, and is there" },
		{ "names/A 9 100644 0 - -\n", "10 20 a n create A f EHOSTUNREACH\n",
		    "was refused" },
		{ "names/A 9 100644 0 - -\n", "10 20 a n create A d ok\n", "another kind" },
		{ "names/Z 9 100644 0 - -\n", "10 20 a n create A f ETIMEDOUT\n", "nobody made" },
		/* Once, though it was asked for twice inside. */
		{ "", "10 20 a n create A f EEXIST\n", "EEXIST" },
		{ "", "10 20 a n create A f ok\n30 40 a n remove A - ENOENT\n", "ENOENT" },
		{ "", "10 20 a n create A f ok\n30 40 a n rename A B ENOENT\n", "ENOENT" },
		{ "names/A 9 100644 0 - -\n",
		    "10 20 a n create A f ok\n30 40 b n create A f ETIMEDOUT\n", "made twice" },
		/* A rename that happened or not: one of the names. */
		{ "names/B 9 100644 0 - -\n",
		    "10 20 a n create A f ok\n30 40 a n rename A B ETIMEDOUT\n", NULL },
		{ "names/A 9 100644 0 - -\nnames/B 9 100644 0 - -\n",
		    "10 20 a n create A f ok\n30 40 a n rename A B ETIMEDOUT\n", "both" },
		{ "", "10 20 a n create A f ok\n30 40 a n rename A B ETIMEDOUT\n", "none" },
		/* Listings. */
		{ "names/A 9 100644 0 - -\n",
		    "10 20 a n create A f ok\n30 40 b s list names - ok\n", "does not list" },
		{ "",
		    "10 20 a n create A f ok\n30 40 a n remove A - ok\n50 60 b s list names A, "
		    "ok\n",
		    "which was gone before" },
		{ "names/A 9 100644 0 - -\n",
		    "30 40 a n create A f ok\n10 20 b s list names A, ok\n", "before it was made" },
		{ "", "10 20 a n create A f EHOSTUNREACH\n30 40 b s list names A, ok\n",
		    "was refused" },
		{ "", "10 20 b s list names Z, ok\n", "nobody made" },
	};

	(void)state;
	RUN(check_names, examples);
}

/* a's session is 0x1, at 5 and at the time given. */
#define SESSION(from, to, id) #from " " #to " a e session connected " #id " ok\n"

static void
test_sessions(void **state)
{
	static const struct example examples[] = {
		{ "",
		    SESSION(1, 5, 0x1) "10 20 a e ecreate E - ok\n" SESSION(30, 35,
			0x1) "40 45 b s list eph E, ok\n50 55 a e eremove E - ok\n" SESSION(60, 65,
			0x1),
		    NULL },
		/* With its session. */
		{ "",
		    SESSION(1, 5, 0x1) "10 20 a e ecreate E - ok\n" SESSION(
			30, 35, 0x1) "40 45 b s list eph - ok\n" SESSION(60, 65, 0x2),
		    NULL },
		{ "",
		    SESSION(1, 5, 0x1) "10 20 a e ecreate E - ok\n" SESSION(
			30, 35, 0x1) "40 45 b s list eph - ok\n" SESSION(60, 65, 0x1),
		    "its session went on" },
		{ "",
		    SESSION(1, 5, 0x1) "10 20 a e ecreate E - ok\n" SESSION(
			30, 35, 0x1) "40 45 a e echeck E 0 ENOENT\n" SESSION(60, 65, 0x1),
		    "its session went on" },
		{ "",
		    SESSION(1, 5, 0x1) "10 20 a e ecreate E - ok\n" SESSION(
			30, 35, 0x1) "40 45 a e eremove E - ENOENT\n" SESSION(60, 65, 0x1),
		    "its session went on" },
		/* Longer than its session. */
		{ "",
		    SESSION(1, 5, 0x1) "10 20 a e ecreate E - ok\n" SESSION(30, 35, 0x1)
			SESSION(60, 65, 0x2) "70 75 b s list eph E, ok\n",
		    "its session was over" },
		{ "",
		    SESSION(1, 5, 0x1) "10 20 a e ecreate E - ok\n" SESSION(30, 35, 0x1)
			SESSION(60, 65, 0x2) "70 75 a e echeck E 9 ok\n",
		    "its session was over" },
		{ "eph/E 9 101644 0 - -\n",
		    SESSION(1, 5, 0x1) "10 20 a e ecreate E - ok\n" SESSION(30, 35, 0x1)
			SESSION(60, 65, 0x2),
		    "its session was over" },
		/* Where it is not known which session it was, nothing is. */
		{ "eph/E 9 101644 0 - -\n",
		    SESSION(1, 5, 0x1) "10 20 a e ecreate E - ok\n" SESSION(60, 65, 0x2), NULL },
		{ "", "10 20 a e ecreate E - EHOSTUNREACH\n30 40 b s list eph E, ok\n",
		    "was refused" },
		{ "", "10 20 a e ecreate E - EEXIST\n", "EEXIST" },
		{ "", "10 20 a e ecreate E - ok\n30 40 a e echeck E 0 ESTALE\n", "ESTALE" },
		{ "eph/Z 9 101644 0 - -\n", "10 20 a e ecreate E - ok\n", "nobody made" },
	};

	(void)state;
	RUN(check_sessions, examples);
}

static void
test_locks(void **state)
{
	static const struct example examples[] = {
		{ "",
		    "10 20 a l lock 0 5 ok\n30 31 a l use 0 5 ok\n32 40 a l unlock 0 5 ok\n"
		    "15 45 b l lock 0 7 ok\n50 51 b l use 0 7 ok\n60 70 b l unlock 0 7 ok\n",
		    NULL },
		/* Who has lost it hears of it when he uses it. */
		{ "",
		    "10 20 a l lock 0 5 ok\n30 31 a l use 0 5 ok\n35 45 b l lock 0 7 ok\n"
		    "50 51 a l use 0 5 ESTALE\n",
		    NULL },
		{ "",
		    "10 20 a l lock 0 5 ok\n30 31 a l use 0 5 ok\n35 45 b l lock 0 7 ok\n"
		    "50 51 a l use 0 5 ok\n60 61 b l use 0 7 ok\n",
		    "has it at" },
		/* To have taken it is to have it: it need not be used, */
		{ "",
		    "10 20 a l lock 0 5 ok\n30 31 a l use 0 5 ok\n35 45 b l lock 0 7 ok\n"
		    "50 51 a l use 0 5 ok\n",
		    "has it at" },
		{ "",
		    "10 20 a l lock 0 5 ok\n15 45 b l lock 0 7 ok\n50 51 a l use 0 5 ok\n"
		    "60 61 b l use 0 7 ESTALE\n",
		    "has it at" },
		/* but who was told later may have been first, and have lost it. */
		{ "",
		    "10 20 a l lock 0 7 ok\n15 45 b l lock 0 5 ok\n50 51 a l use 0 7 ok\n"
		    "60 61 b l use 0 5 ESTALE\n",
		    NULL },
		/* Two locks are two. */
		{ "",
		    "10 20 a l lock 0 5 ok\n35 45 b l lock 1 7 ok\n50 51 a l use 0 5 ok\n"
		    "60 61 b l use 1 7 ok\n",
		    NULL },
		{ "",
		    "10 20 a l lock 0 7 ok\n21 22 a l use 0 7 ok\n32 40 a l unlock 0 7 ok\n"
		    "50 60 b l lock 0 7 ok\n61 62 b l use 0 7 ok\n",
		    "does not grow" },
		{ "lock/0 9 101644 0 - -\n", "10 20 a l lock 0 5 ok\n", "nobody holds it" },
		{ "", "10 20 a l lock 0 - EIO\n", "EIO" },
	};

	(void)state;
	RUN(check_locks, examples);
}

/* Watcher b: A is made and removed, or made and renamed to B. */
#define MADE "1 5 b e session connected 0x9 ok\n10 20 a n create A f ok\n"
#define GONE "30 40 a n remove A - ok\n"
#define MOVED "30 40 a n rename A B ok\n"
#define COMES "25 25 b w event A names:CREATE:0 ok\n26 27 b w look A - ok\n"
#define GOES "45 45 b w event A names:DELETE:0 ok\n46 47 b w look A - ENOENT\n"
#define THERE "names/A 9 100644 0 - -\n"
#define B_THERE "names/B 9 100644 0 - -\n"
#define FROM "45 45 b w event A names:MOVED_FROM:7 ok\n46 47 b w look A - ENOENT\n"
#define TO(cookie) "48 48 b w event B names:MOVED_TO:" cookie " ok\n49 50 b w look B - ok\n"

static void
test_events(void **state)
{
	static const struct example examples[] = {
		{ "", MADE GONE COMES GOES, NULL },
		{ B_THERE, MADE MOVED COMES FROM TO("7"), NULL },
		/* Missing, twice, in the wrong order. */
		{ THERE, MADE "25 25 b w event x reg:MODIFY:0 ok\n", "came 0 times" },
		{ "", MADE GONE COMES, "went 0 times" },
		{ "", MADE GONE GOES, "goes (DELETE) before it comes" },
		{ "", MADE GONE COMES COMES GOES, "came 2 times" },
		{ "", MADE GONE COMES GOES GOES, "went 2 times" },
		{ B_THERE, MADE MOVED COMES FROM, "came 0 times" },
		{ B_THERE, MADE MOVED COMES FROM TO("8"), "told as two things" },
		{ B_THERE, MADE MOVED COMES FROM "48 48 b w event B names:CREATE:0 ok\n",
		    "was renamed, and told as made" },
		/* Of nothing that was. */
		{ "", MADE GONE COMES GOES "60 60 b w event Z names:CREATE:0 ok\n", "nobody made" },
		{ "", "1 5 b e session connected 0x9 ok\n10 20 a n create A f EHOSTUNREACH\n" COMES,
		    "which was refused" },
		/* What an event stands for shows. */
		{ THERE, MADE "25 25 b w event A names:CREATE:0 ok\n26 27 b w look A - ENOENT\n",
		    "does not find it" },
		{ "",
		    MADE GONE COMES "45 45 b w event A names:DELETE:0 ok\n46 47 b w look A - ok\n",
		    "and finds it" },
		/* No end. */
		{ "", MADE GONE COMES GOES "60 60 b w event - -:LOST:0 ok\n", "no end" },
		{ "", MADE GONE COMES GOES "60 60 b w event - -:OVERFLOW:0 ok\n", "no end" },
		/* A last value that was not told. */
		{ "reg/0 9 100644 24 - Y\n",
		    "1 5 b e session connected 0x9 ok\n10 20 a w write 0 X ok\n30 40 a w write 0 Y "
		    "ok\n25 25 b w event 0 reg:MODIFY:0 ok\n26 27 b w eread 0 X ok\n",
		    "last seen as X" },
		{ "reg/0 9 100644 24 - Y\n",
		    "1 5 b e session connected 0x9 ok\n10 20 a w write 0 X ok\n30 40 a w write 0 Y "
		    "ok\n45 45 b w event 0 reg:MODIFY:0 ok\n46 47 b w eread 0 Y ok\n",
		    NULL },
		/* Of unknown outcome: of both or none; but its own mount need not be told. */
		{ THERE,
		    "1 5 b e session connected 0x9 ok\n10 20 a n create A f ETIMEDOUT\n"
		    "25 25 b w event x reg:MODIFY:0 ok\n",
		    "came 0 times" },
		{ THERE,
		    "1 5 b e session connected 0x9 ok\n10 20 b n create A f ETIMEDOUT\n"
		    "25 25 b w event x reg:MODIFY:0 ok\n",
		    NULL },
		/* Who had another session in between may have missed something, but not seen it twice. */
		{ "", MADE GONE COMES "60 65 b e session connected 0xa ok\n", NULL },
		{ "", MADE GONE COMES COMES GOES "60 65 b e session connected 0xa ok\n",
		    "came 2 times" },
		/* An ephemeral may be removed before it was told: then only the end is. */
		{ "",
		    "1 5 b e session connected 0x9 ok\n10 20 b e ecreate E - ok\n"
		    "30 40 b e eremove E - ok\n45 45 b w event E eph:DELETE:0 ok\n",
		    NULL },
		{ "", MADE "30 40 b n remove A - ok\n" GOES, "goes (DELETE) before it comes" },
	};

	(void)state;
	RUN(check_events, examples);
}

static void
test_malformed(void **state)
{
	static const char *const lines[] = { "1 2 a w write 0 X\n", "1 2 a w write 0 X ok more\n",
		"0 2 a w write 0 X ok\n", "2 1 a w write 0 X ok\n", "1 2 a  write 0 X ok\n" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct run run = { .report = fopen("/dev/null", "w") };

		assert_false(run_parse(&run, strdup(""), strdup(lines[i])));
		assert_int_equal(run.violations, 1);
		fclose(run.report);
		run_free(&run);
	}
}

static void
test_results(void **state)
{
	static const struct example examples[] = {
		{ "",
		    "10 20 a y list names x, ok\n10 20 a y list names - EHOSTUNREACH\n"
		    "10 20 a v look x - ENOENT\n10 20 a l use 0 7 ESTALE\n",
		    NULL },
		{ "", "10 20 a y list names - EIO\n", "list of names by a: EIO" },
		{ "", "10 20 a e session - - ENOTCONN\n", "session of - by a: ENOTCONN" },
		{ "", "10 20 a v look x - ESTALE\n", "look of x by a: ESTALE" },
		{ "", "10 20 a l use 0 7 EBADF\n", "use of 0 by a: EBADF" },
	};

	(void)state;
	RUN(check_results, examples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
