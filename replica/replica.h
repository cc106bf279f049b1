/*
 * One member's state, and the rooms of its wiring. The path of a write:
 *
 *   net/front  ->  write.c   write_request: prepared (tree/prep), proposed (zab)
 *                  order.c   order_run: what zab says is persisted (store)
 *   store      ->  order.c   order_completions: durable -> zab -> delivered
 *                  write.c   write_deliver: applied (tree), changes, reply
 *
 * Reads are read.c, sessions and their deadlines attend.c, the fuzzy passes
 * imager.c, start-up recover.c. replica.c puts it together. Internal to the
 * replica's top folder.
 */
#ifndef ZABFS_REPLICA_REPLICA_H
#define ZABFS_REPLICA_REPLICA_H

#include "replica/lib/conf.h"
#include "replica/net/front.h"
#include "replica/store/store.h"
#include "replica/tree/image.h"
#include "replica/tree/prep.h"
#include "replica/zab/zab.h"

#include <bsd/sys/queue.h>
#include <event2/event.h>
#include <uthash.h>

/* Beyond it a write is answered ERR_BUSY, not executed: the front end tries again. */
#define PROPOSED_BYTES_MAX (STORE_QUEUE_BYTES_MAX / 2)

/* A proposal between its zxid and its application. */
struct proposal {
	STAILQ_ENTRY(proposal) next;
	uint64_t zxid;
	struct front *opener; /* waits for WELCOME; NULL: nobody, or gone */
	uint32_t len;
	uint8_t payload[];
};
STAILQ_HEAD(proposals, proposal);

/* What this member knows of a session beyond the replicated row. */
struct attendance {
	UT_hash_handle hh;
	uint64_t session;
	uint64_t deadline_ns; /* monotonic; the session is closed when it has passed */
	struct front *front;  /* NULL: not attached */
	bool closing;
};

struct replica_options {
	const struct conf *conf; /* borrowed */
	uint32_t member;
	const char *dir;
	const char *socket;
	bool found;
};

struct replica {
	const struct conf *conf;
	uint32_t member;
	const char *dir; /* of the databases */
	struct event_base *base;
	struct event *tick, *completions, *timer;
	struct front_server *fronts;

	struct store *store;
	struct tree *tree;
	struct prep *prep;
	struct zab *zab;
	bool leading;		 /* as the core said last: proposals are taken */
	msgpack_zone *zone;	 /* cleared after each use */
	msgpack_sbuffer scratch; /* likewise */

	struct proposals proposals;
	size_t proposed_bytes; /* payloads in `proposals`, at most PROPOSED_BYTES_MAX */
	bool disk_full;
	struct store_durable durable;
	uint64_t asked_op, done_op; /* of the log */
	bool recovering;	    /* START follows when the log is idle */
	int64_t time_ns; /* of the last transaction: the leader's clock never goes back */

	struct attendance *attendances;
	uint64_t tick_ns;

	struct image_pass *pass;
	uint64_t pass_next_ns;
	bool pass_ending;

	void (*ready)(void *arg); /* once, at the first leadership */
	void *ready_arg;
};

/* replica.c. err: a clear line; the code is a sysexits(3) one. */
int replica_new(struct event_base *base, const struct replica_options *options,
    struct replica **out, char *err, size_t errlen);
void replica_free(struct replica *replica);
uint64_t replica_now_ns(void); /* monotonic */

/* recover.c: store opened, image loaded, log replayed. */
int recover(
    struct replica *replica, const struct replica_options *options, char *err, size_t errlen);

/* order.c: the only place that orders step, persist, deliver. */
void order_init(struct replica *replica);
void order_start(struct replica *replica);
void order_propose(
    struct replica *replica, uint64_t zxid, const struct txn *txn, struct front *opener);
void order_timer(struct replica *replica); /* the core's, when it is due */
void order_completions(struct replica *replica);

/* write.c */
void write_request(struct replica *replica, struct front *front, const struct wire_msg *msg);
void write_deliver(struct replica *replica, const struct proposal *proposal);
/* A proposal that will never be: everyone who waits for it gets ERR_NOSPC. */
void write_drop(struct replica *replica, const struct proposal *proposal);
/* The transaction's clock. */
int64_t write_time_ns(struct replica *replica);

/* read.c */
void read_request(struct replica *replica, struct front *front, const struct wire_msg *msg);

/* watch.c: changes to those whose kernels know the nodes. */
void watch_send(struct replica *replica, const struct txn *txn);
void watch_resume(struct replica *replica, struct front *front);

/* attend.c */
void attend_hello(struct replica *replica, struct front *front, const struct wire_hello *hello);
void attend_opened(struct replica *replica, const struct txn *txn, struct front *opener);
void attend_close(struct replica *replica, struct front *front);
void attend_closed(struct replica *replica, uint64_t session, bool expired);
/* The transaction that would have ended the session is void. */
void attend_close_dropped(struct replica *replica, uint64_t session);
void attend_heard(struct replica *replica, uint64_t session);
void attend_gone(struct replica *replica, struct front *front); /* the connection */
struct front *attend_front(struct replica *replica, uint64_t session);
void attend_tick(struct replica *replica, uint64_t now_ns);
void attend_rearm(struct replica *replica); /* every session gets a full timeout */
void attend_free(struct replica *replica);

/* imager.c */
void imager_tick(struct replica *replica, uint64_t now_ns);
void imager_done(struct replica *replica, bool ok);

#endif
