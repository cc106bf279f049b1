/*
 * What became of a name that led to a znode that is gone. Its file may have
 * been replaced (`mv new f` elsewhere), and whoever asks for f must get one or
 * the other, never nothing. So the first answer is ESTALE: the kernel runs the
 * path operation again and asks for the name. This second time the lookup also
 * fetches the value, and what the same thread then asks of that znode is
 * answered from it, should it be replaced once more in between. The operation
 * has happened when its lookup did: it was not over yet, so no order is broken.
 * Where that may be too long ago, an open(2) looks for the name here once more.
 *
 * So no program ever sees the ESTALE. A small table by thread, kept for a process
 * that goes on (kept.h) but for the values: it looks for the name once more.
 */
#ifndef ZABFS_FSD_GRACE_H
#define ZABFS_FSD_GRACE_H

#include "fsd/fsd.h"
#include "fsd/value.h"

struct graces;

struct grace_place {
	uint64_t parent;
	uint32_t mode, uid, gid; /* of what was found: the kernel has checked them */
	char name[WIRE_NAME_MAX + 1];
};

#define GRACE_SLOTS 64 /* threads at a time; who comes then takes the place of whoever came first */

struct grace {
	uint64_t order;	   /* of the threads' coming */
	uint64_t began_ns; /* ESTALE was answered */
	uint64_t what;
	bool looked_up; /* since then */
	bool tried;	/* what is to be done was asked for a second time */
	bool opened;	/* found, and opened: what comes now is another operation */
	uint64_t kept_ns;
	uint64_t syncs; /* that had ended then */
	uint64_t found; /* id, 0: nothing */
	struct grace_place place;
	uint64_t created; /* 0: nothing */
};

struct grace_kept {
	int32_t tids[GRACE_SLOTS]; /* apart: each request of the kernel looks for its own */
	struct grace slots[GRACE_SLOTS];
	uint64_t comings;
	uint64_t syncs;
};

/* Aborts without memory. kept: borrowed. */
struct graces *graces_new(struct grace_kept *kept);
void graces_free(struct graces *graces);

/*
 * The thread is about to be answered ESTALE, because of `what`: a number of the caller's. True: it
 * was because of the same, a moment ago.
 */
bool grace_begin(struct fsd *fsd, int32_t tid, uint64_t what);
/*
 * Whether the ESTALE led to no lookup: there is no name to look for (a removed working
 * directory).
 */
bool grace_in_vain(const struct fsd *fsd, int32_t tid);
/*
 * Each new request of the kernel: one that is no part of opening or looking at what was found ends
 * it.
 */
void grace_request(struct fsd *fsd, int32_t tid, uint32_t opcode, uint64_t ino);
/* Whether this thread's lookup follows an ESTALE. */
bool grace_due(const struct fsd *fsd, int32_t tid);
/* What its lookup found, and where. A reference is taken. */
void grace_keep(
    struct fsd *fsd, int32_t tid, uint64_t parent, const char *name, struct value *value);
/* Borrowed; NULL: nothing that this thread has just looked up. */
struct value *grace_get(const struct fsd *fsd, int32_t tid, uint64_t id);
/* Where this thread's second try has just found it; NULL: it has not. Until its next request. */
const struct grace_place *grace_place(const struct fsd *fsd, int32_t tid, uint64_t id);
/* An fsync(2) has ended: what was looked up before may be too old for who begins now. */
void grace_synced(struct fsd *fsd);

/*
 * The thread's open(2) has created ino. The kernel may check it at once, by a GETATTR; if nobody can
 * be asked, an error would say that nothing was created. True once, for that.
 */
void grace_created(struct fsd *fsd, int32_t tid, uint64_t ino);
bool grace_is_created(struct fsd *fsd, int32_t tid, uint64_t ino);

#endif
