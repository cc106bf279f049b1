/*
 * conn.c over real socketpairs: what arrives whole is handed out in order,
 * what is broken ends that connection alone, with one closed() and the right
 * code, and callbacks may free what they are called for.
 */
#include "replica/lib/conn.h"
#include "replica/lib/err.h"
#include "tests/frame.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
	struct conn *conn;
	uint64_t pings; /* in order from 1, or the test fails */
	uint64_t bytes; /* of WRITEs */
	int closed;
	int code;
	bool sending;		    /* inside conn_send */
	uint64_t free_at, pause_at; /* the ping that does it; 0: none */
	bool free_when_closed, free_when_drained;
	int drained;
};

static struct event_base *base;
static uint8_t big[WIRE_VALUE_MAX];

static void
on_message(void *arg, const struct wire_msg *msg)
{
	struct end *end = arg;

	assert_non_null(end->conn);
	assert_int_equal(end->closed, 0);
	if (msg->type == WIRE_T_WRITE) {
		assert_memory_equal(msg->write.data.data, big, msg->write.data.len);
		end->bytes += msg->write.data.len;
		return;
	}
	assert_int_equal(msg->type, WIRE_T_PING);
	assert_true(msg->ping.sent_ns == ++end->pings);
	if (end->pings == end->pause_at)
		conn_pause(end->conn, true);
	if (end->pings == end->free_at) {
		conn_free(end->conn);
		end->conn = NULL;
	}
}

static void
on_closed(void *arg, int code, const char *why)
{
	struct end *end = arg;

	assert_false(end->sending);
	assert_true(strlen(why) > 0);
	end->closed++;
	end->code = code;
	if (end->free_when_closed) {
		conn_free(end->conn);
		end->conn = NULL;
	}
}

static const struct conn_handler handler = { on_message, on_closed };

/* A connection, and the other end of its socket. */
static int
open_end(struct end *end, size_t unsent_max)
{
	int fds[2];

	memset(end, 0, sizeof(*end));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	end->conn = conn_new(base, fds[0], &handler, end, unsent_max);
	assert_non_null(end->conn);
	return fds[1];
}

