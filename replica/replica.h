/*
 * One member's state, and the rooms of its wiring. The path of a write:
 *
 *   net/front  ->  request.c  request_take: kept until answered, handed to the leader
 *   (net/link) ->  lead.c     lead_take: the leader's, from any member
 *                  write.c    write_prepare: a transaction (tree/prep), proposed (zab)
 *                  order.c    order_run: what zab says is persisted (store), sent (outbox.c)
 *   store      ->  order.c    order_completions: durable -> zab -> delivered (deliver.c)
 *                  write.c    write_deliver: applied (tree), changes, reply
 *
 * Reads are read.c, locks that are waited for await.c, quotas that are exceeded
 * quota.c, sessions attend.c, snapshots between members snap.c, what members
 * tell of themselves status.c, what an operator reads report.c, the fuzzy passes
 * imager.c, start-up recover.c. replica.c puts it together, loop.c and clock.c
 * tie it to sockets and clocks: the simulator has its own of those two, of net/
 * and of store/. Internal to the replica's top folder.
 */
#ifndef ZABFS_REPLICA_REPLICA_H
#define ZABFS_REPLICA_REPLICA_H

#include "replica/lib/conf.h"
#include "replica/lib/metrics.h"
#include "replica/net/front.h"
#include "replica/net/http.h"
#include "replica/net/link.h"
#include "replica/store/store.h"
#include "replica/tree/image.h"
#include "replica/tree/prep.h"
#include "replica/zab/zab.h"

#include <Judy.h>
#include <bsd/sys/queue.h>
#include <event2/event.h>
#include <uthash.h>

/*
 * Beyond it nothing is proposed: a write is answered ERR_BUSY, not executed, the front end tries
 * again. The longest transaction, a session's end, still goes on top.
 */
#define PROPOSED_BYTES_MAX (STORE_QUEUE_BYTES_MAX / 2)
/*
 * Operations of sessions' ends, and one end: beyond it those whose time is over wait, so that who
 * writes is served, too, and no turn of the loop is long.
 */
#define ENDING_MAX 4096
/* Requests of the front ends here that have no answer yet: of one session, and bytes of all. */
#define REQUESTS_MAX 8192
#define REFUSED_MAX (2 * WIRE_OUTSTANDING_MAX)
#define REQUESTS_BYTES_MAX (64u << 20)
#define HAND_OVERS_MAX 64
#define EVENT_WAITS_MAX 16384			/* readers of `.zab/events` that wait here */
#define EVENT_UNSENT_MAX (FRONT_UNSENT_MAX / 4) /* bytes unread by a mount; beyond, it asks again */
#define EVENT_TEXT_MAX 131072 /* bytes of lines in one reply; the last one may go beyond */
/* What waits for a quorum's word that this is the leader, and for rows to be applied (lead.c). */
#define LEAD_DOUBTS_MAX 65536
/* Requests that are ahead of the leader's tree (lead.c). */
#define LEAD_EARLY_MAX 4096
#define LEAD_EARLY_BYTES_MAX (16u << 20)
/* Of committed rows, applied in one turn of the loop: everybody else waits so long (rows.c). */
#define DELIVER_ROWS_MAX 4096u
#define DELIVER_BYTES_MAX (4u << 20)
/* Rows that the log keeps longer for who is being sent them; beyond, the connection is closed. */
#define OUTBOX_ROWS_MAX 2000000u
/* Batches for the image's thread: of a pass; of a snapshot, then its connection waits. */
#define IMAGER_BATCHES_MAX 4u
#define SNAP_BATCHES_MAX 8u

/* A logged row between its log order and its application. */
struct proposal {
	TAILQ_ENTRY(proposal) next;
	uint64_t zxid, prev_zxid, hash;
	uint64_t added_ns;
	uint32_t len;
	uint8_t payload[];
};
TAILQ_HEAD(proposals, proposal);

/* What waits for room on a member's connection, in order (outbox.c). */
struct parcel;
TAILQ_HEAD(parcels, parcel);
struct snap_out;
struct snap_in;

