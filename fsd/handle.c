/* Open files. See handle.h; called by the handlers of open files. */
#include "fsd/handle.h"

#include "fsd/events.h"
#include "fsd/flow.h"
#include "fsd/ino.h"
#include "fsd/kept.h"
#include "fsd/kernel.h"
#include "fsd/multi.h"
#include "fsd/queued.h"
#include "fsd/stray.h"
#include "fsd/zab.h"
#include "replica/lib/check.h"

#include <Judy.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct handles {
	Pvoid_t table; /* JudyL: fh -> struct handle * */
};

struct handles *
handles_new(void)
{
	struct handles *handles = calloc(1, sizeof *handles);

	CHECK(handles != NULL);
	return handles;
}

static void
drop(struct fsd *fsd, struct handle *handle)
{
	value_unref(handle->value);
	free(handle->answer);
	if (handle->stream != NULL)
		stream_close(handle->stream);
	if (handle->events != NULL)
		events_close(handle->events);
	if (handle->async != NULL)
		flow_close(handle->async, ino_node(handle->ino));
	kept_slot_free(&fsd->kept->handles, handle);
}

/* The first from *fh on, which moves behind it; NULL: there is none. */
static struct handle *
next(const struct fsd *fsd, Word_t *fh)
{
	PPvoid_t slot = JudyLFirst(fsd->handles->table, fh, PJE0);

	(*fh)++;
	return slot == NULL ? NULL : *slot;
}

void
handles_free(struct fsd *fsd)
{
	struct handles *handles = fsd->handles;
	struct handle *handle;
	Word_t fh = 0;

	if (handles == NULL)
		return;
	while ((handle = next(fsd, &fh)) != NULL)
		drop(fsd, handle);
	JudyLFreeArray(&handles->table, PJE0);
	free(handles);
}

static void
enter(struct handles *handles, struct handle *handle)
{
	PPvoid_t slot = JudyLIns(&handles->table, handle->fh, PJE0);

	CHECK(slot != NULL && slot != PPJERR && *slot == NULL);
	*slot = handle;
}

static struct handle *
insert(struct fsd *fsd, uint64_t fh, uint64_t ino, int flags)
{
	struct handle *handle = kept_slot_new(&fsd->kept->handles, fh);

	handle->ino = ino;
	handle->flags = flags;
	handle->expect = -1;
	enter(fsd->handles, handle);
	return handle;
}

/*
 * One that is there already is that of the same request: an earlier process had begun it, and the
 * kernel has no answer.
 */
struct handle *
handle_new(struct fsd *fsd, uint64_t ino, int flags, int32_t tid)
{
	uint64_t unique = kernel_unique(fsd->kernel), fh = fsd->kept->head->fh_base + unique / 2;
	struct handle *handle = handle_find(fsd, fh);

	if (handle != NULL)
		handle_free(fsd, handle);
	handle = insert(fsd, fh, ino, flags);
	handle->rid = unique;
	handle->tid = tid;
	handle->trunc = (flags & O_TRUNC) != 0;
	return handle;
}

struct handle *
handle_find(const struct fsd *fsd, uint64_t fh)
{
	PPvoid_t slot = JudyLGet(fsd->handles->table, fh, PJE0);

	return slot == NULL ? NULL : *slot;
}

struct handle *
handle_get(struct fsd *fsd, uint64_t ino, const struct fuse_file_info *fi)
{
	struct handle *handle = handle_find(fsd, fi->fh);

	if (handle != NULL)
		return handle;
	/*
	 * Whether an O_TRUNC is still due is lost with the old process: destroying a value is the
	 * worse guess.
	 */
	handle = insert(fsd, fi->fh, ino, fi->flags);
	handle->adopted = true;
	return handle;
}

static void
set_answer(struct handle *handle, size_t len)
{
	handle->answer = malloc(len + 1);
	CHECK(handle->answer != NULL);
	handle->answer[len] = '\0';
}

static void
adopt_flow(struct fsd *fsd, struct handle *handle)
{
	if (handle->is_async)
		handle_async(handle);
	if (ino_kind(handle->ino) == INO_STREAM && handle->given)
		stream_restore(fsd, handle);
	if (ino_kind(handle->ino) == INO_EVENTS && handle->given)
		events_restore(fsd, handle);
}

static void
adopt(void *arg, void *slot)
{
	struct fsd *fsd = arg;
	struct handle *handle = slot;
	size_t len = handle->answer_len == 0 ? 0 : handle->answer_len - 1;

	handle->value = NULL;
	handle->answer = NULL;
	handle->stream = NULL;
	handle->events = NULL;
	handle->async = NULL;
	handle->fresh = false;
	fsd->snapshots += handle->read.known ? handle->read.len : 0;
	if (handle->answer_len != 0) {
		set_answer(handle, len);
		if (len != 0 && !kept_bytes_load(fsd->kept, handle, handle->answer, len))
			memset(handle->answer, 0, len);
	}
	enter(fsd->handles, handle);
	adopt_flow(fsd, handle);
}

void
handle_adopt_all(struct fsd *fsd)
{
	kept_slots_each(&fsd->kept->handles, adopt, fsd);
}

/* Who asked for a lock and was told that he has left the queue, or was to be. */
static void
forget_waiter(struct fsd *fsd, const struct handle *handle,
    bool (*comes_again)(void *arg, uint64_t unique), void *arg)
{
	if (handle->given && handle->claim != 0 && !handle->locked &&
	    !comes_again(arg, handle->claim / KERNEL_RIDS))
		stray_lock(fsd, ino_node(handle->ino), handle->fh);
}

