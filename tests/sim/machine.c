/*
 * The machine below a member: clocks, randomness, the log, connections between
 * members, the timer. Stands in for clock.c, loop.c, lib/log.c and net/link.c
 * behind their headers; `the_world->running` is the process that calls.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct world *the_world;

uint64_t
replica_now_ns(void)
{
	return the_world->now;
}

int64_t
machine_time_ns(const struct world *world, uint32_t sid)
{
	uint64_t z = world->options.seed + world->now / (2 * S);

	z = (z + sid) * UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return (int64_t)(world->now + sid * 17 * S + (z >> 33) % 120 * S);
}

int64_t
replica_time_ns(void)
{
	return machine_time_ns(the_world, the_world->running->sid);
}

void
replica_random(void *out, size_t len)
{
	uint64_t number;
	size_t i;

	for (i = 0; i < len; i += sizeof number) {
		number = random_next(the_world) >> 1 | 1;
		memcpy(
		    (uint8_t *)out + i, &number, len - i < sizeof number ? len - i : sizeof number);
	}
}

void
loop_arm(struct loop *loop, uint64_t due_ns)
{
	(void)loop;
	(void)due_ns; /* member_leave asks the core */
}

/* A piece takes its time, now and then a long one. */
void
loop_deliver(struct loop *loop)
{
	struct member *member = the_world->running;
	uint64_t limit = random_one_in(the_world, 10) ? 300 * MS : MS;
	struct event *event =
	    heap_add(the_world, the_world->now + 1 + random_below(the_world, limit), EVENT_DELIVER);

	(void)loop;
	event->member = (uint32_t)(member - the_world->members);
	event->life = member->life;
}

uint32_t
loop_rows_max(const struct loop *loop)
{
	(void)loop;
	the_world->running->piece = the_world->options.piece;
	return the_world->options.piece != 0 ? the_world->options.piece : DELIVER_ROWS_MAX;
}

static void
say(const char *format, va_list ap)
{
	char text[512];

	if (the_world == NULL || the_world->trace == NULL || the_world->running == NULL)
		return;
	vsnprintf(text, sizeof text, format, ap);
	trace(the_world, "%u: %s", the_world->running->sid, text);
}

#define SAY                                                                                        \
	va_list ap;                                                                                \
                                                                                                   \
	va_start(ap, format);                                                                      \
	say(format, ap);                                                                           \
	va_end(ap)

void
log_error(const char *format, ...)
{
	SAY;
}

void
log_warn(const char *format, ...)
{
	SAY;
}

void
log_info(const char *format, ...)
{
	SAY;
}

void
log_debug(const char *format, ...)
{
	(void)format;
}

/* No fault that the simulator knows is a reason. */
_Noreturn void
fatal(int exit_code, const char *format, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	trace(the_world, "member %u ends: %s", the_world->running->sid, text);
	check_fail("fatal", exit_code, text);
}

static const char *const roles[] = { "recovering", "looking", "leading", "following", "observing" };
static const char *const messages[] = { "?", "VOTE", "CEPOCH", "ACKEPOCH", "PROBED", "ACKLD", "ACK",
	"PONG", "NEWEPOCH", "PROBE", "TRUNC", "SNAP", "ROW", "NEWLEADER", "UPTODATE", "COMMIT",
	"PING", "RESIGN" };

static void
trace_message(const struct member *member, uint32_t peer, const struct event *event)
{
	const struct zab_message *message = &event->message;

	trace(the_world, "%u -> %u %s epoch=%llu zxid=%llx round=%llu vote=%u role=%s flags=%x",
	    member->sid, peer, messages[message->type], (unsigned long long)message->epoch,
	    (unsigned long long)message->zxid, (unsigned long long)message->round,
	    message->vote_sid, roles[message->role], message->flags);
}

