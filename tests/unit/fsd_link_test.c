/* The session: reconnects, resends, promises, deadlines, expiry, the end. */
#include "tests/unit/fsd_harness.h"

#define REPORTS_MAX 256
#define LATE_NS UINT64_C(20000000000) /* for what takes a session's timeout at most */

static uint64_t
mkdir_send(const char *name)
{
	struct fuse_mkdir_in in = { .mode = 0755 };

	return h_request2(FUSE_MKDIR, 1, &in, sizeof in, name, strlen(name) + 1);
}

static void
mkdir_done(uint64_t rid, uint64_t id)
{
	struct wire_stat stat = h_stat(id, S_IFDIR | 0755);

	h_reply(rid, ERR_OK, 0x100 + id, &stat, NULL);
	assert_int_equal(h_answer(rid), 0);
}

static void
lose_connection(void)
{
	close(h.replica);
	h.replica = -1;
	h_until_state(LINK_CONNECTING);
}

static void
test_hello(void **state)
{
	const struct wire_hello *hello;

	(void)state;
	h_begin(3000, false);
	h_wait_accept();
	hello = &h_expect(WIRE_T_HELLO)->hello;
	assert_int_equal(hello->proto, WIRE_PROTO);
	assert_int_equal(hello->session, 0);
	assert_int_equal(hello->timeout_ms, 3000);
	assert_memory_equal(hello->identity.data, "test", 4);
	h_welcome(ERR_OK, H_SESSION, 0x50);
	h_expect(WIRE_T_RESUME);
	/* The log from before this mount is none of its business. */
	h_change(WIRE_ADD, 0x30, 5, S_IFREG | 0644, "old");
	h_resumed(0x50, 1);
	h_until_state(LINK_CONNECTED);
	assert_int_equal(h.echo_pushed, 0);
	assert_int_equal(link_session(h.fsd.link), H_SESSION);
	assert_int_equal(link_zxid(h.fsd.link), 0x50);
	h_teardown(NULL);
}

static void
test_acked(void **state)
{
	uint64_t a, b, c;

	(void)state;
	a = mkdir_send("a");
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.acked, H_RID(a) - 1);
	b = mkdir_send("b");
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.acked, H_RID(a) - 1);
	mkdir_done(b, 11);
	/* a is unanswered: b may not be promised. */
	c = mkdir_send("c");
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.acked, H_RID(a) - 1);
	mkdir_done(a, 10);
	mkdir_done(c, 12);
	a = mkdir_send("d");
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.acked, H_RID(a) - 1);
	mkdir_done(a, 13);
}

static void
test_resend(void **state)
{
	const struct wire_hello *hello;
	uint64_t a, b, read, interest;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	h_known(7, S_IFREG | 0644, "f");
	a = mkdir_send("a");
	h_expect(WIRE_T_CREATE);
	read = h_lookup_send(1, "x");
	h_expect(WIRE_T_LOOKUP);
	b = mkdir_send("b");
	h_expect(WIRE_T_CREATE);
	lose_connection();
	h_wait_accept();
	hello = &h_expect(WIRE_T_HELLO)->hello;
	assert_int_equal(hello->session, H_SESSION);
	assert_memory_equal(hello->secret.data, "0123456789abcde", 16);
	assert_int_equal(hello->seen, 0x100);
	h_welcome(ERR_OK, H_SESSION, 0x101);
	interest = h_expect(WIRE_T_INTEREST)->interest.id;
	assert_int_equal(interest, 7);
	assert_int_equal(h.msg.interest.count, 2);
	h_expect(WIRE_T_RESUME);
	/* The same requests, in their order, under their old ids. */
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(a));
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(b));
	assert_int_equal(h.msg.create.acked, H_RID(a) - 1);
	assert_int_equal(h_answer(read), -ENOENT);
	h_change(WIRE_ATTR, 0x102, 7, S_IFREG | 0600, "f");
	h_resumed(0x102, 1);
	mkdir_done(a, 10);
	mkdir_done(b, 11);
	assert_true(h_notified(7));
}

