/*
 * Requests on their way and their answers. See link_internal.h.
 *
 * Order: writes leave in the order of link_request. Whoever wants to see what it
 * wrote has waited for the answer; where it couldn't, link_barrier. Exactly once: a write keeps its
 * rid over reconnects; `acked` promises only what lies below every unanswered write.
 */
#include "fsd/link_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>

/* The blobs of a request, for its copy: at most two. */
static size_t
blobs_of(struct wire_msg *msg, struct blob *blobs[2])
{
	size_t n = 0;

	switch (msg->type) {
	case WIRE_T_LOOKUP:
		blobs[n++] = &msg->lookup.name;
		break;
	case WIRE_T_CREATE:
		blobs[n++] = &msg->create.name;
		blobs[n++] = &msg->create.value;
		break;
	case WIRE_T_DELETE:
		blobs[n++] = &msg->delete.name;
		break;
	case WIRE_T_WRITE:
		blobs[n++] = &msg->write.data;
		break;
	case WIRE_T_RENAME:
		blobs[n++] = &msg->rename.name;
		blobs[n++] = &msg->rename.newname;
		break;
	case WIRE_T_MULTI:
		blobs[n++] = &msg->multi.groups;
		blobs[n++] = &msg->multi.steps;
		break;
	default:
		break;
	}
	return n;
}

static struct link_request *
copy(const struct wire_msg *msg)
{
	struct wire_msg own = *msg;
	struct link_request *request;
	struct blob *blobs[2];
	size_t n = blobs_of(&own, blobs), i, len = 0;
	uint8_t *at;

	for (i = 0; i < n; i++)
		len += blobs[i]->len;
	request = malloc(sizeof *request + len);
	CHECK(request != NULL);
	memset(request, 0, sizeof *request);
	at = request->blobs;
	for (i = 0; i < n; i++) {
		if (blobs[i]->len != 0)
			memcpy(at, blobs[i]->data, blobs[i]->len);
		blobs[i]->data = at;
		at += blobs[i]->len;
	}
	request->msg = own;
	return request;
}

/* Each request's rid is its first field, each write's acked the second (wire.h). */
static void
set_rid(struct wire_msg *msg, uint64_t rid)
{
	msg->getattr.rid = rid;
}

static struct link_request *
find(const struct link *link, uint64_t rid)
{
	PPvoid_t slot = JudyLGet(link->by_rid, rid, PJE0);

	return slot == NULL ? NULL : *slot;
}

/* The unanswered write with the least rid; NULL: none. */
static struct link_request *
least_write(struct link *link)
{
	Word_t rid = 0;
	PPvoid_t slot;

	if (link->least != NULL)
		return link->least;
	slot = JudyLFirst(link->by_rid, &rid, PJE0);
	link->least = slot == NULL || (rid & LINK_READ_BIT) != 0 ? NULL : *slot;
	return link->least;
}

/* Bytes that it puts on the connection, in one direction or the other, if they may be many. */
static size_t
weight(const struct link_request *request)
{
	switch (request->msg.type) {
	case WIRE_T_READ:
		return WIRE_VALUE_MAX;
	case WIRE_T_LIST:
		return request->msg.list.bytes;
	case WIRE_T_REPORT:
		return LINK_REPORT_BYTES;
	case WIRE_T_WRITE:
		return request->msg.write.data.len;
	case WIRE_T_MULTI:
		return request->msg.multi.steps.len;
	default:
		return 0;
	}
}

static size_t *
wired_of(struct link *link, const struct link_request *request)
{
	return request->write ? &link->wired_writes : &link->wired_reads;
}

static void
off_wire(struct link *link, struct link_request *request)
{
	TAILQ_REMOVE(&link->wired, request, next);
	request->wired = false;
	*wired_of(link, request) -= weight(request);
}

static struct link_requests *
waiting_of(struct link *link, const struct link_request *request)
{
	return &link->waiting[request->write];
}

