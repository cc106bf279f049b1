/*
 * usage: elect DIR NAME COMMAND…
 * Stands for election in DIR, and runs COMMAND while it leads; ends when COMMAND
 * does, or with 75 when it is out (the session is lost). See the script `elect`.
 * Needs libc alone: cc -o elect elect.c
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT 75 /* EX_TEMPFAIL */
/* Nobody tells that the mount itself is dead: who waits looks now and then, who leads more often. */
#define LOOK_MS 10000
#define LOOK_LEADING_MS 1000

static char session[PATH_MAX];

/* Before we stand: without the directory it would be no use to start again: that is not 75. */
static _Noreturn void
begin_fails(const char *dir)
{
	err(errno == ENOENT || errno == ENOTDIR ? 1 : OUT, "%s", dir);
}

/* DIR's mount: the last directory upwards that is on the same device. */
static void
session_find(const char *dir)
{
	struct stat first, st;
	char root[PATH_MAX], parent[PATH_MAX];

	if (realpath(dir, root) == NULL || stat(root, &first) == -1)
		begin_fails(dir);
	while (root[0] != '\0') {
		snprintf(parent, sizeof(parent), "%s", root);
		*strrchr(parent, '/') = '\0';
		if (stat(parent[0] != '\0' ? parent : "/", &st) == -1 || st.st_dev != first.st_dev)
			break;
		strcpy(root, parent);
	}
	if (snprintf(session, sizeof(session), "%s/.zab/session", root) >= PATH_MAX)
		errx(OUT, "%s: too long", root);
}

/* Becomes readable when the node or the session changes; -1: it has gone. */
static int
watch(const char *name)
{
	const uint32_t what = IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF;
	int fd = inotify_init1(IN_CLOEXEC);

	if (inotify_add_watch(fd, session, what) == -1 || inotify_add_watch(fd, name, what) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The greatest name before ours into `before`, "" if we are the first. False: we are out. */
static bool
look(const char *mine, char before[NAME_MAX + 1])
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	bool there = false;

	before[0] = '\0';
	if (dir == NULL)
		return false;
	/* A listing that fails may show nobody before us, and means nothing. */
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, mine) == 0)
			there = true;
		else if (entry->d_name[0] != '.' && strcmp(entry->d_name, mine) < 0 &&
			 strcmp(entry->d_name, before) > 0)
			strcpy(before, entry->d_name);
	}
	there = there && errno == 0;
	closedir(dir);
	return there;
}

static void
fence_export(const char *mine)
{
	char path[PATH_MAX], line[256], value[256];
	FILE *file;

	snprintf(path, sizeof(path), ".zab/stat/%s", mine);
	if ((file = fopen(path, "r")) == NULL)
		err(OUT, "%s", path);
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "czxid %255s", value) == 1)
			setenv("FENCE", value, 1);
	fclose(file);
}

/* While we lead; returns the status of COMMAND. */
static int
supervise(const char *mine, int held, pid_t work)
{
	struct stat ours, st;
	int status, ended = (int)syscall(SYS_pidfd_open, work, 0);

	/* Once the session's deadline has passed, not even stat is answered: this ends in time. */
	while (fstat(held, &ours) == 0 && stat(mine, &st) == 0 && st.st_ino == ours.st_ino) {
		struct pollfd polled[2] = { { .fd = ended, .events = POLLIN },
			{ .events = POLLIN } };

		if ((polled[1].fd = watch(mine)) == -1)
			continue;
		poll(polled, 2, LOOK_LEADING_MS);
		close(polled[1].fd);
		if (polled[0].revents != 0) {
			waitpid(work, &status, 0);
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
		}
	}
	kill(work, SIGTERM);
	return OUT;
}

int
main(int argc, char *argv[])
{
	char mine[NAME_MAX + 2], before[NAME_MAX + 1];
	int held, fd, home = open(".", O_PATH | O_CLOEXEC);
	ssize_t n;
	pid_t work;

	if (argc < 4)
		errx(2, "usage: elect DIR NAME COMMAND...");
	session_find(argv[1]);
	/* Without O_CLOEXEC: COMMAND has it, too. If we are killed, it goes on, and leads. */
	if (chdir(argv[1]) == -1 ||
	    (held = open(".zab/sequence,held/candidate-", O_RDWR | O_CREAT, 0644)) == -1)
		begin_fails(argv[1]);
	if ((n = read(held, mine, sizeof(mine) - 1)) <= 0 || dprintf(held, "%s\n", argv[2]) < 0)
		err(OUT, "%s", argv[1]);
	mine[n - 1] = '\0'; /* its newline */

	for (;;) {
		if (!look(mine, before))
			errx(OUT, "out");
		if (before[0] == '\0')
			break;
		if ((fd = watch(before)) != -1) {
			struct pollfd waited = { .fd = fd, .events = POLLIN };

			poll(&waited, 1, LOOK_MS);
			close(fd);
		}
	}
	fence_export(mine);
	if ((work = fork()) == 0) {
		if (fchdir(home) == -1)
			err(127, "the working directory");
		execvp(argv[3], argv + 3);
		err(127, "%s", argv[3]);
	}
	return supervise(mine, held, work);
}
