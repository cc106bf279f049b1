/*
 * The machine's clocks and its randomness, and nothing else: the simulator
 * puts its own in the place of this file. Called by the rooms of replica.h.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"

#include <sys/random.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

static uint64_t
read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t
replica_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
replica_time_ns(void)
{
	return (int64_t)read_clock(CLOCK_REALTIME);
}

void
replica_random(void *out, size_t len)
{
	CHECK(getrandom(out, len, 0) == (ssize_t)len);
}
