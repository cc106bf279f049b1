/*
 * DIR/.zab/events: one request at a time, from the cursor that the last answer left; who waits, and
 * what becomes of it when he goes away or the replica does.
 */
#include "tests/unit/fsd_harness.h"

#define DIR 20
#define ZAB ino_make(INO_ZAB, DIR)
#define NOW 0x100

static uint64_t ino, fh;

/* events or events,from=ZXID, looked up. */
static void
found(const char *name)
{
	struct wire_stat stat = h_stat(DIR, S_IFDIR | 0755);
	uint64_t unique = h_lookup_send(ZAB, name);
	const struct fuse_entry_out *entry = (const void *)answer.body;

	assert_int_equal(h_expect(WIRE_T_GETATTR)->getattr.id, DIR);
	h_reply(h.msg.getattr.rid, ERR_OK, NOW, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry->attr.mode, S_IFREG | 0400);
	assert_int_equal(entry->entry_valid, 0);
	ino = entry->nodeid;
}

/* The request that comes next: its id. */
static uint64_t
asked(uint64_t after, uint32_t ops)
{
	struct wire_events *msg = &h_expect(WIRE_T_EVENTS)->events;

	assert_int_equal(msg->dir, DIR);
	assert_int_equal(msg->after, after);
	assert_int_equal(msg->ops, ops);
	assert_int_equal(msg->stream, fh);
	return msg->rid;
}

/* Up to a zxid, and so many operations of the transaction behind it. */
static void
tell(uint64_t rid, int code, uint64_t zxid, uint32_t ops, const char *text)
{
	struct wire_msg msg = { .type = WIRE_T_REPLY,
		.reply = { .rid = rid,
		    .code = code,
		    .zxid = zxid,
		    .more = ops,
		    .data = { (const uint8_t *)text, (uint32_t)strlen(text) } } };

	h_tell(&msg);
}

static void
opened_from(const char *name, int flags)
{
	found(name);
	assert_int_equal(h_answer(h_open_send(ino, flags)), 0);
	fh = h_fh();
	h_nothing_sent(1);
}

/* From now on: the replica says when that is. */
static void
opened(int flags)
{
	uint64_t unique, rid;

	found("events");
	unique = h_open_send(ino, flags);
	rid = h_expect(WIRE_T_EVENTS)->events.rid;
	fh = h.msg.events.stream;
	assert_int_equal(h.msg.events.dir, DIR);
	assert_int_equal(h.msg.events.after, 0);
	tell(rid, ERR_OK, NOW, 0, "");
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(h_fh(), fh);
}

static uint64_t
read_send(void)
{
	return h_read_send(ino, fh, 0, 4096);
}

static void
read_is(uint64_t unique, const char *text)
{
	assert_int_equal(h_answer(unique), 0);
	h_body_is(text);
}

/* Each released file whose request waits takes it back. */
static void
closed(bool waits)
{
	assert_int_equal(h_answer(h_release_send(ino, fh, 0)), 0);
	if (!waits) {
		h_nothing_sent(1);
		return;
	}
	assert_int_equal(h_expect(WIRE_T_EVENTS)->events.dir, 0);
	assert_int_equal(h.msg.events.stream, fh);
}

static void
test_from_now(void **state)
{
	uint64_t unique, rid;

	(void)state;
	opened(O_RDONLY);
	h_nothing_sent(1);
	unique = read_send();
	rid = asked(NOW, 0);
	h_no_answer(2);
	tell(rid, ERR_OK, 0x105, 0, "0x104 create /d/a 0\n0x105 delete /d/a -\n");
	/* A line each; the next question waits until they are read. */
	read_is(unique, "0x104 create /d/a 0\n");
	assert_int_equal(h_answer(h_read_send(ino, fh, 9, 5)), 0);
	h_body_is("0x105");
	read_is(read_send(), " delete /d/a -\n");
	h_nothing_sent(1);
	unique = read_send();
	tell(asked(0x105, 0), ERR_OK, 0x106, 0, "0x106 set /d/b 1\n");
	read_is(unique, "0x106 set /d/b 1\n");
	closed(false);
}

