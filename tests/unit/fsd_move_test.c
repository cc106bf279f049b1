/*
 * A session that moves between two replicas: when the first is silent, says no, or
 * comes back; the old connection serves until the new one is welcomed.
 */
#include "tests/unit/fsd_harness.h"

#include "replica/lib/err.h"

#define TIMEOUT_MS 3000 /* a ping each 250 ms, silence is 750 */

/* What of the harness belongs to the replica that is not being looked at. */
static struct {
	int listener, replica;
} other;
static char second[64];

static void
look_at_other(void)
{
	int listener = h.listener, replica = h.replica;

	assert_int_equal(h.in_len, 0);
	h.listener = other.listener;
	h.replica = other.replica;
	other.listener = listener;
	other.replica = replica;
}

static void
setup_with(void **state, uint32_t timeout_ms)
{
	(void)state;
	snprintf(second, sizeof second, "/tmp/fsd_move_test.%d", (int)getpid());
	other.listener = h_listen_at(second);
	other.replica = -1;
	h_begin_with(timeout_ms, false, second);
}

static int
setup(void **state)
{
	setup_with(state, TIMEOUT_MS);
	return 0;
}

static int
teardown(void **state)
{
	if (other.replica >= 0)
		close(other.replica);
	close(other.listener);
	unlink(second);
	return h_teardown(state);
}

static uint64_t
mkdir_send(const char *name)
{
	struct fuse_mkdir_in in = { .mode = 0755 };

	return h_request2(FUSE_MKDIR, 1, &in, sizeof in, name, strlen(name) + 1);
}

static void
mkdir_done(uint64_t rid, uint64_t id, uint64_t zxid)
{
	struct wire_stat stat = h_stat(id, S_IFDIR | 0755);

	h_reply(rid, ERR_OK, zxid, &stat, NULL);
	assert_int_equal(h_answer(rid), 0);
}

/* The replica that is looked at is asked to take the session; the other one says nothing. */
static void
greeted(uint64_t seen)
{
	h_wait_accept();
	assert_int_equal(h_expect(WIRE_T_HELLO)->hello.session, H_SESSION);
	assert_memory_equal(h.msg.hello.secret.data, "0123456789abcde", 16);
	assert_int_equal(h.msg.hello.seen, seen);
}

/* known: nodes that the kernel knows. */
static void
taken(uint64_t zxid, int known)
{
	h_welcome(ERR_OK, H_SESSION, zxid);
	while (known-- > 0)
		h_expect(WIRE_T_INTEREST);
	h_expect(WIRE_T_RESUME);
}

/* Closed by fsd, whatever it had sent before. */
static bool
other_is_left(void)
{
	char ignored[4096];
	ssize_t n;

	do
		n = recv(other.replica, ignored, sizeof ignored, MSG_DONTWAIT);
	while (n > 0);
	return n == 0;
}

static void
until_other_is_left(void)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;

	while (!other_is_left()) {
		assert_true(fsd_now_ns() < until);
		h_turn();
	}
	close(other.replica);
	other.replica = -1;
}

static void
test_silence(void **state)
{
	uint64_t a, b;

	(void)state;
	h_open(0x100);
	a = mkdir_send("a");
	h_expect(WIRE_T_CREATE);
	b = mkdir_send("b");
	h_expect(WIRE_T_CREATE);
	look_at_other();
	greeted(0x100);
	/* Until it is welcomed the old connection counts. */
	assert_false(other_is_left());
	look_at_other();
	mkdir_done(a, 10, 0x101);
	look_at_other();
	taken(0x101, 1);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(b));
	h_resumed(0x101, 1);
	mkdir_done(b, 11, 0x102);
	until_other_is_left();
	assert_int_equal(link_get_state(h.fsd.link), LINK_CONNECTED);
	assert_int_equal(link_zxid(h.fsd.link), 0x102);
}

/* A replica that is there, and has no word of a leader. */
static void
test_not_alive(void **state)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;
	struct wire_msg pong = { .type = WIRE_T_PONG };

	(void)state;
	h_open(0x100);
	for (;;) {
		pong.pong.sent_ns = h_expect(WIRE_T_PING)->ping.sent_ns;
		h_tell(&pong);
		look_at_other();
		if (h_accept())
			break;
		look_at_other();
		assert_true(fsd_now_ns() < until);
	}
	h_expect(WIRE_T_HELLO);
	taken(0x100, 0);
	h_resumed(0x100, 1);
	until_other_is_left();
}

