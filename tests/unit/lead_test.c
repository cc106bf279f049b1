/*
 * Requests that are ahead of the leader's tree: all of them are taken when it has caught up, one
 * after the other, on a stack that is not larger for it.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SESSION UINT64_C(1)
#define STACK (256u << 10)

static struct conf_member members[] = { { .id = 1 }, { .id = 2 }, { .id = 3 } };
static const struct conf conf = { .tick_ms = 200,
	.init_limit = 10,
	.sync_limit = 5,
	.sessions_max = 10,
	.members = members,
	.nmembers = 3 };

/* A leader that waits for the word of a quorum already. */
static void
setup_leader(struct replica *replica)
{
	*replica = (struct replica){
		.conf = &conf, .member = 1, .leading = true, .serving = true, .round_asked = 1
	};
	replica->zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	msgpack_sbuffer_init(&replica->scratch);
	LIST_INIT(&replica->openings);
	STAILQ_INIT(&replica->doubts);
	STAILQ_INIT(&replica->early);
	STAILQ_INIT(&replica->hand_overs);
	replica->tree = tree_new();
	replica->prep = prep_new(replica->tree);
	order_init(replica);
}

static void
free_leader(struct replica *replica)
{
	lead_drop(replica);
	attend_free(replica);
	prep_free(replica->prep);
	tree_free(replica->tree);
	free(replica->zab);
	msgpack_sbuffer_destroy(&replica->scratch);
	msgpack_zone_free(replica->zone);
}

static void
open_session(struct replica *replica)
{
	static const uint8_t secret[WIRE_SECRET_LEN];
	struct txn txn;

	prep_session_open(
	    replica->prep, SESSION, 1, secret, 10000, (struct blob){ 0 }, replica->zone, &txn);
	tree_apply(replica->tree, &txn);
	prep_applied(replica->prep, SESSION);
	attend_opened(replica, &txn);
	msgpack_zone_clear(replica->zone);
}

static void *
run(void *arg)
{
	lead_run(arg);
	return NULL;
}

static void
test_many_that_are_early(void **state)
{
	struct wire_msg ping = { .type = WIRE_T_PING };
	struct replica replica;
	pthread_attr_t attr;
	pthread_t thread;
	uint32_t i;

	(void)state;
	setup_leader(&replica);
	for (i = 0; i < LEAD_EARLY_MAX; i++)
		lead_take(&replica, 1, SESSION, 1, &ping);
	assert_int_equal(replica.nearly, LEAD_EARLY_MAX);
	open_session(&replica);
	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstacksize(&attr, STACK), 0);
	assert_int_equal(pthread_create(&thread, &attr, run, &replica), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	assert_int_equal(replica.nearly, 0);
	assert_int_equal(replica.early_bytes, 0);
	assert_int_equal(replica.ndoubts, LEAD_EARLY_MAX);
	free_leader(&replica);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_that_are_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
