/*
 * One bit of one file rots, in each page and each frame: opening, loading or
 * reading finds it, or it means nothing, also when the store is used on.
 * Some bits say what no row of the store checks: how many rows a page has, where
 * its children are (SQLite believes it: rows come and go, only the image's
 * digest tells), and what a database knows of itself (only its sum tells).
 * They are flipped one by one, in a store of which the image is the most.
 * Arguments: bits a page (3), of those one by one all where it is EACH or more;
 * the seed (1).
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
#define EACH 60
#define SPOTS_MAX 65536
#define META_KEYS "accepted_epoch", "image_upto"

struct content {
	char name[64];
	uint8_t *data;
	uint64_t len;
};

static struct content files[FILES_MAX];
static uint32_t nfiles;

/* A bit of a database that is flipped. */
struct spot {
	struct content *file;
	uint64_t at;
	uint8_t bit;
};

static struct spot spots[SPOTS_MAX];
static uint32_t nspots;

struct progress {
	uint32_t next, flips, found;
	char what[128], why[512];
	char dir[128]; /* that is there now; "": none */
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

/* Each bit of these bytes, or one in so many. */
static void
add_spots(struct content *file, uint64_t from, uint64_t to, uint32_t one_in, uint64_t *seed)
{
	uint64_t bit;

	for (bit = from * 8; bit < to * 8; bit++) {
		if (random_next(seed) % one_in != 0)
			continue;
		CHECK(nspots < SPOTS_MAX);
		spots[nspots++] = (struct spot){ file, bit / 8, (uint8_t)(1u << bit % 8) };
	}
}

static bool
holds_meta(const uint8_t *page)
{
	static const char *const keys[] = { META_KEYS };
	size_t i;

	for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (memmem(page, PAGE, keys[i], strlen(keys[i])) != NULL)
			return true;
	return false;
}

/* SQLite's page of a tree: type, free block, cells, their beginning; of an inner one a child. */
static void
page_spots(struct content *file, uint64_t at, uint32_t one_in, uint64_t *seed)
{
	uint64_t head = at + (at == 0 ? 100 : 0), end = at + PAGE;
	const uint8_t *page = file->data + head;
	uint32_t cells = (uint32_t)page[5] << 8 | page[6];
	bool inner = page[0] == 2 || page[0] == 5;

	if (!inner && page[0] != 10 && page[0] != 13)
		return;
	/* The rows, or children, that there are. */
	add_spots(file, head + 3, head + 5, 1, seed);
	add_spots(file, head, head + (inner ? 12 : 8), one_in, seed);
	if (inner || holds_meta(file->data + at))
		add_spots(file, at + cells, end, one_in, seed);
}

static void
list_spots(uint32_t bits, uint64_t seed)
{
	uint64_t at;
	uint32_t i;

	nspots = 0;
	for (i = 0; i < nfiles; i++)
		for (at = 0; units(&files[i]) != 0 && !is_wal(&files[i]) && at < files[i].len;
		     at += PAGE)
			page_spots(&files[i], at, bits >= EACH ? 1 : EACH / bits, &seed);
}

static void
remove_dir(struct progress *progress)
{
	if (progress->dir[0] != '\0')
		folder_remove(progress->dir);
	progress->dir[0] = '\0';
}

static bool
try(const struct expectation *expectation, const struct spot *spot, bool replaceable,
    struct progress *progress)
{
	struct expectation e = *expectation;
	const char *wrong;

	e.replaceable = replaceable;
	snprintf(progress->what, sizeof progress->what, "%s, byte %llu, bit 0x%x%s",
	    spot->file->name, (unsigned long long)spot->at, spot->bit,
	    e.replaceable ? ", replaceable" : "");
	folder_make(progress->dir, "flip");
	spot->file->data[spot->at] ^= spot->bit;
	write_files(progress->dir);
	spot->file->data[spot->at] ^= spot->bit;
	wrong = verify(progress->dir, &e);
	remove_dir(progress);
	progress->flips++;
	progress->found += verify_refused;
	if (wrong != NULL)
		snprintf(progress->why, sizeof progress->why, "%s", wrong);
	return wrong == NULL;
}

/* Its turn: false, it was tried before the process ended. */
static bool
is_next(struct progress *progress, uint32_t *index)
{
	if ((*index)++ < progress->next)
		return false;
	progress->next = *index;
	return true;
}

static void
child(
    const struct expectation *expectation, struct progress *progress, uint32_t bits, uint64_t seed)
{
	uint32_t i, j, b, index = 0;
	struct spot spot;
	uint64_t own;

	for (i = 0; i < nfiles; i++)
		for (j = 0; j < units(&files[i]); j++)
			for (b = 0; b < bits; b++) {
				if (!is_next(progress, &index))
					continue;
				own = seed * 1000003 + index;
				spot.file = &files[i];
				spot.at = place(spot.file, j, &own);
				spot.bit = (uint8_t)(1u << random_next(&own) % 8);
				if (!try(expectation, &spot, random_next(&own) % 2 == 0, progress))
					_exit(1);
			}
	for (i = 0; i < nspots; i++)
		if (is_next(progress, &index) &&
		    !try(expectation, &spots[i], (seed + i) % 2 == 0, progress))
			_exit(1);
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
		remove_dir(progress);
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
    struct progress *progress, bool one_by_one)
{
	struct expectation expectation;
	char dir[128];
	bool good;

	folder_make(dir, "flip");
	disk_crash(event, CRASH_ALL, seed, dir);
	read_files(dir);
	folder_remove(dir);
	nspots = 0;
	if (one_by_one)
		list_spots(bits, seed);
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

static uint32_t reopened; /* the event at which the store has been opened again */

static void
note(const struct world *world)
{
	disk_world(world);
	if (world->opened == 2 && reopened == 0)
		reopened = disk_events();
}

int
main(int argc, char **argv)
{
	uint32_t bits = argc > 1 ? (uint32_t)atoi(argv[1]) : 3;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct progress *progress =
	    mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool good;

	CHECK(progress != MAP_FAILED);
	world_record(note);
	printf("1..4\n");
	fflush(stdout);
	good = flip_state(disk_events(), "a store that was closed", 1, bits, seed, progress, false);
	/* Killed: much of it is still in the WALs. */
	good = flip_state(disk_busy(3), "killed after the first snapshot", 2, bits, seed, progress,
		   false) &&
	       good;
	good =
	    flip_state(disk_busy(5), "killed at the end", 3, bits, seed, progress, false) && good;
	good =
	    flip_state(reopened, "closed and opened again", 4, bits, seed, progress, true) && good;
	return !good;
}
