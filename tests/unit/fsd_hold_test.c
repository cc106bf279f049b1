/*
 * A write that follows a read, under the id of one request: writes that are asked for meanwhile wait
 * for it, since each promises that no lesser id comes any more. Reads don't.
 */
#include "tests/unit/fsd_harness.h"

#include "fsd/ino.h"

#define F UINT64_C(30)

/* The root's .zab/ttl=5 */
static uint64_t
ttl(void)
{
	struct modifier modifier = { .owner = WIRE_TTL, .ttl_ms = 5000 };

	return qualified_ino(&h.fsd, INO_MODIFIER, 1, &modifier);
}

static struct wire_stat
made(void)
{
	struct wire_stat stat = h_stat(F, S_IFREG | 0644);

	stat.owner = WIRE_OWNER_TTL | 5000;
	return stat;
}

static uint64_t
mkdir_send(void)
{
	struct fuse_mkdir_in in = { .mode = 0755 };

	return h_request2(FUSE_MKDIR, 1, &in, sizeof in, "d", 2);
}

static void
mkdir_comes(uint64_t unique)
{
	struct wire_stat stat = h_stat(40, S_IFDIR | 0755);

	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(unique));
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
}

static void
test_remove(void **state)
{
	uint64_t before = mkdir_send(), unique, later, read, asked;
	struct wire_stat stat = made();

	(void)state;
	h_expect(WIRE_T_CREATE);
	unique = h_request(FUSE_UNLINK, ttl(), "f", 2);
	asked = h_expect(WIRE_T_LOOKUP)->lookup.rid;
	later = mkdir_send();
	h_nothing_sent(2);
	/* What was sent before is answered, and reads go on. */
	h_reply(before, ERR_EXISTS, 0x101, NULL, NULL);
	assert_int_equal(h_answer(before), -EEXIST);
	read = h_lookup_send(1, "x");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(read), -ENOENT);
	h_reply(asked, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.rid, H_RID(unique));
	assert_int_equal(h.msg.delete.acked, H_RID(unique) - 1);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(later));
	assert_int_equal(h.msg.create.acked, H_RID(unique) - 1);
	h_expect(WIRE_T_FORGET);
	h_reply(unique, ERR_OK, 0x102, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
}

static void
test_setattr(void **state)
{
	struct fuse_setattr_in in = { .valid = FATTR_MODE, .mode = S_IFREG | 0600 };
	struct modifier modifier = { .owner = WIRE_TTL, .ttl_ms = 5000 };
	uint64_t ino = qualified_ino(&h.fsd, INO_REACHED, F, &modifier), unique, later;
	struct wire_stat stat = made();

	(void)state;
	unique = h_request(FUSE_SETATTR, ino, &in, sizeof in);
	h_expect(WIRE_T_GETATTR);
	later = mkdir_send();
	h_nothing_sent(2);
	h_reply(h.msg.getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_SETATTR)->setattr.rid, H_RID(unique));
	h_reply(unique, ERR_OK, 0x102, &stat, NULL);
	h_answer_any();
	assert_int_equal(answer.head.unique, unique);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(later));
}

/* There is none to come. */
static void
test_nothing_to_write(void **state)
{
	uint64_t unique = h_request(FUSE_UNLINK, ttl(), "f", 2), later;

	(void)state;
	h_expect(WIRE_T_LOOKUP);
	later = mkdir_send();
	h_nothing_sent(2);
	h_reply(h.msg.lookup.rid, ERR_NONODE, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	mkdir_comes(later);
}

/* Nor when the process is killed before anything was asked, */
static void
test_killed(void **state)
{
	uint64_t ino = ttl(), unique, later;

	(void)state;
	close(h.replica);
	h.replica = -1;
	h_until_state(LINK_CONNECTING);
	unique = h_request_of(H_DEAD_TID, FUSE_UNLINK, ino, "f", 2);
	later = mkdir_send();
	h_interrupt(unique);
	assert_int_equal(h_answer(unique), -EINTR);
	h_open(0x100);
	mkdir_comes(later);
}

/* and in which order they wait is the same for the next connection. */
static void
test_connected_again(void **state)
{
	uint64_t first = mkdir_send(), unique, later;
	struct wire_stat stat = made();

	(void)state;
	h_expect(WIRE_T_CREATE);
	unique = h_request(FUSE_UNLINK, ttl(), "f", 2);
	h_expect(WIRE_T_LOOKUP);
	later = mkdir_send();
	h_run_ms(2);
	close(h.replica);
	h.replica = -1;
	h_until_state(LINK_CONNECTING);
	h_open(0x100);
	mkdir_comes(first);
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.rid, H_RID(unique));
	h_expect(WIRE_T_CREATE);
	h_expect(WIRE_T_FORGET);
	/* No room: it stays the first. */
	h_reply(later, ERR_BUSY, 0x101, NULL, NULL);
	h_reply(unique, ERR_BUSY, 0x101, NULL, NULL);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.rid, H_RID(unique));
	h_reply(unique, ERR_OK, 0x102, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
	mkdir_comes(later);
}

/* The close of a file that nobody knows, which may have a lock: whether it holds the node first. */
static void
test_release(void **state)
{
	uint64_t unique = h_release_lock_send(ino_make(INO_ALIAS, F), 77, O_RDWR), later;
	struct wire_stat stat = made();

	(void)state;
	h_expect(WIRE_T_GETATTR);
	later = mkdir_send();
	h_nothing_sent(2);
	h_reply(h.msg.getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_UNLOCK)->unlock.rid, H_RID(unique) + 1);
	h_reply(H_RID(unique) + 1, ERR_OK, 0x101, NULL, NULL);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.rid, H_RID(later));
	assert_int_equal(h_answer(unique), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, h_setup, h_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_remove),
		T(test_setattr),
		T(test_nothing_to_write),
		T(test_killed),
		T(test_connected_again),
		T(test_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
