/*
 * Dialing (link_internal.h): an attempt (lib/dial.h) each LINK_DIAL_MS while
 * there is no connection.
 */
#include "replica/net/link_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define JITTER_MS (LINK_DIAL_MS / 4)

static void
out_of_reach(struct link_peer *peer, const char *why)
{
	link_log(peer->links, peer, LINK_INFO, "member out of reach", peer->address, why);
	link_dial_again(peer);
}

static void
on_dialed(void *arg, int fd, const char *why)
{
	struct link_peer *peer = arg;

	links_enter(peer->links);
	peer->dial.dial = NULL;
	if (fd < 0) {
		out_of_reach(peer, why);
	} else {
		peer->dial.link = link_new(peer->links, fd, peer, peer->address);
		if (peer->dial.link == NULL)
			out_of_reach(peer, "no memory");
	}
	links_leave(peer->links);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link_peer *peer = arg;

	(void)fd;
	(void)what;
	peer->dial.began_ms = link_now_ms();
	peer->dial.dial = dial_new(peer->links->base, peer->address, peer->dial.resolver,
	    LINK_OPENING_MS, on_dialed, peer);
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
	struct address name;

	if (!address_parse(peer->address, &name)) {
		snprintf(err, errlen, "\"%s\" is not HOST:PORT", peer->address);
		return false;
	}
	peer->dial.timer = evtimer_new(peer->links->base, on_timer, peer);
	if (peer->dial.timer == NULL) {
		snprintf(err, errlen, "%s: no memory", peer->address);
		return false;
	}
	peer->dial.resolver = resolver_new();
	link_dial_again(peer);
	return true;
}

void
link_dial_shut(struct link_peer *peer)
{
	dial_cancel(peer->dial.dial);
	peer->dial.dial = NULL;
	resolver_free(peer->dial.resolver);
	peer->dial.resolver = NULL;
	if (peer->dial.timer != NULL)
		event_free(peer->dial.timer);
	peer->dial.timer = NULL;
}
