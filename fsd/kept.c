/* The memory file. See kept.h; made by main.c, written by inode.c, handle.c, link.c, echo.c. */
#include "fsd/kept.h"

#include "fsd/handle.h"
#include "fsd/inode.h"
#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <Judy.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x7a61626673206b70)
#define PAGE 4096u
#define INODES_AT (1u << 20)
#define HANDLES_AT (INODES_AT + (size_t)KEPT_INODES * sizeof(struct inode_kept))
#define QUEUE_AT                                                                                   \
	((HANDLES_AT + (size_t)KEPT_HANDLES * sizeof(struct handle) + PAGE - 1) / PAGE * PAGE)
#define VALUES_AT (QUEUE_AT + KEPT_QUEUE)
#define VALUE_ROOM (1u << 20)
#define FILE_SIZE (VALUES_AT + (size_t)KEPT_HANDLES * VALUE_ROOM)

_Static_assert(sizeof(struct kept_head) <= INODES_AT, "the head has a place of its own");
_Static_assert(WIRE_VALUE_MAX <= VALUE_ROOM, "a value fits");

static uint64_t
sizes(void)
{
	return (uint64_t)sizeof(struct kept_head) << 32 | sizeof(struct inode_kept) << 16 |
	       sizeof(struct handle);
}

static uint64_t *
number_of(const struct kept_slots *slots, uint32_t i)
{
	return (uint64_t *)(void *)(slots->base + i * slots->size);
}

static void
slots_make(struct kept_slots *slots, void *base, size_t size, uint32_t max, uint32_t *used)
{
	uint32_t i;

	*slots = (struct kept_slots){ .base = base, .size = size, .max = max, .used = used };
	for (i = 0; i < *used; i++)
		if (*number_of(slots, i) == 0)
			CHECK(Judy1Set(&slots->free, i, PJE0) != JERR);
}

/* False: errno says why. */
static bool
map(struct kept *kept)
{
	int flags = kept->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	uint8_t *base;

	if (kept->fd >= 0 && ftruncate(kept->fd, FILE_SIZE) != 0)
		return false;
	base = mmap(NULL, VALUES_AT, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, kept->fd, 0);
	if (base == MAP_FAILED)
		return false;
	kept->head = (struct kept_head *)(void *)base;
	kept->queue = base + QUEUE_AT;
	return true;
}

static void
head_make(struct kept_head *head)
{
	memset(head, 0, sizeof *head);
	head->layout = KEPT_LAYOUT;
	head->sizes = sizes();
	head->fh_base = ((uint64_t)time(NULL) << 32) + 1;
}

struct kept *
kept_open(int fd)
{
	struct kept *kept = calloc(1, sizeof *kept);

	CHECK(kept != NULL);
	kept->fd = fd;
	msgpack_sbuffer_init(&kept->message);
	if (!map(kept)) {
		free(kept);
		return NULL;
	}
	kept->takes_over = kept->head->magic == MAGIC;
	if (!kept->takes_over ||
	    (kept->head->layout == KEPT_LAYOUT && kept->head->sizes == sizes()))
		return kept;
	kept_close(kept);
	errno = EPROTO;
	return NULL;
}

void
kept_enter(struct kept *kept)
{
	uint8_t *base = (uint8_t *)kept->head;

	if (!kept->takes_over)
		head_make(kept->head);
	slots_make(&kept->inodes, base + INODES_AT, sizeof(struct inode_kept), KEPT_INODES,
	    &kept->head->inodes);
	slots_make(&kept->handles, base + HANDLES_AT, sizeof(struct handle), KEPT_HANDLES,
	    &kept->head->handles);
}

void
kept_close(struct kept *kept)
{
	if (kept == NULL)
		return;
	Judy1FreeArray(&kept->inodes.free, PJE0);
	Judy1FreeArray(&kept->handles.free, PJE0);
	msgpack_sbuffer_destroy(&kept->message);
	munmap(kept->head, VALUES_AT);
	if (kept->fd >= 0)
		close(kept->fd);
	free(kept);
}

