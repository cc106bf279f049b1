/* Mounting and unmounting. See mountd.h. */
#include "mountd/mountd.h"

#include "replica/lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define MNT_ID_UNIQUE 0x4000 /* STATX_MNT_ID_UNIQUE, since Linux 6.8 */
#define LOOK_MS 10000	     /* a mountd that lives has replaced an fsd that hangs by then */

int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Blanks, tabs, newlines and backslashes are \ooo in the kernel's table. */
static void
unescape(char *path)
{
	const char *from = path;
	unsigned byte;

	while (*from != '\0') {
		if (from[0] == '\\' && sscanf(from + 1, "%3o", &byte) == 1) {
			*path++ = (char)byte;
			from += 4;
		} else {
			*path++ = *from++;
		}
	}
	*path = '\0';
}

/*
 * The path as the kernel's table has it, whichever way it was said. Nobody is asked: realpath(3)
 * would be answered by the daemon of what is mounted there, which may hang.
 */
static bool
true_path(const char *mountpoint, char path[PATH_MAX])
{
	int fd = open(mountpoint, O_PATH | O_CLOEXEC);
	char link[64];
	ssize_t len;

	if (fd < 0)
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	len = readlink(link, path, PATH_MAX - 1);
	close(fd);
	path[len < 0 ? 0 : len] = '\0';
	return len > 0;
}

/* The type of what is mounted there last, by the kernel's table: nobody is asked. */
static bool
is_zabfs(const char *mountpoint)
{
	char *line = NULL, path[PATH_MAX], type[64];
	FILE *table = fopen("/proc/self/mountinfo", "re");
	size_t size = 0;
	bool ours = false;

	while (table != NULL && getline(&line, &size, table) > 0) {
		const char *rest = strstr(line, " - ");

		if (sscanf(line, "%*u %*u %*s %*s %4095s", path) != 1)
			continue;
		unescape(path);
		if (strcmp(path, mountpoint) == 0)
			ours = rest != NULL && sscanf(rest, " - %63s", type) == 1 &&
			       strcmp(type, "fuse.zabfs") == 0;
	}
	free(line);
	if (table != NULL)
		fclose(table);
	return ours;
}

/* By a process of its own, which may hang. */
static pid_t
look(const char *mountpoint)
{
	struct statfs st;
	pid_t pid = fork();

	if (pid == 0)
		_exit(statfs(mountpoint, &st) != 0 && (errno == ENOTCONN || errno == ECONNABORTED));
	return pid;
}

/*
 * A mount whose daemon is dead answers ENOTCONN; to stat(2) only if nothing is cached. One whose
 * mountd is dead, and whose fsd hangs, answers nobody. True: one is gone, and what it covered may be
 * another.
 */
static bool
stale_remove(const char *mountpoint)
{
	pid_t pid = look(mountpoint);
	int64_t until_ms = now_ms() + LOOK_MS;
	bool hangs = pid > 0, dead, removed;
	int status = 0;

	while (hangs && now_ms() < until_ms) {
		hangs = waitpid(pid, &status, WNOHANG) == 0;
		if (hangs)
			usleep(1000);
	}
	dead = !hangs && WIFEXITED(status) && WEXITSTATUS(status) == 1;
	if (hangs)
		kill(pid, SIGKILL);
	removed = (dead || (hangs && is_zabfs(mountpoint))) &&
		  umount2(mountpoint, MNT_FORCE | MNT_DETACH) == 0;
	if (removed)
		log_info("stale mount removed mountpoint=%s", mountpoint);
	if (hangs)
		waitpid(pid, NULL, WNOHANG);
	return removed;
}

int
mount_resolve(struct mountd *mountd, const char *mountpoint)
{
	struct stat st;

	while (true_path(mountpoint, mountd->mountpoint) && stale_remove(mountd->mountpoint))
		continue;
	if (realpath(mountpoint, mountd->mountpoint) == NULL ||
	    stat(mountd->mountpoint, &st) != 0) {
		log_error("mount point %s: %s", mountpoint, strerror(errno));
		return EX_NOINPUT;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_error("mount point %s: not a directory", mountpoint);
		return EX_NOINPUT;
	}
	return 0;
}

