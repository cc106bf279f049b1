/* The link's handler. See session.h. */
#include "fsd/session.h"

#include "fsd/change.h"
#include "fsd/ino.h"
#include "fsd/inode.h"
#include "replica/lib/log.h"

#include <sys/stat.h>

/* Before, nobody is served and the kernel knows nothing. */
static bool
is_served(const struct fsd *fsd)
{
	return fsd->root.id != 0;
}

static void
on_change(void *arg, const struct wire_change *change)
{
	struct fsd *fsd = arg;
	/* Its own call has still to return: that raises the events. */
	bool tell = !change->own && echo_change(fsd->echo, change->zxid, change->op);

	if (!is_served(fsd))
		return;
	if (change->own)
		echo_own_change(fsd->echo, change, change->op);
	if (change->kind == WIRE_REMOVE)
		inode_gone(fsd, change->id);
	else if (change->kind == WIRE_MOVE && change->id2 != 0)
		inode_gone(fsd, change->id2);
	change_apply(fsd, change, tell);
	if (change->kind == WIRE_ATTR && S_ISDIR(change->mode))
		inode_invalidate_zab(fsd, change->id);
}

static void
on_lost(void *arg)
{
	struct fsd *fsd = arg;

	if (!is_served(fsd))
		return;
	log_warn("changes were missed, nothing cached is trusted any more inodes=%llu",
	    (unsigned long long)inode_count(fsd));
	inode_distrust(fsd);
}

static void
tell_state(struct fsd *fsd, enum link_state state)
{
	/* Even a cached stat then asks, and fails (zabfs(7)). */
	if (state == LINK_SUSPENDED && !fsd->stale) {
		log_warn("the session's deadline has passed, reads fail from now on");
		inode_invalidate_all(fsd);
	}
	/* What changes until the next session begins nobody tells us. */
	if (state == LINK_EXPIRED)
		inode_distrust(fsd);
	if (fsd->echo != NULL)
		echo_push_zab(
		    fsd->echo, fsd->root.id, "session", ino_make(INO_SESSION, fsd->root.id));
}

static void
on_state(void *arg, enum link_state state)
{
	struct fsd *fsd = arg;

	if (is_served(fsd))
		tell_state(fsd, state);
	if (state == LINK_CONNECTED && fsd->connected != NULL)
		fsd->connected(fsd->connected_arg);
}

static void
on_interests(void *arg, struct link *link)
{
	inode_interests(arg, link);
}

const struct link_handler session_handler = {
	.change = on_change,
	.lost = on_lost,
	.state = on_state,
	.interests = on_interests,
};
