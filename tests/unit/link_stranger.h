/*
 * A stranger to link_world.h's nodes: bare sockets that say what a test wants,
 * and that may be taken for a member. Included by link_test.c, link_end_test.c
 * and link_refuse_test.c.
 */
#ifndef ZABFS_TESTS_UNIT_LINK_STRANGER_H
#define ZABFS_TESTS_UNIT_LINK_STRANGER_H

#include "tests/frame.h"
#include "tests/unit/link_world.h"

/* from: an address in numbers; NULL: the kernel's choice. */
static inline int
raw_dial_from(const char *from, uint32_t sid)
{
	const struct sockaddr_in *addr = &places[sid - 1];
	struct sockaddr_in own = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (from != NULL) {
		assert_int_equal(inet_pton(AF_INET, from, &own.sin_addr), 1);
		assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), 0);
	}
	assert_int_equal(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static inline int
raw_dial(uint32_t sid)
{
	return raw_dial_from(NULL, sid);
}

static inline int
raw_listen(uint32_t sid)
{
	const struct sockaddr_in *addr = &places[sid - 1];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static inline int
raw_accept(int listener)
{
	int fd = -1;

	UNTIL((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
	return fd;
}

static inline void
raw_write(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return; /* closed already: what the test looks at next */
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
}

static inline void
raw_send(int fd, const struct wire_msg *msg)
{
	msgpack_sbuffer out;

	msgpack_sbuffer_init(&out);
	frame_pack(&out, msg);
	raw_write(fd, out.data, out.size);
	msgpack_sbuffer_destroy(&out);
}

/* Whether the other side has closed it; what it sent is thrown away. */
static inline bool
raw_ended(int fd)
{
	char bytes[4096];
	ssize_t n;

	do
		n = recv(fd, bytes, sizeof(bytes), 0);
	while (n > 0);
	return n == 0 || errno != EAGAIN;
}

static inline struct wire_msg
link_msg(uint32_t sid, uint32_t to, uint64_t hash)
{
	struct wire_msg msg = { .type = WIRE_T_LINK,
		.link = { .proto = WIRE_LINK_PROTO,
		    .sid = sid,
		    .to = to,
		    .members = hash,
		    .cluster = { (const uint8_t *)CLUSTER, sizeof(CLUSTER) - 1 } } };

	return msg;
}

/* The one frame that comes next, a LINK; its cluster is not kept. */
static inline struct wire_link
raw_read_link(int fd)
{
	static uint8_t frame[512];
	msgpack_zone *zone = msgpack_zone_new(1024);
	struct wire_msg msg;
	size_t have = 0;
	uint32_t len = 0;
	ssize_t n;

	while (have < 4 || have < 4 + len) {
		UNTIL((n = recv(fd, frame + have, have < 4 ? 4 - have : 4 + len - have, 0)) >= 0 ||
		      errno != EAGAIN);
		assert_true(n > 0);
		have += (size_t)n;
		if (have == 4) {
			memcpy(&len, frame, 4);
			len = ntohl(len);
			assert_true(len < sizeof(frame) - 4);
		}
	}
	assert_int_equal(wire_unpack(frame + 4, len, zone, &msg), 0);
	msgpack_zone_free(zone);
	assert_int_equal(msg.type, WIRE_T_LINK);
	return msg.link;
}

/* The hash of the members as node `sid` has it: it answers any LINK. */
static inline uint64_t
ask_hash(uint32_t sid)
{
	struct wire_msg msg = link_msg(NODES + 1, sid, 0);
	int fd = raw_dial(sid);
	struct wire_link answer;

	raw_send(fd, &msg);
	answer = raw_read_link(fd);
	assert_int_equal(answer.sid, sid);
	assert_int_equal(answer.to, NODES + 1);
	UNTIL(raw_ended(fd));
	close(fd);
	return answer.members;
}

/* A stranger that is taken for member `as`. */
static inline int
raw_join(struct node *node, uint32_t as)
{
	struct wire_msg msg = link_msg(as, node->sid, ask_hash(node->sid));
	int fd = raw_dial(node->sid), ups = node->sides[as].ups;

	raw_send(fd, &msg);
	UNTIL(node->sides[as].ups > ups);
	raw_read_link(fd);
	return fd;
}

#endif
