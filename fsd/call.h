/*
 * A request of the kernel that waits for the replica: what the handler needs
 * to remember until the answer comes. One call may send several messages, one
 * after another.
 *
 * The process may stop waiting (interrupt.c): then req is NULL, and the answer
 * is still handled when it comes, for what it changes here. So every reply goes
 * through reply.h, which says whether the kernel took it, and a handler that
 * gave something away (a reference, a file handle) takes it back if not.
 */
#ifndef ZABFS_FSD_CALL_H
#define ZABFS_FSD_CALL_H

#include "fsd/fsd.h"
#include "fsd/handle.h"
#include "fsd/modifier.h"

#include <bsd/sys/queue.h>
#include <errno.h>

struct call;

/*
 * Where an operation on a name below a number really goes: the directory's id,
 * how it is qualified, and whether it must be told back as a change (zab.h).
 */
struct zab_target {
	uint64_t dir;
	struct modifier modifier;
	uint32_t flags; /* WIRE_ECHO */
};

/*
 * The answer. stat: the reply's, NULL if it has none. A failure has reply->code
 * set, and no stat. Either sends another message or ends with call_free.
 */
typedef void (*call_done)(
    struct call *call, const struct wire_reply *reply, const struct wire_stat *stat);

/*
 * ERR_OK, or why there is no stat: what went wrong, ERR_PROTO for an answer that should have
 * one.
 */
int call_code(const struct wire_reply *reply, const struct wire_stat *stat);
/*
 * The same of a write: executed long ago, for a process or a connection before us, its node may be
 * gone by now. ERR_NONODE.
 */
int call_done_code(const struct wire_reply *reply, const struct wire_stat *stat);

struct call {
	struct fsd *fsd;
	fuse_req_t req; /* NULL: nobody waits any longer */
	uint64_t rid;	/* of a write: the kernel's id of the request */
	uint64_t holds; /* the rid of call_hold, 0: none */
	int32_t tid;
	bool resent; /* a process before us may have sent its writes */
	uint64_t started_ns;
	TAILQ_ENTRY(call) wait; /* interrupt.c */
	bool locks;		/* of a RELEASE: there is a lock to be taken back */
	bool listed, interrupted;
	bool signalled; /* was interrupted, whatever it waited for then */
	bool eager;	/* it ends as soon as it is interrupted */
	void (*hasty)(struct call *call);
	void (*abandoned)(struct call *call); /* what it waits for is no message, or never comes */

	TAILQ_ENTRY(call) flow_next; /* flow.c */
	struct flow *flow;
	int until;
	void (*go)(struct call *call);

	struct steps *steps; /* zabtxn.c; owned */
	void *arg;	     /* zabstream.c */
	uint32_t queued;     /* queued.h: its place */

	struct link_request *request;
	enum wire_type type;
	bool root; /* a GETATTR of the root, which a replica isn't needed for; then: had none */
	bool plus; /* a LIST whose entries count as interest */
	call_done done;

	/* What handlers remember, each what it needs. */
	uint64_t ino, parent, newparent;
	struct zab_target target; /* what parent and name mean */
	uint64_t fh;
	uint64_t session; /* in which it began to wait for a lock */
	int flags;
	uint32_t mode;
	size_t size;
	int64_t offset;
	struct {
		uint32_t mode, uid, gid;
		uint64_t size;
	} attr; /* to set */
	char name[WIRE_NAME_MAX + 1];
	char newname[WIRE_NAME_MAX + 1];
};

struct fsd *call_fsd(fuse_req_t req);

/* NULL: no memory, and the request has been answered so. req NULL: nobody waits. */
struct call *call_new(struct fsd *fsd, fuse_req_t req);
void call_free(struct call *call);

/* Whether the node is what the call's modifier would have created. */
bool call_would_make(const struct call *call, const struct wire_stat *stat);

/*
 * What is sent next is a read, and a write with this rid may follow: no later write goes before
 * that (link_hold).
 */
void call_hold(struct call *call, uint64_t rid);
/* Writes with these rids may follow. */
void call_hold_all(struct call *call, uint64_t rid, uint64_t last);
/* None follows any more. The end of a call says so, too. */
void call_unhold(struct call *call);

/*
 * A process before us had the answer to this write, and said so to the replica: it knows it no
 * more, nor does anybody.
 */
bool call_is_lost(const struct call *call, const struct wire_reply *reply);

/* Sends msg (a write's rid is filled in) and calls done with the answer, later. */
void call_send(struct call *call, struct wire_msg *msg, call_done done);

/* The commonest messages. */
void call_getattr(struct call *call, uint64_t id, call_done done);
void call_read(struct call *call, uint64_t id, call_done done);
void call_lookup(struct call *call, uint64_t parent, const char *name, call_done done);
void call_sync(struct call *call, call_done done);

/*
 * A name copied into a call; false: longer than a name may be, and the request has been answered
 * so.
 */
bool call_name(struct call *call, char to[WIRE_NAME_MAX + 1], const char *name);
struct blob call_blob(const char *text);

/* interrupt.c: nobody waits any longer. */
void call_abandon(struct call *call);

#endif
