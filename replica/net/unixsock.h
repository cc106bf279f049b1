/*
 * A listening Unix socket that only root and the own user may reach. Used by
 * front.c.
 */
#ifndef ZABFS_NET_UNIXSOCK_H
#define ZABFS_NET_UNIXSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct unixsock {
	int fd;	   /* listening, close-on-exec, non-blocking */
	dev_t dev; /* of the file, */
	ino_t ino; /* to know it again */
};

/*
 * Binds and listens, mode 0600 from the first moment. What a dead process left
 * at `path` is replaced; a live socket, or anything that isn't a socket, is
 * not. False: err has a clear line.
 */
bool unixsock_listen(
    struct unixsock *sock, const char *path, int backlog, char *err, size_t errlen);

/* Removes `path` if it is still this socket's file, not a successor's. Leaves the descriptor. */
void unixsock_remove(const struct unixsock *sock, const char *path);

/* Whether the peer is root or this process's user; its pid. */
bool unixsock_peer_trusted(int fd, pid_t *pid, uid_t *uid);

#endif
