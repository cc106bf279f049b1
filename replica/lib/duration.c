/* Durations as people write them. See duration.h. */
#include "replica/lib/duration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint64_t ms;
} units[] = { { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "min", 60000 },
	{ "h", 3600000 }, { "d", 86400000 } };

bool
duration_ms(const char *text, uint64_t max_ms, uint64_t *ms)
{
	unsigned long long count;
	char *unit;
	size_t i;

	if (*text < '0' || *text > '9') /* strtoull(3) takes blanks and signs */
		return false;
	errno = 0;
	count = strtoull(text, &unit, 10);
	if (errno != 0 || count == 0)
		return false;
	for (i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (count > max_ms / units[i].ms)
			return false;
		*ms = count * units[i].ms;
		return true;
	}
	return false;
}
