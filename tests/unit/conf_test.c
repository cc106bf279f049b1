/* zabfs.conf: defaults, and that each mistake is named with file, line and key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replica/lib/conf.h"

#define MEMBER "member 1 { peer = \"127.0.0.1:1\" front = \"127.0.0.1:2\" }\n"

static char path[64];

static int
load(const char *text, struct conf **conf, char err[512])
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return conf_load(path, conf, err, 512);
}

/* The message is FILE:LINE: and then `wanted`; line 0: no line is to blame. */
static void
refused(const char *text, int line, const char *wanted)
{
	char err[512], where[128];
	struct conf *conf;

	assert_int_equal(load(text, &conf, err), -1);
	if (line != 0)
		snprintf(where, sizeof where, "%s:%d: ", path, line);
	else
		snprintf(where, sizeof where, "%s: ", path);
	assert_memory_equal(err, where, strlen(where));
	if (strstr(err, wanted) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, wanted);
	assert_null(strchr(err, '\n'));
}

static void
test_defaults(void **state)
{
	char err[512];
	struct conf *conf;

	(void)state;
	assert_int_equal(load("cluster = \"c\"\n" MEMBER, &conf, err), 0);
	assert_string_equal(conf->cluster, "c");
	assert_string_equal(conf->socket, "/run/zabfs/front.sock");
	assert_int_equal(conf->tick_ms, 200);
	assert_int_equal(conf->value_max, 1044480);
	assert_int_equal(conf->log_rows_min, 100000);
	assert_int_equal(conf->log_tree_percent, 10);
	assert_int_equal(conf->pass_interval, 30);
	assert_int_equal(conf->session_timeout_min, 1000);
	assert_int_equal(conf->session_timeout_max, 600000);
	assert_int_equal(conf->sessions_max, 32768);
	assert_int_equal(conf->nmembers, 1);
	assert_int_equal(conf->members[0].id, 1);
	assert_string_equal(conf->members[0].peer, "127.0.0.1:1");
	assert_null(conf->members[0].http);
	assert_false(conf->members[0].observer);
	assert_false(conf->plaintext);
	conf_free(conf);
}

static void
test_members(void **state)
{
	char err[512];
	struct conf *conf;

	(void)state;
	assert_int_equal(load("cluster = \"c\"\n" MEMBER
			      "member 7 { peer = \"h:1\" front = \"h:2\" http = \"h:3\" }\n",
			     &conf, err),
	    0);
	assert_int_equal(conf->nmembers, 2);
	assert_int_equal(conf->members[1].id, 7);
	assert_string_equal(conf->members[1].http, "h:3");
	conf_free(conf);
}

static void
test_observers(void **state)
{
	char err[512];
	struct conf *conf;

	(void)state;
	assert_int_equal(
	    load("cluster = \"c\"\n"
		 "observer 4 { peer = \"h:1\" front = \"h:2\" http = \"h:3\" }\n" MEMBER
		 "observer 3 { peer = \"h:4\" front = \"h:5\" }\n",
		&conf, err),
	    0);
	assert_int_equal(conf->nmembers, 3);
	assert_int_equal(conf->members[0].id, 1);
	assert_false(conf->members[0].observer);
	assert_int_equal(conf->members[1].id, 4);
	assert_true(conf->members[1].observer);
	assert_string_equal(conf->members[1].http, "h:3");
	assert_int_equal(conf->members[2].id, 3);
	assert_true(conf->members[2].observer);
	assert_string_equal(conf->members[2].peer, "h:4");
	conf_free(conf);

	refused("cluster = \"c\"\nobserver 1 { peer = \"h:1\" front = \"h:2\" }\n", 0,
	    "member: at least one");
	refused("cluster = \"c\"\n" MEMBER "observer 1 { peer = \"h:1\" front = \"h:2\" }\n", 3,
	    "observer 1: another member or observer has that id");
	refused("cluster = \"c\"\nobserver 1 { peer = \"h:1\" front = \"h:2\" }\n" MEMBER, 3,
	    "member 1: another member or observer has that id");
	refused("cluster = \"c\"\n" MEMBER "member 01 { peer = \"h:1\" front = \"h:2\" }\n", 3,
	    "member 1: another");
	refused("cluster = \"c\"\n" MEMBER "observer 256 { peer = \"h:1\" front = \"h:2\" }\n", 3,
	    "observer: id \"256\"");
	refused("cluster = \"c\"\n" MEMBER "observer 2 { peer = \"h\" front = \"h:2\" }\n", 3,
	    "peer: \"h\"");
	refused("cluster = \"c\"\n" MEMBER "observer 2 { front = \"h:1\" }\n", 3,
	    "observer 2: peer is missing");
}

