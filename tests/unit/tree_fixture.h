/* A world with one session, for tests of the request processor (tree_world.h). */
#ifndef ZABFS_TESTS_TREE_FIXTURE_H
#define ZABFS_TESTS_TREE_FIXTURE_H

#include "tests/unit/tree_world.h"

struct fixture {
	struct world *world;
	uint64_t session, rid, acked;
};

static inline int
setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->world = world_new();
	fixture->session = world_open(fixture->world);
	world_apply_all(fixture->world);
	*state = fixture;
	return 0;
}

static inline int
teardown(void **state)
{
	struct fixture *fixture = *state;

	world_free(fixture->world);
	free(fixture);
	return 0;
}

#endif
