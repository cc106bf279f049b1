/*
 * zabfs.conf(5). What is accepted keeps to the ranges that conf.h promises;
 * what is not has a reason, one line.
 */
#include "tests/fuzz/fuzz.h"

#include "replica/lib/conf.h"
#include "replica/lib/wire.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define WITHIN(field, min, max) CHECK(conf->field >= (min) && conf->field <= (max))

static void
accepted(const struct conf *conf)
{
	size_t i, j;

	CHECK(conf->cluster != NULL && conf->cluster[0] != '\0' && strlen(conf->cluster) <= 64);
	CHECK(conf->socket[0] == '/' && strlen(conf->socket) <= CONF_SOCKET_MAX);
	WITHIN(tick_ms, 10, 10000);
	WITHIN(init_limit, 1, 1000);
	WITHIN(sync_limit, 1, 1000);
	WITHIN(value_max, 1, WIRE_VALUE_MAX);
	WITHIN(log_rows_min, 1, 2147483647);
	WITHIN(log_tree_percent + 1, 1, 1001);
	WITHIN(pass_interval, 1, 86400);
	WITHIN(session_timeout_min, 100, 3600000);
	WITHIN(session_timeout_max, conf->session_timeout_min, 3600000);
	WITHIN(sessions_max, 1, 1000000);
	WITHIN(nmembers, 1, CONF_MEMBERS_MAX);
	CHECK(!conf->members[0].observer);
	for (i = 0; i < conf->nmembers; i++) {
		WITHIN(members[i].id, 1, 255);
		CHECK(strchr(conf->members[i].peer, ':') != NULL);
		CHECK(
		    conf->members[i].front == NULL || strchr(conf->members[i].front, ':') != NULL);
		for (j = 0; j < i; j++)
			CHECK(conf->members[j].id != conf->members[i].id &&
			      strcmp(conf->members[j].peer, conf->members[i].peer) != 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct conf *conf = NULL;
	char path[64], err[256];

	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (conf_load(path, &conf, err, sizeof err) == 0) {
		accepted(conf);
		conf_free(conf);
	} else {
		CHECK(err[0] != '\0' && strchr(err, '\n') == NULL);
	}
	close(fd);
	return 0;
}
