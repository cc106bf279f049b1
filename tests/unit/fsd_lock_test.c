/* flock(2): what is asked of the replica, and when, and who is told what (fsd/README.md, fact 21). */
#include "tests/unit/fsd_harness.h"

#define ID 32
#define TIMEOUT_MS 900

static int
setup_with(uint32_t timeout_ms)
{
	h_begin(timeout_ms, false);
	h_open(0x100);
	h_known(ID, S_IFREG | 0644, "f");
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return setup_with(TIMEOUT_MS);
}

/* The session outlasts everybody's patience. */
static int
setup_long(void **state)
{
	(void)state;
	return setup_with(10000);
}

static uint64_t
open_file(int flags)
{
	struct wire_stat stat = h_stat(ID, S_IFREG | 0644);
	uint64_t unique = h_open_send(ID, flags);

	while (!h_packet()) {
		h_turn();
		if (h_take() && !h_ping_answered())
			h_reply(h.msg.getattr.rid, ERR_OK, 0x100, &stat, "");
	}
	assert_int_equal(answer.head.unique, unique);
	assert_int_equal(answer.head.error, 0);
	return h_fh();
}

/* How the request for it looks; its rid. */
static uint64_t
expect_lock(uint64_t fh, uint32_t how)
{
	const struct wire_lock *lock = &h_expect(WIRE_T_LOCK)->lock;

	assert_int_equal(lock->id, ID);
	assert_int_equal(lock->owner, fh);
	assert_int_equal(lock->how, how);
	return lock->rid;
}

static uint64_t
expect_unlock(uint64_t fh)
{
	const struct wire_unlock *unlock = &h_expect(WIRE_T_UNLOCK)->unlock;

	assert_int_equal(unlock->id, ID);
	assert_int_equal(unlock->owner, fh);
	return unlock->rid;
}

static uint64_t
expect_await(uint64_t fh)
{
	const struct wire_await *await = &h_expect(WIRE_T_AWAIT)->await;

	assert_int_equal(await->id, ID);
	assert_int_equal(await->owner, fh);
	return await->rid;
}

static void
say(uint64_t rid, int code)
{
	h_reply(rid, code, 0x101, NULL, NULL);
}

/* Locked, without having to wait. */
static void
locked(uint64_t fh)
{
	uint64_t unique = h_flock_send(ID, fh, LOCK_EX);

	say(expect_lock(fh, WIRE_EXCLUSIVE), ERR_OK);
	assert_int_equal(h_answer(unique), 0);
}

/* In the queue; the request of the kernel. */
static uint64_t
waiting(uint64_t fh, uint64_t *rid)
{
	uint64_t unique = h_flock_send(ID, fh, LOCK_EX);

	say(expect_lock(fh, WIRE_EXCLUSIVE), ERR_AGAIN);
	*rid = expect_await(fh);
	h_no_answer(20);
	return unique;
}

/* Where the session goes on, or a new one begins. */
static void
connect_again(uint64_t session)
{
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_OK, session, 0x102);
	h_expect(WIRE_T_INTEREST);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x102, 1);
	h_until_state(LINK_CONNECTED);
}

static void
interrupt(uint64_t unique)
{
	struct fuse_interrupt_in in = { .unique = unique };

	h_send_raw(FUSE_INTERRUPT, unique | 1, 0, 0, &in, sizeof in);
}

static void
test_had_at_once(void **state)
{
	uint64_t fh = open_file(O_RDWR), unique;

	(void)state;
	unique = h_flock_send(ID, fh, LOCK_SH | LOCK_NB);
	say(expect_lock(fh, WIRE_AT_ONCE), ERR_OK);
	assert_int_equal(h_answer(unique), 0);
	unique = h_flock_send(ID, fh, LOCK_EX | LOCK_NB);
	say(expect_lock(fh, WIRE_AT_ONCE | WIRE_EXCLUSIVE), ERR_AGAIN);
	assert_int_equal(h_answer(unique), -EWOULDBLOCK);
	/* Nothing is there any more: nothing has to be asked for. */
	assert_int_equal(h_answer(h_flock_send(ID, fh, LOCK_UN)), 0);
	assert_int_equal(h_answer(h_release_lock_send(ID, fh, O_RDWR)), 0);
	h_nothing_sent(20);
}

