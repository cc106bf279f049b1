/*
 * Locks: who is granted what, in which order, what converting and a session's end do, what is
 * decided against what is in flight, what a snapshot and an image keep. Randomized histories with
 * locks in them are in the tests of recovery and of pipelining.
 */
#include "tests/unit/tree_world.h"

#define NODE TREE_ROOT
#define SH 0u
#define EX WIRE_EXCLUSIVE
#define NB WIRE_AT_ONCE

struct fixture {
	struct world *world;
	struct client clients[CLIENTS];
};

static int
setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->world = world_new();
	for (int i = 0; i < CLIENTS; i++)
		fixture->clients[i].session = world_open(fixture->world);
	world_apply_all(fixture->world);
	*state = fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;

	world_free(fixture->world);
	free(fixture);
	return 0;
}

/* Proposed, not applied. */
static int
ask(struct fixture *fixture, int who, struct wire_msg msg)
{
	struct client *client = &fixture->clients[who];
	int code;

	set_rid(&msg, ++client->rid, client->acked);
	assert_int_equal(world_request(fixture->world, client->session, &msg, &code), PREP_PROPOSE);
	return code;
}

static int
lock_of(struct fixture *fixture, int who, uint64_t owner, uint32_t how)
{
	return ask(fixture, who,
	    (struct wire_msg){
		.type = WIRE_T_LOCK, .lock = { .id = NODE, .owner = owner, .how = how } });
}

static int
lock(struct fixture *fixture, int who, uint32_t how)
{
	return lock_of(fixture, who, 1, how);
}

static void
unlock(struct fixture *fixture, int who)
{
	assert_int_equal(
	    ask(fixture, who,
		(struct wire_msg){ .type = WIRE_T_UNLOCK, .unlock = { .id = NODE, .owner = 1 } }),
	    0);
}

/* What everybody has, a letter each: -, w(aits), s(hared), x. All is applied first. */
static void
assert_locks(struct fixture *fixture, const char *wanted)
{
	const struct tree *tree = fixture->world->tree;
	char got[CLIENTS + 1] = "---";

	world_apply_all(fixture->world);
	for (int i = 0; i < CLIENTS; i++) {
		const struct lock *found = tree_lock(tree, fixture->clients[i].session, NODE, 1);

		if (found != NULL)
			got[i] = (char)(!tree_lock_is_held(tree, found) ? 'w'
					: found->exclusive		? 'x'
									: 's');
	}
	assert_string_equal(got, wanted);
}

/* The locks that the last transaction has settled: how many, and whose the first is. */
static void
assert_settled(struct fixture *fixture, int count, int first)
{
	uint64_t zxid = 0, session;
	int n = 0;

	while (tree_next_settled(fixture->world->tree, zxid, &zxid, &session)) {
		if (n++ == 0)
			assert_int_equal(session, fixture->clients[first].session);
	}
	assert_int_equal(n, count);
}

static void
test_in_order(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(lock(fixture, 0, EX), 0);
	assert_int_equal(lock(fixture, 1, EX), ERR_AGAIN);
	assert_int_equal(lock(fixture, 2, SH), ERR_AGAIN);
	assert_locks(fixture, "xww");
	unlock(fixture, 0);
	assert_locks(fixture, "-xw");
	assert_settled(fixture, 2, 0); /* the one that went, and the one that has it */
	unlock(fixture, 1);
	assert_locks(fixture, "--s");
	unlock(fixture, 2);
	assert_locks(fixture, "---");
	assert_int_equal(tree_locks(fixture->world->tree), 0);
}

/* Those that share it have it together; behind one that wants it alone nobody joins them. */
static void
test_shared(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(lock(fixture, 0, SH), 0);
	assert_int_equal(lock(fixture, 1, SH), 0);
	assert_int_equal(lock(fixture, 2, EX), ERR_AGAIN);
	assert_int_equal(lock_of(fixture, 0, 2, SH | NB), ERR_AGAIN);
	assert_locks(fixture, "ssw");
	unlock(fixture, 1);
	assert_locks(fixture, "s-w");
	assert_settled(fixture, 1, 1);
	unlock(fixture, 0);
	assert_locks(fixture, "--x");
}

