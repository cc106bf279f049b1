/*
 * The replica of replica_fuzz.c and member_fuzz.c, and the front ends' side of
 * its socket: what they know, and what must be true of everything that they
 * hear (wire.h).
 */
#ifndef ZABFS_TESTS_FUZZ_REPLICA_PEER_H
#define ZABFS_TESTS_FUZZ_REPLICA_PEER_H

#include "tests/frame.h"
#include "tests/fuzz/tree_check.h"

#include "replica/lib/err.h"
#include "replica/replica.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS 3
#define TICK_MS 500
#define TIMEOUT_MS_MAX 1000
#define INPUTS_MAX 20000 /* then a new replica: the log only grows */
#define IN_BYTES (4u << 20)

struct guest {
	int fd; /* -1: not connected */
	uint64_t session, seen;
	uint8_t secret[WIRE_SECRET_LEN];
	uint8_t *in;
	size_t len;
	bool welcomed, resumed, ended;
	uint64_t told; /* the greatest zxid of an answer on this connection */
	uint64_t replies;
};

static struct guest peers[PEERS + 1]; /* the last one cleans up */
static struct replica *replica;
static struct event_base *base;
static char dir[64], socket_path[80];
static uint32_t inputs;
static uint64_t first_new, serials;
static struct conf_member member = { .id = 1, .peer = (char[]){ "127.0.0.1:1" } };
static struct conf conf = { .cluster = (char[]){ "fuzz" },
	.tick_ms = TICK_MS,
	.init_limit = 10,
	.sync_limit = 5,
	.value_max = 4096,
	.log_rows_min = 1000,
	.pass_interval = 60,
	.session_timeout_min = 100,
	.session_timeout_max = TIMEOUT_MS_MAX,
	.sessions_max = 16,
	.members = &member,
	.nmembers = 1 };

static inline void peer_turn(void);

/* What it was told. */

static inline void
peer_welcome(struct guest *peer, const struct wire_welcome *welcome)
{
	CHECK(!peer->welcomed);
	peer->welcomed = true;
	peer->ended = welcome->code != ERR_OK;
	if (peer->ended)
		return;
	CHECK(welcome->secret.len == WIRE_SECRET_LEN && welcome->session != 0);
	CHECK(welcome->timeout_ms >= conf.session_timeout_min &&
	      welcome->timeout_ms <= conf.session_timeout_max);
	if (peer->session != welcome->session)
		peer->seen = welcome->zxid;
	peer->session = welcome->session;
	memcpy(peer->secret, welcome->secret.data, WIRE_SECRET_LEN);
}

static inline void
peer_answered(struct guest *peer, uint64_t zxid)
{
	CHECK(peer->resumed && zxid <= tree_applied(replica->tree));
	if (zxid > peer->told)
		peer->told = zxid;
	if (zxid > peer->seen)
		peer->seen = zxid;
}

static inline void
peer_reply(struct guest *peer, const struct wire_reply *reply)
{
	struct blob data = reply->data;
	struct wire_entry entry;
	struct wire_stat stat;

	/* What a member knows is told to anyone. */
	if (reply->zxid != 0 || peer->resumed)
		peer_answered(peer, reply->zxid);
	peer->replies++;
	CHECK(reply->code <= 0 && strcmp(err_text(reply->code), err_text(-1000)) != 0);
	if (reply->stat.len != 0)
		CHECK(wire_stat_unpack(reply->stat, &stat) == 0);
	/* Of a LIST. */
	if (reply->more != 0 && reply->stat.len != 0)
		CHECK(wire_entry_next(&data, &entry) == 1);
}

