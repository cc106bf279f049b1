/* The table of what the kernel knows. See inode.h; called by the handlers and change.c. */
#include "fsd/inode_internal.h"

#include "fsd/ino.h"
#include "fsd/kept.h"
#include "fsd/qualified.h"
#include "fsd/zab.h"
#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Interest is counted in 32 bits on the wire: long before that the surplus is given back. */
#define ANSWERS_MAX 1000000000u

struct inodes *
inodes_new(struct fsd *fsd)
{
	struct inodes *inodes = calloc(1, sizeof *inodes);

	CHECK(inodes != NULL);
	inodes->fsd = fsd;
	TAILQ_INIT(&inodes->lru);
	inode_notify_init(inodes);
	inode_drops_init(inodes);
	return inodes;
}

struct inode *
inode_find(const struct inodes *inodes, uint64_t ino)
{
	PPvoid_t slot = JudyLGet(inodes->table, ino, PJE0);

	return slot == NULL ? NULL : *slot;
}

/* Takes the slot into the table. */
static struct inode *
insert(struct inodes *inodes, struct inode_kept *kept)
{
	PPvoid_t slot = JudyLIns(&inodes->table, kept->ino, PJE0);
	struct inode *inode = calloc(1, sizeof *inode);

	CHECK(inode != NULL && slot != NULL && slot != PPJERR && *slot == NULL);
	inode->kept = kept;
	*slot = inode;
	inodes->count++;
	return inode;
}

static bool
is_qualified(uint64_t ino)
{
	return ino_kind(ino) == INO_MODIFIER || ino_kind(ino) == INO_REACHED ||
	       ino_kind(ino) == INO_EVENTS;
}

static struct inode *
get(struct inodes *inodes, uint64_t ino)
{
	struct inode *inode = inode_find(inodes, ino);
	const struct qualified *is;

	if (inode != NULL)
		return inode;
	inode = insert(inodes, kept_slot_new(&inodes->fsd->kept->inodes, ino));
	if (is_qualified(ino)) {
		is = qualified_find(inodes->fsd, ino);
		if (is != NULL)
			inode->kept->is = *is;
	}
	return inode;
}

static void
drop(struct inodes *inodes, struct inode *inode)
{
	inode_name_forget(inodes, inode);
	inode_value_forget(inodes, inode);
	qualified_drop(inodes->fsd, inode->kept->ino);
	JudyLDel(&inodes->table, inode->kept->ino, PJE0);
	inodes->count--;
	kept_slot_free(&inodes->fsd->kept->inodes, inode->kept);
	free(inode);
}

void
inodes_free(struct inodes *inodes)
{
	Word_t ino = 0;
	PPvoid_t slot;

	if (inodes == NULL)
		return;
	for (slot = JudyLFirst(inodes->table, &ino, PJE0); slot != NULL;
	     slot = JudyLNext(inodes->table, &ino, PJE0)) {
		value_unref(((struct inode *)*slot)->value);
		inode_place_forget(*slot);
		free(*slot);
	}
	JudyLFreeArray(&inodes->table, PJE0);
	JudyLFreeArray(&inodes->names, PJE0);
	inode_notify_free(inodes);
	inode_drops_free(inodes);
	free(inodes);
}

uint64_t
inode_count(const struct fsd *fsd)
{
	return fsd->inodes->count;
}

uint64_t
inode_value_bytes(const struct fsd *fsd)
{
	return fsd->inodes->value_bytes;
}

/* Ends the interest in a znode that the kernel doesn't know, and the entry. */
static void
release(struct fsd *fsd, struct inode *inode)
{
	if (inode->kept->ino == fsd->root.id || inode->kept->nlookup != 0 || inode->holds != 0)
		return;
	if (inode->answers != 0)
		link_forget(fsd->link, inode->kept->ino, (uint32_t)inode->answers);
	drop(fsd->inodes, inode);
}

void
inode_ref(struct fsd *fsd, uint64_t ino)
{
	struct inode *inode = get(fsd->inodes, ino);

	/* The kernel may forget the directory, and watch what shows it. */
	if (inode->kept->nlookup++ == 0 && ino_shows(ino))
		inode_hold(fsd, ino_node(ino));
	kept_given(fsd->kept, ino);
}

