/*
 * Connections between members: one TCP connection for each pair, framed wire
 * messages in both directions (lib/wire_member.h), opened with LINK. It knows no
 * protocol beyond that: order.c decides what is said. link_internal.h says what
 * is where.
 *
 * Who dials: the member with the greater id, at once and then every
 * LINK_DIAL_MS (with some jitter) while there is no connection; an attempt that
 * takes longer than LINK_OPENING_MS is given up, and so is a connection that
 * does not open with LINK in that time. A new connection of a peer replaces the
 * older one (down, then up): the other side may have noticed first. A name is
 * looked up anew for each attempt, by a thread: the loop never waits for it.
 * TCP_NODELAY. What one turn of the loop produced leaves in one system call
 * (lib/conn.h).
 *
 * TCP finds that a peer is gone only by what it sends: bytes that the other
 * machine has not acknowledged or not made room for within LINK_SILENCE_MS
 * close the connection. So the owner pings, and pauses for less than that.
 *
 * Misbehaviour (no LINK, another cluster, other members, a wrong id, a broken
 * frame, a front end's message, a payload above LINK_PAYLOAD_MAX) closes that
 * connection with one log line (repeated at most once a minute for each peer
 * and reason) and touches nothing else. At most LINK_STRANGERS_MAX connections
 * that have not said who they are are kept: for one more the oldest goes, of the
 * address that most of them come from.
 *
 * Bounds: LINK_UNSENT_MAX bytes unsent close the connection (down); the caller
 * feeds large things only while links_unsent is below LINK_UNSENT_LOW, and
 * `drained` tells when it is again, each time that a links_send had left it at
 * or above. A peer's unread input is at most one payload and one frame.
 */
#ifndef ZABFS_NET_LINK_H
#define ZABFS_NET_LINK_H

#include "replica/lib/wire.h"

#include <event2/event.h>

#define LINK_DIAL_MS 100
#define LINK_OPENING_MS 2000
#define LINK_SILENCE_MS 10000
#define LINK_STRANGERS_MAX 64
#define LINK_UNSENT_MAX (256u << 20)
#define LINK_UNSENT_LOW (1u << 20)
#define LINK_PAYLOAD_MAX (128u << 20)

struct links;

/* A connection has a number above that of every earlier one of its peer. */
struct link_handler {
	void (*up)(void *arg, uint32_t peer, uint64_t conn);
	void (*down)(void *arg, uint32_t peer, uint64_t conn);
	/*
	 * Everything but LINK and PART. ZAB: msg->zab.payload is empty, `payload` has
	 * all of it. Borrowed until return.
	 */
	void (*message)(void *arg, uint32_t peer, uint64_t conn, const struct wire_msg *msg,
	    struct blob payload);
	/* A PART arrived: something big is on its way. */
	void (*heard)(void *arg, uint32_t peer, uint64_t conn);
	/* links_unsent fell below LINK_UNSENT_LOW. */
	void (*drained)(void *arg, uint32_t peer, uint64_t conn);
};

struct links_member {
	uint32_t sid;
	bool observer;
	const char *address; /* HOST:PORT, borrowed for the life of links */
};

struct links_options {
	uint32_t self; /* a sid of members */
	const char *cluster;
	const struct links_member *members; /* borrowed until links_open returns */
	size_t count;
	size_t unsent_max; /* 0: LINK_UNSENT_MAX */
};

/*
 * Listens on its own member's address and begins to dial. A member alone opens
 * nothing. Callbacks come from the loop, never from inside these functions, and
 * may call any of them, links_free too. NULL: err has a clear line. Waits for
 * the resolver if its own address is a name.
 */
struct links *links_open(struct event_base *base, const struct links_options *options,
    const struct link_handler *handler, void *arg, char *err, size_t errlen);
/* Closes everything; `down` is not called, nor anything else. NULL is fine. */
void links_free(struct links *links);

/*
 * Queues a message, and, for ZAB, a payload (msg->zab.payload is not looked at);
 * one above LINK_PAYLOAD_MAX closes the connection instead. Nothing happens if
 * `conn` is not the peer's present connection, or was closed by links_close.
 */
void links_send(struct links *links, uint32_t peer, uint64_t conn, const struct wire_msg *msg,
    struct blob payload);
/* Bytes that the kernel has not taken yet; 0 without that connection. */
size_t links_unsent(const struct links *links, uint32_t peer, uint64_t conn);
/* While paused nothing is read from it (a snapshot that the disk can't take as fast). */
void links_pause(struct links *links, uint32_t peer, uint64_t conn, bool paused);
/* Closes it, with a log line; `down` follows at the end of the loop's turn. */
void links_close(struct links *links, uint32_t peer, uint64_t conn, const char *why);
struct links_figures {
	uint64_t received_bytes, sent_bytes;
	uint64_t refused; /* connections: strangers, other clusters, broken frames */
};
/* Since the start. */
struct links_figures links_figures(const struct links *links);

#endif
