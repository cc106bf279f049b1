/*
 * Framed connections (conn.h): two byte buffers around a socket, and the care
 * about when callbacks may run. It knows nothing of what messages mean.
 *
 * The end of a turn. `turn` is an event without a descriptor; event_active
 * puts it at the end of the queue of active events, behind everything that the
 * same epoll_wait reported, and libevent runs it before it waits again. So the
 * flush costs no further epoll_wait, which a lower priority or a timer would.
 *
 * Output is one contiguous msgpack buffer, packed in place: a value is copied
 * once, and one send(2) takes all. MSG_NOSIGNAL: no SIGPIPE from a peer.
 */
#include "replica/lib/conn.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH_SIZE 4u
#define CHUNK (64u << 10)  /* room for one read(2), at least */
#define EAGER (256u << 10) /* unsent bytes that don't wait for the end of the turn */
#define KEEP (1u << 20)	   /* an empty output buffer above this is given back */
/* in_size never exceeds LENGTH_SIZE + WIRE_FRAME_MAX + CHUNK. */

struct conn {
	int fd;
	const struct conn_handler *handler;
	void *arg;
	size_t unsent_max;
	struct event *readable, *writable, *turn;
	struct conn_traffic *traffic; /* NULL: nobody counts */

	uint8_t *in; /* [in_start, in_end) has arrived and is not yet handed out */
	size_t in_start, in_end, in_size;
	msgpack_zone *zone;

	msgpack_sbuffer out; /* from out_sent on: not yet the kernel's */
	size_t out_sent;
	size_t low;
	void (*drained)(void *arg); /* NULL: nobody wants to know */
	bool above; /* `low` or more were unsent, drained() is due when they are not */

	unsigned int depth; /* callbacks on the stack: memory may not go */
	bool freed;	    /* by conn_free, while depth > 0 */
	bool paused;
	bool blocked; /* the kernel's buffer is full: `writable` is waited for */
	bool deaf;    /* the other side reads no more; what it sent before is still handed out */
	bool failed;  /* nothing is sent any more; closed() is due or was called */
	bool reported;
	int code;
	char why[96];
};

static bool
stopped(const struct conn *conn)
{
	return conn->freed || conn->reported;
}

/* The end of the connection; told to the owner by the end of the turn, not here. */
static void
fail(struct conn *conn, int code, const char *why)
{
	if (conn->failed || conn->freed)
		return;
	conn->failed = true;
	conn->code = code;
	snprintf(conn->why, sizeof(conn->why), "%s", why);
	event_active(conn->turn, EV_TIMEOUT, 0);
}

static void
fail_errno(struct conn *conn, int errnum, const char *call)
{
	char why[96];

	snprintf(why, sizeof(why), "%s: %s", call, strerror(errnum));
	fail(conn, errnum == ECONNRESET || errnum == EPIPE ? 0 : ERR_IO, why);
}

static void
report(struct conn *conn)
{
	conn->reported = true;
	event_del(conn->readable);
	event_del(conn->writable);
	conn->handler->closed(conn->arg, conn->code, conn->why);
}

static void
release(struct conn *conn)
{
	if (conn->readable != NULL)
		event_free(conn->readable);
	if (conn->writable != NULL)
		event_free(conn->writable);
	if (conn->turn != NULL)
		event_free(conn->turn);
	if (conn->zone != NULL)
		msgpack_zone_free(conn->zone);
	msgpack_sbuffer_destroy(&conn->out);
	free(conn->in);
	free(conn);
}

static void
leave(struct conn *conn)
{
	CHECK(conn->depth > 0);
	if (--conn->depth == 0 && conn->freed)
		release(conn);
}

/* Hands out every complete frame. */
static void
dispatch(struct conn *conn)
{
	while (!stopped(conn) && !conn->failed && !conn->paused) {
		size_t have = conn->in_end - conn->in_start;
		const uint8_t *frame;
		struct wire_msg msg;
		uint32_t len;

		if (have < LENGTH_SIZE)
			return;
		frame = conn->in + conn->in_start;
		memcpy(&len, frame, LENGTH_SIZE);
		len = ntohl(len);
		if (len > WIRE_FRAME_MAX) {
			fail(conn, ERR_PROTO, "a frame that is too long");
			return;
		}
		if (have - LENGTH_SIZE < len)
			return;
		msgpack_zone_clear(conn->zone);
		if (wire_unpack(frame + LENGTH_SIZE, len, conn->zone, &msg) != 0) {
			fail(conn, ERR_PROTO, "a frame that is no message");
			return;
		}
		conn->in_start += LENGTH_SIZE + len;
		conn->handler->message(conn->arg, &msg);
	}
}

