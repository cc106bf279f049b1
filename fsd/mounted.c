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
	const struct mounted_id *is;
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
			id == mounted->is->id && major == mounted->is->major &&
			minor == mounted->is->minor;
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

static bool
look(const char *mountpoint, struct mounted_id *id)
{
	struct statx stx;

	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &stx) != 0)
		return false;
	*id = (struct mounted_id){ stx.stx_mnt_id, stx.stx_dev_major, stx.stx_dev_minor };
	return true;
}

struct mounted *
mounted_watch(struct event_base *base, const char *mountpoint, struct mounted_id *id,
    void (*gone)(void *arg), void *arg)
{
	struct mounted *mounted = calloc(1, sizeof *mounted);

	if (mounted == NULL)
		return NULL;
	mounted->gone = gone;
	mounted->arg = arg;
	mounted->is = id;
	mounted->table = fopen("/proc/self/mountinfo", "re");
	if (mounted->table == NULL || (id->id == 0 && !look(mountpoint, id)))
		goto failed;
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