void
kept_begin(struct kept *kept)
{
	atomic_signal_fence(memory_order_seq_cst);
	kept->head->magic = MAGIC;
}

static bool
is_slot(const struct kept_slots *slots, const void *slot)
{
	const uint8_t *at = slot;

	return at >= slots->base && at < slots->base + slots->max * slots->size;
}

static void *
elsewhere(struct kept_slots *slots)
{
	void *slot = calloc(1, slots->size);

	CHECK(slot != NULL);
	if (!slots->full)
		log_warn("too much is open or known for a later fsd to take it over max=%u",
		    (unsigned)slots->max);
	slots->full = true;
	return slot;
}

void *
kept_slot_new(struct kept_slots *slots, uint64_t number)
{
	Word_t i = 0;
	uint64_t *slot;

	if (Judy1First(slots->free, &i, PJE0) == 1)
		Judy1Unset(&slots->free, i, PJE0);
	else
		i = *slots->used;
	slot = i < slots->max ? number_of(slots, (uint32_t)i) : elsewhere(slots);
	memset(slot, 0, slots->size);
	atomic_signal_fence(memory_order_seq_cst);
	*slot = number;
	if (i == *slots->used && i < slots->max)
		(*slots->used)++;
	return slot;
}

static uint32_t
index_of(const struct kept_slots *slots, const void *slot)
{
	return (uint32_t)((size_t)((const uint8_t *)slot - slots->base) / slots->size);
}

void
kept_slot_free(struct kept_slots *slots, void *slot)
{
	if (!is_slot(slots, slot)) {
		free(slot);
		return;
	}
	*(uint64_t *)slot = 0;
	CHECK(Judy1Set(&slots->free, index_of(slots, slot), PJE0) != JERR);
}

void
kept_slots_each(struct kept_slots *slots, void (*with)(void *arg, void *slot), void *arg)
{
	uint32_t i, used = *slots->used;

	for (i = 0; i < used; i++)
		if (*number_of(slots, i) != 0)
			with(arg, number_of(slots, i));
}

static off_t
bytes_at(const struct kept *kept, const void *slot)
{
	return (off_t)(VALUES_AT + (size_t)index_of(&kept->handles, slot) * VALUE_ROOM);
}

bool
kept_bytes_save(struct kept *kept, const void *slot, const void *data, size_t len)
{
	CHECK(len <= VALUE_ROOM);
	return kept->fd >= 0 && is_slot(&kept->handles, slot) &&
	       pwrite(kept->fd, data, len, bytes_at(kept, slot)) == (ssize_t)len;
}

bool
kept_bytes_load(struct kept *kept, const void *slot, void *data, size_t len)
{
	CHECK(len <= VALUE_ROOM);
	return kept->fd >= 0 && is_slot(&kept->handles, slot) &&
	       pread(kept->fd, data, len, bytes_at(kept, slot)) == (ssize_t)len;
}

void
kept_bytes_drop(struct kept *kept, const void *slot)
{
	if (kept->fd >= 0 && is_slot(&kept->handles, slot) &&
	    fallocate(kept->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, bytes_at(kept, slot),
		VALUE_ROOM) != 0)
		log_warn("memory of a closed file stays taken reason=\"%s\"", strerror(errno));
}

void
kept_give(struct kept *kept, uint64_t unique)
{
	kept->head->given_unique = 0;
	kept->head->ngiven = 0;
	atomic_signal_fence(memory_order_seq_cst);
	kept->head->given_unique = unique;
}

/* What was counted and is not named here stays for ever; the other way round it would go too soon. */
void
kept_given(struct kept *kept, uint64_t ino)
{
	struct kept_head *head = kept->head;

	if (head->ngiven == KEPT_GIVEN_MAX)
		return;
	head->given[head->ngiven] = ino;
	atomic_signal_fence(memory_order_seq_cst);
	head->ngiven++;
}
