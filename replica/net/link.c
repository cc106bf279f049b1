/*
 * The members' connections (link.h): opened and closed as a whole, and what
 * the owner asks of one. link_internal.h has the other files.
 */
#include "replica/net/link_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void
links_enter(struct links *links)
{
	links->depth++;
}

/* Everything stops at once; memory stays for whoever is on the stack. */
static void
shut(struct links *links)
{
	struct link *link;

	TAILQ_FOREACH (link, &links->all, entry) {
		conn_free(link->conn);
		event_del(link->end);
	}
	acceptor_free(links->acceptor);
	for (size_t i = 0; i < links->npeers; i++)
		link_dial_shut(&links->peers[i]);
}

static void
release(struct links *links)
{
	struct link *link;

	while ((link = TAILQ_FIRST(&links->all)) != NULL) {
		TAILQ_REMOVE(&links->all, link, entry);
		link_release(link);
	}
	free(links->peers);
	free(links->cluster);
	free(links);
}

void
links_leave(struct links *links)
{
	CHECK(links->depth > 0);
	if (--links->depth == 0 && links->freed)
		release(links);
}

void
links_free(struct links *links)
{
	if (links == NULL || links->freed)
		return;
	links->freed = true;
	shut(links);
	if (links->depth == 0)
		release(links);
}

struct link_peer *
links_peer(const struct links *links, uint32_t sid)
{
	for (size_t i = 0; i < links->npeers; i++) {
		if (links->peers[i].sid == sid)
			return &links->peers[i];
	}
	return NULL;
}

static int
by_sid(const void *a, const void *b)
{
	const struct links_member *const *left = a, *const *right = b;

	return ((*left)->sid > (*right)->sid) - ((*left)->sid < (*right)->sid);
}

/* Ids, roles and addresses, whatever order the configuration has them in. */
static bool
hash_members(const struct links_options *options, uint64_t *hash)
{
	const struct links_member **sorted = calloc(options->count, sizeof(const void *));
	XXH3_state_t *state = XXH3_createState();
	bool done = sorted != NULL && state != NULL;
	char id[32];

	if (done) {
		for (size_t i = 0; i < options->count; i++)
			sorted[i] = &options->members[i];
		qsort(sorted, options->count, sizeof(*sorted), by_sid);
		XXH3_64bits_reset(state);
		for (size_t i = 0; i < options->count; i++) {
			CHECK(i == 0 || sorted[i]->sid != sorted[i - 1]->sid);
			snprintf(id, sizeof(id), "%u %s ", (unsigned)sorted[i]->sid,
			    sorted[i]->observer ? "observer" : "voter");
			XXH3_64bits_update(state, id, strlen(id));
			/* with its NUL: nothing runs into the next member */
			XXH3_64bits_update(
			    state, sorted[i]->address, strlen(sorted[i]->address) + 1);
		}
		*hash = XXH3_64bits_digest(state);
	}
	XXH3_freeState(state);
	free(sorted);
	return done;
}

static bool
open_all(struct links *links, const struct links_options *options, char *err, size_t errlen)
{
	const char *own = NULL;

	for (size_t i = 0; i < options->count; i++) {
		const struct links_member *member = &options->members[i];
		struct link_peer *peer = &links->peers[links->npeers];

		if (member->sid == options->self) {
			own = member->address;
			continue;
		}
		peer->links = links;
		peer->sid = member->sid;
		peer->address = member->address;
		peer->dials = options->self > member->sid;
		links->npeers++;
		if (peer->dials && !link_dial_new(peer, err, errlen))
			return false;
	}
	CHECK(own != NULL);
	if (options->count == 1)
		return true;
	if (!link_listen(links, own, err, errlen))
		return false;
	log_info("listening for members: address=%s", own);
	return true;
}

struct links *
links_open(struct event_base *base, const struct links_options *options,
    const struct link_handler *handler, void *arg, char *err, size_t errlen)
{
	struct links *links = calloc(1, sizeof(*links));

	if (links == NULL)
		goto nomem;
	TAILQ_INIT(&links->all);
	links->base = base;
	links->handler = handler;
	links->arg = arg;
	links->self = options->self;
	links->unsent_max = options->unsent_max != 0 ? options->unsent_max : LINK_UNSENT_MAX;
	links->cluster = strdup(options->cluster);
	links->peers = calloc(options->count, sizeof(*links->peers));
	if (links->cluster == NULL || links->peers == NULL ||
	    !hash_members(options, &links->members))
		goto nomem;
	if (open_all(links, options, err, errlen))
		return links;
	links_free(links);
	return NULL;

nomem:
	snprintf(err, errlen, "no memory");
	links_free(links);
	return NULL;
}

/* The one that `conn` numbers, if it is there and not about to end. */
static struct link *
present(const struct links *links, uint32_t sid, uint64_t conn)
{
	struct link_peer *peer = links->freed ? NULL : links_peer(links, sid);
	struct link *link = peer == NULL ? NULL : peer->link;

	return link != NULL && link->state == UP && link->number == conn ? link : NULL;
}

static void
send_zab(struct link *link, const struct wire_msg *msg, struct blob payload)
{
	struct wire_msg part = { .type = WIRE_T_PART }, zab = *msg;

	while (payload.len > WIRE_PART_MAX) {
		part.part.payload = (struct blob){ payload.data, WIRE_PART_MAX };
		conn_send(link->conn, &part);
		payload.data += WIRE_PART_MAX;
		payload.len -= WIRE_PART_MAX;
	}
	zab.zab.payload = payload;
	conn_send(link->conn, &zab);
}

void
links_send(struct links *links, uint32_t peer, uint64_t conn, const struct wire_msg *msg,
    struct blob payload)
{
	struct link *link = present(links, peer, conn);

	if (link == NULL)
		return;
	if (msg->type != WIRE_T_ZAB)
		conn_send(link->conn, msg);
	else if (payload.len <= LINK_PAYLOAD_MAX)
		send_zab(link, msg, payload);
	else
		links_close(links, peer, conn, "a payload above the limit was to be sent");
}

size_t
links_unsent(const struct links *links, uint32_t peer, uint64_t conn)
{
	const struct link *link = present(links, peer, conn);

	return link == NULL ? 0 : conn_unsent(link->conn);
}

void
links_pause(struct links *links, uint32_t peer, uint64_t conn, bool paused)
{
	struct link *link = present(links, peer, conn);

	if (link != NULL)
		conn_pause(link->conn, paused);
}

void
links_close(struct links *links, uint32_t peer, uint64_t conn, const char *why)
{
	struct link *link = present(links, peer, conn);

	if (link == NULL)
		return;
	link_log(links, link->peer, LINK_WARN, "link closed", link->remote, why);
	link_end(link);
}

struct links_figures
links_figures(const struct links *links)
{
	return (struct links_figures){ .received_bytes = links->traffic.in,
		.sent_bytes = links->traffic.out,
		.refused = links->refused };
}
