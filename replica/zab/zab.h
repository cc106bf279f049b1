/*
 * The Zab core: zab_step(state, event) -> output. No clock, no I/O, no
 * randomness, no logging, no allocation: what happened comes in as an event,
 * with the time; what is to be done leaves as a list of actions, in order,
 * each with what must be durable first. replica/order.c is the only caller.
 *
 * Source: the Zab paper (DSN 2011), Zab.tla, and the bugs that model checking
 * found in ZooKeeper (README.md). One file for each concept: election.c,
 * leader*.c, learner*.c, quorum.c, step.c, output.c, status.c.
 */
#ifndef ZABFS_ZAB_ZAB_H
#define ZABFS_ZAB_ZAB_H

#include "replica/zab/message.h"

#include <stdbool.h>
#include <stddef.h>

#define ZAB_MEMBERS_MAX 32	  /* observers included */
#define ZAB_OUTSTANDING_MAX 65536 /* proposals of this leader not yet delivered */
#define ZAB_EPOCH_MAX INT32_MAX	  /* a zxid is stored as a signed 64-bit integer */

/* A member. sid: 1 and up, unique. */
struct zab_member {
	uint32_t sid;
	bool observer;
};

/* Times in nanoseconds. */
struct zab_config {
	uint32_t self; /* a sid of members */
	uint32_t count;
	struct zab_member members[ZAB_MEMBERS_MAX];
	uint64_t tick_ns;
	uint32_t init_limit;  /* ticks: connecting, discovery, synchronisation */
	uint32_t sync_limit;  /* ticks: silence afterwards */
	uint64_t finalize_ns; /* a quorum waits this long for a better vote */
	uint32_t counter_max; /* an epoch's last row; 0: UINT32_MAX. Small, it can be tested */
};

enum zab_event_type {
	ZAB_EVENT_START,	/* after the process's start, and after each ZAB_RECOVER */
	ZAB_EVENT_CONNECTED,	/* peer, conn: above every earlier one of this peer */
	ZAB_EVENT_DISCONNECTED, /* peer, conn */
	ZAB_EVENT_MESSAGE,	/* peer, conn, message; a row's payload stays with the caller */
	ZAB_EVENT_HEARD,	/* peer, conn: bytes of something big are moving */
	ZAB_EVENT_LOGGED,	/* op: every log action up to it is durable; zxid: the last row */
	ZAB_EVENT_LOST,	     /* log actions will never be (disk full): nothing of them is there */
	ZAB_EVENT_LOOKED_UP, /* peer, attempt, found, zxid, hash: the answer to ZAB_LOOK_UP */
	ZAB_EVENT_PROPOSE,   /* zxid, as zab_next_zxid gave it */
	ZAB_EVENT_CONFIRM,   /* zxid: a growing number; is this member still the leader? */
	ZAB_EVENT_HAND_OVER, /* peer: lead no more, it shall */
	ZAB_EVENT_TICK	     /* the time of zab_timer_ns has come */
};

struct zab_event {
	enum zab_event_type type;
	uint64_t now_ns; /* monotonic */
	uint32_t peer;	 /* sid */
	uint64_t conn;
	uint64_t op;
	uint64_t zxid;
	uint64_t hash;
	uint64_t attempt;
	bool found;
	struct zab_message message;
	/* START: what is durable, and what of it the tree has. */
	struct {
		uint64_t generation; /* as ZAB_RECOVER named it; 0 at the process's start */
		uint64_t nonce;	     /* random: no two starts of processes have the same */
		uint64_t accepted_epoch, accepted_sid, current_epoch;
		uint64_t last_zxid;
		uint64_t delivered;
		bool voter; /* false: founded empty after a loss; neither votes nor is counted
			     * until it is synchronised */
	} start;
};

enum zab_action_type {
	/* To a peer, in the order of the actions. */
	ZAB_SEND,      /* peer, conn, message */
	ZAB_SEND_ROWS, /* peer, conn, attempt: the rows above `from` up to `zxid` as ROWs */
	ZAB_SEND_SNAP, /* peer, conn, attempt: SNAP and the tree; zxid: what is delivered here */
	ZAB_FORGET,    /* peer, conn: it follows no more; what is still being sent is void */
	ZAB_DROP,      /* peer, conn: close the connection */

	/* To the log, one FIFO. Each has an `op`, greater than the one before. */
	ZAB_LOG_EPOCHS,	     /* epochs; also a probe whether the disk takes anything */
	ZAB_LOG_ROW,	     /* the row of this very event: zxid, after `from` */
	ZAB_LOG_SYNC_BEGIN,  /* rows above zxid go; they, the rows that follow, and the epoch of
			      * SYNC_COMMIT become durable as one transaction */
	ZAB_LOG_SYNC_SNAP,   /* all rows go; the snapshot that follows takes the tree's place */
	ZAB_LOG_SYNC_COMMIT, /* current_epoch */
	ZAB_LOG_VOTER,	     /* this member is synchronised: it may vote from now on */

