/* fsd's arguments. See options.h; called by main.c. */
#include "fsd/options.h"

#include "replica/lib/duration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define TIMEOUT_MS_DEFAULT 10000

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: zabfs-fsd -f CONF [-s SOCKET] [-r SUBTREE] -m MOUNTPOINT -F FUSEFD [-C CTLFD]"
	    " [-K KEPTFD]"
	    " [-o timeout=10s,stale,ro] [-dv]\n");
	exit(EX_USAGE);
}

static int
descriptor(const char *text)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || number < 0 || number > INT32_MAX)
		usage();
	return (int)number;
}

static uint32_t
timeout(const char *text)
{
	uint64_t ms;

	if (!duration_ms(text, UINT32_MAX, &ms))
		usage();
	return (uint32_t)ms;
}

/* `ro` is the kernel's to enforce. */
static void
mount_options(char *text, struct options *options)
{
	char *next = text, *name;

	while ((name = strsep(&next, ",")) != NULL) {
		if (strncmp(name, "timeout=", 8) == 0)
			options->timeout_ms = timeout(name + 8);
		else if (strcmp(name, "stale") == 0)
			options->stale = true;
		else if (*name != '\0' && strcmp(name, "ro") != 0)
			usage();
	}
}

void
options_parse(int argc, char **argv, struct options *options)
{
	int c;

	*options = (struct options){
		.fuse_fd = -1, .control_fd = -1, .kept_fd = -1, .timeout_ms = TIMEOUT_MS_DEFAULT
	};
	while ((c = getopt(argc, argv, "f:s:r:m:F:C:K:o:dv")) != -1) {
		switch (c) {
		case 'f':
			options->conf = optarg;
			break;
		case 's':
			options->socket = optarg;
			break;
		case 'r':
			options->subtree = optarg;
			break;
		case 'm':
			options->mountpoint = optarg;
			break;
		case 'F':
			options->fuse_fd = descriptor(optarg);
			break;
		case 'C':
			options->control_fd = descriptor(optarg);
			break;
		case 'K':
			options->kept_fd = descriptor(optarg);
			break;
		case 'o':
			mount_options(optarg, options);
			break;
		case 'd':
			options->foreground = true;
			break;
		case 'v':
			options->verbose++;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || options->conf == NULL || options->mountpoint == NULL ||
	    options->fuse_fd < 0)
		usage();
}