static void
test_unlocked(void **state)
{
	uint64_t fh = open_file(O_RDWR), unique;

	(void)state;
	locked(fh);
	unique = h_flock_send(ID, fh, LOCK_UN);
	say(expect_unlock(fh), ERR_OK);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h_answer(h_release_lock_send(ID, fh, O_RDWR)), 0);
	h_nothing_sent(20);
}

/* The last close does it; what O_TRUNC still has to do comes first. */
static void
test_closed(void **state)
{
	uint64_t fh = open_file(O_WRONLY | O_TRUNC), rid, release;

	(void)state;
	locked(fh);
	release = h_release_lock_send(ID, fh, O_WRONLY);
	rid = h_expect(WIRE_T_WRITE)->write.rid;
	say(rid, ERR_OK);
	assert_int_equal(expect_unlock(fh), rid + 1);
	/* Not before: it would not be asked for again. */
	h_no_answer(5);
	say(rid + 1, ERR_OK);
	assert_int_equal(h_answer(release), 0);
	h_nothing_sent(150);
}

/* What the close could not say in time is said later. */
static void
test_closed_in_a_bad_moment(void **state)
{
	uint64_t fh = open_file(O_RDWR);

	(void)state;
	locked(fh);
	close(h.replica);
	h.replica = -1;
	close(h.listener);
	unlink(h.path);
	h_until_state(LINK_SUSPENDED);
	assert_int_equal(h_answer(h_release_lock_send(ID, fh, O_RDWR)), 0);
	h_run_ms(TIMEOUT_MS * 2);
	h_listen();
	connect_again(H_SESSION);
	say(expect_unlock(fh), ERR_OK);
	h_nothing_sent(150);
}