/* What came while there was no connection goes out with the next one. */
static void
test_waits_for_connection(void **state)
{
	uint64_t a;

	(void)state;
	lose_connection();
	a = mkdir_send("a");
	h_open(0x100);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(a));
	mkdir_done(a, 10);
}

static void
test_lost(void **state)
{
	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	lose_connection();
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_OK, H_SESSION, 0x200);
	h_expect(WIRE_T_INTEREST);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x200, 0);
	h_until_state(LINK_CONNECTED);
	h_packet();
	assert_true(h_notified(7) && h_notified(1));
	assert_int_equal(h.doubted, 1);
	assert_false(inode_live(&h.fsd, 7));
}

static void
test_window(void **state)
{
	uint64_t first = 0, unique = 0;
	int i;

	(void)state;
	for (i = 0; i < WIRE_OUTSTANDING_MAX + 2; i++) {
		unique = mkdir_send("a");
		if (i == 0)
			first = unique;
		if (i < WIRE_OUTSTANDING_MAX)
			h_expect(WIRE_T_CREATE);
	}
	h_nothing_sent(2);
	mkdir_done(first, 10);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.acked, H_RID(first + 2) - 1);
	h_nothing_sent(2);
}

/* What would not fit the connection waits: 32 reads of a value of any size, 32 MiB of writes. */
static void
test_bytes(void **state)
{
	static char data[1040000];
	struct wire_stat stat = h_stat(100, S_IFREG | 0644);
	uint64_t first, i;

	(void)state;
	first = h_open_send(100, O_RDONLY);
	for (i = 101; i < 133; i++)
		h_open_send(i, O_RDONLY);
	for (i = 100; i < 132; i++)
		assert_int_equal(h_expect(WIRE_T_READ)->read.id, i);
	h_nothing_sent(2);
	h_reply(UINT64_C(1) << 63 | 1, ERR_OK, 0x100, &stat, "v");
	assert_int_equal(h_answer(first), 0);
	assert_int_equal(h_expect(WIRE_T_READ)->read.id, 132);
	first = h_write_send(100, h_fh(), O_WRONLY, 0, data, sizeof data);
	h_expect(WIRE_T_WRITE);
	for (i = 1; i < 33; i++) {
		h_write_send(100, h_fh(), O_WRONLY, 0, data, sizeof data);
		if (i < 32)
			h_expect(WIRE_T_WRITE);
	}
	h_nothing_sent(2);
	/* What is small waits behind the great ones: writes keep their order. */
	mkdir_send("d");
	h_nothing_sent(2);
	h_reply(first, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(first), 0);
	h_expect(WIRE_T_FORGET); /* the kernel has never looked it up */
	h_expect(WIRE_T_WRITE);
	h_expect(WIRE_T_CREATE);
	/* All of it comes again on the next connection. */
	lose_connection();
	h_open(0x101);
	for (i = 0; i < 32; i++)
		h_expect(WIRE_T_READ);
	for (i = 0; i < 32; i++)
		h_expect(WIRE_T_WRITE);
	h_expect(WIRE_T_CREATE);
	h_nothing_sent(2);
}

/* The replica had no room: the same write once more. */
static void
test_busy(void **state)
{
	uint64_t a = mkdir_send("a"), b;

	(void)state;
	h_expect(WIRE_T_CREATE);
	b = mkdir_send("b");
	h_expect(WIRE_T_CREATE);
	h_reply(a, ERR_BUSY, 0x100, NULL, NULL);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(a));
	mkdir_done(b, 11);
	mkdir_done(a, 10);
}

static int
setup_longer(void **state)
{
	(void)state;
	h_begin(3000, false);
	h_open(0x100);
	return 0;
}

/*
 * Refused each time: certainly not executed. One more attempt, whose answer does not come before its
 * time is over, would leave that open.
 */
