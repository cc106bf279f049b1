/* Open files. See handle.h; called by op_file.c, op_read.c, op_dir.c and op_create.c. */
#include "fsd/handle.h"

#include "fsd/events.h"
#include "fsd/flow.h"
#include "fsd/ino.h"
#include "fsd/multi.h"
#include "replica/lib/check.h"

#include <Judy.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct handles {
	Pvoid_t table; /* JudyL: fh -> struct handle * */
	uint64_t next;
};

struct handles *
handles_new(void)
{
	struct handles *handles = calloc(1, sizeof *handles);

	CHECK(handles != NULL);
	handles->next = ((uint64_t)time(NULL) << 32) + 1;
	return handles;
}

static void
drop(struct handle *handle)
{
	value_unref(handle->value);
	free(handle->words);
	free(handle->answer);
	if (handle->stream != NULL)
		stream_close(handle->stream);
	if (handle->events != NULL)
		events_close(handle->events);
	if (handle->async != NULL)
		flow_close(handle->async, ino_node(handle->ino));
	free(handle);
}

void
handles_free(struct handles *handles)
{
	Word_t fh = 0;
	PPvoid_t slot;

	if (handles == NULL)
		return;
	for (slot = JudyLFirst(handles->table, &fh, PJE0); slot != NULL;
	     slot = JudyLNext(handles->table, &fh, PJE0))
		drop(*slot);
	JudyLFreeArray(&handles->table, PJE0);
	free(handles);
}

static struct handle *
insert(struct handles *handles, uint64_t fh, uint64_t ino, int flags)
{
	struct handle *handle = calloc(1, sizeof *handle);
	PPvoid_t slot = JudyLIns(&handles->table, fh, PJE0);

	CHECK(handle != NULL && slot != NULL && slot != PPJERR && *slot == NULL);
	handle->fh = fh;
	handle->ino = ino;
	handle->flags = flags;
	handle->expect = -1;
	*slot = handle;
	return handle;
}

struct handle *
handle_new(struct fsd *fsd, uint64_t ino, int flags, int32_t tid)
{
	struct handle *handle = insert(fsd->handles, fsd->handles->next++, ino, flags);

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
	handle = insert(fsd->handles, fi->fh, ino, fi->flags);
	handle->adopted = true;
	return handle;
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
	PPvoid_t slot;

	for (slot = JudyLFirst(fsd->handles->table, &fh, PJE0); slot != NULL;
	     slot = JudyLNext(fsd->handles->table, &fh, PJE0)) {
		handle = *slot;
		if (handle->ino == ino && handle->stat.id != 0 &&
		    (tid == 0 || same_process(tid, handle->tid)))
			return handle;
	}
	return NULL;
}

void
handle_free(struct fsd *fsd, struct handle *handle)
{
	JudyLDel(&fsd->handles->table, handle->fh, PJE0);
	drop(handle);
}

void
handle_async(struct handle *handle)
{
	handle->async = flow_new();
}

void
handle_answer(struct handle *handle, const char *text, size_t len)
{
	free(handle->answer);
	handle->answer = malloc(len + 1);
	CHECK(handle->answer != NULL);
	if (len != 0)
		memcpy(handle->answer, text, len);
	handle->answer[len] = '\0';
	handle->answer_at = 0;
}

void
handle_pin(struct handle *handle, struct value *value)
{
	value_unref(handle->value);
	handle->value = value;
	if (value != NULL)
		handle->stat = value->stat;
}

bool
handle_expired(const struct fsd *fsd, const struct handle *handle)
{
	uint64_t session = link_session(fsd->link);

	if (!handle->held && !handle->locked)
		return false;
	return (handle->held && handle->session != session) ||
	       (handle->locked && handle->lock_session != session) ||
	       link_get_state(fsd->link) == LINK_SUSPENDED;
}
