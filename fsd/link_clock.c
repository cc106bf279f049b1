/*
 * The link's clock: pings, silence, the session's deadline, and requests that
 * have waited for too long. See link_internal.h.
 */
#include "fsd/link_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#define NS_PER_MS UINT64_C(1000000)
#define TICK_MS_MIN 10
#define TICK_MS_MAX 50
#define PING_MS_MAX 250
#define SILENT_PINGS 3
#define LATE_MS_MAX 300

static uint64_t
timeout_ns(const struct link *link)
{
	return link->timeout_ms * NS_PER_MS;
}

/*
 * Each is answered twice: at once by the replica, and when the leader is heard of (wire.h). Two of
 * them fit into what link_in_trouble takes for trouble.
 */
static uint64_t
ping_ns(const struct link *link)
{
	uint32_t ms = link->timeout_ms / 6 < PING_MS_MAX ? link->timeout_ms / 6 : PING_MS_MAX;

	return ms * NS_PER_MS;
}

bool
link_is_silent(const struct link *link, uint64_t now_ns)
{
	return link->conn != NULL && now_ns - link->heard_ns > SILENT_PINGS * ping_ns(link);
}

bool
link_in_trouble(const struct link *link)
{
	uint64_t now_ns = fsd_now_ns();

	if (link->conn == NULL)
		return true;
	/* A leader that is lost is missed everywhere: that takes longer to be our own trouble. */
	return link_is_silent(link, now_ns) ||
	       now_ns + timeout_ns(link) - link->deadline_ns > timeout_ns(link) / 3;
}

static void
check_connection(struct link *link, uint64_t now_ns)
{
	struct wire_msg ping = { .type = WIRE_T_PING, .ping = { .sent_ns = now_ns } };

	if (link->conn == NULL || now_ns - link->ping_ns < ping_ns(link))
		return;
	if (now_ns - link->heard_ns > timeout_ns(link) / 3 * 2) {
		link_drop(link, "silence");
		return;
	}
	link->ping_ns = now_ns;
	conn_send(link->conn, &ping);
}

bool
link_is_late(const struct link *link, const struct link_request *request)
{
	uint32_t ms = link->timeout_ms / 10 < LATE_MS_MAX ? link->timeout_ms / 10 : LATE_MS_MAX;

	return fsd_now_ns() - request->started_ns >= timeout_ns(link) - ms * NS_PER_MS;
}

static int
too_late(struct link *link, const struct link_request *request)
{
	bool old = fsd_now_ns() - request->started_ns >= timeout_ns(link);

	if (request->write && (old || link_is_of_old(link, request)))
		return link_is_doubtful(request) ? ERR_UNKNOWN : ERR_NOQUORUM;
	if (request->write)
		return 0;
	if (request->msg.type == WIRE_T_REPORT)
		return old ? ERR_NOQUORUM : 0;
	if (link->state == LINK_SUSPENDED)
		return link->conn != NULL && link_may_be_old(link, request) ? 0 : ERR_NOQUORUM;
	/* Without a session there is no deadline but the request's own. */
	return old && link->session == 0 ? ERR_NOQUORUM : 0;
}

/* Whether the session is promised anything that a deadline ends. */
static bool
is_promised(const struct link *link)
{
	return link->session != 0 &&
	       (link->state == LINK_CONNECTED || link->state == LINK_CONNECTING);
}

bool
link_is_over(const struct link *link, uint64_t now_ns)
{
	return is_promised(link) && now_ns >= link->deadline_ns;
}

static void
check_session(struct link *link, uint64_t now_ns)
{
	if (link_is_over(link, now_ns))
		link_set_state(link, LINK_SUSPENDED);
	if (link_waits(link) || !TAILQ_EMPTY(&link->wired))
		link_fail(link, too_late);
	/* What waited for one of them has nothing to wait for any more. */
	if (link_waits(link))
		link_pump(link);
	if (link->closed != NULL && now_ns >= link->close_ns) {
		log_warn("session not closed reason=\"no leader has answered\"");
		link_finished(link);
	}
}

static uint64_t
sooner(uint64_t wait_ns, uint64_t now_ns, uint64_t end_ns)
{
	return end_ns > now_ns && end_ns - now_ns < wait_ns ? end_ns - now_ns : wait_ns;
}

/* A twentieth of the timeout, or until the moment at which something ends before that. */
static struct timeval
next_tick(const struct link *link, uint64_t now_ns)
{
	uint32_t ms = link->timeout_ms / 20;
	uint64_t ns;

	ms = ms < TICK_MS_MIN ? TICK_MS_MIN : ms > TICK_MS_MAX ? TICK_MS_MAX : ms;
	ns = ms * NS_PER_MS;
	if (is_promised(link))
		ns = sooner(ns, now_ns, link->deadline_ns);
	if (link->closed != NULL)
		ns = sooner(ns, now_ns, link->close_ns);
	return (struct timeval){ .tv_usec = (suseconds_t)(ns / 1000 + 1) };
}

static void
on_clock(evutil_socket_t fd, short events, void *arg)
{
	struct link *link = arg;
	uint64_t now_ns = fsd_now_ns();
	struct timeval next = next_tick(link, now_ns);

	(void)fd;
	(void)events;
	event_add(link->clock, &next);
	check_connection(link, now_ns);
	link_open_check(link, now_ns);
	link_seek(link);
	check_session(link, now_ns);
}

void
link_clock_init(struct link *link)
{
	link->clock = evtimer_new(link->base, on_clock, link);
	CHECK(link->clock != NULL);
	event_active(link->clock, EV_TIMEOUT, 1);
}
