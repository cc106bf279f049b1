/*
 * Power loss anywhere in the script: before each sync, and between, what was
 * not synced is there or not, in any order. Arguments: states for each such
 * moment (5), the seed (1).
 */
#include "tests/storage/storage.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const crash_names[] = { "nothing", "all", "prefix", "subset", "torn" };

/* What a child was at when it ended. */
struct place {
	uint32_t event, states;
	enum crash crash;
	uint64_t seed;
	char why[512];
};

static bool
try(uint32_t event, enum crash crash, uint64_t seed, struct place *place)
{
	struct expectation expectation;
	const char *error;
	char dir[128];

	place->event = event;
	place->crash = crash;
	place->seed = seed;
	place->states++;
	folder_make(dir, "crash");
	disk_crash(event, crash, seed, dir);
	disk_expectation(event, &expectation);
	/* Each acknowledgement holds with what was asked for until the crash. */
	expectation.replaceable = expectation.nothing;
	expectation.work = seed % 8 == 0;
	error = verify(dir, &expectation);
	if (error != NULL)
		snprintf(place->why, sizeof place->why, "%s", error);
	folder_remove(dir);
	return error == NULL;
}

static void
child(struct place *place, uint32_t from, uint32_t step, uint32_t states, uint64_t seed)
{
	uint32_t event, i;

	for (event = from; event <= disk_events(); event += step) {
		if (!disk_boundary(event))
			continue;
		for (i = 0; i < states; i++)
			if (!try(event, i < 5 ? (enum crash)i : CRASH_SUBSET + i % 2,
				random_next(&seed), place))
				_exit(1);
	}
	_exit(0);
}

static bool
spread(struct place *place, uint32_t children, uint32_t states, uint64_t seed)
{
	pid_t pids[8];
	bool good = true;
	int status;
	uint32_t i;

	for (i = 0; i < children; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i] == 0)
			child(&place[i], 1 + i, children, states, seed + i);
	}
	for (i = 0; i < children; i++) {
		CHECK(waitpid(pids[i], &status, 0) == pids[i]);
		if (status == 0)
			continue;
		good = false;
		printf("# event %u, %s, seed 0x%llx: status 0x%x %s\n", place[i].event,
		    crash_names[place[i].crash], (unsigned long long)place[i].seed,
		    (unsigned)status, place[i].why);
	}
	return good;
}

int
main(int argc, char **argv)
{
	uint32_t states = argc > 1 ? (uint32_t)atoi(argv[1]) : 5, total = 0, i;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct place *place = mmap(
	    NULL, 8 * sizeof *place, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct world *world;
	bool good;

	CHECK(place != MAP_FAILED);
	world = world_record(disk_world);
	CHECK(world->opened == 2 && world->fulls == 0 && world->acked + 1 == world->nstates);
	printf("1..1\n# %u states of the store, %u events of the disk\n", world->nstates,
	    disk_events());
	fflush(stdout);
	good = spread(place, 2, states, seed);
	for (i = 0; i < 2; i++)
		total += place[i].states;
	printf("%s 1 - %u crashes\n", good ? "ok" : "not ok", total);
	return !good;
}
