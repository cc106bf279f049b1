/*
 * The listening side of the members' connections (link_internal.h): how many
 * are let in that have not said who they are, and who makes room for the next.
 */
#include "replica/net/link_internal.h"

#include <string.h>

/* Of "ADDRESS:PORT". */
static size_t
address_len(const char *remote)
{
	const char *colon = strrchr(remote, ':');

	return colon == NULL ? strlen(remote) : (size_t)(colon - remote);
}

static bool
same_address(const char *a, const char *b)
{
	size_t len = address_len(a);

	return len == address_len(b) && memcmp(a, b, len) == 0;
}

/* The oldest stranger of the address that most of them come from. */
static struct link *
most_crowding(const struct links *links)
{
	struct link *link, *other, *found = NULL;
	uint32_t count, most = 0;

	TAILQ_FOREACH (link, &links->all, entry) {
		if (link->peer != NULL)
			continue;
		count = 0;
		TAILQ_FOREACH (other, &links->all, entry)
			count += other->peer == NULL && same_address(link->remote, other->remote);
		if (count > most) {
			most = count;
			found = link;
		}
	}
	return found;
}

/*
 * A member says who it is at once, so silent ones must not keep it out, however
 * often they are renewed: who came first has had its time.
 */
static void
make_room(struct links *links)
{
	struct link *link = most_crowding(links);

	links->refused++;
	link_log(links, NULL, LINK_WARN, "link refused", link->remote,
	    "too many that have not said who they are");
	link_shut(link);
	link_release(link);
}

static void
on_accepted(void *arg, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct links *links = arg;
	char remote[ADDRESS_TEXT_MAX];

	links_enter(links);
	address_text(addr, len, remote);
	if (links->strangers >= LINK_STRANGERS_MAX)
		make_room(links);
	if (link_new(links, fd, NULL, remote) == NULL)
		link_log(links, NULL, LINK_WARN, "link refused", remote, "no memory");
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
