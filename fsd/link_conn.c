/*
 * The connection to a replica: found, opened (HELLO, WELCOME, INTEREST…,
 * RESUME, RESUMED), lost, found again. See link_internal.h; wire.h has the
 * order of the messages.
 */
#include "fsd/link_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

static void
retry_later(struct link *link)
{
	struct timeval after = { .tv_sec = link->retry_ms / 1000,
		.tv_usec = (link->retry_ms % 1000) * 1000 };

	link->address = (link->address + 1) % link->options.naddresses;
	/* Every address once, then patience. */
	if (link->address == 0)
		link->retry_ms =
		    link->retry_ms * 2 < LINK_RETRY_MS_MAX ? link->retry_ms * 2 : LINK_RETRY_MS_MAX;
	event_add(link->retry, &after);
}

static void
disconnect(struct link *link)
{
	conn_free(link->conn);
	link->conn = NULL;
	link->phase = PHASE_DOWN;
	link->resumed = false;
	link_unwire(link);
}

void
link_drop(struct link *link, const char *why)
{
	if (link->phase == PHASE_DOWN)
		return;
	if (!link->told && link->closed == NULL)
		log_warn("no replica reason=\"%s\"", why);
	link->told = true;
	disconnect(link);
	retry_later(link);
	if (link->state == LINK_CONNECTED)
		link_set_state(link, LINK_CONNECTING);
}

/*
 * What was sent in the old session may have been executed; what was not goes on in the new
 * one.
 */
static int
of_old_session(struct link *link, const struct link_request *request)
{
	(void)link;
	return request->write && request->number != 0 ? ERR_UNKNOWN : 0;
}

void
link_expire(struct link *link)
{
	log_warn("session expired session=0x%llx", (unsigned long long)link->session);
	link->session = 0;
	disconnect(link);
	link->retry_ms = LINK_RETRY_MS_MIN;
	event_active(link->retry, EV_TIMEOUT, 1);
	link_set_state(link, LINK_EXPIRED);
	link_fail(link, of_old_session);
	/* What became of those the new session is told: for it they are another's changes. */
	Judy1FreeArray(&link->abandoned, PJE0);
}

static void
hello(struct link *link)
{
	struct wire_msg msg = { .type = WIRE_T_HELLO,
		.hello = { .proto = WIRE_PROTO,
		    .session = link->session,
		    .serial = link_now_ns(),
		    .seen = link->seen,
		    .timeout_ms = link->options.timeout_ms } };

	if (link->session != 0)
		msg.hello.secret = (struct blob){ link->secret, sizeof link->secret };
	msg.hello.identity.data = (const uint8_t *)link->options.identity;
	msg.hello.identity.len = (uint32_t)strnlen(link->options.identity, WIRE_IDENTITY_MAX);
	link->phase = PHASE_HELLO;
	link->hello_ns = link_now_ns();
	link->heard_ns = link->hello_ns;
	conn_send(link->conn, &msg);
}

static void
up(struct link *link, const struct wire_welcome *welcome)
{
	struct wire_msg resume = { .type = WIRE_T_RESUME }, close = { .type = WIRE_T_CLOSE };

	if (welcome->secret.len != WIRE_SECRET_LEN || welcome->session == 0 ||
	    welcome->timeout_ms == 0) {
		link_drop(link, "a broken WELCOME");
		return;
	}
	if (link->session == 0)
		log_info("session opened session=0x%llx replica=%u timeout_ms=%u",
		    (unsigned long long)welcome->session, (unsigned)welcome->replica,
		    (unsigned)welcome->timeout_ms);
	else
		log_info("session goes on session=0x%llx replica=%u",
		    (unsigned long long)welcome->session, (unsigned)welcome->replica);
	link->session = welcome->session;
	memcpy(link->secret, welcome->secret.data, WIRE_SECRET_LEN);
	link->timeout_ms = welcome->timeout_ms;
	link->replica = welcome->replica;
	/* A mount that has just begun has nothing cached: what was before doesn't concern it. */
	if (!link->seen_known)
		link->seen = welcome->zxid;
	link->seen_known = true;
	link->deadline_ns = link->hello_ns + link->timeout_ms * NS_PER_MS;
	link->ping_ns = link->hello_ns;
	link->retry_ms = LINK_RETRY_MS_MIN;
	link->told = false;
	if (link->handler->interests != NULL)
		link->handler->interests(link->arg, link);
	conn_send(link->conn, &resume);
	link->phase = PHASE_UP;
	if (link->closed != NULL)
		conn_send(link->conn, &close);
	link_pump(link);
}

