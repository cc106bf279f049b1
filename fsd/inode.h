/*
 * What the kernel knows: for each number (ino.h) how often it was told, and
 * for a znode how many of the replica's answers named it (the interest to take
 * back on FORGET), its cached value, and the name it was last found by.
 *
 * An entry without references from the kernel lives only while an answer is
 * handled: inode_answered, the handler, inode_settle; or while it is held.
 *
 * What another process of fsd would have to know is in a slot of kept.h.
 */
#ifndef ZABFS_FSD_INODE_H
#define ZABFS_FSD_INODE_H

#include "fsd/fsd.h"
#include "fsd/qualified.h"
#include "fsd/value.h"

#define INODE_VALUES_MAX (64u << 20) /* bytes of cached values */

/* Of a znode's stat what fstat(2) shows. */
struct inode_last {
	uint32_t mode, uid, gid, size; /* mode 0: never seen */
	int64_t mtime_ns, ctime_ns;
};

/* A slot of kept.h. */
struct inode_kept {
	uint64_t ino; /* first */
	uint64_t nlookup;
	uint64_t name;	    /* key in inodes.names; 0: none */
	bool gone, unnamed; /* the znode was removed; and the kernel knows */
	bool unsure;	    /* changes of it may have been missed */
	bool untold;	    /* an invalidation waits for the kernel to know the number */
	union {
		struct inode_last last;
		struct qualified is; /* of a number of qualified.h */
	};
};

struct inodes;

/* Aborts without memory. */
struct inodes *inodes_new(struct fsd *fsd);
void inodes_free(struct inodes *inodes);
uint64_t inode_count(const struct fsd *fsd);
uint64_t inode_value_bytes(const struct fsd *fsd); /* of cached values */

/* An entry for ino was given to the kernel; `arg` of echo_new's ref is the fsd. */
void inode_ref(struct fsd *fsd, uint64_t ino);
void inode_forget(struct fsd *fsd, uint64_t ino, uint64_t nlookup);
/* A reference of our own. */
void inode_hold(struct fsd *fsd, uint64_t ino);
void inode_let_go(struct fsd *fsd, uint64_t ino);
/* All that the kernel knows from a process before us. */
void inode_adopt_all(struct fsd *fsd);
/* The root always is. */
bool inode_known(const struct fsd *fsd, uint64_t ino);

/* A reply named the znode and counts as interest; settle it when the handler is done. */
void inode_answered(struct fsd *fsd, uint64_t id);
/* Takes the interest back if the kernel doesn't know the znode. */
void inode_settle(struct fsd *fsd, uint64_t id);
/* A reply showed the znode (counted or not) as it was at zxid, 0: not known: it exists. */
void inode_seen(struct fsd *fsd, const struct wire_stat *stat, uint64_t zxid);
/* How it was last seen: id and what fstat(2) shows, the rest 0. False: never. */
bool inode_last(const struct fsd *fsd, uint64_t id, struct wire_stat *stat);
/*
 * Who may do what in it, if that is certain without asking: a change of it would have been told,
 * as for what the kernel caches. Mode, owner, and the times of when it was last seen.
 */
bool inode_access(const struct fsd *fsd, uint64_t id, struct wire_stat *stat);
/*
 * A change of the znode is told, made at zxid; stat: of a directory, as it is now, NULL: not told.
 * moved: it stands elsewhere now, or is gone.
 */
void inode_told(
    struct fsd *fsd, uint64_t id, const struct wire_stat *stat, uint64_t zxid, bool moved);
/* A write of this session was answered, which need not be told; stat: what it made, or NULL. */
void inode_wrote(struct fsd *fsd, enum wire_type type, const struct wire_stat *stat, uint64_t zxid);
/*
 * A directory as GETATTR would show it, and as LOOKUP would find it, without asking: each change is
 * told before any later answer, so what was seen last is right. False: the replica has to be asked.
 */
bool inode_exact(const struct fsd *fsd, uint64_t id, struct wire_stat *stat);
bool inode_placed(const struct fsd *fsd, uint64_t parent, const char *name, struct wire_stat *stat);
/*
 * For inode_placed, behind inode_name_set: the answer that is being handled found the directory
 * there. Not for that of a write: it may be one of long ago, which came again.
 */
void inode_place_set(struct fsd *fsd, uint64_t parent, const char *name, uint64_t id);
/* link_interest for each znode that the kernel knows. */
void inode_interests(struct fsd *fsd, struct link *link);

/* The znode was removed, elsewhere: the kernel has its name until the echo has told it. */
void inode_gone(struct fsd *fsd, uint64_t id);
bool inode_is_gone(const struct fsd *fsd, uint64_t id);
/* The kernel knows that it was removed: no name leads to it any more. id 0 is fine. */
void inode_unnamed(struct fsd *fsd, uint64_t id);
bool inode_is_unnamed(const struct fsd *fsd, uint64_t id);
/* Whether the znode exists for sure, as far as this session may trust what it has seen. */
bool inode_live(const struct fsd *fsd, uint64_t id);
/*
 * The change stream has a gap: nothing is sure, no value is kept, and the kernel asks anew for
 * every attribute and every name.
 */
void inode_distrust(struct fsd *fsd);

/*
 * Makes the kernel ask for the attributes again. The kernel may not have
 * consumed yet the reply that tells it of ino: then it is tried again every
 * millisecond until it has, or has forgotten.
 */
void inode_invalidate(struct fsd *fsd, uint64_t ino);
void inode_invalidate_all(struct fsd *fsd);
/*
 * Before the answer to what has changed the node. The kernel asks for its attributes by itself
 * then; but whoever has asked before may still be about to write down what was answered him, and
 * that would stay for ever. What is invalidated it knows to be newer; and what is asked from now on
 * is answered behind that answer.
 */
void inode_outdate(struct fsd *fsd, uint64_t ino);
/* The directory's attributes are shown by what lives in its .zab, too. */
void inode_invalidate_zab(struct fsd *fsd, uint64_t dir);
/*
 * Makes the kernel forget a name, from a thread of its own: that call takes the directory's
 * lock.
 */
void inode_entry_drop(struct fsd *fsd, uint64_t parent, const char *name);
/* The same of one that is right, and not needed. False: too many wait for that thread, it stays. */
bool inode_entry_spare(struct fsd *fsd, uint64_t parent, const char *name);
/*
 * Asks the thread to stop when it has done what waits. It may need our answers for it: the loop
 * goes on until it has stopped.
 */
void inode_drops_stop(struct fsd *fsd);
bool inode_drops_stopped(const struct fsd *fsd);

/* The cached value, borrowed; NULL: none, or not to be trusted now. */
struct value *inode_value(const struct fsd *fsd, uint64_t id);
/* Keeps a READ's value if changes of the znode will be told. A reference is taken. */
void inode_value_keep(struct fsd *fsd, uint64_t id, struct value *value);
void inode_value_drop(struct fsd *fsd, uint64_t id);

/* Which znode the kernel was last told stands at a name; 0: it doesn't know. */
void inode_name_set(struct fsd *fsd, uint64_t parent, const char *name, uint64_t id);
uint64_t inode_name_get(const struct fsd *fsd, uint64_t parent, const char *name);

#endif
