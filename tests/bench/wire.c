/*
 * A front end without a filesystem: speaks the wire protocol over the
 * replica's Unix socket. It fills a tree (a million creations through a mount
 * take minutes), times requests without the kernel's share, and says when a
 * replica answers at all. Blocking socket, one thread. Called by tests/bench/run.
 */
#include "replica/lib/err.h"
#include "replica/lib/wire.h"
#include "tests/bench/measure.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MS 30000
#define IN_BYTES (4u << 20)
#define LOAD_OUTSTANDING 512u
#define LENGTH_BYTES 4u

struct client {
	int fd;
	msgpack_sbuffer out;
	uint8_t *in;
	size_t in_len, in_off; /* bytes read; of those, handed out */
	uint64_t rid;	       /* of the last request */
	uint64_t answered;     /* of the last reply; they come in order */
};

struct answer {
	uint64_t rid;
	int32_t code;
	uint64_t id;  /* of the node that the reply shows; 0: none */
	uint32_t len; /* of its data */
};

static bool
client_connect(struct client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof address.sun_path)
		errx(1, "%s: too long for a socket", path);
	strcpy(address.sun_path, path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		err(1, "socket");
	if (connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0)
		return true;
	close(client->fd);
	return false;
}

static void
client_put(struct client *client, const struct wire_msg *msg)
{
	size_t begin = client->out.size;
	uint32_t len;

	if (msgpack_sbuffer_write(&client->out, "\0\0\0\0", LENGTH_BYTES) != 0)
		err(1, "frame");
	wire_pack(&client->out, msg);
	len = (uint32_t)(client->out.size - begin - LENGTH_BYTES);
	client->out.data[begin] = (char)(len >> 24);
	client->out.data[begin + 1] = (char)(len >> 16);
	client->out.data[begin + 2] = (char)(len >> 8);
	client->out.data[begin + 3] = (char)len;
}

static void
client_flush(struct client *client)
{
	size_t off = 0;

	while (off < client->out.size) {
		ssize_t n = write(client->fd, client->out.data + off, client->out.size - off);

		if (n < 0)
			err(1, "write to the replica");
		off += (size_t)n;
	}
	msgpack_sbuffer_clear(&client->out);
}

/* Whether a whole frame was read already; its body's length. */
static bool
client_ready(const struct client *client, uint32_t *len)
{
	const uint8_t *at = client->in + client->in_off;
	size_t have = client->in_len - client->in_off;

	if (have < LENGTH_BYTES)
		return false;
	*len = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	if (*len > WIRE_FRAME_MAX)
		errx(1, "the replica's frame has %u bytes", *len);
	return have >= LENGTH_BYTES + *len;
}

/* Takes one message off the input that was read; false: no whole one is there. */
static bool
client_next(struct client *client, struct wire_msg *msg)
{
	uint32_t len;

	if (!client_ready(client, &len))
		return false;
	if (wire_unpack(client->in + client->in_off + LENGTH_BYTES, len, NULL, msg) != 0)
		errx(1, "the replica's message is malformed");
	client->in_off += LENGTH_BYTES + len;
	return true;
}

/* Waits for a message; its blobs are borrowed until the next call. False: the other side left. */
static bool
client_get(struct client *client, struct wire_msg *msg)
{
	ssize_t n;

	while (!client_next(client, msg)) {
		memmove(client->in, client->in + client->in_off, client->in_len - client->in_off);
		client->in_len -= client->in_off;
		client->in_off = 0;
		n = read(client->fd, client->in + client->in_len, IN_BYTES - client->in_len);
		if (n <= 0)
			return false;
		client->in_len += (size_t)n;
	}
	return true;
}

/* HELLO, RESUME, and the root found: the replica serves. */
static bool
client_open(struct client *client)
{
	static const char identity[] = "bench";
	struct wire_msg msg = { .type = WIRE_T_HELLO };

	msg.hello.proto = WIRE_PROTO;
	msg.hello.timeout_ms = TIMEOUT_MS;
	msg.hello.identity = (struct blob){ (const uint8_t *)identity, sizeof identity - 1 };
	client_put(client, &msg);
	client_flush(client);
	if (!client_get(client, &msg) || msg.type != WIRE_T_WELCOME || msg.welcome.code != ERR_OK)
		return false;
	msg = (struct wire_msg){ .type = WIRE_T_RESUME };
	client_put(client, &msg);
	client_flush(client);
	return client_get(client, &msg) && msg.type == WIRE_T_RESUMED;
}

