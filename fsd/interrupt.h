/*
 * Interrupted requests (fsd/README.md, fact 20). FUSE_INTERRUPT also comes for
 * signals that the program handles, so a request ends early only where the
 * signal is fatal, or where it has been waiting for so long that it must be
 * waiting for a connection or a quorum. There is no second INTERRUPT: looked at
 * again every INTERRUPT_LOOK_MS while such requests exist. Who waits for a lock
 * ends at once: the kernel runs such a call again, if the signal's handler
 * leaves it to it.
 *
 * What umount(8) asks must not hang on a replica that is away: it gets an
 * answer without one.
 */
#ifndef ZABFS_FSD_INTERRUPT_H
#define ZABFS_FSD_INTERRUPT_H

#include "fsd/call.h"

#define INTERRUPT_LOOK_MS 100
#define INTERRUPT_PATIENCE_MS 1000

struct waits;

/* Aborts without memory. */
struct waits *waits_new(struct fsd *fsd);
void waits_free(struct waits *waits);

void interrupt_watch(struct call *call);
/*
 * For a call that was sent: after INTERRUPT_PATIENCE_MS hasty() answers its request from what is
 * known. The call then goes on for nobody.
 */
void interrupt_hurry(struct call *call, void (*hasty)(struct call *call));
/* The call no longer waits; it may wait again with its next message. */
void interrupt_forget(struct call *call);

#endif
