/*
 * The listening side of the front ends (front.h): who is let in and how many,
 * the list of connections. What they say is front.c's.
 */
#include "replica/net/front_internal.h"

#include "replica/lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 128
#define LOG_EVERY_S 1 /* of lines that a stranger can provoke at will */

/* Closes a connection that is not wanted; one line a second says so. */
static void
refuse(struct front_server *server, int fd, pid_t pid, uid_t uid, const char *why)
{
	struct timespec now;

	close(fd);
	server->refused++;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (server->refused_logged.tv_sec != 0 &&
	    now.tv_sec - server->refused_logged.tv_sec < LOG_EVERY_S)
		return;
	log_warn("front end refused: pid=%d uid=%d refused=%" PRIu64 " why=\"%s\"", (int)pid,
	    (int)uid, server->refused, why);
	server->refused_logged = now;
	server->refused = 0;
}

static void
on_accept(
    struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
	struct front_server *server = arg;
	pid_t pid;
	uid_t uid;

	(void)listener;
	(void)addr;
	(void)len;
	if (!unixsock_peer_trusted(fd, &pid, &uid)) {
		refuse(server, fd, pid, uid, "neither root nor the replica's user");
		return;
	}
	if (server->nfronts >= FRONT_CONNECTIONS_MAX) {
		refuse(server, fd, pid, uid, "too many connections");
		return;
	}
	if (front_new(server, fd, pid) == NULL)
		log_warn("front end refused: pid=%d why=\"no memory\"", (int)pid);
}

/* Out of descriptors, most likely: what waits in the backlog would make us spin. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval later = { LOG_EVERY_S, 0 };
	struct front_server *server = arg;

	log_warn("cannot accept front ends: why=\"%s\"", strerror(errno));
	evconnlistener_disable(listener);
	event_add(server->retry, &later);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct front_server *server = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(server->listener);
}

struct front_server *
front_listen(struct event_base *base, const char *path, const struct front_handler *handler,
    void *arg, char *err, size_t errlen)
{
	struct front_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		goto nomem;
	TAILQ_INIT(&server->fronts);
	server->base = base;
	server->handler = handler;
	server->arg = arg;
	server->sock.fd = -1;
	msgpack_sbuffer_init(&server->stat);
	server->path = strdup(path);
	server->retry = evtimer_new(base, on_retry, server);
	if (server->path == NULL || server->retry == NULL)
		goto nomem;
	if (!unixsock_listen(&server->sock, path, BACKLOG, err, errlen))
		goto fail;
	server->listener = evconnlistener_new(base, on_accept, server,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, server->sock.fd);
	if (server->listener == NULL)
		goto nomem;
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	return server;

nomem:
	snprintf(err, errlen, "%s: no memory", path);
fail:
	front_server_free(server);
	return NULL;
}

void
front_server_free(struct front_server *server)
{
	struct front *front;

	if (server == NULL)
		return;
	while ((front = TAILQ_FIRST(&server->fronts)) != NULL)
		front_free(front);
	if (server->sock.fd >= 0)
		unixsock_remove(&server->sock, server->path);
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	else if (server->sock.fd >= 0)
		close(server->sock.fd);
	if (server->retry != NULL)
		event_free(server->retry);
	msgpack_sbuffer_destroy(&server->stat);
	free(server->path);
	free(server);
}

struct front *
front_next(struct front_server *server, struct front *previous)
{
	return previous == NULL ? TAILQ_FIRST(&server->fronts) : TAILQ_NEXT(previous, entry);
}

uint32_t
front_connections(const struct front_server *server)
{
	return server->nfronts;
}
