/* See qualified.h; called by the handlers, zabdir.c and inode.c. */
#include "fsd/qualified.h"

#include "fsd/inode.h"
#include "replica/lib/check.h"

#include <Judy.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Without holes: it is compared as bytes. */
struct key {
	uint64_t kind, id, ttl_ms, from;
	uint32_t sequence, versioned, version, owner, async, zero;
};

struct entry {
	UT_hash_handle hh;
	struct key key;
	uint64_t ino;
	struct qualified is;
};

/* As the kernel knows it. */
struct name {
	uint64_t dir;
	char *text; /* NULL: none yet */
};

struct qualifieds {
	struct entry *by_key;
	Pvoid_t by_ino; /* JudyL: ino -> struct entry * */
	Pvoid_t dirs;	/* JudyL: directory -> Judy1 of its modifiers' numbers */
	uint64_t next;
	struct name names[QUALIFIED_NAMES_MAX]; /* a ring */
	uint32_t oldest;
};

struct qualifieds *
qualifieds_new(void)
{
	struct qualifieds *all = calloc(1, sizeof *all);

	CHECK(all != NULL);
	all->next = 1;
	return all;
}

static void
dir_add(struct qualifieds *all, const struct entry *entry)
{
	PPvoid_t inos = JudyLIns(&all->dirs, entry->is.id, PJE0);

	CHECK(inos != NULL && inos != PPJERR);
	CHECK(Judy1Set(inos, entry->ino, PJE0) != JERR);
}

static void
dir_remove(struct qualifieds *all, const struct entry *entry)
{
	PPvoid_t inos = JudyLGet(all->dirs, entry->is.id, PJE0);

	CHECK(inos != NULL);
	Judy1Unset(inos, entry->ino, PJE0);
	if (*inos == NULL)
		JudyLDel(&all->dirs, entry->is.id, PJE0);
}

static void
drop(struct qualifieds *all, struct entry *entry)
{
	if (entry->key.kind == INO_MODIFIER)
		dir_remove(all, entry);
	HASH_DELETE(hh, all->by_key, entry);
	JudyLDel(&all->by_ino, entry->ino, PJE0);
	free(entry);
}

void
qualifieds_free(struct qualifieds *all)
{
	struct entry *entry, *next;
	uint32_t i;

	if (all == NULL)
		return;
	HASH_ITER (hh, all->by_key, entry, next)
		drop(all, entry);
	for (i = 0; i < QUALIFIED_NAMES_MAX; i++)
		free(all->names[i].text);
	free(all);
}

static struct key
key_of(enum ino_kind kind, const struct qualified *is)
{
	return (struct key){ .kind = kind,
		.id = is->id,
		.ttl_ms = is->modifier.ttl_ms,
		.from = is->modifier.from,
		.sequence = is->modifier.sequence,
		.versioned = is->modifier.versioned,
		.version = is->modifier.version,
		.owner = is->modifier.owner,
		.async = is->modifier.async };
}

static uint64_t
add(struct qualifieds *all, const struct key *key, uint64_t ino, const struct qualified *is)
{
	struct entry *entry = calloc(1, sizeof *entry);
	PPvoid_t slot;

	CHECK(entry != NULL);
	entry->key = *key;
	entry->is = *is;
	entry->ino = ino;
	HASH_ADD(hh, all->by_key, key, sizeof entry->key, entry);
	slot = JudyLIns(&all->by_ino, ino, PJE0);
	CHECK(slot != NULL && slot != PPJERR);
	*slot = entry;
	if (ino_kind(ino) == INO_MODIFIER)
		dir_add(all, entry);
	return ino;
}

uint64_t
qualified_ino(struct fsd *fsd, enum ino_kind kind, uint64_t id, const struct modifier *modifier)
{
	struct qualified is = { .id = id, .modifier = *modifier };
	struct qualifieds *all = fsd->qualifieds;
	struct key key = key_of(kind, &is);
	struct entry *entry;

	HASH_FIND(hh, all->by_key, &key, sizeof key, entry);
	if (entry != NULL)
		return entry->ino;
	return add(all, &key, ino_make(kind, all->next++), &is);
}

void
qualified_named(struct fsd *fsd, uint64_t dir, const char *name)
{
	struct qualifieds *all = fsd->qualifieds;
	struct name *slot = &all->names[all->oldest];

	if (slot->text != NULL)
		inode_entry_spare(fsd, ino_make(INO_ZAB, slot->dir), slot->text);
	free(slot->text);
	slot->dir = dir;
	slot->text = strdup(name);
	CHECK(slot->text != NULL);
	all->oldest = (all->oldest + 1) % QUALIFIED_NAMES_MAX;
}

void
qualified_adopt(struct fsd *fsd, uint64_t ino, const struct qualified *is)
{
	struct qualifieds *all = fsd->qualifieds;
	struct key key = key_of(ino_kind(ino), is);

	if (ino_node(ino) >= all->next)
		all->next = ino_node(ino) + 1;
	add(all, &key, ino, is);
}

static struct entry *
find(const struct fsd *fsd, uint64_t ino)
{
	PPvoid_t slot = JudyLGet(fsd->qualifieds->by_ino, ino, PJE0);

	return slot == NULL ? NULL : *slot;
}

const struct qualified *
qualified_find(const struct fsd *fsd, uint64_t ino)
{
	const struct entry *entry = find(fsd, ino);

	return entry == NULL ? NULL : &entry->is;
}

bool
qualified_resolve(const struct fsd *fsd, uint64_t *ino)
{
	const struct qualified *found;

	if (ino_kind(*ino) != INO_REACHED)
		return true;
	found = qualified_find(fsd, *ino);
	if (found != NULL)
		*ino = ino_make(INO_ALIAS, found->id);
	return found != NULL;
}

bool
qualified_reached(const struct fsd *fsd, uint64_t *ino, struct modifier *modifier)
{
	const struct qualified *found = qualified_find(fsd, *ino);

	*modifier = (struct modifier){ 0 };
	/* What was created by this session, or found as that (ino.h). */
	if (ino_kind(*ino) == INO_ALIAS)
		modifier->owner = WIRE_EPHEMERAL;
	else if (ino_kind(*ino) == INO_REACHED && found != NULL)
		*modifier = found->modifier;
	return qualified_resolve(fsd, ino);
}

bool
qualified_dir(const struct fsd *fsd, uint64_t ino, struct qualified *out)
{
	const struct qualified *found;

	*out = (struct qualified){ .id = ino_node(ino) };
	switch (ino_kind(ino)) {
	case INO_EPHEMERAL:
		out->modifier.owner = WIRE_EPHEMERAL;
		return true;
	case INO_HELD:
		out->modifier.owner = WIRE_HELD;
		return true;
	case INO_MODIFIER:
	case INO_EVENTS:
		found = qualified_find(fsd, ino);
		if (found != NULL)
			*out = *found;
		return found != NULL;
	default:
		return true;
	}
}

void
qualified_each(struct fsd *fsd, uint64_t dir, void (*with)(struct fsd *fsd, uint64_t ino))
{
	PPvoid_t inos = JudyLGet(fsd->qualifieds->dirs, dir, PJE0);
	Word_t ino = 0;
	int found;

	if (inos == NULL)
		return;
	for (found = Judy1First(*inos, &ino, PJE0); found == 1;
	     found = Judy1Next(*inos, &ino, PJE0))
		with(fsd, ino);
}

void
qualified_drop(struct fsd *fsd, uint64_t ino)
{
	struct entry *entry = find(fsd, ino);

	if (entry != NULL)
		drop(fsd->qualifieds, entry);
}
