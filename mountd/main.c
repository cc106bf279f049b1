/*
 * zabfs-mountd, and mount.zabfs for mount(8). Arguments and the order of
 * things. See zabfs-mountd(8).
 */
#include "mountd/mountd.h"

#include "replica/lib/daemon.h"
#include "replica/lib/log.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static struct mountd mountd = { .timeout_ms = TIMEOUT_MS_DEFAULT, .fuse_fd = -1, .kept_fd = -1 };

static const char usage_text[] =
    "usage: zabfs-mountd -f CONF[:/SUBTREE] [-s SOCKET] [-L FSDLOG] [-dv] [-o OPTIONS] "
    "MOUNTPOINT\n"
    "       mount.zabfs CONF[:/SUBTREE] MOUNTPOINT [-v] [-o OPTIONS]\n";

static _Noreturn void
usage(void)
{
	fputs(usage_text, stderr);
	exit(EX_USAGE);
}

static void
options(char *text)
{
	const char *bad;

	if (options_parse(&mountd, text, &bad))
		return;
	fprintf(stderr, "zabfs-mountd: -o %s: %s\n", bad,
	    strncmp(bad, "timeout=", 8) == 0 ? "a time from 100ms to 1h is wanted"
					     : "no such option");
	exit(EX_USAGE);
}

/* CONF[:/SUBTREE]. A subtree without a name is the whole tree. */
static void
source(char *text)
{
	char *colon = strstr(text, ":/");

	mountd.conf = text;
	if (colon == NULL)
		return;
	*colon = '\0';
	if (colon[1 + strspn(colon + 1, "/")] != '\0')
		mountd.subtree = colon + 1;
}

/* mount.zabfs SOURCE MOUNTPOINT [options]: mount(8), "External helpers". */
static const char *
helper_arguments(int argc, char **argv)
{
	int c;

	if (argc < 3)
		usage();
	source(argv[1]);
	optind = 3;
	while ((c = getopt(argc, argv, "sfnvN:o:t:")) != -1) {
		switch (c) {
		case 'o':
			options(optarg);
			break;
		case 'v':
			mountd.verbose++;
			break;
		case 'f':
			exit(0); /* a fake mount */
		case 's':
		case 'n':
		case 't':
			break;
		default:
			usage();
		}
	}
	return argv[2];
}

static const char *
arguments(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "f:s:L:o:dv")) != -1) {
		switch (c) {
		case 'f':
			source(optarg);
			break;
		case 's':
			mountd.socket = optarg;
			break;
		case 'L':
			mountd.fsd_log = optarg;
			break;
		case 'o':
			options(optarg);
			break;
		case 'd':
			mountd.foreground = true;
			break;
		case 'v':
			mountd.verbose++;
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc || mountd.conf == NULL)
		usage();
	return argv[optind];
}

static void
on_ready(void)
{
	daemon_ready();
	if (!mountd.foreground)
		log_init("zabfs-mountd", false, mountd.verbose);
}

int
main(int argc, char **argv)
{
	const char *mountpoint;
	int code;

	daemon_help(argc, argv, usage_text);
	if (strcmp(basename(argv[0]), "mount.zabfs") == 0)
		mountpoint = helper_arguments(argc, argv);
	else
		mountpoint = arguments(argc, argv);
	/* Until it is ready its errors are for whoever started it. */
	log_init("zabfs-mountd", true, mountd.verbose);
	daemon_start(mountd.foreground);
	code = mount_resolve(&mountd, mountpoint);
	if (code != 0)
		return code;
	code = mount_make(&mountd);
	if (code != 0)
		return code;
	code = supervise(&mountd, on_ready);
	mount_remove(&mountd);
	return code;
}
