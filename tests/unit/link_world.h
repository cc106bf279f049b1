/*
 * What the tests of the members' connections share: up to three nodes in one
 * process, which check by themselves that ups, downs and messages come in order
 * and never from inside a call. The log and the clock are this file's own: lines
 * are counted, and time passes at will, so that a machine which lets us wait is
 * not taken for a silent peer. Included by link_random_test.c, and by the others
 * through link_stranger.h.
 *
 * Each process has a loopback address of its own, so that nobody else listens
 * or dials there.
 */
#ifndef ZABFS_TESTS_UNIT_LINK_WORLD_H
#define ZABFS_TESTS_UNIT_LINK_WORLD_H

#include "tests/unit/log_counted.h"

#include "replica/net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define NODES 3
#define EXPECT_MAX 512
#define DEADLINE_MS 300000 /* of what takes milliseconds on a machine that is not loaded */
#define CLUSTER "test"

static uint64_t now_ms;

/* The loop's time: what was let pass, and a millisecond for each turn that waited for one. */
int
clock_gettime(clockid_t id, struct timespec *now)
{
	(void)id;
	now->tv_sec = (time_t)(1000 + now_ms / 1000);
	now->tv_nsec = (long)(now_ms % 1000) * 1000000;
	return 0;
}

enum what { NOTHING, ON_UP, ON_DOWN, ON_MESSAGE, ON_HEARD, ON_DRAINED };

/* What a node knows of a peer. */
struct side {
	uint64_t conn; /* 0: none */
	uint64_t numbers;
	int ups, downs, messages, heard, drained;
	struct {
		msgpack_sbuffer packed;
		uint64_t hash;
		uint32_t len;
	} expected[EXPECT_MAX];
	int first, last;
};

struct node {
	struct links *links;
	uint32_t sid;
	struct side sides[NODES + 1]; /* by sid */
	bool loose;		      /* messages are counted only */
	enum what hook_at;
	void (*hook)(struct node *node, uint32_t peer, uint64_t conn);
};

static struct event_base *base;
static struct event *tick;
static int tick_fd;
static struct node nodes[NODES + 1]; /* by sid */
static struct links_member members[NODES];
static char addresses[NODES][64];
static struct sockaddr_in places[NODES]; /* the same */
static size_t unsent_max;
static int calls;	       /* of links_* on the stack */
static uint8_t *payload_bytes; /* as many as were asked for; kept */
static const struct blob none;

/* A call of links_*: no callback may come from inside. */
#define CALL(call)                                                                                 \
	do {                                                                                       \
		calls++;                                                                           \
		call;                                                                              \
		calls--;                                                                           \
	} while (0)

static void
hook(struct node *node, enum what what, uint32_t peer, uint64_t conn)
{
	assert_int_equal(calls, 0);
	assert_non_null(node->links);
	if (node->hook_at == what)
		node->hook(node, peer, conn);
}

/* What was sent to it and has not arrived does not arrive any more. */
static void
give_up(struct side *side)
{
	for (; side->first < side->last; side->first++)
		msgpack_sbuffer_destroy(&side->expected[side->first % EXPECT_MAX].packed);
}

static void
on_up(void *arg, uint32_t peer, uint64_t conn)
{
	struct node *node = arg;
	struct side *side = &node->sides[peer];

	assert_true(side->conn == 0);
	assert_true(conn > side->numbers);
	side->conn = side->numbers = conn;
	side->ups++;
	give_up(&nodes[peer].sides[node->sid]); /* through an older connection */
	hook(node, ON_UP, peer, conn);
}

static void
on_down(void *arg, uint32_t peer, uint64_t conn)
{
	struct node *node = arg;
	struct side *side = &node->sides[peer];

	assert_true(conn != 0 && side->conn == conn);
	side->conn = 0;
	side->downs++;
	hook(node, ON_DOWN, peer, conn);
}

