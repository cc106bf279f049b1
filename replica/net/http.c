/*
 * HTTP for monitoring (http.h). evhttp has no bound on connections or on the
 * time that one takes, and doesn't say when it has closed one. So each gets a
 * bufferevent of ours, to which we keep a reference: evhttp is done with it when
 * its callbacks are gone. While all places are taken nobody is accepted.
 */
#include "replica/net/http.h"

#include "replica/lib/check.h"
#include "replica/lib/log.h"
#include "replica/net/acceptor.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IDLE_S 5
#define WHY_LEN 128

static const struct timeval sweep_period = { .tv_usec = 100000 };

struct place {
	struct bufferevent *bev; /* NULL: free */
	uint64_t until_ms;
};

struct http {
	LIST_ENTRY(http) next;
	struct event_base *base;
	const struct http_handler *handler;
	void *arg;
	uint32_t time_ms;
	struct evhttp *evhttp;
	struct evconnlistener *listener; /* evhttp's, once it has it */
	struct event *sweep;
	struct place places[HTTP_CONNECTIONS_MAX];
	unsigned taken;
	uint64_t refused_until_ms; /* accept(2) failed */
};

/* evhttp gives the listener an argument of its own, and says nothing of ours. */
static LIST_HEAD(, http) all = LIST_HEAD_INITIALIZER(all);

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Answers. */

static void
answer(struct evhttp_request *request, int code, const char *type, const void *body, size_t len)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *buffer = evhttp_request_get_output_buffer(request);

	if (evhttp_add_header(headers, "Content-Type", type) != 0 ||
	    evhttp_add_header(headers, "Connection", "close") != 0 ||
	    (code == HTTP_BADMETHOD && evhttp_add_header(headers, "Allow", "GET") != 0) ||
	    evbuffer_add(buffer, body, len) != 0)
		code = HTTP_INTERNAL;
	evhttp_send_reply(request, code, NULL, NULL);
}

static void
answer_line(struct evhttp_request *request, int code, const char *line)
{
	char text[WHY_LEN + 2];

	snprintf(text, sizeof text, "%s\n", line);
	answer(request, code, "text/plain; charset=utf-8", text, strlen(text));
}

static void
answer_metrics(struct http *http, struct evhttp_request *request)
{
	msgpack_sbuffer out;

	msgpack_sbuffer_init(&out);
	http->handler->metrics(http->arg, &out);
	answer(request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", out.data, out.size);
	msgpack_sbuffer_destroy(&out);
}

static void
on_request(struct evhttp_request *request, void *arg)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	struct http *http = arg;
	char why[WHY_LEN];

	if (evhttp_request_get_command(request) != EVHTTP_REQ_GET)
		answer_line(request, HTTP_BADMETHOD, "only GET");
	else if (path != NULL && strcmp(path, "/metrics") == 0)
		answer_metrics(http, request);
	else if (path != NULL && strcmp(path, "/livez") == 0)
		answer_line(request, HTTP_OK, "alive");
	else if (path == NULL || strcmp(path, "/readyz") != 0)
		answer_line(request, HTTP_NOTFOUND, "/metrics, /livez or /readyz");
	else if (http->handler->ready(http->arg, why, sizeof why))
		answer_line(request, HTTP_OK, "ready");
	else
		answer_line(request, HTTP_SERVUNAVAIL, why);
}

/* Connections. */

/* evhttp has let go of it: with our reference its socket is closed. */
static bool
is_over(struct bufferevent *bev)
{
	bufferevent_data_cb readable, writable;
	bufferevent_event_cb event;
	void *arg;

	bufferevent_getcb(bev, &readable, &writable, &event, &arg);
	return readable == NULL && writable == NULL && event == NULL;
}

static void
vacate(struct http *http, struct place *place)
{
	bufferevent_decref(place->bev);
	place->bev = NULL;
	http->taken--;
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http *http = arg;
	unsigned i;

	(void)fd;
	(void)what;
	for (i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		struct place *place = &http->places[i];

		if (place->bev == NULL)
			continue;
		if (is_over(place->bev))
			vacate(http, place);
		else if (now_ms() >= place->until_ms)
			shutdown(bufferevent_getfd(place->bev), SHUT_RDWR); /* evhttp sees it */
	}
	if (http->taken < HTTP_CONNECTIONS_MAX && now_ms() >= http->refused_until_ms)
		evconnlistener_enable(http->listener);
	if (http->taken != 0 || now_ms() < http->refused_until_ms)
		event_add(http->sweep, &sweep_period);
}

