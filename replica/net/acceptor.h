/*
 * A listening socket on the loop: what comes is handed out, and where accept(2)
 * fails (out of descriptors, most likely) it tries again a second later instead of
 * spinning. Used for front ends and for other members.
 */
#ifndef ZABFS_NET_ACCEPTOR_H
#define ZABFS_NET_ACCEPTOR_H

#include <event2/event.h>
#include <stddef.h>
#include <sys/socket.h>

struct acceptor;

struct acceptor_handler {
	/* fd: the callee's. addr: borrowed. */
	void (*accepted)(void *arg, int fd, const struct sockaddr *addr, socklen_t len);
	/* Nothing is accepted for a second. */
	void (*failed)(void *arg, const char *why);
};

/* Owns fd, a listening socket, on success. NULL: no memory. handler: borrowed. */
struct acceptor *acceptor_new(
    struct event_base *base, int fd, const struct acceptor_handler *handler, void *arg);
/* Closes the socket. NULL is fine. */
void acceptor_free(struct acceptor *acceptor);

/* A socket that listens at HOST:PORT, for acceptor_new; -1: see err. */
int acceptor_bind(const char *address, char *err, size_t errlen);

/* Listens at HOST:PORT, on the first of the name's addresses that this machine has. NULL: see err.
 */
struct acceptor *acceptor_listen(struct event_base *base, const char *address,
    const struct acceptor_handler *handler, void *arg, char *err, size_t errlen);

#endif
