/* Watches the mount table. See mounted.h. */
#include "fsd/mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct mounted {
	FILE *table;
	struct event *event;
	uint64_t id;	       /* the kernel's, of the mount; used again when it is gone */
	uint32_t major, minor; /* of the file system: not used again while the echo has it open */
	void (*gone)(void *arg);
	void *arg;
};

static bool
is_mounted(struct mounted *mounted)
{
	char *line = NULL;
	size_t size = 0;
	uint64_t id;
	uint32_t major, minor;
	bool found = false;

	rewind(mounted->table);
	while (!found && getline(&line, &size, mounted->table) > 0)
		found = sscanf(line, "%" SCNu64 " %*u %" SCNu32 ":%" SCNu32, &id, &major, &minor) ==
			    3 &&
			id == mounted->id && major == mounted->major && minor == mounted->minor;
	free(line);
	return found;
}

static void
on_change(evutil_socket_t fd, short events, void *arg)
{
	struct mounted *mounted = arg;

	(void)fd;
	(void)events;
	if (is_mounted(mounted))
		return;
	event_del(mounted->event);
	mounted->gone(mounted->arg);
}

struct mounted *
mounted_watch(struct event_base *base, const char *mountpoint, void (*gone)(void *arg), void *arg)
{
	struct mounted *mounted = calloc(1, sizeof *mounted);
	struct statx stx;

	if (mounted == NULL)
		return NULL;
	mounted->gone = gone;
	mounted->arg = arg;
	mounted->table = fopen("/proc/self/mountinfo", "re");
	if (mounted->table == NULL ||
	    statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &stx) != 0)
		goto failed;
	mounted->id = stx.stx_mnt_id;
	mounted->major = stx.stx_dev_major;
	mounted->minor = stx.stx_dev_minor;
	/* The table can always be read: its changes are edges. The first one is the beginning. */
	mounted->event = event_new(
	    base, fileno(mounted->table), EV_READ | EV_PERSIST | EV_ET, on_change, mounted);
	if (mounted->event != NULL && event_add(mounted->event, NULL) == 0)
		return mounted;
failed:
	mounted_free(mounted);
	return NULL;
}

void
mounted_free(struct mounted *mounted)
{
	int error = errno;

	if (mounted == NULL)
		return;
	if (mounted->event != NULL)
		event_free(mounted->event);
	if (mounted->table != NULL)
		fclose(mounted->table);
	free(mounted);
	errno = error;
}
