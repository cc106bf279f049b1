/*
 * What an operator reads of an ensemble, `.zab/cluster/…`, `.zab/metrics`, HTTP:
 * text, made of what this member knows, leader or not, quorum or not. Called by
 * replica.c and http.c.
 */
#include "replica/replica.h"

#include "replica/lib/err.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_LEN 512

static void __attribute__((format(printf, 2, 3)))
line(msgpack_sbuffer *out, const char *format, ...)
{
	char text[LINE_MAX_LEN];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	msgpack_sbuffer_write(out, text, n < LINE_MAX_LEN ? (size_t)n : LINE_MAX_LEN - 1);
}

/* Who leads counts; who is about to, or looks for somebody, is looking. */
static const char *
role_text(const struct wire_status *status)
{
	switch (status->role) {
	case ZAB_LEADING:
		return status->doing == STATUS_SERVING ? "leader" : "looking";
	case ZAB_FOLLOWING:
		return "follower";
	case ZAB_OBSERVING:
		return "observer";
	default:
		return "looking";
	}
}

/* One word, so that the columns can be counted. */
static void
doing_text(const struct wire_status *status, char text[32])
{
	static const char *const names[STATUS_DOINGS] = { [STATUS_RECOVERING] = "recovering",
		[STATUS_ELECTING] = "electing",
		[STATUS_SYNCING] = "syncing",
		[STATUS_SNAPSHOT] = "snapshot",
		[STATUS_SERVING] = "serving",
		[STATUS_DISK_FULL] = "disk-full",
		[STATUS_NO_VOTE] = "no-vote" };

	if (status->doing == STATUS_SNAPSHOT)
		snprintf(text, 32, "snapshot:%u%%", (unsigned)status->percent);
	else
		snprintf(text, 32, "%s", names[status->doing]);
}

static void
member(msgpack_sbuffer *out, const struct conf_member *conf, const struct wire_status *status)
{
	char state[32], zxid[32], lag[32] = "-";

	if (status == NULL) {
		line(out, "%-4u %-9s %-13s %-18s %-8s %s\n", (unsigned)conf->id, "unknown",
		    "unreachable", "-", "-", conf->peer);
		return;
	}
	doing_text(status, state);
	snprintf(zxid, sizeof zxid, "0x%" PRIx64, status->zxid);
	if (status->lag != STATUS_UNKNOWN)
		snprintf(lag, sizeof lag, "%" PRIu64, status->lag);
	line(out, "%-4u %-9s %-13s %-18s %-8s %s\n", (unsigned)conf->id, role_text(status), state,
	    zxid, lag, conf->peer);
}

static void
members(const struct replica *replica, msgpack_sbuffer *out)
{
	const struct conf *conf = replica->conf;
	struct wire_status status;
	bool known;
	size_t i;

	line(out, "%-4s %-9s %-13s %-18s %-8s %s\n", "# ID", "ROLE", "STATE", "ZXID", "LAG",
	    "ADDRESS");
	for (i = 0; i < conf->nmembers; i++) {
		known = status_member(replica, conf->members[i].id, &status);
		member(out, &conf->members[i], known ? &status : NULL);
	}
}

void
report_request(struct replica *replica, struct front *front, const struct wire_report *msg)
{
	struct wire_status own;
	msgpack_sbuffer out;
	struct blob data;
	int code = ERR_OK;

	msgpack_sbuffer_init(&out);
	switch (msg->what) {
	case WIRE_MEMBERS:
		members(replica, &out);
		break;
	case WIRE_LEADER:
		line(&out, "%u\n", replica->serving ? (unsigned)replica->leader : 0);
		break;
	case WIRE_EPOCH:
		status_own(replica, &own);
		line(&out, "%" PRIu64 "\n", own.epoch);
		break;
	case WIRE_METRICS:
		figures_text(replica, &out);
		break;
	default:
		code = ERR_NOTSUP;
	}
	data = (struct blob){ (const uint8_t *)out.data, (uint32_t)out.size };
	front_reply(front, msg->rid, code, 0, NULL, &data, false);
	msgpack_sbuffer_destroy(&out);
}

bool
report_ready(const struct replica *replica, char *why, size_t len)
{
	struct wire_status own;
	char state[32];

	status_own(replica, &own);
	doing_text(&own, state);
	snprintf(why, len, "%s", state);
	return own.doing == STATUS_SERVING;
}

/* HTTP. */

static void
on_metrics(void *arg, msgpack_sbuffer *out)
{
	figures_text(arg, out);
}

static bool
on_ready(void *arg, char *why, size_t len)
{
	return report_ready(arg, why, len);
}

const struct http_handler replica_http_handler = {
	.metrics = on_metrics,
	.ready = on_ready,
};
