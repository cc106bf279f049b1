/*
 * What is left of open files and nobody will take back: held nodes, where the
 * process was killed while their creation was on its way, or was told that nobody
 * knows what became of it, or their deletion at the close could not be sent in
 * time; locks likewise, and those that somebody has ceased to wait for. They are
 * taken back here, as soon as there is a connection and a request id for it.
 */
#ifndef ZABFS_FSD_STRAY_H
#define ZABFS_FSD_STRAY_H

#include "fsd/fsd.h"

#define STRAYS_MAX 65536 /* of each kind; beyond that they stay until the session ends */

struct strays;

/* Aborts without memory. */
struct strays *strays_new(struct fsd *fsd);
void strays_free(struct strays *strays);

void stray_add(struct fsd *fsd, uint64_t id);
/* The creation `rid`, of a node held by the open file fh, may have been executed, or still be. */
void stray_doubt(struct fsd *fsd, uint64_t rid, uint64_t fh);
/*
 * The open file's lock, if it has one; what asked for it is answered, or has been given up: then
 * it is not executed behind what is sent later (link.h, `acked`).
 */
void stray_lock(struct fsd *fsd, uint64_t id, uint64_t fh);
/* It is wanted again, or taken back by somebody else. */
void stray_lock_forget(struct fsd *fsd, uint64_t fh);

#endif
