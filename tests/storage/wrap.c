/*
 * The store's own calls to the kernel, by the linker's --wrap: the high-water
 * mark, the directory, the founding. Recorded and failing like SQLite's.
 */
#include "tests/storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int __real_open(const char *path, int flags, ...);
ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __real_pread(int fd, void *data, size_t len, off_t at);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_unlink(const char *path);
int __real_rename(const char *from, const char *to);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pread(int fd, void *data, size_t len, off_t at);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_unlink(const char *path);
int __wrap_rename(const char *from, const char *to);

static bool
path_of(int fd, char path[256])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, 255);
	path[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

int
__wrap_open(const char *path, int flags, ...)
{
	bool made;
	va_list list;
	mode_t mode;
	int fd;

	va_start(list, flags);
	mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
	va_end(list);
	if (fault_now(CALL_OPEN) != 0)
		return -1;
	made = flags & O_CREAT && access(path, F_OK) != 0;
	fd = __real_open(path, flags, mode);
	if (fd >= 0 && made)
		disk_event(EVENT_CREATE, path, NULL, 0, NULL, 0);
	return fd;
}

ssize_t
__wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
	char path[256];
	ssize_t n;

	if (fault_now(CALL_WRITE) != 0)
		return -1;
	n = __real_pwrite(fd, data, len, at);
	if (n > 0 && path_of(fd, path))
		disk_event(EVENT_WRITE, path, NULL, (uint64_t)at, data, (uint32_t)n);
	return n;
}

ssize_t
__wrap_pread(int fd, void *data, size_t len, off_t at)
{
	return fault_now(CALL_READ) != 0 ? -1 : __real_pread(fd, data, len, at);
}

int
__wrap_fdatasync(int fd)
{
	char path[256];
	int code;

	if (fault_now(CALL_SYNC) != 0)
		return -1;
	code = __real_fdatasync(fd);
	if (code == 0 && path_of(fd, path))
		disk_event(EVENT_SYNC, path, NULL, 0, NULL, 0);
	return code;
}

/* Only of directories. */
int
__wrap_fsync(int fd)
{
	char path[256];
	int code;

	if (fault_now(CALL_DIRSYNC) != 0)
		return -1;
	code = __real_fsync(fd);
	if (code == 0 && path_of(fd, path))
		disk_event(EVENT_DIRSYNC, path, NULL, 0, NULL, 0);
	return code;
}

int
__wrap_unlink(const char *path)
{
	int code;

	if (fault_now(CALL_DELETE) != 0)
		return -1;
	code = __real_unlink(path);
	if (code == 0)
		disk_event(EVENT_UNLINK, path, NULL, 0, NULL, 0);
	return code;
}

int
__wrap_rename(const char *from, const char *to)
{
	int code;

	if (fault_now(CALL_RENAME) != 0)
		return -1;
	code = __real_rename(from, to);
	if (code == 0)
		disk_event(EVENT_RENAME, from, to, 0, NULL, 0);
	return code;
}
