/*
 * The value that is read through an open file: a snapshot of one version, and what of
 * it is kept for the process after us. See handle.h; called by op_open.c, op_read.c and
 * whoever changes a value.
 */
#include "fsd/handle.h"

#include "fsd/kept.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/*
 * The snapshot's bytes are not needed any more. Killed in between, we leave memory taken; the other
 * way round the next process would read zeros.
 */
static void
drop_snapshot(struct fsd *fsd, struct handle *handle)
{
	if (!handle->read.known)
		return;
	fsd->snapshots -= handle->read.len;
	handle->read.known = false;
	atomic_signal_fence(memory_order_seq_cst);
	kept_bytes_drop(fsd->kept, handle);
}

/* What is known of the old snapshot goes with it. */
static void
forget_read(struct fsd *fsd, struct handle *handle)
{
	drop_snapshot(fsd, handle);
	memset(&handle->read, 0, sizeof handle->read);
	handle->read_upto = 0;
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

static void
keep_snapshot(struct fsd *fsd, struct handle *handle)
{
	const struct value *value = handle->value;

	if (fsd->snapshots + value->len > HANDLE_SNAPSHOTS_MAX)
		return;
	handle->read.len = value->len;
	handle->read.known = kept_bytes_save(fsd->kept, handle, value->data, value->len);
	fsd->snapshots += handle->read.known ? value->len : 0;
}

void
handle_pin_unread(struct fsd *fsd, struct handle *handle, struct value *value)
{
	handle_pin(fsd, handle, value);
	handle->fresh = true;
	keep_snapshot(fsd, handle);
}

/*
 * Who has read all of it, from its beginning, wants to know at most what comes behind it, or has it
 * mapped, and the kernel reads its pages again: the bytes stay while there are few. The hash is there
 * before they go: killed in between, we leave both.
 */
void
handle_was_read(struct fsd *fsd, struct handle *handle, uint64_t begin, uint64_t end)
{
	const struct value *value = handle->value;
	struct handle_read *read = &handle->read;

	if (begin <= handle->read_upto && end > handle->read_upto)
		handle->read_upto = end < value->len ? (uint32_t)end : value->len;
	if (end < value->len || handle->read_upto < value->len) {
		if (!read->known)
			keep_snapshot(fsd, handle);
		return;
	}
	if (!read->hashed) {
		read->len = value->len;
		read->hash = XXH64(value->data, value->len, 0);
		atomic_signal_fence(memory_order_seq_cst);
		read->hashed = true;
	}
	if (fsd->snapshots > HANDLE_SNAPSHOTS_MANY)
		drop_snapshot(fsd, handle);
	else if (!read->known)
		keep_snapshot(fsd, handle);
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
