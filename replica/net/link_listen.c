/*
 * The listening side of the members' connections (link_internal.h): how many
 * are let in that have not said who they are.
 */
#include "replica/net/link_internal.h"

#include <unistd.h>

static void
on_accepted(void *arg, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct links *links = arg;
	char remote[ADDRESS_TEXT_MAX];

	links_enter(links);
	address_text(addr, len, remote);
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

static void
on_failed(void *arg, const char *why)
{
	link_log(arg, NULL, LINK_WARN, "cannot accept members", "?", why);
}

bool
link_listen(struct links *links, const char *address, char *err, size_t errlen)
{
	static const struct acceptor_handler handler = { on_accepted, on_failed };

	links->acceptor = acceptor_listen(links->base, address, &handler, links, err, errlen);
	return links->acceptor != NULL;
}