static void
test_waiting(void **state)
{
	uint64_t fh = open_file(O_RDWR), other = open_file(O_RDWR), rid, unique;

	(void)state;
	unique = waiting(fh, &rid);
	/* Nobody else waits. */
	locked(other);
	say(rid, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
}

/* It asks once more where the session goes on. */
static void
test_waiting_over_a_reattachment(void **state)
{
	uint64_t fh = open_file(O_RDWR), rid, unique;

	(void)state;
	unique = waiting(fh, &rid);
	close(h.replica);
	h.replica = -1;
	connect_again(H_SESSION);
	assert_int_equal(expect_await(fh), rid);
	say(rid, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
}

/* By any signal, at once: the program's own handler decides whether it asks again. */
static void
test_interrupted(void **state)
{
	uint64_t fh = open_file(O_RDWR), rid, unique, started;

	(void)state;
	unique = waiting(fh, &rid);
	started = fsd_now_ns();
	interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	assert_true(fsd_now_ns() - started < UINT64_C(900000000));
	/* It leaves the queue. */
	say(expect_unlock(fh), ERR_OK);
	say(rid, ERR_NONODE);
	/* And asks again: there is no other withdrawal. */
	unique = waiting(fh, &rid);
	say(rid, ERR_OK);
	assert_int_equal(h_answer(unique), 0);
	h_nothing_sent(150);
}

/* The signal came before it was known that it has to wait. */
static void
test_interrupted_early(void **state)
{
	uint64_t fh = open_file(O_RDWR), rid, unique;

	(void)state;
	unique = h_flock_send(ID, fh, LOCK_EX);
	rid = expect_lock(fh, WIRE_EXCLUSIVE);
	interrupt(unique);
	h_run_ms(20);
	say(rid, ERR_AGAIN);
	assert_int_equal(h_answer(unique), -EINTR);
	say(expect_unlock(fh), ERR_OK);
}

/* Without a connection just then: its place is given up when there is one. */
static void
test_interrupted_in_a_bad_moment(void **state)
{
	uint64_t files[] = { open_file(O_RDWR), open_file(O_RDWR), open_file(O_RDWR) };
	uint64_t uniques[3], rid;
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		uniques[i] = waiting(files[i], &rid);
	close(h.replica);
	h.replica = -1;
	close(h.listener);
	unlink(h.path);
	h_run_ms(20);
	for (i = 0; i < 3; i++) {
		interrupt(uniques[i]);
		assert_int_equal(h_answer(uniques[i]), -EINTR);
	}
	h_listen();
	connect_again(H_SESSION);
	for (i = 0; i < 3; i++)
		expect_await(files[i]);
	for (i = 0; i < 3; i++)
		say(expect_unlock(files[i]), ERR_OK);
	h_nothing_sent(150);
}

/* Who has been killed while it was asked for does not keep it. */
static void
test_killed(void **state)
{
	struct fuse_lk_in in = { .lk.type = F_WRLCK, .lk_flags = FUSE_LK_FLOCK };
	uint64_t fh = open_file(O_RDWR), rid, release;

	(void)state;
	in.fh = fh;
	h.unique += 2;
	h_send_raw(FUSE_SETLKW, h.unique, ID, 0x3ffffff, &in, sizeof in);
	rid = expect_lock(fh, WIRE_EXCLUSIVE);
	interrupt(h.unique);
	assert_int_equal(h_answer(h.unique), -EINTR);
	say(rid, ERR_OK);
	say(expect_unlock(fh), ERR_OK);
	/* The close says it once more: it does not know. */
	release = h_release_lock_send(ID, fh, O_RDWR);
	say(expect_unlock(fh), ERR_OK);
	assert_int_equal(h_answer(release), 0);
}

/* What is asked for anew is not taken back for the sake of who asked before. */
static void
test_asked_again(void **state)
{
	uint64_t fh = open_file(O_RDWR), first, second, rid;

	(void)state;
	first = h_flock_send(ID, fh, LOCK_EX);
	rid = expect_lock(fh, WIRE_EXCLUSIVE);
	interrupt(first);
	assert_int_equal(h_answer(first), -EINTR); /* it took too long */
	second = h_flock_send(ID, fh, LOCK_EX);
	expect_lock(fh, WIRE_EXCLUSIVE);
	say(rid, ERR_OK);
	say(h.msg.lock.rid, ERR_OK);
	assert_int_equal(h_answer(second), 0);
	h_nothing_sent(150);
}

/* Nobody knows what became of the request. */
static void
test_unknown(void **state)
{
	uint64_t fh = open_file(O_RDWR), unique, rid;

	(void)state;
	unique = h_flock_send(ID, fh, LOCK_EX);
	rid = expect_lock(fh, WIRE_EXCLUSIVE);
	/* It may be said in the very turn of the loop in which the process is told. */
	do {
		h_turn();
	} while (!h_take() || h_ping_answered());
	assert_int_equal(h.msg.type, WIRE_T_UNLOCK);
	assert_int_equal(h_answer(unique), -ETIMEDOUT);
	assert_int_equal(h.msg.unlock.owner, fh);
	assert_true(h.msg.unlock.acked >= rid);
	say(h.msg.unlock.rid, ERR_OK);
	h_nothing_sent(150);
}

/* The session is over: the lock is, and its descriptor says so until it is unlocked. */
static void
test_expired(void **state)
{
	uint64_t fh = open_file(O_RDWR), other = open_file(O_RDWR), unique;
	struct wire_msg bye = { .type = WIRE_T_BYE, .bye.code = ERR_EXPIRED };

	(void)state;
	locked(fh);
	h_tell(&bye);
	connect_again(H_SESSION + 1);
	assert_int_equal(h_answer(h_write_send(ID, fh, O_RDWR, 0, "x", 1)), -ESTALE);
	assert_int_equal(h_answer(h_flock_send(ID, fh, LOCK_EX | LOCK_NB)), -ESTALE);
	assert_int_equal(h_answer(h_flock_send(ID, fh, LOCK_UN)), -ESTALE);
	h_nothing_sent(20);
	locked(fh);
	unique = h_flock_send(ID, other, LOCK_UN);
	assert_int_equal(h_answer(unique), 0);
}

/* What waits to be written for the sake of the lock is not written without it. */
static void
test_expired_before_a_write(void **state)
{
	uint64_t fh = open_file(O_RDWR), other = open_file(O_RDWR), unique, free_one;

	(void)state;
	locked(fh);
	close(h.replica);
	h.replica = -1;
	h_until_state(LINK_CONNECTING);
	unique = h_write_send(ID, fh, O_RDWR, 0, "x", 1);
	free_one = h_write_send(ID, other, O_RDWR, 0, "y", 1);
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_EXPIRED, 0, 0);
	connect_again(H_SESSION + 1);
	assert_int_equal(h_answer(unique), -ESTALE);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.data.data[0], 'y');
	say(h.msg.write.rid, ERR_OK);
	assert_int_equal(h_answer(free_one), 0);
}