static void
test_refused_to_the_end(void **state)
{
	uint64_t begun_ns = fsd_now_ns(), age_ns, a = mkdir_send("a"), b;
	bool last = false;

	(void)state;
	while (!h_packet()) {
		if (!h_take()) {
			h_turn();
		} else if (!h_ping_answered()) {
			assert_int_equal(h.msg.type, WIRE_T_CREATE);
			age_ns = fsd_now_ns() - begun_ns;
			if (!last || age_ns < h.timeout_ms * UINT64_C(950000))
				h_reply(h.msg.create.rid, ERR_NOQUORUM, 0x100, NULL, NULL);
			last = age_ns >= h.timeout_ms * UINT64_C(920000);
		}
	}
	assert_int_equal(answer.head.unique, a);
	assert_int_equal(answer.head.error, -EHOSTUNREACH);
	assert_false(link_is_abandoned(h.fsd.link, a));
	/* What comes later has nothing before it. */
	b = mkdir_send("b");
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.acked, H_RID(b) - 1);
	mkdir_done(b, 11);
}

/* fsync(2) waits for the next leader as a write does, */
static void
test_sync_without_a_leader(void **state)
{
	struct fuse_fsync_in in = { 0 };
	uint64_t a = h_request(FUSE_FSYNC, 1, &in, sizeof in);

	(void)state;
	h_reply(h_expect(WIRE_T_SYNC)->sync.rid, ERR_NOQUORUM, 0x100, NULL, NULL);
	h_reply(h_expect(WIRE_T_SYNC)->sync.rid, ERR_BUSY, 0x100, NULL, NULL);
	h_reply(h_expect(WIRE_T_SYNC)->sync.rid, ERR_OK, 0x100, NULL, NULL);
	assert_int_equal(h_answer(a), 0);
}

static int
setup_short(void **state)
{
	(void)state;
	h_begin(600, false);
	h_open(0x100);
	return 0;
}

/* and no longer than the session lives: nothing old is an answer. */
static void
sync_without_a_quorum(void)
{
	struct fuse_fsync_in in = { 0 };
	uint64_t a = h_request(FUSE_FSYNC, 1, &in, sizeof in), until = fsd_now_ns() + LATE_NS;
	struct wire_msg pong = { .type = WIRE_T_PONG };

	while (!h_packet()) {
		assert_true(fsd_now_ns() < until);
		if (!h_take()) {
			h_turn();
		} else if (h.msg.type == WIRE_T_PING) {
			pong.pong.sent_ns = h.msg.ping.sent_ns;
			h_tell(&pong);
		} else {
			assert_int_equal(h.msg.type, WIRE_T_SYNC);
			h_reply(h.msg.sync.rid, ERR_NOQUORUM, 0x100, NULL, NULL);
		}
	}
	assert_int_equal(answer.head.unique, a);
	assert_int_equal(answer.head.error, -EHOSTUNREACH);
}

static void
test_sync_without_a_quorum(void **state)
{
	(void)state;
	sync_without_a_quorum();
}

static void
test_sync_of_a_stale_mount(void **state)
{
	(void)state;
	h_begin(600, true);
	h_open(0x100);
	sync_without_a_quorum();
	h_teardown(NULL);
}

/* What the first connection took with it may have been executed, whatever is said of the second. */
static uint64_t
send_twice(void)
{
	uint64_t a = mkdir_send("a");

	h_expect(WIRE_T_CREATE);
	lose_connection();
	h_open(0x100);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(a));
	return a;
}

static void
test_busy_after_resend(void **state)
{
	uint64_t a = send_twice();

	(void)state;
	h_reply(a, ERR_BUSY, 0x100, NULL, NULL);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(a));
	h_reply(a, ERR_NOQUORUM, 0x100, NULL, NULL);
	close(h.listener);
	unlink(h.path);
	lose_connection();
	assert_int_equal(h_answer(a), -ETIMEDOUT);
}

/* Nor is it done once more in the next session. */
static void
test_expired_after_resend(void **state)
{
	uint64_t a = send_twice();

	(void)state;
	h_reply(a, ERR_EXPIRED, 0x100, NULL, NULL);
	assert_int_equal(h_answer(a), -ETIMEDOUT);
	h_open(0x105);
	h_nothing_sent(5);
}

