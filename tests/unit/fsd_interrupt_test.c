/* Interrupted requests, and the answers that come after nobody waits (fsd/README.md, fact 20). */
#include "tests/unit/fsd_harness.h"

/* A fatal signal: gone at once; what was on its way is finished without it. */
static void
test_fatal_on_the_way(void **state)
{
	struct wire_stat stat = h_stat(9, S_IFREG | 0644);
	uint64_t unique = h_request_of(H_DEAD_TID, FUSE_LOOKUP, 1, "f", 2);

	(void)state;
	h_expect(WIRE_T_LOOKUP);
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	h_reply(h.msg.lookup.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_FORGET)->forget.id, 9);
	assert_false(inode_known(&h.fsd, 9));
}

/* Never sent: withdrawn for good. */
static void
test_fatal_withdrawn(void **state)
{
	struct fuse_mkdir_in in = { .mode = 0755 };
	uint8_t body[sizeof in + 2];
	uint64_t unique;

	(void)state;
	memcpy(body, &in, sizeof in);
	memcpy(body + sizeof in, "d", 2);
	close(h.replica);
	h.replica = -1;
	h_until_state(LINK_CONNECTING);
	unique = h_request_of(H_DEAD_TID, FUSE_MKDIR, 1, body, sizeof body);
	h_run_ms(1);
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	h_open(0x100);
	h_nothing_sent(2);
}

/* A signal that the program handles does not make its calls fail, unless they hang. */
static void
test_not_fatal(void **state)
{
	uint64_t unique = h_lookup_send(1, "f"), started = fsd_now_ns();

	(void)state;
	h_expect(WIRE_T_LOOKUP);
	h_interrupt(unique);
	h_no_answer(300);
	assert_int_equal(h_answer(unique), -EINTR);
	assert_true(fsd_now_ns() - started > UINT64_C(900000000));
	h_reply(h.msg.lookup.rid, ERR_NONODE, 0x100, NULL, NULL);
	h_no_answer(2);
}

/* Nothing is known of a thread of a pid namespace that is not ours; that it is not dead is. */
static void
test_not_our_namespace(void **state)
{
	uint64_t unique = h_request_of(0, FUSE_LOOKUP, 1, "f", 2);

	(void)state;
	h_expect(WIRE_T_LOOKUP);
	h_interrupt(unique);
	h_no_answer(300);
	h_reply(h.msg.lookup.rid, ERR_NONODE, 0x100, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
}

/* What umount(8) asks is answered without a replica; an answer that comes all the same is fine. */
static void
test_in_a_hurry(void **state)
{
	struct wire_space space = { .nodes = 10, .bytes = 8192, .bytes_left = 40960 };
	const struct fuse_statfs_out *out = (const void *)answer.body;
	const struct fuse_attr_out *attr = (const void *)answer.body;
	struct fuse_getattr_in in = { 0 };
	uint64_t unique = h_request(FUSE_STATFS, 1, NULL, 0), rid;

	(void)state;
	h_reply_space(h_expect(WIRE_T_STATFS)->statfs.rid, &space);
	assert_int_equal(h_answer(unique), 0);
	unique = h_request(FUSE_STATFS, 1, NULL, 0);
	rid = h_expect(WIRE_T_STATFS)->statfs.rid;
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(out->st.bfree, 10);
	h_reply_space(rid, &space);
	unique = h_request(FUSE_GETATTR, 1, &in, sizeof in);
	h_expect(WIRE_T_GETATTR);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(attr->attr.mode, S_IFDIR | 0755);
	assert_int_equal(attr->attr_valid, 0);
}

/* The echo's look on its way is answered at once; it must not hang with the replica. */
static void
test_echo_never_waits(void **state)
{
	struct fuse_getattr_in in = { 0 };
	uint64_t unique;

	(void)state;
	h_known(7, S_IFDIR | 0755, "d");
	h.unique += 2;
	unique = h.unique;
	h_send_raw(FUSE_GETATTR, unique, 7, H_ECHO_TID, &in, sizeof in);
	assert_int_equal(h_answer(unique), 0);
	h.unique += 2;
	h_send_raw(FUSE_GETATTR, h.unique, ino_make(INO_ZAB, 1), H_ECHO_TID, &in, sizeof in);
	assert_int_equal(h_answer(h.unique), 0);
	h_nothing_sent(2);
}

static void
test_answered_in_time(void **state)
{
	uint64_t unique = h_lookup_send(1, "f");

	(void)state;
	h_expect(WIRE_T_LOOKUP);
	h_interrupt(unique);
	h_run_ms(5);
	h_reply(h.msg.lookup.rid, ERR_NONODE, 0x100, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	h_no_answer(150);
}

/* A held node without a holder is deleted, under an id that the kernel never uses. */
static void
test_stray_held(void **state)
{
	struct fuse_create_in in = { .flags = O_CREAT | O_RDWR, .mode = S_IFREG | 0644 };
	struct wire_stat stat = h_stat(9, S_IFREG | 01644);
	uint8_t body[sizeof in + 2];
	uint64_t unique;

	(void)state;
	memcpy(body, &in, sizeof in);
	memcpy(body + sizeof in, "h", 2);
	unique = h_request_of(H_DEAD_TID, FUSE_CREATE, ino_make(INO_HELD, 1), body, sizeof body);
	h_expect(WIRE_T_CREATE);
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	stat.owner = H_SESSION;
	stat.handle = h.msg.create.handle;
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	h_expect(WIRE_T_FORGET);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 9);
	assert_int_equal(h.msg.delete.rid, H_RID(unique) + KERNEL_RIDS / 2);
	assert_int_equal(h.msg.delete.acked, h.msg.delete.rid - 1);
	h_reply(h.msg.delete.rid, ERR_OK, 0x102, NULL, NULL);
	h_run_ms(2);
}

/* The kernel doesn't know that its unlink was done: name and attributes go. */
static void
test_unlink_unseen(void **state)
{
	uint64_t unique;

	(void)state;
	h_known(7, S_IFREG | 0644, "f");
	unique = h_request_of(H_DEAD_TID, FUSE_UNLINK, 1, "f", 2);
	h_expect(WIRE_T_DELETE);
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	h.notify_enoent =
	    true; /* the name's invalidation comes from a thread, here it is only counted */
	h_reply(unique, ERR_OK, 0x101, NULL, NULL);
	h_run_ms(20);
	assert_true(h.notify_refused >= 3); /* the name, the directory, the file */
	h.notify_enoent = false;
	h_run_ms(3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fatal_on_the_way, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_fatal_withdrawn, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_not_fatal, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_not_our_namespace, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_in_a_hurry, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_echo_never_waits, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_answered_in_time, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_stray_held, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_unlink_unseen, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
