/*
 * The connection that the session is attached by: from WELCOME on (INTEREST…,
 * RESUME, RESUMED, then everything else) until it is lost or another one takes
 * its place. See link_internal.h; wire.h has the order of the messages.
 */
#include "fsd/link_internal.h"

#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <stdatomic.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

static void
disconnect(struct link *link)
{
	conn_free(link->conn);
	link->conn = NULL;
	link->resumed = false;
	link_unwire(link);
}

void
link_drop(struct link *link, const char *why)
{
	if (link->conn == NULL)
		return;
	if (link->closed == NULL)
		log_warn("replica lost replica=%u reason=\"%s\"", (unsigned)link->replica, why);
	if (link_is_silent(link, fsd_now_ns()))
		link->opening.silent = link->address;
	disconnect(link);
	link_seek_again(link);
	if (link->state == LINK_CONNECTED)
		link_set_state(link, LINK_CONNECTING);
}

/*
 * What was sent in the old session, by whichever process, may have been executed; what was not
 * goes on in the new one.
 */
static int
of_old_session(struct link *link, const struct link_request *request)
{
	(void)link;
	if (link_is_doubtful(request))
		return ERR_UNKNOWN;
	return request->bound ? ERR_EXPIRED : 0;
}

static void
forget_abandoned(struct link *link)
{
	Judy1FreeArray(&link->abandoned, PJE0);
	link->kept->abandoned = 0;
	link->doubt = false;
}

void
link_expire(struct link *link)
{
	log_warn("session expired session=0x%llx", (unsigned long long)link->session);
	link->session = 0;
	link->kept->session = 0;
	link->kept->replay = 0;
	disconnect(link);
	link_seek_again(link);
	link_set_state(link, LINK_EXPIRED);
	link_fail(link, of_old_session);
	/* What became of those the new session is told: for it they are another's changes. */
	forget_abandoned(link);
}

/* What the old connection left open is settled by now: everything since `seen` has been told. */
static void
resumed(struct link *link, const struct wire_resumed *message)
{
	bool doubt = !message->complete || link->doubt ||
		     Judy1Count(link->abandoned, 0, (Word_t)-1, PJE0) != 0;

	if (link->resumed) {
		link_drop(link, "RESUMED out of order");
		return;
	}
	link->resumed = true;
	link_saw(link, message->zxid);
	link->kept->replay = 0;
	forget_abandoned(link);
	if (doubt && link->handler->lost != NULL)
		link->handler->lost(link->arg);
	if (link->state != LINK_CONNECTED)
		link_set_state(link, LINK_CONNECTED);
	else if (link->handler->state != NULL) /* it is another replica's */
		link->handler->state(link->arg, LINK_CONNECTED);
	link_pump(link);
}

static void
changed(struct link *link, const struct wire_change *change)
{
	if (change->zxid <= link_replay(link))
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

	if (pong->sent_ns > fsd_now_ns()) {
		link_drop(link, "a broken PONG");
		return;
	}
	link_saw(link, pong->zxid);
	if (pong->alive && deadline_ns > link->deadline_ns)
		link->deadline_ns = link->kept->deadline_ns = deadline_ns;
	if (link->resumed && link->state == LINK_SUSPENDED && fsd_now_ns() < link->deadline_ns) {
		link_set_state(link, LINK_CONNECTED);
		link_pump(link);
	}
}

static void
bye(struct link *link, const struct wire_bye *message)
{
	bool not_now = message->code == ERR_NOQUORUM || message->code == ERR_BUSY;

	if (link->closed != NULL && not_now) {
		/* Until close_ns: there may be a leader in a moment. */
		link_again(link);
	} else if (link->closed != NULL) {
		if (message->code != ERR_OK && message->code != ERR_EXPIRED)
			log_warn("session not closed reason=\"%s\"", err_text(message->code));
		link->session = 0;
		link_finished(link);
	} else if (message->code == ERR_EXPIRED) {
		link_expire(link);
	} else {
		link_drop(link, err_text(message->code));
	}
}

static void
on_message(void *arg, const struct wire_msg *msg)
{
	struct link *link = arg;

	link->heard_ns = fsd_now_ns();
	switch (msg->type) {
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

/* The session last: without it the rest means nothing. */
static void
keep(struct link *link)
{
	struct link_kept *kept = link->kept;

	memcpy(kept->secret, link->secret, sizeof kept->secret);
	kept->timeout_ms = link->timeout_ms;
	kept->seen = link->seen;
	atomic_signal_fence(memory_order_seq_cst);
	kept->session = link->session;
}

void
link_attach(struct link *link, const struct wire_welcome *welcome)
{
	static const struct conn_handler handler = { .message = on_message, .closed = on_closed };
	struct wire_msg resume = { .type = WIRE_T_RESUME }, close = { .type = WIRE_T_CLOSE };
	struct link_opening *opening = &link->opening;

	log_info("session %s session=0x%llx replica=%u address=%s timeout_ms=%u",
	    link->session == 0 ? "opened" : "goes on", (unsigned long long)welcome->session,
	    (unsigned)welcome->replica, link->options.addresses[opening->address].text,
	    (unsigned)welcome->timeout_ms);
	disconnect(link);
	link->attachments++;
	link->conn = opening->conn;
	link->address = opening->address;
	opening->conn = NULL;
	conn_handle(link->conn, &handler);
	link->session = welcome->session;
	memcpy(link->secret, welcome->secret.data, WIRE_SECRET_LEN);
	link->timeout_ms = welcome->timeout_ms;
	link->replica = welcome->replica;
	/* A mount that has just begun has nothing cached: what was before doesn't concern it. */
	if (!link->seen_known)
		link->seen = welcome->zxid;
	link->seen_known = true;
	keep(link);
	link->deadline_ns = link->kept->deadline_ns =
	    opening->hello_ns + link->timeout_ms * NS_PER_MS;
	link->ping_ns = opening->hello_ns;
	link->heard_ns = fsd_now_ns();
	if (link->handler->interests != NULL)
		link->handler->interests(link->arg, link);
	conn_send(link->conn, &resume);
	if (link->closed != NULL)
		conn_send(link->conn, &close);
	link_pump(link);
}
