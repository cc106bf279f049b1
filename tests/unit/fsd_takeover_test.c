/* One process of fsd goes on for another that died (fsd/README.md, fact 11). */
#include "tests/unit/fsd_successor.h"

/*
 * The kernel has its answer to INIT, and sends the rest in no order. The bit that says so is not part
 * of a request's id, but of its answer.
 */
static void
test_requests(void **state)
{
	uint64_t fh = open_file(O_WRONLY | O_APPEND), first, second;

	(void)state;
	first = h_write_send(F, fh, O_WRONLY | O_APPEND, 0, "one", 3);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.rid, first * KERNEL_RIDS);
	second = h_write_send(F, fh, O_WRONLY | O_APPEND, 0, "two", 3);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.rid, second * KERNEL_RIDS);
	die();
	write_again(second, fh, "two");
	write_again(first, fh, "one");
	adopt();
	assert_false(h_packet());
	assert_int_equal(h.resends, 1);
	attach(SEEN, 0);
	/* The smaller id first, and nothing is promised that it would break. */
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.rid, first * KERNEL_RIDS);
	assert_true(h.msg.write.acked < first * KERNEL_RIDS);
	assert_int_equal(h.msg.write.how, WIRE_APPEND);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.rid, second * KERNEL_RIDS);
	assert_true(h.msg.write.acked < first * KERNEL_RIDS);
	h_reply(first * KERNEL_RIDS, ERR_OK, 0x111, NULL, NULL);
	assert_int_equal(h_answer(first | H_RESEND_BIT), 0);
	h_reply(second * KERNEL_RIDS, ERR_OK, 0x112, NULL, NULL);
	assert_int_equal(h_answer(second | H_RESEND_BIT), 0);
}

/* What the kernel knows is watched, invalidated and forgotten as before. */
static void
test_nodes(void **state)
{
	struct fuse_forget_in forget = { .nlookup = 1 };

	(void)state;
	h_known(G, S_IFREG | 0644, "g");
	h_known(G, S_IFREG | 0644, "g");
	die();
	adopt();
	attach(SEEN, G);
	h_change(WIRE_ATTR, 0x112, G, S_IFREG | 0600, "g");
	h_run_ms(5);
	assert_false(h_packet());
	assert_true(h_notified(G));
	assert_int_equal(inode_name_get(&h.fsd, 1, "g"), G);
	h_request(FUSE_FORGET, G, &forget, sizeof forget);
	h_nothing_sent(2);
	h_request(FUSE_FORGET, G, &forget, sizeof forget);
	assert_int_equal(h_expect(WIRE_T_FORGET)->forget.id, G);
	assert_int_equal(h.msg.forget.count, 1);
}

/* An entry that the first process counted and the kernel never got. */
static void
test_entry_taken_back(void **state)
{
	struct wire_stat stat = h_stat(G, S_IFREG | 0644);
	uint64_t unique;

	(void)state;
	unique = h_lookup_send(1, "g");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, SEEN, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_true(inode_known(&h.fsd, G));
	die();
	again(FUSE_LOOKUP, unique, 1, "g", 2);
	adopt();
	assert_false(inode_known(&h.fsd, G));
	attach(SEEN, 0);
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x110, &stat, NULL);
	assert_int_equal(h_answer(unique | H_RESEND_BIT), 0);
	assert_true(inode_known(&h.fsd, G));
}

/* What has not been told is asked for again; what was seen is not asked of who has not seen it. */
static void
test_replay(void **state)
{
	struct kept_head *head;

	(void)state;
	h_change(WIRE_VALUE, 0x108, F, S_IFREG | 0644, "f");
	h_run_ms(5);
	die();
	adopt();
	head = h.fsd.kept->head;
	assert_int_equal(head->link.seen, 0x108);
	head->link.replay = 0x104;
	h_wait_accept();
	assert_int_equal(h_expect(WIRE_T_HELLO)->hello.seen, 0x104);
	h_welcome(ERR_OK, H_SESSION, 0x107); /* behind what this mount has shown */
	h_wait_accept();
	assert_int_equal(h_expect(WIRE_T_HELLO)->hello.seen, 0x104);
	h_welcome(ERR_OK, H_SESSION, 0x108);
	h_expect(WIRE_T_INTEREST);
	h_expect(WIRE_T_RESUME);
	h_change(WIRE_VALUE, 0x105, F, S_IFREG | 0644, "f");
	h_resumed(0x108, 1);
	h_until_state(LINK_CONNECTED);
	assert_int_equal(h.echo_pushed, 1);
	assert_int_equal(head->link.replay, 0);
}

/* A write that was given up: the kernel was told that nobody knows. */
static void
test_abandoned(void **state)
{
	(void)state;
	h.fsd.kept->head->link.abandoned = 1;
	die();
	adopt();
	attach(SEEN, 0);
	h_packet();
	assert_int_equal(h.doubted, 1);
	assert_int_equal(h.echo_doubted, 1);
	assert_int_equal(h.fsd.kept->head->link.abandoned, 0);
}

