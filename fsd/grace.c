/*
 * Lookups that run again. See grace.h; used by op_entry.c, op_attr.c, op_file.c, op_create.c,
 * zabdir.c.
 */
#include "fsd/grace.h"

#include "replica/lib/check.h"

#include <linux/fuse.h>
#include <stdlib.h>

#define SLOTS 32
#define DUE_NS UINT64_C(100000000)  /* from ESTALE to the lookup that follows */
#define GRACE_NS UINT64_C(10000000) /* from there to the end of the operation */

struct grace {
	int32_t tid;
	uint64_t began_ns; /* ESTALE was answered */
	uint64_t what;
	bool looked_up; /* since then */
	uint64_t kept_ns;
	bool opened; /* found, and opened: what comes now is another operation */
	struct value *value;
};

struct graces {
	struct grace slots[SLOTS];
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

/* Values are not kept for longer than they may be used. */
static void
sweep(struct graces *graces, uint64_t now_ns)
{
	struct grace *slot;
	size_t i;

	for (i = 0; i < SLOTS; i++) {
		slot = &graces->slots[i];
		if (slot->value == NULL || now_ns - slot->kept_ns < GRACE_NS)
			continue;
		forget(slot);
	}
}

bool
grace_begin(struct fsd *fsd, int32_t tid, uint64_t what)
{
	struct grace *slot = slot_of(fsd, tid);
	uint64_t now_ns = fsd_now_ns();
	bool again = slot->tid == tid && slot->what == what && now_ns - slot->began_ns < DUE_NS;

	sweep(fsd->graces, now_ns);
	slot->tid = tid;
	slot->what = what;
	slot->began_ns = now_ns;
	slot->looked_up = false;
	return again;
}

void
grace_request(struct fsd *fsd, int32_t tid, uint32_t opcode, uint64_t ino)
{
	struct grace *slot = slot_of(fsd, tid);
	bool same;

	if (slot->tid == tid && opcode == FUSE_LOOKUP)
		slot->looked_up = true;
	if (slot->tid != tid || slot->value == NULL || opcode == FUSE_INTERRUPT)
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

	return slot->tid == tid && fsd_now_ns() - slot->began_ns < DUE_NS;
}

void
grace_keep(struct fsd *fsd, int32_t tid, struct value *value)
{
	struct grace *slot = slot_of(fsd, tid);

	value_unref(slot->value);
	slot->tid = tid;
	slot->kept_ns = fsd_now_ns();
	slot->value = value_ref(value);
	slot->opened = false;
}

struct value *
grace_get(const struct fsd *fsd, int32_t tid, uint64_t id)
{
	const struct grace *slot = slot_of(fsd, tid);

	if (slot->tid != tid || slot->value == NULL || slot->value->stat.id != id)
		return NULL;
	return fsd_now_ns() - slot->kept_ns < GRACE_NS ? slot->value : NULL;
}
