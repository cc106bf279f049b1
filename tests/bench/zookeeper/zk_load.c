/*
 * The load of load.h on ZooKeeper's servers: a session for each host, with
 * ephemeral nodes of its own. By the asynchronous calls: the completion of one
 * request sends the next one in its place, as ZooKeeper's own clients do when
 * they are to be fast; the client has two threads a session for that.
 */
#include "tests/bench/load.h"
#include "tests/bench/zookeeper/zk.h"

#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

struct session {
	const struct load *load;
	zhandle_t *zh;
	size_t number, outstanding;
	int64_t end_ns;
	sem_t finished;		     /* one for each place */
	struct load_samples samples; /* the completion thread's */
};

/* One of the requests that are outstanding, and those that follow it. */
struct place {
	struct session *session;
	uint64_t random;
	int64_t sent_ns;
};

static char value[LOAD_BYTES_MAX];

static void place_next(struct place *place);

static void
place_done(struct place *place, enum load_kind kind)
{
	int64_t now_ns = measure_now_ns();

	if (now_ns <= place->session->end_ns)
		load_add(&place->session->samples, kind, now_ns - place->sent_ns);
	if (now_ns < place->session->end_ns)
		place_next(place);
	else
		sem_post(&place->session->finished);
}

static void
set_done(int code, const struct Stat *stat, const void *arg)
{
	(void)stat;
	zk_check(code, "set");
	place_done((struct place *)(uintptr_t)arg, LOAD_WRITE);
}

static void
get_done(int code, const char *data, int len, const struct Stat *stat, const void *arg)
{
	struct place *place = (struct place *)(uintptr_t)arg;

	(void)data;
	(void)stat;
	zk_check(code, "get");
	if (len != (int)place->session->load->bytes)
		errx(1, "get: %d bytes", len);
	place_done(place, LOAD_READ);
}

static void
node_path(char path[64], const struct session *session, size_t node)
{
	snprintf(path, 64, "/load-%ld-%zu-%zu", (long)getpid(), session->number, node);
}

static void
place_next(struct place *place)
{
	const struct session *session = place->session;
	enum load_kind kind = load_kind(session->load, &place->random);
	char path[64];

	node_path(path, session, load_random(&place->random) % LOAD_NODES);
	place->sent_ns = measure_now_ns();
	if (kind == LOAD_READ)
		zk_check(zoo_aget(session->zh, path, 0, get_done, place), path);
	else
		zk_check(zoo_aset(session->zh, path, value, (int)session->load->bytes, -1, set_done,
			     place),
		    path);
}

static void
session_open(struct session *session, const char *host)
{
	char path[64];
	size_t i;

	session->zh = zk_open(host, NULL, NULL);
	for (i = 0; i < LOAD_NODES; i++) {
		node_path(path, session, i);
		zk_check(zoo_create(session->zh, path, value, (int)session->load->bytes,
			     &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0),
		    path);
	}
	sem_init(&session->finished, 0, 0);
	load_samples_init(&session->samples);
}

static void
session_start(struct session *session, int64_t end_ns, struct place *places)
{
	size_t i;

	session->end_ns = end_ns;
	for (i = 0; i < session->outstanding; i++) {
		places[i].session = session;
		places[i].random = load_seed(session->number * LOAD_OUTSTANDING_MAX + i);
		place_next(&places[i]);
	}
}

void
zk_load(int argc, char **argv)
{
	static struct place places[LOAD_OUTSTANDING_MAX];
	struct load load = load_parse(argc, argv);
	struct session *sessions = calloc(load.ntargets, sizeof *sessions);
	size_t i, j, used = 0, all = 0;
	int64_t end_ns;

	if (sessions == NULL)
		err(1, "%zu sessions", load.ntargets);
	memset(value, 'v', sizeof value);
	for (i = 0; i < load.ntargets; i++) {
		sessions[i].load = &load;
		sessions[i].number = i;
		sessions[i].outstanding = load_share(&load, i);
		session_open(&sessions[i], load.targets[i]);
	}
	end_ns = measure_now_ns() + load.run_ns;
	for (i = 0; i < load.ntargets; i++) {
		session_start(&sessions[i], end_ns, places + used);
		used += sessions[i].outstanding;
	}
	for (i = 0; i < load.ntargets; i++) {
		for (j = 0; j < sessions[i].outstanding; j++)
			sem_wait(&sessions[i].finished);
		zookeeper_close(sessions[i].zh);
		all += load_print(&sessions[i].samples);
	}
	load_print_rate(&load, all);
	free(sessions);
}