/* Everything that can happen without anybody else happens. */
static void
settle(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
put_pings(msgpack_sbuffer *out, uint64_t first, uint64_t last)
{
	struct wire_msg msg = { .type = WIRE_T_PING };

	for (msg.ping.sent_ns = first; msg.ping.sent_ns <= last; msg.ping.sent_ns++)
		frame_pack(out, &msg);
}

static void
put_bytes(int fd, const void *bytes, size_t len)
{
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
}

static void
send_pings(struct end *end, uint64_t first, uint64_t last)
{
	struct wire_msg msg = { .type = WIRE_T_PING };

	end->sending = true;
	for (msg.ping.sent_ns = first; msg.ping.sent_ns <= last; msg.ping.sent_ns++)
		conn_send(end->conn, &msg);
	end->sending = false;
}

_Static_assert(WIRE_FRAME_MAX == 0x100000, "the lengths below");
static const struct bad {
	const char *what, *bytes;
	size_t len;
} bad_frames[] = {
	{ "too long", "\x00\x20\x00\x00\x92\x05\x01", 7 },
	{ "much too long", "\xff\xff\xff\xff", 4 },
	{ "a single byte too long", "\x00\x10\x00\x01", 4 },
	{ "empty", "\0\0\0\0", 4 },
	{ "not msgpack", "\0\0\0\3\xc1\xc1\xc1", 7 },
	{ "text", "\0\0\0\5hello", 9 },
	{ "no array", "\0\0\0\1\5", 5 },
	{ "no such type", "\0\0\0\3\x92\x63\1", 7 },
	{ "a type of the wrong kind", "\0\0\0\4\x92\xc4\0\1", 8 },
	{ "a field of the wrong kind", "\0\0\0\3\x92\5\xc0", 7 },
	{ "out of range", "\0\0\0\3\x92\5\xff", 7 },
	{ "a field that is an array", "\0\0\0\4\x92\5\x91\1", 8 },
	{ "a field that claims 2^32", "\0\0\0\7\x92\5\xdd\xff\xff\xff\xff", 11 },
	{ "too short an array", "\0\0\0\2\x91\5", 6 },
	{ "too long an array", "\0\0\0\4\x93\5\1\1", 8 },
	{ "a body that ends early", "\0\0\0\2\x92\5", 6 },
	{ "rubbish behind", "\0\0\0\4\x92\5\1\0", 8 },
};

static void
test_a_bad_frame_ends_that_connection_alone(void **state)
{
	struct end neighbour;
	int other = open_end(&neighbour, 1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(bad_frames) / sizeof(bad_frames[0]); i++) {
		msgpack_sbuffer out;
		struct end end;
		int fd = open_end(&end, 1 << 20);

		/* two good ones in front, one behind that must not be seen */
		msgpack_sbuffer_init(&out);
		put_pings(&out, 1, 2);
		msgpack_sbuffer_write(&out, bad_frames[i].bytes, bad_frames[i].len);
		put_pings(&out, 3, 3);
		put_bytes(fd, out.data, out.size);
		settle();
		if (end.closed != 1 || end.code != ERR_PROTO || end.pings != 2)
			fail_msg("%s: closed %d times, code %d, %d messages", bad_frames[i].what,
			    end.closed, end.code, (int)end.pings);
		conn_free(end.conn);
		close(fd);

		msgpack_sbuffer_clear(&out);
		put_pings(&out, neighbour.pings + 1, neighbour.pings + 1);
		put_bytes(other, out.data, out.size);
		settle();
		assert_true(neighbour.pings == i + 1);
		msgpack_sbuffer_destroy(&out);
	}
	assert_int_equal(neighbour.closed, 0);
	conn_free(neighbour.conn);
	close(other);
}

static void
test_the_longest_frame_is_still_read(void **state)
{
	static const uint32_t len = WIRE_FRAME_MAX;
	uint32_t head = htonl(len);
	uint8_t *frame = calloc(1, 4 + (size_t)len);
	size_t sent = 0;
	struct end end;
	int fd = open_end(&end, 1 << 20);

	(void)state;
	memcpy(frame, &head, 4); /* waited for as a whole, then refused: its body is zeros */
	while (sent < 4 + (size_t)len) {
		ssize_t n = send(fd, frame + sent, 4 + (size_t)len - sent, MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		assert_int_equal(end.closed, 0);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	settle();
	assert_int_equal(end.closed, 1);
	assert_int_equal(end.code, ERR_PROTO);
	conn_free(end.conn);
	close(fd);
	free(frame);
}

static void
test_an_end_between_frames_is_none_in_the_middle_is(void **state)
{
	msgpack_sbuffer out;

	(void)state;
	msgpack_sbuffer_init(&out);
	put_pings(&out, 1, 1);
	for (size_t cut = 0; cut <= out.size; cut++) {
		struct end end;
		int fd = open_end(&end, 1 << 20);

		put_bytes(fd, out.data, cut);
		settle();
		assert_int_equal(end.closed, 0);
		if (cut % 2 == 0)
			close(fd);
		else
			shutdown(fd, SHUT_WR);
		settle();
		assert_int_equal(end.closed, 1);
		assert_int_equal(end.code, cut == 0 || cut == out.size ? 0 : ERR_PROTO);
		assert_true(end.pings == (cut == out.size));
		conn_free(end.conn);
		if (cut % 2 != 0)
			close(fd);
	}
	msgpack_sbuffer_destroy(&out);
}

static void
test_thousands_of_messages_in_one_write(void **state)
{
	msgpack_sbuffer out;
	struct end end;
	int fd = open_end(&end, 1 << 20);

	(void)state;
	msgpack_sbuffer_init(&out);
	put_pings(&out, 1, 10000);
	put_bytes(fd, out.data, out.size);
	settle();
	assert_true(end.pings == 10000);

	/* and byte by byte */
	msgpack_sbuffer_clear(&out);
	put_pings(&out, 10001, 10020);
	for (size_t i = 0; i < out.size; i++) {
		put_bytes(fd, out.data + i, 1);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_true(end.pings == 10020);
	assert_int_equal(end.closed, 0);
	conn_free(end.conn);
	close(fd);
	msgpack_sbuffer_destroy(&out);
}

static void
test_big_values_both_ways(void **state)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE, .write.data = { big, sizeof(big) } };
	uint64_t total = 0;
	struct end a, b;
	int fd = open_end(&a, 64 << 20);

	(void)state;
	memset(&b, 0, sizeof(b));
	b.conn = conn_new(base, fd, &handler, &b, 64 << 20);
	for (int i = 0; i < 8; i++) {
		msg.write.data.len = (uint32_t)(sizeof(big) >> i);
		total += msg.write.data.len;
		conn_send(a.conn, &msg);
		conn_send(b.conn, &msg);
	}
	send_pings(&a, 1, 1);
	while (a.bytes < total || b.bytes < total || b.pings < 1) {
		assert_int_equal(a.closed + b.closed, 0);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	settle();
	assert_true(a.bytes == total && b.bytes == total);
	assert_int_equal(conn_unsent(a.conn), 0);
	conn_free(a.conn);
	settle();
	assert_int_equal(b.closed, 1);
	assert_int_equal(b.code, 0);
	conn_free(b.conn);
}

static void
test_one_turn_one_send(void **state)
{
	char buf[4096];
	msgpack_sbuffer want;
	struct end end;
	int fd = open_end(&end, 1 << 20);

	(void)state;
	msgpack_sbuffer_init(&want);
	put_pings(&want, 1, 100);
	send_pings(&end, 1, 100);
	assert_int_equal(conn_unsent(end.conn), want.size);
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), -1); /* not yet */
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(conn_unsent(end.conn), 0);
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), (ssize_t)want.size);
	assert_memory_equal(buf, want.data, want.size);

	send_pings(&end, 1, 1);
	conn_flush(end.conn);
	assert_int_equal(conn_unsent(end.conn), 0);
	assert_true(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0);

	send_pings(&end, 1, 1); /* and what is left is tried once */
	conn_free(end.conn);
	assert_true(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 0);
	close(fd);
	msgpack_sbuffer_destroy(&want);
}