static void
welcomed(struct link *link, const struct wire_welcome *welcome)
{
	if (link->phase != PHASE_HELLO) {
		link_drop(link, "WELCOME out of order");
		return;
	}
	if (welcome->code == ERR_OK) {
		up(link, welcome);
	} else if (welcome->code == ERR_EXPIRED && link->session != 0) {
		link_expire(link);
	} else {
		link_drop(link, err_text(welcome->code));
	}
}

/* What the old connection left open is settled by now: everything since `seen` has been told. */
static void
resumed(struct link *link, const struct wire_resumed *message)
{
	bool doubt = !message->complete || Judy1Count(link->abandoned, 0, (Word_t)-1, PJE0) != 0;

	if (link->phase != PHASE_UP || link->resumed) {
		link_drop(link, "RESUMED out of order");
		return;
	}
	link->resumed = true;
	link_saw(link, message->zxid);
	Judy1FreeArray(&link->abandoned, PJE0);
	if (doubt && link->handler->lost != NULL)
		link->handler->lost(link->arg);
	link_set_state(link, LINK_CONNECTED);
	link_pump(link);
}

static void
changed(struct link *link, const struct wire_change *change)
{
	if (link->phase != PHASE_UP) {
		link_drop(link, "CHANGE out of order");
		return;
	}
	if (change->zxid <= link->seen)
		return; /* from before this mount */
	if (link->handler->change != NULL)
		link->handler->change(link->arg, change);
	if (change->last)
		link_saw(link, change->zxid);
}

static void
ponged(struct link *link, const struct wire_pong *pong)
{
	uint64_t deadline_ns = pong->sent_ns + link->timeout_ms * NS_PER_MS;

	if (pong->sent_ns > link_now_ns()) {
		link_drop(link, "a broken PONG");
		return;
	}
	link_saw(link, pong->zxid);
	if (pong->alive && deadline_ns > link->deadline_ns)
		link->deadline_ns = deadline_ns;
	if (link->resumed && link->state == LINK_SUSPENDED && link_now_ns() < link->deadline_ns) {
		link_set_state(link, LINK_CONNECTED);
		link_pump(link);
	}
}

static void
bye(struct link *link, const struct wire_bye *message)
{
	if (link->closed != NULL) {
		if (message->code != ERR_OK && message->code != ERR_EXPIRED)
			log_warn("session not closed reason=\"%s\"", err_text(message->code));
		link->session = 0;
		link_finished(link);
	} else if (message->code == ERR_EXPIRED) {
		link_expire(link);
	} else {
		link_drop(link, "BYE");
	}
}

static void
on_message(void *arg, const struct wire_msg *msg)
{
	struct link *link = arg;

	link->heard_ns = link_now_ns();
	switch (msg->type) {
	case WIRE_T_WELCOME:
		welcomed(link, &msg->welcome);
		break;
	case WIRE_T_RESUMED:
		resumed(link, &msg->resumed);
		break;
	case WIRE_T_PONG:
		ponged(link, &msg->pong);
		break;
	case WIRE_T_BYE:
		bye(link, &msg->bye);
		break;
	case WIRE_T_CHANGE:
		changed(link, &msg->change);
		break;
	case WIRE_T_REPLY:
		link_reply(link, &msg->reply);
		break;
	default:
		link_drop(link, "a message that is not for a front end");
	}
}

static void
on_closed(void *arg, int code, const char *why)
{
	(void)code;
	link_drop(arg, why);
}

static int
dial(const char *address)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(address) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, address, strlen(address) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* On a Unix socket this succeeds or fails at once. */
	if (connect(fd, (const struct sockaddr *)&sun, sizeof sun) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

void
link_connect(struct link *link)
{
	static const struct conn_handler handler = { .message = on_message, .closed = on_closed };
	const char *address = link->options.addresses[link->address];
	int fd;

	if (link->phase != PHASE_DOWN)
		return;
	fd = dial(address);
	if (fd < 0) {
		if (!link->told)
			log_warn("no replica address=%s reason=\"%s\"", address, strerror(errno));
		link->told = true;
		retry_later(link);
		return;
	}
	link->conn = conn_new(link->base, fd, &handler, link, LINK_UNSENT_MAX);
	CHECK(link->conn != NULL);
	hello(link);
}
