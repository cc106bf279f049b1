/*
 * One connection between two members (link_internal.h): LINK in both
 * directions, then messages, with the payloads that were split put together.
 *
 *   OPENING --a LINK that fits--> UP --its end, or a newer one--> gone
 *
 * Who dials speaks first; who accepts answers any LINK before it looks whether
 * it fits, so that both sides can say what is wrong. ENDED is the rest of a
 * turn in which it was decided that the connection ends.
 */
#include "replica/net/link_internal.h"

#include "replica/lib/err.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEEP (4u << 20) /* a greater buffer for parts is given back */

void
link_shut(struct link *link)
{
	struct link_peer *peer = link->peer;

	TAILQ_REMOVE(&link->links->all, link, entry);
	if (peer == NULL)
		link->links->strangers--;
	else if (peer->link == link)
		peer->link = NULL;
	else if (peer->dial.link == link)
		peer->dial.link = NULL;
	conn_free(link->conn);
	event_del(link->end);
}

void
link_release(struct link *link)
{
	event_free(link->end);
	free(link->parts);
	free(link);
}

/* The end, with down() if it was up. */
static void
gone(struct link *link)
{
	struct links *links = link->links;
	struct link_peer *peer = link->peer;
	uint64_t number = link->number;

	link_shut(link);
	link_release(link);
	if (peer != NULL && peer->dials && peer->link == NULL && peer->dial.link == NULL)
		link_dial_again(peer);
	if (number != 0)
		links->handler->down(links->arg, peer->sid, number);
}

void
link_end(struct link *link)
{
	link->state = ENDED;
	conn_pause(link->conn, true);
	event_active(link->end, EV_TIMEOUT, 0);
}

void
link_refuse(struct link *link, const char *why)
{
	link->links->refused++;
	link_log(link->links, link->peer, LINK_WARN, "link refused", link->remote, why);
	link_end(link);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	struct links *links = link->links;

	(void)fd;
	(void)what;
	links_enter(links);
	if (link->state == ENDED) {
		gone(link);
	} else if (link->dialed) { /* it may be stopped */
		link_log(links, link->peer, LINK_INFO, "member out of reach", link->remote,
		    "no LINK in time");
		link_end(link);
	} else {
		link_refuse(link, "no LINK in time");
	}
	links_leave(links);
}

/* Opening. */

static void
say_who(struct link *link, uint32_t to)
{
	struct links *links = link->links;
	struct wire_msg msg = { .type = WIRE_T_LINK };

	msg.link.proto = WIRE_LINK_PROTO;
	msg.link.sid = links->self;
	msg.link.to = to;
	msg.link.members = links->members;
	msg.link.cluster =
	    (struct blob){ (const uint8_t *)links->cluster, (uint32_t)strlen(links->cluster) };
	conn_send(link->conn, &msg);
}

/* What is wrong with a LINK; NULL: nothing. */
static const char *
misfit(const struct link *link, const struct wire_link *said)
{
	const struct links *links = link->links;
	const struct link_peer *peer = links_peer(links, said->sid);

	if (said->proto != WIRE_LINK_PROTO)
		return "another version of the protocol";
	if (said->cluster.len != strlen(links->cluster) ||
	    memcmp(said->cluster.data, links->cluster, said->cluster.len) != 0)
		return "another cluster";
	if (said->members != links->members)
		return "its configuration has other members";
	if (said->to != links->self)
		return "it means another member";
	if (link->dialed)
		return peer == link->peer ? NULL : "another member answers at this address";
	if (peer == NULL)
		return "no other member has its id";
	if (peer->dials)
		return "it is we who dial this member";
	return NULL;
}

static void
up(struct link *link, struct link_peer *peer)
{
	struct links *links = link->links;
	struct link *old = peer->link;
	uint64_t number;

	event_del(link->end);
	if (link->dialed)
		peer->dial.link = NULL;
	else
		links->strangers--;
	link->peer = peer;
	link->number = ++peer->numbers;
	link->state = UP;
	peer->link = link;
	if (old != NULL) {
		number = old->number;
		link_log(
		    links, peer, LINK_INFO, "link closed", old->remote, "a newer one is there");
		link_shut(old);
		link_release(old);
		links->handler->down(links->arg, peer->sid, number);
		if (links->freed)
			return;
	}
	link_log(links, peer, LINK_INFO, "link up", link->remote, "opened");
	links->handler->up(links->arg, peer->sid, link->number);
}

static void
take_link(struct link *link, const struct wire_msg *msg)
{
	const char *why;

	if (msg->type != WIRE_T_LINK) {
		link_refuse(link, "does not begin with LINK");
		return;
	}
	if (!link->dialed)
		say_who(link, msg->link.sid);
	why = misfit(link, &msg->link);
	if (why != NULL)
		link_refuse(link, why);
	else
		up(link, links_peer(link->links, msg->link.sid));
}

/* Messages. */

static bool
of_members(enum wire_type type)
{
	switch (type) {
#define CASE(NAME, name, number) case WIRE_T_##NAME:
		WIRE_ALL_MEMBER(CASE)
#undef CASE
		return true;
	default:
		return false;
	}
}

