/* Held nodes that nobody holds any more are deleted, when there is a connection again. */
#include "tests/unit/fsd_harness.h"

#define HELD ino_make(INO_HELD, 1)
#define ID 32
#define TIMEOUT_MS 900 /* silence is two thirds of it, which a busy machine has to keep within */

static int
setup(void **state)
{
	(void)state;
	h_begin(TIMEOUT_MS, false);
	h_open(0x100);
	return 0;
}

static uint64_t
create_send(void)
{
	struct fuse_create_in in = { .flags = O_CREAT | O_RDWR, .mode = S_IFREG | 0644 };

	return h_request2(FUSE_CREATE, HELD, &in, sizeof in, "h", 2);
}

/* Longer than the timeout. */
static void
without_connection(void)
{
	close(h.replica);
	h.replica = -1;
	close(h.listener);
	unlink(h.path);
	h_until_state(LINK_SUSPENDED);
}

static void
connect_again(void)
{
	h_listen();
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_OK, H_SESSION, 0x103);
	h_expect(WIRE_T_RESUME);
	h_resumed(0x103, 1);
	h_until_state(LINK_CONNECTED);
}

static uint64_t
expect_delete(void)
{
	const struct wire_delete *delete = &h_expect(WIRE_T_DELETE)->delete;
	uint64_t rid;
	int i;

	assert_int_equal(delete->id, ID);
	assert_true(delete->rid % KERNEL_RIDS >= KERNEL_RIDS / 2);
	assert_int_equal(delete->flags, WIRE_ECHO);
	rid = delete->rid;
	h_reply(rid, ERR_OK, 0x103, NULL, NULL);
	for (i = 0; i < 120; i += 10)
		h_nothing_sent(10);
	return rid;
}

/* The close came in a bad moment. */
static void
test_close(void **state)
{
	struct wire_stat stat = h_stat(ID, S_IFREG | 01644);
	uint64_t ino = ino_make(INO_ALIAS, ID), unique = create_send(), fh, first;

	(void)state;
	fh = h_expect(WIRE_T_CREATE)->create.handle;
	stat.owner = H_SESSION;
	stat.handle = fh;
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	h_expect(WIRE_T_FORGET);
	without_connection();
	assert_int_equal(h_answer(h_release_send(ino, fh, O_RDWR)), 0); /* its DELETE is given up */
	connect_again();
	first = h_expect(WIRE_T_DELETE)->delete.rid;
	without_connection();
	h_run_ms(TIMEOUT_MS * 2);
	connect_again();
	assert_true(expect_delete() > first);
}

/* Nobody knows whether it was made: it was, or it was not. */
static void
test_unknown(void **state)
{
	struct wire_stat stat = h_stat(ID, S_IFREG | 01644);
	uint64_t unique, fh;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		unique = create_send();
		fh = h_expect(WIRE_T_CREATE)->create.handle;
		without_connection();
		assert_int_equal(h_answer(unique), -ETIMEDOUT);
		connect_again();
		assert_int_equal(h_expect(WIRE_T_FIND)->find.handle, fh);
		stat.owner = H_SESSION;
		stat.handle = fh;
		h_reply(h.msg.find.rid, i == 0 ? ERR_NONODE : ERR_OK, 0x101, i == 0 ? NULL : &stat,
		    NULL);
		if (i == 1)
			expect_delete();
		else
			h_nothing_sent(10);
	}
}

/* As long as the old connection stands, it may still come. */
static void
test_late(void **state)
{
	struct wire_stat stat = h_stat(ID, S_IFREG | 01644);
	uint64_t unique = create_send();
	int i;

	(void)state;
	stat.handle = h_expect(WIRE_T_CREATE)->create.handle;
	for (i = 0; i < TIMEOUT_MS * 2; i += 10)
		h_nothing_sent(10);
	assert_int_equal(h_answer(unique), -ETIMEDOUT);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_FIND)->find.handle, stat.handle);
	h_reply(h.msg.find.rid, ERR_OK, 0x101, &stat, NULL);
	expect_delete();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_close, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_unknown, setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_late, setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
