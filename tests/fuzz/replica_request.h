/*
 * What a front end may ask for, as an input says: well-formed, with arbitrary
 * fields. Included by replica_fuzz.c and member_fuzz.c, behind replica_peer.h.
 */
#ifndef ZABFS_TESTS_FUZZ_REPLICA_REQUEST_H
#define ZABFS_TESTS_FUZZ_REPLICA_REQUEST_H

#include "tests/fuzz/replica_peer.h"

static inline uint64_t
peer_node(struct fuzz_input *in)
{
	uint32_t n = fuzz_byte(in);

	if (n == 255)
		return UINT64_MAX;
	return n % 4 == 0 ? TREE_ROOT : first_new + n / 4 % 8;
}

static inline struct blob
peer_name(struct fuzz_input *in)
{
	static const char *const names[] = { "a", "b", "c", "dd", ".zab", "..", "a/b", "" };
	static const char longest[WIRE_NAME_MAX + 1] = "long";
	uint32_t n = fuzz_byte(in);

	if (n >= 250)
		return (struct blob){ (const uint8_t *)longest, WIRE_NAME_MAX };
	n %= n < 200 ? 4 : 8;
	return (struct blob){ (const uint8_t *)names[n], (uint32_t)strlen(names[n]) };
}

static inline uint32_t
peer_mode(struct fuzz_input *in)
{
	static const uint32_t modes[] = { S_IFREG | 0644, S_IFDIR | 0755, S_IFLNK | 0777,
		S_IFREG | S_ISVTX, 0644, S_IFCHR, UINT32_MAX, S_IFDIR };

	return modes[fuzz_below(in, sizeof modes / sizeof modes[0])];
}

static inline struct blob
peer_value(struct fuzz_input *in)
{
	static const uint8_t bytes[5000];
	uint32_t n = fuzz_byte(in);

	/* Some are above value_max. */
	return (struct blob){ bytes, n < 250 ? n : 4000 + (n - 250) * 100 };
}

static inline uint64_t
peer_number(struct fuzz_input *in)
{
	uint32_t n = fuzz_byte(in);

	if (n < 250)
		return n * 20;
	return n == 255 ? UINT64_MAX : (UINT64_C(1) << (28 + n % 8)) - 1;
}

static inline struct wire_msg
request_create(struct fuzz_input *in)
{
	return (struct wire_msg){ .type = WIRE_T_CREATE,
		.create = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .flags = fuzz_below(in, 5),
		    .parent = peer_node(in),
		    .name = peer_name(in),
		    .mode = peer_mode(in),
		    .uid = fuzz_byte(in),
		    .owner = fuzz_below(in, 6),
		    .handle = fuzz_below(in, 3),
		    .value = peer_value(in) } };
}

static inline struct wire_msg
request_delete(struct fuzz_input *in)
{
	return (struct wire_msg){ .type = WIRE_T_DELETE,
		.delete = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .flags = fuzz_below(in, 3),
		    .parent = fuzz_below(in, 2) == 0 ? 0 : peer_node(in),
		    .name = peer_name(in),
		    .dir = fuzz_below(in, 3),
		    .id = peer_node(in),
		    .version = (int64_t)fuzz_below(in, 4) - 2 } };
}

static inline struct wire_msg
request_write(struct fuzz_input *in)
{
	return (struct wire_msg){ .type = WIRE_T_WRITE,
		.write = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .flags = fuzz_below(in, 3),
		    .id = peer_node(in),
		    .how = fuzz_below(in, 4),
		    .offset = peer_number(in),
		    .data = peer_value(in),
		    .version = (int64_t)fuzz_below(in, 4) - 2 } };
}

static inline struct wire_msg
request_quota(struct fuzz_input *in)
{
	return (struct wire_msg){ .type = WIRE_T_QUOTA,
		.quota = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .id = peer_node(in),
		    .nodes = (int64_t)fuzz_below(in, 8) - 1,
		    .bytes = (int64_t)fuzz_below(in, 200) - 1,
		    .hard = fuzz_below(in, 3) } };
}