static void
test_refused(void **state)
{
	uint64_t a;

	(void)state;
	h_open(0x100);
	look_at_other();
	greeted(0x100);
	h_welcome(ERR_NOQUORUM, 0, 0);
	look_at_other();
	a = mkdir_send("a");
	h_expect(WIRE_T_PING);
	while (h.msg.type == WIRE_T_PING)
		h_take() ? (void)0 : h_turn();
	assert_int_equal(h.msg.type, WIRE_T_CREATE);
	mkdir_done(a, 10, 0x101);
	assert_int_equal(link_get_state(h.fsd.link), LINK_CONNECTED);
}

/* The old connection brought more than the new replica has: never backwards. */
static void
test_overtaken(void **state)
{
	uint64_t a;

	(void)state;
	h_open(0x100);
	a = mkdir_send("a");
	h_expect(WIRE_T_CREATE);
	look_at_other();
	greeted(0x100);
	look_at_other();
	mkdir_done(a, 10, 0x105);
	look_at_other();
	h_welcome(ERR_OK, H_SESSION, 0x104);
	until_other_is_left();
	/* Anew, from the first address on. */
	look_at_other();
	greeted(0x105);
	h_welcome(ERR_BUSY, 0, 0);
	look_at_other();
	greeted(0x105);
	taken(0x105, 1);
	h_resumed(0x105, 1);
	h_until_state(LINK_CONNECTED);
}

static void
test_home_again(void **state)
{
	uint64_t a;

	(void)state;
	close(h.listener);
	unlink(h.path);
	look_at_other();
	h_open(0x100);
	a = mkdir_send("a");
	h_expect(WIRE_T_CREATE);
	look_at_other();
	h.listener = h_listen_at(h.path);
	/* It is not there yet, */
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_BUSY, 0, 0);
	look_at_other();
	mkdir_done(a, 10, 0x101);
	a = mkdir_send("b");
	h_expect(WIRE_T_CREATE);
	look_at_other();
	/* and now it is. */
	greeted(0x101);
	taken(0x101, 1);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(a));
	h_resumed(0x101, 1);
	mkdir_done(a, 11, 0x102);
	until_other_is_left();
	h_nothing_sent(20);
}

/*
 * What the new one tells of a directory may be newer than what it has told of others: until all of
 * it is told nothing is certain, though the session goes on all the time.
 */
static void
test_home_tells(void **state)
{
	static const struct fuse_getattr_in in;
	struct wire_stat stat = h_stat(10, S_IFDIR | 0755);
	uint64_t unique;

	(void)state;
	close(h.listener);
	unlink(h.path);
	look_at_other();
	h_open(0x100);
	unique = mkdir_send("a");
	h_expect(WIRE_T_CREATE);
	mkdir_done(unique, 10, 0x101);
	look_at_other();
	h.listener = h_listen_at(h.path);
	greeted(0x101);
	taken(0x102, 1);
	assert_int_equal(link_get_state(h.fsd.link), LINK_CONNECTED);
	unique = h_request(FUSE_GETATTR, 10, &in, sizeof in);
	h_no_answer(5);
	h_resumed(0x102, 1);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x102, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	until_other_is_left();
}

/* While another serves, home may take its time; not when that one is gone. */
static void
test_home_silent(void **state)
{
	uint64_t until = fsd_now_ns() + UINT64_C(700000000);

	(void)state;
	close(h.listener);
	unlink(h.path);
	look_at_other();
	h_open(0x100);
	look_at_other();
	h.listener = h_listen_at(h.path);
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	/* Longer than anybody gets who is needed. */
	look_at_other();
	while (fsd_now_ns() < until)
		h_take() ? (void)h_ping_answered() : h_turn();
	assert_false(other_is_left());
	close(h.replica);
	h.replica = -1;
	greeted(0x100);
	taken(0x100, 0);
	h_resumed(0x100, 1);
	h_until_state(LINK_CONNECTED);
}

