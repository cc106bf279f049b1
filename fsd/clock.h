/*
 * The clock that fsd's deadlines, patience and pings go by. Not the calendar,
 * and not CLOCK_MONOTONIC, which stands still while the machine is suspended: the
 * leader's clock goes on meanwhile, and whoever woke up would believe in a session
 * that is over. libevent's timers, and what the kernel is told to keep, know
 * nothing of it: they are only ever given how long something lasts.
 */
#ifndef ZABFS_FSD_CLOCK_H
#define ZABFS_FSD_CLOCK_H

#include <stdint.h>

uint64_t fsd_now_ns(void);

#endif
