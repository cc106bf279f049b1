/*
 * Lookups that run again. See grace.h; used by op_entry.c, op_attr.c, op_file.c, op_create.c,
 * zabdir.c.
 */
#include "fsd/grace.h"

#include "replica/lib/check.h"

#include <linux/fuse.h>
#include <stdlib.h>

#define SLOTS 32
/*
 * The kernel's second try follows at once, but it may have to wait for a directory's lock, behind a
 * creation that waits for a leader. A thread without a second try sends something else some time.
 */
#define DUE_NS UINT64_C(60000000000)
#define GRACE_NS                                                                                   \
	UINT64_C(10000000) /* from a lookup to the end of the operation, whatever happens */

struct grace {
	int32_t tid;
	uint64_t began_ns; /* ESTALE was answered */
	uint64_t what;
	bool looked_up; /* since then */
	bool tried;	/* what is to be done was asked for a second time */
	uint64_t kept_ns;
	uint64_t syncs; /* that had ended then */
	bool opened;	/* found, and opened: what comes now is another operation */
	struct value *value;
	uint64_t created; /* 0: nothing */
};

struct graces {
	struct grace slots[SLOTS];
	uint64_t syncs;
};

struct graces *
graces_new(void)
{
	struct graces *graces = calloc(1, sizeof *graces);

	CHECK(graces != NULL);
	return graces;
}

void
graces_free(struct graces *graces)
{
	size_t i;

	if (graces == NULL)
		return;
	for (i = 0; i < SLOTS; i++)
		value_unref(graces->slots[i].value);
	free(graces);
}

static struct grace *
slot_of(const struct fsd *fsd, int32_t tid)
{
	return &fsd->graces->slots[(uint32_t)tid % SLOTS];
}

static void
forget(struct grace *slot)
{
	value_unref(slot->value);
	slot->value = NULL;
}

/* On a loaded machine it may take its time, as long as nobody can tell whether it is over. */
static bool
holds(const struct graces *graces, const struct grace *slot, uint64_t now_ns)
{
	if (slot->value == NULL)
		return false;
	return now_ns - slot->kept_ns < (slot->syncs == graces->syncs ? DUE_NS : GRACE_NS);
}

/* Values are not kept for longer than they may be used. */
static void
sweep(struct graces *graces, uint64_t now_ns)
{
	size_t i;

	for (i = 0; i < SLOTS; i++)
		if (!holds(graces, &graces->slots[i], now_ns))
			forget(&graces->slots[i]);
}

bool
grace_begin(struct fsd *fsd, int32_t tid, uint64_t what)
{
	struct grace *slot = slot_of(fsd, tid);
	uint64_t now_ns = fsd_now_ns();
	bool again = grace_due(fsd, tid) && slot->what == what;

	sweep(fsd->graces, now_ns);
	slot->tid = tid;
	slot->what = what;
	slot->began_ns = now_ns;
	slot->looked_up = false;
	slot->tried = false;
	return again;
}

/* Whether it only prepares what a path operation does. */
static bool
prepares(uint32_t opcode)
{
	return opcode == FUSE_LOOKUP || opcode == FUSE_GETATTR || opcode == FUSE_INTERRUPT;
}

static void
follow_try(struct grace *slot, uint32_t opcode, uint64_t ino)
{
	if (opcode == FUSE_LOOKUP)
		slot->looked_up = true;
	if (!prepares(opcode) && slot->tried)
		slot->began_ns = 0;
	if (!prepares(opcode))
		slot->tried = true;
	if (opcode != FUSE_INTERRUPT && (opcode != FUSE_GETATTR || ino != slot->created))
		slot->created = 0;
}

void
grace_request(struct fsd *fsd, int32_t tid, uint32_t opcode, uint64_t ino)
{
	struct grace *slot = slot_of(fsd, tid);
	bool same;

	if (slot->tid != tid)
		return;
	follow_try(slot, opcode, ino);
	if (slot->value == NULL || opcode == FUSE_INTERRUPT)
		return;
	same = slot->value->stat.id == ino &&
	       (opcode == FUSE_GETATTR || opcode == FUSE_OPEN || opcode == FUSE_READLINK);
	if (slot->opened || (!same && opcode != FUSE_LOOKUP))
		forget(slot);
	else
		slot->opened = opcode == FUSE_OPEN;
}

bool
grace_in_vain(const struct fsd *fsd, int32_t tid)
{
	return grace_due(fsd, tid) && !slot_of(fsd, tid)->looked_up;
}

bool
grace_due(const struct fsd *fsd, int32_t tid)
{
	const struct grace *slot = slot_of(fsd, tid);

	return slot->tid == tid && slot->began_ns != 0 && fsd_now_ns() - slot->began_ns < DUE_NS;
}

void
grace_keep(struct fsd *fsd, int32_t tid, struct value *value)
{
	struct grace *slot = slot_of(fsd, tid);

	value_unref(slot->value);
	slot->tid = tid;
	slot->kept_ns = fsd_now_ns();
	slot->syncs = fsd->graces->syncs;
	slot->value = value_ref(value);
	slot->opened = false;
}

struct value *
grace_get(const struct fsd *fsd, int32_t tid, uint64_t id)
{
	const struct grace *slot = slot_of(fsd, tid);

	if (slot->tid != tid || slot->value == NULL || slot->value->stat.id != id)
		return NULL;
	return holds(fsd->graces, slot, fsd_now_ns()) ? slot->value : NULL;
}

void
grace_synced(struct fsd *fsd)
{
	fsd->graces->syncs++;
}

void
grace_created(struct fsd *fsd, int32_t tid, uint64_t ino)
{
	struct grace *slot = slot_of(fsd, tid);

	slot->tid = tid;
	slot->created = ino;
}

bool
grace_is_created(struct fsd *fsd, int32_t tid, uint64_t ino)
{
	struct grace *slot = slot_of(fsd, tid);
	bool created = slot->tid == tid && slot->created == ino;

	slot->created = 0;
	return created;
}
