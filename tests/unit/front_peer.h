/*
 * What the tests of net/ share: a replica that answers as it is told to, and a
 * front end that says what it is told to, over a real Unix socket. The clock is
 * this file's own: time passes at will.
 * Included by front_test.c and front_server_test.c.
 */
#ifndef ZABFS_TESTS_UNIT_FRONT_PEER_H
#define ZABFS_TESTS_UNIT_FRONT_PEER_H

#include "tests/unit/log_counted.h"

#include "replica/lib/conn.h"
#include "replica/lib/err.h"
#include "replica/net/front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SEEN_MAX 64

static time_t skipped_s;

int
clock_gettime(clockid_t id, struct timespec *now)
{
	int ret = (int)syscall(SYS_clock_gettime, id, now);

	now->tv_sec += skipped_s;
	return ret;
}

/* The replica, as far as a front end sees it. */
static struct {
	int hellos, resumes, gone, requests;
	struct front *last; /* that said HELLO, RESUME or a request */
	enum wire_type types[SEEN_MAX];
	int32_t welcome; /* code; 1: not yet */
	bool resume_later;
} replica;

static struct event_base *base;
static struct front_server *server;
static char dir[] = "/tmp/front_test.XXXXXX";
static char path[64];

static inline void
welcome(struct front *front, int32_t code)
{
	front_welcome(
	    front, &(struct wire_welcome){ .code = code, .session = 42, .timeout_ms = 10000 });
}

static inline void
on_hello(void *arg, struct front *front, const struct wire_hello *hello)
{
	assert_ptr_equal(arg, &replica);
	assert_true(front_session(front) == 0);
	assert_true(front_seen(front) == hello->seen);
	replica.hellos++;
	replica.last = front;
	if (replica.welcome <= 0)
		welcome(front, replica.welcome);
}

static inline void
on_resume(void *arg, struct front *front)
{
	(void)arg;
	replica.resumes++;
	replica.last = front;
	assert_false(front_resumed(front));
	if (!replica.resume_later)
		front_resume_done(front, 7, true);
}

static inline void
on_request(void *arg, struct front *front, const struct wire_msg *msg)
{
	(void)arg;
	assert_true(front_resumed(front));
	replica.types[replica.requests++ % SEEN_MAX] = msg->type;
	replica.last = front;
	if (msg->type == WIRE_T_PING)
		front_send(front,
		    &(struct wire_msg){ .type = WIRE_T_PONG, .pong = { msg->ping.sent_ns, 7, 1 } });
}

static inline void
on_gone(void *arg, struct front *front)
{
	(void)arg;
	(void)front;
	replica.gone++;
}

static const struct front_handler handler = { on_hello, on_resume, on_request, on_gone };

/* A front end. */
struct client {
	struct conn *conn;
	int fd;
	int closed, seen;
	enum wire_type types[SEEN_MAX];
	struct wire_reply reply; /* the last; stat and data: only lengths */
};

static inline void
client_message(void *arg, const struct wire_msg *msg)
{
	struct client *client = arg;

	client->types[client->seen++ % SEEN_MAX] = msg->type;
	if (msg->type == WIRE_T_REPLY)
		client->reply = msg->reply;
}

static inline void
client_closed(void *arg, int code, const char *why)
{
	(void)code;
	(void)why;
	((struct client *)arg)->closed++;
}

static const struct conn_handler client_handler = { client_message, client_closed };

static inline int
connect_to(const char *to)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", to);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static inline void
client_open(struct client *client)
{
	memset(client, 0, sizeof(*client));
	client->fd = connect_to(path);
	client->conn = conn_new(base, client->fd, &client_handler, client, 1 << 20);
	assert_non_null(client->conn);
}

static inline void
client_send(struct client *client, enum wire_type type)
{
	struct wire_msg msg;

	memset(&msg, 0, sizeof(msg));
	msg.type = type;
	if (type == WIRE_T_HELLO)
		msg.hello = (struct wire_hello){ .proto = WIRE_PROTO, .seen = 5 };
	conn_send(client->conn, &msg);
}

static inline void
client_node(struct client *client, enum wire_type type, uint64_t id, uint32_t count)
{
	struct wire_msg msg = { .type = type, .forget = { id, count } };

	if (type == WIRE_T_INTEREST)
		msg.interest = (struct wire_interest){ id, count };
	conn_send(client->conn, &msg);
}

static inline void
settle(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* As far as SERVING. Returns the replica's side of it. */
static inline struct front *
client_serve(struct client *client)
{
	client_open(client);
	client_send(client, WIRE_T_HELLO);
	settle();
	client_send(client, WIRE_T_RESUME);
	settle();
	assert_true(front_resumed(replica.last));
	return replica.last;
}

static const char *tcp; /* where it listens, too; NULL: nowhere */
static size_t unsent_max;

static inline int
listen_fresh(void **state)
{
	struct front_options options = { .path = path, .address = tcp, .unsent_max = unsent_max };
	char err[256] = "";

	(void)state;
	memset(&replica, 0, sizeof(replica));
	log_forget();
	base = event_base_new();
	server = front_listen(base, &options, &handler, &replica, err, sizeof(err));
	if (server == NULL)
		print_error("%s\n", err);
	return server == NULL ? -1 : 0;
}

static inline int
unlisten(void **state)
{
	struct stat st;

	(void)state;
	front_server_free(server);
	event_base_free(base);
	return lstat(path, &st) == -1 && errno == ENOENT ? 0 : -1;
}

static inline int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/front.sock", dir);
	return 0;
}

static inline int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, listen_fresh, unlisten)

#endif
