/*
 * Whether our mount is still in the mount table. The echo has a copy of it open
 * (echo_run.c), so the kernel does not say ENODEV by itself when the mount is
 * unmounted. main.c's.
 */
#ifndef ZABFS_FSD_MOUNTED_H
#define ZABFS_FSD_MOUNTED_H

#include <event2/event.h>
#include <stdint.h>

struct mounted;

struct mounted_id {
	uint64_t id; /* the kernel's, of the mount; used again when it is gone; 0: unknown */
	uint32_t major, minor; /* of the file system: not used again while the echo has it open */
};

/*
 * gone(arg), once, when it is no longer there. id: whose mount is meant, borrowed; unknown, it is
 * what is mounted there now, and written there. NULL: errno says why.
 */
struct mounted *mounted_watch(struct event_base *base, const char *mountpoint,
    struct mounted_id *id, void (*gone)(void *arg), void *arg);
void mounted_free(struct mounted *mounted);

#endif
