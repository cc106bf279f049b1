/* Listening sockets. See acceptor.h. */
#include "replica/net/acceptor.h"

#include "replica/lib/address.h"

#include <errno.h>
#include <event2/listener.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 128
#define RETRY_S 1

struct acceptor {
	struct evconnlistener *listener;
	struct event *retry; /* after accept(2) failed */
	const struct acceptor_handler *handler;
	void *arg;
};

static void
on_accept(
    struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
	struct acceptor *acceptor = arg;

	(void)listener;
	acceptor->handler->accepted(acceptor->arg, fd, addr, (socklen_t)len);
}

static void
on_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval later = { RETRY_S, 0 };
	struct acceptor *acceptor = arg;
	int errnum = errno;

	evconnlistener_disable(listener);
	event_add(acceptor->retry, &later);
	acceptor->handler->failed(acceptor->arg, strerror(errnum));
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct acceptor *acceptor = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(acceptor->listener);
}

struct acceptor *
acceptor_new(struct event_base *base, int fd, const struct acceptor_handler *handler, void *arg)
{
	struct acceptor *acceptor = calloc(1, sizeof *acceptor);

	if (acceptor == NULL)
		return NULL;
	acceptor->handler = handler;
	acceptor->arg = arg;
	acceptor->retry = evtimer_new(base, on_retry, acceptor);
	if (acceptor->retry != NULL)
		acceptor->listener = evconnlistener_new(base, on_accept, acceptor,
		    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (acceptor->listener == NULL) {
		acceptor_free(acceptor);
		return NULL;
	}
	evconnlistener_set_error_cb(acceptor->listener, on_error);
	return acceptor;
}

void
acceptor_free(struct acceptor *acceptor)
{
	if (acceptor == NULL)
		return;
	if (acceptor->listener != NULL)
		evconnlistener_free(acceptor->listener);
	if (acceptor->retry != NULL)
		event_free(acceptor->retry);
	free(acceptor);
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
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
	    bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	errnum = errno;
	close(fd);
	errno = errnum;
	return -1;
}

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

int
acceptor_bind(const char *address, char *err, size_t errlen)
{
	struct addrinfo *found;
	struct address name;
	int fd, error;

	if (!address_parse(address, &name)) {
		snprintf(err, errlen, "\"%s\" is not HOST:PORT", address);
		return -1;
	}
	error = address_resolve(&name, false, &found);
	if (error != 0) {
		snprintf(err, errlen, "%s: %s", address, gai_strerror(error));
		return -1;
	}
	fd = listen_first(found);
	error = errno;
	freeaddrinfo(found);
	if (fd < 0)
		snprintf(err, errlen, "cannot listen at %s: %s", address, strerror(error));
	return fd;
}

struct acceptor *
acceptor_listen(struct event_base *base, const char *address,
    const struct acceptor_handler *handler, void *arg, char *err, size_t errlen)
{
	int fd = acceptor_bind(address, err, errlen);
	struct acceptor *acceptor;

	if (fd < 0)
		return NULL;
	acceptor = acceptor_new(base, fd, handler, arg);
	if (acceptor == NULL) {
		close(fd);
		snprintf(err, errlen, "%s: no memory", address);
	}
	return acceptor;
}
