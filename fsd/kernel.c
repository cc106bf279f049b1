/* The /dev/fuse side. See kernel.h; made by main.c. */
#include "fsd/kernel_internal.h"

#include "fsd/grace.h"
#include "fsd/kernel_root.h"
#include "fsd/kept.h"
#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_WRITE (1u << 20) /* fact 16 */
#define BATCH 32	     /* requests of one turn of the loop: the link is to be heard, too */
#define NOTIFY_INC_EPOCH 8   /* FUSE_NOTIFY_INC_EPOCH, since Linux 6.16; fact 25 */
#define BACKGROUND_MAX 256   /* RELEASEs that wait for the replica are among them */

static ssize_t
io_read(int fd, void *buffer, size_t len, void *userdata)
{
	(void)userdata;
	return read(fd, buffer, len);
}

/*
 * What other threads have to tell. The device is open in the loop's table alone: a thread that
 * hangs doesn't keep it open when the process is dead.
 */
static ssize_t
write_apart(const struct kernel *kernel, struct iovec *iov, int count)
{
	int fd = pidfd_getfd(kernel->pidfd, kernel->fd, 0), error;
	ssize_t written;

	if (fd < 0)
		return -1;
	written = writev(fd, iov, count);
	error = errno;
	close(fd);
	errno = error;
	return written;
}

/* Also called by other threads, for notifications; those have no unique. */
static ssize_t
io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fsd *fsd = userdata;
	struct kernel *kernel = fsd->kernel;
	const struct fuse_out_header *header = iov[0].iov_base;
	struct fuse_init_out *init;
	bool ready = false;
	ssize_t written;

	kernel_root_out(fsd->root.id, iov, count);
	if (kernel != NULL && kernel->tid != gettid())
		return write_apart(kernel, iov, count);
	/* The kernel has had this answer from a process before us. */
	if (kernel != NULL && kernel->initiating)
		return (ssize_t)header->len;
	if (header->unique != 0 && kernel != NULL && header->unique == kernel->init_unique &&
	    header->error == 0 && count > 1) {
		init = iov[1].iov_base;
		init->flags |= kernel->init_flags & FUSE_PARALLEL_DIROPS;
		kernel->init_unique = 0;
		ready = true;
	}
	written = writev(fd, iov, count);
	/* Unmounted: libfuse need not complain of each answer that nobody takes. */
	if (written < 0 && errno == ENODEV) {
		fuse_session_exit(fsd->se);
		errno = ENODEV;
	}
	if (ready && written >= 0)
		fsd->kept->head->init_len = kernel->init_len;
	if (ready && written >= 0 && kernel->handler->ready != NULL)
		kernel->handler->ready(kernel->arg);
	return written;
}

void
kernel_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want &=
	    ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
			FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_CACHE_SYMLINKS);
	conn->want |= conn->capable &
		      (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
			  FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_POSIX_LOCKS |
			  FUSE_CAP_EXPORT_SUPPORT);
	conn->max_write = MAX_WRITE;
	conn->max_background = BACKGROUND_MAX;
	conn->congestion_threshold = BACKGROUND_MAX / 4 * 3;
	conn->time_gran = 1;
}

/* The first words of the kernel, for the processes after us. */
static void
remember_init(struct kernel *kernel, const struct fuse_in_header *header, size_t len)
{
	struct kept_head *head = kernel->fsd->kept->head;

	kernel->init_unique = header->unique;
	kernel->init_flags = ((const struct fuse_init_in *)(header + 1))->flags;
	kernel->init_len = len <= KEPT_INIT_MAX ? (uint32_t)len : 0;
	memcpy(head->init, header, kernel->init_len);
}

void
kernel_process(struct kernel *kernel, void *bytes, size_t len)
{
	const struct fuse_in_header *header = bytes;
	struct fuse_buf buf = { .size = len, .mem = bytes };

	if (len < sizeof *header) {
		log_error("a request of the kernel is too short bytes=%zu", len);
		return;
	}
	kernel_root_in(kernel->fsd->root.id, bytes, len);
	if (header->opcode == FUSE_INIT &&
	    len >= sizeof *header + offsetof(struct fuse_init_in, flags2))
		remember_init(kernel, header, len);
	/*
	 * Ids are given out in the order of the queue; only these get theirs when they are
	 * read.
	 */
	if (header->opcode != FUSE_INTERRUPT && header->opcode != FUSE_FORGET &&
	    header->opcode != FUSE_BATCH_FORGET)
		kernel->unique = header->unique & ~RESEND_BIT;
	if (kernel->unique > kernel->fsd->kept->head->unique)
		kernel->fsd->kept->head->unique = kernel->unique;
	kernel->resent = (header->unique & RESEND_BIT) != 0;
	if (header->opcode == FUSE_POLL && len >= sizeof *header + sizeof(struct fuse_poll_in))
		kernel->poll = ((const struct fuse_poll_in *)(header + 1))->kh;
	if (kernel_is_dead(kernel, header))
		return;
	if (!kernel->resent && !kernel->initiating)
		grace_request(kernel->fsd, (int32_t)header->pid, header->opcode, header->nodeid);
	fuse_session_process_buf(kernel->fsd->se, &buf);
}