bool
handle_under_way(const struct fsd *fsd)
{
	const struct handle *handle;
	Word_t fh = 0;

	while ((handle = next(fsd, &fh)) != NULL) {
		if (handle->flow.under_way != 0)
			return true;
	}
	return false;
}

void
handle_leave(struct fsd *fsd)
{
	struct handle *handle;
	Word_t fh = 0;

	while ((handle = next(fsd, &fh)) != NULL) {
		if (handle->stream != NULL)
			stream_leave(handle->stream);
	}
}

void
handle_polled(struct fsd *fsd, void (*with)(void *arg, uint64_t poll), void *arg)
{
	const struct handle *handle;
	Word_t fh = 0;

	while ((handle = next(fsd, &fh)) != NULL) {
		if (handle->poll != 0)
			with(arg, handle->poll);
	}
}

void
handle_takes_line(struct handle *handle, uint64_t rid, uint64_t before)
{
	handle->line.before = before;
	handle->line.nth = handle->flow.nth;
	atomic_signal_fence(memory_order_seq_cst);
	handle->line.unique = rid / KERNEL_RIDS;
}

/* Torn, it says less than it would. */
void
handle_has_read(struct handle *handle, uint64_t zxid, uint32_t nth)
{
	handle->flow.zxid = 0;
	atomic_signal_fence(memory_order_seq_cst);
	handle->flow.nth = nth;
	atomic_signal_fence(memory_order_seq_cst);
	handle->flow.zxid = zxid;
}

/* Its reader has no answer, and asks again. */
static void
give_back_line(struct handle *handle)
{
	if (handle->stream != NULL) {
		handle->flow.unread = (uint32_t)handle->line.before;
	} else if (handle->events != NULL) {
		handle_has_read(handle, handle->line.before, handle->line.nth);
	} else {
		handle->answer_at = handle->line.before;
	}
}

/* What of READ and WRITE had no answer happens anew, and what was queued goes on. */
static void
give_back(struct handle *handle, const struct queued_counts *counts,
    bool (*comes_again)(void *arg, uint64_t unique), void *arg)
{
	uint64_t write = handle->flow.write;
	uint32_t queued = queued_all(counts, handle->fh);

	if (handle->line.unique != 0 && comes_again(arg, handle->line.unique))
		give_back_line(handle);
	if (handle->async != NULL)
		flow_restore(handle->async, queued);
	else if (handle->stream != NULL)
		stream_lost(handle->stream, write != 0 && comes_again(arg, write), queued,
		    queued_to_go_on(counts, handle->fh));
}

/* Nobody waits for it any more, and what it would have held nobody holds. */
void
handle_lost(struct fsd *fsd, bool (*comes_again)(void *arg, uint64_t unique), void *arg)
{
	struct queued_counts *counts = queued_count(fsd, comes_again, arg);
	struct handle *handle;
	Word_t fh = 0;

	while ((handle = next(fsd, &fh)) != NULL) {
		forget_waiter(fsd, handle, comes_again, arg);
		give_back(handle, counts, comes_again, arg);
		if (handle->given || comes_again(arg, handle->rid))
			continue;
		if (handle->held)
			stray_doubt(fsd, handle->rid * KERNEL_RIDS, handle->fh);
		handle_free(fsd, handle);
	}
	queued_counted(counts);
}

static bool
same_process(int32_t tid, int32_t other)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d", (int)tid, (int)other);
	return other != 0 && access(path, F_OK) == 0;
}

const struct handle *
handle_of(const struct fsd *fsd, uint64_t ino, int32_t tid)
{
	const struct handle *handle;
	Word_t fh = 0;

	while ((handle = next(fsd, &fh)) != NULL) {
		if (handle->ino == ino && handle->stat.id != 0 &&
		    (tid == 0 || same_process(tid, handle->tid)))
			return handle;
	}
	return NULL;
}

static void
forget_answer(struct fsd *fsd, struct handle *handle)
{
	if (handle->answer_len > 1)
		kept_bytes_drop(fsd->kept, handle);
	handle->answer_len = 0;
	free(handle->answer);
	handle->answer = NULL;
}

void
handle_free(struct fsd *fsd, struct handle *handle)
{
	JudyLDel(&fsd->handles->table, handle->fh, PJE0);
	handle_pin(fsd, handle, NULL);
	forget_answer(fsd, handle);
	drop(fsd, handle);
}

void
handle_async(struct handle *handle)
{
	handle->is_async = true;
	handle->async = flow_new(&handle->flow);
}

void
handle_answer(struct fsd *fsd, struct handle *handle, const char *text, size_t len)
{
	forget_answer(fsd, handle);
	set_answer(handle, len);
	if (len != 0)
		memcpy(handle->answer, text, len);
	handle->answer_at = 0;
	if (len == 0 || (len <= WIRE_VALUE_MAX && kept_bytes_save(fsd->kept, handle, text, len)))
		handle->answer_len = (uint32_t)len + 1;
}

static bool
is_mute(const struct handle *handle)
{
	return zab_talks(handle->ino) && handle->answer == NULL && handle->stream == NULL &&
	       handle->events == NULL;
}

bool
handle_expired(const struct fsd *fsd, const struct handle *handle)
{
	uint64_t session = link_session(fsd->link);

	if (is_mute(handle))
		return true;
	if (!handle_is_bound(handle))
		return false;
	return (handle->held && handle->session != session) ||
	       (handle->locked && handle->lock_session != session) ||
	       link_get_state(fsd->link) == LINK_SUSPENDED;
}

bool
handle_is_bound(const struct handle *handle)
{
	return handle->held || handle->locked;
}