/* What a member does (status.c). Its numbers travel. */
enum status_doing {
	STATUS_RECOVERING, /* the log finishes or undoes what it was asked for */
	STATUS_ELECTING,
	STATUS_SYNCING,	 /* an epoch begins, or the leader's rows come in */
	STATUS_SNAPSHOT, /* its whole tree does */
	STATUS_SERVING,
	STATUS_DISK_FULL,
	STATUS_NO_VOTE, /* as ELECTING, but it can only wait for others to elect somebody */
	STATUS_DOINGS
};
#define STATUS_UNKNOWN UINT64_MAX /* a lag */

struct peer {
	uint32_t sid;
	uint64_t conn; /* 0: none */
	struct parcels outbox;
	bool ready;		     /* it is up to date, and is told so when this leader is, too */
	struct zab_message uptodate; /* by this */

	/* What it has told of itself on this connection (status.c). */
	bool told;
	bool spoke; /* since the last tick, whatever it said */
	struct wire_status status;
	uint64_t heard_ns;
	uint64_t lag; /* the leader's: transactions that it is behind */
};

/* A request of a front end that the ensemble has to answer (request.c). */
struct request {
	TAILQ_ENTRY(request) next;
	enum wire_type type; /* a write, SYNC or CLOSE */
	uint64_t rid;
	uint64_t taken_ns;
	uint32_t len;
	uint8_t packed[];
};
TAILQ_HEAD(requests, request);

/* What this member knows of a session beyond the replicated row. */
struct attendance {
	UT_hash_handle hh, by_front;
	uint64_t session;

	/* The leader's. */
	uint64_t deadline_ns; /* monotonic; the session is closed when it has passed */
	uint32_t member;      /* where it is attached; 0: not known */
	uint64_t serial;      /* the greatest that was heard of: what has a smaller one is void */
	Pvoid_t refused;      /* Judy1: rids of writes that there was no room for (write.c) */
	bool closing;

	/* Of the one that is attached here. */
	struct front *front; /* NULL: it isn't */
	uint64_t front_serial;
	Pvoid_t front_refused; /* likewise (request.c) */
	bool welcomed;	       /* the leader knows it */
	struct requests requests;
	uint32_t nrequests;
	Pvoid_t awaits; /* JudyL: zxid of a lock -> who waits for it (await.c) */
	uint32_t nawaits;
};

/* A front end that wants a new session. */
struct opening {
	LIST_ENTRY(opening) next;
	struct front *front;
	uint64_t serial;
	uint8_t secret[WIRE_SECRET_LEN]; /* by it the transaction is known again */
};

/* Asked of the leader and waiting for a quorum's word that it still leads (lead.c). */
struct doubt {
	STAILQ_ENTRY(doubt) next;
	uint64_t round;
	uint32_t member;
	uint64_t session, serial, rid;
	enum wire_type type; /* of the answer: SYNC, PONG or ATTACHED */
};

/* An answer that says more than is applied here yet (request.c). */
struct answer {
	STAILQ_ENTRY(answer) next;
	struct wire_answer message;
};

/* A request of a session that the leader has not applied the opening of yet (lead.c). */
struct early {
	STAILQ_ENTRY(early) next;
	uint32_t member;
	uint64_t session, serial;
	uint32_t len;
	uint8_t packed[];
};

/* Asked of the leader: another shall lead (handover.c). */
struct hand_over;

/* How a learner gets its history. */
enum figures_kind { FIGURES_DIFF, FIGURES_TRUNC, FIGURES_SNAP, FIGURES_KINDS };

/* What was counted since the start (figures.c, figures_text.c). */
struct figures {
	int64_t started_ns; /* since 1970 */
	uint64_t recovery_ns;
	uint64_t looking_ns; /* while it serves not: since when */
	uint64_t pass_ns;    /* while there is a pass: since when */
	uint64_t tick_ns;    /* the last one */
	struct metrics_histogram reads, writes, syncs, commits, fsyncs, elections, passes, delays;
	uint64_t proposed, committed, applied;
	uint64_t looked[ZAB_REASONS];
	uint64_t sent[FIGURES_KINDS], received[FIGURES_KINDS];
	uint64_t alarms, passes_failed;
	uint64_t expired, sessions_refused;
};

struct replica_options {
	const struct conf *conf; /* borrowed */
	uint32_t member;
	const char *dir;
	const char *socket;
	bool found;
};

struct loop;

struct replica {
	const struct conf *conf;
	uint32_t member;
	bool alone;	 /* the ensemble's only voter */
	bool observer;	 /* by the configuration */
	uint32_t voters; /* likewise, with this one if it is no observer */
	const char *dir; /* of the databases */
	struct loop *loop;
	struct front_server *fronts;
	struct links *links;
	struct http *http; /* NULL: nobody listens */

