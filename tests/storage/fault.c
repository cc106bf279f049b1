/*
 * The n-th call of each kind fails, for every n until the script completes,
 * once with EIO and once with ENOSPC: the process ends with EX_IOERR or
 * EX_DATAERR, refuses to open, or says that the disk is full; and what it had
 * acknowledged is there. Without an argument only some of the calls are tried,
 * with `all` each one.
 */
#include "tests/storage/storage.h"

#include "replica/lib/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define EVERY 12  /* the first ones, each */
#define STRIDE 17 /* and then one in so many */

struct tally {
	uint32_t runs, ended, refused, full, none;
};

static void
child(struct world *world, bool *hit, enum call call, uint64_t n, int error)
{
	alarm(60);
	fault_set(call, n, error);
	world_run(world);
	*hit = fault_hit();
	_exit(0);
}

/* How a run ended: NULL, or what is wrong with it. */
static const char *
outcome(const struct world *world, int status, bool hit, int error, struct tally *tally)
{
	static char text[64];

	tally->runs++;
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EX_IOERR &&
				      WEXITSTATUS(status) != EX_DATAERR)) {
		snprintf(text, sizeof text, "the process ended with 0x%x", (unsigned)status);
		return text;
	}
	if (WEXITSTATUS(status) != 0)
		tally->ended++;
	else if (world->refused != 0)
		tally->refused++;
	else if (world->fulls + world->pass_fails != 0)
		tally->full++;
	else if (hit)
		tally->none++;
	if (error != ENOSPC && world->fulls + world->pass_fails != 0)
		return "a full disk, it says";
	return NULL;
}

/* Whether the call was reached; *good: whether all was well. */
static bool
try(enum call call, uint64_t n, int error, struct tally *tally, bool *good)
{
	bool *hit =
	    mmap(NULL, sizeof *hit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct expectation expectation = { 0 };
	struct world *world;
	const char *wrong;
	bool reached;
	char dir[128];
	int status;
	pid_t pid;

	CHECK(hit != MAP_FAILED);
	folder_make(dir, "fault");
	world = world_new(dir);
	*hit = true; /* unless it lives to say otherwise */
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		child(world, hit, call, n, error);
	CHECK(waitpid(pid, &status, 0) == pid);
	wrong = outcome(world, status, *hit, error, tally);
	expectation.world = world;
	expectation.first = world->acked;
	expectation.last = world->nstates - 1;
	expectation.applied = world->applied;
	expectation.nothing = world->opened == 0;
	expectation.replaceable = expectation.nothing;
	expectation.work = n % 3 == 0;
	if (wrong == NULL)
		wrong = verify(dir, &expectation);
	if (wrong != NULL) {
		printf("# %s %llu, %s: %s\n", call_names[call], (unsigned long long)n,
		    strerror(error), wrong);
		*good = false;
	}
	folder_remove(dir);
	reached = *hit;
	munmap(world, sizeof *world);
	munmap(hit, sizeof *hit);
	return reached;
}

int
main(int argc, char **argv)
{
	static const int errors[] = { EIO, ENOSPC };
	bool all = argc > 1 && strcmp(argv[1], "all") == 0, good, bad = false;
	struct tally tally;
	uint32_t call, i;
	uint64_t n;

	world_install();
	printf("1..%d\n", CALLS * 2);
	for (call = 0; call < CALLS; call++)
		for (i = 0; i < 2; i++) {
			fflush(stdout);
			good = true;
			tally = (struct tally){ 0 };
			n = 1;
			while (try((enum call)call, n, errors[i], &tally, &good) && n < 20000)
				n += all || n < EVERY ? 1 : STRIDE;
			printf("%s %u - %s, %s: %u runs: %u ended, %u refused to open, %u said "
			       "that the disk is full, %u did not mind\n",
			    good ? "ok" : "not ok", call * 2 + i + 1, call_names[call],
			    errors[i] == EIO ? "EIO" : "ENOSPC", tally.runs, tally.ended,
			    tally.refused, tally.full, tally.none);
			bad |= !good;
		}
	return bad;
}
