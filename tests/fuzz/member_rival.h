/*
 * The other members of member_fuzz.c: their connections to the replica, what
 * they hear of it, and what they are not allowed to say. Bare sockets on a
 * loopback address of this process's own; the replica, with the least id, dials
 * nobody.
 */
#ifndef ZABFS_TESTS_FUZZ_MEMBER_RIVAL_H
#define ZABFS_TESTS_FUZZ_MEMBER_RIVAL_H

#include "tests/fuzz/replica_peer.h"

#include "replica/net/link_internal.h"

#include <linux/tcp.h>
#include <netinet/in.h>

#define RIVALS 2
#define TURNS_MAX 200
#define OUT_BYTES (4u << 20)
#define ROWS_SENT_MAX 512
#define CLUSTER_NAME "fuzz"

/* What it does of its own accord with what it hears (member_auto.h); CLAIMS: it only votes so. */
enum rival_mode { RIVAL_SILENT, RIVAL_FOLLOWS, RIVAL_LEADS, RIVAL_CLAIMS, RIVAL_MODES };

struct rival {
	uint32_t sid;
	int fd; /* -1: not connected */
	bool ended;
	enum rival_mode mode;

	uint8_t *in, *out; /* out: of a frame that is not whole yet */
	size_t in_len, out_len;
	uint64_t put, got; /* bytes, through this connection */
	in_port_t port;
	msgpack_sbuffer parts; /* whose ZAB has not been sent */

	/* What it heard. */
	uint64_t attempt;		 /* of the replica to follow it */
	uint64_t epoch, newleader;	 /* that it was told, as a follower */
	uint64_t row, ping;		 /* the last ones */
	uint64_t session, serial;	 /* of the last request */
	uint8_t secret[WIRE_SECRET_LEN]; /* of the last opening */

	/* What it says. */
	uint64_t own_attempt, lead_epoch, probe, sent, pinged;
	bool established, foreign; /* foreign: its history is none of the replica's */
	struct {
		uint64_t zxid;
		msgpack_sbuffer payload;
	} rows[ROWS_SENT_MAX]; /* of this attempt */
	uint32_t nrows;
	uint64_t rows_after; /* of what the replica has, those above it are void */
};

static struct rival rivals[RIVALS];
static struct sockaddr_in place; /* where the replica listens */
static uint64_t members_hash;
static const struct blob nothing;

static inline void rival_heard(struct rival *rival, const struct wire_msg *msg);

static inline struct zab_status
rival_status(void)
{
	struct zab_status status;

	zab_status(replica->zab, &status);
	return status;
}

/* What a member may not say even if it lies: see member_fuzz.c. */

static inline bool
rows_decode(struct blob rows)
{
	msgpack_object fields[18];
	size_t off = 0;
	uint32_t n;

	if (rows.len == 0)
		return false;
	while (off < rows.len)
		if (codec_flat(rows.data, rows.len, &off, fields, 18, &n) != 0)
			return false;
	return true;
}

static inline bool
row_decodes(struct rival *rival, struct blob payload)
{
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	struct txn txn;
	bool decodes;

	msgpack_sbuffer_write(&rival->parts, (const char *)payload.data, payload.len);
	decodes = txn_unpack((struct blob){ (const uint8_t *)rival->parts.data,
				 (uint32_t)rival->parts.size },
		      1, zone, &txn) == 0;
	msgpack_zone_free(zone);
	msgpack_sbuffer_clear(&rival->parts);
	return decodes;
}

static inline bool
rival_may_say(struct rival *rival, const struct wire_msg *msg)
{
	struct zab_status status = rival_status();

	if (msg->type == WIRE_T_PIECE)
		return !rows_decode(msg->piece.rows);
	if (msg->type == WIRE_T_PART) {
		msgpack_sbuffer_write(
		    &rival->parts, (const char *)msg->part.payload.data, msg->part.payload.len);
		return rival->parts.size < OUT_BYTES;
	}
	if (msg->type != WIRE_T_ZAB)
		return true;
	switch (msg->zab.type) {
	case ZAB_ROW:
		return !row_decodes(rival, msg->zab.payload);
	case ZAB_PROBE:
		return msg->zab.zxid >= tree_applied(replica->tree);
	case ZAB_CEPOCH:
	case ZAB_NEWEPOCH:
		return msg->zab.epoch < ZAB_EPOCH_MAX / 2 || msg->zab.epoch > ZAB_EPOCH_MAX;
	case ZAB_ACKLD:
		return status.role != ZAB_LEADING || replica->catch_up <= status.last_logged;
	default:
		return true;
	}
}

/* Whether all frames that these bytes complete may be said. */
static inline bool
rival_may_send(struct rival *rival, struct blob bytes)
{
	struct wire_msg msg;
	size_t at = 0;
	bool may = true;
	int next;

	if (rival->out_len + bytes.len > OUT_BYTES)
		return false;
	if (bytes.len != 0)
		memcpy(rival->out + rival->out_len, bytes.data, bytes.len);
	rival->out_len += bytes.len;
	/* One that is none ends the connection: what is behind it nobody reads. */
	while (may && (next = frame_next(rival->out, rival->out_len, &at, &msg)) == 1)
		may = rival_may_say(rival, &msg);
	memmove(rival->out, rival->out + at, rival->out_len - at);
	rival->out_len -= at;
	return may;
}

/* Sending. */

