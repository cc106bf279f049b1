/*
 * Shared by the link's files: link.c (the session and its interface),
 * link_open.c (the way to a replica, until it welcomes us), link_conn.c (the
 * connection that the session is attached to), link_queue.c (requests and
 * answers), link_order.c (who waits for whom), link_clock.c (deadlines and
 * pings). Nobody else includes it.
 *
 * A request is in one of the two queues `waiting` or, once it is on the present
 * connection, in `wired`. Writes are in the order of link_request in both. What is
 * wired goes back to the front of its queue when the connection ends.
 */
#ifndef ZABFS_FSD_LINK_INTERNAL_H
#define ZABFS_FSD_LINK_INTERNAL_H

#include "fsd/clock.h"
#include "fsd/link.h"
#include "replica/lib/conn.h"
#include "replica/lib/dial.h"

#include <Judy.h>
#include <bsd/sys/queue.h>

#define LINK_RETRY_MS_MIN 10 /* between rounds over the addresses, doubled each time */
#define LINK_RETRY_MS_MAX 500
#define LINK_HOME_MS 1000   /* between attempts to get back to the first address */
#define LINK_ATTEMPT_MS 500 /* for one address, doubled each round up to a third of the timeout */
#define LINK_BUSY_MS 10	    /* what the replica couldn't take is sent again after */
#define LINK_UNSENT_MAX (256u << 20)   /* the interest in FRONT_INTEREST_MAX nodes, and more */
#define LINK_WIRED_MAX (32u << 20)     /* half of what the replica keeps for who doesn't read */
#define LINK_REPORT_BYTES (128u << 10) /* more than a REPORT's answer has */
#define LINK_NOBODY SIZE_MAX
#define LINK_READ_BIT (UINT64_C(1) << 63) /* rids of reads: above all writes' */

struct link_request {
	TAILQ_ENTRY(link_request) next;
	struct wire_msg msg; /* its blobs are in `blobs` */
	uint64_t rid;
	uint64_t order;	 /* of link_request */
	uint64_t number; /* of a write that was sent: the order of that; 0: never sent */
	uint64_t started_ns;
	bool write;
	bool resent; /* a process before us may have sent it, in the session that it left */
	bool
	    doubtful; /* on a connection that ended: may have been executed, whatever is said now */
	TAILQ_ENTRY(link_request) barrier;
	uint64_t barrier_parent;
	bool is_barrier;
	bool bound; /* to the session */
	bool wired; /* in which of the queues */
	int code;   /* link_fail's */
	link_done done;
	void *arg;
	uint8_t blobs[];
};
TAILQ_HEAD(link_requests, link_request);

/* On its way to be the session's connection. */
struct link_opening {
	size_t address;		     /* that is tried, or will be next */
	size_t left;		     /* of the round, with that one */
	size_t silent;		     /* the last one that let us wait in vain; LINK_NOBODY */
	uint64_t begun_ns;	     /* this attempt */
	struct resolver **resolvers; /* each address's */
	struct dial *dial;	     /* connecting */
	struct conn *conn; /* HELLO is sent; both NULL: the timer runs, or nobody else is wanted */
	uint64_t hello_ns; /* sent */
	uint32_t limit_ms; /* of an attempt */
	uint32_t retry_ms; /* until the next round */
	struct event *timer; /* the next attempt */
	bool told;	     /* that there is no replica */
	uint64_t
	    gap_ns; /* since when nobody is found whose log reaches back; 0: nobody was asked */
};

struct link {
	struct event_base *base;
	struct link_options options; /* addresses and identity: borrowed */
	const struct link_handler *handler;
	void *arg;

	enum link_state state;
	struct link_opening opening;
	struct conn *conn; /* that the session is attached by; NULL: none */
	size_t address;	   /* its */
	bool resumed;	   /* RESUMED has come on this connection */

	uint64_t session;
	uint8_t secret[WIRE_SECRET_LEN];
	uint32_t timeout_ms;
	uint32_t replica;
	uint64_t seen;
	bool seen_known;	     /* before the first WELCOME there is nothing to have seen */
	uint64_t inherited;	     /* the session that another process left; 0: none */
	bool doubt;		     /* what another process gave up may have been executed */
	struct link_kept *kept, own; /* the options', or else our own */

