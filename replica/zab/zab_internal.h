/*
 * The core's state, shared by its files and by nobody else. What is durable is
 * mirrored here; all else is volatile and rebuilt on every way back to looking.
 */
#ifndef ZABFS_ZAB_INTERNAL_H
#define ZABFS_ZAB_INTERNAL_H

#include "replica/lib/check.h"
#include "replica/zab/zab.h"

struct zab_vote {
	uint64_t epoch; /* current, durable; its own key: not the zxid's (ZK-335, 1081, 1082) */
	uint64_t zxid;
	uint64_t favour;
	uint32_t sid;
	bool own; /* made here, of what is durable: not heard from another */
};

/* How far the leader is with a learner. In this order. */
enum zab_stage {
	STAGE_NONE,
	STAGE_CEPOCH,	/* heard of, waits for the epoch */
	STAGE_NEWEPOCH, /* was sent it */
	STAGE_ACKEPOCH, /* has accepted it, waits for synchronisation */
	STAGE_LOOK_UP,	/* the leader looks for a row that both have */
	STAGE_PROBE,	/* was asked for it */
	STAGE_SYNC,	/* was sent NEWLEADER; gets every proposal from now on */
	STAGE_ACKLD,	/* has the leader's history; counts */
	STAGE_UPTODATE	/* serves; gets every commit */
};

struct zab_learner {
	enum zab_stage stage;
	bool voter; /* is one, and says that it may be counted */
	uint64_t attempt;
	uint64_t accepted_epoch;
	uint64_t last_zxid;
	uint64_t probe_zxid;
	uint64_t sent;	/* rows up to it are on their way */
	uint64_t acked; /* and durable there */
	uint64_t confirmed;
	uint64_t heard_ns;
};

struct zab_peer {
	uint32_t sid;
	bool observer;
	uint64_t conn;		 /* 0: none */
	uint64_t asked_ns;	 /* for a vote, since when in vain; 0: it has answered */
	struct zab_message seen; /* its last VOTE on this connection; type 0: none */
	struct zab_learner learner;
};

/* A leader's way, in this order. */
enum zab_lead { LEAD_CEPOCH, LEAD_ACCEPTING, LEAD_ACKEPOCH, LEAD_CURRENT, LEAD_SYNC, LEAD_SERVING };

/* A learner's way, in this order. */
enum zab_learn {
	LEARN_CEPOCH,	 /* has introduced itself */
	LEARN_ACCEPTING, /* makes the epoch durable */
	LEARN_ACKEPOCH,	 /* has said so */
	LEARN_LOOK_UP,	 /* looks for the leader's row */
	LEARN_PROBED,	 /* has said whether it is there */
	LEARN_SYNC,	 /* gets the difference, or a snapshot */
	LEARN_COMMIT,	 /* makes all of it durable at once */
	LEARN_ACKLD,	 /* has said so */
	LEARN_CATCH_UP,	 /* is up to date when `ready_zxid` is delivered */
	LEARN_SERVING
};

struct zab {
	struct zab_config config;
	struct zab_peer peers[ZAB_MEMBERS_MAX]; /* self is not among them */
	uint32_t npeers;
	uint32_t voters; /* self included, if it is one */
	bool observer;	 /* self, as configured */

	/* Durable. */
	uint64_t accepted_epoch, accepted_sid, current_epoch;
	uint64_t last_logged;
	bool voter; /* not an observer, and has not lost what it promised */

	uint64_t delivered; /* the tree's */
	uint64_t committed;

	enum zab_role role;
	uint64_t now_ns;
	uint64_t generation;
	uint64_t op; /* of the last log action */
	uint64_t nonce, attempts;
	uint64_t epoch_floor; /* the greatest epoch that anyone said to have accepted */
	bool sick;	      /* the log failed to take something: no vote until a probe succeeds */
	uint64_t probe_ns;    /* when to probe; 0: is being probed */
	uint64_t wait_op;     /* what the role waits for; 0: nothing */

	/* LOOKING */
	uint64_t round;
	struct zab_vote vote; /* afterwards: the decided one */
	uint64_t resend_ns, resend_interval_ns;
	uint64_t decide_ns;    /* a quorum waits for a better vote; 0: there is none */
	bool in_vain;	       /* who was followed did not lead: no quorum is taken at once */
	uint64_t favour_epoch; /* handed over by the leader of this epoch … */
	uint64_t favour_zxid;  /* … with this as the last row */

	uint64_t tick_ns; /* LEADING, FOLLOWING, OBSERVING: when the next one is due */

	/* LEADING */
	enum zab_lead lead;
	uint64_t epoch;	       /* LEADING, or of the leader that is followed; 0: not known yet */
	uint64_t initial_last; /* of the history that the quorum must have first */
	uint64_t last_proposed;
	uint64_t deadline_ns;
	uint64_t confirm, confirmed; /* asked, and answered */
	uint32_t heir;		     /* hands over to; 0: nobody */
	uint64_t heir_deadline_ns;

	/* FOLLOWING, OBSERVING */
	enum zab_learn learn;
	uint32_t leader;
	uint64_t attempt;
	uint64_t heard_ns, again_ns;
	uint64_t last_received;
	uint64_t probe_hash, probe_zxid;
	uint64_t newleader_zxid, snap_zxid, ready_zxid;
	bool snap, matched; /* matched: the probed row is here */
};