/* Fifteen in all, of whichever kind. */
static void
test_how_many(void **state)
{
	char text[2048] = "cluster = \"c\"\n", err[512];
	struct conf *conf;
	size_t len;
	int i;

	(void)state;
	for (i = 1; i <= 16; i++) {
		len = strlen(text);
		snprintf(text + len, sizeof text - len,
		    "%s %d { peer = \"h%d:1\" front = \"h%d:2\" }\n",
		    i % 2 != 0 ? "member" : "observer", i, i, i);
		if (i != 15)
			continue;
		assert_int_equal(load(text, &conf, err), 0);
		assert_int_equal(conf->nmembers, 15);
		conf_free(conf);
	}
	refused(text, 17, "observer: more than 15");
}

static void
test_plaintext(void **state)
{
	char err[512];
	struct conf *conf;

	(void)state;
	assert_int_equal(load("cluster = \"c\"\nplaintext = true\n" MEMBER, &conf, err), 0);
	assert_true(conf->plaintext);
	conf_free(conf);
	assert_int_equal(load("cluster = \"c\"\nplaintext = false\n" MEMBER, &conf, err), 0);
	assert_false(conf->plaintext);
	conf_free(conf);
	refused("cluster = \"c\"\nplaintext = perhaps\n" MEMBER, 2, "plaintext");
}

static void
test_mistakes_are_named(void **state)
{
	(void)state;
	refused("cluster = \"c\"\nfoo = 1\n" MEMBER, 2, "foo");
	refused("cluster = \"c\"\ntick = 5\n" MEMBER, 2, "tick: 5");
	refused("cluster = \"c\"\ntick = fast\n" MEMBER, 2, "tick");
	refused("cluster = \"c\"\nvalue_max = 1044481\n" MEMBER, 2, "value_max: 1044481");
	refused("cluster = \"c\"\nsocket = \"front.sock\"\n" MEMBER, 2, "socket");
	refused("cluster = \"\"\n" MEMBER, 1, "cluster");
	refused("cluster \"c\"\n" MEMBER, 1, "equal sign");
	refused("cluster = \"c\"\n" MEMBER MEMBER, 3, "duplicate");
	refused("cluster = \"c\"\nmember x { peer = \"h:1\" front = \"h:2\" }\n", 2, "\"x\"");
	refused("cluster = \"c\"\nmember 1 { peer = \"h\" front = \"h:2\" }\n", 2, "peer: \"h\"");
	refused("cluster = \"c\"\nmember 1 { peer = \"h\n\" front = \"h:2\" }\n", 3, "\"h?\"");
	refused("cluster = \"c\"\nmember 1 { peer = \"h:99999\" front = \"h:2\" }\n", 2, "peer");
	refused("cluster = \"c\"\nmember 1 { peer = \"::1:80\" front = \"h:2\" }\n", 2, "peer");
	refused("cluster = \"c\"\nmember 1 { front = \"h:2\" }\n", 2, "peer is missing");
	refused(MEMBER, 0, "cluster: missing");
	refused("cluster = \"c\"\n", 0, "member");
	refused("cluster = \"c\"\nsession_timeout_min = 2000\nsession_timeout_max = 1000\n" MEMBER,
	    0, "session_timeout_min");
}

static void
test_numbers_are_decimal(void **state)
{
	char err[512];
	struct conf *conf;

	(void)state;
	refused("cluster = \"c\"\ntick = 0x10\n" MEMBER, 2, "tick: \"0x10\" is not a decimal");
	refused("cluster = \"c\"\ntick = 010\n" MEMBER, 2, "tick: \"010\" is not a decimal");
	refused("cluster = \"c\"\ntick = 1e3\n" MEMBER, 2, "tick: \"1e3\" is not a decimal");
	refused("cluster = \"c\"\ntick = -\n" MEMBER, 2, "tick: \"-\" is not a decimal");
	refused("cluster = \"c\"\ntick = -20\n" MEMBER, 2, "tick: -20 is not between");
	refused("cluster = \"c\"\ntick = 99999999999999999999\n" MEMBER, 2, "tick: ");
	assert_int_equal(
	    load("cluster = \"c\"\ntick = 10\nlog_tree_percent = 0\n" MEMBER, &conf, err), 0);
	assert_int_equal(conf->tick_ms, 10);
	assert_int_equal(conf->log_tree_percent, 0);
	conf_free(conf);
}

static void
test_once(void **state)
{
	(void)state;
	refused("cluster = \"c\"\ntick = 10\n" MEMBER "tick = 10\n", 4, "tick: set twice");
	refused("cluster = \"c\"\n" MEMBER "cluster = \"d\"\n", 3, "cluster: set twice");
	refused("cluster = \"c\"\nplaintext = false\nplaintext = true\n" MEMBER, 3,
	    "plaintext: set twice");
	refused("cluster = \"c\"\nmember 1 {\npeer = \"h:1\"\n\npeer = \"h:2\"\n}\n", 5,
	    "peer: set twice");
}

