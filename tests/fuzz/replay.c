/*
 * Feeds a fuzz target each file that is named, and each file of a folder that
 * is: the kept corpus in `make test`, or one input that a fuzzer has found.
 * The name is printed before the input is run, or a crash would not tell.
 * Called by replay.t and by hand.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static size_t inputs;

static void
run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	struct stat st;
	size_t size;

	if (file == NULL || fstat(fileno(file), &st) != 0)
		err(1, "%s", path);
	size = (size_t)st.st_size;
	/* Of the very size, or reading behind an input's end would not be noticed. */
	data = malloc(size);
	if (data == NULL && size != 0)
		err(1, "%s", path);
	if (fread(data, 1, size, file) != size)
		errx(1, "%s: cannot be read", path);
	fclose(file);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	inputs++;
}

static void
run_folder(const char *path)
{
	struct dirent **entries;
	char file[4096];
	int i, n = scandir(path, &entries, NULL, alphasort);

	if (n < 0)
		err(1, "%s", path);
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			run_file(file);
		free(entries[i]);
	}
	free(entries);
}

int
main(int argc, char **argv)
{
	struct stat st;
	int i;

	for (i = 1; i < argc; i++) {
		if (stat(argv[i], &st) != 0)
			err(1, "%s", argv[i]);
		if (S_ISDIR(st.st_mode))
			run_folder(argv[i]);
		else
			run_file(argv[i]);
	}
	if (inputs == 0)
		errx(1, "no input");
	printf("%zu inputs\n", inputs);
	return 0;
}