static inline void
peer_heard(struct guest *peer, const struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_T_WELCOME:
		peer_welcome(peer, &msg->welcome);
		break;
	case WIRE_T_RESUMED:
		CHECK(peer->welcomed && !peer->resumed);
		peer->resumed = true;
		peer_answered(peer, msg->resumed.zxid);
		break;
	case WIRE_T_CHANGE:
		CHECK(peer->welcomed && msg->change.zxid > peer->told);
		CHECK(msg->change.kind >= WIRE_ADD && msg->change.kind <= WIRE_ATTR);
		break;
	case WIRE_T_PONG:
		peer_answered(peer, msg->pong.zxid);
		break;
	case WIRE_T_REPLY:
		peer_reply(peer, &msg->reply);
		break;
	case WIRE_T_BYE:
		CHECK(peer->welcomed);
		break;
	default:
		CHECK(msg->type == WIRE_T_WELCOME);
	}
}

static inline void
peer_hear(struct guest *peer)
{
	struct wire_msg msg;
	size_t at = 0;
	ssize_t n;
	int next;

	if (peer->fd < 0)
		return;
	while ((n = recv(peer->fd, peer->in + peer->len, IN_BYTES - peer->len, MSG_DONTWAIT)) > 0)
		peer->len += (size_t)n;
	while ((next = frame_next(peer->in, peer->len, &at, &msg)) != 0) {
		CHECK(next == 1);
		peer_heard(peer, &msg);
	}
	memmove(peer->in, peer->in + at, peer->len - at);
	peer->len -= at;
	peer->ended |= n == 0;
}

/* Time. */

static inline void
peer_turn(void)
{
	int i;

	event_base_loop(base, EVLOOP_NONBLOCK);
	for (i = 0; i <= PEERS; i++)
		peer_hear(&peers[i]);
}

/* The log's threads have something to do. */
static inline void
peer_wait(void)
{
	struct pollfd fd = { .fd = store_wake_fd(replica->store), .events = POLLIN };

	poll(&fd, 1, 1);
}

/* Until everything that was proposed is delivered, and everyone has heard of it. */
static inline void
peer_idle(void)
{
	struct zab_status status;
	int quiet = 0;

	while (quiet < 3) {
		peer_turn();
		zab_status(replica->zab, &status);
		quiet = status.last_proposed == status.delivered ? quiet + 1 : 0;
		if (quiet == 0)
			peer_wait();
	}
}

static inline void
peer_later(uint64_t ms)
{
	fuzz_clock_advance_ms(ms);
	peer_turn();
}

/* What it does. */

static inline void
peer_leave(struct guest *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
	peer->len = 0;
	peer->welcomed = peer->resumed = peer->ended = false;
	peer->told = 0;
}

static inline void
peer_connect(struct guest *peer)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (peer->fd >= 0 && !peer->ended)
		return;
	peer_leave(peer);
	peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", socket_path);
	CHECK(connect(peer->fd, (const struct sockaddr *)&addr, sizeof addr) == 0);
	if (peer->in == NULL)
		peer->in = malloc(IN_BYTES);
	CHECK(peer->in != NULL);
}

