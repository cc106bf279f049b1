/*
 * The way to a replica: the addresses in turn, each dialed and greeted, until
 * one welcomes the session. It begins where there is no connection, or not a
 * good one, or not the preferred one; what there is stays meanwhile. A round begins
 * with the first address, the node's own, but leaves to the end the one that was
 * silent last: it would cost an attempt's whole time. See link_internal.h.
 */
#include "fsd/link_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"
#include "replica/lib/resolve.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

static bool
wanted(const struct link *link, size_t address)
{
	if (link->conn == NULL)
		return true;
	if (address == link->address || link->options.addresses[address].member == link->replica)
		return false;
	return address == 0 || link_in_trouble(link);
}

static bool
under_way(const struct link *link)
{
	return link->opening.dial != NULL || link->opening.conn != NULL;
}

static void
after(struct link *link, uint32_t ms)
{
	struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(link->opening.timer, &wait);
}

static uint32_t
doubled(uint32_t ms, uint32_t max)
{
	return ms < max / 2 ? ms * 2 : max;
}

static void
forget(struct link *link)
{
	struct link_opening *opening = &link->opening;

	dial_cancel(opening->dial);
	opening->dial = NULL;
	conn_free(opening->conn);
	opening->conn = NULL;
}

static void
impatient(struct link_opening *opening)
{
	opening->retry_ms = LINK_RETRY_MS_MIN;
	opening->limit_ms = LINK_ATTEMPT_MS;
}

static void
begin_round(struct link *link)
{
	struct link_opening *opening = &link->opening;

	opening->left = link->options.naddresses;
	opening->address =
	    opening->silent == LINK_NOBODY ? 0 : (opening->silent + 1) % link->options.naddresses;
}

static void
pass_on(struct link *link)
{
	struct link_opening *opening = &link->opening;

	opening->address = (opening->address + 1) % link->options.naddresses;
	opening->left--;
}

/* What doubling the limit of an attempt ends at. */
static uint32_t
limit_ms_max(const struct link *link)
{
	uint32_t ms = link->timeout_ms / 3;

	return ms > LINK_ATTEMPT_MS ? ms : LINK_ATTEMPT_MS;
}

/* While another serves, nobody is in a hurry for the preferred one, and the next trouble is new. */
static void
round_over(struct link *link)
{
	struct link_opening *opening = &link->opening;

	begin_round(link);
	if (!link_in_trouble(link)) {
		impatient(opening);
		if (link->address != 0)
			after(link, LINK_HOME_MS);
		return;
	}
	after(link, opening->retry_ms);
	opening->retry_ms = doubled(opening->retry_ms, LINK_RETRY_MS_MAX);
	opening->limit_ms = doubled(opening->limit_ms, limit_ms_max(link));
}

/* With nobody else to ask, patience is all there is. */
static uint32_t
limit_ms(const struct link *link)
{
	bool alone = link->options.naddresses == 1 || link->opening.limit_ms > link->timeout_ms;

	return alone ? link->timeout_ms : link->opening.limit_ms;
}

/* How an attempt at this address ended. */
static void
note_silence(struct link *link)
{
	struct link_opening *opening = &link->opening;

	if (fsd_now_ns() - opening->begun_ns >= limit_ms(link) * NS_PER_MS)
		opening->silent = opening->address;
	else if (opening->silent == opening->address)
		opening->silent = LINK_NOBODY;
}

/*
 * What the mount has not been told, some log still has: a member that got a snapshot has not. One
 * without is taken only when the session's time gets short, and never to go home.
 */
static bool
wants_whole(const struct link *link)
{
	uint64_t gap_ns = link->opening.gap_ns;

	return link->conn != NULL || gap_ns == 0 ||
	       fsd_now_ns() - gap_ns < link->timeout_ms / 3 * NS_PER_MS;
}

static void
failed(struct link *link, const char *why)
{
	struct link_opening *opening = &link->opening;
	const char *address = link->options.addresses[opening->address].text;

	if (link->conn == NULL && link->closed == NULL && !opening->told)
		log_warn("no replica address=%s reason=\"%s\"", address, why);
	else
		log_debug("no replica address=%s reason=\"%s\"", address, why);
	if (link->conn == NULL && opening->left == 1)
		opening->told = true;
	note_silence(link);
	forget(link);
	pass_on(link);
	after(link, 0);
}

