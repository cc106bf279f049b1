/*
 * What a member would rightly say: each message as it fits what it has heard,
 * and two ways to say them of its own accord, as a follower of the replica and
 * as its leader, so that an input needs few bytes to be in the middle of
 * things. It looks into the replica for what it can't know. Included by
 * member_fuzz.c.
 */
#ifndef ZABFS_TESTS_FUZZ_MEMBER_AUTO_H
#define ZABFS_TESTS_FUZZ_MEMBER_AUTO_H

#include "tests/fuzz/member_model.h"

/* The one that leads, or wants to. */
static inline const struct rival *
right_leader(void)
{
	uint32_t i;

	for (i = 0; i < RIVALS; i++)
		if (rivals[i].mode >= RIVAL_LEADS && rivals[i].fd >= 0)
			return &rivals[i];
	return NULL;
}

/* Who has no vote is taken in by an ensemble that serves. */
static inline bool
leads_already(const struct rival *leader, const struct zab_status *status)
{
	return leader->established || !status->voter;
}

static inline uint64_t
epoch_of(const struct rival *leader, const struct zab_status *status)
{
	return leader->lead_epoch != 0 ? leader->lead_epoch : status->accepted_epoch + 1;
}

static inline void
right_vote(const struct rival *rival, const struct zab_status *status, struct wire_zab *out)
{
	const struct rival *leader = right_leader();

	out->role = ZAB_LOOKING;
	out->round = status->round;
	out->flags = ZAB_VOTER;
	out->vote_epoch = status->current_epoch;
	out->vote_zxid = status->last_logged;
	out->vote_sid = leader != NULL ? leader->sid : 1;
	if (leader == NULL)
		return;
	if (leads_already(leader, status))
		out->epoch = epoch_of(leader, status);
	if (leader == rival && (rival->attempt != 0 || out->epoch != 0))
		out->role = ZAB_LEADING;
	else if (leader != rival && out->epoch != 0)
		out->role = ZAB_FOLLOWING;
}

static inline uint64_t
row_hash_of(uint64_t zxid, uint64_t *found)
{
	uint64_t hash = 0;

	*found = 0;
	rows_look_up(replica, zxid, found, &hash);
	return hash;
}

static inline void
right_of_leader(const struct rival *rival, const struct zab_status *status, struct wire_zab *out)
{
	out->attempt = rival->attempt;
	switch (out->type) {
	case ZAB_NEWEPOCH:
		out->epoch = status->accepted_epoch + 1;
		out->flags = leads_already(rival, status) ? ZAB_ESTABLISHED : 0;
		break;
	case ZAB_PROBE:
		out->hash = row_hash_of(status->last_logged, &out->zxid);
		break;
	case ZAB_TRUNC:
		out->zxid = rival->probe;
		break;
	case ZAB_SNAP:
		out->hash = row_hash_of(tree_applied(replica->tree), &out->zxid);
		break;
	case ZAB_ROW:
		out->zxid = model_next(rival);
		out->prev = rival->sent;
		break;
	case ZAB_NEWLEADER:
		out->epoch = rival->lead_epoch;
		out->zxid = rival->sent;
		break;
	case ZAB_UPTODATE:
	case ZAB_COMMIT:
		out->zxid = rival->sent;
		break;
	case ZAB_PING:
		out->zxid = rival->pinged + 1;
		break;
	default:
		break;
	}
}

static inline struct wire_zab
right_zab(const struct rival *rival, uint32_t type)
{
	struct zab_status status = rival_status();
	struct wire_zab out = { .type = type, .attempt = rival->own_attempt };

	switch (type) {
	case ZAB_VOTE:
		out.attempt = 0;
		right_vote(rival, &status, &out);
		break;
	case ZAB_CEPOCH:
		out.epoch = status.accepted_epoch;
		out.flags = ZAB_VOTER;
		break;
	case ZAB_ACKEPOCH:
		out.epoch = status.current_epoch;
		out.zxid = status.last_logged;
		break;
	case ZAB_PROBED:
		out.flags = ZAB_MATCH;
		break;
	case ZAB_ACKLD:
		out.epoch = rival->epoch;
		out.zxid = rival->newleader;
		break;
	case ZAB_ACK:
		out.zxid = rival->row;
		break;
	case ZAB_PONG:
		out.zxid = rival->ping;
		break;
	default:
		right_of_leader(rival, &status, &out);
	}
	return out;
}

