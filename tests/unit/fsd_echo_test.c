/*
 * The echo's queue without a mount: its bound, what coalesces, what is
 * withdrawn. A folder is the mount point, and in it a pipe is the echo's door:
 * whoever opens it stands still until the test opens the other end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fsd/echo_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 10

static char dir[64], zab[80], door[96];
static struct echo *echo;

static void
push(enum wire_change_kind kind, uint64_t id)
{
	struct wire_change change = { .kind = kind,
		.id = id,
		.mode = S_IFREG | 0644,
		.parent = 7,
		.name = { (const uint8_t *)"f", 1 } };

	echo_push(echo, &change);
}

static void
until_queued(uint32_t queued)
{
	time_t end = time(NULL) + WAIT_S;

	while (echo_queued(echo) != queued) {
		assert_true(time(NULL) < end);
		usleep(100);
	}
}

/* The thread has taken the first job and stands at the door. */
static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/fsd_echo.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(zab, sizeof zab, "%s/.zab", dir);
	snprintf(door, sizeof door, "%s/.echo", zab);
	assert_int_equal(mkdir(zab, 0755), 0);
	assert_int_equal(mkfifo(door, 0600), 0);
	echo = echo_new(NULL, dir, NULL, NULL);
	assert_non_null(echo);
	push(WIRE_ATTR, 2);
	until_queued(0);
	return 0;
}

static int
teardown(void **state)
{
	time_t end = time(NULL) + WAIT_S;
	int fd;

	(void)state;
	echo_stop(echo);
	fd = open(door, O_RDWR | O_CLOEXEC);
	while (!echo_stopped(echo)) {
		assert_true(time(NULL) < end);
		usleep(100);
	}
	echo_free(echo);
	close(fd);
	unlink(door);
	rmdir(zab);
	rmdir(dir);
	return 0;
}

/* What does not fit is counted, and nobody waits for it. */
static void
test_bound(void **state)
{
	uint64_t id;

	(void)state;
	for (id = 10; id < 10 + ECHO_QUEUE_MAX; id++)
		push(WIRE_ADD, id);
	assert_int_equal(echo_queued(echo), ECHO_QUEUE_MAX);
	assert_int_equal(echo_overflows(echo), 0);
	push(WIRE_ADD, id);
	push(WIRE_REMOVE, id);
	echo_push_zab(echo, 1, "session", 5);
	assert_int_equal(echo_queued(echo), ECHO_QUEUE_MAX);
	assert_int_equal(echo_overflows(echo), 3);
}

/* News of a value or of attributes that are waited for already are no job of their own. */
static void
test_coalescing(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		push(WIRE_VALUE, 10);
		push(WIRE_ATTR, 11);
		echo_push_zab(echo, 1, "session", 5);
	}
	assert_int_equal(echo_queued(echo), 3);
	/* But names come and go in turn, and a value is told on its side of them. */
	push(WIRE_REMOVE, 10);
	push(WIRE_ADD, 12);
	push(WIRE_REMOVE, 12);
	push(WIRE_ADD, 12);
	push(WIRE_VALUE, 12);
	push(WIRE_ATTR, 12);
	push(WIRE_VALUE, 12);
	assert_int_equal(echo_queued(echo), 10);
	/* Though the queue is full, what coalesces has room. */
	for (i = 0; i < ECHO_QUEUE_MAX - 10; i++)
		push(WIRE_ADD, 100 + (uint64_t)i);
	push(WIRE_VALUE, 12);
	assert_int_equal(echo_overflows(echo), 0);
}