static void
test_freed_inside_its_callbacks(void **state)
{
	msgpack_sbuffer out;
	struct end end;
	int fd = open_end(&end, 1 << 20);

	(void)state;
	msgpack_sbuffer_init(&out);
	put_pings(&out, 1, 10);
	end.free_at = 5;
	put_bytes(fd, out.data, out.size);
	settle();
	assert_true(end.pings == 5);
	assert_null(end.conn);
	assert_int_equal(end.closed, 0);
	close(fd);

	fd = open_end(&end, 1 << 20);
	end.free_at = 3;
	put_bytes(fd, out.data, out.size);
	settle();
	assert_null(end.conn);
	close(fd);

	fd = open_end(&end, 1 << 20);
	end.free_when_closed = true;
	put_bytes(fd, "\0\0\0\0", 4);
	settle();
	assert_int_equal(end.closed, 1);
	assert_null(end.conn);
	close(fd);

	fd = open_end(&end, 1 << 20);
	end.free_when_closed = true;
	close(fd);
	settle();
	assert_int_equal(end.closed, 1);
	assert_null(end.conn);
	conn_free(NULL);
	msgpack_sbuffer_destroy(&out);
}

static void
test_a_slow_reader(void **state)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE, .write.data = { big, 100000 } };
	struct end end;
	int fd = open_end(&end, 2 << 20);
	int sent = 0;

	(void)state;
	while (end.closed == 0) {
		end.sending = true;
		conn_send(end.conn, &msg);
		end.sending = false;
		assert_true(conn_unsent(end.conn) <= (2 << 20) + 100100);
		if (++sent % 4 == 0)
			event_base_loop(base, EVLOOP_NONBLOCK);
		assert_true(sent < 100);
	}
	assert_int_equal(end.code, ERR_BUSY);
	conn_send(end.conn, &msg); /* goes nowhere */
	settle();
	assert_int_equal(end.closed, 1);
	conn_free(end.conn);
	close(fd);
}

static void
test_a_peer_that_resets(void **state)
{
	msgpack_sbuffer out;
	struct end end;
	int fd = open_end(&end, 1 << 20);

	(void)state;
	/* It leaves with our bytes unread, having said something: heard, then closed. */
	msgpack_sbuffer_init(&out);
	put_pings(&out, 1, 3);
	send_pings(&end, 1, 10);
	conn_flush(end.conn);
	put_bytes(fd, out.data, out.size);
	close(fd);
	send_pings(&end, 11, 20);
	conn_flush(end.conn); /* EPIPE, no SIGPIPE */
	settle();
	assert_true(end.pings == 3);
	assert_int_equal(end.closed, 1);
	assert_int_equal(end.code, 0);
	conn_free(end.conn);

	/* It only refuses to read. */
	fd = open_end(&end, 1 << 20);
	shutdown(fd, SHUT_RD);
	send_pings(&end, 1, 1);
	settle();
	assert_int_equal(end.closed, 1);
	assert_int_equal(end.code, 0);
	conn_free(end.conn);
	close(fd);
	msgpack_sbuffer_destroy(&out);
}

