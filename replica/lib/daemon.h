/*
 * Going to the background, once ready: the same for every daemon. Under a
 * supervisor (foreground, or NOTIFY_SOCKET set: sd_notify(3)) nothing forks.
 */
#ifndef ZABFS_LIB_DAEMON_H
#define ZABFS_LIB_DAEMON_H

#include <stdbool.h>

/*
 * Before threads and descriptors: in the background those above stderr are
 * closed, whoever left them to us. In the background mode the parent stays
 * until daemon_ready (then it exits 0) or until the child has ended (then it
 * exits with the child's code).
 */
void daemon_start(bool foreground);

/* Ready: releases the parent, tells systemd READY=1. Once. */
void daemon_ready(void);

#endif