/* No PONG: even what is cached is asked for again, and fails. */
static void
test_deadline(void **state)
{
	struct fuse_getattr_in getattr = { 0 };
	const struct fuse_entry_out *entry;
	uint64_t a, read;
	int i;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	h_known(8, S_IFDIR | 0755, "d");
	a = mkdir_send("a");
	h_expect(WIRE_T_CREATE);
	close(h.listener);
	unlink(h.path);
	lose_connection();
	read = h_lookup_send(1, "x");
	h_no_answer(20);
	assert_true(inode_live(&h.fsd, 7));
	/*
	 * The write was sent: nobody knows. The read was not answered in time. The session's
	 * deadline and the write's own may pass in one tick or in two.
	 */
	for (i = 0; i < 2; i++) {
		h_answer_any();
		assert_int_equal(
		    answer.head.error, answer.head.unique == a ? -ETIMEDOUT : -EHOSTUNREACH);
	}
	assert_int_equal(link_get_state(h.fsd.link), LINK_SUSPENDED);
	assert_true(h_notified(7) && h_notified(1));
	assert_false(inode_live(&h.fsd, 7));
	read = h_lookup_send(1, "x");
	assert_int_equal(h_answer(read), -EHOSTUNREACH);
	/* A directory keeps its name, but nothing else of it is told. */
	assert_int_equal(h_answer(h_lookup_send(1, "d")), 0);
	entry = (const void *)answer.body;
	assert_true(entry->nodeid == 8 && entry->entry_valid == 0 && entry->attr_valid == 0);
	assert_int_equal(
	    h_answer(h_request(FUSE_GETATTR, 8, &getattr, sizeof getattr)), -EHOSTUNREACH);
	/* But what has happened can be read. */
	assert_int_equal(h_answer(h_request(FUSE_GETATTR, 1, &getattr, sizeof getattr)), 0);
	assert_int_equal(((struct fuse_attr_out *)(void *)answer.body)->attr_valid, 0);
	assert_int_equal(h_answer(h_lookup_send(1, ".zab")), 0);
	assert_int_equal(h_answer(h_open_send(ino_make(INO_SESSION, 1), O_RDONLY)), 0);
	assert_int_equal(h_answer(h_read_send(ino_make(INO_SESSION, 1), h_fh(), 0, 4096)), 0);
	assert_non_null(memmem(answer.body, answer.len, "state suspended\n", 16));
	a = mkdir_send("a"); /* never sent: certainly not executed */
	assert_int_equal(h_answer(a), -EHOSTUNREACH);
	h_listen();
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_OK, H_SESSION, 0x100);
	h_expect(WIRE_T_INTEREST);
	h_expect(WIRE_T_INTEREST);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x100, 1);
	h_until_state(LINK_CONNECTED);
}

/* Others may see its nodes gone from the deadline on, not from the next tick. */
static void
test_deadline_to_the_point(void **state)
{
	uint64_t until = fsd_now_ns() + h.timeout_ms * UINT64_C(1000000);

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	assert_true(inode_live(&h.fsd, 7));
	/* No turn of the loop. */
	while (fsd_now_ns() <= until)
		usleep(1000);
	assert_int_equal(link_get_state(h.fsd.link), LINK_SUSPENDED);
	assert_false(inode_live(&h.fsd, 7));
}

/* A suspended machine's session goes on to end, though its other clocks stand still. */
static void
test_suspended_machine(void **state)
{
	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	assert_true(inode_live(&h.fsd, 7));
	h_suspended_s += h.timeout_ms / 1000 + 1;
	assert_int_equal(link_get_state(h.fsd.link), LINK_SUSPENDED);
	assert_false(inode_live(&h.fsd, 7));
}

static void
test_stale_mount(void **state)
{
	(void)state;
	h_begin(600, true);
	h_open(0x100);
	h_known(7, S_IFREG | 0644, "f");
	lose_connection();
	h_until_state(LINK_SUSPENDED);
	assert_true(inode_live(&h.fsd, 7));
	assert_false(h_packet());
	assert_false(h_notified(7));
	h_teardown(NULL);
}

