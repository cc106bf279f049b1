/*
 * Names to addresses without waiting (resolve.h): getaddrinfo(3) on a thread
 * for each look-up, because a resolver that does not answer takes longer than
 * an ensemble waits for a leader.
 *
 * The thread's end is the end of a pipe. Loop and thread hold the look-up
 * together; whoever is last frees it, since nobody can interrupt the thread.
 */
#include "replica/lib/resolve.h"

#include "replica/lib/address.h"
#include "replica/lib/check.h"

#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct look_up {
	atomic_int holders;
	int pipe[2]; /* [1] is the thread's */
	struct address name;
	int error;
	struct addrinfo *addresses;
};

struct resolver {
	struct look_up *look_up; /* NULL: none, or it has been answered */
	struct event *done;	 /* NULL: nobody asks */
	void (*found)(void *arg, int error, struct addrinfo *addresses);
	void *arg;
};

static void
drop(struct look_up *look_up)
{
	if (atomic_fetch_sub(&look_up->holders, 1) > 1)
		return;
	if (look_up->addresses != NULL)
		freeaddrinfo(look_up->addresses);
	free(look_up);
}

static void *
look_up_main(void *arg)
{
	struct look_up *look_up = arg;

	look_up->error = address_resolve(&look_up->name, false, &look_up->addresses);
	if (look_up->error != 0)
		look_up->addresses = NULL;
	close(look_up->pipe[1]);
	drop(look_up);
	return NULL;
}

/* Signals are the loop's. */
static bool
start(struct look_up *look_up)
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
	error = pthread_create(&thread, &attr, look_up_main, look_up);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error == 0;
}

static struct look_up *
look_up_new(const struct address *name)
{
	struct look_up *look_up = calloc(1, sizeof *look_up);

	if (look_up == NULL || pipe2(look_up->pipe, O_CLOEXEC) != 0) {
		free(look_up);
		return NULL;
	}
	look_up->name = *name;
	atomic_init(&look_up->holders, 2);
	if (start(look_up))
		return look_up;
	close(look_up->pipe[0]);
	close(look_up->pipe[1]);
	free(look_up);
	return NULL;
}

/* Whatever it finds is of no use. */
static void
let_go(struct resolver *resolver)
{
	close(resolver->look_up->pipe[0]);
	drop(resolver->look_up);
	resolver->look_up = NULL;
}

struct resolver *
resolver_new(void)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);

	CHECK(resolver != NULL);
	return resolver;
}

void
resolver_free(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	resolver_cancel(resolver);
	if (resolver->look_up != NULL)
		let_go(resolver);
	free(resolver);
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *resolver = arg;
	struct look_up *look_up = resolver->look_up;
	struct addrinfo *addresses = look_up->addresses;
	int error = look_up->error;

	(void)fd;
	(void)what;
	look_up->addresses = NULL;
	resolver_cancel(resolver);
	let_go(resolver);
	resolver->found(resolver->arg, error, addresses);
}

bool
resolver_ask(struct resolver *resolver, struct event_base *base, const struct address *name,
    void (*found)(void *arg, int error, struct addrinfo *addresses), void *arg)
{
	CHECK(resolver->done == NULL);
	/* What was found for nobody may be of long ago. */
	if (resolver->look_up != NULL && atomic_load(&resolver->look_up->holders) == 1)
		let_go(resolver);
	if (resolver->look_up == NULL)
		resolver->look_up = look_up_new(name);
	if (resolver->look_up == NULL)
		return false;
	resolver->found = found;
	resolver->arg = arg;
	resolver->done = event_new(base, resolver->look_up->pipe[0], EV_READ, on_done, resolver);
	if (resolver->done != NULL && event_add(resolver->done, NULL) == 0)
		return true;
	resolver_cancel(resolver);
	return false;
}

void
resolver_cancel(struct resolver *resolver)
{
	if (resolver == NULL || resolver->done == NULL)
		return;
	event_free(resolver->done);
	resolver->done = NULL;
}