static uint64_t
truncate_send(uint64_t fh)
{
	struct fuse_setattr_in in = { .valid = FATTR_SIZE | FATTR_FH, .fh = fh };

	return h_request(FUSE_SETATTR, ID, &in, sizeof in);
}

/* Nor is the file cut, by ftruncate(2) or by the end of what O_TRUNC began. */
static void
test_expired_before_a_truncation(void **state)
{
	uint64_t fh = open_file(O_RDWR), due = open_file(O_RDWR | O_TRUNC),
		 later = open_file(O_RDWR | O_TRUNC), cut, cut_due, closed;

	(void)state;
	locked(fh);
	locked(due);
	locked(later);
	close(h.replica);
	h.replica = -1;
	h_until_state(LINK_CONNECTING);
	cut = truncate_send(fh);
	cut_due = truncate_send(due);
	closed = h_release_lock_send(ID, later, O_RDWR | O_TRUNC);
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_EXPIRED, 0, 0);
	connect_again(H_SESSION + 1);
	assert_int_equal(h_answer(cut), -ESTALE);
	assert_int_equal(h_answer(cut_due), -ESTALE);
	say(expect_unlock(later), ERR_OK);
	assert_int_equal(h_answer(closed), 0);
	h_nothing_sent(20);
}

/* Not even if it is closed after that. */
static void
test_expired_before_its_close(void **state)
{
	uint64_t fh = open_file(O_RDWR | O_TRUNC);
	struct wire_msg bye = { .type = WIRE_T_BYE, .bye.code = ERR_EXPIRED };

	(void)state;
	locked(fh);
	h_tell(&bye);
	connect_again(H_SESSION + 1);
	assert_int_equal(h_answer(h_release_lock_send(ID, fh, O_RDWR | O_TRUNC)), 0);
	h_nothing_sent(20);
}

/* The queue was the session's, too. */
static void
test_expired_while_waiting(void **state)
{
	uint64_t fh = open_file(O_RDWR), rid, unique = waiting(fh, &rid);
	struct wire_msg bye = { .type = WIRE_T_BYE, .bye.code = ERR_EXPIRED };

	(void)state;
	h_tell(&bye);
	connect_again(H_SESSION + 1);
	say(expect_await(fh), ERR_NONODE);
	assert_int_equal(h_answer(unique), -ESTALE);
}

/* Past the deadline nobody goes on to wait, and nobody is told that he has it. */
static void
test_suspended(void **state)
{
	uint64_t fh = open_file(O_RDWR), rid, unique = waiting(fh, &rid);

	(void)state;
	close(h.replica);
	h.replica = -1;
	close(h.listener);
	unlink(h.path);
	assert_int_equal(h_answer(unique), -EHOSTUNREACH);
	h_listen();
	connect_again(H_SESSION);
	say(expect_unlock(fh), ERR_OK);
}

/* The replica is there, and says nothing of a leader: until then, or for so long. */
static void
without_leader(enum link_state state, uint32_t ms)
{
	uint64_t until = fsd_now_ns() + ms * UINT64_C(1000000);
	struct wire_msg pong = { .type = WIRE_T_PONG };

	while (link_get_state(h.fsd.link) != state && fsd_now_ns() < until) {
		h_turn();
		if (!h_take())
			continue;
		assert_int_equal(h.msg.type, WIRE_T_PING);
		pong.pong.sent_ns = h.msg.ping.sent_ns;
		h_tell(&pong);
	}
}