bool
link_waits(const struct link *link)
{
	return !TAILQ_EMPTY(&link->waiting[false]) || !TAILQ_EMPTY(&link->waiting[true]);
}

static void
take_out(struct link *link, struct link_request *request)
{
	if (request->wired)
		off_wire(link, request);
	else
		TAILQ_REMOVE(waiting_of(link, request), request, next);
	JudyLDel(&link->by_rid, request->rid, PJE0);
	if (request == link->least)
		link->least = NULL;
	if (request->is_barrier)
		TAILQ_REMOVE(&link->barriers, request, barrier);
}

/* Those that one hold was for share an order: their ids have it. */
static bool
is_before(const struct link_request *one, const struct link_request *other)
{
	return one->order < other->order || (one->order == other->order && one->rid < other->rid);
}

/* Among the waiting, at its place in the order. */
static void
line_up(struct link *link, struct link_request *request)
{
	struct link_requests *waiting = waiting_of(link, request);
	struct link_request *at;

	TAILQ_FOREACH (at, waiting, next)
		if (is_before(request, at))
			break;
	if (at != NULL)
		TAILQ_INSERT_BEFORE(at, request, next);
	else
		TAILQ_INSERT_TAIL(waiting, request, next);
}

/*
 * It goes before those that wait for it; behind the one before it, if that waits: of a stream
 * 100,000 may come at once.
 */
static void
enter_held(struct link *link, struct link_request *request)
{
	Word_t rid = request->rid;
	PPvoid_t slot = JudyLPrev(link->by_rid, &rid, PJE0);
	struct link_request *before = slot == NULL ? NULL : *slot;

	if (before != NULL && before->order == request->order && !before->wired)
		TAILQ_INSERT_AFTER(waiting_of(link, request), before, request, next);
	else
		line_up(link, request);
}

/* The last one, unless it is held for. */
static void
enter(struct link *link, struct link_request *request)
{
	uint64_t held = request->write ? link_hold_take(link, request->rid) : 0;

	link->requests++;
	request->order = held != 0 ? held : ++link->orders;
	if (held != 0)
		enter_held(link, request);
	else
		TAILQ_INSERT_TAIL(waiting_of(link, request), request, next);
}

struct link_request *
link_request(struct link *link, const struct wire_msg *msg, bool resent, link_done done, void *arg)
{
	struct link_request *request = copy(msg);
	PPvoid_t slot;

	request->write = wire_is_write(msg->type);
	request->resent = request->doubtful = resent && request->write;
	request->rid = request->write ? msg->getattr.rid : (++link->reads | LINK_READ_BIT);
	CHECK((request->rid & LINK_READ_BIT) == 0 || !request->write);
	set_rid(&request->msg, request->rid);
	if (request->write && request->rid > link->rid_last)
		link->rid_last = request->rid;
	link->kept->rid_last = link->rid_last;
	request->started_ns = fsd_now_ns();
	request->done = done;
	request->arg = arg;
	slot = JudyLIns(&link->by_rid, request->rid, PJE0);
	CHECK(slot != NULL && slot != PPJERR && *slot == NULL);
	*slot = request;
	if (link->least != NULL && request->write && request->rid < link->least->rid)
		link->least = request;
	enter(link, request);
	link_pump(link);
	/* What cannot be answered any more fails in the loop's next turn. */
	if (!request->wired &&
	    (link_get_state(link) == LINK_SUSPENDED || link_is_of_old(link, request)))
		event_active(link->clock, EV_TIMEOUT, 1);
	return request;
}

bool
link_is_doubtful(const struct link_request *request)
{
	return request->write && (request->number != 0 || request->doubtful);
}

bool
link_is_of_old(const struct link *link, const struct link_request *request)
{
	return request->resent && link->session != link->inherited;
}

void
link_bind(struct link_request *request)
{
	request->bound = true;
}