/* For a connection that evhttp is about to begin. NULL: it makes one itself. */
static struct bufferevent *
on_connection(struct event_base *base, void *arg)
{
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct http *http = arg;
	unsigned i = 0;

	if (bev == NULL)
		return NULL;
	while (i < HTTP_CONNECTIONS_MAX && http->places[i].bev != NULL)
		i++;
	/* The listener is off before there is none. */
	if (i < HTTP_CONNECTIONS_MAX) {
		bufferevent_incref(bev);
		http->places[i] = (struct place){ bev, now_ms() + http->time_ms };
		http->taken++;
	}
	if (http->taken == HTTP_CONNECTIONS_MAX)
		evconnlistener_disable(http->listener);
	if (!evtimer_pending(http->sweep, NULL))
		event_add(http->sweep, &sweep_period);
	return bev;
}

/* Out of descriptors, most likely: what waits in the backlog would make us spin. */
static void
on_accept_error(struct evconnlistener *listener, void *evhttp)
{
	int errnum = errno;
	struct http *http;

	(void)evhttp;
	LIST_FOREACH(http, &all, next)
	if (http->listener == listener)
		break;
	CHECK(http != NULL);
	log_warn("cannot accept for http: why=\"%s\"", strerror(errnum));
	http->refused_until_ms = now_ms() + 1000;
	evconnlistener_disable(listener);
	event_add(http->sweep, &sweep_period);
}

/* The listener is evhttp's from then on, and fd the listener's. */
static bool
hand_listener(struct http *http, int fd)
{
	http->listener = evconnlistener_new(
	    http->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (http->listener == NULL) {
		close(fd);
		return false;
	}
	if (evhttp_bind_listener(http->evhttp, http->listener) != NULL)
		return true;
	evconnlistener_free(http->listener);
	return false;
}

static bool
set_up(struct http *http, int fd)
{
	http->sweep = evtimer_new(http->base, on_sweep, http);
	http->evhttp = evhttp_new(http->base);
	if (http->sweep == NULL || http->evhttp == NULL) {
		close(fd);
		return false;
	}
	if (!hand_listener(http, fd))
		return false;
	evconnlistener_set_error_cb(http->listener, on_accept_error);
	evhttp_set_bevcb(http->evhttp, on_connection, http);
	evhttp_set_gencb(http->evhttp, on_request, http);
	evhttp_set_timeout(http->evhttp, IDLE_S);
	evhttp_set_max_headers_size(http->evhttp, HTTP_REQUEST_MAX);
	evhttp_set_max_body_size(http->evhttp, HTTP_REQUEST_MAX);
	evhttp_set_allowed_methods(
	    http->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
			      EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
			      EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	return true;
}

struct http *
http_listen(struct event_base *base, const struct http_options *options,
    const struct http_handler *handler, void *arg, char *err, size_t errlen)
{
	struct http *http = calloc(1, sizeof *http);
	int fd = acceptor_bind(options->address, err, errlen);

	if (http == NULL || fd < 0) {
		if (fd >= 0) {
			close(fd);
			snprintf(err, errlen, "%s: no memory", options->address);
		}
		free(http);
		return NULL;
	}
	LIST_INSERT_HEAD(&all, http, next);
	http->base = base;
	http->handler = handler;
	http->arg = arg;
	http->time_ms = options->time_ms != 0 ? options->time_ms : HTTP_TIME_MS;
	if (set_up(http, fd))
		return http;
	http_free(http);
	snprintf(err, errlen, "%s: no memory", options->address);
	return NULL;
}

void
http_free(struct http *http)
{
	unsigned i;

	if (http == NULL)
		return;
	LIST_REMOVE(http, next);
	if (http->evhttp != NULL)
		evhttp_free(http->evhttp);
	for (i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (http->places[i].bev != NULL)
			vacate(http, &http->places[i]);
	if (http->sweep != NULL)
		event_free(http->sweep);
	free(http);
}
