/* The options of -o: ours, and the generic ones that mount(2) has flags for. See mountd.h. */
#include "mountd/mountd.h"
#include "replica/lib/duration.h"

#include <string.h>
#include <sys/mount.h>

static bool
timeout_parse(const char *text, uint32_t *timeout_ms)
{
	uint64_t ms;

	if (!duration_ms(text, TIMEOUT_MS_MAX, &ms) || ms < TIMEOUT_MS_MIN)
		return false;
	*timeout_ms = (uint32_t)ms;
	return true;
}

struct generic {
	const char *name;
	unsigned long set, clear;
};

/* The defaults that mount(8) passes on, and what a znode can't be anyway. */
static const struct generic generics[] = {
	{ "defaults", 0, 0 },
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "nosuid", MS_NOSUID, 0 },
	{ "nodev", MS_NODEV, 0 },
	{ "noatime", MS_NOATIME, 0 },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "relatime", MS_RELATIME, 0 },
	{ "auto", 0, 0 },
	{ "noauto", 0, 0 },
	{ "nofail", 0, 0 },
	{ "_netdev", 0, 0 },
};

static bool
generic_parse(struct mountd *mountd, const char *name)
{
	size_t i;

	if (strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0)
		return true; /* mount(8): comments of other programs */
	for (i = 0; i < sizeof generics / sizeof generics[0]; i++) {
		if (strcmp(name, generics[i].name) != 0)
			continue;
		mountd->mount_flags |= generics[i].set;
		mountd->mount_flags &= ~generics[i].clear;
		return true;
	}
	return false;
}

bool
options_parse(struct mountd *mountd, char *options, const char **bad)
{
	char *next = options, *name;

	while ((name = strsep(&next, ",")) != NULL) {
		*bad = name;
		if (*name == '\0')
			continue;
		if (strcmp(name, "stale") == 0)
			mountd->stale = true;
		else if (strncmp(name, "timeout=", 8) == 0) {
			if (!timeout_parse(name + 8, &mountd->timeout_ms))
				return false;
		} else if (!generic_parse(mountd, name))
			return false;
	}
	return true;
}
