/*
 * Held nodes whose open file never came to be: their creation was on its way
 * when the process was killed. Nobody will release them, so they are deleted
 * here, as soon as there is a request id for it.
 */
#ifndef ZABFS_FSD_STRAY_H
#define ZABFS_FSD_STRAY_H

#include "fsd/fsd.h"

struct strays;

/* Aborts without memory. */
struct strays *strays_new(struct fsd *fsd);
void strays_free(struct strays *strays);

void stray_add(struct fsd *fsd, uint64_t id);

#endif
