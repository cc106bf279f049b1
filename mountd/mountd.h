/*
 * The mount supervisor: opens /dev/fuse, mounts, starts fsd with the
 * descriptor, forwards signals, unmounts. Tiny and privileged: libc only.
 *
 *   main.c       arguments, mount(8)'s calling convention
 *   options.c    -o
 *   mount.c      mount(2), umount2(2), the stale mount point
 *   supervise.c  fsd's process from start to end
 */
#ifndef ZABFS_MOUNTD_MOUNTD_H
#define ZABFS_MOUNTD_MOUNTD_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define TIMEOUT_MS_DEFAULT 10000
#define TIMEOUT_MS_MIN 100
#define TIMEOUT_MS_MAX 3600000
#define ENDING_MS 5000 /* that fsd has to end after SIGTERM, before SIGKILL */

struct mountd {
	const char *conf;
	const char *subtree; /* the mount's root; NULL: the whole tree */
	const char *socket;  /* NULL: the configuration's */
	const char *fsd_log; /* NULL: fsd shares our stderr */
	char mountpoint[PATH_MAX];
	bool foreground;
	int verbose;

	uint32_t timeout_ms;
	bool stale;
	unsigned long mount_flags; /* MS_… */

	int fuse_fd;
	uint64_t device; /* of the mount, 0: none */
};

/* options.c: takes one -o argument apart. False: `bad` is the option that isn't known or right. */
bool options_parse(struct mountd *mountd, char *options, const char **bad);

/* mount.c. An error is one line on stderr, and a sysexits(3) code. */
int mount_resolve(struct mountd *mountd, const char *mountpoint);
int mount_make(struct mountd *mountd);
void mount_remove(struct mountd *mountd);

/* supervise.c: from fsd's start to its end; ready() once the mount answers. An exit code. */
int supervise(struct mountd *mountd, void (*ready)(void));

#endif
