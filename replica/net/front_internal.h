/*
 * Shared between one front end's connection (front.c) and the server that
 * accepts them (front_server.c). Nobody else includes it.
 */
#ifndef ZABFS_NET_FRONT_INTERNAL_H
#define ZABFS_NET_FRONT_INTERNAL_H

#include "replica/lib/address.h"
#include "replica/lib/conn.h"
#include "replica/net/acceptor.h"
#include "replica/net/front.h"
#include "replica/net/unixsock.h"

#include <Judy.h>
#include <bsd/sys/queue.h>
#include <time.h>

#define FRONT_FROM_MAX (ADDRESS_TEXT_MAX + 16) /* "pid=N uid=N", or "address=HOST:PORT" */

/* Of lines that a stranger can provoke at will. */
struct front_told {
	time_t at_s;
	uint32_t lines; /* of those that may be told at once */
	uint64_t kept;	/* since the last one that was */
};

enum front_state { OPENING, GREETED, WELCOMED, RESUMING, SERVING, ENDED };

struct front {
	struct front_server *server;
	TAILQ_ENTRY(front) entry;
	struct conn *conn;
	/* A timer while the opening lasts; the next turn of a resume; active: the end. */
	struct event *end;
	enum front_state state;
	char from[FRONT_FROM_MAX]; /* for the log */
	uint64_t session, seen;
	Pvoid_t interests; /* JudyL: id -> count */
	uint64_t ninterests;
	size_t left; /* unsent when it ended */
};

struct front_server {
	struct event_base *base;
	const struct front_handler *handler;
	void *arg;
	char *path;
	struct unixsock sock;
	struct acceptor *local, *remote;
	TAILQ_HEAD(, front) fronts;
	uint32_t nfronts;
	msgpack_sbuffer stat; /* front_reply's, kept for its memory */
	struct front_told refused, dropped;
	uint64_t refused_all, dropped_all;
	struct conn_traffic traffic;
	uint64_t unsent_max;
	uint64_t left; /* of traffic.unsent: what goes with connections that have ended */
};

/* Takes over an accepted descriptor as one of the server's fronts. NULL: no memory, fd closed. */
struct front *front_new(struct front_server *server, int fd, const char *from);
/* Whether a line may be logged: `burst` at once, then one a second; the others are counted. */
bool front_tell(struct front_told *told, uint32_t burst);
/* Without gone(). Its connection goes with it. */
void front_free(struct front *front);

#endif