static void
pack_bare(msgpack_sbuffer *out, const struct wire_msg *msg)
{
	struct wire_msg bare = *msg;

	if (msg->type == WIRE_T_ZAB)
		bare.zab.payload = none;
	msgpack_sbuffer_init(out);
	wire_pack(out, &bare);
}

static void
on_message(void *arg, uint32_t peer, uint64_t conn, const struct wire_msg *msg, struct blob payload)
{
	struct node *node = arg;
	struct side *side = &node->sides[peer];
	msgpack_sbuffer packed;
	int i = side->first % EXPECT_MAX;

	assert_true(conn != 0 && side->conn == conn);
	side->messages++;
	if (!node->loose) {
		assert_true(side->first < side->last);
		if (msg->type == WIRE_T_ZAB)
			assert_int_equal(msg->zab.payload.len, 0);
		pack_bare(&packed, msg);
		assert_int_equal(packed.size, side->expected[i].packed.size);
		assert_memory_equal(packed.data, side->expected[i].packed.data, packed.size);
		assert_int_equal(payload.len, side->expected[i].len);
		assert_true(XXH3_64bits(payload.data, payload.len) == side->expected[i].hash);
		msgpack_sbuffer_destroy(&packed);
		msgpack_sbuffer_destroy(&side->expected[i].packed);
		side->first++;
	}
	hook(node, ON_MESSAGE, peer, conn);
}

static void
on_heard(void *arg, uint32_t peer, uint64_t conn)
{
	struct node *node = arg;

	assert_true(conn != 0 && node->sides[peer].conn == conn);
	node->sides[peer].heard++;
	hook(node, ON_HEARD, peer, conn);
}

static void
on_drained(void *arg, uint32_t peer, uint64_t conn)
{
	struct node *node = arg;

	assert_true(conn != 0 && node->sides[peer].conn == conn);
	assert_true(links_unsent(node->links, peer, conn) < LINK_UNSENT_LOW);
	node->sides[peer].drained++;
	hook(node, ON_DRAINED, peer, conn);
}

static const struct link_handler handler = { on_up, on_down, on_message, on_heard, on_drained };

/* Time as it is: how long to wait for what never comes. */
static inline uint64_t
real_ms(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	uint64_t times;

	(void)what;
	(void)arg;
	if (read(fd, &times, sizeof(times)) > 0)
		now_ms++;
}

/* Turns of the loop until it is so; each ends after a millisecond without an event. */
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		uint64_t until_ms = real_ms() + DEADLINE_MS;                                       \
		while (!(condition)) {                                                             \
			if (real_ms() > until_ms)                                                  \
				fail_msg("line %d: never: %s", __LINE__, #condition);              \
			event_base_loop(base, EVLOOP_ONCE);                                        \
		}                                                                                  \
	} while (0)

/* Everything that can happen without time passing happens. */
static inline void
settle(void)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static inline void
pass(uint64_t ms)
{
	now_ms += ms;
	settle();
}

/* Addresses that nobody listens at. */
static inline void
choose_addresses(const char *host, in_addr_t ip)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fds[NODES];

	for (int i = 0; i < NODES; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		addr.sin_addr.s_addr = ip;
		addr.sin_port = 0;
		assert_int_equal(bind(fds[i], (struct sockaddr *)&addr, sizeof(addr)), 0);
		assert_int_equal(getsockname(fds[i], (struct sockaddr *)&addr, &len), 0);
		places[i] = addr;
		snprintf(addresses[i], sizeof(addresses[i]), "%s:%d", host, ntohs(addr.sin_port));
		members[i] =
		    (struct links_member){ .sid = (uint32_t)i + 1, .address = addresses[i] };
	}
	for (int i = 0; i < NODES; i++)
		close(fds[i]);
}

