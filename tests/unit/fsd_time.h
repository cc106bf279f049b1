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

/*
 * Takes the place of the C library's. One thread. All that goes by is told from one look: another
 * would see, ahead of the next call, what the machine took in between, and time would go back.
 */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int64_t last_ns, away_ns;
	int64_t now_ns;

	if (id == CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, id, ts);
	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, ts) != 0)
		return -1;
	now_ns = ts->tv_sec * H_NS_PER_S + ts->tv_nsec;
	if (last_ns != 0 && now_ns - last_ns > H_STEP_NS)
		away_ns += now_ns - last_ns - H_STEP_NS;
	last_ns = now_ns;
	now_ns -= away_ns;
	ts->tv_sec = now_ns / H_NS_PER_S;
	ts->tv_nsec = now_ns % H_NS_PER_S;
	if (id == CLOCK_BOOTTIME)
		ts->tv_sec += h_suspended_s;
	return 0;
}

#endif
