/*
 * What a change made elsewhere does to this mount: first the kernel's cached
 * attributes and our cached value go, then the echo raises the events. link.c
 * hands the changes in, before any later reply (replica/README.md).
 */
#ifndef ZABFS_FSD_CHANGE_H
#define ZABFS_FSD_CHANGE_H

#include "replica/lib/wire.h"

struct fsd;

/* change: borrowed until return. tell: it raises events that the echo has not been given before. */
void change_apply(struct fsd *fsd, const struct wire_change *change, bool tell);

#endif