	struct store *store;
	struct tree *tree;
	struct prep *prep;
	struct zab *zab;
	msgpack_zone *zone, *delivery; /* cleared after each use */
	msgpack_sbuffer scratch;       /* likewise */

	/* What the core said last. */
	enum zab_role role;
	uint32_t leader; /* that is followed, or this member; 0: none */
	uint64_t epoch;	 /* its */
	bool serving;	 /* there is one, and this member is up to date */
	bool leading;	 /* it is this one: proposals are taken */
	bool changed;	 /* since the step's end was last looked after */
	bool stepping, looking_after;
	uint64_t step_ns; /* of the last step */

	/* The log. */
	struct proposals proposals;
	size_t proposed_bytes; /* payloads in `proposals`, at most PROPOSED_BYTES_MAX and one */
	struct peer *held;     /* nothing is read from it until the log has taken more; or NULL */
	uint64_t held_conn;
	struct store_durable durable;
	uint64_t op_asked, op_done;
	uint64_t sync_op; /* of the last synchronisation's commit */
	bool in_sync;	  /* a synchronisation is open */
	bool disk_full;
	bool recovering;       /* START follows when the log is idle */
	int64_t time_ns;       /* of the last transaction: the leader's clock never goes back */
	uint64_t deliver_upto; /* committed and durable here; the tree comes there in pieces */
	uint64_t serves_at; /* what the core calls serving begins when it is here; 0: it has … */
	struct zab_action serving_as; /* … as it said */
	uint64_t delivery_said_ns;    /* when the log was told how far it is */
	uint64_t catch_up;	      /* the tree is fuzzy until it has applied this; 0: it isn't */

	struct peer peers[CONF_MEMBERS_MAX];
	uint32_t npeers;
	struct snap_in *snap; /* being received */
	uint64_t told_ns;     /* when the others were last told of this one */
	uint64_t lag;	      /* behind the leader, as it said last */

	/* Sessions. */
	struct attendance *attendances; /* by session */
	struct attendance *attached;	/* those that are attached here, by front */
	LIST_HEAD(, opening) openings;
	size_t requests_bytes;
	STAILQ_HEAD(, answer) answers;
	uint32_t nanswers;
	uint64_t answers_due; /* the least zxid that one of them waits for */
	STAILQ_HEAD(, doubt) doubts;
	uint32_t ndoubts;
	uint64_t round_asked, round_confirmed;
	uint64_t refused_ns; /* when the log was told of sessions beyond sessions_max; 0: never … */
	uint64_t refused;    /* … and how many there were since */
	STAILQ_HEAD(, early) early;
	uint32_t nearly;
	size_t early_bytes;
	STAILQ_HEAD(, hand_over) hand_overs;
	uint32_t nhand_overs;		      /* at most HAND_OVERS_MAX */
	TAILQ_HEAD(, event_wait) event_waits; /* events.c */
	uint32_t nevent_waits;
	uint64_t handed_session, handed_rid; /* what this member has tried before: once is enough */
	uint64_t tick_ns;
	bool overdue;	     /* sessions wait for others to end before them (attend.c) */
	Pvoid_t quotas_said; /* JudyL: id -> when the log was told of it (quota.c) */

	struct image_pass *pass;
	uint64_t pass_next_ns;
	bool pass_ending;

	struct figures figures;

	void (*ready)(void *arg); /* once, when it serves for the first time */
	void *ready_arg;
};

/* replica.c. err: a clear line; the code is a sysexits(3) one. */
int replica_new(
    const struct replica_options *options, struct replica **out, char *err, size_t errlen);
void replica_free(struct replica *replica);
void replica_tick(struct replica *replica);		 /* each conf->tick_ms */
void replica_completions(struct replica *replica);	 /* the store has some */
void replica_deliver(struct replica *replica);		 /* when loop_deliver has asked for it */
extern const struct front_handler replica_front_handler; /* arg: the replica */
extern const struct link_handler replica_link_handler;
extern const struct http_handler replica_http_handler;
struct peer *replica_peer(struct replica *replica, uint32_t sid);
/* A reply that is its code alone: of no node, as of what is applied. */
void replica_answer(struct replica *replica, struct front *front, uint64_t rid, int code);

