/*
 * Asks for a name's addresses without waiting. Only names come here: an
 * address in numbers is one without asking (address.h). Used by dial.c.
 */
#ifndef ZABFS_LIB_RESOLVE_H
#define ZABFS_LIB_RESOLVE_H

#include <event2/event.h>

struct address;
struct addrinfo;
struct resolve;

/*
 * On a thread of its own. found: once, from the loop, unless cancelled; 0 and
 * addresses, now the callee's, or a number for gai_strerror(3). name is copied.
 * NULL: no memory or no thread.
 */
struct resolve *resolve_new(struct event_base *base, const struct address *name,
    void (*found)(void *arg, int error, struct addrinfo *addresses), void *arg);
/* NULL is fine. */
void resolve_cancel(struct resolve *resolve);

#endif
