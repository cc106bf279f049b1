/*
 * What a seed draws: how many members and clients, how slow everything is, which
 * kinds of faults there are, and how many. Some seeds are long, most are small,
 * for few members, few writes and few faults find most. Half of them are about
 * the core: hardly a request, but members that come back at once, faults that
 * end soon, elections that lie and traps (trap.c), so that leaders come and go
 * all the time. Called by main.c.
 */
#include "tests/sim/sim.h"

#include <string.h>

static void
draw_long(struct world *dice, struct options *out)
{
	out->writes = 20 + (uint32_t)random_below(dice, 300);
	out->faults = 5 + (uint32_t)random_below(dice, 30);
	out->duration_ms = 5000 + (uint32_t)random_below(dice, 30000);
	out->clients = 1 + (uint32_t)random_below(dice, 3);
}

static void
draw_small(struct world *dice, struct options *out)
{
	out->writes = 5 + (uint32_t)random_below(dice, 30);
	out->faults = 1 + (uint32_t)random_below(dice, 8);
	out->duration_ms = 500 + (uint32_t)random_below(dice, 6000);
	out->clients = 1 + (uint32_t)random_below(dice, 3);
}

static void
draw_core(struct world *dice, struct options *out)
{
	static const uint32_t voters[] = { 3, 3, 3, 3, 4, 5, 5, 5, 7 };

	out->voters = voters[random_below(dice, 9)];
	out->observers = random_one_in(dice, 3) ? 1 + (uint32_t)random_below(dice, 2) : 0;
	out->writes = 2 + (uint32_t)random_below(dice, 15);
	out->faults = (uint32_t)random_below(dice, 20);
	out->duration_ms = 400 + (uint32_t)random_below(dice, 2000);
	out->clients = 1 + random_one_in(dice, 3);
	out->traps = (uint32_t)random_below(dice, TRAPS_MAX + 1);
	out->restart_ms = 5 + (uint32_t)random_below(dice, 300);
	out->dial_ms = 1 + (uint32_t)random_below(dice, 10);
	out->lasts_ms = 20 + (uint32_t)random_below(dice, 1000);
	if (random_one_in(dice, 2))
		return;
	out->wild = 5 + (uint32_t)random_below(dice, 100);
	out->pretenders = random_one_in(dice, 2) ? 2 : 0;
}

/* Clients and their sessions between an old leader and a new one. */
static void
draw_sessions(struct world *dice, struct options *out)
{
	out->clients = 3;
	out->kinds |= 1u << FAULT_LEADER | 1u << FAULT_MOVE;
	out->sticky = 1;
	if (out->faults < 6)
		out->faults = 6;
	/* Who was away is given a snapshot. */
	if (random_one_in(dice, 2))
		return;
	out->kinds |= 1u << FAULT_CRASH | 1u << FAULT_ONE_WAY;
	out->keep_rows = out->image_s = 0;
}

static void
draw_kinds(struct world *dice, struct options *out)
{
	uint32_t kind;

	for (kind = 0; kind < FAULTS; kind++)
		if (random_one_in(dice, 2))
			out->kinds |= 1u << kind;
	if (out->kinds == 0)
		out->kinds = 1u << FAULT_CRASH;
}

void
options_draw(uint64_t seed, struct options *out)
{
	static const uint32_t voters[] = { 3, 3, 3, 3, 5, 5, 5, 7, 1 };
	struct world dice;

	random_seed(&dice, seed ^ UINT64_C(0x5eed));
	*out = (struct options){ .seed = seed,
		.restart_ms = 2000,
		.dial_ms = 20,
		.lasts_ms = 6000,
		.voters = voters[random_below(&dice, 9)] };
	if (out->voters < 7 && random_one_in(&dice, 4))
		out->observers = 1 + (uint32_t)random_below(&dice, 3);
	out->wild = random_one_in(&dice, 4) ? 300 : 0;
	if (random_one_in(&dice, 2))
		draw_core(&dice, out);
	else if (random_one_in(&dice, 10))
		draw_long(&dice, out);
	else
		draw_small(&dice, out);
	draw_kinds(&dice, out);
	out->delay_us = random_one_in(&dice, 4) ? 50000 : 500;
	out->disk_us = random_one_in(&dice, 4) ? 50000 : 300;
	out->keep_rows = random_one_in(&dice, 2) ? (uint32_t)random_below(&dice, 5) : 1000;
	out->image_s = random_one_in(&dice, 2);
	out->rollover = random_one_in(&dice, 10) ? 3 + (uint32_t)random_below(&dice, 20) : 0;
	out->skew = random_one_in(&dice, 2);
	out->crowd_ms = random_one_in(&dice, 8) ? 1 + (uint32_t)random_below(&dice, 3000) : 0;
	out->lame = random_one_in(&dice, 4) ? 1 + (uint32_t)random_below(&dice, out->voters) : 0;
	out->sticky = random_one_in(&dice, 2);
	out->leave = random_one_in(&dice, 4) ? 5 : 60;
	if (out->traps == 0 && random_one_in(&dice, 4))
		draw_sessions(&dice, out);
	out->apart = random_one_in(&dice, 6);
	out->big = random_one_in(&dice, 10);
	out->told = random_one_in(&dice, 3);
	out->tight = random_one_in(&dice, 8);
	if (out->tight && out->writes < 30)
		out->writes = 30;
	if (out->big) {
		out->keep_rows = 1;
		out->delay_us = 50000;
		out->kinds |= 1u << FAULT_CRASH_ALL;
	}
	if (random_one_in(&dice, 4))
		out->sessions = out->clients + (uint32_t)random_below(&dice, 2);
	if (random_one_in(&dice, 6))
		out->room = 1 + (uint32_t)random_below(&dice, 200);
	out->piece = random_one_in(&dice, 2) ? 1 + (uint32_t)random_below(&dice, 3) : 0;
}
