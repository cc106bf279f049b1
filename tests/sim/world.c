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

static void
member_event(struct world *world, uint64_t delay, enum event_kind kind, uint32_t member)
{
	struct event *event = heap_add(world, world->now + delay, kind);

	event->member = member;
	event->life = world->members[member].life;
}

static void
configure(struct world *world)
{
	struct conf *conf = &world->conf;
	uint32_t i;

	world->count = world->options.voters + world->options.observers;
	CHECK(world->count <= MEMBERS_MAX && world->options.clients <= CLIENTS_MAX);
	*conf = (struct conf){ .tick_ms = 200,
		.init_limit = 10,
		.sync_limit = 5,
		.value_max = WIRE_VALUE_MAX,
		.pass_interval = world->options.image_s,
		.session_timeout_min = 100,
		.session_timeout_max = 60000,
		.sessions_max = world->options.sessions != 0 ? world->options.sessions : 1000,
		.members = world->conf_members,
		.nmembers = world->count };
	for (i = 0; i < world->count; i++) {
		struct member *member = &world->members[i];

		member->sid = i + 1;
		member->observer = i >= world->options.voters;
		member->disk.voter = true;
		conf->members[i].id = member->sid;
		conf->members[i].observer = member->observer;
		member->conf = *conf;
		if (world->options.skew)
			member->conf.sync_limit = 3 + (uint32_t)random_below(world, 10);
	}
}

static void
found(struct world *world)
{
	uint32_t i;

	configure(world);
	traps_set(world);
	for (i = 0; i < world->count; i++)
		member_event(world, random_below(world, 300 * MS), EVENT_RESTART, i);
	for (i = 0; i < world->options.clients; i++)
		client_start(world, i);
	for (i = 0; i < world->count; i++)
		member_event(world, random_below(world, 20 * MS), EVENT_DIAL, i);
	for (i = 0; i < world->options.writes; i++)
		heap_add(world, random_below(world, world->options.duration_ms * MS), EVENT_WRITE);
	for (i = 0; i < world->options.faults; i++)
		heap_add(world, random_below(world, world->options.duration_ms * MS), EVENT_FAULT);
	heap_add(world, world->options.wild * MS, EVENT_LIE);
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
	member_event(
	    world, world->options.dial_ms * (MS + random_below(world, 5 * MS)), EVENT_DIAL, a);
}

/* A burst of requests, of some client. */
static void
request(struct world *world)
{
	uint64_t burst = random_one_in(world, 5) ? OUTSTANDING_MAX : 1;

	for (; burst > 0; burst--)
		client_request(world, &world->clients[random_below(world, world->options.clients)]);
}

/* It stays, and reaches one other only: who is a majority goes on all the same. */
static void
set_aside(struct world *world, struct member *member)
{
	uint32_t self = member_index(world, member->sid), i, friend;

	do
		friend = (uint32_t)random_below(world, world->count);
	while (friend == self || world->members[friend].aside || world->members[friend].befriended);
	member->aside = true;
	world->members[friend].befriended = !member->observer;
	trace(world, "%u reaches %u only", member->sid, world->members[friend].sid);
	for (i = 0; i < world->count; i++)
		if (i != self && i != friend)
			net_part(world, self, i, world->now + 2 * CONVERGE);
}

/* A quorum that can vote lives, of the others some stay dead, or all are far away. */
static void
heal(struct world *world)
{
	uint32_t i, alive = 0, order[MEMBERS_MAX], j, swap;
	uint32_t quorum = world->options.voters / 2 + 1;
	/* Two that reach each other may be a quorum, and then a choice. */
	bool apart = world->options.apart != 0 && quorum > 2;

	trace(world, "everything heals");
	world->healed = true;
	/* A slow network is a fault like any other. */
	world->options.delay_us = world->options.disk_us = 300;
	world->options.crowd_ms = world->options.lame = 0;
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
		member->disk.failing = false;
		if (!member->observer && member->disk.voter && alive < quorum) {
			alive++;
			continue;
		}
		if (apart)
			set_aside(world, member);
		if (apart || random_one_in(world, 2))
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

/* Every session has an owner: those that were left have expired. */
static bool
attended(const struct world *world, const struct member *leader)
{
	const struct session *session = NULL;
	uint64_t id = 0;
	uint32_t i;

	while ((session = tree_next_session(leader->replica->tree, id)) != NULL) {
		id = session_id(session);
		for (i = 0; i < world->options.clients && world->clients[i].session != id; i++)
			;
		if (i == world->options.clients)
			return false;
	}
	return true;
}

/* What the leader has to remove it has removed, by its own clock. */
static bool
reaped(const struct world *world, const struct member *leader)
{
	int64_t now_ns = machine_time_ns(world, leader->sid);

	if (now_ns < leader->replica->time_ns)
		now_ns = leader->replica->time_ns;
	return !qualified_overdue(leader->replica->tree, TREE_ROOT, now_ns);
}

static bool
converged(struct world *world)
{
	const struct member *leader = world_leader(world);
	struct zab_status status;
	uint32_t i;

	if (leader == NULL || !attended(world, leader) || !reaped(world, leader))
		return false;
	for (i = 0; i < world->options.clients; i++)
		if (!world->clients[i].up || !client_idle(&world->clients[i]) ||
		    !told_all(world, &world->clients[i]))
			return false;
	for (i = 0; i < world->count; i++) {
		const struct member *member = &world->members[i];

		if (member->dead || member->aside)
			continue;
		if (!member->up)
			return false;
		zab_status(member->zab, &status);
		if (status.phase != ZAB_BROADCAST || status.leader != leader->sid ||
		    !member->replica->serving ||
		    tree_applied(member->replica->tree) != status.delivered ||
		    member->index != world->history.count ||
		    status.delivered != leader->delivered || member->amnesiac ||
		    (!member->observer && !status.voter))
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
		    "delivered=%llx index=%llu of %llu voter=%d orders=%u timer=%llu",
		    member->sid, (int)status.role, (int)status.phase, status.leader,
		    (unsigned long long)status.epoch, (unsigned long long)status.accepted_epoch,
		    (unsigned long long)status.current_epoch,
		    (unsigned long long)status.last_logged, (unsigned long long)status.committed,
		    (unsigned long long)status.delivered, (unsigned long long)member->index,
		    (unsigned long long)world->history.count, status.voter, member->disk.norders,
		    (unsigned long long)(member->timer / MS));
	}
}

