/*
 * net/front_server.c and unixsock.c, and what one connection may cost: the
 * socket's file, limits of number, time and memory, polling, the end.
 */
#include "tests/unit/front_peer.h"

#include <arpa/inet.h>

static struct front_server *
listen_at(const char *at, const char *tcp_address, char err[256])
{
	struct front_options options = { .path = at, .address = tcp_address };

	return front_listen(base, &options, &handler, &replica, err, 256);
}

static void
test_the_socket(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct front_server *second;
	char other[80], err[256], longer[200];
	struct stat st, st2;
	int fd;

	(void)state;
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);

	/* a live one is refused, and not disturbed */
	assert_null(listen_at(path, NULL, err));
	assert_non_null(strstr(err, "another process listens"));
	assert_int_equal(lstat(path, &st2), 0);
	assert_true(st.st_ino == st2.st_ino);

	/* a dead one is replaced */
	snprintf(other, sizeof(other), "%s/stale", dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", other);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd);
	second = listen_at(other, NULL, err);
	assert_non_null(second);
	close(connect_to(other));

	/* its file is its own: a successor's stays */
	assert_int_equal(unlink(other), 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	front_server_free(second);
	assert_int_equal(lstat(other, &st), 0);
	close(fd);
	unlink(other);

	/* what isn't a socket is left alone */
	assert_int_equal(symlink("nowhere", other), 0);
	assert_null(listen_at(other, NULL, err));
	assert_non_null(strstr(err, "not a socket"));
	unlink(other);

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(listen_at(longer, NULL, err));
	assert_non_null(strstr(err, "1 to 107 bytes"));
	assert_null(listen_at("/nowhere/at/all", NULL, err));
	assert_non_null(strstr(err, "/nowhere/at/all: No such file"));
}

static void
test_the_opening_has_a_time_limit(void **state)
{
	struct client silent, greeted, half, served;

	(void)state;
	client_serve(&served);
	client_open(&silent);
	client_open(&half); /* welcomed, no RESUME */
	client_send(&half, WIRE_T_HELLO);
	settle();
	replica.welcome = 1;
	client_open(&greeted); /* not its fault */
	client_send(&greeted, WIRE_T_HELLO);
	settle();
	assert_int_equal(front_connections(server), 4);
	skipped_s += FRONT_OPENING_MS / 1000 - 2;
	settle();
	assert_int_equal(replica.gone, 0);
	skipped_s += 3;
	settle();
	assert_int_equal(replica.gone, 2);
	assert_int_equal(warnings, 2);
	assert_int_equal(silent.closed + half.closed, 2);
	assert_int_equal(greeted.closed + served.closed, 0);
	conn_free(silent.conn);
	conn_free(greeted.conn);
	conn_free(half.conn);
	conn_free(served.conn);
}

static void
test_at_most_so_many_connections(void **state)
{
	static int fds[FRONT_CONNECTIONS_MAX + 10];
	struct rlimit limit;
	char byte;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (size_t i = 0; i < FRONT_CONNECTIONS_MAX + 10; i++) {
		fds[i] = connect_to(path);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	settle();
	assert_int_equal(front_connections(server), FRONT_CONNECTIONS_MAX);
	assert_true(warnings >= 1 && warnings <= 2); /* ten refusals, a line a second */
	assert_int_equal(recv(fds[0], &byte, 1, MSG_DONTWAIT), -1);
	for (size_t i = FRONT_CONNECTIONS_MAX; i < FRONT_CONNECTIONS_MAX + 10; i++)
		assert_int_equal(recv(fds[i], &byte, 1, MSG_DONTWAIT), 0);
	close(fds[0]);
	settle();
	assert_int_equal(front_connections(server), FRONT_CONNECTIONS_MAX - 1);
	for (size_t i = 1; i < FRONT_CONNECTIONS_MAX + 10; i++)
		close(fds[i]);
}

static void
test_ended_by_the_server(void **state)
{
	struct client client;
	char err[256];

	(void)state;
	client_serve(&client);
	front_server_free(server);
	settle();
	assert_int_equal(client.closed, 1);
	assert_int_equal(replica.gone, 0);
	conn_free(client.conn);
	server = listen_at(path, NULL, err);
	assert_non_null(server);
}

static void
send_rubbish(void)
{
	int fd = connect_to(path);

	assert_int_equal(send(fd, "\xff\xff\xff\xff", 4, MSG_NOSIGNAL), 4);
	settle();
	close(fd);
}

/* Lines of the log are not to be had for the asking; one says how many there would have been. */
static void
test_a_flood_of_broken_connections(void **state)
{
	const char *left_out;
	int told;

	(void)state;
	for (int i = 0; i < 200; i++)
		send_rubbish();
	assert_int_equal(replica.gone, 200);
	told = warnings;
	assert_in_range(told, 50, 150);
	skipped_s += 1000;
	send_rubbish();
	assert_int_equal(warnings, told + 1);
	left_out = strstr(warning, "left_out=");
	assert_non_null(left_out);
	assert_int_equal(told + atoi(left_out + strlen("left_out=")), 200);
}

/* Who is far away comes over TCP, and is a front end like any other. */
static struct sockaddr_in elsewhere;
static char address[32];

/* Listens at a port that was free, too. */
static void
listen_tcp(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	close(fd);
	snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(addr.sin_port));
	elsewhere = addr;
	tcp = address;
	assert_int_equal(listen_fresh(state), 0);
	tcp = NULL;
}

static int
connect_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&elsewhere, sizeof elsewhere), 0);
	return fd;
}