static void
test_suspended_when_it_comes(void **state)
{
	uint64_t fh = open_file(O_RDWR), rid, unique;
	struct wire_msg pong = { .type = WIRE_T_PONG, .pong.alive = 1 };

	(void)state;
	without_leader(LINK_SUSPENDED, TIMEOUT_MS / 2);
	unique = h_flock_send(ID, fh, LOCK_EX);
	rid = expect_lock(fh, WIRE_EXCLUSIVE);
	without_leader(LINK_SUSPENDED, 5000);
	say(rid, ERR_OK);
	assert_int_equal(h_answer(unique), -EHOSTUNREACH);
	pong.pong.sent_ns = fsd_now_ns();
	h_tell(&pong);
	say(expect_unlock(fh), ERR_OK);
}

/* It is in the queue still, and wants to be there again. */
static void
test_back_in_time(void **state)
{
	uint64_t fh = open_file(O_RDWR), rid, unique = waiting(fh, &rid);

	(void)state;
	close(h.replica);
	h.replica = -1;
	close(h.listener);
	unlink(h.path);
	h_until_state(LINK_CONNECTING);
	interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	unique = h_flock_send(ID, fh, LOCK_EX);
	h_run_ms(20);
	h_listen();
	connect_again(H_SESSION);
	expect_await(fh);
	say(expect_lock(fh, WIRE_EXCLUSIVE), ERR_OK);
	assert_int_equal(h_answer(unique), 0);
	h_nothing_sent(150);
}

/* What another process of the same open file does to it. */
static void
test_gone(void **state)
{
	uint64_t fh = open_file(O_RDWR), rid, unique = waiting(fh, &rid);

	(void)state;
	say(rid, ERR_NONODE);
	assert_int_equal(h_answer(unique), -ENOLCK);
}

/* Opened by an earlier process of this mount: the kernel knows that it was locked once. */
static void
test_adopted(void **state)
{
	uint64_t release = h_release_lock_send(ID, 77, O_RDWR);

	(void)state;
	say(expect_unlock(77), ERR_OK);
	assert_int_equal(h_answer(release), 0);
	assert_int_equal(h_answer(h_release_send(ID, 78, O_RDWR)), 0);
	h_nothing_sent(20);
}

/* Its request, which the kernel sends once more, was answered to that process: it may be held by now. */
static void
test_adopted_while_waiting(void **state)
{
	uint64_t fh = 77, unique = h_flock_send(ID, fh, LOCK_EX);

	(void)state;
	say(expect_lock(fh, WIRE_EXCLUSIVE), ERR_PROTO);
	say(expect_await(fh), ERR_OK);
	assert_int_equal(h_answer(unique), 0);
}

static void
test_refused(void **state)
{
	struct fuse_lk_in in = { .fh = 1, .lk.type = F_WRLCK };

	(void)state;
	assert_int_equal(h_answer(h_flock_send(ino_make(INO_SESSION, 1), 1, LOCK_EX)), -EOPNOTSUPP);
	assert_int_equal(h_answer(h_request(FUSE_SETLK, ID, &in, sizeof in)), -EOPNOTSUPP);
	assert_int_equal(h_answer(h_request(FUSE_GETLK, ID, &in, sizeof in)), -EOPNOTSUPP);
	h_nothing_sent(20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_had_at_once, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_unlocked, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_closed, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_closed_in_a_bad_moment, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_waiting, setup, h_teardown),
		cmocka_unit_test_setup_teardown(
		    test_waiting_over_a_reattachment, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_interrupted, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_interrupted_early, setup, h_teardown),
		cmocka_unit_test_setup_teardown(
		    test_interrupted_in_a_bad_moment, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_asked_again, setup_long, h_teardown),
		cmocka_unit_test_setup_teardown(test_unknown, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_expired, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_expired_before_a_write, setup, h_teardown),
		cmocka_unit_test_setup_teardown(
		    test_expired_before_a_truncation, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_expired_before_its_close, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_expired_while_waiting, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_suspended, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_suspended_when_it_comes, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_back_in_time, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_adopted, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_adopted_while_waiting, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