static inline int
setup(void **state)
{
	static const struct itimerspec often = { { 0, 1000000 }, { 0, 1000000 } };
	struct in_addr ip;
	char host[INET_ADDRSTRLEN];
	uint32_t pid = (uint32_t)getpid();

	(void)state;
	log_forget();
	unsent_max = 0;
	memset(nodes, 0, sizeof(nodes));
	for (uint32_t sid = 1; sid <= NODES; sid++)
		nodes[sid].sid = sid;
	ip.s_addr = htonl(0x7f010000u + (pid % 0x7e0000u));
	inet_ntop(AF_INET, &ip, host, sizeof(host));
	choose_addresses(host, ip.s_addr);
	base = event_base_new();
	tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	assert_int_equal(timerfd_settime(tick_fd, 0, &often, NULL), 0);
	tick = event_new(base, tick_fd, EV_READ | EV_PERSIST, on_tick, NULL);
	event_add(tick, NULL);
	return 0;
}

static inline struct links *
try_open(uint32_t sid, size_t count, char *err, size_t errlen)
{
	struct links_options options = { .self = sid,
		.cluster = CLUSTER,
		.members = members,
		.count = count,
		.unsent_max = unsent_max };

	CALL(nodes[sid].links = links_open(base, &options, &handler, &nodes[sid], err, errlen));
	return nodes[sid].links;
}

static inline struct node *
node_open(uint32_t sid, size_t count)
{
	char err[256];

	if (try_open(sid, count, err, sizeof(err)) == NULL)
		fail_msg("%s", err);
	return &nodes[sid];
}

/* What it knew of its peers goes with it. */
static inline void
node_close(struct node *node)
{
	CALL(links_free(node->links));
	node->links = NULL;
	for (uint32_t sid = 1; sid <= NODES; sid++) {
		struct side *side = &node->sides[sid];

		give_up(side);
		memset(side, 0, sizeof(*side));
	}
}

static inline int
teardown(void **state)
{
	(void)state;
	for (uint32_t sid = 1; sid <= NODES; sid++)
		node_close(&nodes[sid]);
	event_free(tick);
	close(tick_fd);
	event_base_free(base);
	return 0;
}

static inline bool
joined(const struct node *a, const struct node *b)
{
	return a->sides[b->sid].conn != 0 && b->sides[a->sid].conn != 0;
}

/* Two members that are connected. */
static inline void
open_two(struct node **one, struct node **two)
{
	*one = node_open(1, 2);
	*two = node_open(2, 2);
	UNTIL(joined(*one, *two));
}

/* Bytes that are not the same anywhere: a piece that is missing or twice changes the hash. */
static inline struct blob
payload_of(size_t len)
{
	static uint32_t x = 1;
	static size_t filled;

	if (payload_bytes == NULL)
		payload_bytes = malloc(LINK_PAYLOAD_MAX + 1);
	for (; filled < len; filled++) {
		x = x * 1664525u + 1013904223u;
		payload_bytes[filled] = (uint8_t)(x >> 24);
	}
	return (struct blob){ payload_bytes, (uint32_t)len };
}

static inline void
expect(struct node *from, struct node *to, const struct wire_msg *msg, struct blob payload)
{
	struct side *side = &to->sides[from->sid];
	int i = side->last++ % EXPECT_MAX;

	assert_true(side->last - side->first < EXPECT_MAX);
	pack_bare(&side->expected[i].packed, msg);
	side->expected[i].len = payload.len;
	side->expected[i].hash = XXH3_64bits(payload.data, payload.len);
}

static inline void
say(struct node *from, struct node *to, const struct wire_msg *msg, struct blob payload)
{
	uint64_t conn = from->sides[to->sid].conn;

	assert_true(conn != 0);
	expect(from, to, msg, payload);
	CALL(links_send(from->links, to->sid, conn, msg, payload));
}

static inline void
say_zab(struct node *from, struct node *to, uint64_t zxid, size_t len)
{
	struct wire_msg msg = { .type = WIRE_T_ZAB,
		.zab = { .type = 13, .attempt = 7, .zxid = zxid } };

	say(from, to, &msg, payload_of(len));
}

static inline bool
all_heard(const struct node *from, const struct node *to)
{
	const struct side *side = &to->sides[from->sid];

	return side->first == side->last;
}

#endif