/* Moves what is left to the front and makes room for a read, for a begun frame as a whole. */
static bool
make_room(struct conn *conn)
{
	size_t have = conn->in_end - conn->in_start;
	size_t size = CHUNK;
	uint32_t len;
	uint8_t *in;

	if (conn->in_start > 0 && have > 0)
		memmove(conn->in, conn->in + conn->in_start, have);
	conn->in_start = 0;
	conn->in_end = have;
	if (have >= LENGTH_SIZE) {
		/* dispatch has looked at it: not above WIRE_FRAME_MAX */
		memcpy(&len, conn->in, LENGTH_SIZE);
		size = LENGTH_SIZE + ntohl(len);
	}
	if (size <= conn->in_size)
		return true;
	if (size > CHUNK)
		size += CHUNK; /* so that the next frame comes with it */
	in = realloc(conn->in, size);
	if (in == NULL)
		return false;
	conn->in = in;
	conn->in_size = size;
	return true;
}

/* One read(2). False: nothing more for now. */
static bool
read_once(struct conn *conn, size_t *got)
{
	size_t room;
	ssize_t n;

	if (!make_room(conn)) {
		fail(conn, ERR_IO, "no memory for a frame");
		return false;
	}
	room = conn->in_size - conn->in_end;
	do
		n = recv(conn->fd, conn->in + conn->in_end, room, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno != EAGAIN)
			fail_errno(conn, errno, "read");
		return false;
	}
	if (n == 0) {
		if (conn->in_end > 0)
			fail(conn, ERR_PROTO, "the other side left in the middle of a frame");
		else
			fail(conn, 0, "the other side left");
		return false;
	}
	conn->in_end += (size_t)n;
	if (conn->traffic != NULL)
		conn->traffic->in += (size_t)n;
	*got += (size_t)n;
	return (size_t)n == room; /* a short read has emptied the socket */
}

/* What has arrived, up to the turn's bound. Returns the bytes read; depth > 0. */
static size_t
read_turn(struct conn *conn)
{
	size_t got = 0;
	bool more = true;

	dispatch(conn);
	while (more && got < CONN_TURN_MAX && !stopped(conn) && !conn->failed && !conn->paused) {
		more = read_once(conn, &got);
		dispatch(conn);
	}
	return got;
}

static void
send_failed(struct conn *conn, int errnum)
{
	if (errnum != EPIPE && errnum != ECONNRESET) {
		fail_errno(conn, errnum, "write");
		return;
	}
	conn->deaf = true;
	event_active(conn->turn, EV_TIMEOUT, 0);
}

static void
send_out(struct conn *conn)
{
	while (!conn->failed && !conn->deaf && conn->out_sent < conn->out.size) {
		ssize_t n = send(conn->fd, conn->out.data + conn->out_sent,
		    conn->out.size - conn->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			conn->blocked = true;
			event_add(conn->writable, NULL);
			return;
		}
		if (n < 0) {
			send_failed(conn, errno);
			return;
		}
		conn->out_sent += (size_t)n;
		if (conn->traffic == NULL)
			continue;
		conn->traffic->out += (size_t)n;
		conn->traffic->unsent -= (size_t)n;
	}
	/* Whoever is deaf, or has failed, gets no more of it. */
	if (conn->traffic != NULL)
		conn->traffic->unsent -= conn_unsent(conn);
	if (conn->out.alloc > KEEP) {
		msgpack_sbuffer_destroy(&conn->out);
		msgpack_sbuffer_init(&conn->out);
	}
	msgpack_sbuffer_clear(&conn->out);
	conn->out_sent = 0;
}

static void
tell_drained(struct conn *conn)
{
	if (!conn->above || stopped(conn) || conn->failed || conn_unsent(conn) >= conn->low)
		return;
	conn->above = false;
	conn->drained(conn->arg);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	conn->depth++;
	read_turn(conn);
	if (!stopped(conn) && conn->failed)
		report(conn);
	leave(conn);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	conn->depth++;
	conn->blocked = false;
	send_out(conn);
	tell_drained(conn);
	leave(conn);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	conn->depth++;
	if (conn->deaf) {
		read_turn(conn);
		fail(conn, 0, "the other side left");
	}
	dispatch(conn); /* what a pause has left */
	if (!stopped(conn) && !conn->blocked)
		send_out(conn);
	tell_drained(conn);
	if (!stopped(conn) && conn->failed)
		report(conn);
	leave(conn);
}