/* clock.c: monotonic; since 1970. */
uint64_t replica_now_ns(void);
int64_t replica_time_ns(void);
void replica_random(void *out, size_t len);

/* loop.c: sockets and timers. */
/* Whether it could listen now, wherever it has to: 0, or loop_new's code and line. */
int loop_try(const struct replica_options *options, char *err, size_t errlen);
int loop_new(struct event_base *base, struct replica *replica,
    const struct replica_options *options, char *err, size_t errlen);
void loop_free(struct loop *loop);
/* When order_timer is to be called; UINT64_MAX: not at all. */
void loop_arm(struct loop *loop, uint64_t due_ns);
/* replica_deliver is to be called in a later turn. */
void loop_deliver(struct loop *loop);
/* How many rows a turn applies at most. */
uint32_t loop_rows_max(const struct loop *loop);

/* recover.c: store opened, image loaded, log replayed. */
int recover(
    struct replica *replica, const struct replica_options *options, char *err, size_t errlen);
/*
 * The fuzzy tree is whole when it has what the image, or snapshot, may have caught: all up to this
 * zxid, 0: nothing. The second one looks whether it has by now.
 */
void recover_catch_up(struct replica *replica, uint64_t upto);
void recover_caught_up(struct replica *replica);

/* order.c: the only place that orders step, persist, send, deliver. */
void order_init(struct replica *replica);
void order_start(struct replica *replica);
/* For the next proposal; 0: not now, so much is under way. */
uint64_t order_next_zxid(const struct replica *replica);
void order_propose(struct replica *replica, uint64_t zxid, const struct txn *txn);
void order_confirm(struct replica *replica, uint64_t round);
void order_connected(struct replica *replica, struct peer *peer, uint64_t conn);
void order_disconnected(struct replica *replica, struct peer *peer, uint64_t conn);
void order_message(struct replica *replica, struct peer *peer, uint64_t conn,
    const struct zab_message *message, struct blob payload);
void order_heard(struct replica *replica, struct peer *peer);
extern const char *const order_reasons[ZAB_REASONS];
/* Leadership goes to a member that is up to date, without a lost or doubled write. */
void order_hand_over(struct replica *replica, uint32_t sid);
void order_timer(struct replica *replica); /* the core's, when it is due */
void order_completions(struct replica *replica);
void order_deliver(struct replica *replica); /* the next piece of what is committed */

/* deliver.c: what is committed, to the tree, in pieces. */
void deliver_upto(struct replica *replica, uint64_t upto);
void deliver_more(struct replica *replica); /* the next piece, if there is one */
void deliver_stop(struct replica *replica);
/* What the member is. It serves when the tree has what was delivered by now. */
void deliver_changed(struct replica *replica, const struct zab_action *action);
_Noreturn void deliver_undone(uint64_t zxid);

/* rows.c: the log as this member has it, what is on its way included. */
void rows_add(struct replica *replica, const struct store_row *row, uint64_t hash);
void rows_drop(struct replica *replica);
/* A row came in: whoever sends more of them than the log takes has to wait. */
void rows_hold_back(struct replica *replica, struct peer *peer, uint64_t conn);
void rows_go_on(struct replica *replica); /* the log has taken some */
/* The greatest row at or below zxid, and its chained hash; false: it is below the base. */
bool rows_look_up(struct replica *replica, uint64_t zxid, uint64_t *found, uint64_t *hash);
/* Whether there is this very row, or is no need to ask: it is applied. */
bool rows_has(struct replica *replica, uint64_t zxid);
/* Each row above `after` until row() says false. False: they are gone already. */
typedef bool (*rows_each)(void *arg, uint64_t zxid, uint64_t prev_zxid, struct blob payload);
bool rows_read(struct replica *replica, uint64_t after, rows_each row, void *arg);
/* As much of it as a turn may apply. False: there is more. */
bool rows_deliver(struct replica *replica, uint64_t upto);

/* message.c: the payload travels beside it. */
struct wire_zab message_to_wire(const struct zab_message *in);
struct zab_message message_from_wire(const struct wire_zab *in);

/* inbox.c: what comes from other members; what can't be ends the connection. */
void inbox_message(struct replica *replica, struct peer *peer, uint64_t conn,
    const struct wire_msg *msg, struct blob payload);

