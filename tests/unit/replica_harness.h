/*
 * One whole replica in this process, with front ends that say what they are told to over its real
 * socket. Included by replica_*test.c, each a process of its own.
 */
#ifndef ZABFS_TESTS_REPLICA_HARNESS_H
#define ZABFS_TESTS_REPLICA_HARNESS_H

#include "replica/replica.h"

#include "replica/lib/conn.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE_NS UINT64_C(60000000000)
#define HEARD_MAX 32

static char dir[64], socket_path[80];
static struct conf_member member = { .id = 1, .peer = (char[]){ "127.0.0.1:1" } };
static struct conf conf = { .tick_ms = 20,
	.value_max = WIRE_VALUE_MAX,
	.log_rows_min = 1000000,
	.pass_interval = 3600,
	.session_timeout_min = 200,
	.session_timeout_max = 60000,
	.sessions_max = 100,
	.members = &member,
	.nmembers = 1 };
static struct event_base *base;
static struct replica *replica;
static bool leading;

/* A front end. */
struct client {
	struct conn *conn;
	uint64_t session, seen;
	uint8_t secret[WIRE_SECRET_LEN];
	int32_t welcome, bye; /* codes; 1: not yet */
	bool resumed, complete, closed;
	size_t changes, replies;
	size_t own;		 /* of the changes */
	struct wire_stat of, in; /* what the last one brought of the node and its directory; id 0 */
	char heard[HEARD_MAX + 1]; /* c: CHANGE, r: REPLY */
	struct wire_reply reply;   /* the last */
	uint64_t node;		   /* its stat's id */
	struct blob wanted;	   /* data that its data is compared with */
	bool as_wanted;
	char told[4096]; /* the beginning of its data */
	size_t lines;	 /* in the data of all replies */
};

static inline void
hear(struct client *client, char what)
{
	size_t len = strlen(client->heard);

	if (len < HEARD_MAX)
		client->heard[len] = what;
}

static inline void
hear_data(struct client *client, struct blob data)
{
	size_t len = data.len < sizeof client->told ? data.len : sizeof client->told - 1;
	uint32_t i;

	if (len != 0)
		memcpy(client->told, data.data, len);
	client->told[len] = '\0';
	for (i = 0; i < data.len; i++)
		client->lines += data.data[i] == '\n';
}

static inline void
on_message(void *arg, const struct wire_msg *msg)
{
	struct client *client = arg;
	struct wire_stat stat;

	switch (msg->type) {
	case WIRE_T_WELCOME:
		client->welcome = msg->welcome.code;
		client->session = msg->welcome.session;
		client->seen = msg->welcome.zxid;
		if (msg->welcome.code == ERR_OK)
			memcpy(client->secret, msg->welcome.secret.data, WIRE_SECRET_LEN);
		break;
	case WIRE_T_RESUMED:
		client->resumed = true;
		client->complete = msg->resumed.complete != 0;
		break;
	case WIRE_T_CHANGE:
		client->changes++;
		client->own += msg->change.own != 0;
		if (wire_stat_unpack(msg->change.stat, &client->of) != 0)
			client->of.id = 0;
		if (wire_stat_unpack(msg->change.pstat, &client->in) != 0)
			client->in.id = 0;
		hear(client, 'c');
		break;
	case WIRE_T_REPLY:
		client->replies++;
		client->reply = msg->reply;
		hear_data(client, msg->reply.data);
		client->as_wanted =
		    msg->reply.data.len == client->wanted.len &&
		    (client->wanted.len == 0 ||
			memcmp(msg->reply.data.data, client->wanted.data, client->wanted.len) == 0);
		client->node = wire_stat_unpack(msg->reply.stat, &stat) == 0 ? stat.id : 0;
		hear(client, 'r');
		break;
	case WIRE_T_BYE:
		client->bye = msg->bye.code;
		break;
	default:
		fail_msg("%s", wire_type_name(msg->type));
	}
}

static inline void
on_closed(void *arg, int code, const char *why)
{
	(void)code;
	(void)why;
	((struct client *)arg)->closed = true;
}

static const struct conn_handler client_handler = { on_message, on_closed };

static uint64_t deadline_ns;

