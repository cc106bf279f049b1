/*
 * The link's clock: pings, silence, the session's deadline, and requests that
 * have waited for too long. See link_internal.h.
 */
#include "fsd/link_internal.h"

#include "replica/lib/err.h"

#define NS_PER_MS UINT64_C(1000000)
#define TICK_MS_MIN 10
#define TICK_MS_MAX 250
#define PING_MS_MAX 3000

uint32_t
link_ping_ms(const struct link *link)
{
	return link->timeout_ms / 3 < PING_MS_MAX ? link->timeout_ms / 3 : PING_MS_MAX;
}

static uint64_t
timeout_ns(const struct link *link)
{
	return link->timeout_ms * NS_PER_MS;
}

/* A connection that has been silent for two intervals, a ping's answer included, is given up. */
static void
check_connection(struct link *link, uint64_t now_ns)
{
	uint64_t ping_ns = link_ping_ms(link) * NS_PER_MS;
	struct wire_msg ping = { .type = WIRE_T_PING, .ping = { .sent_ns = now_ns } };

	if (link->phase == PHASE_HELLO && now_ns - link->hello_ns > timeout_ns(link)) {
		link_drop(link, "no WELCOME");
		return;
	}
	if (link->phase != PHASE_UP || now_ns - link->ping_ns < ping_ns)
		return;
	if (now_ns - link->heard_ns > 2 * ping_ns) {
		link_drop(link, "silence");
		return;
	}
	link->ping_ns = now_ns;
	conn_send(link->conn, &ping);
}

static int
too_late(struct link *link, const struct link_request *request)
{
	bool old = link_now_ns() - request->started_ns >= timeout_ns(link);

	if (request->write && old)
		return request->number != 0 ? ERR_UNKNOWN : ERR_NOQUORUM;
	if (request->write)
		return 0;
	if (link->state == LINK_SUSPENDED)
		return link->options.stale && link->phase == PHASE_UP ? 0 : ERR_NOQUORUM;
	/* Without a session there is no deadline but the request's own. */
	return old && link->session == 0 ? ERR_NOQUORUM : 0;
}

static void
check_session(struct link *link, uint64_t now_ns)
{
	bool may_pass = link->state == LINK_CONNECTED || link->state == LINK_CONNECTING;

	if (link->session != 0 && may_pass && now_ns >= link->deadline_ns)
		link_set_state(link, LINK_SUSPENDED);
	if (!TAILQ_EMPTY(&link->waiting) || !TAILQ_EMPTY(&link->wired))
		link_fail(link, too_late);
	/* What waited for one of them has nothing to wait for any more. */
	if (!TAILQ_EMPTY(&link->waiting))
		link_pump(link);
	if (link->closed != NULL && now_ns >= link->close_ns)
		link_finished(link);
}

/* A twentieth of the timeout, or what the end of the session may still take. */
static uint32_t
tick_ms(const struct link *link, uint64_t now_ns)
{
	uint32_t ms = link->timeout_ms / 20;

	ms = ms < TICK_MS_MIN ? TICK_MS_MIN : ms > TICK_MS_MAX ? TICK_MS_MAX : ms;
	if (link->closed != NULL && link->close_ns < now_ns + ms * NS_PER_MS)
		ms = link->close_ns > now_ns ? (uint32_t)((link->close_ns - now_ns) / NS_PER_MS) + 1
					     : 1;
	return ms;
}

static void
on_clock(evutil_socket_t fd, short events, void *arg)
{
	struct link *link = arg;
	uint64_t now_ns = link_now_ns();
	struct timeval next = { .tv_usec = tick_ms(link, now_ns) * 1000 };

	(void)fd;
	(void)events;
	event_add(link->clock, &next);
	check_connection(link, now_ns);
	check_session(link, now_ns);
}

void
link_clock_init(struct link *link)
{
	link->clock = evtimer_new(link->base, on_clock, link);
	if (link->clock != NULL)
		event_active(link->clock, EV_TIMEOUT, 1);
}
