/*
 * What members say to each other: small, flat, without payload. A row's
 * payload and the pieces of a snapshot travel beside the message, the core
 * never sees them. Which message uses which field:
 *
 *   from any member, to any (election.c)
 *   VOTE       role, round, vote_*: the sender's vote; epoch: the one it serves
 *              in, 0: none; flags: ZAB_VOTER
 *
 *   learner -> leader; `attempt` names this try of the learner to follow
 *   CEPOCH     epoch: accepted; flags: ZAB_VOTER
 *   ACKEPOCH   epoch: current; zxid: of the last row
 *   PROBED     flags: ZAB_MATCH, the row that PROBE named is the same here
 *   ACKLD      epoch; zxid: of the last row; all of it durable
 *   ACK        zxid: every row up to it is durable
 *   PONG       zxid: as in PING
 *
 *   leader -> learner; `attempt` is repeated
 *   NEWEPOCH   epoch; flags: ZAB_ESTABLISHED
 *   PROBE      zxid, hash: a row of the leader's log, at or below the learner's last
 *   TRUNC      zxid: rows above it go; those that follow are the difference
 *   SNAP       zxid, hash: a snapshot of everything up to that row begins, its pieces follow
 *   ROW        zxid, prev: a log row; its payload follows
 *   NEWLEADER  epoch; zxid: of the last row of the difference
 *   UPTODATE   zxid: committed
 *   COMMIT     zxid: every row up to it is committed
 *   PING       zxid: of the last confirmation that the leader was asked for
 *   RESIGN     look for another leader; flags: ZAB_HANDOVER, you are to be it:
 *              epoch, zxid are what you have
 *
 * Source: the Zab paper (DSN 2011), section 4; README.md has each one's action
 * in Zab.tla.
 */
#ifndef ZABFS_ZAB_MESSAGE_H
#define ZABFS_ZAB_MESSAGE_H

#include <stdint.h>

enum zab_type {
	ZAB_VOTE = 1,
	ZAB_CEPOCH,
	ZAB_ACKEPOCH,
	ZAB_PROBED,
	ZAB_ACKLD,
	ZAB_ACK,
	ZAB_PONG,
	ZAB_NEWEPOCH,
	ZAB_PROBE,
	ZAB_TRUNC,
	ZAB_SNAP,
	ZAB_ROW,
	ZAB_NEWLEADER,
	ZAB_UPTODATE,
	ZAB_COMMIT,
	ZAB_PING,
	ZAB_RESIGN,
	ZAB_TYPES
};

enum zab_role { ZAB_RECOVERING, ZAB_LOOKING, ZAB_LEADING, ZAB_FOLLOWING, ZAB_OBSERVING };

#define ZAB_VOTER 1u	   /* the sender is one, and may be counted */
#define ZAB_MATCH 2u	   /* PROBED */
#define ZAB_ESTABLISHED 4u /* NEWEPOCH: a quorum follows this leader already */
#define ZAB_HANDOVER 8u	   /* RESIGN */

struct zab_message {
	uint32_t type; /* enum zab_type */
	uint32_t role; /* enum zab_role */
	uint32_t flags;
	uint32_t vote_sid;
	uint64_t attempt;
	uint64_t round;
	uint64_t epoch;
	uint64_t zxid;
	uint64_t prev;
	uint64_t hash;
	uint64_t vote_epoch;
	uint64_t vote_zxid;
	uint64_t vote_favour; /* 1: chosen by a leader that hands over */
};

#endif
