/*
 * Names to addresses without waiting (resolve.h): getaddrinfo(3) on a thread
 * for each question, because a resolver that does not answer takes longer than
 * an ensemble waits for a leader.
 *
 * The thread's end is the end of a pipe. Loop and thread hold the question
 * together; whoever is last frees it, since nobody can interrupt the thread.
 */
#include "replica/lib/resolve.h"

#include "replica/lib/address.h"

#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct resolve {
	atomic_int holders;
	int pipe[2]; /* [1] is the thread's */
	struct address name;
	int error;
	struct addrinfo *addresses;

	struct event *done;
	void (*found)(void *arg, int error, struct addrinfo *addresses);
	void *arg;
};

static void
drop(struct resolve *resolve)
{
	if (atomic_fetch_sub(&resolve->holders, 1) > 1)
		return;
	if (resolve->addresses != NULL)
		freeaddrinfo(resolve->addresses);
	free(resolve);
}

static void *
resolve_main(void *arg)
{
	struct resolve *resolve = arg;

	resolve->error = address_resolve(&resolve->name, false, &resolve->addresses);
	if (resolve->error != 0)
		resolve->addresses = NULL;
	close(resolve->pipe[1]);
	drop(resolve);
	return NULL;
}

static void
let_go(struct resolve *resolve)
{
	event_free(resolve->done);
	close(resolve->pipe[0]);
	drop(resolve);
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *resolve = arg;
	struct addrinfo *addresses = resolve->addresses;
	void (*found)(void *, int, struct addrinfo *) = resolve->found;
	void *found_arg = resolve->arg;
	int error = resolve->error;

	(void)fd;
	(void)what;
	resolve->addresses = NULL;
	let_go(resolve);
	found(found_arg, error, addresses);
}

/* Signals are the loop's. */
static bool
start(struct resolve *resolve)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int error;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &attr, resolve_main, resolve);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error == 0;
}

struct resolve *
resolve_new(struct event_base *base, const struct address *name,
    void (*found)(void *arg, int error, struct addrinfo *addresses), void *arg)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));

	if (resolve == NULL || pipe2(resolve->pipe, O_CLOEXEC) != 0) {
		free(resolve);
		return NULL;
	}
	resolve->name = *name;
	resolve->found = found;
	resolve->arg = arg;
	atomic_init(&resolve->holders, 2);
	resolve->done = event_new(base, resolve->pipe[0], EV_READ, on_done, resolve);
	if (resolve->done != NULL && event_add(resolve->done, NULL) == 0 && start(resolve))
		return resolve;
	if (resolve->done != NULL)
		event_free(resolve->done);
	close(resolve->pipe[0]);
	close(resolve->pipe[1]);
	free(resolve);
	return NULL;
}

void
resolve_cancel(struct resolve *resolve)
{
	if (resolve != NULL)
		let_go(resolve);
}