static inline struct wire_msg
request_setattr(struct fuzz_input *in)
{
	return (struct wire_msg){ .type = WIRE_T_SETATTR,
		.setattr = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .flags = fuzz_below(in, 3),
		    .id = peer_node(in),
		    .valid = fuzz_byte(in),
		    .mode = peer_mode(in),
		    .uid = fuzz_byte(in),
		    .gid = fuzz_byte(in),
		    .size = peer_number(in),
		    .version = (int64_t)fuzz_below(in, 4) - 2 } };
}

static inline struct wire_msg
request_rename(struct fuzz_input *in)
{
	return (struct wire_msg){ .type = WIRE_T_RENAME,
		.rename = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .flags = fuzz_below(in, 3),
		    .parent = peer_node(in),
		    .name = peer_name(in),
		    .newparent = peer_node(in),
		    .newname = peer_name(in),
		    .how = fuzz_below(in, 5) } };
}

static inline struct blob
peer_path(struct fuzz_input *in)
{
	static const char *const paths[] = { "/a", "b", "/a/b", "/b/c", "/", "", "//a//", "/c/d/a",
		"/.zab", "/a/../b" };
	uint32_t n = fuzz_byte(in) % (sizeof paths / sizeof paths[0]);

	return (struct blob){ (const uint8_t *)paths[n], (uint32_t)strlen(paths[n]) };
}

/* Steps in a row, now and then with rubbish behind them. */
static inline struct wire_msg
request_multi(struct fuzz_input *in)
{
	static const uint8_t groups[] = { 1, 0, 0, 0, 2, 0, 0, 0, 3 };
	static msgpack_sbuffer packed; /* until the next one */
	uint32_t n = fuzz_below(in, 6);

	msgpack_sbuffer_destroy(&packed);
	msgpack_sbuffer_init(&packed);
	for (; n > 0; n--) {
		struct wire_step step = { .kind = fuzz_below(in, 6),
			.path = peer_path(in),
			.mode = peer_mode(in),
			.flags = fuzz_below(in, 5),
			.owner = fuzz_below(in, 6),
			.handle = fuzz_below(in, 3),
			.version = (int64_t)fuzz_below(in, 5) - 3,
			.value = peer_value(in) };

		wire_step_pack(&packed, &step);
	}
	if (fuzz_below(in, 16) == 15)
		CHECK(msgpack_sbuffer_write(&packed, "rubbish", 7) == 0);
	return (struct wire_msg){ .type = WIRE_T_MULTI,
		.multi = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .flags = fuzz_below(in, 3),
		    .root = fuzz_below(in, 4) == 3 ? peer_node(in) : TREE_ROOT,
		    .uid = fuzz_below(in, 3),
		    .gid = fuzz_below(in, 3),
		    .groups = { groups, fuzz_below(in, 10) },
		    .steps = { (const uint8_t *)packed.data, (uint32_t)packed.size } } };
}

static inline struct wire_msg
request_events(struct fuzz_input *in)
{
	uint32_t from = fuzz_byte(in);
	uint64_t applied = tree_applied(replica->tree);
	struct wire_msg msg = { .type = WIRE_T_EVENTS,
		.events = { .rid = fuzz_byte(in),
		    .dir = fuzz_below(in, 8) == 7 ? 0 : peer_node(in),
		    .after = from == 0	   ? 0
			     : from == 255 ? UINT64_MAX
					   : applied + 8 - from % 64,
		    .ops = fuzz_below(in, 3) == 2 ? fuzz_byte(in) : 0,
		    .stream = fuzz_below(in, 3) } };

	msg.events.root = fuzz_below(in, 4) == 3 ? peer_node(in) : TREE_ROOT;
	return msg;
}

static inline struct wire_msg
request_lock(struct fuzz_input *in)
{
	return (struct wire_msg){ .type = WIRE_T_LOCK,
		.lock = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .id = peer_node(in),
		    .owner = fuzz_below(in, 3),
		    .how = fuzz_below(in, 5) } };
}

static inline struct wire_msg
request_unlock(struct fuzz_input *in)
{
	return (struct wire_msg){ .type = WIRE_T_UNLOCK,
		.unlock = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .id = peer_node(in),
		    .owner = fuzz_below(in, 3) } };
}

