/*
 * The replica's side of the front ends: the listening Unix socket, the TCP one
 * for those whose own replica is away, one connection each, the order of the
 * opening (HELLO, INTEREST…, RESUME), and the interest counts. It knows no tree
 * and no session: replica.c decides.
 *
 * Misbehaviour (a broken frame, a message out of order, an unknown or
 * replica-only type, more than FRONT_UNSENT_MAX bytes unread by the other
 * side, no RESUME within FRONT_OPENING_MS) closes that connection with one
 * log line (a flood of them is counted, and told by a line a second) and touches
 * nothing else. Where all connections together leave too much unread, the one
 * that leaves most is closed.
 */
#ifndef ZABFS_NET_FRONT_H
#define ZABFS_NET_FRONT_H

#include "replica/lib/wire.h"

#include <event2/event.h>

#define FRONT_CONNECTIONS_MAX 1024
#define FRONT_REMOTE_MAX 768 /* beyond, only the Unix socket's are let in: they are known */
#define FRONT_UNSENT_MAX (64u << 20)
#define FRONT_UNSENT_ALL_MAX (1u << 30) /* or a quarter of the machine's memory: the lesser */
#define FRONT_RESUME_MAX (FRONT_UNSENT_MAX / 2) /* bytes of missed changes; beyond: not complete */
#define FRONT_OPENING_MS 30000
#define FRONT_SILENCE_MS 30000	   /* what TCP has not brought by then is not brought any more */
#define FRONT_INTEREST_MAX 4000000 /* nodes one connection may be interested in */

struct front_server;
struct front;

struct front_handler {
	/* The first message. Answer with front_welcome, now or later. */
	void (*hello)(void *arg, struct front *front, const struct wire_hello *hello);
	/*
	 * The front end has named its interests; front_resume_done ends the opening, front_resume_on
	 * has this called once more.
	 */
	void (*resume)(void *arg, struct front *front);
	/* LOOKUP … UNLOCK, PING, CLOSE; only after RESUME, but REPORT. Borrowed until return. */
	void (*request)(void *arg, struct front *front, const struct wire_msg *msg);
	/* The connection is gone; `front` is freed after return. */
	void (*gone)(void *arg, struct front *front);
};

struct front_options {
	const char *path;    /* of the Unix socket */
	const char *address; /* HOST:PORT; NULL: no TCP */
	size_t unsent_max;   /* of all connections; 0: FRONT_UNSENT_ALL_MAX */
};

/*
 * Listens on a Unix socket (mode 0600; a stale socket file is replaced, a live
 * one refused), and at the address. options: borrowed until it returns. NULL: err
 * has a clear line.
 */
struct front_server *front_listen(struct event_base *base, const struct front_options *options,
    const struct front_handler *handler, void *arg, char *err, size_t errlen);
/* Closes every connection (gone is not called) and removes the socket file. */
void front_server_free(struct front_server *server);

/* Every connection in turn: NULL starts, NULL ends. Don't free inside. */
struct front *front_next(struct front_server *server, struct front *previous);
uint32_t front_connections(const struct front_server *server);
struct front_figures {
	uint64_t received_bytes, sent_bytes;
	uint64_t refused, dropped;		   /* connections, since the start */
	uint64_t unsent_bytes, unsent_bytes_limit; /* of all connections, now */
};
struct front_figures front_figures(const struct front_server *server);

/*
 * WELCOME. On a failure the connection is closed after the message. `seen` is HELLO's, then
 * front_resume_on's.
 */
void front_welcome(struct front *front, const struct wire_welcome *welcome);
uint64_t front_session(const struct front *front); /* 0 before a successful welcome */
uint64_t front_seen(const struct front *front);
/* What was missed has been sent up to there; resume() is called in a later turn of the loop. */
void front_resume_on(struct front *front, uint64_t upto);
/* RESUMED; requests behind RESUME are handed out from now on (until then they wait). */
void front_resume_done(struct front *front, uint64_t zxid, bool complete);
bool front_resumed(const struct front *front);

/* Whether a change of `id` is to be sent. The root always is. */
bool front_interested(const struct front *front, uint64_t id);
void front_interest_add(struct front *front, uint64_t id, uint32_t count);
uint64_t front_interests(const struct front *front);

/* Bytes queued that the other side has not taken yet. */
size_t front_unsent(const struct front *front);
/* Queues a message. */
void front_send(struct front *front, const struct wire_msg *msg);
/* Queues REPLY for `rid`. stat NULL: none. data: NULL or a blob. more: wire.h. */
void front_reply(struct front *front, uint64_t rid, int code, uint64_t zxid,
    const struct wire_stat *stat, const struct blob *data, uint32_t more);

/* Closes with a log line, at the end of the loop's turn. */
void front_kick(struct front *front, const char *why);

#endif
