/*
 * The numbers of what is qualified by more than fits into a number (ino.h):
 * directories DIR/.zab/MODIFIER[,MODIFIER…], nodes that the kernel found
 * through one, and DIR/.zab/events[,from=ZXID]. They are given out here, the same for the same, and forgotten when
 * the kernel forgets them (inode.c). One that is not known any more is ESTALE: the
 * kernel then looks the path up again (fsd/README.md, fact 9).
 */
#ifndef ZABFS_FSD_QUALIFIED_H
#define ZABFS_FSD_QUALIFIED_H

#include "fsd/fsd.h"
#include "fsd/ino.h"
#include "fsd/modifier.h"

struct qualified {
	uint64_t id; /* the directory's, or the node's */
	struct modifier modifier;
};

struct qualifieds;

#define QUALIFIED_NAMES_MAX 1024

/* Aborts without memory. */
struct qualifieds *qualifieds_new(void);
void qualifieds_free(struct qualifieds *all);

/* kind: INO_MODIFIER, INO_REACHED or INO_EVENTS. */
uint64_t qualified_ino(
    struct fsd *fsd, enum ino_kind kind, uint64_t id, const struct modifier *modifier);
/*
 * The kernel looks it up in DIR/.zab by this name, and keeps that: of the names that came before the
 * last QUALIFIED_NAMES_MAX it is told to let go, or a counter by version=N would fill its memory, and ours.
 */
void qualified_named(struct fsd *fsd, uint64_t dir, const char *name);
/* One that a process before us gave out. */
void qualified_adopt(struct fsd *fsd, uint64_t ino, const struct qualified *is);
/* Of any of these kinds. Borrowed until the kernel forgets it. NULL: not known. */
const struct qualified *qualified_find(const struct fsd *fsd, uint64_t ino);
/* Of a node found through a modifier *ino becomes its alias. False: not known. */
bool qualified_resolve(const struct fsd *fsd, uint64_t *ino);
/* The same, and how the kernel came to the node, which may be any: not through one, zeros. */
bool qualified_reached(const struct fsd *fsd, uint64_t *ino, struct modifier *modifier);
/*
 * Of which directory the names below a number are, and how an operation on them is qualified:
 * not at all, or by ephemeral, held, or a modifier. False: not known.
 */
bool qualified_dir(const struct fsd *fsd, uint64_t ino, struct qualified *out);
/* Calls `with` for each directory of modifiers that the kernel knows in this one. */
void qualified_each(struct fsd *fsd, uint64_t dir, void (*with)(struct fsd *fsd, uint64_t ino));
/* The kernel has forgotten it; other kinds of numbers are fine, too. */
void qualified_drop(struct fsd *fsd, uint64_t ino);

#endif