/* One turn of the loop; false when it has taken too long. */
static inline bool
turn(void)
{
	static const struct timeval ms = { .tv_usec = 1000 };

	event_base_loopexit(base, &ms);
	event_base_loop(base, EVLOOP_ONCE);
	return replica_now_ns() < deadline_ns;
}

#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		deadline_ns = replica_now_ns() + DEADLINE_NS;                                      \
		while (!(condition))                                                               \
			assert_true(turn());                                                       \
	} while (0)

static inline void
client_connect(struct client *client)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", socket_path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof addr), 0);
	client->conn = conn_new(base, fd, &client_handler, client, 256u << 20);
	assert_non_null(client->conn);
	client->welcome = client->bye = 1;
	client->resumed = client->closed = false;
}

/* HELLO of a new session, or of the client's own. */
static inline void
client_hello(struct client *client)
{
	static uint64_t serials;
	struct wire_msg hello = { .type = WIRE_T_HELLO,
		.hello = { .proto = WIRE_PROTO,
		    .session = client->session,
		    .serial = ++serials,
		    .seen = client->seen,
		    .timeout_ms = 60000 } };

	if (client->session != 0)
		hello.hello.secret = (struct blob){ client->secret, WIRE_SECRET_LEN };
	client_connect(client);
	conn_send(client->conn, &hello);
	UNTIL(client->welcome != 1);
}

static inline void
client_resume(struct client *client)
{
	conn_send(client->conn, &(struct wire_msg){ .type = WIRE_T_RESUME });
	UNTIL(client->resumed || client->closed);
}

static inline void
client_open(struct client *client)
{
	memset(client, 0, sizeof *client);
	client_hello(client);
	assert_int_equal(client->welcome, ERR_OK);
	client_resume(client);
	assert_true(client->complete);
}

static inline struct blob
text(const char *string)
{
	return (struct blob){ (const uint8_t *)string, (uint32_t)strlen(string) };
}

static inline void
create(struct client *client, uint64_t rid, const char *name, uint32_t flags)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE,
		.create = { .rid = rid,
		    .acked = rid - 1,
		    .flags = flags,
		    .parent = TREE_ROOT,
		    .name = text(name),
		    .mode = S_IFREG | 0644 } };

	conn_send(client->conn, &msg);
}

static inline void
append(struct client *client, uint64_t rid, uint64_t node, const char *data)
{
	struct wire_msg msg = { .type = WIRE_T_WRITE,
		.write = { .rid = rid,
		    .id = node,
		    .how = WIRE_APPEND,
		    .data = text(data),
		    .version = -1 } };

	conn_send(client->conn, &msg);
}

static inline void
on_ready(void *arg)
{
	(void)arg;
	leading = true;
}

static inline int
setup(void **state)
{
	struct replica_options options = {
		.conf = &conf, .member = 1, .dir = dir, .socket = socket_path, .found = true
	};
	char err[256];

	(void)state;
	log_init("replica_test", true, 0);
	conf.cluster = (char[]){ "test" };
	snprintf(dir, sizeof dir, "/tmp/replica_test.XXXXXX");
	/* A disk of its own, to be filled. */
	if (mkdtemp(dir) == NULL || mount("zabfs-test", dir, "tmpfs", 0, "size=192m") != 0) {
		print_error("# a tmpfs, which needs root: %s\n", strerror(errno));
		rmdir(dir);
		return -1;
	}
	snprintf(socket_path, sizeof socket_path, "%s/front.sock", dir);
	base = event_base_new();
	leading = false;
	if (replica_new(&options, &replica, err, sizeof err) != 0 ||
	    loop_new(base, replica, &options, err, sizeof err) != 0) {
		print_error("%s\n", err);
		return -1;
	}
	replica->ready = on_ready;
	order_start(replica);
	deadline_ns = replica_now_ns() + DEADLINE_NS;
	while (!leading && turn())
		continue;
	return leading ? 0 : -1;
}

static inline int
teardown(void **state)
{
	(void)state;
	loop_free(replica->loop);
	replica_free(replica);
	event_base_free(base);
	return umount2(dir, MNT_DETACH) == 0 && rmdir(dir) == 0 ? 0 : -1;
}

#endif