struct conn *
conn_new(struct event_base *base, int fd, const struct conn_handler *handler, void *arg,
    size_t unsent_max)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		goto fail;
	conn->fd = fd;
	conn->handler = handler;
	conn->arg = arg;
	conn->unsent_max = unsent_max;
	msgpack_sbuffer_init(&conn->out);
	conn->zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	conn->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, conn);
	conn->writable = event_new(base, fd, EV_WRITE, on_writable, conn);
	conn->turn = event_new(base, -1, 0, on_turn, conn);
	if (conn->zone == NULL || conn->readable == NULL || conn->writable == NULL ||
	    conn->turn == NULL)
		goto fail;
	if (evutil_make_socket_nonblocking(fd) != 0 || evutil_make_socket_closeonexec(fd) != 0 ||
	    event_add(conn->readable, NULL) != 0)
		goto fail;
	return conn;

fail:
	if (conn != NULL)
		release(conn);
	close(fd);
	return NULL;
}

void
conn_handle(struct conn *conn, const struct conn_handler *handler)
{
	conn->handler = handler;
}

void
conn_free(struct conn *conn)
{
	if (conn == NULL || conn->freed)
		return;
	if (!conn->blocked)
		send_out(conn);
	conn->freed = true;
	if (conn->traffic != NULL)
		conn->traffic->unsent -= conn_unsent(conn);
	event_del(conn->readable);
	event_del(conn->writable);
	event_del(conn->turn);
	close(conn->fd);
	conn->fd = -1;
	if (conn->depth == 0)
		release(conn);
}

/* What was sent goes when it is the greater part: each byte is moved at most once. */
static void
compact(struct conn *conn)
{
	if (conn->out_sent < CHUNK || conn->out_sent < conn->out.size - conn->out_sent)
		return;
	conn->out.size -= conn->out_sent;
	memmove(conn->out.data, conn->out.data + conn->out_sent, conn->out.size);
	conn->out_sent = 0;
}

void
conn_send(struct conn *conn, const struct wire_msg *msg)
{
	static const char length[LENGTH_SIZE];
	size_t at;
	uint32_t len;

	if (conn->failed || conn->deaf || conn->freed)
		return;
	compact(conn);
	at = conn->out.size;
	CHECK(msgpack_sbuffer_write(&conn->out, length, LENGTH_SIZE) == 0);
	wire_pack(&conn->out, msg);
	CHECK(conn->out.size - at - LENGTH_SIZE <= WIRE_FRAME_MAX);
	len = htonl((uint32_t)(conn->out.size - at - LENGTH_SIZE));
	memcpy(conn->out.data + at, &len, LENGTH_SIZE);
	if (conn->traffic != NULL)
		conn->traffic->unsent += conn->out.size - at;

	if (conn_unsent(conn) >= EAGER && !conn->blocked)
		send_out(conn);
	if (conn_unsent(conn) > conn->unsent_max)
		fail(conn, ERR_BUSY, "the other side does not read");
	if (conn->drained != NULL && conn_unsent(conn) >= conn->low)
		conn->above = true;
	if (!conn->blocked && conn->out.size > 0)
		event_active(conn->turn, EV_TIMEOUT, 0);
}

void
conn_flush(struct conn *conn)
{
	if (!conn->freed && !conn->blocked)
		send_out(conn);
}

void
conn_pause(struct conn *conn, bool paused)
{
	if (stopped(conn) || conn->paused == paused)
		return;
	conn->paused = paused;
	if (paused) {
		event_del(conn->readable);
		return;
	}
	event_add(conn->readable, NULL);
	event_active(conn->turn, EV_TIMEOUT, 0);
}

size_t
conn_unsent(const struct conn *conn)
{
	return conn->out.size - conn->out_sent;
}

void
conn_low_mark(struct conn *conn, size_t low, void (*drained)(void *arg))
{
	conn->low = low;
	conn->drained = drained;
}

void
conn_count(struct conn *conn, struct conn_traffic *traffic)
{
	CHECK(conn_unsent(conn) == 0);
	conn->traffic = traffic;
}

int
conn_fd(const struct conn *conn)
{
	return conn->fd;
}
