/* HTTP for monitoring: answers, and the bounds on what a connection may do. */
#include "replica/net/http.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 60000
#define LIMIT_MS 400

static struct event_base *base;
static struct http *http;
static char address[32];
static bool is_ready;
static char heard[1 << 17];

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
metrics(void *arg, msgpack_sbuffer *out)
{
	(void)arg;
	msgpack_sbuffer_write(out, "a_total 1\n", 10);
}

static bool
ready(void *arg, char *why, size_t len)
{
	(void)arg;
	snprintf(why, len, "electing");
	return is_ready;
}

static const struct http_handler handler = { metrics, ready };

/* A port that is free now. */
static void
choose(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof in;

	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(in.sin_port));
	close(fd);
}

static int
setup(void **state)
{
	struct http_options options = { .address = address, .time_ms = LIMIT_MS };
	char err[256];

	(void)state;
	base = event_base_new();
	is_ready = true;
	choose();
	http = http_listen(base, &options, &handler, NULL, err, sizeof err);
	return http != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	http_free(http);
	event_base_free(base);
	return 0;
}

static int
dial(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)atoi(strchr(address, ':') + 1)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	usleep(200);
}

/* Until the other side closes: its answer in `heard`. False: it takes too long. */
static bool
hear(int fd)
{
	uint64_t until = now_ms() + WAIT_MS;
	size_t len = 0;
	ssize_t n;

	do {
		turn();
		n = recv(fd, heard + len, sizeof heard - 1 - len, 0);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 || (n < 0 && errno == EAGAIN)) && now_ms() < until);
	heard[len] = '\0';
	close(fd);
	return n == 0 || errno == ECONNRESET;
}

static int
ask(const char *request)
{
	int fd = dial(), code = 0;

	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	assert_true(hear(fd));
	sscanf(heard, "HTTP/%*s %d", &code);
	return code;
}

static const char *
body(void)
{
	const char *end = strstr(heard, "\r\n\r\n");

	return end == NULL ? "" : end + 4;
}

static void
test_answers(void **state)
{
	(void)state;
	assert_int_equal(ask("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
	assert_string_equal(body(), "a_total 1\n");
	assert_non_null(strstr(heard, "\r\nContent-Type: text/plain; version=0.0.4"));
	assert_int_equal(ask("GET /metrics?x=1 HTTP/1.0\r\n\r\n"), 200);
	assert_int_equal(ask("GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
	assert_int_equal(ask("GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
	assert_string_equal(body(), "ready\n");
	is_ready = false;
	assert_int_equal(ask("GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n"), 503);
	assert_string_equal(body(), "electing\n");
	assert_int_equal(ask("GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
}

static void
test_refusals(void **state)
{
	static const char *const methods[] = { "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH",
		"TRACE" };
	static const char *const paths[] = { "/", "/metrics/", "/metric", "/readyz%00", "//livez" };
	char request[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		snprintf(request, sizeof request,
		    "%s /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", methods[i]);
		assert_int_equal(ask(request), 405);
		assert_non_null(strstr(heard, "\r\nAllow: GET\r\n"));
	}
	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", paths[i]);
		assert_int_equal(ask(request), 404);
	}
}

/* Nobody gets more memory than a request takes. */
static void
test_too_much(void **state)
{
	static char request[HTTP_REQUEST_MAX + 4096];
	int code;

	(void)state;
	memset(request, 'a', sizeof request - 1);
	memcpy(request, "GET /metrics HTTP/1.1\r\nX: ", 26);
	memcpy(request + sizeof request - 5, "\r\n\r\n", 4);
	code = ask(request);
	assert_true(code == 0 || (code >= 400 && code < 500));
	memset(request, 'a', sizeof request - 1);
	code = ask(request);
	assert_true(code == 0 || (code >= 400 && code < 500));
	code = ask("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
	assert_int_equal(code, 413);
	assert_int_equal(ask("GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
}

/* One that says nothing, or a byte now and then, is closed; others wait meanwhile. */
static void
test_too_long(void **state)
{
	int idle[HTTP_CONNECTIONS_MAX + 8], fd, i;
	uint64_t begun = now_ms(), until = begun + WAIT_MS, last;
	ssize_t n = 0;

	(void)state;
	for (i = 0; i < HTTP_CONNECTIONS_MAX + 8; i++)
		idle[i] = dial();
	fd = dial();
	assert_int_equal(send(fd, "GET /livez HTTP/1.0\r\n\r\n", 23, 0), 23);
	for (i = 0; i < 50; i++)
		turn();
	/* There is no place, unless the machine has slept meanwhile. */
	assert_true(recv(fd, heard, 1, MSG_PEEK) == -1 || now_ms() >= begun + LIMIT_MS);
	assert_true(hear(fd));
	assert_non_null(strstr(heard, "200 OK"));
	assert_true(now_ms() >= begun + LIMIT_MS);
	for (i = 0; i < HTTP_CONNECTIONS_MAX + 8; i++)
		assert_true(hear(idle[i]));

	/* Too few bytes to be too many, too often to be idle. */
	fd = dial();
	begun = last = now_ms();
	while (n >= 0 && now_ms() < until) {
		turn();
		if (now_ms() < last + 50)
			continue;
		n = send(fd, "G", 1, MSG_NOSIGNAL);
		last = now_ms();
	}
	assert_true(n < 0 && now_ms() >= begun + LIMIT_MS);
	close(fd);
}

/* What is open when everything ends is closed. */
static void
test_ends_with_connections(void **state)
{
	int fd = dial(), other;

	(void)state;
	assert_int_equal(send(fd, "GET /met", 8, 0), 8);
	turn();
	other = dial();
	turn();
	http_free(http);
	http = NULL;
	assert_true(hear(fd));
	assert_true(hear(other));
}

static void
test_address_in_use(void **state)
{
	struct http_options options = { .address = address };
	char err[256];

	(void)state;
	assert_null(http_listen(base, &options, &handler, NULL, err, sizeof err));
	assert_non_null(strstr(err, "Address already in use"));
	assert_non_null(strstr(err, address));
}

/* Without descriptors nobody is accepted; who has waited is served when there are some. */
static void
test_no_descriptor(void **state)
{
	static const char request[] = "GET /livez HTTP/1.0\r\n\r\n";
	struct rlimit before, none_left;
	int fd = dial(), lowest = dup(fd), i;

	(void)state;
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none_left = before;
	none_left.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
	assert_int_equal(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
	for (i = 0; i < 20; i++)
		turn();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(hear(fd));
	assert_non_null(strstr(heard, "alive"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_much, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends_with_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_address_in_use, setup, teardown),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
