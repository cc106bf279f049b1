/*
 * A value at one version, as READ brought it: shared, never changed. The inode
 * table caches it and open files pin it (fsd/README.md, fact 5).
 */
#ifndef ZABFS_FSD_VALUE_H
#define ZABFS_FSD_VALUE_H

#include "replica/lib/wire.h"

struct value {
	uint32_t references;
	uint32_t len;
	struct wire_stat stat;
	uint8_t data[];
};

/* One reference, the caller's. data is copied. NULL: no memory. */
struct value *value_new(const struct wire_stat *stat, struct blob data);
struct value *value_ref(struct value *value);
void value_unref(struct value *value); /* NULL is fine */

#endif