	uint64_t deadline_ns;
	uint64_t ping_ns; /* sent */
	uint64_t heard_ns;
	struct event *clock; /* deadlines, pings */
	struct event *again; /* after ERR_BUSY */
	bool busy;	     /* until then */

	struct link_requests waiting[2], wired; /* reads, writes: a stream brings many at once */
	size_t
	    wired_reads; /* bytes that the answers may have, at most LINK_WIRED_MAX or one read */
	size_t wired_writes;		     /* bytes of data, likewise */
	TAILQ_HEAD(, link_request) barriers; /* unanswered writes that later reads wait for */
	TAILQ_HEAD(, link_hold) holds;	     /* writes that are to come, in order */
	Pvoid_t by_rid;			     /* JudyL: rid -> request; writes come first */
	struct link_request *least;	     /* the first of these writes; NULL: look */
	Pvoid_t abandoned; /* Judy1: rids of writes that were given up, and may yet be executed */
	uint64_t requests, orders, numbers, reads;
	uint64_t attachments;
	uint64_t rid_last;

	void (*closed)(void *arg);
	void *closed_arg;
	uint64_t close_ns; /* when waiting for BYE ends */
};

void link_set_state(struct link *link, enum link_state state);
void link_saw(struct link *link, uint64_t zxid);
/* From which on the changes are wanted. */
uint64_t link_replay(const struct link *link);
void link_finished(struct link *link); /* link_close's callback, once */
void link_again(struct link *link);    /* what was refused for now is asked for once more */

/* link_open.c */
void link_open_init(struct link *link);
void link_open_free(struct link *link);
/* If another replica is wanted, and nobody is looking for one: now. */
void link_seek(struct link *link);
/* A new round over the addresses, after a moment; who was silent comes last. */
void link_seek_again(struct link *link);
/* An attempt that takes too long. */
void link_open_check(struct link *link, uint64_t now_ns);

/* link_conn.c */
/* The opening's connection was welcomed: from now on it is the session's. */
void link_attach(struct link *link, const struct wire_welcome *welcome);
void link_drop(struct link *link, const char *why);
void link_expire(struct link *link);

/* link_queue.c */
/* It is a write, and may have been executed. */
bool link_is_doubtful(const struct link_request *request);
/* A process before us may have executed it, in a session that is over: never sent in another one. */
bool link_is_of_old(const struct link *link, const struct link_request *request);
/* Whether anything is to be sent. */
bool link_waits(const struct link *link);
void link_pump(struct link *link);
void link_reply(struct link *link, const struct wire_reply *reply);
/* What is asked without a session, by a connection that has said no HELLO yet; and the answer. */
void link_ask(struct link *link, struct conn *conn);
void link_told(struct link *link, const struct wire_reply *reply);
/* Whether the mount takes old state for an answer: what asks for a leader is answered by none. */
bool link_may_be_old(const struct link *link, const struct link_request *request);
/* Everything that was on the connection waits again. */
void link_unwire(struct link *link);
/* Ends those for which `dead` says a code. */
void link_fail(
    struct link *link, int (*dead)(struct link *link, const struct link_request *request));

/* link_order.c */
bool link_is_behind_barrier(const struct link *link, const struct link_request *request);
/*
 * The write is here; behind the last of its hold nobody waits any more. Its order, 0: it was not
 * held for.
 */
uint64_t link_hold_take(struct link *link, uint64_t rid);
/* Whether it comes behind a write that is to come. */
bool link_is_held_back(const struct link *link, const struct link_request *write);

/* link_clock.c */
void link_clock_init(struct link *link);
/* The deadline has passed, whether the clock has come to it or not. */
bool link_is_over(const struct link *link, uint64_t now_ns);
/* So little of a write's time is left that the answer to another attempt could come too late. */
bool link_is_late(const struct link *link, const struct link_request *request);
/* Nothing is heard on the connection for longer than pings take. */
bool link_is_silent(const struct link *link, uint64_t now_ns);
/* Nothing is heard, or nothing of a leader, for so long that another replica may do better. */
bool link_in_trouble(const struct link *link);

#endif
