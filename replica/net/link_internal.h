/*
 * Shared between the files of the members' connections (link.h): link.c opens
 * and closes all of it and is what callers call, link_conn.c is one connection,
 * link_listen.c accepts, link_dial.c dials, link_log.c says what happens and
 * not too often. Nobody else includes it.
 *
 * Callbacks of the owner may call links_free. So whoever is called by libevent
 * or conn.c wraps itself in links_enter and links_leave, and looks at
 * links->freed after each callback: everything is shut by then, but the memory
 * stays until the outermost links_leave.
 */
#ifndef ZABFS_NET_LINK_INTERNAL_H
#define ZABFS_NET_LINK_INTERNAL_H

#include "replica/lib/address.h"
#include "replica/lib/conn.h"
#include "replica/lib/dial.h"
#include "replica/lib/resolve.h"
#include "replica/net/acceptor.h"
#include "replica/net/link.h"

#include <bsd/sys/queue.h>

#define LINK_TOLD_MAX 16 /* reasons that are remembered for a peer */

/* What the log was told of one peer, by reason. */
struct link_told {
	struct {
		uint64_t reason; /* a hash */
		uint64_t at_ms;	 /* 0: none */
		uint64_t kept;	 /* lines since then that were not logged */
	} said[LINK_TOLD_MAX];
};

enum link_state { OPENING, UP, ENDED };

/* One connection. */
struct link {
	struct links *links;
	TAILQ_ENTRY(link) entry;
	enum link_state state;
	struct link_peer *peer; /* NULL: accepted, and has not said who it is */
	bool dialed;
	uint64_t number; /* 0: it was never up */
	struct conn *conn;
	struct event *end; /* a timer while it opens; active: the end */
	uint8_t *parts;	   /* of a payload whose ZAB has not come */
	size_t parts_len, parts_size;
	char remote[ADDRESS_TEXT_MAX];
};

/* The way to a peer that is dialed. */
struct link_dial {
	struct event *timer; /* the next attempt */
	struct resolver *resolver;
	struct dial *dial; /* the present one */
	struct link *link; /* connected, not yet up */
	uint64_t began_ms;
};

struct link_peer {
	struct links *links;
	uint32_t sid;
	const char *address;
	struct link *link; /* the present one, UP or ENDED; NULL: none */
	uint64_t numbers;  /* connections so far */
	bool dials;	   /* we do */
	struct link_dial dial;
	struct link_told told;
};

struct links {
	struct event_base *base;
	const struct link_handler *handler;
	void *arg;
	uint32_t self;
	char *cluster;
	uint64_t members; /* a hash */
	size_t unsent_max;
	struct link_peer *peers;
	size_t npeers;

	TAILQ_HEAD(, link) all;
	uint32_t strangers; /* accepted, and have not said who they are */
	struct acceptor *acceptor;
	uint64_t refused;
	struct conn_traffic traffic;
	struct link_told told; /* of whoever is not a peer */

	unsigned int depth;
	bool freed;
};

void links_enter(struct links *links);
void links_leave(struct links *links);
struct link_peer *links_peer(const struct links *links, uint32_t sid);

/*
 * Takes over a connected socket. peer: the one that was dialed, or NULL for an
 * accepted one. NULL: no memory, fd is closed.
 */
struct link *link_new(struct links *links, int fd, struct link_peer *peer, const char *remote);
/* Nothing is handed out any more, `down` or nothing follows at the end of the turn. */
void link_end(struct link *link);
/* Misbehaviour: counted, logged, ended. */
void link_refuse(struct link *link, const char *why);
/* Closes its descriptor, removes its events, leaves the lists. */
void link_shut(struct link *link);
/* The memory of one that is shut. */
void link_release(struct link *link);

/* False: err says why. */
bool link_listen(struct links *links, const char *address, char *err, size_t errlen);

/* False: no memory, or the address is none; err says so. */
bool link_dial_new(struct link_peer *peer, char *err, size_t errlen);
/* The next attempt: at once, but not sooner than LINK_DIAL_MS after the last one. */
void link_dial_again(struct link_peer *peer);
void link_dial_shut(struct link_peer *peer);

uint64_t link_now_ms(void);
/*
 * One line "MESSAGE: peer=N address=A why=W", once a minute for each peer,
 * message and why; below -v the others are only counted. peer NULL: a stranger.
 */
enum link_level { LINK_INFO, LINK_WARN };
void link_log(struct links *links, struct link_peer *peer, enum link_level level,
    const char *message, const char *address, const char *why);

#endif
