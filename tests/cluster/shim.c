/*
 * Stands between a daemon and its disk and clock, by LD_PRELOAD: a disk that
 * fails, is full, or takes its time, and a clock that somebody sets. What it does
 * is in a file, mapped, that the test writes (nemesis_disk.sh, shim_set): a letter
 * and a number of seconds.
 *
 *   w, s   the next write, the next sync fails with EIO
 *   f      every write fails with ENOSPC
 *   t      the next sync takes a while
 *   -      nothing
 *
 * The letters w, s and t become - when it happens. The seconds are added to
 * CLOCK_REALTIME, to nothing else.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FILE_LEN 32
#define SLOW_US 700000

static char nothing[FILE_LEN] = "-0";
static char *orders = nothing;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);

/* A function's address in a variable: what POSIX asks of dlsym(3). */
static void
find(void *function, const char *name)
{
	*(void **)function = dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void
start(void)
{
	const char *path = getenv("ZABFS_SHIM");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	char *map;

	find(&real_clock_gettime, "clock_gettime");
	find(&real_fdatasync, "fdatasync");
	find(&real_fsync, "fsync");
	find(&real_pwrite, "pwrite64");
	if (fd < 0)
		return;
	map = mmap(NULL, FILE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		orders = map;
	close(fd);
}

/* True for one caller, and only once. */
static bool
taken(char order)
{
	return orders[0] == order &&
	       atomic_compare_exchange_strong((_Atomic char *)orders, &order, '-');
}

static bool
sync_fails(void)
{
	if (taken('t'))
		usleep(SLOW_US);
	if (!taken('s'))
		return false;
	errno = EIO;
	return true;
}

int
fdatasync(int fd)
{
	return sync_fails() ? -1 : real_fdatasync(fd);
}

int
fsync(int fd)
{
	return sync_fails() ? -1 : real_fsync(fd);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	bool full = orders[0] == 'f';

	if (!full && !taken('w'))
		return real_pwrite(fd, data, len, at);
	errno = full ? ENOSPC : EIO;
	return -1;
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
	return pwrite64(fd, data, len, at);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int result;

	/* A sanitizer asks before start() has run. */
	if (real_clock_gettime == NULL)
		find(&real_clock_gettime, "clock_gettime");
	result = real_clock_gettime(clock, now);
	if (result == 0 && clock == CLOCK_REALTIME)
		now->tv_sec += strtol(orders + 1, NULL, 10);
	return result;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	*now = (struct timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };
	return 0;
}