void
inode_forget(struct fsd *fsd, uint64_t ino, uint64_t nlookup)
{
	struct inode *inode = inode_find(fsd->inodes, ino);

	if (inode == NULL || inode->kept->nlookup == 0)
		return;
	inode->kept->nlookup -= nlookup < inode->kept->nlookup ? nlookup : inode->kept->nlookup;
	if (inode->kept->nlookup == 0 && ino_shows(ino))
		inode_let_go(fsd, ino_node(ino));
	release(fsd, inode);
}

void
inode_hold(struct fsd *fsd, uint64_t ino)
{
	get(fsd->inodes, ino)->holds++;
}

void
inode_let_go(struct fsd *fsd, uint64_t ino)
{
	struct inode *inode = inode_find(fsd->inodes, ino);

	inode->holds--;
	release(fsd, inode);
}

bool
inode_known(const struct fsd *fsd, uint64_t ino)
{
	const struct inode *inode;

	if (ino == fsd->root.id)
		return true;
	inode = inode_find(fsd->inodes, ino);
	return inode != NULL && inode->kept->nlookup != 0;
}

void
inode_answered(struct fsd *fsd, uint64_t id)
{
	struct inode *inode = get(fsd->inodes, id);

	inode->answers++;
	inode->kept->gone = false;
	inode->kept->unnamed = false;
	inode->kept->unsure = false;
	if (inode->answers > ANSWERS_MAX) {
		link_forget(fsd->link, id, (uint32_t)(inode->answers - 1));
		inode->answers = 1;
	}
}

void
inode_settle(struct fsd *fsd, uint64_t id)
{
	struct inode *inode = inode_find(fsd->inodes, id);

	if (inode != NULL)
		release(fsd, inode);
}

void
inode_seen(struct fsd *fsd, const struct wire_stat *stat, uint64_t zxid)
{
	struct inode *inode = inode_find(fsd->inodes, stat->id);

	if (inode == NULL)
		return;
	inode->kept->unsure = false;
	inode->access = true;
	inode_last_set(inode, stat, zxid);
}

bool
inode_last(const struct fsd *fsd, uint64_t id, struct wire_stat *stat)
{
	const struct inode *inode = inode_find(fsd->inodes, id);

	if (inode == NULL || inode->kept->last.mode == 0)
		return false;
	*stat = (struct wire_stat){ .id = id,
		.mode = inode->kept->last.mode,
		.uid = inode->kept->last.uid,
		.gid = inode->kept->last.gid,
		.size = inode->kept->last.size,
		.mtime_ns = inode->kept->last.mtime_ns,
		.ctime_ns = inode->kept->last.ctime_ns };
	return true;
}

void
inode_interests(struct fsd *fsd, struct link *link)
{
	const struct inode *inode;
	Word_t ino = FUSE_ROOT_ID + 1;
	PPvoid_t slot;

	for (slot = JudyLFirst(fsd->inodes->table, &ino, PJE0);
	     slot != NULL && ino_kind(ino) == INO_ZNODE;
	     slot = JudyLNext(fsd->inodes->table, &ino, PJE0)) {
		inode = *slot;
		if (inode->answers != 0)
			link_interest(link, ino, (uint32_t)inode->answers);
	}
}

void
inode_gone(struct fsd *fsd, uint64_t id)
{
	struct inode *inode = inode_find(fsd->inodes, id);

	if (inode == NULL)
		return;
	inode->kept->gone = true;
	inode_value_forget(fsd->inodes, inode);
}

bool
inode_is_gone(const struct fsd *fsd, uint64_t id)
{
	const struct inode *inode = inode_find(fsd->inodes, id);

	return inode != NULL && inode->kept->gone;
}

void
inode_unnamed(struct fsd *fsd, uint64_t id)
{
	struct inode *inode = inode_find(fsd->inodes, id);

	inode_gone(fsd, id);
	if (inode != NULL)
		inode->kept->unnamed = true;
}

bool
inode_is_unnamed(const struct fsd *fsd, uint64_t id)
{
	const struct inode *inode = inode_find(fsd->inodes, id);

	return inode != NULL && inode->kept->unnamed;
}

/* What was cached may be used: the session's deadline has not passed. */
static bool
trusted(const struct fsd *fsd)
{
	enum link_state state = link_get_state(fsd->link);

	return state == LINK_CONNECTED ||
	       (state == LINK_CONNECTING && link_session(fsd->link) != 0) || fsd->stale;
}

bool
inode_is_live(const struct fsd *fsd, const struct inode *inode)
{
	return inode != NULL && inode->answers != 0 && !inode->kept->gone && !inode->kept->unsure &&
	       trusted(fsd);
}

