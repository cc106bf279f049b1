/*
 * The device, taken over from a process that is dead. See kernel.h.
 *
 * The kernel sends what has no answer once more, in no order. It is put into
 * that of the request ids before any of it is handled: what a process did last
 * (a RELEASE, which nobody waits for) comes before what it does next, and the
 * replica is never promised that an id is done with while a smaller one is still
 * to come (link_queue.c).
 *
 * Threads of the dead process may hang in a system call of the echo's. What they
 * ask for must not be taken for anybody's wish: they get EINTR, raise no event,
 * and end.
 */
#include "fsd/handle.h"
#include "fsd/inode.h"
#include "fsd/kept.h"
#include "fsd/kernel_internal.h"
#include "fsd/queued.h"
#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define NOTIFY_RESEND 7 /* FUSE_NOTIFY_RESEND, since Linux 6.9 */

struct request {
	uint64_t unique;
	size_t len;
	void *bytes;
};

struct batch {
	struct request *requests;
	size_t n, room;
};

static void
batch_add(struct batch *batch, const void *bytes, size_t len)
{
	struct request *request;

	if (batch->n == batch->room) {
		batch->room = batch->room == 0 ? 64 : batch->room * 2;
		batch->requests =
		    reallocarray(batch->requests, batch->room, sizeof *batch->requests);
		CHECK(batch->requests != NULL);
	}
	request = &batch->requests[batch->n++];
	request->unique = ((const struct fuse_in_header *)bytes)->unique & ~RESEND_BIT;
	request->len = len;
	request->bytes = malloc(len);
	CHECK(request->bytes != NULL);
	memcpy(request->bytes, bytes, len);
}

static int
by_unique(const void *a, const void *b)
{
	const struct request *one = a, *other = b;

	return one->unique < other->unique ? -1 : one->unique > other->unique;
}

static bool
comes_again(void *arg, uint64_t unique)
{
	const struct batch *batch = arg;
	struct request key = { .unique = unique };

	return batch->n != 0 &&
	       bsearch(&key, batch->requests, batch->n, sizeof *batch->requests, by_unique) != NULL;
}

/* What nobody waits for is no call of a thread's, whoever's number it bears. */
static bool
is_call(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
	       opcode != FUSE_RELEASE && opcode != FUSE_RELEASEDIR && opcode != FUSE_INIT;
}

/* Whether its answer raises an event. */
static bool
raises(uint32_t opcode)
{
	return opcode == FUSE_MKNOD || opcode == FUSE_MKDIR || opcode == FUSE_SYMLINK ||
	       opcode == FUSE_UNLINK || opcode == FUSE_RMDIR || opcode == FUSE_RENAME ||
	       opcode == FUSE_RENAME2 || opcode == FUSE_WRITE || opcode == FUSE_SETATTR;
}

static bool
lives(const struct kept_thread *thread)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d", (int)thread->pid, (int)thread->tid);
	return access(path, F_OK) == 0;
}

static void
answer_dead(const struct kernel *kernel, uint64_t unique)
{
	struct fuse_out_header header = { .len = sizeof header, .error = -EINTR, .unique = unique };
	struct iovec iov = { .iov_base = &header, .iov_len = sizeof header };

	if (writev(kernel->fd, &iov, 1) < 0)
		log_debug("a thread of a dead process is gone");
}

bool
kernel_is_dead(struct kernel *kernel, const struct fuse_in_header *header)
{
	struct kept_thread *threads = kernel->fsd->kept->head->threads;
	size_t i;

	for (i = 0; i < KEPT_THREADS; i++) {
		if (threads[i].tid == 0 || threads[i].tid != (int32_t)header->pid ||
		    !is_call(header->opcode))
			continue;
		if (lives(&threads[i])) {
			answer_dead(kernel, header->unique);
			return true;
		}
		threads[i] = (struct kept_thread){ 0 };
	}
	return false;
}

/* The echo's thread of the last process joins those of the ones before. */
static void
threads_note(struct kept_head *head)
{
	struct kept_thread last = { head->echo.pid, head->echo.tid };
	size_t i;

	for (i = 0; i < KEPT_THREADS; i++)
		if (head->threads[i].tid != 0 && !lives(&head->threads[i]))
			head->threads[i] = (struct kept_thread){ 0 };
	for (i = 0; i < KEPT_THREADS && last.tid != 0; i++) {
		if (head->threads[i].tid != 0)
			continue;
		head->threads[i] = last;
		return;
	}
}