static uint64_t
read_file(uint64_t fh, uint64_t offset, uint32_t size, const char *value, uint32_t version)
{
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t unique = h_read_send(F, fh, offset, size);

	stat.version = version;
	stat.size = (uint32_t)strlen(value);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x111, &stat, value);
	assert_int_equal(h_answer(unique), 0);
	return unique;
}

/* A reader in the middle of a value goes on in that one, whatever it is by now. */
static void
test_reader(void **state)
{
	uint64_t fh = open_file(O_RDWR);

	(void)state;
	read_file(fh, 0, 3, "old value", 1);
	h_body_is("old");
	die();
	adopt();
	attach(0x111, 0);
	assert_int_equal(h_answer(h_read_send(F, fh, 3, 100)), 0);
	h_body_is(" value");
}

/* One who has read all of it gets what was appended, and nothing of another value. */
static void
test_reader_at_the_end(void **state)
{
	uint64_t fh = open_file(O_RDWR), other = open_file(O_RDWR);

	(void)state;
	read_file(fh, 0, 100, "one ", 1);
	assert_int_equal(h_answer(h_read_send(F, other, 0, 100)), 0);
	die();
	adopt();
	attach(0x111, 0);
	read_file(fh, 4, 100, "one two", 2);
	h_body_is("two");
	h_change(WIRE_VALUE, 0x112, F, S_IFREG | 0644, "f");
	h_run_ms(2);
	read_file(other, 4, 100, "another", 3);
	h_body_is("");
}

/* O_TRUNC is due still; and its RELEASE, sent again, comes before what was asked for after it. */
static void
test_trunc(void **state)
{
	struct fuse_release_in release = { 0 };
	struct fuse_getattr_in getattr = { 0 };
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);
	uint64_t unique;

	(void)state;
	release.fh = open_file(O_WRONLY | O_TRUNC);
	unique = h_release_send(F, release.fh, O_WRONLY);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.rid, unique * KERNEL_RIDS);
	die();
	again(FUSE_GETATTR, unique + 2, F, &getattr, sizeof getattr);
	again(FUSE_RELEASE, unique, F, &release, sizeof release);
	adopt();
	attach(SEEN, 0);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.rid, unique * KERNEL_RIDS);
	assert_int_equal(h.msg.write.how, WIRE_REPLACE);
	assert_int_equal(h.msg.write.data.len, 0);
	h_nothing_sent(2);
	h_reply(unique * KERNEL_RIDS, ERR_OK, 0x111, &stat, NULL);
	assert_int_equal(h_answer(unique | H_RESEND_BIT), 0);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x111, &stat, NULL);
	assert_int_equal(h_answer((unique + 2) | H_RESEND_BIT), 0);
}

/* ESTALE has been said once: the kernel's second try finds the file, replaced once more. */
static void
test_second_try(void **state)
{
	struct wire_stat next = h_stat(F + 1, S_IFREG | 0644), now = h_stat(F + 2, S_IFREG | 0644);
	uint64_t unique;

	(void)state;
	h_change(WIRE_REMOVE, 0x101, F, S_IFREG | 0644, "f");
	h_run_ms(2);
	unique = h_open_send(F, O_RDONLY);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
	unique = h_lookup_send(1, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, &next, NULL);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x101, &next, "next");
	assert_int_equal(h_answer(unique), 0);
	die();
	adopt();
	attach(0x101, F + 1);
	unique = h_open_send(F + 1, O_RDONLY);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_NONODE, 0x111, NULL, NULL);
	assert_int_equal(h_expect(WIRE_T_LOOKUP)->lookup.parent, 1);
	h_reply(h.msg.lookup.rid, ERR_OK, 0x111, &now, NULL);
	assert_int_equal(h_expect(WIRE_T_READ)->read.id, F + 2);
	h_reply(h.msg.read.rid, ERR_OK, 0x111, &now, "now");
	assert_int_equal(h_answer(unique), 0);
}

static struct fuse_create_in create_in = { .flags = O_RDWR | O_CREAT, .mode = 0644 };

static uint64_t
create_held(void)
{
	return h_request2(FUSE_CREATE, ino_make(INO_HELD, 1), &create_in, sizeof create_in, "h", 2);
}

static uint64_t
create_again(uint64_t unique)
{
	uint8_t body[sizeof create_in + 2];

	memcpy(body, &create_in, sizeof create_in);
	memcpy(body + sizeof create_in, "h", 2);
	return again(FUSE_CREATE, unique, ino_make(INO_HELD, 1), body, sizeof body);
}

