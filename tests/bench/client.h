/*
 * A front end without a filesystem: the benchmark's programs speak the wire
 * protocol over the replica's Unix socket with it. One blocking socket, one
 * thread each; whatever goes wrong ends the program. No part of what ships.
 */
#ifndef ZABFS_BENCH_CLIENT_H
#define ZABFS_BENCH_CLIENT_H

#include "replica/lib/wire.h"

#include <sys/types.h>

struct client {
	int fd;
	msgpack_sbuffer out;
	uint8_t *in;
	size_t in_len, in_off; /* bytes read; of those, handed out */
	uint64_t rid;	       /* of the last request */
	uint64_t acked;	       /* the caller's: every write up to this one is answered */
};

struct client_answer {
	uint64_t rid;
	int32_t code;
	uint64_t id;  /* of the node that the reply shows; 0: none */
	uint32_t len; /* of its data */
};

/* A session, or the end of the program; and its end, waited for. */
void client_start(struct client *client, const char *path);
void client_end(struct client *client);

/* For who tries until somebody answers: false, nobody does. */
void client_init(struct client *client);
bool client_try(struct client *client, const char *path);

/* Requests collect until they are flushed. */
void client_put(struct client *client, const struct wire_msg *msg);
void client_put_create(struct client *client, uint64_t parent, const char *name, mode_t mode,
    enum wire_owner owner, struct blob value);
void client_flush(struct client *client);

/* The next reply. Writes are answered in their order, reads in between. */
struct client_answer client_get_answer(struct client *client);
/* The next reply is a creation's, the last request's in turn: its node. */
uint64_t client_get_created(struct client *client);
/* Whether a whole message is there without waiting. */
bool client_ready(const struct client *client);

#endif
