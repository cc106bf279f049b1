/*
 * The listening side of the front ends (front.h): who is let in and how many,
 * the list of connections. What they say is front.c's.
 */
#include "replica/net/front_internal.h"

#include "replica/lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128

bool
front_tell(struct front_told *told, uint32_t burst)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - told->at_s >= told->lines)
		told->lines = 0;
	else
		told->lines -= (uint32_t)(now.tv_sec - told->at_s);
	told->at_s = now.tv_sec;
	if (told->lines >= burst) {
		told->kept++;
		return false;
	}
	told->lines++;
	return true;
}

/* Closes a connection that is not wanted. */
static void
refuse(struct front_server *server, int fd, const char *from, const char *why)
{
	close(fd);
	server->refused_all++;
	if (!front_tell(&server->refused, 1))
		return;
	log_warn("front end refused: %s refused=%" PRIu64 " why=\"%s\"", from,
	    server->refused.kept + 1, why);
	server->refused.kept = 0;
}

static void
let_in(struct front_server *server, int fd, const char *from, uint32_t fronts_max)
{
	if (server->nfronts >= fronts_max)
		refuse(server, fd, from, "too many connections");
	else if (front_new(server, fd, from) == NULL)
		log_warn("front end refused: %s why=\"no memory\"", from);
}

static void
on_local(void *arg, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct front_server *server = arg;
	char from[FRONT_FROM_MAX];
	bool trusted;
	pid_t pid;
	uid_t uid;

	(void)addr;
	(void)len;
	trusted = unixsock_peer_trusted(fd, &pid, &uid);
	snprintf(from, sizeof from, "pid=%d uid=%d", (int)pid, (int)uid);
	if (!trusted)
		refuse(server, fd, from, "neither root nor the replica's user");
	else
		let_in(server, fd, from, FRONT_CONNECTIONS_MAX);
}

static void
on_remote(void *arg, int fd, const struct sockaddr *addr, socklen_t len)
{
	const int yes = 1, silence_ms = FRONT_SILENCE_MS, idle_s = FRONT_SILENCE_MS / 3000;
	char from[FRONT_FROM_MAX], address[ADDRESS_TEXT_MAX];
	struct front_server *server = arg;

	address_text(addr, len, address);
	snprintf(from, sizeof from, "address=%s", address);
	/* A node that is gone says nothing: unread answers, and silence, are asked after. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof idle_s) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms) != 0)
		refuse(server, fd, from, strerror(errno));
	else
		let_in(server, fd, from, FRONT_REMOTE_MAX);
}

static void
on_failed(void *arg, const char *why)
{
	(void)arg;
	log_warn("cannot accept front ends: why=\"%s\"", why);
}

/* What all connections may leave unread: a quarter of the memory is little to lose on a small one. */
static uint64_t
unsent_max(const struct front_options *options)
{
	uint64_t quarter = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 4;

	if (options->unsent_max != 0)
		return options->unsent_max;
	return quarter < FRONT_UNSENT_ALL_MAX ? quarter : FRONT_UNSENT_ALL_MAX;
}

struct front_server *
front_listen(struct event_base *base, const struct front_options *options,
    const struct front_handler *handler, void *arg, char *err, size_t errlen)
{
	static const struct acceptor_handler local = { on_local, on_failed },
					     remote = { on_remote, on_failed };
	struct front_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		goto nomem;
	TAILQ_INIT(&server->fronts);
	server->base = base;
	server->handler = handler;
	server->arg = arg;
	server->sock.fd = -1;
	msgpack_sbuffer_init(&server->stat);
	server->unsent_max = unsent_max(options);
	server->path = strdup(options->path);
	if (server->path == NULL)
		goto nomem;
	if (!unixsock_listen(&server->sock, options->path, BACKLOG, err, errlen))
		goto fail;
	server->local = acceptor_new(base, server->sock.fd, &local, server);
	if (server->local == NULL)
		goto nomem;
	if (options->address == NULL)
		return server;
	server->remote = acceptor_listen(base, options->address, &remote, server, err, errlen);
	if (server->remote != NULL)
		return server;
	goto fail;

nomem:
	snprintf(err, errlen, "%s: no memory", options->path);
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
	if (server->local == NULL && server->sock.fd >= 0)
		close(server->sock.fd);
	acceptor_free(server->local);
	acceptor_free(server->remote);
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

struct front_figures
front_figures(const struct front_server *server)
{
	return (struct front_figures){ .received_bytes = server->traffic.in,
		.sent_bytes = server->traffic.out,
		.refused = server->refused_all,
		.dropped = server->dropped_all,
		.unsent_bytes = server->traffic.unsent,
		.unsent_bytes_limit = server->unsent_max };
}
