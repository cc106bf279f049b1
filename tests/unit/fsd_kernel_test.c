/* The /dev/fuse side: INIT, what is refused without asking, what ends a life. */
#include "tests/unit/fsd_harness.h"

static void
test_init(void **state)
{
	const struct fuse_init_out *out = (const void *)answer.body;

	(void)state;
	h_begin(10000, false);
	assert_int_equal(out->major, FUSE_KERNEL_VERSION);
	/* What libfuse 3.14 forgets, and what must not be asked for. */
	assert_true((out->flags & FUSE_PARALLEL_DIROPS) != 0);
	assert_true((out->flags & FUSE_ATOMIC_O_TRUNC) != 0);
	assert_true((out->flags & FUSE_DO_READDIRPLUS) != 0);
	assert_true((out->flags & FUSE_READDIRPLUS_AUTO) != 0);
	assert_true((out->flags & FUSE_FLOCK_LOCKS) != 0);
	assert_true((out->flags & FUSE_POSIX_LOCKS) != 0);
	assert_true((out->flags & FUSE_WRITEBACK_CACHE) == 0);
	assert_int_equal(out->max_write, 1 << 20);
	assert_int_equal(out->max_pages, 256);
	assert_int_equal(out->time_gran, 1);
	h_teardown(NULL);
}

static void
test_refused_at_once(void **state)
{
	struct fuse_getxattr_in xattr = { .size = 0 };
	struct fuse_lk_in lock = { .fh = 1, .lk = { .type = F_WRLCK } };
	struct fuse_link_in link = { .oldnodeid = 7 };
	struct fuse_mknod_in fifo = { .mode = S_IFIFO | 0644 };
	struct fuse_fallocate_in fallocate = { .fh = 1, .length = 10 };

	(void)state;
	assert_int_equal(
	    h_answer(h_request2(FUSE_GETXATTR, 1, &xattr, sizeof xattr, "user.a", 7)), -ENOSYS);
	assert_int_equal(h_answer(h_request(FUSE_SETLK, 7, &lock, sizeof lock)), -EOPNOTSUPP);
	assert_int_equal(h_answer(h_request(FUSE_GETLK, 7, &lock, sizeof lock)), -EOPNOTSUPP);
	assert_int_equal(h_answer(h_request2(FUSE_LINK, 1, &link, sizeof link, "l", 2)), -EPERM);
	assert_int_equal(h_answer(h_request2(FUSE_MKNOD, 1, &fifo, sizeof fifo, "f", 2)), -EPERM);
	assert_int_equal(
	    h_answer(h_request(FUSE_FALLOCATE, 7, &fallocate, sizeof fallocate)), -EOPNOTSUPP);
	h_nothing_sent(1);
}

static void
test_unmounted(void **state)
{
	(void)state;
	close(h.device);
	h.device = dup(h.listener);
	h_run_ms(5);
	assert_true(h.gone);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test_setup_teardown(test_refused_at_once, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_unmounted, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
