/*
 * The loop of a mount: libevent's, with a short spin between two sleeps
 * (filesystem.md, fact 6: a round trip costs a third of one with a sleep).
 *
 * The rule. A turn is busy if it begins less than SPIN_NEAR_NS after the one
 * before ended: somebody sends request after request. After SPIN_WARM busy
 * turns in a row the loop polls /dev/fuse and the link for up to SPIN_NS before
 * it sleeps, and goes on as long as something arrives in that time; one
 * spin in vain takes half of the warmth away. The processor is offered to
 * others at each step: whoever we wait for may need it. An idle mount sleeps.
 */
#ifndef ZABFS_FSD_SPIN_H
#define ZABFS_FSD_SPIN_H

#include "fsd/fsd.h"

#define SPIN_NS 40000
#define SPIN_NEAR_NS 100000 /* a wake-up costs some 30 µs by itself */
#define SPIN_WARM 4

/* Until event_base_loopbreak or event_base_loopexit. */
void spin_loop(struct fsd *fsd);

#endif
