/*
 * inotify(7) without its limit: the kernel keeps 16,384 events, and who looks at each
 * needs fsd and a replica for that, which may be away for seconds. A thread takes
 * them from the kernel and does nothing else. Used by client_watch.c.
 */
#ifndef ZABFS_TESTS_CLUSTER_CLIENT_EARS_H
#define ZABFS_TESTS_CLUSTER_CLIENT_EARS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>

struct ears;

/* Ends the process where it can't. */
struct ears *ears_open(void);
void ears_close(struct ears *ears);
/* The watch's descriptor. Ends the process where it can't. */
int ears_watch(struct ears *ears, const char *path, uint32_t mask);
/* Valid until the next call. NULL: none within so many milliseconds. */
const struct inotify_event *ears_next(struct ears *ears, uint32_t ms);
/* Bytes of events that ears_next has not returned yet. */
size_t ears_waiting(struct ears *ears);

#endif