static void
client_init(struct client *client)
{
	memset(client, 0, sizeof *client);
	msgpack_sbuffer_init(&client->out);
	client->in = malloc(IN_BYTES);
	if (client->in == NULL)
		err(1, "input");
	memset(client->in, 0, IN_BYTES);
}

static void
client_start(struct client *client, const char *path)
{
	client_init(client);
	if (!client_connect(client, path))
		err(1, "%s", path);
	if (!client_open(client))
		errx(1, "%s: no session", path);
}

/* Ends the session and waits until it is gone. */
static void
client_end(struct client *client)
{
	struct wire_msg msg = { .type = WIRE_T_CLOSE };

	client_put(client, &msg);
	client_flush(client);
	while (client_get(client, &msg) && msg.type != WIRE_T_BYE)
		;
	close(client->fd);
	msgpack_sbuffer_destroy(&client->out);
	free(client->in);
}

/* The next reply; they come in the order of the requests. */
static struct answer
client_answer(struct client *client)
{
	struct answer answer = { 0 };
	struct wire_stat stat;
	struct wire_msg msg;

	do {
		if (!client_get(client, &msg))
			errx(1, "the replica left");
	} while (msg.type != WIRE_T_REPLY);
	if (msg.reply.rid != client->answered + 1)
		errx(1, "reply %" PRIu64 " where %" PRIu64 " was due", msg.reply.rid,
		    client->answered + 1);
	client->answered = answer.rid = msg.reply.rid;
	answer.code = msg.reply.code;
	answer.len = msg.reply.data.len;
	if (msg.reply.stat.len != 0 && wire_stat_unpack(msg.reply.stat, &stat) == 0)
		answer.id = stat.id;
	return answer;
}

static void
put_create(struct client *client, uint64_t parent, const char *name, mode_t mode, struct blob value)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE };

	msg.create.rid = ++client->rid;
	msg.create.acked = client->answered;
	msg.create.parent = parent;
	msg.create.name = (struct blob){ (const uint8_t *)name, (uint32_t)strlen(name) };
	msg.create.mode = mode;
	msg.create.value = value;
	client_put(client, &msg);
}

static uint64_t
created(struct client *client)
{
	struct answer answer = client_answer(client);

	if (answer.code != ERR_OK || answer.id == 0)
		errx(1, "create: %s", err_text(answer.code));
	return answer.id;
}

/* One directory's worth of files. No interest in them is kept: a loader's would count as memory. */
static void
load_dir(struct client *client, uint64_t parent, size_t nodes, struct blob value)
{
	struct wire_msg forget = { .type = WIRE_T_FORGET };
	size_t sent = 0, got = 0;
	uint32_t len;
	char name[32];

	while (got < nodes) {
		for (; sent < nodes && sent - got < LOAD_OUTSTANDING; sent++) {
			snprintf(name, sizeof name, "node%04zu", sent);
			put_create(client, parent, name, S_IFREG | 0644, value);
		}
		client_flush(client);
		do {
			forget.forget.id = created(client);
			forget.forget.count = 1;
			client_put(client, &forget);
			got++;
		} while (got < sent && client_ready(client, &len));
	}
	client_flush(client);
}

static void
load(const char *path, size_t nodes, size_t per_dir, size_t bytes, const char *prefix)
{
	static uint8_t value[WIRE_VALUE_MAX];
	struct blob none = { NULL, 0 }, full = { value, (uint32_t)bytes };
	int64_t start = measure_now_ns();
	struct client client;
	size_t made;
	char name[64];

	memset(value, 'v', sizeof value);
	client_start(&client, path);
	for (made = 0; made < nodes; made += per_dir) {
		snprintf(name, sizeof name, "%s%04zu", prefix, made / per_dir);
		put_create(&client, 1, name, S_IFDIR | 0755, none);
		client_flush(&client);
		load_dir(&client, created(&client), nodes - made < per_dir ? nodes - made : per_dir,
		    full);
	}
	printf("load_rate %" PRId64 "\n", (int64_t)nodes * NS_PER_S / (measure_now_ns() - start));
	client_end(&client);
}

