/*
 * What the benchmark needs of a replica beside figures, over the wire: a tree
 * that is filled (a million creations through a mount take minutes), and the
 * moment from which it answers. Called by tests/bench/run and by
 * tests/bench/zookeeper/run.
 */
#include "replica/lib/err.h"
#include "tests/bench/client.h"
#include "tests/bench/measure.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOAD_OUTSTANDING 512u

/* One directory's worth of files. No interest in them is kept: a loader's would count as memory. */
static void
load_dir(struct client *client, uint64_t parent, size_t nodes, struct blob value)
{
	struct wire_msg forget = { .type = WIRE_T_FORGET };
	size_t sent = 0, got = 0;
	char name[32];

	while (got < nodes) {
		for (; sent < nodes && sent - got < LOAD_OUTSTANDING; sent++) {
			snprintf(name, sizeof name, "node%04zu", sent);
			client_put_create(
			    client, parent, name, S_IFREG | 0644, WIRE_PERSISTENT, value);
		}
		client_flush(client);
		do {
			forget.forget.id = client_get_created(client);
			forget.forget.count = 1;
			client_put(client, &forget);
			got++;
		} while (got < sent && client_ready(client));
	}
	client_flush(client);
}

static void
load(const char *path, size_t nodes, size_t per_dir, size_t bytes, const char *prefix)
{
	static uint8_t value[WIRE_VALUE_MAX];
	struct blob none = { NULL, 0 }, full = { value, (uint32_t)bytes };
	int64_t start = measure_now_ns();
	struct client client;
	size_t made;
	char name[64];

	memset(value, 'v', sizeof value);
	client_start(&client, path);
	for (made = 0; made < nodes; made += per_dir) {
		snprintf(name, sizeof name, "%s%04zu", prefix, made / per_dir);
		client_put_create(&client, 1, name, S_IFDIR | 0755, WIRE_PERSISTENT, none);
		client_flush(&client);
		load_dir(&client, client_get_created(&client),
		    nodes - made < per_dir ? nodes - made : per_dir, full);
	}
	printf("load_rate %" PRId64 "\n", (int64_t)nodes * NS_PER_S / (measure_now_ns() - start));
	client_end(&client);
}

/* One try: a session, and the root's attributes. */
static bool
first_try(struct client *client, const char *path)
{
	struct wire_msg msg = { .type = WIRE_T_GETATTR };

	if (!client_try(client, path))
		return false;
	msg.getattr.rid = ++client->rid;
	msg.getattr.id = 1;
	client_put(client, &msg);
	client_flush(client);
	return client_get_answer(client).code == ERR_OK;
}

/* Tries until the replica answers, and prints the moment, as bash's EPOCHREALTIME counts. */
static void
first(const char *path, size_t deadline_ms)
{
	int64_t end_ns = measure_now_ns() + (int64_t)deadline_ms * NS_PER_MS;
	struct timespec pause = { .tv_nsec = NS_PER_MS };
	struct client client;

	/* Its answer may not come either. */
	alarm((unsigned)(deadline_ms / 1000 + 1));
	client_init(&client);
	while (!first_try(&client, path)) {
		if (measure_now_ns() > end_ns)
			errx(1, "%s: no answer within %zu ms", path, deadline_ms);
		nanosleep(&pause, NULL);
	}
	printf("answered_us %" PRId64 "\n", measure_date_us());
	client_end(&client);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: bench_wire first SOCKET MILLISECONDS |\n"
			"\tload SOCKET NODES PER-DIRECTORY BYTES PREFIX\n");
	exit(64);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 4 && strcmp(what, "first") == 0)
		first(argv[2], measure_number(argv[3], 3600000));
	else if (argc == 7 && strcmp(what, "load") == 0)
		load(argv[2], measure_number(argv[3], 100000000),
		    measure_number(argv[4], 100000000), measure_number(argv[5], WIRE_VALUE_MAX),
		    argv[6]);
	else
		usage();
	return 0;
}
