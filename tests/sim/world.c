/*
 * A run: members start, clients write, faults come; then everything heals but
 * a minority that stays dead, and the rest has to converge: one leader, the
 * same history everywhere, and a new write that reaches all.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CONVERGE (60 * S)
#define STEPS_MAX 3000000

void
trace(struct world *world, const char *format, ...)
{
	va_list ap;

	if (world->trace == NULL)
		return;
	fprintf(world->trace, "%9.3f  ", (double)world->now / (double)MS);
	va_start(ap, format);
	vfprintf(world->trace, format, ap);
	va_end(ap);
	fputc('\n', world->trace);
}

/* Most seeds are small: few members, few writes, few faults find most. */
void
options_draw(uint64_t seed, struct options *out)
{
	static const uint32_t voters[] = { 3, 3, 3, 3, 5, 5, 5, 7, 1 };
	struct world dice;
	uint32_t kind;

	random_seed(&dice, seed ^ UINT64_C(0x5eed));
	memset(out, 0, sizeof *out);
	out->seed = seed;
	out->voters = voters[random_below(&dice, 9)];
	if (out->voters < 7 && random_one_in(&dice, 4))
		out->observers = 1 + (uint32_t)random_below(&dice, 3);
	if (random_one_in(&dice, 10)) {
		out->writes = 20 + (uint32_t)random_below(&dice, 300);
		out->faults = 5 + (uint32_t)random_below(&dice, 30);
		out->duration_ms = 5000 + (uint32_t)random_below(&dice, 30000);
	} else {
		out->writes = 1 + (uint32_t)random_below(&dice, 12);
		out->faults = 1 + (uint32_t)random_below(&dice, 8);
		out->duration_ms = 500 + (uint32_t)random_below(&dice, 6000);
	}
	for (kind = 0; kind < FAULTS; kind++)
		if (random_one_in(&dice, 2))
			out->kinds |= 1u << kind;
	if (out->kinds == 0)
		out->kinds = 1u << FAULT_CRASH;
	out->delay_us = random_one_in(&dice, 4) ? 50000 : 500;
	out->disk_us = random_one_in(&dice, 4) ? 50000 : 300;
	out->keep_rows = random_one_in(&dice, 2) ? (uint32_t)random_below(&dice, 5) : 1000;
	out->image_ms = 50 + (uint32_t)random_below(&dice, 1000);
	out->rollover = random_one_in(&dice, 20);
	out->wild = random_one_in(&dice, 4);
}

static void
member_event(struct world *world, uint64_t delay, enum event_kind kind, uint32_t member)
{
	struct event *event = heap_add(world, world->now + delay, kind);

	event->member = member;
	event->life = world->members[member].life;
}

/*
 * Rows like a long life would have left, right below the counter's end: each
 * member has them, they were delivered by all.
 */
static void
age(struct world *world, struct member *member)
{
	struct disk *disk = &member->disk;

	disk->accepted_epoch = disk->current_epoch = 1;
	disk->accepted_sid = world->members[0].sid;
	disk->base_zxid = disk->image_zxid = member->delivered = zab_zxid(1, 1);
}

static void
found(struct world *world)
{
	uint32_t i;

	world->count = world->options.voters + world->options.observers;
	CHECK(world->count <= MEMBERS_MAX);
	for (i = 0; i < world->count; i++) {
		struct member *member = &world->members[i];

		member->sid = i + 1;
		member->observer = i >= world->options.voters;
		member->disk.voter = true;
		if (world->options.rollover)
			age(world, member);
		member_event(world, random_below(world, 300 * MS), EVENT_RESTART, i);
		member_event(world, world->options.image_ms * MS, EVENT_IMAGE, i);
	}
	for (i = 0; i < world->count; i++)
		member_event(world, random_below(world, 20 * MS), EVENT_DIAL, i);
	for (i = 0; i < world->options.writes; i++)
		heap_add(world, random_below(world, world->options.duration_ms * MS), EVENT_WRITE);
	for (i = 0; i < world->options.faults; i++)
		heap_add(world, random_below(world, world->options.duration_ms * MS), EVENT_FAULT);
	heap_add(world, 300 * MS, EVENT_LIE);
	heap_add(world, world->options.duration_ms * MS / 2, EVENT_HONEST);
	heap_add(world, world->options.duration_ms * MS, EVENT_HEAL);
}

/* Each member looks for others that it has no connection to, again and again. */
static void
dial(struct world *world, uint32_t a)
{
	uint32_t b;

	for (b = 0; b < a; b++)
		net_dial(world, a, b);
	member_event(world, 20 * MS + random_below(world, 100 * MS), EVENT_DIAL, a);
}