static inline struct wire_msg
request_reading(struct fuzz_input *in, enum wire_type type)
{
	struct wire_msg msg = { .type = type };

	msg.lookup.rid = fuzz_byte(in);
	switch (type) {
	case WIRE_T_LOOKUP:
		msg.lookup.parent = peer_node(in);
		msg.lookup.name = peer_name(in);
		break;
	case WIRE_T_GETATTR:
		msg.getattr.id = peer_node(in);
		msg.getattr.count = fuzz_below(in, 2);
		break;
	case WIRE_T_READ:
		msg.read.id = peer_node(in);
		break;
	case WIRE_T_AWAIT:
		msg.await.id = peer_node(in);
		msg.await.owner = fuzz_below(in, 3);
		break;
	case WIRE_T_LIST:
		msg.list.id = peer_node(in);
		msg.list.after = peer_node(in);
		msg.list.bytes = (uint32_t)peer_number(in);
		msg.list.plus = fuzz_below(in, 2);
		break;
	default:
		break;
	}
	return msg;
}

/* Interest, and its end. */
static inline struct wire_msg
request_counting(struct fuzz_input *in, enum wire_type type)
{
	struct wire_msg msg = { .type = type };

	msg.forget.id = peer_node(in);
	msg.forget.count = fuzz_below(in, 4) == 3 ? UINT32_MAX : fuzz_below(in, 3);
	return msg;
}

static const enum wire_type request_types[] = { WIRE_T_CREATE, WIRE_T_DELETE, WIRE_T_WRITE,
	WIRE_T_SETATTR, WIRE_T_RENAME, WIRE_T_LOOKUP, WIRE_T_GETATTR, WIRE_T_READ, WIRE_T_LIST,
	WIRE_T_SYNC, WIRE_T_STATFS, WIRE_T_FORGET, WIRE_T_INTEREST, WIRE_T_PING, WIRE_T_CLOSE,
	WIRE_T_RESUME, WIRE_T_WELCOME, WIRE_T_CHANGE, WIRE_T_REPORT, WIRE_T_HAND_OVER, WIRE_T_LOCK,
	WIRE_T_LOCK, WIRE_T_UNLOCK, WIRE_T_AWAIT };
#define REQUEST_TYPES (sizeof request_types / sizeof request_types[0])
#define REQUEST_REST 240 /* bytes from here on mean what came later */
#define REQUEST_QUOTA 252

static inline struct wire_msg
request_any(struct fuzz_input *in)
{
	uint32_t n = fuzz_byte(in);
	enum wire_type type = request_types[n % REQUEST_TYPES];

	if (n >= REQUEST_QUOTA)
		return n % 2 == 0 ? request_quota(in)
				  : (struct wire_msg){ .type = WIRE_T_USAGE,
					    .usage = { fuzz_byte(in), peer_node(in) } };
	if (n >= REQUEST_REST)
		return n % 2 == 0 ? request_multi(in) : request_events(in);
	switch (type) {
	case WIRE_T_CREATE:
		return request_create(in);
	case WIRE_T_DELETE:
		return request_delete(in);
	case WIRE_T_WRITE:
		return request_write(in);
	case WIRE_T_SETATTR:
		return request_setattr(in);
	case WIRE_T_RENAME:
		return request_rename(in);
	case WIRE_T_LOCK:
		return request_lock(in);
	case WIRE_T_UNLOCK:
		return request_unlock(in);
	case WIRE_T_FORGET:
	case WIRE_T_INTEREST:
		return request_counting(in, type);
	case WIRE_T_REPORT:
		return (struct wire_msg){ .type = type,
			.report = { fuzz_byte(in), fuzz_below(in, 6) } };
	case WIRE_T_HAND_OVER:
		return (struct wire_msg){ .type = type,
			.hand_over = { fuzz_byte(in), fuzz_below(in, 5) } };
	case WIRE_T_PING:
	case WIRE_T_CLOSE:
	case WIRE_T_RESUME:
	case WIRE_T_WELCOME:
	case WIRE_T_CHANGE:
		return (struct wire_msg){ .type = type, .ping = { fuzz_byte(in) } };
	default:
		return request_reading(in, type);
	}
}

#endif
