/*
 * Lookups that run again. See grace.h; used by op_entry.c, op_attr.c, op_open.c, op_create.c,
 * zabdir.c.
 */
#include "fsd/grace.h"

#include "fsd/clock.h"
#include "fsd/qualified.h"
#include "replica/lib/check.h"

#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

/*
 * The kernel's second try follows at once, but it may have to wait for a directory's lock, behind a
 * creation that waits for a leader. A thread without a second try sends something else some time.
 */
#define DUE_NS UINT64_C(60000000000)
/* From a lookup to the end of the operation, whatever happens. */
#define GRACE_NS UINT64_C(10000000)

struct graces {
	struct grace_kept *kept;
	struct value
	    *values[GRACE_SLOTS]; /* what was found; NULL: nothing, or by another process */
};

struct graces *
graces_new(struct grace_kept *kept)
{
	struct graces *graces = calloc(1, sizeof *graces);

	CHECK(graces != NULL);
	graces->kept = kept;
	return graces;
}

void
graces_free(struct graces *graces)
{
	size_t i;

	if (graces == NULL)
		return;
	for (i = 0; i < GRACE_SLOTS; i++)
		value_unref(graces->values[i]);
	free(graces);
}

static struct value **
value_of(struct graces *graces, const struct grace *slot)
{
	return &graces->values[slot - graces->kept->slots];
}

static void
forget(struct graces *graces, const struct grace *slot)
{
	struct value **value = value_of(graces, slot);

	value_unref(*value);
	*value = NULL;
}

/* NULL: there is nothing to remember of that thread. */
static struct grace *
slot_of(const struct fsd *fsd, int32_t tid)
{
	struct grace_kept *kept = fsd->graces->kept;
	size_t i;

	for (i = 0; i < GRACE_SLOTS; i++)
		if (kept->tids[i] == tid)
			return &kept->slots[i];
	return NULL;
}

static struct grace *
slot_take(struct fsd *fsd, int32_t tid)
{
	struct grace_kept *kept = fsd->graces->kept;
	struct grace *slot = slot_of(fsd, tid);
	size_t i, first = 0;

	if (slot != NULL)
		return slot;
	for (i = 1; i < GRACE_SLOTS; i++)
		if (kept->slots[i].order < kept->slots[first].order)
			first = i;
	slot = &kept->slots[first];
	forget(fsd->graces, slot);
	*slot = (struct grace){ .order = ++kept->comings };
	kept->tids[first] = tid;
	return slot;
}

/* On a loaded machine it may take its time, as long as nobody can tell whether it is over. */
static bool
holds(struct graces *graces, const struct grace *slot, uint64_t now_ns)
{
	if (*value_of(graces, slot) == NULL)
		return false;
	return now_ns - slot->kept_ns < (slot->syncs == graces->kept->syncs ? DUE_NS : GRACE_NS);
}

/* Values are not kept for longer than they may be used. */
static void
sweep(struct graces *graces, uint64_t now_ns)
{
	size_t i;

	for (i = 0; i < GRACE_SLOTS; i++)
		if (!holds(graces, &graces->kept->slots[i], now_ns))
			forget(graces, &graces->kept->slots[i]);
}

bool
grace_begin(struct fsd *fsd, int32_t tid, uint64_t what)
{
	struct grace *slot = slot_take(fsd, tid);
	uint64_t now_ns = fsd_now_ns();
	bool again = grace_due(fsd, tid) && slot->what == what;

	sweep(fsd->graces, now_ns);
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

	if (slot == NULL)
		return;
	qualified_resolve(fsd, &ino);
	follow_try(slot, opcode, ino);
	if (slot->found == 0 || opcode == FUSE_INTERRUPT)
		return;
	same = slot->found == ino &&
	       (opcode == FUSE_GETATTR || opcode == FUSE_OPEN || opcode == FUSE_READLINK);
	if (slot->opened || (!same && opcode != FUSE_LOOKUP)) {
		slot->found = 0;
		forget(fsd->graces, slot);
	} else {
		slot->opened = opcode == FUSE_OPEN;
	}
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

	return slot != NULL && slot->began_ns != 0 && fsd_now_ns() - slot->began_ns < DUE_NS;
}

void
grace_keep(struct fsd *fsd, int32_t tid, uint64_t parent, const char *name, struct value *value)
{
	struct grace *slot = slot_take(fsd, tid);

	forget(fsd->graces, slot);
	*value_of(fsd->graces, slot) = value_ref(value);
	slot->kept_ns = fsd_now_ns();
	slot->syncs = fsd->graces->kept->syncs;
	slot->opened = false;
	slot->found = value->stat.id;
	slot->place = (struct grace_place){ .parent = parent,
		.mode = value->stat.mode,
		.uid = value->stat.uid,
		.gid = value->stat.gid };
	strcpy(slot->place.name, name);
}

struct value *
grace_get(const struct fsd *fsd, int32_t tid, uint64_t id)
{
	const struct grace *slot = slot_of(fsd, tid);

	if (slot == NULL || slot->found != id)
		return NULL;
	return holds(fsd->graces, slot, fsd_now_ns()) ? *value_of(fsd->graces, slot) : NULL;
}

const struct grace_place *
grace_place(const struct fsd *fsd, int32_t tid, uint64_t id)
{
	const struct grace *slot = slot_of(fsd, tid);

	return slot != NULL && slot->found == id ? &slot->place : NULL;
}

void
grace_synced(struct fsd *fsd)
{
	fsd->graces->kept->syncs++;
}

void
grace_created(struct fsd *fsd, int32_t tid, uint64_t ino)
{
	slot_take(fsd, tid)->created = ino;
}

bool
grace_is_created(struct fsd *fsd, int32_t tid, uint64_t ino)
{
	struct grace *slot = slot_of(fsd, tid);

	if (slot == NULL || slot->created != ino)
		return false;
	slot->created = 0;
	return true;
}