static void
confirm(struct world *world, struct member *member)
{
	struct zab_event event = { .type = ZAB_EVENT_CONFIRM, .zxid = ++world->confirms };
	struct confirm *slot = &world->confirm[world->confirms % 64];

	*slot = (struct confirm){ .number = world->confirms,
		.needed = world->history.count,
		.member = (uint32_t)(member - world->members) };
	member_step(world, member, &event, NULL);
}

/* A burst of writes and a confirmation, at whoever takes them. */
static void
write_some(struct world *world)
{
	uint64_t burst = random_one_in(world, 5) ? 20 : 1 + random_below(world, 3);
	struct zab_event event;
	uint32_t i;

	for (i = 0; i < world->count; i++) {
		struct member *member = &world->members[i];

		if (!member->up || world->now < member->paused_until)
			continue;
		if (random_one_in(world, 3))
			confirm(world, member);
		for (; burst > 0 && member->up && zab_next_zxid(member->zab) != 0; burst--) {
			event = (struct zab_event){ .type = ZAB_EVENT_PROPOSE,
				.zxid = zab_next_zxid(member->zab) };
			trace(
			    world, "%u proposes %llx", member->sid, (unsigned long long)event.zxid);
			member_step(world, member, &event, NULL);
			world->writes++;
		}
	}
}

/* A quorum that can vote lives, of the others some stay dead. */
static void
heal(struct world *world)
{
	uint32_t i, alive = 0, order[MEMBERS_MAX], j, swap;
	uint32_t quorum = world->options.voters / 2 + 1;

	trace(world, "everything heals");
	world->healed = true;
	net_mend(world, true);
	for (i = 0; i < world->count; i++)
		order[i] = i;
	for (i = world->count; i > 1; i--) {
		j = (uint32_t)random_below(world, i);
		swap = order[i - 1];
		order[i - 1] = order[j];
		order[j] = swap;
	}
	for (i = 0; i < world->count; i++) {
		struct member *member = &world->members[order[i]];

		member->disk.full_until = member->disk.slow_until = 0;
		if (!member->observer && member->disk.voter && alive < quorum) {
			alive++;
			continue;
		}
		if (random_one_in(world, 2))
			continue;
		member->dead = true;
		member_crash(world, member);
		member->life++;
		trace(world, "%u stays dead", member->sid);
	}
	for (i = 0; i < world->count; i++)
		if (!world->members[i].dead && !world->members[i].up)
			member_event(world, random_below(world, 500 * MS), EVENT_RESTART, i);
}

static bool
converged(struct world *world)
{
	const struct member *leader = world_leader(world);
	struct zab_status status;
	uint32_t i;

	if (leader == NULL)
		return false;
	for (i = 0; i < world->count; i++) {
		const struct member *member = &world->members[i];

		if (member->dead)
			continue;
		if (!member->up)
			return false;
		zab_status(member->zab, &status);
		if (status.phase != ZAB_BROADCAST || status.leader != leader->sid ||
		    member->index != world->history.count ||
		    status.delivered != leader->delivered || (!member->observer && !status.voter))
			return false;
	}
	return true;
}

/* What each member thinks that it is, for whoever reads the trace. */
static void
describe(struct world *world)
{
	struct zab_status status;
	uint32_t i;

	for (i = 0; i < world->count; i++) {
		const struct member *member = &world->members[i];

		if (!member->up) {
			trace(world, "%u is %s", member->sid, member->dead ? "dead" : "down");
			continue;
		}
		zab_status(member->zab, &status);
		trace(world,
		    "%u role=%d phase=%d leader=%u epoch=%llu/%llu/%llu logged=%llx committed=%llx "
		    "delivered=%llx index=%llu of %llu voter=%d settling=%d orders=%u timer=%llu",
		    member->sid, (int)status.role, (int)status.phase, status.leader,
		    (unsigned long long)status.epoch, (unsigned long long)status.accepted_epoch,
		    (unsigned long long)status.current_epoch,
		    (unsigned long long)status.last_logged, (unsigned long long)status.committed,
		    (unsigned long long)status.delivered, (unsigned long long)member->index,
		    (unsigned long long)world->history.count, status.voter, member->settling,
		    member->disk.norders, (unsigned long long)(member->timer / MS));
	}
}