/* However many come from elsewhere, this machine's own mounts have places. */
static void
test_places_of_its_own(void **state)
{
	static int fds[FRONT_REMOTE_MAX + 10];
	int own;

	listen_tcp(state);
	for (size_t i = 0; i < FRONT_REMOTE_MAX + 10; i++) {
		fds[i] = connect_tcp();
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	settle();
	assert_int_equal(front_connections(server), FRONT_REMOTE_MAX);
	own = connect_to(path);
	settle();
	assert_int_equal(front_connections(server), FRONT_REMOTE_MAX + 1);
	close(own);
	for (size_t i = 0; i < FRONT_REMOTE_MAX + 10; i++)
		close(fds[i]);
	settle();
	assert_int_equal(unlisten(state), 0);
}

static void
test_from_elsewhere(void **state)
{
	struct client client = { 0 };
	char err[256];
	struct front_server *second;

	listen_tcp(state);
	client.fd = connect_tcp();
	client.conn = conn_new(base, client.fd, &client_handler, &client, 1 << 20);
	client_send(&client, WIRE_T_HELLO);
	settle();
	client_send(&client, WIRE_T_RESUME);
	settle();
	assert_true(front_resumed(replica.last));
	front_reply(replica.last, 9, ERR_NONODE, 77, NULL, NULL, false);
	settle();
	assert_true(client.reply.rid == 9);

	second = listen_at("/tmp/front_other", address, err);
	assert_null(second);
	assert_non_null(strstr(err, "cannot listen at 127.0.0.1:"));
	conn_free(client.conn);
	assert_int_equal(unlisten(state), 0);
}

static void
test_replies(void **state)
{
	static uint8_t value[WIRE_VALUE_MAX];
	struct wire_stat stat = { .id = 5, .owner = UINT64_MAX, .mtime_ns = INT64_MIN };
	struct blob data = { value, sizeof(value) };
	struct client client;
	struct front *front = client_serve(&client);

	(void)state;
	front_reply(front, 9, ERR_NONODE, 77, NULL, NULL, false);
	settle();
	assert_true(client.reply.rid == 9 && client.reply.zxid == 77);
	assert_int_equal(client.reply.code, ERR_NONODE);
	assert_int_equal(client.reply.stat.len, 0);
	front_reply(front, 10, 0, 78, &stat, &data, true);
	for (int i = 0; i < 1000 && client.reply.rid != 10; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(client.reply.rid == 10);
	assert_int_equal(client.reply.more, 1);
	assert_int_equal(client.reply.data.len, sizeof(value));
	assert_true(client.reply.stat.len > 18);

	/* one that never reads loses its connection, not the replica its memory */
	conn_pause(client.conn, true);
	for (int i = 0; i < 70 && replica.gone == 0; i++) {
		front_reply(front, 11, 0, 79, NULL, &data, false);
		if (i % 8 == 0)
			settle();
	}
	settle();
	assert_int_equal(replica.gone, 1);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warning, "does not read"));
	conn_free(client.conn);
}

/* What nobody reads is bounded for all together, and who leaves most goes first. */
static void
test_unread_by_all_of_them(void **state)
{
	static uint8_t value[WIRE_VALUE_MAX];
	struct blob data = { value, sizeof(value) };
	struct front *greedy, *modest;
	struct client clients[2];
	struct front_figures figures;

	unsent_max = 16 << 20;
	assert_int_equal(listen_fresh(state), 0);
	greedy = client_serve(&clients[0]);
	modest = client_serve(&clients[1]);
	conn_pause(clients[0].conn, true);
	conn_pause(clients[1].conn, true);
	for (int i = 0; i < 12; i++)
		front_reply(greedy, 11, 0, 79, NULL, &data, false);
	for (int i = 0; i < 8; i++)
		front_reply(modest, 11, 0, 79, NULL, &data, false);
	settle();
	assert_int_equal(replica.gone, 1);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warning, "too much is unread"));
	assert_int_equal(front_connections(server), 1);
	figures = front_figures(server);
	assert_int_equal(figures.unsent_bytes_limit, unsent_max);
	assert_int_equal(figures.unsent_bytes, front_unsent(modest));
	assert_in_range(figures.unsent_bytes, 4 << 20, unsent_max);
	conn_free(clients[0].conn);
	conn_free(clients[1].conn);
	settle();
	assert_int_equal(front_figures(server).unsent_bytes, 0);
	assert_int_equal(unlisten(state), 0);
	unsent_max = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_socket),
		TEST(test_the_opening_has_a_time_limit),
		TEST(test_at_most_so_many_connections),
		TEST(test_a_flood_of_broken_connections),
		TEST(test_ended_by_the_server),
		cmocka_unit_test(test_from_elsewhere),
		cmocka_unit_test(test_places_of_its_own),
		TEST(test_replies),
		cmocka_unit_test(test_unread_by_all_of_them),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("front server", tests, make_dir, remove_dir);
}
