/*
 * What the members' connections say to the log (link_internal.h). Most of it
 * can be provoked from outside, or repeats itself as often as one dials, so a
 * line is followed by its like once a minute.
 */
#include "replica/net/link_internal.h"

#include "replica/lib/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#define AGAIN_MS 60000

uint64_t
link_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Whether it is time for it; *kept: how often it was not. */
static bool
due(struct link_told *told, uint64_t reason, uint64_t *kept)
{
	uint64_t now_ms = link_now_ms();
	size_t at = 0;

	for (size_t i = 0; i < LINK_TOLD_MAX; i++) {
		if (told->said[i].at_ms != 0 && told->said[i].reason == reason) {
			at = i;
			break;
		}
		if (told->said[i].at_ms < told->said[at].at_ms)
			at = i;
	}
	if (told->said[at].at_ms == 0 || told->said[at].reason != reason) {
		told->said[at].reason = reason;
		told->said[at].kept = 0;
	} else if (now_ms - told->said[at].at_ms < AGAIN_MS) {
		told->said[at].kept++;
		return false;
	}
	*kept = told->said[at].kept;
	told->said[at].at_ms = now_ms;
	told->said[at].kept = 0;
	return true;
}

void
link_log(struct links *links, struct link_peer *peer, enum link_level level, const char *message,
    const char *address, const char *why)
{
	char line[512];
	uint64_t reason, kept = 0;
	bool now;

	snprintf(line, sizeof(line), "%s: %s", message, why);
	reason = XXH3_64bits(line, strlen(line));
	now = due(peer != NULL ? &peer->told : &links->told, reason, &kept);
	snprintf(line, sizeof(line), "%s: peer=%" PRIu32 " address=%s why=\"%s\" repeated=%" PRIu64,
	    message, peer != NULL ? peer->sid : 0, address, why, kept);
	if (!now)
		log_debug("%s", line);
	else if (level == LINK_WARN)
		log_warn("%s", line);
	else
		log_info("%s", line);
}