/* What was said, right or wrong, is where it goes on from. */
static inline void
said_zab(struct rival *rival, const struct wire_zab *zab)
{
	switch (zab->type) {
	case ZAB_NEWEPOCH:
		rival->lead_epoch = zab->epoch;
		break;
	case ZAB_PROBE:
		rival->probe = zab->zxid;
		break;
	case ZAB_TRUNC:
	case ZAB_SNAP:
		rival->nrows = 0;
		rival->sent = zab->zxid;
		rival->rows_after = zab->type == ZAB_TRUNC ? zab->zxid : 0;
		break;
	case ZAB_ROW:
		rival->sent = zab->zxid;
		rival->foreign = true;
		break;
	case ZAB_UPTODATE:
		rival->established = true;
		break;
	case ZAB_PING:
		rival->pinged = zab->zxid;
		break;
	default:
		break;
	}
}

static inline void
say_right(struct rival *rival, uint32_t type)
{
	struct wire_zab zab = right_zab(rival, type);

	rival_zab(rival, &zab);
	said_zab(rival, &zab);
}

/* The snapshot as a whole. */
static inline void
say_snapshot(struct rival *rival)
{
	struct wire_piece piece = {
		.attempt = rival->attempt, .last = 1, .next_id = tree_next_id(replica->tree)
	};

	say_right(rival, ZAB_SNAP);
	piece.upto = rival->sent;
	model_piece(rival, &piece, PIECE_WHOLE, 0);
}

static inline void
say_answer(struct rival *rival, const struct wire_answer *answer)
{
	struct wire_msg msg = { .type = WIRE_T_ANSWER, .answer = *answer };

	msg.answer.epoch = rival->lead_epoch;
	rival_say(rival, &msg, 0, 0);
}

static inline void
lead_forwarded(struct rival *rival, const struct wire_forward *forward)
{
	struct wire_answer answer = { .session = forward->session, .serial = forward->serial };
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	struct wire_msg request;

	/* The replica has it from a front end that it took it from. */
	CHECK(wire_unpack(forward->request.data, forward->request.len, zone, &request) == 0);
	answer.rid = request.sync.rid;
	if (request.type == WIRE_T_PING) {
		answer.type = WIRE_T_PONG;
		say_answer(rival, &answer);
	} else if (request.type == WIRE_T_SYNC) {
		answer.type = WIRE_T_SYNC;
		answer.zxid = rival->sent;
		say_answer(rival, &answer);
	} else if (!model_write(rival, forward->session, &request)) {
		answer.type = request.type == WIRE_T_CLOSE	 ? WIRE_T_BYE
			      : request.type == WIRE_T_HAND_OVER ? WIRE_T_HAND_OVER
								 : WIRE_T_REPLY;
		answer.code = ERR_BUSY;
		say_answer(rival, &answer);
	}
	msgpack_zone_free(zone);
}

static inline void
lead_heard_zab(struct rival *rival, const struct wire_zab *zab)
{
	switch (zab->type) {
	case ZAB_VOTE:
		say_right(rival, ZAB_VOTE);
		break;
	case ZAB_CEPOCH:
		say_right(rival, ZAB_VOTE);
		/* It introduces itself again until it is answered. */
		if (rival->lead_epoch == 0)
			say_right(rival, ZAB_NEWEPOCH);
		break;
	case ZAB_ACKEPOCH:
		say_right(rival, ZAB_PROBE);
		break;
	case ZAB_PROBED:
		if ((zab->flags & ZAB_MATCH) != 0)
			say_right(rival, ZAB_TRUNC);
		else
			say_snapshot(rival);
		say_right(rival, ZAB_NEWLEADER);
		break;
	case ZAB_ACKLD:
		say_right(rival, ZAB_UPTODATE);
		say_right(rival, ZAB_VOTE);
		break;
	case ZAB_ACK:
		say_right(rival, ZAB_COMMIT);
		break;
	default:
		break;
	}
}

