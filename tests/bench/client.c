/*
 * The wire protocol's client side as client.h has it: frames over a blocking
 * socket, and a session without pings, because its timeout outlasts whatever
 * is measured.
 */
#include "tests/bench/client.h"
#include "replica/lib/err.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES 300 /* a tenth of a second apart: it may be starting, or busy */
#define TIMEOUT_MS 60000
#define IN_BYTES (4u << 20)
#define LENGTH_BYTES 4u

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

void
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

void
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
frame_ready(const struct client *client, uint32_t *len)
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

bool
client_ready(const struct client *client)
{
	uint32_t len;

	return frame_ready(client, &len);
}

/* Takes one message off the input that was read; false: no whole one is there. */
static bool
client_next(struct client *client, struct wire_msg *msg)
{
	uint32_t len;

	if (!frame_ready(client, &len))
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

/* HELLO, RESUME. */
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

void
client_init(struct client *client)
{
	memset(client, 0, sizeof *client);
	msgpack_sbuffer_init(&client->out);
	client->in = malloc(IN_BYTES);
	if (client->in == NULL)
		err(1, "input");
	memset(client->in, 0, IN_BYTES);
}

bool
client_try(struct client *client, const char *path)
{
	client->in_len = client->in_off = 0;
	client->rid = client->acked = 0;
	if (!client_connect(client, path))
		return false;
	if (client_open(client))
		return true;
	close(client->fd);
	return false;
}

void
client_start(struct client *client, const char *path)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	int tries;

	client_init(client);
	for (tries = 0; !client_try(client, path); tries++) {
		if (tries == START_TRIES)
			errx(1, "%s: no session", path);
		nanosleep(&pause, NULL);
	}
}

void
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

struct client_answer
client_get_answer(struct client *client)
{
	struct client_answer answer = { 0 };
	struct wire_stat stat;
	struct wire_msg msg;

	do {
		if (!client_get(client, &msg))
			errx(1, "the replica left");
	} while (msg.type != WIRE_T_REPLY);
	answer.rid = msg.reply.rid;
	answer.code = msg.reply.code;
	answer.len = msg.reply.data.len;
	if (msg.reply.stat.len != 0 && wire_stat_unpack(msg.reply.stat, &stat) == 0)
		answer.id = stat.id;
	return answer;
}

void
client_put_create(struct client *client, uint64_t parent, const char *name, mode_t mode,
    enum wire_owner owner, struct blob value)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE };

	msg.create.rid = ++client->rid;
	msg.create.acked = client->acked;
	msg.create.parent = parent;
	msg.create.name = (struct blob){ (const uint8_t *)name, (uint32_t)strlen(name) };
	msg.create.mode = mode;
	msg.create.owner = owner;
	msg.create.value = value;
	client_put(client, &msg);
}

uint64_t
client_get_created(struct client *client)
{
	struct client_answer answer = client_get_answer(client);

	if (answer.code != ERR_OK || answer.id == 0)
		errx(1, "create: %s", err_text(answer.code));
	if (answer.rid != ++client->acked)
		errx(1, "reply %" PRIu64 " where %" PRIu64 " was due", answer.rid, client->acked);
	return answer.id;
}
