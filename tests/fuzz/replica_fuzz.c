/*
 * A whole replica, its store on a tmpfs, and front ends that say what the input
 * says: well-formed requests with arbitrary fields, in any order, on several
 * connections; some with bytes changed; plain bytes. No input may end it, or
 * make it say what wire.h forbids.
 *
 * The replica goes on over inputs, which is what makes them fast. Each leaves
 * an empty tree and no session; ids go on, so inputs name nodes relative to
 * the first new one.
 */
#include "tests/fuzz/replica_peer.h"

static struct wire_msg
create(struct fuzz_input *in)
{
	return (struct wire_msg){ .type = WIRE_T_CREATE,
		.create = { .rid = fuzz_byte(in),
		    .acked = fuzz_byte(in) % 8,
		    .flags = fuzz_below(in, 3),
		    .parent = peer_node(in),
		    .name = peer_name(in),
		    .mode = peer_mode(in),
		    .uid = fuzz_byte(in),
		    .owner = fuzz_below(in, 4),
		    .handle = fuzz_below(in, 3),
		    .value = peer_value(in) } };
}

static struct wire_msg
delete_node(struct fuzz_input *in)
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

static struct wire_msg
write_value(struct fuzz_input *in)
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

static struct wire_msg
setattr(struct fuzz_input *in)
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
		    .size = peer_number(in) } };
}

static struct wire_msg
rename_node(struct fuzz_input *in)
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

static struct wire_msg
reading(struct fuzz_input *in, enum wire_type type)
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
static struct wire_msg
counting(struct fuzz_input *in, enum wire_type type)
{
	struct wire_msg msg = { .type = type };

	msg.forget.id = peer_node(in);
	msg.forget.count = fuzz_below(in, 4) == 3 ? UINT32_MAX : fuzz_below(in, 3);
	return msg;
}

static const enum wire_type types[] = { WIRE_T_CREATE, WIRE_T_DELETE, WIRE_T_WRITE, WIRE_T_SETATTR,
	WIRE_T_RENAME, WIRE_T_LOOKUP, WIRE_T_GETATTR, WIRE_T_READ, WIRE_T_LIST, WIRE_T_SYNC,
	WIRE_T_STATFS, WIRE_T_FORGET, WIRE_T_INTEREST, WIRE_T_PING, WIRE_T_CLOSE, WIRE_T_RESUME,
	WIRE_T_WELCOME, WIRE_T_CHANGE };

static struct wire_msg
message(struct fuzz_input *in)
{
	enum wire_type type = types[fuzz_below(in, sizeof types / sizeof types[0])];

	switch (type) {
	case WIRE_T_CREATE:
		return create(in);
	case WIRE_T_DELETE:
		return delete_node(in);
	case WIRE_T_WRITE:
		return write_value(in);
	case WIRE_T_SETATTR:
		return setattr(in);
	case WIRE_T_RENAME:
		return rename_node(in);
	case WIRE_T_FORGET:
	case WIRE_T_INTEREST:
		return counting(in, type);
	case WIRE_T_PING:
	case WIRE_T_CLOSE:
	case WIRE_T_RESUME:
	case WIRE_T_WELCOME:
	case WIRE_T_CHANGE:
		return (struct wire_msg){ .type = type, .ping = { fuzz_byte(in) } };
	default:
		return reading(in, type);
	}
}

enum command { OPEN, REQUEST, REQUESTS, SPOILT, BYTES, TURN, IDLE, HELLO, LEAVE, LATER, COMMANDS };

/* Its own session again, a new one, or something that isn't right. */
static struct wire_msg
hello(struct fuzz_input *in, const struct guest *peer)
{
	uint32_t what = fuzz_below(in, 8);
	struct wire_msg msg = { .type = WIRE_T_HELLO,
		.hello = { .proto = what == 7 ? 2 : WIRE_PROTO,
		    .seen = what == 6 ? UINT64_MAX : peer->seen,
		    .timeout_ms = fuzz_u16(in),
		    .identity = peer_value(in) } };

	if (msg.hello.identity.len > WIRE_IDENTITY_MAX)
		msg.hello.identity.len = WIRE_IDENTITY_MAX;
	if (what == 0)
		return msg;
	msg.hello.session = what == 5 ? peer->session + 1 : peer->session;
	msg.hello.secret = (struct blob){ peer->secret, what == 4 ? 3 : WIRE_SECRET_LEN };
	return msg;
}

static void
run(struct fuzz_input *in)
{
	enum command command = (enum command)fuzz_below(in, COMMANDS);
	struct guest *peer = &peers[fuzz_below(in, PEERS)];
	struct wire_msg msg;
	uint32_t i, n;

	switch (command) {
	case OPEN:
		peer_open(peer);
		break;
	case REQUEST:
	case REQUESTS:
		n = command == REQUEST ? 1 : fuzz_below(in, 6);
		for (i = 0; i < n; i++) {
			msg = message(in);
			peer_say(peer, &msg, 0, 0);
		}
		peer_turn();
		break;
	case SPOILT:
		msg = message(in);
		n = fuzz_u16(in);
		peer_say(peer, &msg, n, fuzz_byte(in));
		break;
	case BYTES:
		peer_bytes(peer, fuzz_bytes(in, fuzz_byte(in)));
		break;
	case TURN:
		peer_turn();
		break;
	case IDLE:
		peer_idle();
		break;
	case HELLO:
		peer_connect(peer);
		msg = hello(in, peer);
		peer_say(peer, &msg, 0, 0);
		break;
	case LEAVE:
		peer_leave(peer);
		break;
	case LATER:
		peer_later(fuzz_byte(in) * 16);
		break;
	case COMMANDS:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	int i;

	peer_begin();
	while (in.len > 0)
		run(&in);
	peer_idle();
	tree_check(replica->tree);
	for (i = 0; i < PEERS; i++)
		peer_leave(&peers[i]);
	peer_end();
	return 0;
}
