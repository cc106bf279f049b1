/*
 * Runs transcripts (tests/sim/cases) and tells in TAP which of them are as
 * they should be: one test a file, each in a process of its own, so that a
 * CHECK in one doesn't end the others. UPDATE=1 rewrites what a file says that
 * the members do; what fails on its own account still fails then.
 */
#include "tests/cases/cases.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX (1024 * 1024)

static char *
read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, TEXT_MAX);
	size_t len = 0;

	if (file == NULL || text == NULL) {
		perror(path);
		exit(1);
	}
	len = fread(text, 1, TEXT_MAX - 1, file);
	fclose(file);
	CHECK(len < TEXT_MAX - 1);
	return text;
}

/*
 * Once in a process. Comments, empty lines and commands stay, what is below a
 * command is made anew.
 */
static char *
play(const char *text, bool *failed)
{
	static struct world world;
	char *copy = strdup(text), *rest = copy, *line, *out = NULL, *command;
	size_t len = 0;

	world.now_ns = MS;
	world.hidden = 1u << ZAB_PING | 1u << ZAB_PONG;
	world.out = open_memstream(&out, &len);
	CHECK(copy != NULL && world.out != NULL);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strncmp(line, "    ", 4) == 0 || (line[0] == '\0' && rest == NULL))
			continue;
		fprintf(world.out, "%s\n", line);
		if (line[0] == '\0' || line[0] == '#')
			continue;
		command = strdup(line);
		CHECK(command != NULL);
		if (!script_command(&world, command))
			fail(&world, "there is no such command, or it does not fit here");
		free(command);
	}
	fclose(world.out);
	free(copy);
	for (uint32_t i = 1; i < SIDS_MAX; i++)
		free(world.members[i].zab);
	*failed = world.failed;
	return out;
}

/* The first line that differs, and some that follow. */
static void
print_difference(const char *path, const char *expected, const char *is)
{
	uint32_t number = 1, i;
	const char *end;

	while (*expected != '\0' && *is != '\0') {
		size_t a = strcspn(expected, "\n"), b = strcspn(is, "\n");

		if (a != b || memcmp(expected, is, a) != 0)
			break;
		expected += a + (expected[a] != '\0');
		is += b + (is[b] != '\0');
		number++;
	}
	printf("# %s:%u: other than expected (UPDATE=1 rewrites it)\n", path, number);
	for (i = 0; i < 6 && *expected != '\0'; i++, expected = end + (*end != '\0')) {
		end = expected + strcspn(expected, "\n");
		printf("# expected %.*s\n", (int)(end - expected), expected);
	}
	for (i = 0; i < 6 && *is != '\0'; i++, is = end + (*end != '\0')) {
		end = is + strcspn(is, "\n");
		printf("#       is %.*s\n", (int)(end - is), is);
	}
}

static void
print_failures(const char *is)
{
	const char *at = is;

	while ((at = strstr(at, "    FAILED: ")) != NULL) {
		size_t len = strcspn(at, "\n");

		printf("# %.*s\n", (int)len, at);
		at += len;
	}
}

static int
run(const char *path)
{
	const char *update = getenv("UPDATE");
	bool failed;
	char *text = read_file(path), *is = play(text, &failed);
	bool same = strcmp(text, is) == 0;
	FILE *file;

	if (failed)
		print_failures(is);
	if (!same && update != NULL && update[0] == '1') {
		file = fopen(path, "w");
		CHECK(file != NULL && fputs(is, file) >= 0 && fclose(file) == 0);
		same = true;
	}
	if (!same)
		print_difference(path, text, is);
	free(text);
	free(is);
	return same && !failed ? 0 : 1;
}

static bool
run_apart(const char *path)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		exit(run(path));
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int
main(int argc, char *argv[])
{
	int i, failed = 0;

	printf("1..%d\n", argc - 1);
	for (i = 1; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');
		bool ok = run_apart(argv[i]);

		printf(
		    "%s %d - %s\n", ok ? "ok" : "not ok", i, slash != NULL ? slash + 1 : argv[i]);
		failed += !ok;
	}
	return argc == 1 || failed > 0;
}
