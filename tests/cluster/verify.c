/*
 * cluster-verify DUMP HISTORY: prints what is wrong with a run, or how much was
 * looked at; 1 if something is wrong. See verify.h.
 */
#include "tests/cluster/verify.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

static char *
text_of(const char *path)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	char *text;

	if (file == NULL || fstat(fileno(file), &st) != 0)
		err(1, "%s", path);
	text = calloc(1, (size_t)st.st_size + 1);
	if (text == NULL || fread(text, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		err(1, "%s", path);
	fclose(file);
	return text;
}

/* All but the last two, which depend on what befell them: a run that lacks one proves nothing. */
static void
check_counts(struct run *run, const char *const *names)
{
	size_t i;

	for (i = 0; i < COUNT_UNKNOWN; i++)
		if (run->counts[i] == 0)
			violation(run, "there are no %s", names[i]);
}

int
main(int argc, char **argv)
{
	static const char *const names[COUNTS] = { "writes", "reads", "synced reads", "lines",
		"names", "listings", "ephemerals", "holds of locks", "events", "sessions",
		"unknown outcomes", "refused calls" };
	struct run run = { .report = stdout };
	size_t i;

	if (argc != 3)
		errx(64, "usage: cluster-verify DUMP HISTORY");
	if (!run_parse(&run, text_of(argv[1]), text_of(argv[2])))
		return 1;
	check_registers(&run);
	check_views(&run);
	check_lines(&run);
	check_names(&run);
	check_sessions(&run);
	check_locks(&run);
	check_events(&run);
	check_results(&run);
	check_counts(&run, names);
	for (i = 0; i < COUNTS; i++)
		printf("%s%" PRIu64 " %s", i == 0 ? "" : ", ", run.counts[i], names[i]);
	printf("\n");
	if (run.violations != 0)
		printf("%u violations\n", run.violations);
	run_free(&run);
	return run.violations != 0;
}
