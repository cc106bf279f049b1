/*
 * Asks for a name's addresses without waiting. Only names come here: an
 * address in numbers is one without asking (address.h). Used by dial.c, for
 * whoever dials.
 */
#ifndef ZABFS_LIB_RESOLVE_H
#define ZABFS_LIB_RESOLVE_H

#include <event2/event.h>
#include <stdbool.h>

struct address;
struct addrinfo;

/*
 * The look-ups of one name, one at a time, on a thread of its own: nobody can
 * interrupt one, and a server of names that does not answer takes longer than
 * whoever asks. So there is one thread and one pipe a name, however often it is
 * asked for.
 */
struct resolver;
struct resolver *resolver_new(void); /* aborts without memory */
/* NULL is fine. A look-up that is under way ends by itself. */
void resolver_free(struct resolver *resolver);

/*
 * found: once, from the loop, unless cancelled; 0 and addresses, now the
 * callee's, or a number for gai_strerror(3). One asker at a time. Where a look-up
 * is under way, of an asker that has cancelled, its answer is this one's. name:
 * the resolver's only one, copied. False: no memory or no thread.
 */
bool resolver_ask(struct resolver *resolver, struct event_base *base, const struct address *name,
    void (*found)(void *arg, int error, struct addrinfo *addresses), void *arg);
/* Nobody asks is fine, and no resolver. */
void resolver_cancel(struct resolver *resolver);

#endif