/* Pings keep the session alive; silence ends the connection. */
static void
test_pings(void **state)
{
	uint64_t until = fsd_now_ns() + UINT64_C(2500000000);

	(void)state;
	/* Long enough for a machine that is busy: silence is 1.3 s. */
	h_begin(2000, false);
	h_open(0x100);
	while (fsd_now_ns() < until) {
		struct wire_msg pong = { .type = WIRE_T_PONG,
			.pong = { .sent_ns = h_expect(WIRE_T_PING)->ping.sent_ns,
			    .zxid = 0x123,
			    .alive = 1 } };

		h_tell(&pong);
	}
	assert_int_equal(link_get_state(h.fsd.link), LINK_CONNECTED);
	h_run_ms(2);
	assert_int_equal(link_zxid(h.fsd.link), 0x123);
	h_wait_accept(); /* nobody answers any more */
	h_teardown(NULL);
}

static void
test_expired(void **state)
{
	uint64_t sent, waiting;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	sent = mkdir_send("a");
	h_expect(WIRE_T_CREATE);
	lose_connection();
	waiting = mkdir_send("b");
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_EXPIRED, 0, 0x100);
	assert_int_equal(h_answer(sent), -ETIMEDOUT);
	assert_int_equal(link_get_state(h.fsd.link), LINK_EXPIRED);
	h_packet();
	assert_true(h_notified(7) && h_notified(1));
	assert_int_equal(h.doubted, 1);
	assert_false(inode_live(&h.fsd, 7));
	h_wait_accept();
	assert_int_equal(h_expect(WIRE_T_HELLO)->hello.session, 0);
	assert_int_equal(h.msg.hello.seen, 0x100);
	h_welcome(ERR_OK, H_SESSION + 1, 0x105);
	assert_int_equal(h_expect(WIRE_T_INTEREST)->interest.id, 7);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x105, 1);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(waiting));
	mkdir_done(waiting, 10);
	assert_int_equal(link_session(h.fsd.link), H_SESSION + 1);
}

/* Changes would be missed: not yet, somebody else may have them. */
static void
test_gap(void **state)
{
	int asked = 0;

	(void)state;
	h_begin(2000, false);
	h_open(0x100);
	lose_connection();
	h_wait_accept();
	while (h_expect(WIRE_T_HELLO)->hello.whole != 0) {
		assert_int_equal(h.msg.hello.seen, 0x100);
		asked++;
		h_welcome(ERR_GAP, 0, 0x200);
		h_wait_accept();
	}
	assert_in_range(asked, 1, 1000);
	h_welcome(ERR_OK, H_SESSION, 0x200);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x200, 0);
	h_until_state(LINK_CONNECTED);
	/* The next time it is asked anew. */
	lose_connection();
	h_wait_accept();
	assert_int_equal(h_expect(WIRE_T_HELLO)->hello.whole, 1);
	h_teardown(NULL);
}

static void
on_closed(void *arg)
{
	*(bool *)arg = true;
}

static void
test_close(void **state)
{
	struct wire_msg bye = { .type = WIRE_T_BYE };
	bool closed = false;

	(void)state;
	link_close(h.fsd.link, 1000, on_closed, &closed);
	h_expect(WIRE_T_CLOSE);
	assert_false(closed);
	h_tell(&bye);
	h_run_ms(5);
	assert_true(closed);
}

/* There is no leader for a moment: the end is asked for again. */
static void
test_close_without_a_leader(void **state)
{
	struct wire_msg bye = { .type = WIRE_T_BYE };
	bool closed = false;

	(void)state;
	link_close(h.fsd.link, 20000, on_closed, &closed);
	h_expect(WIRE_T_CLOSE);
	bye.bye.code = ERR_NOQUORUM;
	h_tell(&bye);
	h_expect(WIRE_T_CLOSE);
	bye.bye.code = ERR_BUSY;
	h_tell(&bye);
	h_expect(WIRE_T_CLOSE);
	assert_false(closed);
	bye.bye.code = ERR_OK;
	h_tell(&bye);
	h_run_ms(5);
	assert_true(closed);
}

static void
test_close_unanswered(void **state)
{
	bool closed = false;

	(void)state;
	link_close(h.fsd.link, 20, on_closed, &closed);
	h_run_ms(40);
	assert_true(closed);
}

