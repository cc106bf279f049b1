/*
 * Whether our mount is still in the mount table. The echo has a copy of it open
 * (echo_run.c), so the kernel does not say ENODEV by itself when the mount is
 * unmounted. main.c's.
 */
#ifndef ZABFS_FSD_MOUNTED_H
#define ZABFS_FSD_MOUNTED_H

#include <event2/event.h>

struct mounted;

/* gone(arg), once, when it is no longer there. NULL: errno says why. */
struct mounted *mounted_watch(
    struct event_base *base, const char *mountpoint, void (*gone)(void *arg), void *arg);
void mounted_free(struct mounted *mounted);

#endif
