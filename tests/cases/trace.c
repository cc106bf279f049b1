/*
 * What a reader of a transcript sees: messages, log orders, changes of role,
 * in words, without what only a machine needs. Called by member.c.
 */
#include "tests/cases/cases.h"

#include <stdarg.h>
#include <string.h>

const char *const role_names[] = { "recovering", "looking", "leading", "following", "observing" };
static const char *const phases[] = { "election", "discovery", "synchronisation", "broadcast" };
static const char *const reasons[] = { "none", "start", "the leader's connection is gone",
	"the leader is silent", "the leader says so", "an epoch below what was accepted",
	"no quorum", "a wait took too long", "the log failed", "the counter is at its end",
	"hand-over", "a member has accepted a later epoch", "the leader said what cannot be",
	"synchronised, votes from now on" };
static const char *const types[ZAB_TYPES] = { "?", "VOTE", "CEPOCH", "ACKEPOCH", "PROBED", "ACKLD",
	"ACK", "PONG", "NEWEPOCH", "PROBE", "TRUNC", "SNAP", "ROW", "NEWLEADER", "UPTODATE",
	"COMMIT", "PING", "RESIGN" };

void
trace(struct world *world, const char *format, ...)
{
	va_list ap;

	if (world->quiet)
		return;
	fputs("    ", world->out);
	va_start(ap, format);
	vfprintf(world->out, format, ap);
	va_end(ap);
	fputc('\n', world->out);
}

/* Stands in the transcript whatever is hidden, and no update makes it right. */
void
fail(struct world *world, const char *format, ...)
{
	va_list ap;

	world->failed = true;
	fputs("    FAILED: ", world->out);
	va_start(ap, format);
	vfprintf(world->out, format, ap);
	va_end(ap);
	fputc('\n', world->out);
}

uint32_t
type_of(const char *name)
{
	uint32_t type;

	for (type = 1; type < ZAB_TYPES; type++)
		if (strcmp(types[type], name) == 0)
			return type;
	return 0;
}

const char *
zxid_text(uint64_t zxid)
{
	static char buffers[8][32];
	static uint32_t next;
	char *buffer = buffers[next++ % 8];
	uint32_t left = UINT32_MAX - zab_zxid_counter(zxid);

	if (left == 0)
		snprintf(buffer, sizeof buffers[0], "%u:max", zab_zxid_epoch(zxid));
	else if (left < 100)
		snprintf(buffer, sizeof buffers[0], "%u:max-%u", zab_zxid_epoch(zxid), left);
	else
		snprintf(buffer, sizeof buffers[0], "%u:%u", zab_zxid_epoch(zxid),
		    zab_zxid_counter(zxid));
	return buffer;
}

static void
print_vote(FILE *to, const struct zab_message *message)
{
	if (message->role <= ZAB_OBSERVING)
		fprintf(to, " %s", role_names[message->role]);
	if (message->epoch != 0)
		fprintf(to, " in epoch %llu", (unsigned long long)message->epoch);
	fprintf(to, ", round %llu", (unsigned long long)message->round);
	if (message->vote_sid == 0)
		fputs(", for nobody", to);
	else
		fprintf(to, ", for %u (%llu, %s%s)", message->vote_sid,
		    (unsigned long long)message->vote_epoch, zxid_text(message->vote_zxid),
		    message->vote_favour != 0 ? ", favoured" : "");
}

void
print_message(FILE *to, const struct zab_message *message)
{
	unsigned long long epoch = message->epoch;

	fputs(message->type < ZAB_TYPES ? types[message->type] : "of an unknown type", to);
	switch (message->type) {
	case ZAB_VOTE:
		print_vote(to, message);
		break;
	case ZAB_CEPOCH:
		fprintf(to, " accepted %llu", epoch);
		break;
	case ZAB_ACKEPOCH:
		fprintf(to, " current %llu, last %s", epoch, zxid_text(message->zxid));
		break;
	case ZAB_NEWEPOCH:
		fprintf(to, " %llu%s", epoch,
		    (message->flags & ZAB_ESTABLISHED) != 0 ? ", established" : "");
		break;
	case ZAB_PROBED:
		fputs((message->flags & ZAB_MATCH) != 0 ? " the same" : " differs", to);
		break;
	case ZAB_TRUNC:
		fprintf(to, " above %s", zxid_text(message->zxid));
		break;
	case ZAB_ROW:
		fprintf(to, " %s after %s", zxid_text(message->zxid), zxid_text(message->prev));
		break;
	case ZAB_NEWLEADER:
	case ZAB_ACKLD:
		fprintf(to, " epoch %llu, history up to %s", epoch, zxid_text(message->zxid));
		break;
	case ZAB_PING:
	case ZAB_PONG:
		fprintf(to, " %llu", (unsigned long long)message->zxid);
		break;
	case ZAB_RESIGN:
		if ((message->flags & ZAB_HANDOVER) != 0)
			fprintf(to, ", you shall lead with (%llu, %s)", epoch,
			    zxid_text(message->zxid));
		break;
	default:
		fprintf(to, " %s", zxid_text(message->zxid));
	}
	if ((message->type == ZAB_VOTE || message->type == ZAB_CEPOCH) &&
	    (message->flags & ZAB_VOTER) == 0)
		fputs(", no voter", to);
}

