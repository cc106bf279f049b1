/*
 * Dialing (link_internal.h): an attempt each LINK_DIAL_MS while there is no
 * connection. An attempt tries each of the address's addresses once, one after
 * another; a name is asked for anew for each attempt, it may have moved.
 */
#include "replica/net/link_internal.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define JITTER_MS (LINK_DIAL_MS / 4)

static void
out_of_reach(struct link_peer *peer, const char *why)
{
	link_log(peer->links, peer, LINK_INFO, "member out of reach", peer->address, why);
}

static void
hang_up(struct link_dial *dial)
{
	if (dial->ready != NULL)
		event_free(dial->ready);
	dial->ready = NULL;
	if (dial->fd >= 0)
		close(dial->fd);
	dial->fd = -1;
}

/* False: this address leads nowhere, errno says why. */
static bool
begin(struct link_peer *peer, event_callback_fn on_ready)
{
	static const struct timeval limit = { LINK_OPENING_MS / 1000,
		(LINK_OPENING_MS % 1000) * 1000 };
	struct link_dial *dial = &peer->dial;
	const struct addrinfo *at = dial->next;
	int errnum = ENOMEM;

	dial->fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0)
		return false;
	if (connect(dial->fd, at->ai_addr, at->ai_addrlen) != 0 && errno != EINPROGRESS) {
		errnum = errno;
		goto fail;
	}
	dial->ready = event_new(peer->links->base, dial->fd, EV_WRITE, on_ready, peer);
	if (dial->ready == NULL || event_add(dial->ready, &limit) != 0)
		goto fail;
	return true;

fail:
	hang_up(dial);
	errno = errnum;
	return false;
}

/* How an attempt to connect went: 0 or an errno. */
static int
outcome(int fd, short what)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if ((what & EV_TIMEOUT) != 0)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ? errno : error;
}

static void try_next(struct link_peer *peer);

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct link_peer *peer = arg;
	struct link_dial *dial = &peer->dial;
	int error = outcome(fd, what);

	links_enter(peer->links);
	if (error != 0) {
		out_of_reach(peer, strerror(error));
		hang_up(dial);
		dial->next = dial->next->ai_next;
		try_next(peer);
	} else {
		dial->fd = -1; /* goes to link_new */
		hang_up(dial);
		dial->link = link_new(peer->links, fd, peer, peer->address);
		if (dial->link == NULL) {
			out_of_reach(peer, "no memory");
			link_dial_again(peer);
		}
	}
	links_leave(peer->links);
}

static void
try_next(struct link_peer *peer)
{
	struct link_dial *dial = &peer->dial;

	for (; dial->next != NULL; dial->next = dial->next->ai_next) {
		if (begin(peer, on_ready))
			return;
		out_of_reach(peer, strerror(errno));
	}
	link_dial_again(peer);
}

static void
on_found(void *arg, int error, struct addrinfo *addresses)
{
	struct link_peer *peer = arg;
	struct link_dial *dial = &peer->dial;

	dial->resolve = NULL;
	if (error != 0)
		out_of_reach(peer, gai_strerror(error));
	dial->addresses = addresses;
	dial->next = addresses;
	try_next(peer);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link_peer *peer = arg;
	struct link_dial *dial = &peer->dial;

	(void)fd;
	(void)what;
	dial->began_ms = link_now_ms();
	if (dial->numeric) {
		dial->next = dial->addresses;
		try_next(peer);
		return;
	}
	if (dial->addresses != NULL)
		freeaddrinfo(dial->addresses);
	dial->addresses = dial->next = NULL;
	dial->resolve = link_resolve(peer->links->base, &dial->name, on_found, peer);
	if (dial->resolve == NULL) {
		out_of_reach(peer, "nothing to look up its name with");
		link_dial_again(peer);
	}
}

void
link_dial_again(struct link_peer *peer)
{
	struct link_dial *dial = &peer->dial;
	uint64_t now_ms = link_now_ms(), due_ms = dial->began_ms;
	struct timeval after = { 0, 0 };

	if (dial->began_ms != 0)
		due_ms += LINK_DIAL_MS - JITTER_MS + arc4random_uniform(2 * JITTER_MS);
	if (due_ms > now_ms) {
		after.tv_sec = (time_t)((due_ms - now_ms) / 1000);
		after.tv_usec = (suseconds_t)((due_ms - now_ms) % 1000 * 1000);
	}
	event_add(dial->timer, &after);
}

bool
link_dial_new(struct link_peer *peer, char *err, size_t errlen)
{
	struct link_dial *dial = &peer->dial;

	if (!address_parse(peer->address, &dial->name)) {
		snprintf(err, errlen, "\"%s\" is not HOST:PORT", peer->address);
		return false;
	}
	if (address_resolve(&dial->name, true, &dial->addresses) == 0)
		dial->numeric = true;
	else
		dial->addresses = NULL;
	dial->timer = evtimer_new(peer->links->base, on_timer, peer);
	if (dial->timer == NULL) {
		snprintf(err, errlen, "%s: no memory", peer->address);
		return false;
	}
	link_dial_again(peer);
	return true;
}

void
link_dial_shut(struct link_peer *peer)
{
	struct link_dial *dial = &peer->dial;

	hang_up(dial);
	link_resolve_cancel(dial->resolve);
	dial->resolve = NULL;
	if (dial->addresses != NULL)
		freeaddrinfo(dial->addresses);
	dial->addresses = dial->next = NULL;
	if (dial->timer != NULL)
		event_free(dial->timer);
	dial->timer = NULL;
}