/* Who waits between them leaves: all that are behind get it together. */
static void
test_leaving(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(lock(fixture, 0, SH), 0);
	assert_int_equal(lock(fixture, 1, EX), ERR_AGAIN);
	assert_int_equal(lock(fixture, 2, SH), ERR_AGAIN);
	assert_int_equal(lock_of(fixture, 2, 2, SH), ERR_AGAIN);
	assert_locks(fixture, "sww");
	unlock(fixture, 1);
	assert_locks(fixture, "s-s");
	assert_settled(fixture, 3, 1);
}

/* The old one goes first, and the new one to the end. */
static void
test_converting(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(lock(fixture, 0, SH), 0);
	assert_int_equal(lock(fixture, 0, EX), 0);
	assert_locks(fixture, "x--");
	assert_int_equal(lock(fixture, 0, SH), 0);
	assert_int_equal(lock(fixture, 1, SH), 0);
	assert_int_equal(lock(fixture, 0, EX), ERR_AGAIN);
	assert_locks(fixture, "ws-");
	assert_int_equal(lock(fixture, 1, EX), ERR_AGAIN);
	assert_locks(fixture, "xw-"); /* no deadlock */
	assert_int_equal(lock(fixture, 0, SH | NB), ERR_AGAIN);
	assert_locks(fixture, "-x-"); /* it is lost by trying */
	unlock(fixture, 1);
	assert_locks(fixture, "---");
}

/* What is the same already stays where it is. */
static void
test_again(void **state)
{
	struct fixture *fixture = *state;
	uint64_t hash;

	assert_int_equal(lock(fixture, 0, EX), 0);
	assert_int_equal(lock(fixture, 1, EX), ERR_AGAIN);
	assert_int_equal(lock(fixture, 2, EX), ERR_AGAIN);
	assert_locks(fixture, "xww");
	hash = tree_lock(fixture->world->tree, fixture->clients[0].session, NODE, 1)->zxid;
	assert_int_equal(lock(fixture, 0, EX), 0);
	assert_int_equal(lock(fixture, 0, EX | NB), 0);
	assert_int_equal(lock(fixture, 1, EX), ERR_AGAIN);
	assert_locks(fixture, "xww");
	assert_int_equal(
	    tree_lock(fixture->world->tree, fixture->clients[0].session, NODE, 1)->zxid, hash);
	unlock(fixture, 0);
	/* In flight: it has it when that is applied. */
	assert_int_equal(lock(fixture, 1, EX), 0);
	assert_locks(fixture, "-xw");
}

/* At once means: against everything that is under way. */
static void
test_in_flight(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(lock(fixture, 0, EX), 0);
	assert_int_equal(lock(fixture, 1, SH | NB), ERR_AGAIN);
	unlock(fixture, 0);
	assert_int_equal(lock(fixture, 1, SH | NB), 0);
	assert_int_equal(lock(fixture, 2, SH | NB), 0);
	assert_int_equal(lock(fixture, 0, EX | NB), ERR_AGAIN);
	world_apply(fixture->world, 3);
	assert_int_equal(lock(fixture, 0, EX | NB), ERR_AGAIN);
	assert_locks(fixture, "-ss");
	assert_int_equal(prep_outstanding(fixture->world->prep), 0);
	/* What was proposed and never came is no lock. */
	unlock(fixture, 1);
	unlock(fixture, 2);
	world_apply_all(fixture->world);
	assert_int_equal(lock(fixture, 0, EX), 0);
	prep_reset(fixture->world->prep);
	assert_int_equal(lock(fixture, 1, EX | NB), 0);
}

