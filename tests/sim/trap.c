/*
 * Traps: what goes wrong just then. A trap waits for a message of some type, for
 * something of some kind that becomes durable, or for a change of role; lets the
 * first ones pass, and then does what it does to one of those concerned: so what
 * lasts a moment only is hit as often as what lasts. Set by world.c, met in
 * machine.c, disk.c and check.c.
 */
#include "tests/sim/sim.h"

enum trap_on { ON_MESSAGE, ON_LOGGED, ON_ROLE, ONS };

/* Of the seed, and the same whatever else is drawn: fewer traps leave the others as they are. */
void
traps_set(struct world *world)
{
	static const uint32_t types[ONS] = { ZAB_TYPES, ZAB_LOG_VOTER + 1, ZAB_OBSERVING + 1 };
	struct world dice;
	uint32_t i;

	random_seed(&dice, world->options.seed ^ UINT64_C(0x7a95));
	for (i = 0; i < world->options.traps && i < TRAPS_MAX; i++) {
		struct trap *trap = &world->traps[i];

		trap->on = (uint32_t)random_below(&dice, 2 * ONS);
		if (trap->on >= ONS)
			trap->on = ON_MESSAGE;
		trap->type = (uint32_t)random_below(&dice, types[trap->on]);
		if (trap->on == ON_LOGGED)
			trap->type =
			    ZAB_LOG_EPOCHS + trap->type % (ZAB_LOG_VOTER - ZAB_LOG_EPOCHS + 1);
		trap->member = (uint32_t)random_below(&dice, 2 * MEMBERS_MAX);
		trap->skip = (uint32_t)random_below(&dice, 1 + random_below(&dice, 6));
		trap->times = 1 + (uint32_t)random_below(&dice, 4);
		trap->kind = (uint32_t)random_below(&dice, FAULTS);
		trap->other = random_one_in(&dice, 2);
	}
}

static bool
springs(
    const struct world *world, struct trap *trap, enum trap_on on, uint32_t type, uint32_t member)
{
	if (trap->times == 0 || trap->on != on || trap->type != type ||
	    (trap->member < world->count && trap->member != member))
		return false;
	if (trap->skip > 0) {
		trap->skip--;
		return false;
	}
	trap->times--;
	return true;
}

/* Now: between two actions of who runs; or when it is done, and then at once or a little later. */
static void
spring(struct world *world, const struct trap *trap, uint32_t member, uint32_t other, uint64_t conn)
{
	uint32_t victim = trap->other ? other : member;
	uint32_t kind = fault_kind(world, trap->kind);
	struct event *event;

	world->coverage[COVER_TRAP]++;
	trace(world, "trap");
	if (kind == FAULT_ONE_WAY && member != other) {
		fault_hold(world, member, other);
		return;
	}
	if (kind == FAULT_CRASH && &world->members[victim] == world->running &&
	    random_one_in(world, 2)) {
		world->running->dying = true;
		return;
	}
	event = heap_add(
	    world, world->now + (random_one_in(world, 2) ? 0 : net_delay(world)), EVENT_TRAP);
	event->member = victim;
	event->index = kind;
	event->conn = conn;
}

static void
meet(struct world *world, enum trap_on on, uint32_t type, uint32_t member, uint32_t other,
    uint64_t conn)
{
	uint32_t i;

	if (world->healed || world->options.kinds == 0)
		return;
	for (i = 0; i < world->options.traps && i < TRAPS_MAX; i++)
		if (springs(world, &world->traps[i], on, type, member))
			spring(world, &world->traps[i], member, other, conn);
}

void
trap_message(struct world *world, uint32_t from, uint32_t to, uint64_t conn, uint32_t type)
{
	meet(world, ON_MESSAGE, type, from, to, conn);
}

void
trap_logged(struct world *world, uint32_t member, uint32_t type)
{
	meet(world, ON_LOGGED, type, member, member, 0);
}

void
trap_role(struct world *world, uint32_t member, uint32_t role)
{
	meet(world, ON_ROLE, role, member, member, 0);
}