static void
lost(struct kernel *kernel, int errnum)
{
	kernel->gone = true;
	event_del(kernel->event);
	if (errnum != ENODEV)
		log_error("reading /dev/fuse: %s", strerror(errnum));
	kernel->handler->gone(kernel->arg, errnum);
}

static void
on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct kernel *kernel = arg;
	ssize_t len;
	int i;

	(void)fd;
	(void)events;
	for (i = 0; i < BATCH && !kernel->gone; i++) {
		len = read(kernel->fd, kernel->buffer, KERNEL_BUFFER);
		if (len > 0) {
			kernel_process(kernel, kernel->buffer, (size_t)len);
			continue;
		}
		/* ENOENT: the request was taken back between being queued and being read. */
		if (len < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (len < 0 && errno == EAGAIN)
			break;
		lost(kernel, len == 0 ? ENODEV : errno);
	}
}

static bool
session_make(struct kernel *kernel)
{
	static const struct fuse_custom_io io = { .read = io_read, .writev = io_writev };
	char program[] = "zabfs-fsd";
	char *argv[] = { program, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fsd *fsd = kernel->fsd;
	int error;

	fsd->se = fuse_session_new(&args, &fsd_ops, sizeof fsd_ops, fsd);
	fuse_opt_free_args(&args);
	if (fsd->se == NULL) {
		errno = ENOMEM;
		return false;
	}
	error = fuse_session_custom_io(fsd->se, &io, kernel->fd);
	if (error == 0)
		return true;
	fuse_session_destroy(fsd->se);
	fsd->se = NULL;
	errno = -error;
	return false;
}

struct kernel *
kernel_new(struct fsd *fsd, int fd, const struct kernel_handler *handler, void *arg)
{
	struct kernel *kernel = calloc(1, sizeof *kernel);
	void *buffer = NULL;
	int flags = fcntl(fd, F_GETFL);

	CHECK(kernel != NULL && posix_memalign(&buffer, 4096, KERNEL_BUFFER) == 0);
	/* A kill while the kernel copies a request to pages that are not there yet is its caller's EIO. */
	memset(buffer, 0, KERNEL_BUFFER);
	*kernel = (struct kernel){
		.fsd = fsd, .fd = fd, .handler = handler, .arg = arg, .buffer = buffer
	};
	kernel->unique = fsd->kept->head->unique;
	kernel->tid = gettid();
	kernel->pidfd = pidfd_open(getpid(), 0);
	if (kernel->pidfd < 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    !session_make(kernel)) {
		if (kernel->pidfd >= 0)
			close(kernel->pidfd);
		free(buffer);
		free(kernel);
		return NULL;
	}
	kernel->event = event_new(fsd->base, fd, EV_READ | EV_PERSIST, on_readable, kernel);
	CHECK(kernel->event != NULL);
	fsd->kernel = kernel;
	return kernel;
}

void
kernel_start(struct kernel *kernel)
{
	CHECK(event_add(kernel->event, NULL) == 0);
}

void
kernel_free(struct kernel *kernel)
{
	if (kernel == NULL)
		return;
	event_free(kernel->event);
	fuse_session_destroy(kernel->fsd->se); /* closes the descriptor */
	close(kernel->pidfd);
	kernel->fsd->se = NULL;
	kernel->fsd->kernel = NULL;
	free(kernel->buffer);
	free(kernel);
}

bool
kernel_names_doubt(struct kernel *kernel)
{
	struct fuse_out_header header = { .len = sizeof header, .error = NOTIFY_INC_EPOCH };
	struct iovec iov = { .iov_base = &header, .iov_len = sizeof header };

	return writev(kernel->fd, &iov, 1) == (ssize_t)sizeof header;
}

void
kernel_apart(const struct kernel *kernel, int needed)
{
	unsigned kept[] = { (unsigned)kernel->pidfd, (unsigned)needed }, i, at = STDERR_FILENO + 1;

	if (unshare(CLONE_FILES) != 0) {
		log_warn("a thread shares the descriptors: %s", strerror(errno));
		return;
	}
	if (kept[0] > kept[1]) {
		kept[0] = (unsigned)needed;
		kept[1] = (unsigned)kernel->pidfd;
	}
	for (i = 0; i < 2 && kept[i] != UINT_MAX; i++) {
		if (kept[i] > at)
			close_range(at, kept[i] - 1, 0);
		at = kept[i] + 1;
	}
	close_range(at, UINT_MAX, 0);
}

void
kernel_stop(struct kernel *kernel)
{
	kernel->gone = true;
	event_del(kernel->event);
}

bool
kernel_is_resent(const struct kernel *kernel)
{
	return kernel->resent;
}

uint64_t
kernel_poll_id(const struct kernel *kernel)
{
	return kernel->poll;
}

uint64_t
kernel_rid(const struct kernel *kernel)
{
	return kernel->unique * KERNEL_RIDS;
}

uint64_t
kernel_unique(const struct kernel *kernel)
{
	return kernel->unique;
}