/* Home says nothing, the other one is there and refuses, until fsd has given home up. */
static void
refused_until_left(void)
{
	h_open(0x100);
	look_at_other();
	while (!other_is_left()) {
		if (h_accept()) {
			h_expect(WIRE_T_HELLO);
			h_welcome(ERR_BUSY, 0, 0);
		} else {
			h_turn();
		}
	}
	close(other.replica);
	other.replica = -1;
}

/* Nobody waits for home in vain once more before the other one is asked. */
static void
test_silent_comes_last(void **state)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;

	(void)state;
	refused_until_left();
	while (!h_accept()) {
		assert_true(fsd_now_ns() < until);
		look_at_other();
		assert_false(h_accept());
		look_at_other();
		h_turn();
	}
	h_expect(WIRE_T_HELLO);
	taken(0x100, 0);
	h_resumed(0x100, 1);
	h_until_state(LINK_CONNECTED);
}

/* However long it lasts that home is silent, and nobody else any good. */
static void
test_no_endless_patience(void **state)
{
	uint64_t begun_ns = 0;
	int round;

	(void)state;
	refused_until_left();
	for (round = 0; round < 4; round++) {
		h_wait_accept();
		if (round == 3)
			assert_true(fsd_now_ns() - begun_ns < h.timeout_ms * UINT64_C(900000));
		h_expect(WIRE_T_HELLO);
		h_welcome(ERR_BUSY, 0, 0);
		look_at_other();
		h_wait_accept();
		begun_ns = fsd_now_ns();
		look_at_other();
	}
}

static int
setup_medium(void **state)
{
	setup_with(state, 1800);
	return 0;
}

static int
setup_patient(void **state)
{
	setup_with(state, 30000);
	return 0;
}

/* So short that all depends on when pings are sent. */
static int
setup_short(void **state)
{
	setup_with(state, 600);
	return 0;
}

/* Who is answered doesn't look elsewhere. On a machine that is busy it may: then once more. */
static void
test_no_trouble(void **state)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;
	int answered = 0;

	(void)state;
	h_open(0x100);
	while (answered < 8) {
		assert_true(fsd_now_ns() < until);
		if (h_take()) {
			answered += h_ping_answered();
			continue;
		}
		h_turn();
		look_at_other();
		if (h_accept()) {
			h_expect(WIRE_T_HELLO);
			h_welcome(ERR_BUSY, 0, 0);
			answered = 0;
		}
		look_at_other();
	}
}

/* The leader knew of the new connection before the new one was told. */
static void
test_moved(void **state)
{
	struct wire_msg bye = { .type = WIRE_T_BYE, .bye.code = ERR_MOVED };

	(void)state;
	h_open(0x100);
	look_at_other();
	greeted(0x100);
	look_at_other();
	h_tell(&bye);
	look_at_other();
	until_other_is_left();
	h_nothing_sent(20);
	taken(0x100, 0);
	h_resumed(0x100, 1);
	h_until_state(LINK_CONNECTED);
}

/* The session is no more, as the second one knows: a new one, from the first address on. */
static void
test_expired_elsewhere(void **state)
{
	(void)state;
	h_open(0x100);
	look_at_other();
	greeted(0x100);
	h_welcome(ERR_EXPIRED, 0, 0);
	until_other_is_left();
	assert_int_equal(link_get_state(h.fsd.link), LINK_EXPIRED);
	look_at_other();
	h_wait_accept();
	assert_int_equal(h_expect(WIRE_T_HELLO)->hello.session, 0);
	h_welcome(ERR_OK, H_SESSION + 1, 0x105);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x105, 1);
	h_until_state(LINK_CONNECTED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_alive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overtaken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_home_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_home_tells, setup, teardown),
		cmocka_unit_test_setup_teardown(test_home_silent, setup_patient, teardown),
		cmocka_unit_test_setup_teardown(test_silent_comes_last, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_endless_patience, setup_medium, teardown),
		cmocka_unit_test_setup_teardown(test_no_trouble, setup_short, teardown),
		cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expired_elsewhere, setup, teardown),
	};

	return cmocka_run_group_tests_name("fsd move", tests, NULL, NULL);
}