static inline void
peer_bytes(struct guest *peer, struct blob bytes)
{
	ssize_t n;

	if (peer->fd < 0)
		return;
	n = send(peer->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	peer->ended |= n < (ssize_t)bytes.len;
}

/* spoil: a place in the frame, 0: none; the byte there is changed by `by`. */
static inline void
peer_say(struct guest *peer, const struct wire_msg *msg, uint32_t spoil, uint8_t by)
{
	msgpack_sbuffer out;

	msgpack_sbuffer_init(&out);
	frame_pack(&out, msg);
	if (spoil != 0)
		out.data[spoil % out.size] = (char)(out.data[spoil % out.size] ^ by);
	peer_bytes(peer, (struct blob){ (const uint8_t *)out.data, (uint32_t)out.size });
	msgpack_sbuffer_destroy(&out);
}

/* As far as it gets: a new session, or its own. idle: until nothing more happens. */
static inline void
peer_open(struct guest *peer, void (*idle)(void))
{
	struct wire_msg hello = { .type = WIRE_T_HELLO,
		.hello = { .proto = WIRE_PROTO,
		    .session = peer->session,
		    .serial = ++serials,
		    .seen = peer->seen,
		    .timeout_ms = TIMEOUT_MS_MAX } };
	struct wire_msg resume = { .type = WIRE_T_RESUME };

	if (peer->session != 0)
		hello.hello.secret = (struct blob){ peer->secret, WIRE_SECRET_LEN };
	peer_connect(peer);
	peer_say(peer, &hello, 0, 0);
	idle();
	if (peer->welcomed && !peer->resumed)
		peer_say(peer, &resume, 0, 0);
	idle();
}

/* The replica's life. */

static inline int
peer_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void
peer_stop(void)
{
	if (replica == NULL)
		return;
	loop_free(replica->loop);
	replica_free(replica);
	replica = NULL;
	event_base_free(base);
	nftw(dir, peer_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void
peer_ready(void *arg)
{
	*(bool *)arg = true;
}

/* In a folder of its own, which `fill`, if there is one, puts something into. *ready: it serves. */
static inline void
peer_run(void (*fill)(void), bool *ready)
{
	const char *tmp = getenv("TMPDIR");
	struct replica_options options = {
		.conf = &conf, .member = 1, .dir = dir, .socket = socket_path, .found = fill == NULL
	};
	char err[256];

	snprintf(dir, sizeof dir, "%s/zabfs-fuzz.XXXXXX", tmp != NULL ? tmp : "/dev/shm");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(socket_path, sizeof socket_path, "%s/s", dir);
	if (fill != NULL)
		fill();
	base = event_base_new();
	if (replica_new(&options, &replica, err, sizeof err) != 0 ||
	    loop_new(base, replica, &options, err, sizeof err) != 0) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	replica->ready = peer_ready;
	replica->ready_arg = ready;
	order_start(replica);
}

/* An ensemble of one, founded, that serves. */
static inline void
peer_start(void)
{
	bool ready = false;

	peer_run(NULL, &ready);
	while (!ready) {
		peer_turn();
		/* The log's time is not the clock's. */
		if (replica->op_done == replica->op_asked)
			peer_later(1);
		else
			peer_wait();
	}
}

static inline void
peer_begin(void)
{
	static bool registered;
	int i;

	if (!registered) {
		registered = true;
		atexit(peer_stop);
		for (i = 0; i <= PEERS; i++)
			peers[i].fd = -1;
	}
	if (++inputs % INPUTS_MAX == 0)
		peer_stop();
	if (replica == NULL)
		peer_start();
	for (i = 0; i <= PEERS; i++)
		peers[i].session = peers[i].seen = 0;
	serials = 0;
	first_new = tree_next_id(replica->tree);
}

static inline uint64_t
peer_some_leaf(void)
{
	const struct znode *node = tree_next_child(replica->tree, TREE_ROOT, 0), *child;

	while ((child = tree_next_child(replica->tree, znode_id(node), 0)) != NULL)
		node = child;
	return znode_id(node);
}

/* All sessions expire, all nodes go. */
static inline void
peer_end(void)
{
	struct wire_msg msg = { .type = WIRE_T_DELETE };
	struct guest *janitor = &peers[PEERS];
	uint64_t before;

	peer_turn();
	while (tree_next_session(replica->tree, 0) != NULL) {
		peer_later(TICK_MS);
		peer_idle();
	}
	if (tree_nodes(replica->tree) == 1)
		return;
	peer_open(janitor, peer_idle);
	CHECK(janitor->resumed);
	while (tree_nodes(replica->tree) > 1) {
		msg.delete.rid += 2;
		msg.delete.acked = msg.delete.rid - 1;
		msg.delete.id = peer_some_leaf();
		msg.delete.dir = S_ISDIR(znode_mode(tree_node(replica->tree, msg.delete.id)));
		msg.delete.version = -1;
		before = janitor->replies;
		peer_say(janitor, &msg, 0, 0);
		while (janitor->replies == before)
			peer_idle();
	}
	peer_leave(janitor);
	while (tree_next_session(replica->tree, 0) != NULL) {
		peer_later(TICK_MS);
		peer_idle();
	}
}

#endif