/*
 * What is mounted there, without asking its daemon, which may be dead. 0: unknown. A device's number
 * is given out again at once, to whom a mount follows: only an older kernel has no better one.
 */
static uint64_t
mount_at(const char *mountpoint)
{
	struct statx stx;

	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC, MNT_ID_UNIQUE, &stx) != 0)
		return 0;
	if ((stx.stx_mask & MNT_ID_UNIQUE) != 0)
		return stx.stx_mnt_id;
	return (uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
}

/*
 * Of a read-only mount the mount alone, not the file system: on a copy of the mount fsd raises what
 * happens elsewhere, by system calls that change something. Where that can't be it only raises
 * nothing.
 */
static void
mount_raises(const char *mountpoint)
{
	int fs = fspick(AT_FDCWD, mountpoint, FSPICK_CLOEXEC | FSPICK_NO_AUTOMOUNT);

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_FLAG, "rw", NULL, 0) != 0 ||
	    fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) != 0)
		log_warn("no inotify events will be raised reason=\"%s\"", strerror(errno));
	if (fs >= 0)
		close(fs);
}

int
mount_make(struct mountd *mountd)
{
	char data[128], source[PATH_MAX];
	int error;

	mountd->kept_fd = memfd_create("zabfs-kept", MFD_CLOEXEC);
	if (mountd->kept_fd < 0) {
		log_error("memory: %s", strerror(errno));
		return EX_OSERR;
	}
	mountd->fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (mountd->fuse_fd < 0) {
		error = errno;
		log_error("/dev/fuse: %s", strerror(error));
		return error == EACCES || error == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
	}
	snprintf(data, sizeof data,
	    "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
	    mountd->fuse_fd);
	if (is_zabfs(mountd->mountpoint))
		log_warn("mounting over a mount of zabfs mountpoint=%s", mountd->mountpoint);
	snprintf(source, sizeof source, "zabfs%s%s", mountd->subtree != NULL ? ":" : "",
	    mountd->subtree != NULL ? mountd->subtree : "");
	if (mount(source, mountd->mountpoint, "fuse.zabfs",
		mountd->mount_flags | MS_NOSUID | MS_NODEV, data) == 0) {
		mountd->mounted = mount_at(mountd->mountpoint);
		if ((mountd->mount_flags & MS_RDONLY) != 0)
			mount_raises(mountd->mountpoint);
		return 0;
	}
	error = errno;
	log_error("mounting %s: %s", mountd->mountpoint, strerror(error));
	close(mountd->fuse_fd);
	return error == EPERM ? EX_NOPERM : EX_OSERR;
}

/* Until umount(8), or an abort through /sys/fs/fuse: then the device's number may be another's. */
bool
mount_connected(const struct mountd *mountd)
{
	struct pollfd fd = { .fd = mountd->fuse_fd };

	return poll(&fd, 1, 0) == 0 || (fd.revents & POLLERR) == 0;
}

void
mount_remove(struct mountd *mountd)
{
	bool mounted = mount_connected(mountd);

	/* Closing our descriptor aborts what still hangs on it: nobody waits for a dead fsd. */
	close(mountd->fuse_fd);
	/* Only what is ours: after umount(8) another file system may be mounted here. */
	if (mountd->mounted == 0 || mount_at(mountd->mountpoint) != mountd->mounted)
		return;
	if (!mounted)
		(void)stale_remove(mountd->mountpoint);
	else if (umount2(mountd->mountpoint, MNT_FORCE | MNT_DETACH) != 0 && errno != EINVAL)
		log_error("unmounting %s: %s", mountd->mountpoint, strerror(errno));
}
