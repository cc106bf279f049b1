/*
 * What a member says that lies, as an input has it: what would be right, with
 * some field changed; what nobody asked for; bytes. Included by member_fuzz.c.
 */
#ifndef ZABFS_TESTS_FUZZ_MEMBER_LIE_H
#define ZABFS_TESTS_FUZZ_MEMBER_LIE_H

#include "tests/fuzz/member_world.h"
#include "tests/fuzz/replica_request.h"

static inline uint64_t
wrong_number(uint64_t right, struct fuzz_input *in)
{
	switch (fuzz_below(in, 12)) {
	case 0:
		return 0;
	case 1:
		return right + 1;
	case 2:
		return right - 1;
	case 3:
		return right + (UINT64_C(1) << 32);
	case 4:
		return right & ~(uint64_t)UINT32_MAX;
	case 5:
		return right | UINT32_MAX;
	case 6:
		return UINT64_MAX;
	case 7:
		return UINT64_C(1) << 63;
	case 8:
		return (uint64_t)ZAB_EPOCH_MAX << 32 | 1;
	case 9:
		return tree_applied(replica->tree);
	case 10:
		return right + fuzz_byte(in);
	default:
		return right - fuzz_byte(in);
	}
}

static inline void
wrong_zab(struct wire_zab *zab, struct fuzz_input *in)
{
	uint64_t *const numbers[] = { &zab->attempt, &zab->round, &zab->epoch, &zab->zxid,
		&zab->prev, &zab->hash, &zab->vote_epoch, &zab->vote_zxid, &zab->vote_favour };
	uint32_t *const small[] = { &zab->type, &zab->role, &zab->flags, &zab->vote_sid };
	uint32_t which = fuzz_below(in, 13);

	if (which < 9)
		*numbers[which] = wrong_number(*numbers[which], in);
	else
		*small[which - 9] = fuzz_byte(in);
}

/* No msgpack begins with it. */
static inline struct blob
rubbish(struct fuzz_input *in)
{
	static const uint8_t bytes[4096] = { 0xc1 };

	return (struct blob){ bytes, 1 + fuzz_byte(in) * 16u };
}

static inline void
say_zab(struct rival *rival, struct fuzz_input *in)
{
	uint32_t type = 1 + fuzz_below(in, ZAB_TYPES - 1), wrong = fuzz_byte(in);
	struct wire_zab zab = right_zab(rival, type);

	if (wrong == 0 && type == ZAB_ROW) {
		model_nothing(rival);
		return;
	}
	for (wrong %= 4; wrong > 1; wrong--)
		wrong_zab(&zab, in);
	if (zab.type == ZAB_ROW)
		zab.payload = rubbish(in);
	rival_zab(rival, &zab);
	said_zab(rival, &zab);
}

static inline void
say_piece(struct rival *rival, struct fuzz_input *in)
{
	enum piece_fault fault = (enum piece_fault)fuzz_below(in, PIECE_FAULTS);
	struct wire_piece piece = { .attempt = rival->attempt,
		.upto = rival->sent,
		.next_id = tree_next_id(replica->tree) };
	uint32_t how = fuzz_byte(in);

	piece.last = how & 1;
	if ((how & 2) != 0)
		piece.upto = wrong_number(piece.upto, in);
	if ((how & 4) != 0)
		piece.next_id = wrong_number(piece.next_id, in);
	if ((how & 8) != 0)
		piece.attempt = wrong_number(piece.attempt, in);
	if ((how & 16) != 0)
		piece.attempt = rivals[0].attempt;
	rival->foreign |= fault == PIECE_EMPTY;
	model_piece(rival, &piece, fault, how);
}

static inline uint64_t
some_session(struct fuzz_input *in, const struct rival *rival)
{
	uint32_t n = fuzz_byte(in);
	const struct session *session = NULL;
	uint64_t id = 0;

	if (n >= 250)
		return wrong_number(tree_applied(replica->tree), in);
	if (n >= 128)
		return rival->session;
	for (n %= 4; n != UINT32_MAX; n--) {
		session = tree_next_session(replica->tree, id);
		if (session == NULL)
			break;
		id = session_id(session);
	}
	return id;
}

static inline int32_t
some_code(struct fuzz_input *in)
{
	uint32_t n = fuzz_byte(in);

	return n < 128 ? 0 : (int32_t)(n - 128) * -1 + (n >= 250 ? 200 : 0);
}

static const enum wire_type answer_types[] = { WIRE_T_REPLY, WIRE_T_SYNC, WIRE_T_PONG, WIRE_T_BYE,
	WIRE_T_HAND_OVER, WIRE_T_WELCOME };

static const enum wire_type member_types[] = { WIRE_T_OPEN, WIRE_T_OPENED, WIRE_T_ATTACH,
	WIRE_T_ATTACHED, WIRE_T_FORWARD, WIRE_T_ANSWER, WIRE_T_PART, WIRE_T_LINK, WIRE_T_CREATE,
	WIRE_T_STATUS };

