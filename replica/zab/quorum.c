/*
 * Majorities. Observers, and members that have lost what they promised, are
 * counted in none of them. Called by election.c and the leader's files.
 */
#include "replica/zab/zab_internal.h"

uint32_t
zab_quorum(const struct zab *zab)
{
	return zab->voters / 2 + 1;
}

uint32_t
zab_count(const struct zab *zab, enum zab_stage stage)
{
	uint32_t i, count = 1;

	CHECK(zab->voter);
	for (i = 0; i < zab->npeers; i++)
		count += zab->peers[i].learner.voter && zab->peers[i].learner.stage >= stage;
	return count;
}

static uint64_t
acked(const struct zab_learner *learner)
{
	return learner->acked;
}

static uint64_t
confirmed(const struct zab_learner *learner)
{
	return learner->confirmed;
}

/* The greatest value that a quorum of synchronised voters has reached, self included. */
static uint64_t
reached(const struct zab *zab, uint64_t own, uint64_t (*value)(const struct zab_learner *learner))
{
	uint64_t values[ZAB_MEMBERS_MAX], v;
	uint32_t i, j, count = 0;

	values[count++] = own;
	for (i = 0; i < zab->npeers; i++) {
		const struct zab_learner *learner = &zab->peers[i].learner;

		/* Only who has this epoch's history: an older connection's acks prove nothing. */
		if (!learner->voter || learner->stage < STAGE_ACKLD)
			continue;
		v = value(learner);
		for (j = count++; j > 0 && values[j - 1] < v; j--)
			values[j] = values[j - 1];
		values[j] = v;
	}
	CHECK(count >= zab_quorum(zab));
	return values[zab_quorum(zab) - 1];
}

uint64_t
zab_quorum_zxid(const struct zab *zab)
{
	return reached(zab, zab->last_logged, acked);
}

uint64_t
zab_quorum_confirmed(const struct zab *zab)
{
	return reached(zab, zab->confirm, confirmed);
}