static void
test_a_value_on_its_line(void **state)
{
	char err[512];
	struct conf *conf;

	(void)state;
	refused("cluster = \"c\"\ntick =\n" MEMBER, 2, "without a value");
	refused("cluster = \"c\"\ntick = # 5\n\nvalue_max = 5\n" MEMBER, 2, "without a value");
	refused("cluster = \"c\"\n" MEMBER "tick = /* 5 */ ", 3, "without a value");
	refused("cluster = \"c\"\nmember 1 {\npeer =\nfront = \"h:2\" }\n", 3, "without a value");
	assert_int_equal(load("cluster\n= /*\n*/ \"c=\nd\" tick =20\n" MEMBER, &conf, err), 0);
	assert_string_equal(conf->cluster, "c=\nd");
	assert_int_equal(conf->tick_ms, 20);
	conf_free(conf);
}

/* One place is one socket's. */
static void
test_addresses_differ(void **state)
{
	char err[512];
	struct conf *conf;

	(void)state;
	refused("cluster = \"c\"\nmember 1 { peer = \"h:1\" front = \"h:2\" }\n"
		"member 2 {\npeer = \"i:1\"\nfront = \"H:02\"\n}\n",
	    5, "front: \"H:02\" is front of member 1 already");
	refused("cluster = \"c\"\nmember 1 { peer = \"h:1\" front = \"h:2\" }\n"
		"observer 2 { peer = \"h:2\" }\n",
	    3, "peer: \"h:2\" is front of member 1 already");
	refused("cluster = \"c\"\nobserver 2 { peer = \"h:1\" }\nmember 1 { peer = \"h:1\" }\n", 3,
	    "peer: \"h:1\" is peer of observer 2 already");
	refused("cluster = \"c\"\nmember 1 {\npeer = \"[::1]:1\"\nhttp = \"[::1]:1\" }\n", 4,
	    "http: \"[::1]:1\" is peer of member 1 already");
	refused("cluster = \"c\"\nmember 1 { peer = \"h:1\" http = \"h:3\" }\n"
		"member 2 { peer = \"i:1\" http = \"h:3\" }\n",
	    3, "http: \"h:3\" is http of member 1 already");
	/* Each machine has a loopback of its own. */
	assert_int_equal(
	    load("cluster = \"c\"\nmember 1 { peer = \"h:1\" http = \"127.0.0.1:3\" }\n"
		 "member 2 { peer = \"i:1\" http = \"127.0.0.1:3\" }\n",
		&conf, err),
	    0);
	assert_int_equal(conf->nmembers, 2);
	conf_free(conf);
}

/* The scanner's own count is wrong behind a comment. */
static void
test_comments(void **state)
{
	char err[512], *text = malloc(70000);
	struct conf *conf;

	(void)state;
	refused("# a\n// b\n//\ncluster = \"c\"\ntick = 5\n" MEMBER, 5, "tick: 5");
	refused("#\n\n/* a\n * b\n */ cluster = \"c\" # c\ntick = 5\n" MEMBER, 6, "tick: 5");
	refused("cluster = \"c\"\n" MEMBER "/* to the end", 3, "comment without an end");
	refused("cluster = \"c\"\n" MEMBER "member 2 { peer = \"127.0.0.1:3\"\n\n", 3,
	    "section without an end");
	refused("cluster = \"c\"\n" MEMBER "member 2 {\npeer = \"127.0.0.1:3\" # }\n", 3,
	    "section without an end");
	assert_int_equal(load("cluster = \"a#b//c/*d\" // e\n#" MEMBER MEMBER, &conf, err), 0);
	assert_string_equal(conf->cluster, "a#b//c/*d");
	assert_int_equal(conf->nmembers, 1);
	conf_free(conf);
	assert_int_equal(load("cluster = 'it\\'s # 1' /**/" MEMBER "#", &conf, err), 0);
	assert_string_equal(conf->cluster, "it's # 1");
	conf_free(conf);

	assert_non_null(text);
	memset(text, ' ', 69999);
	text[69999] = '\0';
	refused(text, 0, "longer than 65536 bytes");
	free(text);
}

static void
test_what_is_no_file(void **state)
{
	char err[512];
	struct conf *conf;

	(void)state;
	assert_int_equal(conf_load("/nonexistent/zabfs.conf", &conf, err, sizeof err), -1);
	assert_non_null(strstr(err, "/nonexistent/zabfs.conf: No such file"));
	assert_int_equal(conf_load("/", &conf, err, sizeof err), -1);
	assert_non_null(strstr(err, "/: Is a directory"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_observers),
		cmocka_unit_test(test_how_many),
		cmocka_unit_test(test_plaintext),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_numbers_are_decimal),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_a_value_on_its_line),
		cmocka_unit_test(test_addresses_differ),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_what_is_no_file),
	};
	int failed, fd;

	snprintf(path, sizeof path, "/tmp/zabfs-conf.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
