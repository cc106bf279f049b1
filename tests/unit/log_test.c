/* The log: one message is one line. */
#include "replica/lib/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a message leaves on standard error, behind the stamp and the name. */
static void
logged(const char *name, char *out, size_t len)
{
	static char text[16384];
	FILE *file = tmpfile();
	int old = dup(STDERR_FILENO);
	const char *at;
	size_t n;

	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	log_init("test", true, 0);
	log_info("name=%s", name);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(file);
	n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = '\0';
	at = strstr(text, "info: ");
	assert_non_null(at);
	snprintf(out, len, "%s", at);
}

static void
test_controls(void **state)
{
	char line[4096];

	(void)state;
	logged("a\nb\r\x1b[2J\x7f\t\xc3\xa9 \\", line, sizeof line);
	assert_string_equal(line, "info: name=a\\012b\\015\\033[2J\\177\\011\xc3\xa9 \\\n");
}

static void
test_cut(void **state)
{
	char name[8192], line[4096];

	(void)state;
	memset(name, '\n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	logged(name, line, sizeof line);
	assert_in_range(strlen(line), 1024, 2100);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
