/*
 * Names that the kernel is to forget: the thread that tells it may hang there, and
 * has nothing open that would keep anybody waiting; what waits for it is bounded.
 */
#include "tests/unit/fsd_harness.h"

#include <dirent.h>

#define NAMES_MAX 1024 /* inode_drop.c's */

static _Atomic int told, held, descriptors;
static _Atomic bool hold;

/* Of the thread that asks, but for the standard ones. */
static int
count_descriptors(void)
{
	DIR *dir = opendir("/proc/thread-self/fd");
	const struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += atoi(entry->d_name) > STDERR_FILENO;
	closedir(dir);
	return count - 1;
}

/* In the kernel, until the test lets it go. */
static void
tells(void)
{
	descriptors = count_descriptors();
	held++;
	while (hold)
		usleep(50);
	told++;
}

static int
setup(void **state)
{
	told = held = 0;
	hold = true;
	h_apart = tells;
	return h_setup(state);
}

static int
teardown(void **state)
{
	hold = false;
	return h_teardown(state);
}

static void
until(const _Atomic int *count, int value)
{
	uint64_t end = fsd_now_ns() + H_WAIT_NS;

	while (*count < value) {
		assert_true(fsd_now_ns() < end);
		usleep(50);
	}
}

/* The name in a notification. */
static void
next_is(const char *name)
{
	uint8_t raw[512];
	const struct fuse_out_header *head = (const void *)raw;
	const struct fuse_notify_inval_entry_out *entry = (const void *)(head + 1);
	ssize_t n = recv(h.device, raw, sizeof raw, MSG_DONTWAIT);

	assert_true(n > (ssize_t)(sizeof *head + sizeof *entry));
	assert_int_equal(head->unique, 0);
	assert_int_equal(head->error, FUSE_NOTIFY_INVAL_ENTRY);
	assert_int_equal(entry->parent, 7);
	assert_string_equal((const char *)(entry + 1), name);
}

static void
test_apart(void **state)
{
	int before = count_descriptors();

	(void)state;
	inode_entry_drop(&h.fsd, 7, "one");
	inode_entry_drop(&h.fsd, 7, "two");
	until(&held, 1);
	inode_drops_stop(&h.fsd);
	assert_false(inode_drops_stopped(&h.fsd));
	hold = false;
	until(&told, 2);
	/* The device, and what it was borrowed by. Ours are as they were. */
	assert_int_equal(descriptors, 2);
	assert_int_equal(count_descriptors(), before);
	while (!inode_drops_stopped(&h.fsd))
		usleep(50);
	next_is("one");
	next_is("two");
	/* At the end nobody waits for a thread any more. */
	inode_entry_drop(&h.fsd, 7, "three");
	assert_false(h_packet());
	assert_int_equal(h.doubted, 1);
}

/* Where there is no room every name is doubted. */
static void
test_bound(void **state)
{
	int i;

	(void)state;
	inode_entry_drop(&h.fsd, 7, "first");
	until(&held, 1);
	for (i = 0; i < NAMES_MAX; i++)
		inode_entry_drop(&h.fsd, 7, "name");
	assert_false(h_packet());
	assert_int_equal(h.doubted, 0);
	inode_entry_drop(&h.fsd, 7, "more");
	assert_false(h_packet());
	assert_int_equal(h.doubted, 1);
	hold = false;
	until(&told, 1 + NAMES_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
