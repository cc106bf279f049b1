/* The core of an ensemble of one: what it asks to be durable, and when it lets go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/zab/zab.h"

static struct zab_output
step(struct zab *zab, struct zab_event event)
{
	struct zab_output out;

	zab_step(zab, &event, &out);
	return out;
}

static struct zab
leading(uint64_t epoch, uint64_t last_zxid)
{
	struct zab_event start = { .type = ZAB_EVENT_START };
	struct zab zab;

	start.start.accepted_epoch = epoch;
	start.start.current_epoch = epoch;
	start.start.last_zxid = last_zxid;
	step(&zab, start);
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_EPOCHS_LOGGED });
	return zab;
}

static uint64_t
propose(struct zab *zab)
{
	uint64_t zxid = zab_next_zxid(zab);

	assert_true(
	    step(zab, (struct zab_event){ .type = ZAB_EVENT_PROPOSE, .zxid = zxid }).persist_row);
	return zxid;
}

static void
test_start_commits_the_log_and_asks_for_a_new_epoch(void **state)
{
	struct zab_event start = { .type = ZAB_EVENT_START,
		.start = { .accepted_epoch = 7,
		    .current_epoch = 6,
		    .last_zxid = (UINT64_C(6) << 32) | 9 } };
	struct zab zab;
	struct zab_output out = step(&zab, start);

	(void)state;
	assert_true(out.deliver);
	assert_int_equal(out.deliver_zxid, (UINT64_C(6) << 32) | 9);
	assert_true(out.persist_epochs);
	assert_int_equal(out.accepted_epoch, 8);
	assert_int_equal(out.current_epoch, 8);
}

static void
test_nothing_is_proposed_before_the_epoch_is_durable(void **state)
{
	struct zab_event start = { .type = ZAB_EVENT_START };
	struct zab zab;

	(void)state;
	step(&zab, start);
	assert_int_equal(zab_next_zxid(&zab), 0);
	assert_int_equal(zab.role, ZAB_LOOKING);
	assert_true(step(&zab, (struct zab_event){ .type = ZAB_EVENT_EPOCHS_LOGGED }).role_changed);
	assert_int_equal(zab.role, ZAB_LEADING);
	assert_int_equal(zab_next_zxid(&zab), (UINT64_C(1) << 32) | 1);
}

static void
test_an_epoch_is_never_used_twice(void **state)
{
	struct zab zab = leading(3, (UINT64_C(3) << 32) | 5);

	(void)state;
	assert_int_equal(zab_zxid_epoch(propose(&zab)), 4);
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_LOG_LOST, .zxid = zab.last_logged });
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_TICK });
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_EPOCHS_LOGGED });
	assert_int_equal(zab_next_zxid(&zab), (UINT64_C(5) << 32) | 1);
}

static void
test_rows_are_delivered_only_when_durable(void **state)
{
	struct zab zab = leading(0, 0);
	uint64_t first = propose(&zab), second = propose(&zab);
	struct zab_output out;

	(void)state;
	assert_int_equal(second, first + 1);
	assert_int_equal(zab.committed, 0);
	out = step(&zab, (struct zab_event){ .type = ZAB_EVENT_LOGGED, .zxid = first });
	assert_true(out.deliver);
	assert_int_equal(out.deliver_zxid, first);
	/* A completion that brings nothing new delivers nothing again. */
	assert_false(
	    step(&zab, (struct zab_event){ .type = ZAB_EVENT_LOGGED, .zxid = first }).deliver);
	out = step(&zab, (struct zab_event){ .type = ZAB_EVENT_LOGGED, .zxid = second });
	assert_int_equal(out.deliver_zxid, second);
}

static void
test_rows_link_to_the_one_before(void **state)
{
	struct zab zab = leading(1, (UINT64_C(1) << 32) | 2);
	struct zab_output out;

	(void)state;
	out = step(
	    &zab, (struct zab_event){ .type = ZAB_EVENT_PROPOSE, .zxid = zab_next_zxid(&zab) });
	assert_int_equal(out.row_prev_zxid, (UINT64_C(1) << 32) | 2);
	assert_int_equal(out.row_zxid, (UINT64_C(2) << 32) | 1);
	out = step(
	    &zab, (struct zab_event){ .type = ZAB_EVENT_PROPOSE, .zxid = zab_next_zxid(&zab) });
	assert_int_equal(out.row_prev_zxid, (UINT64_C(2) << 32) | 1);
}

static void
test_a_full_disk_voids_what_is_outstanding(void **state)
{
	struct zab zab = leading(0, 0);
	uint64_t kept = propose(&zab);
	struct zab_output out;

	(void)state;
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_LOGGED, .zxid = kept });
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_DELIVERED, .count = 1 });
	propose(&zab);
	out = step(&zab, (struct zab_event){ .type = ZAB_EVENT_LOG_LOST, .zxid = kept });
	assert_true(out.drop_outstanding);
	assert_true(out.role_changed);
	assert_int_equal(zab_next_zxid(&zab), 0);
	assert_int_equal(zab.committed, kept);
	assert_true(step(&zab, (struct zab_event){ .type = ZAB_EVENT_TICK }).persist_epochs);
	/* While that is under way, a tick asks for nothing. */
	assert_false(step(&zab, (struct zab_event){ .type = ZAB_EVENT_TICK }).persist_epochs);
}

static void
test_outstanding_proposals_are_bounded(void **state)
{
	struct zab zab = leading(0, 0);
	uint64_t last = 0;
	int i;

	(void)state;
	for (i = 0; i < ZAB_OUTSTANDING_MAX; i++)
		last = propose(&zab);
	assert_int_equal(zab_next_zxid(&zab), 0);
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_LOGGED, .zxid = last });
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_DELIVERED, .count = ZAB_OUTSTANDING_MAX });
	assert_int_equal(zab_next_zxid(&zab), last + 1);
}

static void
test_the_counter_rolls_over_into_a_new_epoch(void **state)
{
	struct zab zab = leading(0, 0);
	uint64_t last;
	struct zab_output out;

	(void)state;
	propose(&zab);
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_LOGGED, .zxid = zab.last_proposed });
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_DELIVERED, .count = 1 });
	/* Nobody waits for four billion proposals. */
	zab.last_proposed = zab.last_logged = zab.committed = (UINT64_C(1) << 32) | 0xfffffffe;
	last = propose(&zab);
	assert_int_equal(zab_zxid_counter(last), UINT32_MAX);
	assert_int_equal(zab_next_zxid(&zab), 0);
	out = step(&zab, (struct zab_event){ .type = ZAB_EVENT_LOGGED, .zxid = last });
	assert_true(out.deliver);
	assert_true(out.persist_epochs);
	assert_int_equal(out.current_epoch, 2);
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_DELIVERED, .count = 1 });
	step(&zab, (struct zab_event){ .type = ZAB_EVENT_EPOCHS_LOGGED });
	assert_int_equal(zab_next_zxid(&zab), (UINT64_C(2) << 32) | 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_commits_the_log_and_asks_for_a_new_epoch),
		cmocka_unit_test(test_nothing_is_proposed_before_the_epoch_is_durable),
		cmocka_unit_test(test_an_epoch_is_never_used_twice),
		cmocka_unit_test(test_rows_are_delivered_only_when_durable),
		cmocka_unit_test(test_rows_link_to_the_one_before),
		cmocka_unit_test(test_a_full_disk_voids_what_is_outstanding),
		cmocka_unit_test(test_outstanding_proposals_are_bounded),
		cmocka_unit_test(test_the_counter_rolls_over_into_a_new_epoch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