/* The same handle's number, so that the node's holder is who has it open. */
static void
test_held(void **state)
{
	struct wire_stat stat = h_stat(32, S_IFREG | 01644);
	const struct fuse_open_out *open =
	    (const void *)(answer.body + sizeof(struct fuse_entry_out));
	uint64_t unique = create_held(), fh = h_expect(WIRE_T_CREATE)->create.handle;

	(void)state;
	stat.owner = H_SESSION;
	stat.handle = fh;
	die();
	create_again(unique);
	adopt();
	attach(SEEN, 0);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, unique * KERNEL_RIDS);
	assert_int_equal(h.msg.create.handle, fh);
	h_reply(unique * KERNEL_RIDS, ERR_OK, 0x111, &stat, NULL);
	assert_int_equal(h_answer(unique | H_RESEND_BIT), 0);
	assert_int_equal(open->fh, fh);
	h_expect(WIRE_T_FORGET);
	unique = h_release_send(ino_make(INO_ALIAS, 32), fh, O_RDWR);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 32);
	h_reply(unique * KERNEL_RIDS, ERR_OK, 0x112, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
}

/* Whoever wanted to hold it is gone: what was made of it goes, too. */
static void
test_held_by_nobody(void **state)
{
	struct wire_stat stat = h_stat(32, S_IFREG | 01644);
	uint64_t fh;

	(void)state;
	create_held();
	fh = h_expect(WIRE_T_CREATE)->create.handle;
	die();
	adopt();
	attach(SEEN, 0);
	assert_int_equal(h_expect(WIRE_T_FIND)->find.handle, fh);
	h_reply(h.msg.find.rid, ERR_OK, 0x111, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, 32);
	assert_true(h.msg.delete.rid > h.unique * KERNEL_RIDS);
	h_reply(h.msg.delete.rid, ERR_OK, 0x112, NULL, NULL);
	h_run_ms(2);
	assert_null(handle_find(&h.fsd, fh));
}

/* A call of the dead process's echo is nobody's wish. */
static void
test_dead_thread(void **state)
{
	uint64_t unique = h.unique + 2, later = unique + 2;

	(void)state;
	h.fsd.kept->head->echo.pid = getpid();
	h.fsd.kept->head->echo.tid = gettid();
	h.fsd.kept->head->echo.granted = (struct echo_mark){ 0x105, 2 };
	h.fsd.kept->head->echo.done = (struct echo_mark){ 0x105, 1 };
	die();
	again(FUSE_UNLINK, unique, 1, "f", 2);
	adopt();
	assert_int_equal(h_answer(unique | H_RESEND_BIT), -EINTR);
	/* Its event has not been raised. */
	assert_int_equal(h.fsd.kept->head->echo.done.index, 1);
	h_send_raw(FUSE_UNLINK, later, 1, (uint32_t)getpid(), "f", 2);
	assert_int_equal(h_answer(later), -EINTR);
	attach(SEEN, 0);
	h_nothing_sent(2);
}

/* It did not wait for the answer that it was to get last: the event has been raised. */
static void
test_granted(void **state)
{
	(void)state;
	h.fsd.kept->head->echo.pid = 1;
	h.fsd.kept->head->echo.tid = 3000000;
	h.fsd.kept->head->echo.granted = (struct echo_mark){ 0x105, 2 };
	h.fsd.kept->head->echo.done = (struct echo_mark){ 0x105, 1 };
	die();
	adopt();
	assert_int_equal(h.fsd.kept->head->echo.done.index, 2);
}

/* Numbers that stand for more than fits into them are known on. */
static void
test_qualified(void **state)
{
	struct modifier modifier = { .versioned = true, .version = 3 }, other = { .version = 4 };
	uint64_t ino = qualified_ino(&h.fsd, INO_MODIFIER, 1, &modifier);

	(void)state;
	inode_ref(&h.fsd, ino);
	die();
	adopt();
	assert_non_null(qualified_find(&h.fsd, ino));
	assert_int_equal(qualified_find(&h.fsd, ino)->modifier.version, 3);
	assert_int_equal(qualified_ino(&h.fsd, INO_MODIFIER, 1, &modifier), ino);
	assert_true(qualified_ino(&h.fsd, INO_MODIFIER, 1, &other) != ino);
}

static uint64_t
look_up_txn(void)
{
	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_ZAB, 1), "txn")), 0);
	return ((const struct fuse_entry_out *)(const void *)answer.body)->nodeid;
}

/* Two who talk to the replica would be one node to the kernel, and wait for each other. */
static void
test_talks(void **state)
{
	uint64_t first = look_up_txn();

	(void)state;
	die();
	adopt();
	assert_true(look_up_txn() != first);
}

/* What another program wrote in another way is refused. */
static void
test_layout(void **state)
{
	(void)state;
	h.fsd.kept->head->layout++;
	errno = 0;
	assert_null(kept_open(dup(left_fd)));
	assert_int_equal(errno, EPROTO);
	h.fsd.kept->head->layout--;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entry_taken_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abandoned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trunc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_try, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_by_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(test_granted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_qualified, setup, teardown),
		cmocka_unit_test_setup_teardown(test_talks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layout, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
