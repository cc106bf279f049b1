/*
 * The same for every daemon: what it says of its usage, and going to the background,
 * once ready. Under a supervisor (foreground, or NOTIFY_SOCKET set: sd_notify(3)) nothing forks.
 */
#ifndef ZABFS_LIB_DAEMON_H
#define ZABFS_LIB_DAEMON_H

#include <stdbool.h>

/* -h or --help and nothing else: prints the usage, and exits with 0. */
void daemon_help(int argc, char **argv, const char *usage);

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
