/*
 * One member on a libevent loop: its sockets, its ticks, the core's timer, the
 * store's completions. What happens is replica.c's business. Made by main.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/net/acceptor.h"
#include "replica/net/unixsock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

struct loop {
	struct replica *replica;
	struct event *tick, *completions, *timer, *delivery;
	uint64_t due_ns; /* of the timer; 0: none */
};

static void
on_tick(evutil_socket_t fd, short events, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)events;
	replica_tick(loop->replica);
}

static void
on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)events;
	loop->due_ns = 0;
	order_timer(loop->replica);
}

static void
on_completions(evutil_socket_t fd, short events, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)events;
	replica_completions(loop->replica);
}

static void
on_delivery(evutil_socket_t fd, short events, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)events;
	replica_deliver(loop->replica);
}

void
loop_deliver(struct loop *loop)
{
	static const struct timeval now = { 0, 0 };

	/* By a timer: an event that is made active would be served before any socket. */
	CHECK(evtimer_add(loop->delivery, &now) == 0);
}

uint32_t
loop_rows_max(const struct loop *loop)
{
	(void)loop;
	return DELIVER_ROWS_MAX;
}

void
loop_arm(struct loop *loop, uint64_t due_ns)
{
	uint64_t now_ns, us;
	struct timeval wait;

	if (due_ns == loop->due_ns)
		return;
	loop->due_ns = due_ns;
	if (due_ns == UINT64_MAX) {
		evtimer_del(loop->timer);
		return;
	}
	now_ns = replica_now_ns();
	us = due_ns <= now_ns ? 0 : (due_ns - now_ns) / 1000 + 1;
	wait.tv_sec = (time_t)(us / 1000000);
	wait.tv_usec = (suseconds_t)(us % 1000000);
	CHECK(evtimer_add(loop->timer, &wait) == 0);
}

static bool
events_add(struct loop *loop, struct event_base *base)
{
	struct replica *replica = loop->replica;
	struct timeval tick = { .tv_sec = replica->conf->tick_ms / 1000,
		.tv_usec = (replica->conf->tick_ms % 1000) * 1000 };

	loop->tick = event_new(base, -1, EV_PERSIST, on_tick, loop);
	loop->completions = event_new(
	    base, store_wake_fd(replica->store), EV_READ | EV_PERSIST, on_completions, loop);
	loop->timer = evtimer_new(base, on_timer, loop);
	loop->delivery = evtimer_new(base, on_delivery, loop);
	return loop->tick != NULL && loop->completions != NULL && loop->timer != NULL &&
	       loop->delivery != NULL && event_add(loop->tick, &tick) == 0 &&
	       event_add(loop->completions, NULL) == 0;
}

static struct links *
open_links(struct event_base *base, struct replica *replica, char *err, size_t errlen)
{
	struct links_member members[CONF_MEMBERS_MAX];
	const struct conf *conf = replica->conf;
	struct links_options options = { .self = replica->member,
		.cluster = conf->cluster,
		.members = members,
		.count = conf->nmembers };
	size_t i;

	for (i = 0; i < conf->nmembers; i++)
		members[i] = (struct links_member){ .sid = conf->members[i].id,
			.observer = conf->members[i].observer,
			.address = conf->members[i].peer };
	return links_open(base, &options, &replica_link_handler, replica, err, errlen);
}

static const struct conf_member *
self(const struct replica_options *options)
{
	const struct conf_member *member = options->conf->members;

	while (member->id != options->member)
		member++;
	return member;
}

/* NULL: it is not to listen there. */
static bool
try_address(const char *address, char *err, size_t errlen)
{
	int fd = address == NULL ? -1 : acceptor_bind(address, err, errlen);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || address == NULL;
}

int
loop_try(const struct replica_options *options, char *err, size_t errlen)
{
	const struct conf_member *member = self(options);
	bool linked = options->conf->nmembers > 1;
	struct unixsock sock;

	if (!unixsock_listen(&sock, options->socket, 1, err, errlen))
		return EX_CANTCREAT;
	unixsock_remove(&sock, options->socket);
	close(sock.fd);
	if (try_address(member->front, err, errlen) &&
	    try_address(linked ? member->peer : NULL, err, errlen) &&
	    try_address(member->http, err, errlen))
		return 0;
	return EX_CANTCREAT;
}

int
loop_new(struct event_base *base, struct replica *replica, const struct replica_options *options,
    char *err, size_t errlen)
{
	struct front_options front = { .path = options->socket, .address = self(options)->front };
	struct http_options http = { .address = self(options)->http };
	struct loop *loop = calloc(1, sizeof *loop);

	CHECK(loop != NULL);
	loop->replica = replica;
	replica->loop = loop;
	replica->fronts = front_listen(base, &front, &replica_front_handler, replica, err, errlen);
	if (replica->fronts == NULL)
		return EX_CANTCREAT;
	replica->links = open_links(base, replica, err, errlen);
	if (replica->links == NULL)
		return EX_CANTCREAT;
	if (http.address != NULL) {
		replica->http =
		    http_listen(base, &http, &replica_http_handler, replica, err, errlen);
		if (replica->http == NULL)
			return EX_CANTCREAT;
	}
	if (events_add(loop, base))
		return 0;
	snprintf(err, errlen, "no events: out of memory");
	return EX_OSERR;
}

void
loop_free(struct loop *loop)
{
	http_free(loop->replica->http);
	if (loop->replica->fronts != NULL)
		front_server_free(loop->replica->fronts);
	if (loop->replica->links != NULL)
		links_free(loop->replica->links);
	if (loop->tick != NULL)
		event_free(loop->tick);
	if (loop->completions != NULL)
		event_free(loop->completions);
	if (loop->timer != NULL)
		event_free(loop->timer);
	if (loop->delivery != NULL)
		event_free(loop->delivery);
	free(loop);
}
