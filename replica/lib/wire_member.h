/*
 * The messages between members of an ensemble, in the same frames and by the
 * same decoder as those of front ends. Included by wire.h alone.
 *
 * A link opens with LINK in both directions; whoever gets one that does not
 * fit closes the connection. Then, in any order:
 *
 * Consensus: ZAB carries a message of the core (replica/zab/message.h, field
 * by field); a row's payload follows in it, and where that is longer than one
 * frame takes, its first bytes come in PARTs before it. PIECEs are a
 * snapshot's, behind the ZAB that announces it and named by the same attempt.
 *
 * Sessions. A front end's requests that concern the ensemble go to the leader;
 * `epoch` is the leader's, and what names another one is void. A session that
 * attaches to a member is announced by ATTACH; `serial` is HELLO's: it grows
 * with each connection of the session, and what comes with a smaller one than
 * the leader has seen was sent before the session moved: ERR_MOVED.
 *   member -> leader   OPEN, ATTACH, FORWARD (a packed write, PING, CLOSE, SYNC or HAND_OVER)
 *   leader -> member   OPENED (a refusal only), ATTACHED, ANSWER
 * A write's answer is its transaction, delivered to every member. ANSWER says
 * the rest, for the front end, once everything up to `zxid` is applied there;
 * rid: of the request, or PING's sent_ns. type: REPLY to a write (ERR_OK: it was
 * executed before, its result is in the session's retry table), SYNC, HAND_OVER, PONG or BYE.
 *
 * What each is doing: STATUS, to all, about once a second and when the role changes.
 */
#ifndef ZABFS_LIB_WIRE_MEMBER_H
#define ZABFS_LIB_WIRE_MEMBER_H

#define WIRE_LINK_PROTO 2
#define WIRE_PART_MAX WIRE_VALUE_MAX		 /* bytes of payload in one frame */
#define WIRE_PIECE_MAX (WIRE_VALUE_MAX + 2048)	 /* rows of an image; the largest row fits alone */
#define WIRE_REQUEST_MAX (WIRE_VALUE_MAX + 1024) /* a packed request */

/* sid: the sender. to: whom it means. members: a hash of all members' ids, roles and addresses. */
#define WIRE_LINK(F, S)                                                                            \
	F(S, u32, proto, 0)                                                                        \
	F(S, u32, sid, 0)                                                                          \
	F(S, u32, to, 0)                                                                           \
	F(S, u64, members, 0)                                                                      \
	F(S, blob, cluster, 255)

#define WIRE_ZAB(F, S)                                                                             \
	F(S, u32, type, 0)                                                                         \
	F(S, u32, role, 0)                                                                         \
	F(S, u32, flags, 0)                                                                        \
	F(S, u32, vote_sid, 0)                                                                     \
	F(S, u64, attempt, 0)                                                                      \
	F(S, u64, round, 0)                                                                        \
	F(S, u64, epoch, 0)                                                                        \
	F(S, u64, zxid, 0)                                                                         \
	F(S, u64, prev, 0)                                                                         \
	F(S, u64, hash, 0)                                                                         \
	F(S, u64, vote_epoch, 0)                                                                   \
	F(S, u64, vote_zxid, 0)                                                                    \
	F(S, u64, vote_favour, 0)                                                                  \
	F(S, blob, payload, WIRE_PART_MAX)
#define WIRE_PART(F, S) F(S, blob, payload, WIRE_PART_MAX)

/*
 * last: the image is complete; upto: rows up to it may show in the image; next_id: the tree's;
 * total: rows that all pieces have, about.
 */
#define WIRE_PIECE(F, S)                                                                           \
	F(S, u64, attempt, 0)                                                                      \
	F(S, u32, last, 0)                                                                         \
	F(S, u64, upto, 0)                                                                         \
	F(S, u64, next_id, 0)                                                                      \
	F(S, u64, total, 0)                                                                        \
	F(S, blob, rows, WIRE_PIECE_MAX)

#define WIRE_OPEN(F, S)                                                                            \
	F(S, u64, epoch, 0)                                                                        \
	F(S, blob, secret, WIRE_SECRET_LEN)                                                        \
	F(S, u32, timeout_ms, 0)                                                                   \
	F(S, blob, identity, WIRE_IDENTITY_MAX)
#define WIRE_OPENED(F, S)                                                                          \
	F(S, u64, epoch, 0)                                                                        \
	F(S, blob, secret, WIRE_SECRET_LEN)                                                        \
	F(S, i32, code, 0)
#define WIRE_ATTACH(F, S) F(S, u64, epoch, 0) F(S, u64, session, 0) F(S, u64, serial, 0)
#define WIRE_ATTACHED(F, S)                                                                        \
	F(S, u64, epoch, 0)                                                                        \
	F(S, u64, session, 0)                                                                      \
	F(S, u64, serial, 0)                                                                       \
	F(S, i32, code, 0)
#define WIRE_FORWARD(F, S)                                                                         \
	F(S, u64, epoch, 0)                                                                        \
	F(S, u64, session, 0)                                                                      \
	F(S, u64, serial, 0)                                                                       \
	F(S, blob, request, WIRE_REQUEST_MAX)
#define WIRE_ANSWER(F, S)                                                                          \
	F(S, u64, epoch, 0)                                                                        \
	F(S, u64, session, 0)                                                                      \
	F(S, u64, serial, 0)                                                                       \
	F(S, u32, type, 0) /* of enum wire_type */                                                 \
	F(S, u64, rid, 0)                                                                          \
	F(S, i32, code, 0)                                                                         \
	F(S, u64, zxid, 0)

/*
 * role: of enum zab_role; doing: of enum status_doing (replica/replica.h); percent: of a snapshot
 * that comes in; zxid: applied; lag: transactions behind the leader, as it said last; yours: as the
 * leader says now of the one that is told. UINT64_MAX: not known.
 */
#define WIRE_STATUS(F, S)                                                                          \
	F(S, u32, role, 0)                                                                         \
	F(S, u32, doing, 0)                                                                        \
	F(S, u32, percent, 0)                                                                      \
	F(S, u64, epoch, 0)                                                                        \
	F(S, u64, zxid, 0)                                                                         \
	F(S, u64, lag, 0)                                                                          \
	F(S, u64, yours, 0)

#define WIRE_ALL_MEMBER(M)                                                                         \
	M(LINK, link, 60)                                                                          \
	M(ZAB, zab, 61)                                                                            \
	M(PART, part, 62)                                                                          \
	M(PIECE, piece, 63)                                                                        \
	M(OPEN, open, 64)                                                                          \
	M(OPENED, opened, 65)                                                                      \
	M(ATTACH, attach, 66)                                                                      \
	M(ATTACHED, attached, 67)                                                                  \
	M(FORWARD, forward, 68)                                                                    \
	M(ANSWER, answer, 69)                                                                      \
	M(STATUS, status, 70)

#endif
