/*
 * The listening side of the members' connections (link_internal.h): where, and
 * how many that have not said who they are.
 */
#include "replica/net/link_internal.h"

#include "replica/lib/log.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128
#define RETRY_S 1

static void
on_accept(
    struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
	struct links *links = arg;
	char remote[ADDRESS_TEXT_MAX];

	(void)listener;
	links_enter(links);
	address_text(addr, (socklen_t)len, remote);
	if (links->strangers >= LINK_STRANGERS_MAX) {
		close(fd);
		links->refused++;
		link_log(links, NULL, LINK_WARN, "link refused", remote,
		    "too many that have not said who they are");
	} else if (link_new(links, fd, NULL, remote) == NULL) {
		link_log(links, NULL, LINK_WARN, "link refused", remote, "no memory");
	}
	links_leave(links);
}

/* Out of descriptors, most likely: what waits in the backlog would make us spin. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval later = { RETRY_S, 0 };
	struct links *links = arg;

	link_log(links, NULL, LINK_WARN, "cannot accept members", "?", strerror(errno));
	evconnlistener_disable(listener);
	event_add(links->retry, &later);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct links *links = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(links->listener);
}

/* A listening socket, or -1 and errno. */
static int
listen_at(const struct addrinfo *at)
{
	const int yes = 1;
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int errnum;

	if (fd < 0)
		return -1;
	/* Connections of a process that is gone don't keep the port. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
	    bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	errnum = errno;
	close(fd);
	errno = errnum;
	return -1;
}

/* The first of a name's addresses that this machine has. */
static int
listen_first(const struct addrinfo *found)
{
	int fd = -1;

	for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
		fd = listen_at(at);
		if (fd >= 0 || errno == EADDRINUSE)
			break;
	}
	return fd;
}

bool
link_listen(struct links *links, const char *address, char *err, size_t errlen)
{
	struct addrinfo *found;
	struct address name;
	int fd, error;

	if (!address_parse(address, &name)) {
		snprintf(err, errlen, "\"%s\" is not HOST:PORT", address);
		return false;
	}
	error = address_resolve(&name, false, &found);
	if (error != 0) {
		snprintf(err, errlen, "%s: %s", address, gai_strerror(error));
		return false;
	}
	fd = listen_first(found);
	error = errno;
	freeaddrinfo(found);
	if (fd < 0) {
		snprintf(err, errlen, "cannot listen at %s: %s", address, strerror(error));
		return false;
	}
	links->retry = evtimer_new(links->base, on_retry, links);
	links->listener = evconnlistener_new(
	    links->base, on_accept, links, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (links->retry == NULL || links->listener == NULL) {
		if (links->listener == NULL)
			close(fd);
		snprintf(err, errlen, "%s: no memory", address);
		return false;
	}
	evconnlistener_set_error_cb(links->listener, on_accept_error);
	return true;
}