/* Those who ask for so many of them at once that the replica would drop the mount for it wait. */
static void
test_many_reports(void **state)
{
	uint64_t ino = ino_make(INO_EPOCH, 1), opens[2 * REPORTS_MAX], first = 0;
	size_t i;

	(void)state;
	for (i = 0; i < REPORTS_MAX; i++) {
		opens[i] = h_open_send(ino, O_RDONLY);
		h_expect(WIRE_T_REPORT);
		first = i == 0 ? h.msg.report.rid : first;
	}
	for (; i < 2 * REPORTS_MAX; i++) {
		opens[i] = h_open_send(ino, O_RDONLY);
		h_turn();
	}
	h_nothing_sent(20);
	h_reply(first, ERR_OK, 0, NULL, "7\n");
	assert_int_equal(h_answer(opens[0]), 0);
	h_expect(WIRE_T_REPORT);
	h_nothing_sent(20);
	/* Nor are more asked for before the session is there again. */
	lose_connection();
	h_wait_accept();
	for (i = 0; i < REPORTS_MAX; i++)
		h_expect(WIRE_T_REPORT);
	h_expect(WIRE_T_HELLO);
}

/* What the replica knows of the ensemble is asked whatever has become of the session. */
static void
test_report_without_session(void **state)
{
	uint64_t open, ino = ino_make(INO_EPOCH, 1);

	(void)state;
	h_begin(1000, false);
	h_open(0x100);
	close(h.listener);
	unlink(h.path);
	lose_connection();
	h_until_state(LINK_SUSPENDED);
	h_listen();
	open = h_open_send(ino, O_RDONLY);
	h_wait_accept();
	/* Before HELLO: a member without a quorum refuses that. */
	assert_int_equal(h_expect(WIRE_T_REPORT)->report.what, WIRE_EPOCH);
	h_reply(h.msg.report.rid, ERR_OK, 0, NULL, "7\n");
	assert_int_equal(h_answer(open), 0);
	assert_int_equal(link_zxid(h.fsd.link), 0x100);
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_NOQUORUM, 0, 0);
	/* Nobody answers: not for ever. */
	close(h.listener);
	unlink(h.path);
	close(h.replica);
	h.replica = -1;
	assert_int_equal(h_answer(h_open_send(ino, O_RDONLY)), -EHOSTUNREACH);
	h_listen();
	h_teardown(NULL);
}

/* Rubbish, or messages out of order: another connection, the same session. */
static void
test_misbehaving_replica(void **state)
{
	struct wire_msg wrong = { .type = WIRE_T_HELLO };

	(void)state;
	h_tell(&wrong);
	h_open(0x100);
	h_resumed(0x100, 1);
	h_open(0x100);
	assert_int_equal(send(h.replica, "\377\377\377\377garbage", 11, 0), 11);
	h_open(0x100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test_setup_teardown(test_acked, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_resend, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_waits_for_connection, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_lost, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_window, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_bytes, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_busy, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_refused_to_the_end, setup_longer, h_teardown),
		cmocka_unit_test_setup_teardown(test_sync_without_a_leader, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(
		    test_sync_without_a_quorum, setup_short, h_teardown),
		cmocka_unit_test(test_sync_of_a_stale_mount),
		cmocka_unit_test_setup_teardown(test_busy_after_resend, setup_short, h_teardown),
		cmocka_unit_test_setup_teardown(test_expired_after_resend, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_deadline, setup_short, h_teardown),
		cmocka_unit_test_setup_teardown(
		    test_deadline_to_the_point, setup_short, h_teardown),
		cmocka_unit_test_setup_teardown(test_suspended_machine, setup_short, h_teardown),
		cmocka_unit_test(test_stale_mount),
		cmocka_unit_test(test_pings),
		cmocka_unit_test(test_gap),
		cmocka_unit_test_setup_teardown(test_expired, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_close, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_close_without_a_leader, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_close_unanswered, h_setup, h_teardown),
		cmocka_unit_test(test_report_without_session),
		cmocka_unit_test_setup_teardown(test_many_reports, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_misbehaving_replica, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