static void
connection(struct world *world, struct member *member, const struct event *event)
{
	uint32_t peer = world->members[event->peer].sid;
	bool up = event->kind == EVENT_CONNECTED;

	/* The newer one counts, whatever comes first. */
	if (up && event->conn < member->conn_to[event->peer])
		return;
	if (!up && event->conn != member->conn_to[event->peer])
		return;
	if (!member_enter(world, member))
		return;
	if (up && member->conn_to[event->peer] != 0)
		replica_link_handler.down(member->replica, peer, member->conn_to[event->peer]);
	member->conn_to[event->peer] = up ? event->conn : 0;
	if (up)
		replica_link_handler.up(member->replica, peer, event->conn);
	else
		replica_link_handler.down(member->replica, peer, event->conn);
	member_leave(world, member);
}

static void
drained(struct world *world, struct member *member)
{
	uint32_t i;

	if (!member_enter(world, member))
		return;
	member->crowded = 0;
	for (i = 0; i < world->count && !member->dying; i++)
		if (member->conn_to[i] != 0)
			replica_link_handler.drained(
			    member->replica, world->members[i].sid, member->conn_to[i]);
	member_leave(world, member);
}

static void
timer(struct world *world, struct member *member)
{
	member->timer = 0;
	if (!member_enter(world, member))
		return;
	order_timer(member->replica);
	member_leave(world, member);
}

static void
deliver(struct world *world, struct member *member)
{
	if (!member_enter(world, member))
		return;
	replica_deliver(member->replica);
	member_leave(world, member);
}

static void
tick(struct world *world, struct member *member)
{
	member_event(world, world->conf.tick_ms * MS, EVENT_TICK, member_index(world, member->sid));
	if (!member_enter(world, member))
		return;
	replica_tick(member->replica);
	check_pass(world, member);
	member_leave(world, member);
}

static void
happen(struct world *world, struct event *event)
{
	struct member *member = &world->members[event->member];

	switch (event->kind) {
	case EVENT_CONNECTED:
	case EVENT_DISCONNECTED:
		connection(world, member, event);
		break;
	case EVENT_MESSAGE:
		world->messages++;
		member_message(world, member, event);
		break;
	case EVENT_TIMER:
		timer(world, member);
		break;
	case EVENT_TICK:
		tick(world, member);
		break;
	case EVENT_DELIVER:
		deliver(world, member);
		break;
	case EVENT_DRAINED:
		drained(world, member);
		break;
	case EVENT_DISK:
		disk_done(world, member);
		break;
	case EVENT_IMAGE:
		image_done(world, member);
		break;
	case EVENT_FRONT:
		if (event->conn != 0)
			front_arrive(world, member, event);
		break;
	case EVENT_CLIENT:
		client_hear(world, &world->clients[event->peer], event);
		break;
	case EVENT_CLIENT_TICK:
		client_tick(world, &world->clients[event->peer]);
		break;
	case EVENT_RESTART:
		if (!member->up && !member->dead)
			member_start(world, member);
		break;
	case EVENT_DIAL:
		dial(world, event->member);
		break;
	case EVENT_WRITE:
		request(world);
		break;
	case EVENT_FAULT:
		if (!world->healed && world->faults++ < world->options.faults)
			fault_inject(world);
		break;
	case EVENT_TRAP:
		if (!world->healed)
			fault_do(world, (enum fault)event->index, member, event->conn);
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
	return event->kind < EVENT_RESTART && event->life != world->members[event->member].life;
}

static void
come_back(struct world *world)
{
	struct member *member = &world->members[random_below(world, world->count)];

	if (!random_one_in(world, 2) || member->dead || member == world_leader(world)) {
		request(world);
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
	the_world = world;
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
		if (of_another_life(world, &event) || postponed(world, &event) ||
		    net_held(world, &event))
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
	if (world->failure[0] == '\0')
		history_check(world);
	return world->failure[0] == '\0';
}

void
world_free(struct world *world)
{
	uint32_t i;

	/* Smaller ones may have run since. */
	the_world = world;
	for (i = 0; i < world->count; i++) {
		struct member *member = &world->members[i];

		member->dead = true;
		if (member->up && member->replica != NULL)
			member_crash(world, member);
		disk_free(&member->disk);
	}
	free(world->heap);
	free(world->conns);
	free(world->dones);
	free(world->facts);
	free(world->proposed);
	free(world->history.rows);
	free(world->history.states);
	free(world->history.trees);
	while (world->chunks != NULL) {
		struct chunk *chunk = world->chunks;

		world->chunks = chunk->next;
		free(chunk);
	}
}
