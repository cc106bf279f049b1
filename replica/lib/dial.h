/*
 * One attempt to connect, without waiting: to a Unix socket (a path, it has a
 * slash) or to HOST:PORT, whose addresses are tried one after another, and whose
 * name is asked for anew each time, it may have moved. Used by the replica for
 * the other members and by the front end for its replica.
 */
#ifndef ZABFS_LIB_DIAL_H
#define ZABFS_LIB_DIAL_H

#include <event2/event.h>
#include <stdint.h>

struct dial;
struct resolver;

/*
 * done: once, from the loop, unless cancelled; the dial is gone by then. fd:
 * connected, the callee's, TCP without Nagle; or -1, and `why` says what was
 * wrong with the last address (borrowed until return). limit_ms: for each
 * address; the name has to come by then, too. address: borrowed until done or
 * cancel. resolver: of this address, and of every attempt to reach it; borrowed, too. Aborts without
 * memory.
 */
struct dial *dial_new(struct event_base *base, const char *address, struct resolver *resolver,
    uint32_t limit_ms, void (*done)(void *arg, int fd, const char *why), void *arg);
/* NULL is fine. */
void dial_cancel(struct dial *dial);

#endif