/* outbox.c: what goes to other members, no faster than they take it. */
void outbox_message(
    struct replica *replica, struct peer *peer, uint64_t conn, const struct zab_message *message);
void outbox_rows(struct replica *replica, struct peer *peer, const struct zab_action *action);
void outbox_snap(struct replica *replica, struct peer *peer, const struct zab_action *action);
void outbox_forget(struct replica *replica, struct peer *peer);
void outbox_clear(struct peer *peer);
void outbox_ready(struct replica *replica); /* this member leads: who waits for that is told */
void outbox_run(struct replica *replica, struct peer *peer);
/* Rows above it are still to be sent to somebody; UINT64_MAX: none are. */
uint64_t outbox_needed(const struct replica *replica);

/* status.c: what members tell each other of themselves. */
void status_up(struct replica *replica, struct peer *peer); /* a connection */
void status_changed(struct replica *replica);		    /* the role */
/* False: no member says that. */
bool status_take(struct replica *replica, struct peer *peer, const struct wire_status *status);
void status_tick(struct replica *replica, uint64_t now_ns);
void status_own(const struct replica *replica, struct wire_status *out);
/* Of any member. False: unreachable. */
bool status_member(const struct replica *replica, uint32_t sid, struct wire_status *out);

/* report.c: what this member knows, as text. */
void report_request(struct replica *replica, struct front *front, const struct wire_report *msg);
/* Whether it serves, up to date, with a quorum; why: what it does instead. */
bool report_ready(const struct replica *replica, char *why, size_t len);

/* figures.c: what is counted, where it happens; figures_text.c */
void figures_started(struct replica *replica, uint64_t begun_ns);
void figures_action(struct replica *replica, const struct zab_action *action); /* to be done */
void figures_delivered(struct replica *replica, const struct proposal *proposal);
void figures_answered(struct replica *replica, const struct request *request);
void figures_tick(struct replica *replica, uint64_t now_ns);
void figures_text(const struct replica *replica, msgpack_sbuffer *out);

/* handover.c: the leader's part in handing over to a named member. */
void handover_take(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_hand_over *msg);
void handover_tick(struct replica *replica);
void handover_drop(struct replica *replica);

/* events.c: what changes below a directory, as text. */
void events_request(struct replica *replica, struct front *front, const struct wire_events *msg);
void events_applied(struct replica *replica, const struct txn *txn);
void events_front_gone(struct replica *replica, const struct front *front);
void events_drop(struct replica *replica);
/* Who reads what happens below `dir`, in a mount that begins at `root`: ids of directories. */
struct event_reader {
	uint64_t root, dir;
};
/*
 * event_text.c: appends a line for each of the transaction's operations from `first` on that
 * concerns the reader, until there are EVENT_TEXT_MAX bytes. The number of the next operation.
 */
uint32_t event_text(const struct tree *tree, const struct event_reader *reader,
    const struct txn *txn, uint32_t first, msgpack_sbuffer *out);

/* quota.c: those that are exceeded. */
void quota_applied(struct replica *replica); /* a transaction */
void quota_tick(struct replica *replica);
void quota_drop(struct replica *replica);

/* reap.c: nodes that go by themselves. */
void reap_tick(struct replica *replica);

/* snap.c: the tree in pieces. */
struct snap_out *snap_out_new(uint64_t attempt);
void snap_out_free(struct snap_out *snap);
/* One piece to the peer; false: it was the last. */
bool snap_out_next(struct replica *replica, struct snap_out *snap, const struct peer *peer);
void snap_in_begin(struct replica *replica, struct peer *peer, uint64_t attempt, uint64_t zxid);
/* False: it is none. */
bool snap_in_piece(
    struct replica *replica, struct peer *peer, uint64_t conn, const struct wire_piece *piece);
/* Whether every piece is there. */
bool snap_in_complete(const struct replica *replica);
uint32_t snap_in_percent(const struct replica *replica); /* 100: only once it is in force */
void snap_in_more(struct replica *replica);		 /* the disk has taken some */
void snap_in_force(struct replica *replica);
void snap_in_abort(struct replica *replica);