static void
message(struct world *world, struct member *member, const struct event *event)
{
	struct zab_event in = { .peer = world->members[event->peer].sid, .conn = event->conn };

	if (event->conn == 0)
		return;
	switch (event->kind) {
	case EVENT_CONNECTED:
		/* The newer one counts, whatever comes first. */
		if (event->conn < member->conn_to[event->peer])
			return;
		member->conn_to[event->peer] = event->conn;
		in.type = ZAB_EVENT_CONNECTED;
		break;
	case EVENT_DISCONNECTED:
		if (member->conn_to[event->peer] == event->conn)
			member->conn_to[event->peer] = 0;
		in.type = ZAB_EVENT_DISCONNECTED;
		break;
	default:
		world->messages++;
		in.type = ZAB_EVENT_MESSAGE;
		in.message = event->message;
		wild_vote(world, member, &in.message);
		check_heard(member, &in.message);
		break;
	}
	member_step(world, member, &in, event);
}

static void
happen(struct world *world, struct event *event)
{
	struct member *member = &world->members[event->member];
	struct zab_event tick = { .type = ZAB_EVENT_TICK };

	switch (event->kind) {
	case EVENT_CONNECTED:
	case EVENT_DISCONNECTED:
	case EVENT_MESSAGE:
		message(world, member, event);
		break;
	case EVENT_TIMER:
		if (member->timer == event->time || member->timer <= world->now)
			member->timer = 0;
		member_step(world, member, &tick, NULL);
		break;
	case EVENT_DISK:
		disk_done(world, member);
		break;
	case EVENT_IMAGE:
		if (member->up)
			disk_image(world, member);
		member_event(world, world->options.image_ms * MS, EVENT_IMAGE, event->member);
		break;
	case EVENT_RESTART:
		if (!member->up && !member->dead)
			member_start(world, member);
		break;
	case EVENT_DIAL:
		dial(world, event->member);
		break;
	case EVENT_WRITE:
		write_some(world);
		break;
	case EVENT_FAULT:
		if (!world->healed && world->faults++ < world->options.faults)
			fault_inject(world);
		break;
	case EVENT_MEND:
		net_mend(world, false);
		break;
	case EVENT_LIE:
		wild_shake(world);
		break;
	case EVENT_HONEST:
		wild_end(world);
		break;
	case EVENT_HEAL:
		heal(world);
		break;
	}
}

/* Events of the process itself: void in another life, late when it stands still. */
static bool
postponed(struct world *world, struct event *event)
{
	const struct member *member = &world->members[event->member];

	if (event->kind >= EVENT_RESTART || event->life != member->life ||
	    member->paused_until <= world->now)
		return false;
	event->arrived = true;
	heap_postpone(world, event, member->paused_until);
	return true;
}

static bool
of_another_life(const struct world *world, const struct event *event)
{
	return event->kind <= EVENT_DISK && event->life != world->members[event->member].life;
}

static void
come_back(struct world *world)
{
	struct member *member = &world->members[random_below(world, world->count)];

	if (!random_one_in(world, 2) || member->dead || member == world_leader(world)) {
		write_some(world);
		return;
	}
	member_crash(world, member);
	heap_add(world, world->now + random_below(world, 3 * S), EVENT_WRITE);
}

bool
world_run(const struct options *options, FILE *trace_to, struct world *world)
{
	uint64_t deadline = options->duration_ms * MS + CONVERGE, rounds = 0, wanted = 0, pause = 0;
	struct event event;

	memset(world, 0, sizeof *world);
	world->options = *options;
	world->trace = trace_to;
	random_seed(world, options->seed);
	found(world);
	while (world->failure[0] == '\0' && heap_take(world, &event)) {
		world->now = event.time;
		if (world->now > deadline || world->steps > STEPS_MAX) {
			describe(world);
			fail(world, "no convergence %s",
			    world->now > deadline ? "in a minute" : "in 3,000,000 steps");
			break;
		}
		if (of_another_life(world, &event) || postponed(world, &event))
			continue;
		happen(world, &event);
		if (!world->healed || world->now < pause || !converged(world))
			continue;
		/*
		 * What has converged takes a new write, while a member comes back or
		 * not, and converges again.
		 */
		if (world->history.count > wanted && rounds++ == 3)
			break;
		wanted = world->history.count;
		pause = world->now + 100 * MS;
		come_back(world);
	}
	return world->failure[0] == '\0';
}

void
world_free(struct world *world)
{
	uint32_t i;

	for (i = 0; i < world->count; i++) {
		disk_free(&world->members[i].disk);
		free(world->members[i].zab);
	}
	free(world->heap);
	free(world->conns);
	free(world->history.rows);
	free(world->history.states);
}
