/*
 * The second opinion: is the register linearizable, by brute force (Wing and
 * Gong), from what clients saw and when, without a look at any zxid? So it would
 * also catch a server that lies about them. Small histories only.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define OPS_MAX 14

struct op {
	uint64_t begun, ended; /* UINT64_MAX: may happen at any time, or never */
	bool write;
	uint64_t value;
};

struct search {
	struct op ops[OPS_MAX];
	uint32_t count;
	bool *tried; /* [set][last write + 1]: led nowhere */
};

/* `set` is done, `last` is the write that the register shows (count: none yet). */
static bool
possible(struct search *search, uint32_t set, uint32_t last)
{
	uint64_t first_end = UINT64_MAX, shown;
	uint32_t i;
	bool open = false;

	for (i = 0; i < search->count; i++) {
		if (set & 1u << i)
			continue;
		open |= search->ops[i].ended != UINT64_MAX;
		if (search->ops[i].ended < first_end)
			first_end = search->ops[i].ended;
	}
	if (!open)
		return true; /* what is left has no answer: it never happened */
	if (search->tried[set * (OPS_MAX + 1) + last])
		return false;
	search->tried[set * (OPS_MAX + 1) + last] = true;
	shown = last == search->count ? XXH3_64bits("", 0) : search->ops[last].value;
	for (i = 0; i < search->count; i++) {
		const struct op *op = &search->ops[i];

		/* Nobody may come before who has ended before it began. */
		if ((set & 1u << i) || op->begun > first_end)
			continue;
		if (!op->write && op->value != shown)
			continue;
		if (possible(search, set | 1u << i, op->write ? i : last))
			return true;
	}
	return false;
}

/* The register's node: the one whose creation under its name succeeded. */
static uint64_t
register_id(const struct world *world)
{
	uint32_t i;

	for (i = 0; i < world->ndones; i++)
		if (world->dones[i].key == 0 && world->dones[i].node != 0 &&
		    (world->dones[i].type == WIRE_T_CREATE ||
			world->dones[i].type == WIRE_T_LOOKUP))
			return world->dones[i].node;
	return 0;
}

static bool
take(struct search *search, const struct done *done)
{
	struct op *op = &search->ops[search->count];

	if (search->count == OPS_MAX)
		return false;
	*op = (struct op){ .begun = done->begun,
		.ended = done->ended == 0 ? UINT64_MAX : done->ended,
		.write = done->type == WIRE_T_WRITE };
	op->value = op->write ? done->written : done->value;
	search->count++;
	return true;
}

void
linear_check(struct world *world)
{
	struct search search = { 0 };
	uint64_t id = register_id(world);
	uint32_t i;

	for (i = 0; i < world->ndones && id != 0; i++) {
		const struct done *done = &world->dones[i];
		bool write = done->type == WIRE_T_WRITE, read = done->type == WIRE_T_READ;

		if (done->key != id || (!write && !(read && done->synced)) ||
		    (read && done->ended == 0) || (done->ended != 0 && done->code != ERR_OK))
			continue;
		if (!take(&search, done))
			return;
	}
	if (search.count == 0)
		return;
	search.tried = calloc((size_t)1 << search.count, (OPS_MAX + 1) * sizeof *search.tried);
	CHECK(search.tried != NULL);
	if (!possible(&search, 0, search.count))
		fail(world, "the register is not linearizable");
	free(search.tried);
	world->coverage[COVER_REGISTER]++;
}
