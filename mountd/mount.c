/* Mounting and unmounting. See mountd.h. */
#include "mountd/mountd.h"

#include "replica/lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sysexits.h>
#include <unistd.h>

/* A mount whose daemon is dead answers ENOTCONN; to stat(2) only if nothing is cached. */
static void
stale_remove(const char *mountpoint)
{
	struct statfs st;

	if (statfs(mountpoint, &st) == 0 || errno != ENOTCONN)
		return;
	if (umount2(mountpoint, MNT_DETACH) == 0)
		log_info("stale mount removed mountpoint=%s", mountpoint);
}

int
mount_resolve(struct mountd *mountd, const char *mountpoint)
{
	struct stat st;

	stale_remove(mountpoint);
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

/* The device of what is mounted there, without asking its daemon, which may be dead. 0: unknown. */
static uint64_t
device_at(const char *mountpoint)
{
	struct statx stx;

	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC, STATX_TYPE, &stx) != 0)
		return 0;
	return (uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
}

int
mount_make(struct mountd *mountd)
{
	char data[128], source[PATH_MAX];
	int error;

	mountd->fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (mountd->fuse_fd < 0) {
		error = errno;
		log_error("/dev/fuse: %s", strerror(error));
		return error == EACCES || error == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
	}
	snprintf(data, sizeof data,
	    "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
	    mountd->fuse_fd);
	snprintf(source, sizeof source, "zabfs%s%s", mountd->subtree != NULL ? ":" : "",
	    mountd->subtree != NULL ? mountd->subtree : "");
	if (mount(source, mountd->mountpoint, "fuse.zabfs",
		mountd->mount_flags | MS_NOSUID | MS_NODEV, data) == 0) {
		mountd->device = device_at(mountd->mountpoint);
		return 0;
	}
	error = errno;
	log_error("mounting %s: %s", mountd->mountpoint, strerror(error));
	close(mountd->fuse_fd);
	return error == EPERM ? EX_NOPERM : EX_OSERR;
}

/* Until umount(8), or an abort through /sys/fs/fuse: then the device's number may be another's. */
static bool
connected(int fuse_fd)
{
	struct pollfd fd = { .fd = fuse_fd };

	return poll(&fd, 1, 0) == 0 || (fd.revents & POLLERR) == 0;
}

void
mount_remove(struct mountd *mountd)
{
	bool mounted = connected(mountd->fuse_fd);

	/* Closing our descriptor aborts what still hangs on it: nobody waits for a dead fsd. */
	close(mountd->fuse_fd);
	/* Only what is ours: after umount(8) another file system may be mounted here. */
	if (mountd->device == 0 || device_at(mountd->mountpoint) != mountd->device)
		return;
	if (!mounted)
		stale_remove(mountd->mountpoint);
	else if (umount2(mountd->mountpoint, MNT_DETACH) != 0 && errno != EINVAL)
		log_error("unmounting %s: %s", mountd->mountpoint, strerror(errno));
}