static bool
send_again(const struct kernel *kernel)
{
	struct fuse_out_header header = { .len = sizeof header, .error = NOTIFY_RESEND };
	struct iovec iov = { .iov_base = &header, .iov_len = sizeof header };

	return writev(kernel->fd, &iov, 1) == (ssize_t)sizeof header;
}

/*
 * They stand before all others; FORGETs and INTERRUPTs come in between. Returns the length of the
 * first request that is new, in kernel->buffer; 0: there is none yet.
 */
static size_t
collect(struct kernel *kernel, struct batch *batch)
{
	const struct fuse_in_header *header = (const void *)kernel->buffer;
	ssize_t len;

	for (;;) {
		len = read(kernel->fd, kernel->buffer, KERNEL_BUFFER);
		if (len < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (len < (ssize_t)sizeof *header)
			return 0; /* nothing, or the end: the loop sees it */
		if (header->opcode == FUSE_FORGET || header->opcode == FUSE_BATCH_FORGET ||
		    header->opcode == FUSE_INTERRUPT)
			kernel_process(kernel, kernel->buffer, (size_t)len);
		else if ((header->unique & RESEND_BIT) != 0)
			batch_add(batch, kernel->buffer, (size_t)len);
		else
			return (size_t)len;
	}
}

/* The entries of an answer that the kernel has not got. */
static void
take_back(struct fsd *fsd, const struct batch *batch)
{
	struct kept_head *head = fsd->kept->head;
	uint32_t i;

	if (head->given_unique != 0 && comes_again((void *)(uintptr_t)batch, head->given_unique))
		for (i = 0; i < head->ngiven; i++)
			inode_forget(fsd, head->given[i], 1);
	kept_give(fsd->kept, 0);
}

/* Who polls is told of nothing that a process before us promised: it is to ask again. */
static void
wake_poller(void *arg, uint64_t id)
{
	const struct kernel *kernel = arg;
	struct fuse_notify_poll_wakeup_out out = { .kh = id };
	struct fuse_out_header header = { .len = sizeof header + sizeof out,
		.error = FUSE_NOTIFY_POLL };
	struct iovec iov[] = { { .iov_base = &header, .iov_len = sizeof header },
		{ .iov_base = &out, .iov_len = sizeof out } };

	if (writev(kernel->fd, iov, 2) < 0)
		log_debug("nobody polls any more");
}

static bool
echo_hangs(const struct kept_head *head, const struct batch *batch)
{
	const struct fuse_in_header *header;
	size_t i;

	for (i = 0; i < batch->n; i++) {
		header = batch->requests[i].bytes;
		if ((int32_t)header->pid == head->echo.tid && raises(header->opcode))
			return true;
	}
	return false;
}

static void
init_again(struct kernel *kernel)
{
	struct kept_head *head = kernel->fsd->kept->head;
	uint8_t bytes[KEPT_INIT_MAX];
	uint32_t len = head->init_len;

	memcpy(bytes, head->init, len);
	kernel->initiating = true;
	kernel_process(kernel, bytes, len);
	kernel->initiating = false;
	kernel->init_unique = 0;
}

bool
kernel_adopt(struct kernel *kernel)
{
	struct fsd *fsd = kernel->fsd;
	struct kept_head *head = fsd->kept->head;
	struct batch batch = { 0 };
	struct queue queue;
	size_t i, first;

	if (head->init_len == 0 || !send_again(kernel))
		return false;
	init_again(kernel);
	inode_adopt_all(fsd);
	handle_adopt_all(fsd);
	threads_note(head);
	first = collect(kernel, &batch);
	if (batch.n != 0)
		qsort(batch.requests, batch.n, sizeof *batch.requests, by_unique);
	log_info(
	    "taken over requests=%zu nodes=%llu", batch.n, (unsigned long long)inode_count(fsd));
	take_back(fsd, &batch);
	handle_polled(fsd, wake_poller, kernel);
	handle_lost(fsd, comes_again, &batch);
	queued_adopt(fsd, &queue, comes_again, &batch);
	echo_settle(&head->echo, echo_hangs(head, &batch));
	for (i = 0; i < batch.n; i++) {
		queued_go_on(fsd, &queue, batch.requests[i].unique);
		kernel_process(kernel, batch.requests[i].bytes, batch.requests[i].len);
		free(batch.requests[i].bytes);
	}
	free(batch.requests);
	queued_go_on(fsd, &queue, UINT64_MAX);
	queued_adopted(&queue);
	/* The last one is not the greatest. */
	kernel->unique = head->unique;
	if (first != 0)
		kernel_process(kernel, kernel->buffer, first);
	return true;
}