	ZAB_LOOK_UP,   /* peer, attempt, zxid: the greatest row at or below; LOOKED_UP answers */
	ZAB_DELIVER,   /* rows up to zxid are committed: apply them, in order */
	ZAB_CONFIRMED, /* zxid: every CONFIRM up to it was asked before a quorum said yes */
	ZAB_CHANGED,   /* role, phase, reason: what this member is now */
	ZAB_RECOVER,   /* let the log finish what it was asked for, but undo a SYNC without its
		      * COMMIT; forget proposals that were not delivered; then START */
	ZAB_ALARM, /* peer, zxid: its row is not ours: histories differ (a lost or rotten disk) */
	ZAB_FATAL  /* going on would undo what was delivered */
};

enum zab_phase { ZAB_ELECTION, ZAB_DISCOVERY, ZAB_SYNCHRONISATION, ZAB_BROADCAST };

/* Why a member went back to looking. */
enum zab_reason {
	ZAB_REASON_NONE,
	ZAB_REASON_START,
	ZAB_REASON_LEADER_GONE,	    /* its connection */
	ZAB_REASON_LEADER_SILENT,   /* for init_limit, sync_limit ticks */
	ZAB_REASON_LEADER_RESIGNED, /* it said so */
	ZAB_REASON_OLD_EPOCH,	    /* its epoch is below what was accepted here */
	ZAB_REASON_NO_QUORUM,	    /* too few learners, or heard of for too long */
	ZAB_REASON_TIMEOUT,	    /* no quorum in discovery or synchronisation */
	ZAB_REASON_STORAGE,	    /* the log did not take something */
	ZAB_REASON_ROLLOVER,	    /* the counter is at its end */
	ZAB_REASON_HAND_OVER,	    /* another shall lead */
	ZAB_REASON_EPOCH_BEHIND,    /* a member has accepted more than this leader's epoch */
	ZAB_REASON_PROTOCOL,	    /* the leader said what can't be */
	ZAB_REASON_SYNCHRONISED,    /* a member that may vote from now on */
	ZAB_REASONS
};

/* What the member must have made durable before the action is done; CHECKed by the caller. */
struct zab_durable {
	uint64_t accepted_epoch, current_epoch, zxid;
};

struct zab_action {
	enum zab_action_type type;
	uint32_t peer;
	uint64_t conn;
	uint64_t attempt;
	uint64_t op;
	uint64_t from, zxid;
	uint64_t hash; /* SYNC_SNAP: the row's at zxid */
	uint64_t accepted_epoch, accepted_sid, current_epoch;
	uint64_t generation;
	enum zab_role role;
	enum zab_phase phase;
	enum zab_reason reason;
	struct zab_durable durable;
	struct zab_message message;
};

/* At most some messages to each member, and some to the log: CHECKed. */
#define ZAB_ACTIONS_MAX (6 * ZAB_MEMBERS_MAX)
struct zab_output {
	uint32_t count;
	struct zab_action actions[ZAB_ACTIONS_MAX];
};

struct zab;

/* In zab_size() bytes of the caller's. Nothing happens before the first START. */
size_t zab_size(void);
void zab_init(struct zab *zab, const struct zab_config *config);

/* The only function that changes anything. out->count actions are set. */
void zab_step(struct zab *zab, const struct zab_event *event, struct zab_output *out);

/* When the next TICK is due; UINT64_MAX: never. */
uint64_t zab_timer_ns(const struct zab *zab);

/* The zxid of the next proposal; 0: not now (not leading, handing over, or a bound is reached). */
uint64_t zab_next_zxid(const struct zab *zab);

/* What the member is. */
struct zab_status {
	enum zab_role role;
	enum zab_phase phase;
	uint32_t leader; /* sid, 0: none */
	uint64_t epoch;	 /* served in; 0: none */
	uint64_t accepted_epoch, current_epoch;
	uint64_t last_logged, last_proposed, committed, delivered;
	uint64_t round;
	uint32_t heir;	     /* the leader hands over to it; 0: nobody */
	uint64_t attempt;    /* to follow; 0: it doesn't */
	uint64_t generation; /* of the last ZAB_RECOVER */
	bool voter;
};
void zab_status(const struct zab *zab, struct zab_status *out);

/* A learner as its leader sees it. False: it follows not. */
struct zab_learner_status {
	bool synchronised;
	uint64_t acked;
	uint64_t last; /* in its log, as it said when it came */
};
bool zab_learner_status(const struct zab *zab, uint32_t sid, struct zab_learner_status *out);

static inline uint32_t
zab_zxid_epoch(uint64_t zxid)
{
	return (uint32_t)(zxid >> 32);
}

static inline uint32_t
zab_zxid_counter(uint64_t zxid)
{
	return (uint32_t)zxid;
}

static inline uint64_t
zab_zxid(uint64_t epoch, uint32_t counter)
{
	return (epoch << 32) | counter;
}

#endif
