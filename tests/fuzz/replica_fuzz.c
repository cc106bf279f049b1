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
#include "tests/fuzz/replica_request.h"

enum command { OPEN, REQUEST, REQUESTS, SPOILT, BYTES, TURN, IDLE, HELLO, LEAVE, LATER, COMMANDS };

/* Its own session again, a new one, or something that isn't right. */
static struct wire_msg
hello(struct fuzz_input *in, const struct guest *peer)
{
	uint32_t what = fuzz_below(in, 8);
	struct wire_msg msg = { .type = WIRE_T_HELLO,
		.hello = { .proto = what == 7 ? WIRE_PROTO + 1 : WIRE_PROTO,
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
		peer_open(peer, peer_idle);
		break;
	case REQUEST:
	case REQUESTS:
		n = command == REQUEST ? 1 : fuzz_below(in, 6);
		for (i = 0; i < n; i++) {
			msg = request_any(in);
			peer_say(peer, &msg, 0, 0);
		}
		peer_turn();
		break;
	case SPOILT:
		msg = request_any(in);
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