static inline void
lead_heard(struct rival *rival, const struct wire_msg *msg)
{
	struct wire_msg attached = { .type = WIRE_T_ATTACHED };

	switch (msg->type) {
	case WIRE_T_ZAB:
		lead_heard_zab(rival, &msg->zab);
		break;
	case WIRE_T_OPEN:
		model_write(rival, 0, msg);
		break;
	case WIRE_T_FORWARD:
		lead_forwarded(rival, &msg->forward);
		break;
	case WIRE_T_ATTACH:
		attached.attached = (struct wire_attached){ .epoch = msg->attach.epoch,
			.session = msg->attach.session,
			.serial = msg->attach.serial };
		rival_say(rival, &attached, 0, 0);
		break;
	default:
		break;
	}
}

static inline void
follow_heard(struct rival *rival, const struct wire_zab *zab)
{
	switch (zab->type) {
	case ZAB_VOTE:
		if (zab->role == ZAB_LEADING && zab->epoch == 0) {
			rival->own_attempt++;
			say_right(rival, ZAB_CEPOCH);
		} else if (zab->role == ZAB_LOOKING) {
			say_right(rival, ZAB_VOTE);
		}
		break;
	case ZAB_NEWEPOCH:
		say_right(rival, ZAB_ACKEPOCH);
		break;
	case ZAB_PROBE:
		say_right(rival, ZAB_PROBED);
		break;
	case ZAB_NEWLEADER:
		say_right(rival, ZAB_ACKLD);
		break;
	case ZAB_ROW:
		say_right(rival, ZAB_ACK);
		break;
	case ZAB_PING:
		say_right(rival, ZAB_PONG);
		break;
	default:
		break;
	}
}

/* Hearing. */

static inline void
note_zab(struct rival *rival, const struct wire_zab *zab)
{
	CHECK(zab->type > 0 && zab->type < ZAB_TYPES);
	switch (zab->type) {
	case ZAB_CEPOCH:
		if (rival->attempt == zab->attempt)
			break;
		rival->attempt = zab->attempt;
		rival->lead_epoch = rival->probe = rival->sent = rival->rows_after = 0;
		rival->nrows = 0;
		rival->established = rival->foreign = false;
		break;
	case ZAB_NEWEPOCH:
		rival->epoch = zab->epoch;
		break;
	case ZAB_NEWLEADER:
		rival->newleader = zab->zxid;
		break;
	case ZAB_ROW:
		rival->row = zab->zxid;
		break;
	case ZAB_PING:
		rival->ping = zab->zxid;
		break;
	default:
		break;
	}
}

static inline void
note(struct rival *rival, const struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_T_LINK:
		CHECK(msg->link.sid == 1);
		members_hash = msg->link.members;
		break;
	case WIRE_T_ZAB:
		note_zab(rival, &msg->zab);
		break;
	case WIRE_T_OPEN:
		memcpy(rival->secret, msg->open.secret.data, WIRE_SECRET_LEN);
		break;
	case WIRE_T_ATTACH:
		rival->session = msg->attach.session;
		rival->serial = msg->attach.serial;
		break;
	case WIRE_T_FORWARD:
		rival->session = msg->forward.session;
		rival->serial = msg->forward.serial;
		break;
	default:
		CHECK(msg->type >= WIRE_T_LINK && msg->type <= WIRE_T_STATUS);
	}
}

static inline void
rival_heard(struct rival *rival, const struct wire_msg *msg)
{
	note(rival, msg);
	if (rival->mode == RIVAL_LEADS)
		lead_heard(rival, msg);
	else if (rival->mode == RIVAL_FOLLOWS && msg->type == WIRE_T_ZAB)
		follow_heard(rival, &msg->zab);
}

#endif