static void
print_changed(FILE *to, const struct zab_action *action)
{
	switch (action->role) {
	case ZAB_RECOVERING:
		fprintf(to, "LOOKS for a leader: %s", reasons[action->reason]);
		break;
	case ZAB_LEADING:
		fputs(action->phase == ZAB_BROADCAST ? "LEADS" : "begins to lead", to);
		break;
	default:
		fprintf(to, "%s%s %u", action->phase == ZAB_BROADCAST ? "" : "begins to ",
		    action->phase != ZAB_BROADCAST
			? action->role == ZAB_FOLLOWING ? "follow" : "observe"
		    : action->role == ZAB_FOLLOWING ? "FOLLOWS"
						    : "OBSERVES",
		    action->peer);
	}
	if (action->current_epoch != 0)
		fprintf(to, ", epoch %llu", (unsigned long long)action->current_epoch);
}

static void
print_log(FILE *to, const struct zab_action *action)
{
	switch (action->type) {
	case ZAB_LOG_EPOCHS:
		fprintf(to, "log: epochs, accepted %llu from %llu, current %llu",
		    (unsigned long long)action->accepted_epoch,
		    (unsigned long long)action->accepted_sid,
		    (unsigned long long)action->current_epoch);
		break;
	case ZAB_LOG_ROW:
		fprintf(to, "log: row %s", zxid_text(action->zxid));
		break;
	case ZAB_LOG_SYNC_BEGIN:
		fprintf(to, "log: as one, rows above %s go", zxid_text(action->zxid));
		break;
	case ZAB_LOG_SYNC_SNAP:
		fprintf(
		    to, "log: as one, all goes, the snapshot of %s comes", zxid_text(action->zxid));
		break;
	case ZAB_LOG_SYNC_COMMIT:
		fprintf(to, "log: as one, up to here, and current %llu",
		    (unsigned long long)action->current_epoch);
		break;
	default:
		fputs("log: is a voter", to);
	}
}

void
print_action(FILE *to, const struct zab_action *action)
{
	fputs("        ", to);
	switch (action->type) {
	case ZAB_SEND:
		fprintf(to, "to %u: ", action->peer);
		print_message(to, &action->message);
		break;
	case ZAB_SEND_ROWS:
		fprintf(to, "to %u: rows above %s up to %s", action->peer, zxid_text(action->from),
		    zxid_text(action->zxid));
		break;
	case ZAB_SEND_SNAP:
		fprintf(to, "to %u: the snapshot of %s", action->peer, zxid_text(action->zxid));
		break;
	case ZAB_FORGET:
		fprintf(to, "forgets %u", action->peer);
		break;
	case ZAB_DROP:
		fprintf(to, "closes the connection to %u", action->peer);
		break;
	case ZAB_LOOK_UP:
		fprintf(to, "looks up the last row up to %s", zxid_text(action->zxid));
		break;
	case ZAB_DELIVER:
		fprintf(to, "DELIVERS up to %s", zxid_text(action->zxid));
		break;
	case ZAB_CONFIRMED:
		fprintf(to, "CONFIRMED %llu", (unsigned long long)action->zxid);
		break;
	case ZAB_CHANGED:
		print_changed(to, action);
		break;
	case ZAB_RECOVER:
		fputs("undoes what was not finished", to);
		break;
	case ZAB_ALARM:
		fprintf(
		    to, "ALARM: row %s of %u is not ours", zxid_text(action->zxid), action->peer);
		break;
	case ZAB_FATAL:
		fputs("FATAL: ends", to);
		break;
	default:
		print_log(to, action);
	}
	fputc('\n', to);
}

void
print_status(struct world *world, const struct member *member)
{
	struct zab_status status;
	char leader[32] = "";

	if (!member->up) {
		trace(world, "%u: down", member->sid);
		return;
	}
	zab_status(member->zab, &status);
	if (status.leader != 0 && status.role != ZAB_LEADING)
		snprintf(leader, sizeof leader, " %u", status.leader);
	trace(world,
	    "%u: %s%s, %s, accepted %llu, current %llu, last %s, committed %s, delivered %s%s",
	    member->sid, role_names[status.role], leader, phases[status.phase],
	    (unsigned long long)status.accepted_epoch, (unsigned long long)status.current_epoch,
	    zxid_text(status.last_logged), zxid_text(status.committed), zxid_text(status.delivered),
	    status.voter ? "" : ", no voter");
}