/* A session that ends, though its end is only under way, has no lock. */
static void
test_session_end(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(lock(fixture, 0, EX), 0);
	world_apply_all(fixture->world);
	assert_int_equal(lock_of(fixture, 0, 2, EX), ERR_AGAIN);
	assert_int_equal(lock(fixture, 1, SH), ERR_AGAIN);
	assert_true(world_close(fixture->world, fixture->clients[0].session, true));
	assert_int_equal(lock(fixture, 2, EX | NB), ERR_AGAIN);
	assert_int_equal(lock(fixture, 2, SH | NB), 0);
	assert_locks(fixture, "-ss");
	assert_int_equal(tree_locks(fixture->world->tree), 2);
	assert_int_equal(tree_hash(fixture->world->tree), tree_hash_slow(fixture->world->tree));
}

static void
test_refused(void **state)
{
	struct fixture *fixture = *state;
	uint64_t next = tree_next_id(fixture->world->tree), made;

	assert_int_equal(lock(fixture, 0, 4), ERR_INVAL);
	assert_int_equal(
	    ask(fixture, 0,
		(struct wire_msg){ .type = WIRE_T_LOCK, .lock = { .id = next, .owner = 1 } }),
	    ERR_NONODE);
	assert_int_equal(ask(fixture, 0, (struct wire_msg){ .type = WIRE_T_LOCK }), ERR_NONODE);
	/* One that is gone can be locked by whoever has it open. */
	assert_int_equal(ask(fixture, 0,
			     (struct wire_msg){ .type = WIRE_T_CREATE,
				 .create = { .parent = TREE_ROOT,
				     .name = blob_of("f"),
				     .mode = S_IFREG | 0644 } }),
	    0);
	made = next;
	assert_int_equal(ask(fixture, 0,
			     (struct wire_msg){
				 .type = WIRE_T_DELETE, .delete = { .id = made, .version = -1 } }),
	    0);
	assert_int_equal(ask(fixture, 0,
			     (struct wire_msg){ .type = WIRE_T_LOCK,
				 .lock = { .id = made, .owner = 1, .how = EX } }),
	    0);
	assert_int_equal(ask(fixture, 1,
			     (struct wire_msg){ .type = WIRE_T_LOCK,
				 .lock = { .id = made, .owner = 1, .how = EX } }),
	    ERR_AGAIN);
	world_apply_all(fixture->world);
	assert_int_equal(tree_locks(fixture->world->tree), 2);
	/* What is not locked is unlocked, too. */
	unlock(fixture, 2);
	assert_int_equal(lock_of(fixture, 2, 1, EX), 0);
}

/* A retry gets the same answer, whatever has become of the lock. */
static void
test_retried(void **state)
{
	struct fixture *fixture = *state;
	struct wire_msg msg = { .type = WIRE_T_LOCK,
		.lock = { .id = NODE, .owner = 1, .how = EX } };
	const struct session *session;
	int code;

	assert_int_equal(lock(fixture, 0, EX), 0);
	set_rid(&msg, 7, 0);
	assert_int_equal(
	    world_request(fixture->world, fixture->clients[1].session, &msg, &code), PREP_PROPOSE);
	assert_int_equal(
	    world_request(fixture->world, fixture->clients[1].session, &msg, &code), PREP_WAIT);
	unlock(fixture, 0);
	assert_locks(fixture, "-x-");
	assert_int_equal(
	    world_request(fixture->world, fixture->clients[1].session, &msg, &code), PREP_DONE);
	session = tree_session(fixture->world->tree, fixture->clients[1].session);
	assert_int_equal(session_result(session, 7)->code, ERR_AGAIN);
}

