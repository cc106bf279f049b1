/*
 * How fast a client goes: no faster than its own mount tells its watcher of what all
 * of them change. On a machine that is too small for that, what waits to be told
 * would grow all the time. Called by client.c.
 */
#include "tests/cluster/client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US 250000
#define MANY 400 /* changes that wait to be told */
#define FEW 100
#define PACE_US_MAX 200000
#define METRICS_BYTES (1 << 18)
#define QUEUE "\nzabfs_mount_echo_queue "

/* false: there is nobody to ask. */
static bool
waiting(struct worker *worker, char *text, unsigned long *count)
{
	char path[PATH_LEN];
	const char *line;

	worker_path(worker, path, ".zab/metrics");
	if (read_text(path, text, METRICS_BYTES) != 0)
		return false;
	line = strstr(text, QUEUE);
	if (line == NULL)
		return false;
	*count = strtoul(line + strlen(QUEUE), NULL, 10);
	return true;
}

void
keep_pace(struct worker *worker)
{
	struct client *client = worker->client;
	uint32_t least_us = client->pace_us;
	char *text = malloc(METRICS_BYTES);
	unsigned long count;

	while (text != NULL && !client->stop) {
		usleep(LOOK_US);
		if (!waiting(worker, text, &count))
			continue;
		if (count > MANY && client->pace_us * 2 <= PACE_US_MAX)
			client->pace_us *= 2u;
		else if (count < FEW && client->pace_us / 2 >= least_us)
			client->pace_us /= 2u;
	}
	free(text);
}