/* A transaction whose lines are more than one reply; a long way with nothing to tell. */
static void
test_cursor(void **state)
{
	uint64_t unique;

	(void)state;
	opened_from("events,from=0x50", O_RDONLY);
	unique = read_send();
	tell(asked(0x50, 0), ERR_OK, 0x80, 0, "");
	tell(asked(0x80, 0), ERR_OK, 0x81, 3, "0x82 create /d/a 0\n");
	read_is(unique, "0x82 create /d/a 0\n");
	unique = read_send();
	tell(asked(0x81, 3), ERR_OK, 0x82, 0, "0x82 create /d/b 0\n");
	read_is(unique, "0x82 create /d/b 0\n");
	unique = read_send();
	asked(0x82, 0);
	tell(h.msg.events.rid, ERR_OK, 0x90, 0, "lost 0x82 0x90\n");
	read_is(unique, "lost 0x82 0x90\n");
	closed(false);
}

static void
test_fails(void **state)
{
	uint64_t unique;

	(void)state;
	/* At the open. */
	found("events");
	unique = h_open_send(ino, O_RDONLY);
	tell(h_expect(WIRE_T_EVENTS)->events.rid, ERR_NOTDIR, NOW, 0, "");
	assert_int_equal(h_answer(unique), -ENOTDIR);
	h_nothing_sent(1);
	/* Later: the next read is told, and the one behind it asks again. */
	opened(O_RDONLY);
	unique = read_send();
	tell(asked(NOW, 0), ERR_NONODE, 0x110, 0, "");
	assert_int_equal(h_answer(unique), -ENOENT);
	unique = read_send();
	tell(asked(NOW, 0), ERR_OK, 0x111, 0, "0x111 set /d/b 1\n");
	read_is(unique, "0x111 set /d/b 1\n");
	closed(false);
}

static void
test_nonblock_and_poll(void **state)
{
	uint64_t rid;

	(void)state;
	opened(O_RDONLY | O_NONBLOCK);
	assert_int_equal(h_answer(h_poll_send(ino, fh, 0)), 0);
	assert_int_equal(h_revents(), 0);
	rid = asked(NOW, 0);
	assert_int_equal(h_answer(read_send()), -EAGAIN);
	/* The second one takes the first one's place. */
	assert_int_equal(h_answer(h_poll_send(ino, fh, 1)), 0);
	assert_int_equal(h_answer(h_poll_send(ino, fh, 2)), 0);
	assert_int_equal(h_revents(), 0);
	h_nothing_sent(1);
	tell(rid, ERR_OK, 0x105, 0, "0x105 set /d/b 1\n");
	h_no_answer(5);
	assert_int_equal(h.polled, 2);
	assert_int_equal(h_answer(h_poll_send(ino, fh, 3)), 0);
	assert_int_equal(h_revents(), POLLIN | POLLRDNORM);
	read_is(read_send(), "0x105 set /d/b 1\n");
	/* An error is something to read, too. */
	assert_int_equal(h_answer(read_send()), -EAGAIN);
	tell(asked(0x105, 0), ERR_BUSY, 0x106, 0, "");
	h_run_ms(5);
	assert_int_equal(h_answer(h_poll_send(ino, fh, 4)), 0);
	assert_int_equal(h_revents(), POLLIN | POLLRDNORM);
	assert_int_equal(h_answer(read_send()), -EBUSY);
	closed(false);
}

static void
test_interrupted(void **state)
{
	struct fuse_read_in in = { .size = 4096 };
	uint64_t unique, rid;

	(void)state;
	opened(O_RDONLY);
	in.fh = fh;
	unique = h_request_of(H_DEAD_TID, FUSE_READ, ino, &in, sizeof in);
	rid = asked(NOW, 0);
	h_no_answer(2);
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	/* The question stands; what it brings is for the next reader. */
	tell(rid, ERR_OK, 0x105, 0, "0x105 set /d/b 1\n");
	h_run_ms(2);
	read_is(read_send(), "0x105 set /d/b 1\n");
	closed(false);
}