/* Applied at once, without a look at the whole tree. */
static int
lock_quickly(struct fixture *fixture, uint64_t owner)
{
	struct world *world = fixture->world;
	struct wire_msg msg = { .type = WIRE_T_LOCK, .lock = { .id = NODE, .owner = owner } };
	struct client *client = &fixture->clients[0];
	struct txn txn;
	int code;

	set_rid(&msg, client->rid + 1, client->rid);
	client->rid++;
	assert_int_equal(prep_write(world->prep, client->session, &msg, ++world->zxid, 1, VALUE_MAX,
			     &world->zone, &txn, &code),
	    PREP_PROPOSE);
	code = txn.head.code;
	tree_apply(world->tree, &txn);
	assert_true(tree_fits(world->tree));
	prep_applied(world->prep, txn.zxid);
	msgpack_zone_clear(&world->zone);
	return code;
}

/* The bound: all of them are in one row of the image. */
static void
test_bound(void **state)
{
	struct fixture *fixture = *state;
	struct tree *full = fixture->world->tree, *tree = tree_new();
	struct store_session row;
	msgpack_sbuffer packed;
	uint64_t id = 0;

	for (uint64_t i = 0; i < TREE_LOCKS_MAX; i++)
		assert_int_equal(lock_quickly(fixture, i), 0);
	assert_int_equal(lock_quickly(fixture, TREE_LOCKS_MAX), ERR_NOLCK);
	assert_int_equal(tree_locks(full), TREE_LOCKS_MAX);
	tree_recovery_begin(tree);
	msgpack_sbuffer_init(&packed);
	while (image_next_session(full, id, &packed, &row)) {
		id = row.id;
		assert_true(row.results.len < WIRE_VALUE_MAX - 64 * WIRE_OUTSTANDING_MAX);
		assert_int_equal(image_load_session(tree, &row), 0);
	}
	image_load_done(tree, tree_applied(full), 2);
	tree_recovery_end(tree);
	assert_same_tree(full, tree);
	tree_free(tree);
	msgpack_sbuffer_destroy(&packed);
}

/* Rows of the image that no tree can have written. */
static void
test_bad_rows(void **state)
{
	struct fixture *fixture = *state;
	struct store_session row, other;
	struct tree *tree = tree_new();
	msgpack_sbuffer packed;
	struct blob two;

	assert_int_equal(lock_of(fixture, 0, 1, EX), 0);
	assert_int_equal(lock_of(fixture, 0, 2, EX), ERR_AGAIN);
	world_apply_all(fixture->world);
	msgpack_sbuffer_init(&packed);
	assert_true(image_next_session(fixture->world->tree, 0, &packed, &row));
	tree_recovery_begin(tree);
	other = row, other.id = row.id + 1;
	assert_int_equal(image_load_session(tree, &other), ERR_PROTO); /* another's locks */
	tree_free(tree);
	tree = tree_new();
	tree_recovery_begin(tree);
	two = row.results;
	row.results.len--;
	assert_int_equal(image_load_session(tree, &row), ERR_PROTO);
	tree_free(tree);
	tree = tree_new();
	tree_recovery_begin(tree);
	/* The one behind the other, and once more. */
	row.results = (struct blob){ malloc(2 * two.len), 2 * two.len };
	memcpy((uint8_t *)(uintptr_t)row.results.data, two.data, two.len);
	memcpy((uint8_t *)(uintptr_t)row.results.data + two.len, two.data, two.len);
	assert_int_equal(image_load_session(tree, &row), ERR_PROTO);
	free((void *)(uintptr_t)row.results.data);
	row.results = two;
	tree_free(tree);
	tree = tree_new();
	tree_recovery_begin(tree);
	assert_int_equal(image_load_session(tree, &row), 0);
	assert_int_equal(tree_locks(tree), 2);
	tree_free(tree);
	msgpack_sbuffer_destroy(&packed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leaving, setup, teardown),
		cmocka_unit_test_setup_teardown(test_converting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_flight, setup, teardown),
		cmocka_unit_test_setup_teardown(test_session_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retried, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_rows, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
