/*
 * Names: made, renamed and removed, each of them unique, so that every error but
 * those of the service says that something happened twice or not at all. Lines:
 * appended to files that all mounts share, exactly once each.
 */
#include "tests/cluster/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIVE_MAX 24
#define NS_PER_FILE UINT64_C(10000000000) /* a new file for the lines: no value grows for ever */

struct names {
	char name[LIVE_MAX][NAME_LEN];
	char kind[LIVE_MAX];
	uint32_t live;
};

static int
make(const char *path, char kind)
{
	int fd;

	if (kind == 'd')
		return mkdir(path, 0755) == 0 ? 0 : errno;
	if (kind == 'l')
		return symlink("nowhere", path) == 0 ? 0 : errno;
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void
create(struct worker *worker, struct names *names)
{
	static const char kinds[] = { 'f', 'f', 'd', 'l' };
	char path[PATH_LEN], *name = names->name[names->live];
	char kind[2] = { kinds[worker_random(worker, sizeof kinds)], '\0' };
	uint64_t begun;
	int error;

	worker_unique(worker, name, NAME_LEN);
	worker_path(worker, path, "names/%s", name);
	begun = now_ns();
	error = make(path, kind[0]);
	record_change(worker, begun, "create", name, kind, error);
	names->kind[names->live] = kind[0];
	names->live += error == 0;
}

/* Of what failed nobody knows whether it is still there: it is left alone. */
static void
forget(struct names *names, uint32_t i)
{
	names->live--;
	memmove(names->name[i], names->name[names->live], NAME_LEN);
	names->kind[i] = names->kind[names->live];
}

static void delete (struct worker *worker, struct names *names, uint32_t i)
{
	char path[PATH_LEN];
	uint64_t begun;
	int error;

	worker_path(worker, path, "names/%s", names->name[i]);
	begun = now_ns();
	error = (names->kind[i] == 'd' ? rmdir(path) : unlink(path)) == 0 ? 0 : errno;
	record_change(worker, begun, "remove", names->name[i], "-", error);
	forget(names, i);
}

static void
move(struct worker *worker, struct names *names, uint32_t i)
{
	char path[PATH_LEN], target[PATH_LEN], name[NAME_LEN];
	uint64_t begun;
	int error;

	worker_unique(worker, name, sizeof name);
	worker_path(worker, path, "names/%s", names->name[i]);
	worker_path(worker, target, "names/%s", name);
	begun = now_ns();
	error = rename(path, target) == 0 ? 0 : errno;
	record_change(worker, begun, "rename", names->name[i], name, error);
	if (error == 0)
		memcpy(names->name[i], name, NAME_LEN);
	else
		forget(names, i);
}

void
change_names(struct worker *worker)
{
	struct names names = { 0 };
	uint32_t i;

	while (worker_goes_on(worker)) {
		i = names.live == 0 ? 0 : (uint32_t)worker_random(worker, names.live);
		if (names.live == 0 || (names.live < LIVE_MAX && worker_random(worker, 2) == 0))
			create(worker, &names);
		else if (worker_random(worker, 4) == 0)
			move(worker, &names, i);
		else
			delete (worker, &names, i);
	}
}

void
append_lines(struct worker *worker)
{
	char path[PATH_LEN], key[24], line[NAME_LEN];
	uint64_t begun;
	int fd, error;

	while (worker_goes_on(worker)) {
		worker_unique(worker, line, sizeof line - 1);
		snprintf(key, sizeof key, "%" PRIu64, now_ns() / NS_PER_FILE);
		worker_path(worker, path, "log/%s", key);
		fd = open(path, O_CREAT | O_APPEND | O_WRONLY, 0644);
		if (fd < 0)
			continue;
		strcat(line, "\n");
		begun = now_ns();
		error = write(fd, line, strlen(line)) == (ssize_t)strlen(line) ? 0 : errno;
		line[strlen(line) - 1] = '\0';
		record_change(worker, begun, "append", key, line, error);
		close(fd);
	}
}

/* All names in one word. What readdir(3) doesn't get to the end of counts for nothing. */
static int
list(const char *path, char *all, size_t len)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	size_t used = 0;
	int error;

	if (dir == NULL)
		return errno;
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			break;
		if (entry->d_name[0] != '.')
			used += (size_t)snprintf(all + used, len - used, "%s,", entry->d_name);
	}
	error = errno;
	closedir(dir);
	return error;
}

void
list_synced(struct worker *worker, const char *dir)
{
	char path[PATH_LEN], *all = calloc(1, LIST_LEN);
	uint64_t begun;
	int error;

	worker_path(worker, path, "%s", dir);
	begun = now_ns();
	error = sync_dir(path);
	if (error == 0)
		error = list(path, all, LIST_LEN);
	record(worker, begun, "list", dir, error == 0 ? all : "-", error);
	free(all);
}