/* It begins with what the tree has, which is a state of the history. */
static void
announce_snapshot(const struct member *member, struct event *event)
{
	const struct history *history = &the_world->history;
	uint64_t index = history->count;

	while (index > 0 && history->rows[index - 1].zxid > event->message.zxid)
		index--;
	event->index = index;
	event->state = index == 0 ? 0 : history->states[index - 1];
	if (event->message.zxid > tree_applied(member->replica->tree) ||
	    (index == 0 ? 0 : history->rows[index - 1].zxid) != event->message.zxid)
		fail(the_world, "member %u sends a snapshot at %llx", member->sid,
		    (unsigned long long)event->message.zxid);
}

void
links_send(struct links *links, uint32_t peer, uint64_t conn, const struct wire_msg *msg,
    struct blob payload)
{
	struct member *member = the_world->running;
	struct event event = { 0 };
	msgpack_sbuffer packed;

	(void)links;
	if (!member_acts(the_world, member) || conn == 0 ||
	    member->conn_to[member_index(the_world, peer)] != conn)
		return;
	if (msg->type == WIRE_T_ZAB) {
		event.message = message_from_wire(&msg->zab);
		if (event.message.type == ZAB_ROW)
			event.bytes = bytes_new(the_world, payload.data, payload.len);
		if (event.message.type == ZAB_SNAP) {
			the_world->coverage[COVER_SNAP]++;
			announce_snapshot(member, &event);
		}
		trace_message(member, peer, &event);
	} else {
		msgpack_sbuffer_init(&packed);
		wire_pack(&packed, msg);
		event.bytes = bytes_new(the_world, packed.data, packed.size);
		msgpack_sbuffer_destroy(&packed);
		trace(the_world, "%u -> %u %s", member->sid, peer, wire_type_name(msg->type));
	}
	trap_message(the_world, (uint32_t)(member - the_world->members),
	    member_index(the_world, peer), conn, event.message.type);
	net_send(the_world, (uint32_t)(member - the_world->members), member_index(the_world, peer),
	    conn, &event);
}

size_t
links_unsent(const struct links *links, uint32_t peer, uint64_t conn)
{
	struct member *member = the_world->running;
	struct event *event;

	(void)links;
	(void)peer;
	(void)conn;
	/* Now and then there is no room: what follows waits for `drained`. */
	if (member->crowded == 0 &&
	    random_one_in(
		the_world, the_world->options.big || the_world->options.crowd_ms ? 6 : 100)) {
		member->crowded = the_world->now + net_delay(the_world) +
				  random_below(the_world, the_world->options.crowd_ms * MS);
		event = heap_add(the_world, member->crowded, EVENT_DRAINED);
		event->member = (uint32_t)(member - the_world->members);
		event->life = member->life;
	}
	return member->crowded != 0 ? LINK_UNSENT_LOW : 0;
}

void
links_pause(struct links *links, uint32_t peer, uint64_t conn, bool paused)
{
	struct member *member = the_world->running;

	(void)links;
	if (member_acts(the_world, member) && conn != 0 &&
	    member->conn_to[member_index(the_world, peer)] == conn)
		net_pause(the_world, (uint32_t)(member - the_world->members), conn, paused);
}

void
links_close(struct links *links, uint32_t peer, uint64_t conn, const char *why)
{
	struct member *member = the_world->running;

	(void)links;
	(void)peer;
	if (!member_acts(the_world, member) || conn == 0 ||
	    member->conn_to[member_index(the_world, peer)] != conn)
		return;
	trace(the_world, "%u closes the connection to %u: %s", member->sid, peer, why);
	if (strstr(why, "behind its snapshot") != NULL && !member->disk.cut_short)
		fail(the_world, "member %u has not kept the rows behind its snapshot", member->sid);
	net_close(the_world, (uint32_t)(member - the_world->members), conn);
}

struct links_figures
links_figures(const struct links *links)
{
	(void)links;
	return (struct links_figures){ 0 };
}