/* Everything is taken in the end, and the thread ends when it is asked to. */
static void
test_run(void **state)
{
	uint64_t id;
	int fd;

	(void)state;
	for (id = 10; id < 20; id++)
		push(WIRE_ADD, id);
	echo_own(echo, 12, 0, NULL);
	assert_int_equal(echo_queued(echo), 10);
	fd = open(door, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	until_queued(0);
	assert_int_equal(echo_overflows(echo), 0);
	close(fd);
}

static uint64_t moved_at = 5;

static void
push_move(enum wire_change_kind kind, uint64_t id, const char *from, uint64_t id2, const char *to)
{
	struct wire_change change = { .kind = kind,
		.id = id,
		.id2 = id2,
		.mode = S_IFREG | 0644,
		.mode2 = S_IFDIR | 0755,
		.parent = 7,
		.parent2 = 8,
		.name = { (const uint8_t *)from, (uint32_t)strlen(from) },
		.name2 = { (const uint8_t *)to, (uint32_t)strlen(to) } };

	assert_true(echo_change(echo, ++moved_at, 1));
	echo_push(echo, &change);
}

static const struct echo_job *
nth(unsigned n)
{
	const struct echo_job *job = STAILQ_FIRST(&echo->queue);

	while (n-- > 0)
		job = STAILQ_NEXT(job, next);
	return job;
}

/* What has moved it here has an old name to tell of, and what was before it; not what is here. */
static void
test_own_moved(void **state)
{
	(void)state;
	push(WIRE_ADD, 10);
	push_move(WIRE_MOVE, 10, "a", 0, "b");
	push_move(WIRE_MOVE, 10, "b", 0, "c");
	push(WIRE_VALUE, 10);
	push_move(WIRE_MOVE, 11, "k", 10, "l");
	echo_own(echo, 10, 0, NULL);
	assert_false(nth(0)->cancelled || nth(1)->cancelled || nth(2)->cancelled);
	assert_false(nth(0)->to_nowhere || nth(1)->to_nowhere);
	assert_true(nth(0)->moved_on && nth(1)->moved_on && nth(2)->moved_on);
	assert_true(nth(2)->to_nowhere);
	assert_true(nth(3)->cancelled);
	assert_false(nth(4)->cancelled || nth(4)->to_nowhere || nth(4)->moved_on);
	/* And on, after it was moved here once more. */
	push_move(WIRE_MOVE, 10, "d", 0, "e");
	push(WIRE_ATTR, 10);
	echo_own(echo, 10, 9, "f");
	assert_true(nth(5)->to_nowhere);
	/* News of it are told where it is now. */
	assert_false(nth(6)->cancelled || nth(6)->moved_on);
	assert_int_equal(nth(6)->parent, 9);
	assert_string_equal(nth(6)->name, "f");
	assert_false(nth(2)->cancelled);
}

/* Of two that were exchanged either may be moved on, and then the other. */
static void
exchanged_and_moved_on(bool first)
{
	uint64_t a = first ? 10 : 20, b = a + 1, on = first ? a : b;
	unsigned before = echo_queued(echo);
	const struct echo_job *one, *other;

	push_move(WIRE_SWAP, a, "a", b, "b");
	echo_own(echo, on, 9, "e");
	assert_int_equal(echo_queued(echo), before + 2);
	one = nth(before);
	other = nth(before + 1);
	assert_int_equal(one->kind, ECHO_MOVE);
	assert_int_equal(one->ino, on);
	assert_int_equal(one->ino2, 0);
	assert_int_equal(one->parent, first ? 7 : 8);
	assert_string_equal(one->name, first ? "a" : "b");
	assert_true(one->to_nowhere);
	assert_int_equal(other->kind, ECHO_MOVE);
	assert_int_equal(other->ino, first ? b : a);
	assert_int_equal(other->ino2, 0);
	assert_int_equal(other->mode, first ? S_IFDIR | 0755 : S_IFREG | 0644);
	assert_int_equal(other->parent, first ? 8 : 7);
	assert_int_equal(other->parent2, first ? 7 : 8);
	assert_string_equal(other->name, first ? "b" : "a");
	assert_string_equal(other->name2, first ? "a" : "b");
	assert_false(other->to_nowhere || other->moved_on);
	/* Until both are told neither is. */
	assert_true(echo_mark_before(&one->mark, &other->mark));
	echo_own(echo, other->ino, 9, "o");
	assert_true(other->to_nowhere);
}

/* Of two that were exchanged either may be moved on, and then the other. */
static void
test_own_exchanged(void **state)
{
	(void)state;
	exchanged_and_moved_on(true);
	exchanged_and_moved_on(false);
}

static void
until_told(const struct echo_kept *kept, uint64_t zxid, uint64_t index)
{
	time_t end = time(NULL) + WAIT_S;

	while (kept->done.zxid != zxid || kept->done.index != index || kept->pending) {
		assert_true(time(NULL) < end);
		usleep(100);
	}
}

/* What a process that goes on has to tell, and what not. */
static void
test_kept(void **state)
{
	struct echo_kept kept = { .done = { 5, 1 }, .pending = true };
	int fd;

	(void)state;
	echo_keep(echo, &kept);
	assert_int_equal(kept.pid, getpid());
	assert_int_not_equal(kept.tid, gettid());
	assert_false(kept.pending);
	assert_false(echo_change(echo, 4, 9));
	assert_false(echo_change(echo, 5, 1));
	/* What comes of a transaction depends on what the kernel knows by now. */
	assert_true(echo_change(echo, 5, 3));
	push(WIRE_ADD, 10);
	assert_true(kept.pending);
	assert_int_equal(kept.done.zxid, 5);
	assert_int_equal(kept.done.index, 2);
	assert_true(echo_change(echo, 7, 1));
	push(WIRE_ADD, 11);
	fd = open(door, O_RDWR | O_CLOEXEC);
	until_told(&kept, 7, 1);
	/* The next one behind it is all that there is to tell. */
	assert_true(echo_change(echo, 9, 1));
	assert_true(echo_change(echo, 9, 2));
	push(WIRE_ADD, 12);
	until_told(&kept, 9, 2);
	/* Another connection begins with the first of a transaction. */
	assert_false(echo_change(echo, 9, 1));
	assert_false(echo_change(echo, 9, 2));
	assert_true(echo_change(echo, 9, 3));
	close(fd);
}

/* A zxid from which on nothing was told would be one that no replica ever has. */
static void
test_kept_from_the_beginning(void **state)
{
	static struct echo_kept kept;

	(void)state;
	echo_keep(echo, &kept);
	echo_push_zab(echo, 1, "session", 5);
	assert_false(kept.pending);
	assert_true(echo_change(echo, 7, 1));
	push(WIRE_ADD, 10);
	assert_true(kept.pending);
	assert_int_equal(kept.done.zxid, 7);
	assert_int_equal(kept.done.index, 0);
}

/* The answer that raises an event was about to be given, or had been. */
static void
test_settled(void **state)
{
	struct echo_kept kept = { .done = { 5, 1 }, .granted = { 5, 2 } };

	(void)state;
	echo_settle(&kept, true);
	assert_int_equal(kept.done.index, 1);
	/* The next process dies before it has told it. */
	echo_settle(&kept, false);
	assert_int_equal(kept.done.index, 1);
	kept.granted = (struct echo_mark){ 5, 2 };
	echo_settle(&kept, false);
	assert_int_equal(kept.done.index, 2);
	kept.granted = (struct echo_mark){ 5, 2 };
	kept.done = (struct echo_mark){ 6, 1 };
	echo_settle(&kept, false);
	assert_int_equal(kept.done.zxid, 6);
}

/* A folder that is not our mount: nothing is made in it. */
static void
test_not_ours(void **state)
{
	struct wire_change change = { .kind = WIRE_ADD,
		.id = 9,
		.mode = S_IFREG | 0644,
		.parent = FUSE_ROOT_ID,
		.name = { (const uint8_t *)"f", 1 } };
	char path[96];
	int fd;

	(void)state;
	echo_push(echo, &change);
	fd = open(door, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	until_queued(0);
	push(WIRE_ATTR, 2);
	until_queued(0);
	close(fd);
	snprintf(path, sizeof path, "%s/f", dir);
	assert_int_not_equal(access(path, F_OK), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_coalescing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_moved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_exchanged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept_from_the_beginning, setup, teardown),
		cmocka_unit_test(test_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
