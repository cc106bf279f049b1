/* The session with the replica: its life and its interface. See link.h, link_internal.h. */
#include "fsd/link_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

void
link_again(struct link *link)
{
	static const struct timeval after = { .tv_usec = LINK_BUSY_MS * 1000 };

	event_add(link->again, &after);
}

static void
on_again(evutil_socket_t fd, short events, void *arg)
{
	const struct wire_msg close = { .type = WIRE_T_CLOSE };
	struct link *link = arg;

	(void)fd;
	(void)events;
	link->busy = false;
	if (link->closed != NULL && link->conn != NULL)
		conn_send(link->conn, &close);
	link_pump(link);
}

static void
go_on(struct link *link)
{
	const struct link_kept *kept = link->kept;

	link->session = link->inherited = kept->session;
	memcpy(link->secret, kept->secret, sizeof link->secret);
	link->timeout_ms = kept->timeout_ms;
	link->seen = kept->seen;
	link->seen_known = true;
	link->deadline_ns = kept->deadline_ns;
	link->rid_last = kept->rid_last;
	link->doubt = kept->abandoned != 0;
}

struct link *
link_new(struct event_base *base, const struct link_options *options,
    const struct link_handler *handler, void *arg)
{
	struct link *link = calloc(1, sizeof *link);

	CHECK(options->naddresses > 0);
	if (link == NULL)
		return NULL;
	link->base = base;
	link->options = *options;
	link->handler = handler;
	link->arg = arg;
	link->timeout_ms = options->timeout_ms;
	link->kept = options->kept != NULL ? options->kept : &link->own;
	if (link->kept->session != 0)
		go_on(link);
	TAILQ_INIT(&link->waiting[false]);
	TAILQ_INIT(&link->waiting[true]);
	TAILQ_INIT(&link->wired);
	TAILQ_INIT(&link->barriers);
	TAILQ_INIT(&link->holds);
	link->again = evtimer_new(base, on_again, link);
	CHECK(link->again != NULL);
	link_open_init(link);
	link_clock_init(link);
	return link;
}

static int
all_dead(struct link *link, const struct link_request *request)
{
	(void)link;
	return link_is_doubtful(request) ? ERR_UNKNOWN : ERR_NOQUORUM;
}

void
link_free(struct link *link)
{
	if (link == NULL)
		return;
	link_open_free(link);
	conn_free(link->conn);
	link->conn = NULL;
	link_unwire(link);
	/* An answer may make a handler ask for more. */
	while (link_waits(link))
		link_fail(link, all_dead);
	CHECK(TAILQ_EMPTY(&link->holds));
	event_free(link->again);
	event_free(link->clock);
	JudyLFreeArray(&link->by_rid, PJE0);
	Judy1FreeArray(&link->abandoned, PJE0);
	free(link);
}

void
link_set_state(struct link *link, enum link_state state)
{
	if (link->state == state)
		return;
	link->state = state;
	if (link->handler->state != NULL)
		link->handler->state(link->arg, state);
}

void
link_saw(struct link *link, uint64_t zxid)
{
	if (zxid > link->seen)
		link->seen = zxid;
	link->kept->seen = link->seen;
}

uint64_t
link_replay(const struct link *link)
{
	return link->kept->replay != 0 ? link->kept->replay : link->seen;
}

void
link_forget(struct link *link, uint64_t id, uint32_t count)
{
	struct wire_msg msg = { .type = WIRE_T_FORGET, .forget = { .id = id, .count = count } };

	/*
	 * Without a connection there is no interest: the next one's begins with what is known
	 * then.
	 */
	if (link->conn != NULL)
		conn_send(link->conn, &msg);
}

void
link_interest(struct link *link, uint64_t id, uint32_t count)
{
	struct wire_msg msg = { .type = WIRE_T_INTEREST, .interest = { .id = id, .count = count } };

	CHECK(link->conn != NULL && !link->resumed);
	conn_send(link->conn, &msg);
}

void
link_finished(struct link *link)
{
	void (*closed)(void *arg) = link->closed;

	link->closed = NULL;
	if (closed != NULL)
		closed(link->closed_arg);
}

void
link_close(struct link *link, uint32_t timeout_ms, void (*closed)(void *arg), void *arg)
{
	struct wire_msg msg = { .type = WIRE_T_CLOSE };

	CHECK(link->closed == NULL && closed != NULL);
	link->closed = closed;
	link->closed_arg = arg;
	link->close_ns = fsd_now_ns() + timeout_ms * NS_PER_MS;
	/* Otherwise the opening that is under way ends with it, or the clock does. */
	if (link->conn != NULL) {
		conn_send(link->conn, &msg);
		conn_flush(link->conn);
	}
	event_active(link->clock, EV_TIMEOUT, 1);
}

struct link_figures
link_figures(const struct link *link)
{
	struct link_figures figures = { .requests = link->requests,
		.attachments = link->attachments };
	const struct link_request *request;
	int write;

	for (write = false; write <= true; write++)
		TAILQ_FOREACH (request, &link->waiting[write], next)
			figures.waiting++;
	TAILQ_FOREACH (request, &link->wired, next) {
		figures.waiting++;
		figures.writes += request->write;
	}
	return figures;
}

enum link_state
link_get_state(const struct link *link)
{
	/* Others may see its nodes gone already: nobody is served until the clock is here. */
	return link_is_over(link, fsd_now_ns()) ? LINK_SUSPENDED : link->state;
}

bool
link_is_current(const struct link *link)
{
	return link->resumed && link_get_state(link) == LINK_CONNECTED;
}

uint64_t
link_session(const struct link *link)
{
	return link->session;
}

uint64_t
link_zxid(const struct link *link)
{
	return link->seen;
}

uint32_t
link_timeout_ms(const struct link *link)
{
	return link->timeout_ms;
}

uint32_t
link_replica(const struct link *link)
{
	return link->replica;
}

uint64_t
link_rid_last(const struct link *link)
{
	return link->rid_last;
}

bool
link_is_abandoned(const struct link *link, uint64_t rid)
{
	return Judy1Test(link->abandoned, rid, PJE0) == 1;
}
