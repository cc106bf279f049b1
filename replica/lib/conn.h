/*
 * A framed connection: whole wire messages in and out of a non-blocking
 * socket on a libevent loop. It knows frames, not what they mean. Used by the
 * replica (net/front.c) and by the front end (fsd/link.c).
 *
 * Input: every complete frame of one readable event is decoded and handed to
 * `message`, in order. A frame that is longer than WIRE_FRAME_MAX, not msgpack
 * or not a message closes the connection (ERR_PROTO), and so does an end in the
 * middle of a frame. One turn of the loop reads CONN_TURN_MAX bytes at most of
 * a connection, so that the others get theirs.
 * Output: conn_send buffers; everything that one turn of the loop produced
 * leaves in one system call, at the latest when the loop is about to sleep.
 */
#ifndef ZABFS_LIB_CONN_H
#define ZABFS_LIB_CONN_H

#include "replica/lib/wire.h"

#include <event2/event.h>

#define CONN_TURN_MAX (1u << 20)

struct conn;

/* Bytes, of all connections that are counted there. */
struct conn_traffic {
	uint64_t in, out;
	uint64_t unsent; /* accepted by conn_send, and not yet by the kernel */
};

struct conn_handler {
	/* msg and its blobs: borrowed until return. May call conn_free. */
	void (*message)(void *arg, const struct wire_msg *msg);
	/*
	 * Once, never from inside conn_send: the other side left (code 0), or
	 * a broken frame (ERR_PROTO), a socket error (ERR_IO), more than
	 * `unsent_max` bytes unsent (ERR_BUSY). `why` is a text for one log
	 * line. Nothing is sent or handed out afterwards. The owner calls
	 * conn_free, here or later.
	 */
	void (*closed)(void *arg, int code, const char *why);
};

/*
 * Owns fd, a connected stream socket, from now on (made non-blocking,
 * close-on-exec). handler: borrowed. NULL: no memory, fd is closed.
 */
struct conn *conn_new(struct event_base *base, int fd, const struct conn_handler *handler,
    void *arg, size_t unsent_max);

/* From the next message on they go there, `arg` stays; also from inside message(). Borrowed. */
void conn_handle(struct conn *conn, const struct conn_handler *handler);

/* Closes the descriptor; unsent bytes are tried once. Safe inside the callbacks. NULL is fine. */
void conn_free(struct conn *conn);

/* Queues a copy. Nothing after closed(). */
void conn_send(struct conn *conn, const struct wire_msg *msg);

/* Writes what is queued now, without waiting for the end of the loop's turn. */
void conn_flush(struct conn *conn);

/*
 * While paused nothing is read or handed out, from the next message on (also
 * inside message()). Afterwards the loop goes on with what waits, not this call.
 */
void conn_pause(struct conn *conn, bool paused);

/* Bytes accepted by conn_send and not yet by the kernel. */
size_t conn_unsent(const struct conn *conn);

/*
 * From now on drained(arg) is called, from the loop, each time that the unsent
 * bytes fall below `low` after conn_send had left `low` or more. It may call
 * conn_free.
 */
void conn_low_mark(struct conn *conn, size_t low, void (*drained)(void *arg));

/* What it reads, writes and queues from now on is added there; borrowed until conn_free. */
void conn_count(struct conn *conn, struct conn_traffic *traffic);

int conn_fd(const struct conn *conn);

#endif
