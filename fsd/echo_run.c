/*
 * The echo thread's system calls: one function per kind of change. Names that
 * the kernel may remember wrongly are dropped first (fsd/README.md, facts 2
 * and 13), lost races are run again. Called by echo.c on the echo thread.
 *
 * Directories are reached by their number through open_by_handle_at(2), which
 * raises no event and needs no path; with O_PATH, so nothing is opened. All of
 * it is done on a copy of the mount, which is made for the first job and kept
 * until the mount is gone: to close one takes the kernel up to 100 ms.
 */
#include "fsd/echo_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATIENCE_MS 2000 /* after a doubt, for directories to have a name again */
#define TRIES_MAX 16	 /* lost races on one name; then the event is given up and logged */
#define STALE_MS 1000	 /* and so long for a directory whose name the kernel can't set right */
#define FUSE_HANDLE_TYPE 0x81 /* FILEID_INO64_GEN: the node's number and generation (exportfs.h) */
#define FUSE_HANDLE_WORDS 3

/* What one event has cost so far. */
struct tries {
	int lost;
	uint32_t waited_ms;
};

/* A name in a directory, as the kernel is to be asked for it. */
struct place {
	int fd;
	uint64_t dir; /* its number, for invalidations */
	const char *name;
	bool is_guest;	 /* it has a name in the hall */
	bool is_nowhere; /* it is not there any more, and this is where nobody watches */
};