static void
test_pause(void **state)
{
	msgpack_sbuffer out;
	struct end end;
	int fd = open_end(&end, 1 << 20);

	(void)state;
	msgpack_sbuffer_init(&out);
	end.pause_at = 2;
	put_pings(&out, 1, 5);
	put_bytes(fd, out.data, out.size);
	settle();
	assert_true(end.pings == 2);
	msgpack_sbuffer_clear(&out);
	put_pings(&out, 6, 9);
	put_bytes(fd, out.data, out.size);
	settle();
	assert_true(end.pings == 2);
	send_pings(&end, 1, 1); /* sending goes on */
	settle();
	assert_int_equal(conn_unsent(end.conn), 0);
	conn_pause(end.conn, false);
	assert_true(end.pings == 2); /* not from inside the call */
	settle();
	assert_true(end.pings == 9);

	/* Nothing new arrives after the pause: what waits in the buffer comes all the same. */
	end.pause_at = 10;
	msgpack_sbuffer_clear(&out);
	put_pings(&out, 10, 12);
	put_bytes(fd, out.data, out.size);
	settle();
	assert_true(end.pings == 10);
	close(fd);
	settle();
	assert_int_equal(end.closed, 0);
	conn_pause(end.conn, false);
	settle();
	assert_true(end.pings == 12);
	assert_int_equal(end.closed, 1);
	assert_int_equal(end.code, 0);
	conn_free(end.conn);
	msgpack_sbuffer_destroy(&out);
}

static void
on_drained(void *arg)
{
	struct end *end = arg;

	assert_false(end->sending);
	assert_int_equal(end->closed, 0);
	assert_true(conn_unsent(end->conn) < 1 << 20);
	end->drained++;
	if (end->free_when_drained) {
		conn_free(end->conn);
		end->conn = NULL;
	}
}

/* The other side takes what there is. */
static void
take_all(struct end *end, int fd)
{
	static char bytes[1 << 20];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		if (end->conn != NULL)
			event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
test_the_low_mark(void **state)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE, .write.data = { big, 100000 } };
	struct end end;
	int fd = open_end(&end, 64 << 20);

	(void)state;
	conn_low_mark(end.conn, 1 << 20, on_drained);
	send_pings(&end, 1, 10); /* far below */
	settle();
	assert_int_equal(end.drained, 0);
	for (int round = 1; round <= 2; round++) {
		end.sending = true;
		while (conn_unsent(end.conn) < 5 << 20)
			conn_send(end.conn, &msg);
		end.sending = false;
		settle();
		assert_int_equal(end.drained, round - 1);
		take_all(&end, fd);
		settle();
		assert_int_equal(end.drained, round); /* once, whatever was sent in between */
		assert_int_equal(conn_unsent(end.conn), 0);
	}

	/* at the mark is not below it; and all of it within one conn_send is no matter */
	conn_low_mark(end.conn, 1, on_drained);
	send_pings(&end, 1, 1);
	conn_flush(end.conn);
	assert_int_equal(end.drained, 2); /* not from inside the call */
	settle();
	assert_int_equal(end.drained, 3);

	conn_low_mark(end.conn, 1 << 20, on_drained);
	end.free_when_drained = true;
	end.sending = true;
	while (conn_unsent(end.conn) < 2 << 20)
		conn_send(end.conn, &msg);
	end.sending = false;
	take_all(&end, fd);
	settle();
	assert_null(end.conn);
	assert_int_equal(end.drained, 4);
	close(fd);
}

static int
setup(void **state)
{
	(void)state;
	memset(big, 'x', sizeof(big));
	base = event_base_new();
	return base == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	event_base_free(base);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bad_frame_ends_that_connection_alone),
		cmocka_unit_test(test_the_longest_frame_is_still_read),
		cmocka_unit_test(test_an_end_between_frames_is_none_in_the_middle_is),
		cmocka_unit_test(test_thousands_of_messages_in_one_write),
		cmocka_unit_test(test_big_values_both_ways),
		cmocka_unit_test(test_one_turn_one_send),
		cmocka_unit_test(test_freed_inside_its_callbacks),
		cmocka_unit_test(test_a_slow_reader),
		cmocka_unit_test(test_a_peer_that_resets),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_the_low_mark),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("conn", tests, setup, teardown);
}