static inline void
rival_put(struct rival *rival, struct blob bytes)
{
	ssize_t n;

	if (rival->fd < 0)
		return;
	n = send(rival->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	rival->put += n > 0 ? (uint64_t)n : 0;
	rival->ended |= n < (ssize_t)bytes.len;
}

static inline void
rival_leave(struct rival *rival, bool reset)
{
	const struct linger at_once = { 1, 0 };

	if (rival->fd < 0)
		return;
	if (reset)
		setsockopt(rival->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(rival->fd);
	rival->fd = -1;
	rival->in_len = rival->out_len = 0;
	rival->ended = rival->established = rival->foreign = false;
	rival->attempt = rival->epoch = rival->newleader = rival->row = rival->ping = 0;
	msgpack_sbuffer_clear(&rival->parts);
}

/* Where it would say what it may not, it leaves. */
static inline void
rival_bytes(struct rival *rival, struct blob bytes)
{
	if (rival->fd < 0)
		return;
	if (rival_may_send(rival, bytes))
		rival_put(rival, bytes);
	else
		rival_leave(rival, true);
}

/* spoil: a place in the frame, 0: none; the byte there is changed by `by`. */
static inline void
rival_say(struct rival *rival, const struct wire_msg *msg, uint32_t spoil, uint8_t by)
{
	msgpack_sbuffer out;

	msgpack_sbuffer_init(&out);
	frame_pack(&out, msg);
	if (spoil != 0)
		out.data[spoil % out.size] = (char)(out.data[spoil % out.size] ^ by);
	rival_bytes(rival, (struct blob){ (const uint8_t *)out.data, (uint32_t)out.size });
	msgpack_sbuffer_destroy(&out);
}

/* What is true of the replica's own tree: it need not be looked at. */
static inline void
rival_say_true(struct rival *rival, const struct wire_msg *msg)
{
	msgpack_sbuffer out;

	msgpack_sbuffer_init(&out);
	frame_pack(&out, msg);
	if (rival->out_len == 0 && rival->parts.size == 0)
		rival_put(rival, (struct blob){ (const uint8_t *)out.data, (uint32_t)out.size });
	msgpack_sbuffer_destroy(&out);
}

static inline void
rival_zab(struct rival *rival, const struct wire_zab *zab)
{
	struct wire_msg msg = { .type = WIRE_T_ZAB, .zab = *zab };

	rival_say(rival, &msg, 0, 0);
}

/* Connecting. */

static inline void
rival_new(struct rival *rival, uint32_t sid)
{
	rival->sid = sid;
	rival->fd = -1;
	rival->in = malloc(IN_BYTES);
	rival->out = malloc(OUT_BYTES);
	CHECK(rival->in != NULL && rival->out != NULL);
	msgpack_sbuffer_init(&rival->parts);
}

/* As if it had never been. */
static inline void
rival_forget(struct rival *rival)
{
	rival_leave(rival, true);
	rival->mode = RIVAL_SILENT;
	memset(rival->secret, 0, sizeof rival->secret);
	rival->own_attempt = rival->lead_epoch = rival->probe = rival->sent = rival->pinged = 0;
	rival->session = rival->serial = rival->rows_after = 0;
	rival->nrows = 0;
}

static inline struct wire_msg
rival_link(const struct rival *rival)
{
	return (struct wire_msg){ .type = WIRE_T_LINK,
		.link = { .proto = WIRE_LINK_PROTO,
		    .sid = rival->sid,
		    .to = 1,
		    .members = members_hash,
		    .cluster = { (const uint8_t *)CLUSTER_NAME, sizeof CLUSTER_NAME - 1 } } };
}

/* The replica's end of its connection; NULL: it has ended it. */
static inline const struct link *
rival_other_end(const struct rival *rival)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof addr;
	const struct link *link;

	TAILQ_FOREACH (link, &replica->links->all, entry)
		if (getpeername(conn_fd(link->conn), (struct sockaddr *)&addr, &len) == 0 &&
		    addr.sin_port == rival->port)
			return link;
	return NULL;
}

static inline void
rival_connect(struct rival *rival)
{
	struct sockaddr_in own;
	socklen_t len = sizeof own;
	int turns;

	rival_leave(rival, true);
	rival->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(rival->fd, (const struct sockaddr *)&place, sizeof place) == 0);
	CHECK(getsockname(rival->fd, (struct sockaddr *)&own, &len) == 0);
	rival->port = own.sin_port;
	rival->put = rival->got = 0;
	for (turns = 0; turns < TURNS_MAX && rival_other_end(rival) == NULL; turns++)
		peer_turn();
	CHECK(setsockopt(rival->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) == 0);
}

/* Whether the kernel still has something that was sent and has not arrived. */
static inline bool
rivals_are_sent(void)
{
	const struct link *link;
	struct tcp_info info;
	uint32_t i;

	for (i = 0; i < RIVALS; i++) {
		socklen_t len = sizeof info;

		link = rivals[i].fd < 0 ? NULL : rival_other_end(&rivals[i]);
		if (link == NULL ||
		    getsockopt(conn_fd(link->conn), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
			continue;
		if (info.tcpi_bytes_received != rivals[i].put ||
		    info.tcpi_bytes_sent - info.tcpi_bytes_retrans != rivals[i].got)
			return true;
	}
	return false;
}

static inline void
rival_hear(struct rival *rival)
{
	struct wire_msg msg;
	size_t at = 0;
	ssize_t n;
	int fd = rival->fd, next;

	if (fd < 0)
		return;
	while (
	    (n = recv(fd, rival->in + rival->in_len, IN_BYTES - rival->in_len, MSG_DONTWAIT)) > 0) {
		rival->in_len += (size_t)n;
		rival->got += (size_t)n;
	}
	while (rival->fd == fd && (next = frame_next(rival->in, rival->in_len, &at, &msg)) != 0) {
		CHECK(next == 1);
		rival_heard(rival, &msg);
	}
	if (rival->fd != fd)
		return;
	memmove(rival->in, rival->in + at, rival->in_len - at);
	rival->in_len -= at;
	rival->ended |= n == 0;
}

#endif
