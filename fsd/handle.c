/* Open files. See handle.h; called by op_file.c, op_read.c, op_dir.c and op_create.c. */
#include "fsd/handle.h"

#include "fsd/kept.h"
#include "fsd/kernel.h"
#include "fsd/stray.h"
#include "replica/lib/check.h"

#include <Judy.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

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

void
handles_free(struct fsd *fsd)
{
	struct handles *handles = fsd->handles;
	Word_t fh = 0;
	PPvoid_t slot;

	if (handles == NULL)
		return;
	for (slot = JudyLFirst(handles->table, &fh, PJE0); slot != NULL;
	     slot = JudyLNext(handles->table, &fh, PJE0)) {
		value_unref(((struct handle *)*slot)->value);
		kept_slot_free(&fsd->kept->handles, *slot);
	}
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
adopt(void *arg, void *slot)
{
	struct fsd *fsd = arg;
	struct handle *handle = slot;

	handle->value = NULL;
	handle->fresh = false;
	enter(fsd->handles, handle);
}

void
handle_adopt_all(struct fsd *fsd)
{
	kept_slots_each(&fsd->kept->handles, adopt, fsd);
}

/* Nobody waits for it any more, and what it would have held nobody holds. */
void
handle_lost(struct fsd *fsd, bool (*comes_again)(void *arg, uint64_t unique), void *arg)
{
	struct handle *handle;
	Word_t fh = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(fsd->handles->table, &fh, PJE0); slot != NULL;
	     slot = JudyLNext(fsd->handles->table, &fh, PJE0)) {
		handle = *slot;
		if (handle->given || comes_again(arg, handle->rid))
			continue;
		if (handle->held)
			stray_doubt(fsd, handle->rid, fh);
		handle_free(fsd, handle);
	}
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

/* What is known of the old snapshot goes with it. */
static void
forget_read(struct fsd *fsd, struct handle *handle)
{
	if (handle->read.known)
		kept_bytes_drop(fsd->kept, handle);
	memset(&handle->read, 0, sizeof handle->read);
}

void
handle_free(struct fsd *fsd, struct handle *handle)
{
	JudyLDel(&fsd->handles->table, handle->fh, PJE0);
	value_unref(handle->value);
	forget_read(fsd, handle);
	kept_slot_free(&fsd->kept->handles, handle);
}

void
handle_name(struct handle *handle, struct blob name)
{
	size_t len = name.len < WIRE_NAME_MAX ? name.len : WIRE_NAME_MAX;

	if (len != 0)
		memcpy(handle->name, name.data, len);
	memcpy(handle->name + len, "\n", 2);
}

void
handle_pin(struct fsd *fsd, struct handle *handle, struct value *value)
{
	value_unref(handle->value);
	forget_read(fsd, handle);
	handle->value = value;
	if (value != NULL)
		handle->stat = value->stat;
}

/* Who has read all of it wants to know at most what comes behind it. */
void
handle_was_read(struct fsd *fsd, struct handle *handle, uint64_t end)
{
	const struct value *value = handle->value;
	struct handle_read read = { .len = value->len };

	if (handle->read.known || (handle->read.hashed && end >= value->len))
		return;
	if (end >= value->len) {
		read.hashed = true;
		read.hash = XXH64(value->data, value->len, 0);
	} else {
		read.known = kept_bytes_save(fsd->kept, handle, value->data, value->len);
	}
	handle->read = read;
}

bool
handle_restore(struct fsd *fsd, struct handle *handle)
{
	struct value *value;
	uint8_t *data;

	if (!handle->read.known)
		return false;
	data = malloc((size_t)handle->read.len + 1);
	if (data != NULL && kept_bytes_load(fsd->kept, handle, data, handle->read.len)) {
		value = value_new(&handle->stat, (struct blob){ data, handle->read.len });
		handle->value = value;
	}
	free(data);
	return handle->value != NULL;
}

bool
handle_expired(const struct fsd *fsd, const struct handle *handle)
{
	if (!handle->held)
		return false;
	return handle->session != link_session(fsd->link) ||
	       link_get_state(fsd->link) == LINK_SUSPENDED;
}
