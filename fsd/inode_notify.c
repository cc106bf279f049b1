/*
 * Telling the kernel that what it caches is old. See inode.h.
 *
 * Attributes are invalidated without page ranges (offset -1): that takes no
 * lock that a request which waits for us may hold. Names are another matter
 * (inode_drop.c).
 */
#include "fsd/inode_internal.h"

#include "fsd/ino.h"
#include "fsd/qualified.h"
#include "replica/lib/check.h"

#include <errno.h>
#include <stdlib.h>

/* A number that the kernel never learns: its answer was lost with the process that gave it. */
#define TRIES_MAX 10000

static const struct timeval retry_after = { .tv_usec = 1000 };

/* False: the kernel doesn't know the number yet. */
static bool
tell(struct fsd *fsd, uint64_t ino)
{
	return fuse_lowlevel_notify_inval_inode(fsd->se, ino, -1, 0) != -ENOENT;
}

static bool
given_up(struct inode *inode)
{
	return inode->tries++ == TRIES_MAX;
}

static void
done(struct inodes *inodes, struct inode *inode, uint64_t ino)
{
	Judy1Unset(&inodes->retry, ino, PJE0);
	if (inode == NULL)
		return;
	inode->tries = 0;
	inode->kept->untold = false;
}

static void
on_retry(evutil_socket_t fd, short events, void *arg)
{
	struct inodes *inodes = arg;
	struct inode *inode;
	Word_t ino = 0;
	int found;

	(void)fd;
	(void)events;
	for (found = Judy1First(inodes->retry, &ino, PJE0); found == 1;
	     found = Judy1Next(inodes->retry, &ino, PJE0)) {
		inode = inode_find(inodes, ino);
		if (!inode_known(inodes->fsd, ino) || tell(inodes->fsd, ino) ||
		    (inode != NULL && given_up(inode)))
			done(inodes, inode, ino);
	}
	if (Judy1Count(inodes->retry, 0, (Word_t)-1, PJE0) != 0)
		event_add(inodes->retry_timer, &retry_after);
}

void
inode_notify_init(struct inodes *inodes)
{
	inodes->retry_timer = evtimer_new(inodes->fsd->base, on_retry, inodes);
	CHECK(inodes->retry_timer != NULL);
}

void
inode_notify_free(struct inodes *inodes)
{
	event_free(inodes->retry_timer);
	Judy1FreeArray(&inodes->retry, PJE0);
}

void
inode_invalidate(struct fsd *fsd, uint64_t ino)
{
	struct inode *inode = inode_find(fsd->inodes, ino);

	if (!inode_known(fsd, ino) || tell(fsd, ino))
		return;
	if (inode != NULL)
		inode->kept->untold = true;
	CHECK(Judy1Set(&fsd->inodes->retry, ino, PJE0) != JERR);
	if (!event_pending(fsd->inodes->retry_timer, EV_TIMEOUT, NULL))
		event_add(fsd->inodes->retry_timer, &retry_after);
}

void
inode_outdate(struct fsd *fsd, uint64_t ino)
{
	if (ino_kind(ino) == INO_ZNODE)
		inode_invalidate(fsd, ino);
}

void
inode_invalidate_all(struct fsd *fsd)
{
	Word_t ino = 0;
	PPvoid_t slot;

	inode_invalidate(fsd, fsd->root.id);
	for (slot = JudyLFirst(fsd->inodes->table, &ino, PJE0); slot != NULL;
	     slot = JudyLNext(fsd->inodes->table, &ino, PJE0))
		inode_invalidate(fsd, ino);
}

void
inode_invalidate_zab(struct fsd *fsd, uint64_t dir)
{
	static const enum ino_kind kinds[] = { INO_ZAB, INO_STATS, INO_EPHEMERAL, INO_HELD };
	struct inode *inode = inode_find(fsd->inodes, dir);
	size_t i;

	if (inode != NULL)
		inode->access = false;
	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		inode_invalidate(fsd, ino_make(kinds[i], dir));
	qualified_each(fsd, dir, inode_invalidate);
}