static void
put_request(struct client *client, bool write, uint64_t id, struct blob data)
{
	struct wire_msg msg = { .type = write ? WIRE_T_WRITE : WIRE_T_READ };

	if (!write) {
		msg.read.rid = ++client->rid;
		msg.read.id = id;
		client_put(client, &msg);
		return;
	}
	msg.write.rid = ++client->rid;
	msg.write.acked = client->answered;
	msg.write.id = id;
	msg.write.how = WIRE_AT;
	msg.write.data = data;
	msg.write.version = -1;
	client_put(client, &msg);
}

/* n requests on one file, `outstanding` at a time: the time from sending to reply. */
static void
requests(
    struct client *client, bool write, size_t n, size_t outstanding, uint64_t id, struct blob data)
{
	int64_t *ns = measure_room(n), start = measure_now_ns(), took_ns;
	uint64_t base = client->rid;
	size_t sent = 0, got = 0;
	char series[32];
	uint32_t len;

	while (got < n) {
		for (; sent < n && sent - got < outstanding; sent++) {
			put_request(client, write, id, data);
			ns[sent] = measure_now_ns();
		}
		client_flush(client);
		do {
			struct answer answer = client_answer(client);

			if (answer.code != ERR_OK || (!write && answer.len != data.len))
				errx(1, "request: %s", err_text(answer.code));
			got = answer.rid - base;
			ns[got - 1] = measure_now_ns() - ns[got - 1];
		} while (got < sent && client_ready(client, &len));
	}
	took_ns = measure_now_ns() - start;
	snprintf(series, sizeof series, "wire_%s%zu", write ? "write" : "read", outstanding);
	measure_print(series, ns, n);
	printf("%s_rate %" PRId64 "\n", series, (int64_t)n * NS_PER_S / took_ns);
	free(ns);
}

static void
time_requests(const char *path, const char *what, size_t n, size_t outstanding)
{
	static uint8_t value[1024] = { 'v' };
	struct blob data = { value, sizeof value };
	struct client client;
	char name[64];

	client_start(&client, path);
	snprintf(name, sizeof name, "wire-%ld", (long)getpid());
	put_create(&client, 1, name, S_IFREG | 0644, data);
	client_flush(&client);
	requests(&client, strcmp(what, "write") == 0, n, outstanding, created(&client), data);
	client_end(&client);
}

/* One try: a session, and the root's attributes. */
static bool
first_try(struct client *client, const char *path)
{
	struct wire_msg msg = { .type = WIRE_T_GETATTR };

	client->in_len = client->in_off = 0;
	client->rid = client->answered = 0;
	if (!client_connect(client, path))
		return false;
	if (!client_open(client)) {
		close(client->fd);
		return false;
	}
	msg.getattr.rid = ++client->rid;
	msg.getattr.id = 1;
	client_put(client, &msg);
	client_flush(client);
	return client_answer(client).code == ERR_OK;
}

/* Tries until the replica answers, and prints the moment, as bash's EPOCHREALTIME counts. */
static void
first(const char *path, size_t deadline_ms)
{
	int64_t end_ns = measure_now_ns() + (int64_t)deadline_ms * NS_PER_MS;
	struct timespec pause = { .tv_nsec = NS_PER_MS }, now;
	struct client client;

	client_init(&client);
	while (!first_try(&client, path)) {
		if (measure_now_ns() > end_ns)
			errx(1, "%s: no answer within %zu ms", path, deadline_ms);
		nanosleep(&pause, NULL);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	printf("answered_us %" PRId64 "\n", (now.tv_sec * NS_PER_S + now.tv_nsec) / 1000);
	client_end(&client);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: bench_wire first SOCKET MILLISECONDS |\n"
	    "\tload SOCKET NODES PER-DIRECTORY BYTES PREFIX | write|read SOCKET N OUTSTANDING\n");
	exit(64);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 4 && strcmp(what, "first") == 0)
		first(argv[2], measure_number(argv[3], 3600000));
	else if (argc == 7 && strcmp(what, "load") == 0)
		load(argv[2], measure_number(argv[3], 100000000),
		    measure_number(argv[4], 100000000), measure_number(argv[5], WIRE_VALUE_MAX),
		    argv[6]);
	else if (argc == 5 && (strcmp(what, "write") == 0 || strcmp(what, "read") == 0))
		time_requests(argv[2], what, measure_number(argv[3], 10000000),
		    measure_number(argv[4], WIRE_OUTSTANDING_MAX));
	else
		usage();
	return 0;
}
