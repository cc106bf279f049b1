/*
 * The time of fsd's unit tests, for fsd and for libevent: it goes on while the
 * test runs, and stands still where the machine takes the processor away, so
 * that nothing is late because others are busy. Included by fsd_harness.h.
 */
#ifndef ZABFS_TESTS_FSD_TIME_H
#define ZABFS_TESTS_FSD_TIME_H

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define H_NS_PER_S INT64_C(1000000000)
#define H_STEP_NS INT64_C(5000000) /* at most, from one look to the next */

/* So long the machine was: CLOCK_BOOTTIME alone tells. */
static time_t h_suspended_s;

/* Takes the place of the C library's. One thread. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int64_t last_ns, away_ns;
	struct timespec real;
	int64_t now_ns;

	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &real) != 0)
		return -1;
	now_ns = real.tv_sec * H_NS_PER_S + real.tv_nsec;
	if (last_ns != 0 && now_ns - last_ns > H_STEP_NS)
		away_ns += now_ns - last_ns - H_STEP_NS;
	last_ns = now_ns;
	if (syscall(SYS_clock_gettime, id, ts) != 0)
		return -1;
	if (id == CLOCK_REALTIME)
		return 0;
	now_ns = ts->tv_sec * H_NS_PER_S + ts->tv_nsec - away_ns;
	ts->tv_sec = now_ns / H_NS_PER_S;
	ts->tv_nsec = now_ns % H_NS_PER_S;
	if (id == CLOCK_BOOTTIME)
		ts->tv_sec += h_suspended_s;
	return 0;
}

#endif