bool
link_cancel(struct link *link, struct link_request *request)
{
	if (request->wired || link_is_doubtful(request))
		return false;
	take_out(link, request);
	free(request);
	return true;
}

/*
 * Whether the replica would still have to keep too many results (wire.h:
 * WIRE_OUTSTANDING_MAX).
 */
static bool
window_full(struct link *link)
{
	const struct link_request *least = least_write(link);

	return least != NULL && least->number != 0 &&
	       link->numbers + 1 - least->number >= WIRE_OUTSTANDING_MAX;
}

static void
put_on_wire(struct link *link, struct link_request *request)
{
	if (request->write) {
		if (request->number == 0)
			request->number = ++link->numbers;
		request->msg.create.acked = least_write(link)->rid - 1;
	}
	TAILQ_REMOVE(waiting_of(link, request), request, next);
	TAILQ_INSERT_TAIL(&link->wired, request, next);
	request->wired = true;
	*wired_of(link, request) += weight(request);
	conn_send(link->conn, &request->msg);
}

bool
link_may_be_old(const struct link *link, const struct link_request *request)
{
	enum wire_type type = request->msg.type;

	return link->options.stale && type != WIRE_T_SYNC && type != WIRE_T_HAND_OVER;
}

/*
 * Reads are refused when the deadline has passed, unless the mount wants old state rather than
 * none.
 */
static bool
may_send(struct link *link, const struct link_request *request)
{
	if (link_is_of_old(link, request))
		return false;
	if (request->write && request->number == 0)
		return !window_full(link) && !link_is_behind_barrier(link, request);
	if (request->write || request->msg.type == WIRE_T_REPORT)
		return true;
	return (link_get_state(link) != LINK_SUSPENDED || link_may_be_old(link, request)) &&
	       !link_is_behind_barrier(link, request);
}

/* Otherwise the connection is given up for a reader that doesn't read. */
static bool
has_room(struct link *link, const struct link_request *request)
{
	size_t wired = *wired_of(link, request), more = weight(request);

	return more == 0 || wired == 0 || wired + more <= LINK_WIRED_MAX;
}

static bool
try_to_send(struct link *link, struct link_request *request)
{
	if (!has_room(link, request))
		return false;
	put_on_wire(link, request);
	return true;
}

/*
 * Writes keep their order: false, those behind it wait, too, as all do for one that is to come. What
 * waits for a barrier holds nobody else up: its process sends nothing behind it.
 */
static bool
pump_write(struct link *link, struct link_request *request)
{
	if (link_is_held_back(link, request))
		return false;
	return may_send(link, request) ? try_to_send(link, request) : !window_full(link);
}

/* In the order of link_request. Of many writes that wait no more are looked at than can go. */
void
link_pump(struct link *link)
{
	struct link_request *write = TAILQ_FIRST(&link->waiting[true]), *next,
			    *read = TAILQ_FIRST(&link->waiting[false]);

	if (link->conn == NULL || link->closed != NULL || link->busy)
		return;
	while (write != NULL || read != NULL) {
		if (write != NULL && (read == NULL || write->order < read->order)) {
			next = TAILQ_NEXT(write, next);
			write = pump_write(link, write) ? next : NULL;
			continue;
		}
		next = TAILQ_NEXT(read, next);
		if (may_send(link, read))
			try_to_send(link, read);
		read = next;
	}
}

/*
 * They go on to wait: for a connection of the session, if the answer doesn't come. Those that are too
 * many for this one for the next.
 */
void
link_ask(struct link *link, struct conn *conn)
{
	size_t left = LINK_WIRED_MAX / LINK_REPORT_BYTES;
	struct link_request *request;

	TAILQ_FOREACH (request, &link->waiting[false], next) {
		if (request->msg.type != WIRE_T_REPORT)
			continue;
		if (left-- == 0)
			return;
		conn_send(conn, &request->msg);
	}
}

