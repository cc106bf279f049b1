/*
 * One bit of one file rots, in each page and each frame: opening, loading or
 * reading finds it, or it means nothing, also when the store is used on.
 * Arguments: bits a page (3), the seed (1).
 */
#include "tests/storage/storage.h"

#include "replica/lib/check.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define PAGE 4096
#define FRAME (PAGE + 24)
#define WAL_HEADER 32
#define FILES_MAX 16

struct content {
	char name[64];
	uint8_t *data;
	uint64_t len;
};

static struct content files[FILES_MAX];
static uint32_t nfiles;

struct progress {
	uint32_t next, flips, found;
	char what[128], why[512];
};

static void
read_files(const char *dir)
{
	DIR *entries = opendir(dir);
	struct dirent *entry;
	struct content *file;
	char path[4096];
	struct stat st;
	FILE *in;

	CHECK(entries != NULL);
	nfiles = 0;
	while ((entry = readdir(entries)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] == '.' || stat(path, &st) != 0)
			continue;
		CHECK(nfiles < FILES_MAX);
		file = &files[nfiles++];
		snprintf(file->name, sizeof file->name, "%.60s", entry->d_name);
		file->len = (uint64_t)st.st_size;
		file->data = malloc(file->len + 1);
		in = fopen(path, "r");
		CHECK(in != NULL && file->data != NULL);
		CHECK(fread(file->data, 1, file->len, in) == file->len);
		fclose(in);
	}
	closedir(entries);
}

static void
forget_files(void)
{
	while (nfiles != 0)
		free(files[--nfiles].data);
}

static void
write_files(const char *dir)
{
	char path[4096];
	uint32_t i;
	FILE *out;

	for (i = 0; i < nfiles; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, files[i].name);
		out = fopen(path, "w");
		CHECK(out != NULL);
		CHECK(fwrite(files[i].data, 1, files[i].len, out) == files[i].len);
		CHECK(fclose(out) == 0);
	}
}

static bool
is_wal(const struct content *file)
{
	size_t len = strlen(file->name);

	return len > 4 && strcmp(file->name + len - 4, "-wal") == 0;
}

static uint32_t
units(const struct content *file)
{
	if (strstr(file->name, ".db") == NULL)
		return 0;
	if (!is_wal(file))
		return (uint32_t)(file->len / PAGE);
	/* Its header is one more. */
	return file->len < WAL_HEADER ? 0 : 1 + (uint32_t)((file->len - WAL_HEADER) / FRAME);
}

/* A third of the bits are where a page describes itself, a third where its first rows are. */
static uint64_t
place(const struct content *file, uint32_t unit, uint64_t *seed)
{
	uint64_t at = (uint64_t)unit * PAGE, len = PAGE, head = 24, tail = 600;

	if (is_wal(file)) {
		at = unit == 0 ? 0 : WAL_HEADER + (uint64_t)(unit - 1) * FRAME;
		len = unit == 0 ? WAL_HEADER : FRAME;
		head = unit == 0 ? WAL_HEADER : 48;
		tail = unit == 0 ? WAL_HEADER : tail;
	}
	switch (random_next(seed) % 3) {
	case 0:
		return at + random_next(seed) % head;
	case 1:
		return at + len - 1 - random_next(seed) % tail;
	default:
		return at + random_next(seed) % len;
	}
}

static bool
try(const struct expectation *expectation, struct content *file, uint32_t unit, uint64_t *seed,
    struct progress *progress)
{
	uint64_t at = place(file, unit, seed);
	uint8_t bit = (uint8_t)(1u << random_next(seed) % 8);
	struct expectation e = *expectation;
	const char *wrong;
	char dir[128];

	e.replaceable = random_next(seed) % 2 == 0;
	snprintf(progress->what, sizeof progress->what, "%s, byte %llu, bit 0x%x%s", file->name,
	    (unsigned long long)at, bit, e.replaceable ? ", replaceable" : "");
	folder_make(dir, "flip");
	file->data[at] ^= bit;
	write_files(dir);
	file->data[at] ^= bit;
	wrong = verify(dir, &e);
	folder_remove(dir);
	progress->flips++;
	progress->found += verify_refused;
	if (wrong != NULL)
		snprintf(progress->why, sizeof progress->why, "%s", wrong);
	return wrong == NULL;
}

static void
child(
    const struct expectation *expectation, struct progress *progress, uint32_t bits, uint64_t seed)
{
	uint64_t own;
	uint32_t i, j, b, index = 0;

	for (i = 0; i < nfiles; i++)
		for (j = 0; j < units(&files[i]); j++)
			for (b = 0; b < bits; b++) {
				if (index++ < progress->next)
					continue;
				progress->next = index;
				own = seed * 1000003 + index;
				if (!try(expectation, &files[i], j, &own, progress))
					_exit(1);
			}
	_exit(0);
}

static bool
flip_all(
    const struct expectation *expectation, uint32_t bits, uint64_t seed, struct progress *progress)
{
	bool good = true;
	int status = -1;
	pid_t pid;

	memset(progress, 0, sizeof *progress);
	while (status != 0) {
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0)
			child(expectation, progress, bits, seed);
		CHECK(waitpid(pid, &status, 0) == pid);
		if (status == 0)
			break;
		if (WIFEXITED(status) &&
		    (WEXITSTATUS(status) == EX_DATAERR || WEXITSTATUS(status) == EX_IOERR)) {
			progress->flips++;
			progress->found++;
			continue;
		}
		printf("# %s: status 0x%x %s\n", progress->what, (unsigned)status, progress->why);
		good = false;
	}
	return good;
}

static bool
flip_state(uint32_t event, const char *title, uint32_t number, uint32_t bits, uint64_t seed,
    struct progress *progress)
{
	struct expectation expectation;
	char dir[128];
	bool good;

	folder_make(dir, "flip");
	disk_crash(event, CRASH_ALL, seed, dir);
	read_files(dir);
	folder_remove(dir);
	disk_expectation(event, &expectation);
	expectation.lost = true;
	expectation.work = true;
	good = flip_all(&expectation, bits, seed, progress);
	forget_files();
	printf("%s %u - %s: %u flips, %u found at once, the others did no harm\n",
	    good ? "ok" : "not ok", number, title, progress->flips, progress->found);
	fflush(stdout);
	return good;
}

int
main(int argc, char **argv)
{
	uint32_t bits = argc > 1 ? (uint32_t)atoi(argv[1]) : 3;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct progress *progress =
	    mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct world *world;
	char dir[128];
	bool good;

	CHECK(progress != MAP_FAILED);
	vfs_install();
	if (getenv("V") == NULL)
		CHECK(freopen("/dev/null", "w", stderr) != NULL);
	folder_make(dir, "storage");
	world = world_new(dir);
	world->changed = disk_world;
	disk_world(world);
	disk_record(true);
	world_run(world);
	disk_record(false);
	folder_remove(dir);
	printf("1..3\n");
	fflush(stdout);
	good = flip_state(disk_events(), "a store that was closed", 1, bits, seed, progress);
	/* Killed: much of it is still in the WALs. */
	good =
	    flip_state(disk_busy(3), "killed after the first snapshot", 2, bits, seed, progress) &&
	    good;
	good = flip_state(disk_busy(5), "killed at the end", 3, bits, seed, progress) && good;
	return !good;
}