/* request.c: from the front ends here to the leader, and the answers. */
void request_take(struct replica *replica, struct front *front, const struct wire_msg *msg);
void request_ping(struct replica *replica, struct front *front, const struct wire_ping *ping);
/* Everything that has no answer, to a new leader. */
void request_again(struct replica *replica, struct attendance *attendance);
/* The answer is there. False: nobody waits for it here. */
bool request_done(struct replica *replica, struct attendance *attendance, uint64_t rid);
/* Whether the front end waits here for the answer to this one. */
bool request_waits(struct replica *replica, const struct front *front, uint64_t rid);
/* None of them was executed, nor will be. */
void request_fail(struct replica *replica, struct attendance *attendance, int code);
void request_free(struct replica *replica, struct attendance *attendance);
/* False: more of them wait to be said than can have been asked for. */
bool request_answer(struct replica *replica, const struct wire_answer *answer);
void request_applied(struct replica *replica);
void request_drop(struct replica *replica); /* answers that wait for what will not come */

/* lead.c: the leader's part in what front ends of all members ask for. */
void lead_take(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_msg *msg);
void lead_attach(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial);
void lead_open(struct replica *replica, uint32_t member, const struct wire_open *open);
/* To whom asked, here or at another member; epoch: filled in. */
void lead_answer(struct replica *replica, uint32_t member, const struct wire_answer *answer);
/* Likewise, to this request, but for a write that is proposed: its transaction is the answer. */
void lead_reply(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_msg *msg, int code, uint64_t zxid);
void lead_run(struct replica *replica); /* what had to wait */
void lead_drop(struct replica *replica);

/* write.c */
/*
 * FIFO: a write that was refused for want of room is not overtaken by a later one of its session,
 * until it comes again, or `acked` says that it never will. Who refuses keeps the rids, at most
 * REFUSED_MAX: who has more outstanding than wire.h allows is promised nothing.
 */
bool write_overtakes(Pvoid_t *refused, uint64_t rid, uint64_t acked);
void write_refused(Pvoid_t *refused, uint64_t rid, bool is_refused);
void write_forget_refused(Pvoid_t *refused);
void write_prepare(struct replica *replica, uint32_t member, uint64_t session, uint64_t serial,
    const struct wire_msg *msg);
void write_deliver(struct replica *replica, uint64_t zxid, struct blob payload);
/* To a front end here: the result of a write that was executed before. */
void write_answer(
    struct replica *replica, struct front *front, const struct session_result *result);
/* The transaction's clock: never behind what the tree has. */
int64_t write_time_ns(struct replica *replica);
void write_time_seen(struct replica *replica, int64_t time_ns);

/* read.c */
void read_request(struct replica *replica, struct front *front, const struct wire_msg *msg);

/* await.c: locks that front ends here wait for. */
void await_take(struct replica *replica, struct front *front, const struct wire_await *msg);
void await_applied(struct replica *replica); /* a transaction */
void await_free(struct attendance *attendance);

/* watch.c: changes to those whose kernels know the nodes. */
void watch_send(struct replica *replica, const struct txn *txn);
void watch_resume(struct replica *replica, struct front *front);

/* attend.c: who is attached where. */
struct attendance *attend_find(struct replica *replica, uint64_t session);
void attend_hello(struct replica *replica, struct front *front, const struct wire_hello *hello);
void attend_opened(struct replica *replica, const struct txn *txn);
void attend_refused(struct replica *replica, struct blob secret, int code); /* an opening */
void attend_attached(struct replica *replica, const struct wire_attached *attached);
void attend_closed(struct replica *replica, uint64_t session, bool expired);
void attend_rearm(struct replica *replica, struct attendance *attendance);
bool attend_close(struct replica *replica, uint64_t session, bool expired);
void attend_gone(struct replica *replica, struct front *front); /* the connection */
/* There is a leader, another one than before, or none. */
void attend_changed(struct replica *replica);
/* The log took nothing of what was asked for, and there is no other member's. */
void attend_full(struct replica *replica);
void attend_kick_all(struct replica *replica, const char *why);
/* The tree is another: sessions may have ended without a transaction that says so. */
void attend_forget_ended(struct replica *replica);
void attend_tick(struct replica *replica, uint64_t now_ns);
void attend_go_on(struct replica *replica); /* some of what was under way may be over */
void attend_free(struct replica *replica);

/* imager.c */
void imager_tick(struct replica *replica, uint64_t now_ns);
void imager_done(struct replica *replica, bool ok);
/* A snapshot takes the image's place. */
void imager_abort(struct replica *replica);

#endif