/* NULL, or why the payload can't be longer by this. */
static const char *
add_part(struct link *link, struct blob part)
{
	size_t need = link->parts_len + part.len, size = 2 * link->parts_size;
	uint8_t *parts;

	if (need > LINK_PAYLOAD_MAX)
		return "a payload above the limit";
	if (need > link->parts_size) {
		size = size < need ? need : size > LINK_PAYLOAD_MAX ? LINK_PAYLOAD_MAX : size;
		parts = realloc(link->parts, size);
		if (parts == NULL)
			return "no memory for a payload";
		link->parts = parts;
		link->parts_size = size;
	}
	memcpy(link->parts + link->parts_len, part.data, part.len);
	link->parts_len = need;
	return NULL;
}

static void
take_part(struct link *link, struct blob part)
{
	struct links *links = link->links;
	const char *why = part.len == 0 ? "an empty PART" : add_part(link, part);

	if (why != NULL)
		link_refuse(link, why);
	else
		links->handler->heard(links->arg, link->peer->sid, link->number);
}

static void
take_zab(struct link *link, const struct wire_msg *msg)
{
	struct links *links = link->links;
	struct blob payload = msg->zab.payload;
	struct wire_msg bare = *msg;
	const char *why;

	if (link->parts_len > 0) {
		why = payload.len == 0 ? NULL : add_part(link, payload);
		if (why != NULL) {
			link_refuse(link, why);
			return;
		}
		payload = (struct blob){ link->parts, (uint32_t)link->parts_len };
	}
	bare.zab.payload = (struct blob){ NULL, 0 };
	links->handler->message(links->arg, link->peer->sid, link->number, &bare, payload);
	link->parts_len = 0;
	if (link->parts_size > KEEP) {
		free(link->parts);
		link->parts = NULL;
		link->parts_size = 0;
	}
}

static void
take(struct link *link, const struct wire_msg *msg)
{
	static const struct blob none;
	struct links *links = link->links;

	if (!of_members(msg->type))
		link_refuse(link, "a front end's message");
	else if (msg->type == WIRE_T_LINK)
		link_refuse(link, "a second LINK");
	else if (msg->type == WIRE_T_PART)
		take_part(link, msg->part.payload);
	else if (msg->type == WIRE_T_ZAB)
		take_zab(link, msg);
	else if (link->parts_len > 0)
		link_refuse(link, "PARTs without their ZAB");
	else
		links->handler->message(links->arg, link->peer->sid, link->number, msg, none);
}

static void
on_message(void *arg, const struct wire_msg *msg)
{
	struct link *link = arg;
	struct links *links = link->links;

	links_enter(links);
	if (link->state == OPENING)
		take_link(link, msg);
	else if (link->state == UP)
		take(link, msg);
	links_leave(links);
}

static void
on_closed(void *arg, int code, const char *why)
{
	struct link *link = arg;
	struct links *links = link->links;

	links_enter(links);
	if (link->state != ENDED && code == ERR_PROTO)
		link_refuse(link, why);
	else if (link->state != ENDED)
		link_log(links, link->peer, LINK_INFO, "link closed", link->remote, why);
	gone(link);
	links_leave(links);
}

static void
on_drained(void *arg)
{
	struct link *link = arg;
	struct links *links = link->links;

	links_enter(links);
	if (link->state == UP)
		links->handler->drained(links->arg, link->peer->sid, link->number);
	links_leave(links);
}

static bool
set_up_socket(int fd)
{
	const int yes = 1, silence_ms = LINK_SILENCE_MS;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof(silence_ms)) == 0;
}

struct link *
link_new(struct links *links, int fd, struct link_peer *peer, const char *remote)
{
	static const struct conn_handler handler = { on_message, on_closed };
	static const struct timeval limit = { LINK_OPENING_MS / 1000,
		(LINK_OPENING_MS % 1000) * 1000 };
	struct link *link = calloc(1, sizeof(*link));

	if (link != NULL)
		link->end = event_new(links->base, -1, 0, on_end, link);
	if (link == NULL || link->end == NULL || !set_up_socket(fd)) {
		close(fd);
		goto fail;
	}
	link->conn = conn_new(links->base, fd, &handler, link, links->unsent_max);
	if (link->conn == NULL)
		goto fail;
	conn_count(link->conn, &links->traffic);
	conn_low_mark(link->conn, LINK_UNSENT_LOW, on_drained);
	link->links = links;
	link->peer = peer;
	link->dialed = peer != NULL;
	memcpy(link->remote, remote, strnlen(remote, sizeof(link->remote) - 1));
	TAILQ_INSERT_TAIL(&links->all, link, entry);
	if (peer == NULL)
		links->strangers++;
	else
		say_who(link, peer->sid);
	event_add(link->end, &limit);
	return link;

fail:
	if (link != NULL && link->end != NULL)
		event_free(link->end);
	free(link);
	return NULL;
}