static void
welcomed(struct link *link, const struct wire_welcome *welcome)
{
	struct link_opening *opening = &link->opening;

	if (welcome->code == ERR_EXPIRED && link->session != 0) {
		link_expire(link);
	} else if (welcome->code != ERR_OK) {
		if (welcome->code == ERR_GAP && link->conn == NULL && opening->gap_ns == 0)
			opening->gap_ns = fsd_now_ns();
		failed(link, err_text(welcome->code));
	} else if (welcome->secret.len != WIRE_SECRET_LEN || welcome->session == 0 ||
		   welcome->timeout_ms == 0) {
		failed(link, "a broken WELCOME");
	} else if (link->conn == NULL && link->seen_known && welcome->zxid < link->seen) {
		failed(link, "it is behind");
	} else if (link->seen_known && welcome->zxid < link->seen) {
		/* The old connection has brought more since the HELLO, and serves no more. */
		forget(link);
		link_drop(link, "the session was to move");
	} else {
		opening->told = false;
		opening->gap_ns = 0;
		impatient(opening);
		link_attach(link, welcome);
		if (opening->silent == opening->address)
			opening->silent = LINK_NOBODY;
		begin_round(link);
	}
}

static void
on_message(void *arg, const struct wire_msg *msg)
{
	struct link *link = arg;

	if (msg->type == WIRE_T_WELCOME)
		welcomed(link, &msg->welcome);
	else if (msg->type == WIRE_T_REPLY)
		link_told(link, &msg->reply);
	else
		failed(link, "it does not begin with WELCOME");
}

static void
on_closed(void *arg, int code, const char *why)
{
	(void)code;
	failed(arg, why);
}

static void
hello(struct link *link)
{
	struct wire_msg msg = { .type = WIRE_T_HELLO,
		.hello = { .proto = WIRE_PROTO,
		    .session = link->session,
		    .serial = fsd_now_ns(),
		    .seen = link_replay(link),
		    .timeout_ms = link->options.timeout_ms,
		    .whole = wants_whole(link) } };

	if (link->session != 0)
		msg.hello.secret = (struct blob){ link->secret, sizeof link->secret };
	msg.hello.identity.data = (const uint8_t *)link->options.identity;
	msg.hello.identity.len = (uint32_t)strnlen(link->options.identity, WIRE_IDENTITY_MAX);
	link->opening.hello_ns = fsd_now_ns();
	link_ask(link, link->opening.conn);
	conn_send(link->opening.conn, &msg);
}

static void
on_dialed(void *arg, int fd, const char *why)
{
	static const struct conn_handler handler = { .message = on_message, .closed = on_closed };
	struct link *link = arg;

	link->opening.dial = NULL;
	if (fd < 0) {
		failed(link, why);
		return;
	}
	link->opening.conn = conn_new(link->base, fd, &handler, link, LINK_UNSENT_MAX);
	CHECK(link->opening.conn != NULL);
	hello(link);
}

static void
on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct link *link = arg;
	struct link_opening *opening = &link->opening;

	(void)fd;
	(void)events;
	if (under_way(link))
		return;
	while (opening->left > 0 && !wanted(link, opening->address))
		pass_on(link);
	if (opening->left == 0) {
		round_over(link);
		return;
	}
	opening->begun_ns = fsd_now_ns();
	opening->dial = dial_new(link->base, link->options.addresses[opening->address].text,
	    opening->resolvers[opening->address], limit_ms(link), on_dialed, link);
}

void
link_seek(struct link *link)
{
	bool enough = link->conn != NULL && link->address == 0 && !link_in_trouble(link);

	if (!enough && !under_way(link) && !evtimer_pending(link->opening.timer, NULL))
		after(link, 0);
}

void
link_seek_again(struct link *link)
{
	/* One that is greeted already goes on, unless it is for a session that is no more. */
	if (under_way(link) && link->session != 0)
		return;
	forget(link);
	begin_round(link);
	after(link, LINK_RETRY_MS_MIN);
}

void
link_open_check(struct link *link, uint64_t now_ns)
{
	const struct link_opening *opening = &link->opening;
	/* What is asked at leisure is in the way as soon as the session needs anybody at all. */
	uint32_t ms = link_in_trouble(link) ? limit_ms(link) : link->timeout_ms;

	if (opening->conn != NULL && now_ns - opening->hello_ns > ms * NS_PER_MS)
		failed(link, "no WELCOME");
}

void
link_open_init(struct link *link)
{
	struct link_opening *opening = &link->opening;
	size_t i;

	opening->resolvers = calloc(link->options.naddresses, sizeof(struct resolver *));
	CHECK(opening->resolvers != NULL);
	for (i = 0; i < link->options.naddresses; i++)
		opening->resolvers[i] = resolver_new();
	impatient(opening);
	opening->silent = LINK_NOBODY;
	begin_round(link);
	opening->timer = evtimer_new(link->base, on_timer, link);
	CHECK(opening->timer != NULL);
	/* The first attempt is made by the loop: no callback comes from here. */
	after(link, 0);
}

void
link_open_free(struct link *link)
{
	size_t i;

	forget(link);
	for (i = 0; i < link->options.naddresses; i++)
		resolver_free(link->opening.resolvers[i]);
	free(link->opening.resolvers);
	event_free(link->opening.timer);
}
