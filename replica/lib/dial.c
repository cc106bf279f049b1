/*
 * One attempt to connect (dial.h): the name, its addresses in turn, a limit
 * for each step.
 */
#include "replica/lib/dial.h"

#include "replica/lib/address.h"
#include "replica/lib/check.h"
#include "replica/lib/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct dial {
	struct event_base *base;
	const char *address;
	struct timeval limit;
	void (*done)(void *arg, int fd, const char *why);
	void *arg;

	struct event *event; /* the beginning; then of fd, or the limit of the name */
	struct resolver *resolver;
	struct addrinfo *found, *next;
	int fd;
	const char *why;
};

static void
dial_free(struct dial *dial)
{
	event_free(dial->event);
	resolver_cancel(dial->resolver);
	if (dial->found != NULL)
		freeaddrinfo(dial->found);
	if (dial->fd >= 0)
		close(dial->fd);
	free(dial);
}

static void
end(struct dial *dial, int fd)
{
	void (*done)(void *, int, const char *) = dial->done;
	const char *why = dial->why;
	void *arg = dial->arg;

	if (fd >= 0)
		dial->fd = -1; /* it is theirs */
	dial_free(dial);
	done(arg, fd, why);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

/* False: this address leads nowhere, dial->why says why. */
static bool
begin(struct dial *dial, int family, const struct sockaddr *addr, socklen_t len)
{
	const int yes = 1;

	dial->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0) {
		dial->why = strerror(errno);
		return false;
	}
	if (family != AF_UNIX)
		setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	/* A Unix socket whose backlog is full says EAGAIN: it is as good as nobody. */
	if (connect(dial->fd, addr, len) != 0 && errno != EINPROGRESS) {
		dial->why = strerror(errno);
		close(dial->fd);
		dial->fd = -1;
		return false;
	}
	event_assign(dial->event, dial->base, dial->fd, EV_WRITE, on_ready, dial);
	CHECK(event_add(dial->event, &dial->limit) == 0);
	return true;
}

static void
try_next(struct dial *dial)
{
	for (; dial->next != NULL; dial->next = dial->next->ai_next)
		if (begin(dial, dial->next->ai_family, dial->next->ai_addr, dial->next->ai_addrlen))
			return;
	end(dial, -1);
}

/* How an attempt to connect went: 0 or an errno. */
static int
outcome(int fd, short what)
{
	int error = 0;
	socklen_t len = sizeof error;

	if ((what & EV_TIMEOUT) != 0)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ? errno : error;
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;
	int error = outcome(fd, what);

	if (error == 0) {
		end(dial, fd);
		return;
	}
	dial->why = strerror(error);
	event_del(dial->event);
	close(dial->fd);
	dial->fd = -1;
	if (dial->next != NULL)
		dial->next = dial->next->ai_next;
	try_next(dial);
}

static void
on_found(void *arg, int error, struct addrinfo *addresses)
{
	struct dial *dial = arg;

	event_del(dial->event);
	if (error != 0)
		dial->why = gai_strerror(error);
	dial->found = dial->next = addresses;
	try_next(dial);
}

static void
on_no_name(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;

	(void)fd;
	(void)what;
	dial->why = "its name is not found in time";
	end(dial, -1);
}

static void
dial_name(struct dial *dial)
{
	struct address name;

	if (!address_parse(dial->address, &name)) {
		dial->why = "not HOST:PORT";
		end(dial, -1);
		return;
	}
	if (address_resolve(&name, true, &dial->found) == 0) {
		dial->next = dial->found;
		try_next(dial);
		return;
	}
	dial->found = NULL;
	if (!resolver_ask(dial->resolver, dial->base, &name, on_found, dial)) {
		dial->why = "nothing to look up its name with";
		end(dial, -1);
		return;
	}
	event_assign(dial->event, dial->base, -1, 0, on_no_name, dial);
	CHECK(event_add(dial->event, &dial->limit) == 0);
}

static void
dial_path(struct dial *dial)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	dial->why = strerror(ENAMETOOLONG);
	if (strlen(dial->address) >= sizeof addr.sun_path) {
		end(dial, -1);
		return;
	}
	memcpy(addr.sun_path, dial->address, strlen(dial->address) + 1);
	if (!begin(dial, AF_UNIX, (const struct sockaddr *)&addr, sizeof addr))
		end(dial, -1);
}

static void
on_begin(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;

	(void)fd;
	(void)what;
	if (strchr(dial->address, '/') != NULL)
		dial_path(dial);
	else
		dial_name(dial);
}

struct dial *
dial_new(struct event_base *base, const char *address, struct resolver *resolver, uint32_t limit_ms,
    void (*done)(void *arg, int fd, const char *why), void *arg)
{
	struct dial *dial = calloc(1, sizeof *dial);

	CHECK(dial != NULL);
	dial->base = base;
	dial->address = address;
	dial->resolver = resolver;
	dial->limit.tv_sec = limit_ms / 1000;
	dial->limit.tv_usec = limit_ms % 1000 * 1000;
	dial->done = done;
	dial->arg = arg;
	dial->fd = -1;
	dial->event = evtimer_new(base, on_begin, dial);
	CHECK(dial->event != NULL);
	event_active(dial->event, EV_TIMEOUT, 1);
	return dial;
}

void
dial_cancel(struct dial *dial)
{
	if (dial != NULL)
		dial_free(dial);
}
