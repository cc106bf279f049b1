/*
 * What monitoring asks over HTTP, by libevent's evhttp:
 *
 *   GET /metrics   the figures, Prometheus' text format 0.0.4
 *   GET /livez     200: the loop turns
 *   GET /readyz    200: this member serves, with a quorum, up to date; else 503, and why
 *
 * Anything else is 404, another method 405. A connection serves one request.
 * At most HTTP_CONNECTIONS_MAX at a time, others wait in the kernel; each may
 * take HTTP_TIME_MS, and HTTP_REQUEST_MAX bytes of head, and of body.
 */
#ifndef ZABFS_NET_HTTP_H
#define ZABFS_NET_HTTP_H

#include <event2/event.h>
#include <msgpack/sbuffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_TIME_MS 10000
#define HTTP_REQUEST_MAX 4096

struct http;

struct http_handler {
	void (*metrics)(void *arg, msgpack_sbuffer *out);
	/* False: why has one line, without its end. */
	bool (*ready)(void *arg, char *why, size_t len);
};

struct http_options {
	const char *address; /* HOST:PORT, borrowed until http_listen returns */
	uint32_t time_ms;    /* 0: HTTP_TIME_MS */
};

/* handler: borrowed. NULL: err has a clear line. */
struct http *http_listen(struct event_base *base, const struct http_options *options,
    const struct http_handler *handler, void *arg, char *err, size_t errlen);
/* Closes everything. NULL is fine. */
void http_free(struct http *http);

#endif