bool
inode_live(const struct fsd *fsd, uint64_t id)
{
	return inode_is_live(fsd, inode_find(fsd->inodes, id));
}

bool
inode_access(const struct fsd *fsd, uint64_t id, struct wire_stat *stat)
{
	const struct inode *inode = inode_find(fsd->inodes, id);

	return inode_is_live(fsd, inode) && inode->access && inode_last(fsd, id, stat);
}

struct value *
inode_value(const struct fsd *fsd, uint64_t id)
{
	struct inode *inode = inode_find(fsd->inodes, id);

	if (inode == NULL || inode->value == NULL || !inode_is_live(fsd, inode))
		return NULL;
	TAILQ_REMOVE(&fsd->inodes->lru, inode, lru);
	TAILQ_INSERT_TAIL(&fsd->inodes->lru, inode, lru);
	return inode->value;
}

void
inode_value_keep(struct fsd *fsd, uint64_t id, struct value *value)
{
	struct inodes *inodes = fsd->inodes;
	struct inode *inode = inode_find(inodes, id);

	if (inode == NULL || inode->kept->nlookup == 0 || !inode_is_live(fsd, inode))
		return;
	inode_value_forget(inodes, inode);
	inode->value = value_ref(value);
	TAILQ_INSERT_TAIL(&inodes->lru, inode, lru);
	inodes->value_bytes += sizeof *value + value->len;
	while (inodes->value_bytes > INODE_VALUES_MAX)
		inode_value_forget(inodes, TAILQ_FIRST(&inodes->lru));
}

void
inode_value_drop(struct fsd *fsd, uint64_t id)
{
	struct inode *inode = inode_find(fsd->inodes, id);

	if (inode != NULL)
		inode_value_forget(fsd->inodes, inode);
}

void
inode_distrust(struct fsd *fsd)
{
	struct inode *inode;
	Word_t ino = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(fsd->inodes->table, &ino, PJE0); slot != NULL;
	     slot = JudyLNext(fsd->inodes->table, &ino, PJE0)) {
		inode = *slot;
		inode->kept->unsure = true;
		inode->access = false;
		inode_exact_forget(inode);
		inode_value_forget(fsd->inodes, inode);
	}
	inode_invalidate_all(fsd);
	if (!inode_names_doubt(fsd))
		log_warn("names that were moved meanwhile may show once more reason=\"%s\"",
		    strerror(errno));
}

/* It lived only while its answer was handled, or with what shows it. */
static bool
is_left(const struct fsd *fsd, const struct inode_kept *kept)
{
	return kept->nlookup != 0 || kept->ino == fsd->root.id;
}

static struct inode *
adopt(struct fsd *fsd, struct inode_kept *kept)
{
	struct inode *inode;

	if (!is_left(fsd, kept)) {
		kept_slot_free(&fsd->kept->inodes, kept);
		return NULL;
	}
	inode = insert(fsd->inodes, kept);
	if (kept->name != 0)
		inode_name_adopt(fsd->inodes, inode);
	if (kept->untold)
		inode_invalidate(fsd, kept->ino);
	return inode;
}

static void
adopt_znode(void *arg, void *slot)
{
	const struct inode_kept *kept = slot;
	struct inode *inode;

	if (ino_kind(kept->ino) != INO_ZNODE)
		return;
	inode = adopt(arg, slot);
	if (inode != NULL)
		inode->answers = 1;
}

/* What shows a znode keeps it. */
static void
adopt_shown(struct fsd *fsd, uint64_t id)
{
	inode_hold(fsd, id);
	inode_find(fsd->inodes, id)->answers = 1;
}

/* After the znodes. */
static void
adopt_other(void *arg, void *slot)
{
	struct fsd *fsd = arg;
	const struct inode_kept *kept = slot;

	if (ino_kind(kept->ino) == INO_ZNODE || adopt(fsd, slot) == NULL)
		return;
	if (ino_shows(kept->ino))
		adopt_shown(fsd, ino_node(kept->ino));
	else if (is_qualified(kept->ino))
		qualified_adopt(fsd, kept->ino, &kept->is);
	else if (zab_talks(kept->ino) && ino_node(kept->ino) > fsd->talks)
		fsd->talks = ino_node(kept->ino);
}

void
inode_adopt_all(struct fsd *fsd)
{
	kept_slots_each(&fsd->kept->inodes, adopt_znode, fsd);
	kept_slots_each(&fsd->kept->inodes, adopt_other, fsd);
}