static int
below(const struct echo *echo, const char *path)
{
	return openat(echo->tree, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/*
 * A copy of what is at the mount point. Where our mount is read-only the copy is not: what is raised
 * there is a write to the kernel.
 */
static bool
tree_open(struct echo *echo)
{
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY };

	echo->tree =
	    open_tree(AT_FDCWD, echo->mountpoint, OPEN_TREE_CLONE | (unsigned)OPEN_TREE_CLOEXEC);
	if (echo->tree >= 0)
		mount_setattr(echo->tree, "", AT_EMPTY_PATH, &writable, sizeof writable);
	else /* an unbindable mount */
		echo->tree = open(echo->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return echo->tree >= 0;
}

/*
 * The copy of our mount, and the door. What is at the mount point may be another
 * file system by now (umount -l, a mount over it): there nothing must be touched.
 */
static bool
mount_open(struct echo *echo)
{
	if (echo->door >= 0)
		return true;
	if (!tree_open(echo))
		return false;
	echo->ours = false;
	echo->door = openat(echo->tree, ".zab/" ECHO_DOOR, O_RDONLY | O_CLOEXEC);
	if (echo->door >= 0 && echo->ours) {
		echo->hall = below(echo, ".zab/" ECHO_HALL);
		return true;
	}
	echo_off(echo);
	errno = ENODEV;
	return false;
}

/* The directory with this number; -1 and ESTALE: the kernel doesn't know it. */
static int
dir_open(struct echo *echo, uint64_t ino)
{
	struct {
		struct file_handle head;
		uint32_t words[FUSE_HANDLE_WORDS];
	} handle;
	uint32_t words[FUSE_HANDLE_WORDS] = { (uint32_t)(ino >> 32), (uint32_t)ino, 0 };

	if (ino == echo->root)
		return fcntl(echo->tree, F_DUPFD_CLOEXEC, 0); /* a path is asked for */
	if (ino == ino_make(INO_ZAB, echo->root))
		return below(echo, ".zab");
	memset(&handle, 0, sizeof handle);
	handle.head.handle_bytes = sizeof words;
	handle.head.handle_type = FUSE_HANDLE_TYPE;
	memcpy(handle.head.f_handle, words, sizeof words);
	return open_by_handle_at(echo->door, &handle.head, O_PATH | O_CLOEXEC);
}

/*
 * Whether once more. ESTALE: the kernel found a directory at another name than the one it had, and
 * somebody else's rename(2) was under way, which takes as long as a replica needs.
 */
static bool
goes_on(const struct echo *echo, struct tries *tries, int error)
{
	if (echo->left)
		return false;
	if (error != ESTALE)
		return ++tries->lost < TRIES_MAX;
	usleep(1000);
	return ++tries->waited_ms < STALE_MS;
}

/*
 * Likewise; where the kernel knows the directory, but no name of it, it gets one (echo_hall.c).
 * Somebody who looks the real one up meanwhile is in the way: again. In doubt the kernel drops a
 * directory's name before it asks for it: then it will have it again.
 */
static int
dir_found(struct echo *echo, uint64_t ino)
{
	struct tries tries = { 0 };
	int fd;

	if (echo->doubts_met != echo->doubts) {
		echo->doubts_met = echo->doubts;
		echo->patience_ms = PATIENCE_MS;
	}
	for (;;) {
		echo->guest = 0;
		echo->patient = echo->patience_ms != 0;
		fd = dir_open(echo, ino);
		if (fd >= 0 || errno != ESTALE || echo->guest == 0)
			return fd;
		if (echo->patient && !echo->left) {
			echo->patience_ms--;
			usleep(1000);
		} else if (!goes_on(echo, &tries, ESTALE)) {
			errno = ESTALE;
			return -1;
		}
	}
}

void
echo_off(struct echo *echo)
{
	if (echo->door >= 0)
		close(echo->door);
	if (echo->hall >= 0)
		close(echo->hall);
	if (echo->tree >= 0)
		close(echo->tree);
	echo->hall = -1;
	echo->door = -1;
	echo->tree = -1;
}

static bool
nowhere_open(struct echo *echo, struct place *place, const char *name)
{
	place->dir = ino_make(INO_ZAB, echo->root);
	place->name = name;
	place->is_guest = false;
	place->is_nowhere = true;
	place->fd = below(echo, ".zab");
	return place->fd >= 0;
}

/* Where the kernel forgot the directory, the place is nowhere. */
static bool
place_open(
    struct echo *echo, struct place *place, uint64_t dir, const char *name, const char *nowhere)
{
	place->dir = dir;
	place->name = name;
	place->is_nowhere = false;
	place->fd = dir_found(echo, dir);
	if (place->fd < 0 && errno == ESTALE && echo->guest == 0)
		return nowhere_open(echo, place, nowhere);
	place->is_guest = place->fd >= 0 && echo->guest != 0;
	return place->fd >= 0;
}

static bool
second_open(struct echo *echo, struct place *place, const struct echo_job *job)
{
	if (job->to_nowhere)
		return nowhere_open(echo, place, ECHO_NOWHERE2);
	return place_open(echo, place, job->parent2, job->name2, ECHO_NOWHERE2);
}

/*
 * Who looks a guest up by its real path would move it out of the hall, which the kernel only tries:
 * it is ESTALE while something else is moved. So guests don't stay.
 */
static void
place_close(struct echo *echo, struct place *place)
{
	char name[ECHO_GUEST_LEN];

	if (place->fd >= 0)
		close(place->fd);
	if (!place->is_guest)
		return;
	echo_hall_name(place->dir, name);
	fuse_lowlevel_notify_inval_entry(echo->se, ECHO_HALL_INO, name, strlen(name));
}

/*
 * error: of an attempt that has asked us for the name there, or hasn't. In a directory that a process
 * of this mount has removed meanwhile, and still has open, the kernel looks nothing up: nobody can
 * watch names there, but the node itself, and the other place of a move. (Nor does it ask for a name
 * that it remembers: that is a lost race.) Whether to try again.
 */
static bool
step_aside(struct echo *echo, struct place *place, bool asked, int error, const char *nowhere)
{
	if (error != ENOENT || asked || echo->wrong || place->is_nowhere)
		return false;
	place_close(echo, place);
	return nowhere_open(echo, place, nowhere);
}

/*
 * The kernel asks us for the name before it uses it again. Forgotten, a directory would take the
 * names of all below it along. A kernel before 6.2 can only forget.
 */
static void
forget_name(struct echo *echo, const struct place *place)
{
	size_t len = strlen(place->name);

	if (fuse_lowlevel_notify_expire_entry(
		echo->se, place->dir, place->name, len, FUSE_LL_EXPIRE_ONLY) == -ENOSYS)
		fuse_lowlevel_notify_inval_entry(echo->se, place->dir, place->name, len);
}

static int
try_add(struct echo *echo, const struct echo_job *job, const struct place *at)
{
	(void)echo;
	if (S_ISDIR(job->mode))
		return mkdirat(at->fd, at->name, job->mode & 07777);
	if (S_ISLNK(job->mode))
		return symlinkat("echo", at->fd, at->name);
	return mknodat(at->fd, at->name, S_IFREG | (job->mode & 07777), 0);
}

static int
try_remove(struct echo *echo, const struct echo_job *job, const struct place *at)
{
	forget_name(echo, at);
	return unlinkat(at->fd, at->name, S_ISDIR(job->mode) ? AT_REMOVEDIR : 0);
}

/*
 * The node itself: not what a symbolic link leads to that somebody's look-up has put at the name, nor
 * what is mounted over it where the mount could not be copied. Either may be any file of this machine.
 */
static int
node_open(const struct place *at, int flags)
{
	struct open_how how = { .flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_NO_XDEV };

	return (int)syscall(SYS_openat2, at->fd, at->name, &how, sizeof how);
}

static int
touch(const struct place *at, const struct timespec times[2])
{
	int fd = node_open(at, O_PATH), error;

	if (fd < 0)
		return -1;
	error = utimensat(fd, "", times, AT_EMPTY_PATH) == 0 ? 0 : errno;
	close(fd);
	errno = error;
	return error == 0 ? 0 : -1;
}

/*
 * What is being executed can't be opened for writing, and who has a lease (fcntl(2)) may hold us up
 * for as long as /proc/sys/fs/lease-break-time says: then it is MODIFY alone.
 */
static int
modify(const struct place *at)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };

	return touch(at, times);
}