/* step.c */
struct zab_peer *zab_peer(struct zab *zab, uint32_t sid); /* NULL: no such member */
/* Back to looking: everything volatile goes, what is durable is read again. */
void zab_recover(struct zab *zab, enum zab_reason reason, struct zab_output *out);

/* output.c */
struct zab_action *zab_act(struct zab_output *out, enum zab_action_type type);
struct zab_message *zab_send(
    struct zab_output *out, const struct zab_peer *peer, enum zab_type type, uint64_t attempt);
void zab_drop(const struct zab_peer *peer, struct zab_output *out);
struct zab_action *zab_log(struct zab *zab, struct zab_output *out, enum zab_action_type type);
void zab_changed(const struct zab *zab, enum zab_reason reason, struct zab_output *out);
/* Delivers what is committed and durable here. */
void zab_deliver(struct zab *zab, struct zab_output *out);

/* quorum.c */
uint32_t zab_quorum(const struct zab *zab);
/* Voters at least this far, self counted. */
uint32_t zab_count(const struct zab *zab, enum zab_stage stage);
/* The greatest zxid that a quorum of synchronised voters has durable. */
uint64_t zab_quorum_zxid(const struct zab *zab);
/* The last confirmation that a quorum of them has given. */
uint64_t zab_quorum_confirmed(const struct zab *zab);

/* election.c */
void zab_election_begin(struct zab *zab, struct zab_output *out);
void zab_election_vote(struct zab *zab, struct zab_peer *peer, struct zab_output *out);
void zab_election_connected(struct zab *zab, struct zab_peer *peer, struct zab_output *out);
void zab_election_disconnected(struct zab *zab, struct zab_peer *peer, struct zab_output *out);
void zab_election_tick(struct zab *zab, struct zab_output *out);
/* Tells everyone what this member is. */
void zab_election_announce(struct zab *zab, struct zab_output *out);
void zab_election_tell(struct zab *zab, struct zab_peer *peer, struct zab_output *out);

/* leader.c: epochs; leader_sync.c: a learner's history; leader_serve.c: proposals, commits */
void zab_leader_begin(struct zab *zab, struct zab_output *out);
void zab_leader_message(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out);
void zab_leader_logged(struct zab *zab, uint64_t op, struct zab_output *out);
void zab_leader_gone(struct zab *zab, struct zab_peer *peer, struct zab_output *out);
void zab_leader_tick(struct zab *zab, struct zab_output *out);
void zab_leader_step_down(struct zab *zab, enum zab_reason reason, struct zab_output *out);
void zab_sync_begin(struct zab *zab, struct zab_peer *peer, struct zab_output *out);
void zab_sync_looked_up(
    struct zab *zab, struct zab_peer *peer, const struct zab_event *event, struct zab_output *out);
void zab_sync_probed(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out);
void zab_sync_acked(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out);
void zab_sync_check(struct zab *zab, struct zab_output *out);
void zab_serve_propose(struct zab *zab, uint64_t zxid, struct zab_output *out);
/* Whether a learner that was sent rows up to its `sent` may say that it has this one. */
bool zab_has_row(const struct zab *zab, const struct zab_learner *learner, uint64_t zxid);
void zab_serve_ack(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out);
void zab_serve_uptodate(struct zab *zab, struct zab_peer *peer, struct zab_output *out);
void zab_serve_commit(struct zab *zab, struct zab_output *out);
void zab_serve_confirm(struct zab *zab, uint64_t number, struct zab_output *out);
void zab_serve_pong(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out);
void zab_serve_ping(struct zab *zab, struct zab_output *out);
void zab_serve_hand_over(struct zab *zab, uint32_t sid, struct zab_output *out);

/* learner.c: up to the epoch; learner_sync.c: history; learner_serve.c: rows, commits */
void zab_learner_begin(struct zab *zab, uint32_t leader, struct zab_output *out);
void zab_learner_introduce(struct zab *zab, struct zab_output *out);
void zab_learner_message(struct zab *zab, struct zab_peer *peer, const struct zab_message *message,
    struct zab_output *out);
void zab_learner_logged(struct zab *zab, uint64_t op, struct zab_output *out);
void zab_learner_looked_up(struct zab *zab, const struct zab_event *event, struct zab_output *out);
void zab_learner_tick(struct zab *zab, struct zab_output *out);
void zab_learner_probe(struct zab *zab, const struct zab_message *message, struct zab_output *out);
void zab_learner_trunc(struct zab *zab, const struct zab_message *message, struct zab_output *out);
void zab_learner_snap(struct zab *zab, const struct zab_message *message, struct zab_output *out);
void zab_learner_newleader(
    struct zab *zab, const struct zab_message *message, struct zab_output *out);
void zab_learner_synced(struct zab *zab, struct zab_output *out);
void zab_learner_row(struct zab *zab, const struct zab_message *message, struct zab_output *out);
void zab_learner_uptodate(
    struct zab *zab, const struct zab_message *message, struct zab_output *out);
void zab_learner_commit(struct zab *zab, const struct zab_message *message, struct zab_output *out);
void zab_learner_rows_logged(struct zab *zab, struct zab_output *out);

#endif
