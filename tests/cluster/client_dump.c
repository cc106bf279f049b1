/*
 * All that a mount shows, a line a znode: path, number, mode, size, metadata,
 * and the value, where it has one, with its newlines as commas. Two mounts that
 * agree give the same text.
 */
#include "tests/cluster/client.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_MAX (1 << 20)
#define STAT_MAX 1024

static void
in_one_line(char *text, char with)
{
	for (; *text != '\0'; text++)
		if (*text == '\n' || *text == ' ')
			*text = *text == ' ' ? '=' : with;
}

/* DIR/.zab/stat/NAME, one word. */
static int
metadata(const FTSENT *entry, char *text)
{
	char path[PATH_LEN];

	snprintf(path, sizeof path, "%.*s.zab/stat/%s",
	    (int)(entry->fts_pathlen - entry->fts_namelen), entry->fts_path, entry->fts_name);
	if (read_text(path, text, STAT_MAX) != 0)
		return -1;
	in_one_line(text, ',');
	return 0;
}

static int
content(const FTSENT *entry, char *value)
{
	ssize_t n;

	*value = '\0';
	if (S_ISREG(entry->fts_statp->st_mode) && read_text(entry->fts_path, value, VALUE_MAX) != 0)
		return -1;
	if (S_ISLNK(entry->fts_statp->st_mode)) {
		n = readlink(entry->fts_path, value, VALUE_MAX - 1);
		if (n < 0)
			return -1;
		value[n] = '\0';
	}
	in_one_line(value, ',');
	return 0;
}

static int
line(const FTSENT *entry, const char *mount, char *value)
{
	const struct stat *st = entry->fts_statp;
	char stat[STAT_MAX];

	if (metadata(entry, stat) != 0 || content(entry, value) != 0)
		return -1;
	printf("%s %lu %o %ld %s %s\n", entry->fts_path + strlen(mount) + 1,
	    (unsigned long)st->st_ino, st->st_mode, (long)st->st_size, stat,
	    *value == '\0' ? "-" : value);
	return 0;
}

static int
by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int
dump(const char *mount)
{
	char *const roots[] = { (char *)(uintptr_t)mount, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	char *value = malloc(VALUE_MAX);
	const FTSENT *entry;

	if (fts == NULL || value == NULL)
		err(1, "%s", mount);
	while ((entry = fts_read(fts)) != NULL) {
		if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR ||
		    entry->fts_info == FTS_NS)
			errx(1, "%s: %s", entry->fts_path, strerror(entry->fts_errno));
		if (entry->fts_level == 0 || entry->fts_info == FTS_DP)
			continue;
		if (line(entry, mount, value) != 0)
			err(1, "%s", entry->fts_path);
	}
	free(value);
	fts_close(fts);
	return 0;
}