static int
try_value(struct echo *echo, const struct echo_job *job, const struct place *at)
{
	int fd, error;

	(void)echo;
	(void)job;
	fd = node_open(at, O_WRONLY | O_NONBLOCK);
	if (fd < 0 && (errno == ETXTBSY || errno == EWOULDBLOCK))
		return modify(at);
	if (fd < 0)
		return -1;
	error = write(fd, "", 1) == 1 ? 0 : errno;
	close(fd);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* Both times: ATTRIB alone. */
static int
try_attr(struct echo *echo, const struct echo_job *job, const struct place *at)
{
	(void)echo;
	(void)job;
	return touch(at, NULL);
}

/*
 * A lost race, if the operation did not arrive: somebody else's lookup put a name into the kernel in
 * between, of another node, maybe of another kind; or of the one that is at the other place of a
 * move: two names of one node are renamed without us, and without an event.
 */
static bool
lost_race(const struct echo *echo, int error)
{
	return echo->wrong || error == 0 || error == EEXIST || error == ENOENT || error == ESTALE ||
	       error == ENOTDIR || error == EISDIR || error == ENOTEMPTY || error == EINVAL ||
	       error == ELOOP;
}

static void
begin(struct echo *echo)
{
	echo->wrong = false;
	echo->asked = false;
	echo->asked2 = false;
	echo->answered = false;
}

/* The log is the loop's: this thread's descriptors are its own. */
static void
give_up(struct echo *echo, const struct echo_job *job, int error)
{
	/* A race that was lost each time, whatever the kernel calls it. */
	if (echo->wrong || error == 0)
		error = EAGAIN;
	if (echo->left || error == ENODEV || error == ENOTCONN || error == ECONNABORTED)
		return; /* the mount is gone */
	pthread_mutex_lock(&echo->mutex);
	if (echo->complaint[0] != '\0')
		echo->complaints++;
	else
		snprintf(echo->complaint, sizeof echo->complaint,
		    "kind=%d ino=%llu name=%s reason=\"%s\"", (int)job->kind,
		    (unsigned long long)job->ino, job->name, strerror(error));
	pthread_mutex_unlock(&echo->mutex);
	if (echo->handler != NULL && echo->handler->complains != NULL)
		echo->handler->complains(echo->arg);
}

static void
run_at(struct echo *echo, struct echo_job *job,
    int (*try)(struct echo *echo, const struct echo_job *job, const struct place *at))
{
	struct tries tries = { 0 };
	struct place at;
	int error;

	if (!place_open(echo, &at, job->parent, job->name, ECHO_NOWHERE)) {
		give_up(echo, job, errno);
		return;
	}
	for (;;) {
		begin(echo);
		error = try(echo, job, &at) == 0 ? 0 : errno;
		if (!echo->answered && step_aside(echo, &at, echo->asked, error, ECHO_NOWHERE))
			continue;
		if (echo->answered || !lost_race(echo, error) || !goes_on(echo, &tries, error))
			break;
		forget_name(echo, &at);
	}
	if (!echo->answered)
		give_up(echo, job, error);
	place_close(echo, &at);
}

static void
run_move(struct echo *echo, struct echo_job *job)
{
	struct place from = { .fd = -1 }, to = { .fd = -1 };
	struct tries tries = { 0 };
	struct stat st;
	int error;

	if (!place_open(echo, &from, job->parent, job->name, ECHO_NOWHERE) ||
	    !second_open(echo, &to, job)) {
		give_up(echo, job, errno);
		goto out;
	}
	for (;;) {
		forget_name(echo, &from);
		forget_name(echo, &to);
		/* Otherwise a directory that changes its parent is ESTALE (fact 13). */
		if (S_ISDIR(job->mode))
			fstatat(from.fd, from.name, &st, AT_SYMLINK_NOFOLLOW);
		if (job->kind == ECHO_SWAP && S_ISDIR(job->mode2))
			fstatat(to.fd, to.name, &st, AT_SYMLINK_NOFOLLOW);
		begin(echo);
		error = renameat2(from.fd, from.name, to.fd, to.name,
			    job->kind == ECHO_SWAP ? RENAME_EXCHANGE : 0) == 0
			    ? 0
			    : errno;
		if (!echo->answered &&
		    (step_aside(echo, &from, echo->asked, error, ECHO_NOWHERE) ||
			step_aside(echo, &to, echo->asked2, error, ECHO_NOWHERE2)))
			continue;
		if (echo->answered || !lost_race(echo, error) || !goes_on(echo, &tries, error))
			break;
	}
	if (!echo->answered)
		give_up(echo, job, error);
out:
	place_close(echo, &from);
	place_close(echo, &to);
}

/* The root has no name. */
static void
run_root(struct echo *echo, const struct echo_job *job)
{
	begin(echo);
	if (fchmodat(echo->tree, ".", job->mode & 07777, 0) != 0)
		give_up(echo, job, errno);
}

void
echo_run(struct echo *echo, struct echo_job *job)
{
	begin(echo);
	if (!mount_open(echo)) {
		give_up(echo, job, errno);
		return;
	}
	switch (job->kind) {
	case ECHO_ADD:
		run_at(echo, job, try_add);
		break;
	case ECHO_REMOVE:
		run_at(echo, job, try_remove);
		break;
	case ECHO_MOVE:
	case ECHO_SWAP:
		run_move(echo, job);
		break;
	case ECHO_VALUE:
	case ECHO_ZAB:
		run_at(echo, job, try_value);
		break;
	case ECHO_ATTR:
		if (job->ino == echo->root)
			run_root(echo, job);
		else
			run_at(echo, job, try_attr);
		break;
	}
}
