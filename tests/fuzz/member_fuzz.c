/*
 * A whole replica, its store on a tmpfs, in an ensemble of three whose other
 * two members, and its front ends, do what the input says: connect, rightly or
 * not, leave; elect it, follow it, lead it, by themselves or message by message
 * with any field changed; ask what members ask of a leader, answer what nobody
 * asked, send snapshots, bytes. No input may end the replica, or make it tell
 * its front ends what wire.h forbids, or its tree be anything but a tree.
 *
 * A member that lies is refused: its connection ends with a warning. Three lies
 * the replica believes, and ends by (replica/zab/README.md); they are not told:
 *   - a row of the leader's history, at or below which it is to go on, that is
 *     below what the tree has: PROBE
 *   - that a quorum follows it, which lacks what a snapshot shows: ACKLD while
 *     rows of it are missing
 *   - a history that is well-formed and fits no tree: rows and snapshots are made
 *     of the replica's own (member_model.h), or can't be decoded
 * nor are epochs so great that none is left. One error line is normal: a learner
 * that denies to have the leader's row has another history, which is an alarm.
 *
 * An input begins with a byte that says what is on the disk, and is a list of
 * commands. Each begins with a replica of its own.
 */
#include "tests/fuzz/member_lie.h"

enum command {
	DIAL,
	SAY,
	SAY_SPOILT,
	MEMBER,
	MEMBER_OFTEN,
	PIECE,
	SNAPSHOT,
	BYTES,
	MODE,
	LEAVE,
	WRITE,
	OPEN,
	REQUEST,
	GO,
	LATER,
	TURN,
	COMMANDS
};

static void
run_rival(enum command command, struct rival *rival, struct fuzz_input *in)
{
	struct wire_msg msg = { .type = WIRE_T_ZAB };
	uint32_t spoil, times;

	switch (command) {
	case DIAL:
		dial(rival, in);
		break;
	case SAY:
		say_zab(rival, in);
		break;
	case SAY_SPOILT:
		msg.zab = right_zab(rival, 1 + fuzz_below(in, ZAB_TYPES - 1));
		spoil = fuzz_u16(in);
		rival_say(rival, &msg, spoil, fuzz_byte(in));
		break;
	case MEMBER:
		say_member(rival, in, 1);
		break;
	case MEMBER_OFTEN:
		times = fuzz_byte(in);
		say_member(rival, in, times < 240 ? times % 16 : (times - 239) * 300);
		break;
	case PIECE:
		say_piece(rival, in);
		break;
	case SNAPSHOT:
		say_snapshot(rival);
		break;
	case BYTES:
		rival_bytes(rival, fuzz_bytes(in, fuzz_byte(in)));
		break;
	case MODE:
		rival->mode = (enum rival_mode)fuzz_below(in, RIVAL_MODES);
		break;
	case LEAVE:
		rival_leave(rival, fuzz_below(in, 2) == 0);
		break;
	default:
		msg = request_any(in);
		model_write(rival, some_session(in, rival), &msg);
	}
}

static void
run_guest(enum command command, struct guest *guest, struct fuzz_input *in)
{
	struct wire_msg msg;

	if (command == OPEN) {
		peer_open(guest, idle);
	} else if (command == REQUEST) {
		msg = request_any(in);
		peer_say(guest, &msg, 0, 0);
	} else {
		peer_leave(guest);
	}
}

/* Most commands wait until everything that they lead to has happened. */
static void
run(struct fuzz_input *in)
{
	uint32_t byte = fuzz_byte(in);
	enum command command = (enum command)(byte % 32 % COMMANDS);
	struct rival *rival = &rivals[byte / 32 % 2];

	if (command <= WRITE)
		run_rival(command, rival, in);
	else if (command <= GO)
		run_guest(command, &peers[byte / 32 % PEERS], in);
	else if (command == LATER)
		later(fuzz_byte(in) * 16);
	if (byte < 192)
		idle();
}

/* What others made it remember. */
static void
check_bounds(void)
{
	uint32_t doubts = 0, answers = 0, early = 0;
	const struct answer *answer;
	const struct doubt *doubt;
	const struct early *kept;
	size_t bytes = 0;

	STAILQ_FOREACH (doubt, &replica->doubts, next)
		doubts++;
	STAILQ_FOREACH (answer, &replica->answers, next)
		answers++;
	STAILQ_FOREACH (kept, &replica->early, next) {
		early++;
		bytes += kept->len;
	}
	CHECK(doubts == replica->ndoubts && answers == replica->nanswers);
	CHECK(doubts + answers <= LEAD_DOUBTS_MAX);
	CHECK(early == replica->nearly && early <= LEAD_EARLY_MAX);
	CHECK(bytes == replica->early_bytes && bytes <= LEAD_EARLY_BYTES_MAX + WIRE_REQUEST_MAX);
}

static void
end(void)
{
	int i;

	idle();
	tree_check(replica->tree);
	check_bounds();
	for (i = 0; i < RIVALS; i++)
		rival_forget(&rivals[i]);
	for (i = 0; i <= PEERS; i++)
		peer_leave(&peers[i]);
	peer_stop();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	begin((enum disk)fuzz_below(&in, DISKS));
	while (in.len > 0)
		run(&in);
	end();
	return 0;
}
