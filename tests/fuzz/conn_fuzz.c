/*
 * A framed connection whose other side sends whatever it likes, in whatever
 * pieces, while the owner pauses, sends, or lets go. What it hands out is
 * compared with a plain walk over the same bytes.
 *
 * An input: a byte of length and that many commands of two bytes, then the
 * bytes that the other side sends.
 */
#include "tests/fuzz/fuzz.h"

#include "replica/lib/conn.h"
#include "replica/lib/err.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNSENT_MAX 4096

enum command { FEED, FEED_MORE, TURN, PAUSE, SEND, FREE_AT, SHUT, SHUT_READ, COMMANDS };

static struct {
	struct event_base *base;
	struct conn *conn; /* NULL: its owner has let go */
	int fd;		   /* the other side */
	const uint8_t *stream;
	size_t len, fed;
	size_t expected; /* where the next message begins */
	msgpack_zone *zone;
	uint32_t messages, free_at;
	bool closed, paused, sent, shut_read;
	int code;
} w;

/* The next frame of the plain walk: 1 a message, 0 none is whole, ERR_PROTO. */
static int
walk(struct wire_msg *msg)
{
	size_t have = w.fed - w.expected;
	uint32_t len;

	if (have < 4)
		return 0;
	memcpy(&len, w.stream + w.expected, 4);
	len = ntohl(len);
	if (len > WIRE_FRAME_MAX)
		return ERR_PROTO;
	if (have - 4 < len)
		return 0;
	if (wire_unpack(w.stream + w.expected + 4, len, w.zone, msg) != 0)
		return ERR_PROTO;
	w.expected += 4 + len;
	return 1;
}

static void
same(const struct wire_msg *one, const struct wire_msg *two)
{
	msgpack_sbuffer a, b;

	msgpack_sbuffer_init(&a);
	msgpack_sbuffer_init(&b);
	wire_pack(&a, one);
	wire_pack(&b, two);
	CHECK(a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
	msgpack_sbuffer_destroy(&a);
	msgpack_sbuffer_destroy(&b);
}

static void
on_message(void *arg, const struct wire_msg *msg)
{
	struct wire_msg expected;

	CHECK(arg == &w && !w.closed && w.conn != NULL && !w.paused);
	CHECK(walk(&expected) == 1);
	same(msg, &expected);
	if (++w.messages == w.free_at) {
		conn_free(w.conn);
		w.conn = NULL;
	}
}

static void
on_closed(void *arg, int code, const char *why)
{
	CHECK(arg == &w && !w.closed && w.conn != NULL && why[0] != '\0');
	w.closed = true;
	w.code = code;
	if (w.free_at % 2 == 1) {
		conn_free(w.conn);
		w.conn = NULL;
	}
}

static const struct conn_handler handler = { on_message, on_closed };

static void
feed(size_t len)
{
	ssize_t n;

	if (len > w.len - w.fed)
		len = w.len - w.fed;
	if (w.fd < 0 || len == 0)
		return;
	n = send(w.fd, w.stream + w.fed, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		w.fed += (size_t)n;
}

/* A reply of `size` bytes: a few of them are more than may wait unsent. */
static void
send_reply(uint32_t size)
{
	static const uint8_t zeros[255 * 16];
	struct wire_msg msg = { .type = WIRE_T_REPLY, .reply = { .data = { zeros, size } } };

	conn_send(w.conn, &msg);
	w.sent = true;
}

static void
run(enum command command, uint32_t value)
{
	switch (command) {
	case FEED:
		feed(value);
		break;
	case FEED_MORE:
		feed(value * 256);
		break;
	case TURN:
		event_base_loop(w.base, EVLOOP_NONBLOCK);
		break;
	case PAUSE:
		w.paused = value % 2 != 0;
		if (w.conn != NULL)
			conn_pause(w.conn, w.paused);
		break;
	case SEND:
		if (w.conn != NULL)
			send_reply(value * 16);
		break;
	case FREE_AT:
		w.free_at = value;
		break;
	case SHUT:
		if (w.fd >= 0)
			close(w.fd);
		w.fd = -1;
		break;
	case SHUT_READ:
		w.shut_read = true;
		if (w.fd >= 0)
			shutdown(w.fd, SHUT_RD);
		break;
	case COMMANDS:
		break;
	}
}

/* Everything has arrived: what is left of the walk is what was to be refused, or is not whole. */
static void
finish(void)
{
	struct wire_msg msg;
	int i, next;

	run(PAUSE, 0);
	for (i = 0; i < 64 && w.conn != NULL && !w.closed; i++) {
		feed(w.len);
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	}
	if (w.conn == NULL || w.shut_read)
		return;
	next = walk(&msg);
	if (!w.closed) {
		CHECK(next == 0);
		CHECK(w.fd >= 0);
	} else if (!w.sent) {
		/* Of its own accord it ends for nothing else. */
		CHECK(w.code == ERR_PROTO || w.code == 0);
		CHECK(next != 1);
		if (next == 0 && w.code == ERR_PROTO)
			CHECK(w.fd < 0 && w.expected < w.fed);
		if (w.code == 0)
			CHECK(w.fd < 0 && w.expected == w.fed);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint32_t commands = fuzz_byte(&in);
	struct fuzz_input script;
	int pair[2];

	memset(&w, 0, sizeof w);
	script.data = in.data;
	script.len = fuzz_bytes(&in, (size_t)commands * 2).len;
	w.stream = in.data;
	w.len = in.len;
	w.base = event_base_new();
	w.zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	CHECK(w.base != NULL && w.zone != NULL);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	w.fd = pair[1];
	w.conn = conn_new(w.base, pair[0], &handler, &w, UNSENT_MAX);
	CHECK(w.conn != NULL);
	while (script.len > 0) {
		enum command command = (enum command)fuzz_below(&script, COMMANDS);

		run(command, fuzz_byte(&script));
	}
	finish();
	conn_free(w.conn);
	if (w.fd >= 0)
		close(w.fd);
	msgpack_zone_free(w.zone);
	event_base_free(w.base);
	return 0;
}
