/*
 * A duration as people write it: a whole number with ms, s, m or min, h or d; without a unit, seconds.
 * The same everywhere: -o timeout= of zabfs-mountd(8), and of fsd, which gets it from there, and
 * ttl= of zabfs(7) (fsd/modifier.c).
 */
#ifndef ZABFS_LIB_DURATION_H
#define ZABFS_LIB_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds; false and *ms as it was: not one, nothing at all, or more than max_ms. */
bool duration_ms(const char *text, uint64_t max_ms, uint64_t *ms);

#endif