/* Two wait: a line each. */
static void
test_two_readers(void **state)
{
	uint64_t one, two;

	(void)state;
	opened(O_RDONLY);
	one = read_send();
	two = read_send();
	tell(asked(NOW, 0), ERR_OK, 0x106, 0, "0x105 set /d/b 1\n0x106 set /d/b 2\n");
	read_is(one, "0x105 set /d/b 1\n");
	read_is(two, "0x106 set /d/b 2\n");
	one = read_send();
	two = read_send();
	tell(asked(0x106, 0), ERR_OK, 0x107, 0, "0x107 set /d/b 3\n");
	read_is(one, "0x107 set /d/b 3\n");
	tell(asked(0x107, 0), ERR_OK, 0x108, 0, "0x108 set /d/b 4\n");
	read_is(two, "0x108 set /d/b 4\n");
	closed(false);
}

/* Closed while a question stands, somebody polls, and lines are left. */
static void
test_released(void **state)
{
	uint64_t rid;

	(void)state;
	opened(O_RDONLY | O_NONBLOCK);
	assert_int_equal(h_answer(read_send()), -EAGAIN);
	tell(asked(NOW, 0), ERR_OK, 0x106, 0, "0x105 set /d/b 1\n0x106 set /d/b 2\n");
	h_run_ms(2);
	read_is(read_send(), "0x105 set /d/b 1\n");
	closed(false);
	opened(O_RDONLY | O_NONBLOCK);
	assert_int_equal(h_answer(h_poll_send(ino, fh, 5)), 0);
	rid = asked(NOW, 0);
	closed(true);
	tell(rid, ERR_INTR, NOW, 0, "");
	tell(h.msg.events.rid, ERR_OK, NOW, 0, "");
	h_no_answer(2);
}

/* Another connection: the same question. */
static void
test_moved(void **state)
{
	uint64_t unique, rid;

	(void)state;
	opened(O_RDONLY);
	unique = read_send();
	rid = asked(NOW, 0);
	close(h.replica);
	h.replica = -1;
	h_until_state(LINK_CONNECTING);
	h_open(NOW);
	assert_int_equal(asked(NOW, 0), rid);
	tell(rid, ERR_OK, 0x105, 0, "0x105 set /d/b 1\n");
	read_is(unique, "0x105 set /d/b 1\n");
	closed(false);
}

static void
test_names(void **state)
{
	static const char *const none[] = { "events,to=1", "events,", "events,from", "from=1" };
	static const char *const wrong[] = { "events,from=", "events,from=x", "events,from=010",
		"events,from=-1", "events,from=18446744073709551616", "events,from=1,from=2" };
	struct wire_stat stat = h_stat(DIR, S_IFDIR | 0755);
	uint64_t unique, hex;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_int_equal(h_answer(h_lookup_send(ZAB, none[i])), -ENOENT);
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(h_answer(h_lookup_send(ZAB, wrong[i])), -EINVAL);
	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_CLUSTER, 1), "events")), -ENOENT);
	found("events,from=0x50");
	hex = ino;
	found("events,from=80");
	assert_int_equal(ino, hex);
	found("events,from=1");
	hex = ino;
	found("events,from=0");
	assert_int_equal(ino, hex);
	/* Its directory is gone. */
	unique = h_lookup_send(ZAB, "events");
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, NOW, &stat, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, h_setup, h_teardown)

/* A process before us had no room to keep it: where its reader was nobody knows. */
static void
test_not_kept(void **state)
{
	(void)state;
	opened(O_RDONLY);
	fh = UINT64_C(0x1234567800000005);
	assert_int_equal(h_answer(read_send()), -ESTALE);
	closed(false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_from_now),
		T(test_cursor),
		T(test_fails),
		T(test_nonblock_and_poll),
		T(test_interrupted),
		T(test_two_readers),
		T(test_released),
		T(test_moved),
		T(test_names),
		cmocka_unit_test_setup_teardown(test_not_kept, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
