/*
 * The link to a replica: one session, kept over reconnects. Requests go in,
 * each is answered exactly once, whatever happens to the connection: what was
 * sent and not answered is sent again after a reattach (the replica knows a
 * write by its rid), what cannot be answered in time fails with the errno of
 * the table of errors in zabfs(7). The fsd handlers are its only users; echo and
 * invalidation hang on `change`.
 *
 * The session moves: to another replica when its own is gone, silent, or has
 * had no word of a leader for long, and back to the first address as soon as
 * that one takes it. The old connection serves until the new one is welcomed.
 *
 * Deadlines. The session's deadline starts at the moment the last answered
 * ping was *sent*. While it has not passed, reads wait for a reconnect; after
 * it they fail with ERR_NOQUORUM. A write waits up to the session timeout from
 * its own start: then ERR_NOQUORUM if it was never sent, or refused each time, ERR_UNKNOWN if
 * nobody knows. Nor does anybody, if it was sent in a session that is over. One that is refused when little of that is left is not sent again.
 * At most WIRE_OUTSTANDING_MAX writes are on the wire, and 32 MiB in each
 * direction; others wait here. A REPORT needs a replica, and no session: it waits up to the
 * timeout from its own start, whatever the deadline.
 *
 * A session that another process began is told all changes since kept.replay, and
 * goes to no replica that has not seen what kept.seen says.
 */
#ifndef ZABFS_FSD_LINK_H
#define ZABFS_FSD_LINK_H

#include "replica/lib/wire.h"

#include <event2/event.h>

struct link;
struct link_request;

enum link_state { LINK_CONNECTING, LINK_CONNECTED, LINK_SUSPENDED, LINK_EXPIRED };

struct link_handler {
	/*
	 * A change made elsewhere (or ours, through .zab): in order, before any later reply.
	 * Borrowed.
	 */
	void (*change)(void *arg, const struct wire_change *change);
	/* The log no longer reaches back: distrust everything that the kernel caches. */
	void (*lost)(void *arg);
	/*
	 * state changed: SUSPENDED when the deadline has passed, EXPIRED when the session is known
	 * to be gone (its held nodes and ephemerals too); then a new one is made: CONNECTED.
	 */
	void (*state)(void *arg, enum link_state state);
	/*
	 * For a reattach: call link_interest for each node that the kernel knows. The changes
	 * begin with the first that may not have been seen, or told.
	 */
	void (*interests)(void *arg, struct link *link);
};

/* What another process needs to go on with the session (kept.h). */
struct link_kept {
	uint64_t session; /* 0: none */
	uint8_t secret[WIRE_SECRET_LEN];
	uint32_t timeout_ms;
	uint32_t abandoned; /* writes that were given up, and may yet be executed */
	uint64_t seen;
	uint64_t replay; /* changes since then may not have been told; 0: all have been */
	uint64_t deadline_ns;
	uint64_t rid_last;
};

struct link_address {
	const char *text; /* as dial.h has it; borrowed */
	uint32_t member;  /* whose it is; 0: not known */
};

struct link_options {
	/* The first one, the node's own replica, is preferred. Borrowed. */
	const struct link_address *addresses;
	size_t naddresses;
	uint32_t timeout_ms;
	const char *identity;
	bool stale; /* reads go on after the deadline, as long as a replica answers */
	/* Written as it changes; begun with, if there is a session in it. Borrowed; NULL: none. */
	struct link_kept *kept;
};

struct link *link_new(struct event_base *base, const struct link_options *options,
    const struct link_handler *handler, void *arg);
void link_free(struct link *link);

/*
 * Sends a request. A write's rid is taken as it is (a FUSE unique: above those
 * of all writes before), `acked` is filled in here; a read's rid is chosen
 * here. resent: a process before us may have sent it, too: its answer is lost with the session
 * that it left. done() is called exactly once, never from inside link_request, unless
 * link_cancel says true. reply: borrowed; for a failure made here only code is
 * set. msg is copied as far as it must live on.
 */
typedef void (*link_done)(void *arg, const struct wire_reply *reply);
struct link_request *link_request(
    struct link *link, const struct wire_msg *msg, bool resent, link_done done, void *arg);

/*
 * Nobody waits for this write (a RELEASE's), and yet what the same process
 * does next comes after it: later reads and writes of the node, lookups and
 * creations of names in the directory `parent` (0: unknown), wait until it is
 * answered. It may be sent more than once, so the connection's order is not enough.
 */
void link_barrier(struct link *link, struct link_request *request, uint64_t parent);

/*
 * Writes with rids from this one to the last are to come, when their caller has read something, or
 * others are answered: those that are asked for later wait, until link_request has the last, or
 * there will be no more (which may be said of any rid, not of one that another hold has).
 */
void link_hold(struct link *link, uint64_t rid, uint64_t last);
void link_unhold(struct link *link, uint64_t rid);

/*
 * This write is for the session that there is: in a later one it is not executed, and fails with
 * ERR_EXPIRED. (Others that were not sent yet go on.)
 */
void link_bind(struct link_request *request);

/*
 * The caller does not wait any longer. True: it isn't executed, never will be,
 * and done is not called. False: it is on its way, and done will be called.
 */
bool link_cancel(struct link *link, struct link_request *request);

/* Takes `count` answers that named the node off the replica's interest. */
void link_forget(struct link *link, uint64_t id, uint32_t count);
void link_interest(struct link *link, uint64_t id, uint32_t count);

/*
 * Closes the session (ephemerals go at once); closed() when it is answered, or after
 * `timeout_ms`.
 */
void link_close(struct link *link, uint32_t timeout_ms, void (*closed)(void *arg), void *arg);

struct link_figures {
	uint64_t requests;    /* since the start */
	uint64_t attachments; /* connections that the session was attached by */
	uint32_t waiting;     /* requests without an answer */
	uint32_t writes;      /* those on their way that change something */
};
struct link_figures link_figures(const struct link *link);
enum link_state link_get_state(const struct link *link);
/* Connected, and what was missed is told: on the way to another replica the session goes on. */
bool link_is_current(const struct link *link);
uint64_t link_session(const struct link *link);	   /* 0: none yet */
uint64_t link_zxid(const struct link *link);	   /* last seen */
uint32_t link_timeout_ms(const struct link *link); /* as granted */
uint32_t link_replica(const struct link *link);	   /* member id */
uint64_t link_rid_last(const struct link *link);   /* the highest of any write so far */
/* Whether the write was given up (ERR_UNKNOWN), and may still be executed. */
bool link_is_abandoned(const struct link *link, uint64_t rid);

#endif
