/*
 * Puts a load on replicas over the wire, without the kernel's share: as many
 * sessions as sockets are named, a thread each, with ephemeral files of their
 * own in a directory of their own, so that nobody else is told of changes. The time of a request is that from sending to reply. Called by
 * tests/bench/run and tests/bench/zookeeper/run; load.h has arguments and output.
 */
#include "replica/lib/err.h"
#include "tests/bench/client.h"
#include "tests/bench/load.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

/* Requests of one kind are answered in their order; the kinds overtake each other. */
struct waiting {
	struct {
		uint64_t rid;
		int64_t sent_ns;
	} of[LOAD_OUTSTANDING_MAX];
	size_t head, tail; /* tail - head wait */
};

struct session {
	const struct load *load;
	pthread_barrier_t *start;
	pthread_t thread;
	size_t outstanding;
	struct client client;
	uint64_t ids[LOAD_NODES], random;
	struct waiting waiting[LOAD_KINDS];
	struct load_samples samples;
};

static uint8_t value[LOAD_BYTES_MAX];

static void
session_open(struct session *session, const char *path, size_t number)
{
	struct blob none = { NULL, 0 }, data = { value, (uint32_t)session->load->bytes };
	struct client *client = &session->client;
	uint64_t parent;
	char name[64];
	size_t i;

	client_start(client, path);
	snprintf(name, sizeof name, "load-%ld-%zu", (long)getpid(), number);
	client_put_create(client, 1, name, S_IFDIR | 0755, WIRE_PERSISTENT, none);
	client_flush(client);
	parent = client_get_created(client);
	for (i = 0; i < LOAD_NODES; i++) {
		snprintf(name, sizeof name, "%zu", i);
		client_put_create(client, parent, name, S_IFREG | 0644, WIRE_EPHEMERAL, data);
	}
	client_flush(client);
	for (i = 0; i < LOAD_NODES; i++)
		session->ids[i] = client_get_created(client);
	session->random = load_seed(number);
	load_samples_init(&session->samples);
}

static void
session_put(struct session *session)
{
	enum load_kind kind = load_kind(session->load, &session->random);
	uint64_t id = session->ids[load_random(&session->random) % LOAD_NODES];
	struct waiting *waiting = &session->waiting[kind];
	size_t place = waiting->tail++ % LOAD_OUTSTANDING_MAX;
	struct client *client = &session->client;
	struct wire_msg msg = { .type = kind == LOAD_WRITE ? WIRE_T_WRITE : WIRE_T_READ };

	if (kind == LOAD_READ) {
		msg.read.rid = ++client->rid;
		msg.read.id = id;
	} else {
		msg.write.rid = ++client->rid;
		msg.write.acked = client->acked;
		msg.write.id = id;
		msg.write.how = WIRE_REPLACE;
		msg.write.data = (struct blob){ value, (uint32_t)session->load->bytes };
		msg.write.version = -1;
	}
	waiting->of[place].rid = client->rid;
	waiting->of[place].sent_ns = measure_now_ns();
	client_put(client, &msg);
}

static void
session_get(struct session *session, int64_t end_ns)
{
	struct client_answer answer = client_get_answer(&session->client);
	int64_t now_ns = measure_now_ns();
	size_t kind;

	for (kind = 0; kind < LOAD_KINDS; kind++) {
		struct waiting *waiting = &session->waiting[kind];
		size_t place = waiting->head % LOAD_OUTSTANDING_MAX;

		if (waiting->head == waiting->tail || waiting->of[place].rid != answer.rid)
			continue;
		if (answer.code != ERR_OK ||
		    (kind == LOAD_READ && answer.len != session->load->bytes))
			errx(1, "request: %s", err_text(answer.code));
		waiting->head++;
		if (kind == LOAD_WRITE)
			session->client.acked = answer.rid;
		if (now_ns <= end_ns)
			load_add(&session->samples, kind, now_ns - waiting->of[place].sent_ns);
		return;
	}
	errx(1, "reply %" PRIu64 " is not due", answer.rid);
}

static void *
session_run(void *arg)
{
	struct session *session = arg;
	size_t sent = 0, got = 0;
	int64_t end_ns;

	pthread_barrier_wait(session->start);
	end_ns = measure_now_ns() + session->load->run_ns;
	do {
		for (; sent - got < session->outstanding && measure_now_ns() < end_ns; sent++)
			session_put(session);
		client_flush(&session->client);
		while (got < sent) {
			session_get(session, end_ns);
			got++;
			if (!client_ready(&session->client))
				break;
		}
	} while (got < sent || measure_now_ns() < end_ns);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct load load = load_parse(argc - 1, argv + 1);
	struct session *sessions = calloc(load.ntargets, sizeof *sessions);
	pthread_barrier_t start;
	size_t i, all = 0;

	if (sessions == NULL || pthread_barrier_init(&start, NULL, (unsigned)load.ntargets) != 0)
		err(1, "%zu sessions", load.ntargets);
	memset(value, 'v', sizeof value);
	for (i = 0; i < load.ntargets; i++) {
		sessions[i].load = &load;
		sessions[i].start = &start;
		sessions[i].outstanding = load_share(&load, i);
		session_open(&sessions[i], load.targets[i], i);
	}
	for (i = 0; i < load.ntargets; i++)
		if (pthread_create(&sessions[i].thread, NULL, session_run, &sessions[i]) != 0)
			err(1, "thread %zu", i);
	for (i = 0; i < load.ntargets; i++) {
		pthread_join(sessions[i].thread, NULL);
		client_end(&sessions[i].client);
		all += load_print(&sessions[i].samples);
	}
	load_print_rate(&load, all);
	free(sessions);
	return 0;
}