void
link_told(struct link *link, const struct wire_reply *reply)
{
	struct link_request *request = find(link, reply->rid);

	if (request == NULL || request->msg.type != WIRE_T_REPORT)
		return;
	take_out(link, request);
	request->done(request->arg, reply);
	free(request);
}

void
link_unwire(struct link *link)
{
	struct link_request *request;

	while ((request = TAILQ_LAST(&link->wired, link_requests)) != NULL) {
		off_wire(link, request);
		request->doubtful = true;
		TAILQ_INSERT_HEAD(waiting_of(link, request), request, next);
	}
}

/*
 * An answer to a write that was given up: the kernel was told that nobody knows, so it may hold old
 * state.
 */
static void
late(struct link *link, uint64_t rid)
{
	if (Judy1Unset(&link->abandoned, rid, PJE0) != 1)
		return;
	link->kept->abandoned--;
	if (link->handler->lost != NULL)
		link->handler->lost(link->arg);
}

/*
 * The replica did not execute the write, or the sync: not now, or no longer in this session. What
 * it says of a write that another connection may have brought is no proof.
 */
static bool
is_refused(const struct link_request *request, int code)
{
	if (!request->write && request->msg.type != WIRE_T_SYNC)
		return false;
	return code == ERR_BUSY || code == ERR_NOQUORUM || code == ERR_EXPIRED;
}

static void
try_again(struct link *link, struct link_request *request, int code)
{
	if (!request->doubtful)
		request->number = 0;
	off_wire(link, request);
	line_up(link, request);
	if (code == ERR_EXPIRED) {
		link_expire(link);
		return;
	}
	link->busy = true;
	link_again(link);
}

/*
 * A write that was refused ends as what it is, not executed: on the wire once more in its last
 * moment, nobody would know. One that is in doubt has nothing to lose.
 */
static bool
ends_refused(const struct link *link, const struct link_request *request, int code)
{
	return request->write && !request->doubtful && code != ERR_EXPIRED &&
	       link_is_late(link, request);
}

void
link_reply(struct link *link, const struct wire_reply *reply)
{
	static const struct wire_reply refusal = { .code = ERR_NOQUORUM };
	struct link_request *request = find(link, reply->rid);

	link_saw(link, reply->zxid);
	if (request == NULL || !request->wired) {
		late(link, reply->rid);
		return;
	}
	if (is_refused(request, reply->code)) {
		if (!ends_refused(link, request, reply->code)) {
			try_again(link, request, reply->code);
			return;
		}
		reply = &refusal;
	}
	take_out(link, request);
	request->done(request->arg, reply);
	free(request);
	if (link_waits(link))
		link_pump(link);
}

/* Before anybody is told. */
static void
give_up(struct link *link, uint64_t rid)
{
	link->kept->abandoned++;
	CHECK(Judy1Set(&link->abandoned, rid, PJE0) == 1);
}

void
link_fail(struct link *link, int (*dead)(struct link *link, const struct link_request *request))
{
	struct link_requests all = TAILQ_HEAD_INITIALIZER(all), *queues[] = { &link->wired,
		&link->waiting[true], &link->waiting[false] };
	struct link_request *request, *next;
	struct wire_reply reply = { 0 };
	size_t i;

	/* Taken out first: an answer may make a handler send more. */
	for (i = 0; i < 3; i++) {
		TAILQ_FOREACH_SAFE (request, queues[i], next, next) {
			request->code = dead(link, request);
			if (request->code == 0)
				continue;
			take_out(link, request);
			TAILQ_INSERT_TAIL(&all, request, next);
		}
	}
	while ((request = TAILQ_FIRST(&all)) != NULL) {
		TAILQ_REMOVE(&all, request, next);
		reply.code = request->code;
		if (reply.code == ERR_UNKNOWN)
			give_up(link, request->rid);
		request->done(request->arg, &reply);
		free(request);
	}
	link_pump(link);
}