/* The fields of what concerns sessions: its epoch is the one that is served in, most of the time. */
static inline void
about_sessions(struct rival *rival, struct fuzz_input *in, struct wire_msg *msg)
{
	uint64_t epoch = replica->epoch;
	uint32_t how = fuzz_byte(in);

	if (how >= 240)
		epoch = wrong_number(epoch, in);
	switch (msg->type) {
	case WIRE_T_OPEN:
		msg->open = (struct wire_open){ .epoch = epoch,
			.secret = { rival->secret, how == 0 ? 3 : WIRE_SECRET_LEN },
			.timeout_ms = how == 1 ? UINT32_MAX : how * 10,
			.identity = { rival->secret, how % 8 } };
		rival->secret[0]++;
		break;
	case WIRE_T_OPENED:
		msg->opened = (struct wire_opened){ .epoch = epoch,
			.secret = { rival->secret, WIRE_SECRET_LEN },
			.code = some_code(in) };
		break;
	case WIRE_T_ATTACH:
		msg->attach = (struct wire_attach){
			.epoch = epoch, .session = some_session(in, rival), .serial = fuzz_byte(in)
		};
		break;
	case WIRE_T_ATTACHED:
		msg->attached = (struct wire_attached){ .epoch = epoch,
			.session = some_session(in, rival),
			.serial = how % 2 == 0 ? rival->serial : fuzz_byte(in),
			.code = some_code(in) };
		break;
	default:
		msg->answer = (struct wire_answer){ .epoch = epoch,
			.session = some_session(in, rival),
			.serial = how % 2 == 0 ? rival->serial : fuzz_byte(in),
			.type = answer_types[fuzz_below(in, 6)],
			.rid = fuzz_byte(in),
			.code = some_code(in),
			.zxid = wrong_number(tree_applied(replica->tree), in) };
	}
}

static inline void
forward(struct rival *rival, struct fuzz_input *in, struct wire_msg *msg, msgpack_sbuffer *packed)
{
	struct wire_msg request = request_any(in);
	uint32_t how = fuzz_byte(in);

	wire_pack(packed, &request);
	msg->forward = (struct wire_forward){ .epoch = replica->epoch,
		.session = some_session(in, rival),
		.serial = fuzz_byte(in),
		.request = { (const uint8_t *)packed->data, (uint32_t)packed->size } };
	if (how >= 250 && packed->size != 0)
		msg->forward.request.len -= how % 2 + 1;
	if (how == 249)
		msg->forward.epoch++;
}

static inline struct wire_msg
member_message(struct rival *rival, struct fuzz_input *in, msgpack_sbuffer *packed)
{
	struct wire_msg msg = {
		.type = member_types[fuzz_below(in, sizeof member_types / sizeof member_types[0])]
	};

	switch (msg.type) {
	case WIRE_T_FORWARD:
		forward(rival, in, &msg, packed);
		break;
	case WIRE_T_PART:
		msg.part.payload = rubbish(in);
		break;
	case WIRE_T_LINK:
		msg = rival_link(rival);
		break;
	case WIRE_T_CREATE:
		break;
	case WIRE_T_STATUS:
		msg.status = (struct wire_status){ .role = fuzz_below(in, 7),
			.doing = fuzz_below(in, 8),
			.percent = fuzz_byte(in),
			.zxid = wrong_number(tree_applied(replica->tree), in),
			.yours = wrong_number(0, in) };
		break;
	default:
		about_sessions(rival, in, &msg);
	}
	return msg;
}

static inline void
say_member(struct rival *rival, struct fuzz_input *in, uint32_t times)
{
	uint32_t how = fuzz_byte(in), spoil = how == 255 ? fuzz_u16(in) : 0;
	msgpack_sbuffer packed;
	struct wire_msg msg;

	msgpack_sbuffer_init(&packed);
	msg = member_message(rival, in, &packed);
	while (times-- > 0 && !rival->ended) {
		rival_say(rival, &msg, spoil, (uint8_t)how);
		/* No more than a socket takes. */
		if (times % 64 == 63)
			turn();
	}
	msgpack_sbuffer_destroy(&packed);
}

static inline void
dial(struct rival *rival, struct fuzz_input *in)
{
	uint32_t how = fuzz_byte(in);
	struct wire_msg msg = rival_link(rival);

	rival_connect(rival);
	rival->own_attempt++;
	rival->mode = (enum rival_mode)(how % RIVAL_MODES);
	switch (how / RIVAL_MODES) {
	case 80:
		msg.link.sid = fuzz_byte(in);
		break;
	case 81:
		msg.link.to = fuzz_byte(in);
		break;
	case 82:
		msg.link.members++;
		break;
	case 83:
		msg.link.cluster.len--;
		break;
	case 84:
		msg.link.proto++;
		break;
	default:
		break;
	}
	if (how != 255)
		rival_say(rival, &msg, 0, 0);
}

#endif
