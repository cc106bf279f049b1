/* fsd's arguments, as mountd gives them. */
#ifndef ZABFS_FSD_OPTIONS_H
#define ZABFS_FSD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *conf, *socket, *mountpoint; /* socket NULL: the configuration's */
	const char *subtree;			/* the mount's root; NULL: the whole tree */
	int fuse_fd, control_fd, kept_fd;	/* control, kept -1: none */
	uint32_t timeout_ms;
	bool stale;
	bool foreground;
	int verbose;
};

/* Exits with EX_USAGE where it makes no sense. */
void options_parse(int argc, char **argv, struct options *options);

#endif
