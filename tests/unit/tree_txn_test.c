/*
 * Log rows: every operation survives the round trip, changes follow from it,
 * and no bytes whatever do harm: what is accepted can be applied in recovery.
 */
#include "tests/unit/tree_world.h"

#include "replica/tree/change.h"

#define OPS 7

static struct txn_op ops[OPS];

static struct txn
sample(void)
{
	struct txn txn = { .zxid = 9, .nops = OPS, .ops = ops };

	memset(ops, 0, sizeof(ops));
	txn.head = (struct txn_head){
		.session = 3, .rid = 4, .acked = 2, .flags = 1, .time_ns = INT64_MAX, .result_id = 7
	};
	ops[0].type = TXN_CREATE;
	ops[0].create = (struct txn_create){ 7, 1, blob_of("n"), S_IFREG | 0644, 1, 2, 3, 4, 5,
		blob_of("value") };
	ops[1].type = TXN_DELETE;
	ops[1].delete = (struct txn_delete){ 8, 1, blob_of("d"), S_IFDIR | 0755, 6 };
	ops[2].type = TXN_WRITE;
	ops[2].write = (struct txn_write){ .id = 7,
		.parent = 1,
		.name = blob_of("n"),
		.mode = S_IFREG | 0644,
		.version = 1,
		.size = 9,
		.offset = 2,
		.data = blob_of("abc") };
	ops[3].type = TXN_ATTR;
	ops[3].attr = (struct txn_attr){ 7, 1, blob_of("n"), 1, S_IFREG | 0600, 1, 2, 1 };
	ops[4].type = TXN_RENAME;
	ops[4].rename = (struct txn_rename){ 7, 1, blob_of("n"), S_IFREG | 0600, 9, 2, blob_of("m"),
		S_IFREG | 0644, 0, 7, 8 };
	ops[5].type = TXN_SESSION_OPEN;
	ops[5].session_open =
	    (struct txn_session_open){ 9, blob_of("0123456789abcdef"), 5, blob_of("host:/mnt") };
	ops[6].type = TXN_SESSION_CLOSE;
	ops[6].session_close = (struct txn_session_close){ 9, 1 };
	return txn;
}

static void
test_round_trip(void **state)
{
	struct txn txn = sample(), back;
	msgpack_sbuffer one, two;
	msgpack_zone zone;
	struct blob in;

	(void)state;
	assert_true(msgpack_zone_init(&zone, 1024));
	msgpack_sbuffer_init(&one);
	msgpack_sbuffer_init(&two);
	txn_pack(&one, &txn);
	in = (struct blob){ (const uint8_t *)one.data, (uint32_t)one.size };
	assert_int_equal(txn_unpack(in, 9, &zone, &back), 0);
	assert_int_equal(back.zxid, 9);
	assert_int_equal(back.nops, OPS);
	assert_int_equal(back.head.time_ns, INT64_MAX);
	assert_int_equal(back.ops[2].write.mode, S_IFREG | 0644);
	assert_same_blob(back.ops[4].rename.name2, blob_of("m"));
	txn_pack(&two, &back);
	assert_int_equal(one.size, two.size);
	assert_memory_equal(one.data, two.data, one.size);
	/* Cut anywhere, or with something behind it: refused. */
	for (uint32_t len = 0; len < one.size; len++) {
		in.len = len;
		if (txn_unpack(in, 9, &zone, &back) == 0)
			assert_true(back.nops < OPS);
	}
	msgpack_sbuffer_write(&two, "\xc0", 1);
	in = (struct blob){ (const uint8_t *)two.data, (uint32_t)two.size };
	assert_int_equal(txn_unpack(in, 9, &zone, &back), ERR_PROTO);
	msgpack_sbuffer_destroy(&one);
	msgpack_sbuffer_destroy(&two);
	msgpack_zone_destroy(&zone);
}

static int
repacked(const struct txn *txn)
{
	struct txn back;
	msgpack_sbuffer out;
	msgpack_zone zone;
	int code;

	assert_true(msgpack_zone_init(&zone, 1024));
	msgpack_sbuffer_init(&out);
	txn_pack(&out, txn);
	code = txn_unpack(
	    (struct blob){ (const uint8_t *)out.data, (uint32_t)out.size }, 9, &zone, &back);
	msgpack_sbuffer_destroy(&out);
	msgpack_zone_destroy(&zone);
	return code;
}

/* Well-formed, but nothing that a request processor makes. */
static void
test_nonsense(void **state)
{
	struct txn txn;

	(void)state;
	txn = sample();
	assert_int_equal(repacked(&txn), 0);
	ops[0].create.id = 0;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[0].create.id = TREE_ID_MAX + 1;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[0].create.name = blob_of("a/b");
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[0].create.mode = S_IFCHR;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[1].delete.id = TREE_ROOT;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[2].write.offset = 8;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[2].write.size = WIRE_VALUE_MAX + 1;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[2].write.whole = 1;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[4].rename.id2 = ops[4].rename.id;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[4].rename.id2 = 0, ops[4].rename.exchange = 1;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), ops[5].session_open.secret.len = 15;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn = sample(), txn.head.code = ERR_EXISTS;
	assert_int_equal(repacked(&txn), ERR_PROTO);
	txn.nops = 0;
	assert_int_equal(repacked(&txn), 0);
	txn.head.code = 1;
	assert_int_equal(repacked(&txn), ERR_PROTO);
}

static void
test_changes(void **state)
{
	static const enum wire_change_kind kinds[] = { WIRE_ADD, WIRE_REMOVE, WIRE_VALUE, WIRE_ATTR,
		WIRE_MOVE };
	struct txn txn = sample();
	struct wire_change change;

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		assert_true(change_of(&txn, i, &change));
		assert_int_equal(change.kind, kinds[i]);
		assert_int_equal(change.zxid, 9);
		assert_int_equal(change.op, i + 1);
		assert_int_equal(change.last, 0);
		assert_int_equal(change.parent, 1);
		assert_true(S_ISREG(change.mode) || S_ISDIR(change.mode));
	}
	assert_int_equal(change.id2, 9);
	assert_int_equal(change.parent2, 2);
	assert_same_blob(change.name2, blob_of("m"));
	ops[4].rename.exchange = 1;
	assert_true(change_of(&txn, 4, &change));
	assert_int_equal(change.kind, WIRE_SWAP);
	assert_false(change_of(&txn, 5, &change));
	assert_false(change_of(&txn, 6, &change));
}

/* A malloc'ed copy of the exact size, so that ASan sees a read behind it. */
static void
feed(const uint8_t *bytes, size_t len, msgpack_zone *zone, uint32_t *accepted)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);
	struct txn txn;
	int code;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	code = txn_unpack((struct blob){ copy, (uint32_t)len }, 9, zone, &txn);
	assert_true(code == 0 || code == ERR_PROTO);
	if (code == 0) {
		struct tree *tree = tree_new();

		tree_recovery_begin(tree);
		tree_apply(tree, &txn);
		assert_true(tree_fits(tree));
		assert_int_equal(tree_hash(tree), tree_hash_slow(tree));
		tree_free(tree);
		++*accepted;
	}
	msgpack_zone_clear(zone);
	free(copy);
}

static void
test_damaged(void **state)
{
	struct txn txn = sample();
	struct rng rng = { 1 };
	uint32_t accepted = 0;
	msgpack_sbuffer out;
	msgpack_zone zone;
	uint8_t bytes[512];

	(void)state;
	assert_true(msgpack_zone_init(&zone, 1024));
	msgpack_sbuffer_init(&out);
	txn_pack(&out, &txn);
	assert_true(out.size < sizeof(bytes));
	for (int i = 0; i < 300000; i++) {
		size_t len = out.size;

		memcpy(bytes, out.data, len);
		for (uint32_t flips = 1 + rng_below(&rng, 4); flips > 0; flips--)
			bytes[rng_below(&rng, (uint32_t)len)] ^=
			    (uint8_t)(1u << rng_below(&rng, 8));
		if (rng_below(&rng, 4) == 0)
			len = rng_below(&rng, (uint32_t)len);
		feed(bytes, len, &zone, &accepted);
	}
	assert_true(accepted > 1000);
	for (int i = 0; i < 100000; i++) {
		uint32_t len = rng_below(&rng, 64);

		for (uint32_t at = 0; at < len; at++)
			bytes[at] = (uint8_t)rng_next(&rng);
		feed(bytes, len, &zone, &accepted);
	}
	msgpack_sbuffer_destroy(&out);
	msgpack_zone_destroy(&zone);
}

static bool
fits(const struct txn *txn)
{
	struct tree *tree = tree_new();
	bool fit;

	tree_apply(tree, txn);
	fit = tree_fits(tree);
	assert_int_equal(tree_hash(tree), tree_hash_slow(tree));
	tree_free(tree);
	return fit;
}

/* In service a row expects what an empty tree does not have. */
static void
test_misfits(void **state)
{
	struct txn all = sample(), one = { .zxid = 9, .nops = 1 };

	(void)state;
	for (int i = 0; i < OPS; i++) {
		one.ops = &all.ops[i];
		assert_int_equal(fits(&one), one.ops->type == TXN_SESSION_OPEN);
	}
	one.ops = &all.ops[0];
	one.ops->create.owner = 0;
	one.ops->create.handle = 0;
	one.ops->create.parent_cversion = 1;
	assert_true(fits(&one));
	one.nops = 0;
	assert_true(fits(&one));
	/* A result that no session keeps. */
	one.head = all.head;
	assert_false(fits(&one));
}

/* A claim of very many operations costs no memory. */
static void
test_many(void **state)
{
	struct txn txn = { .zxid = 9 }, back;
	uint32_t n = 4u << 20;
	msgpack_sbuffer out;
	msgpack_zone zone;
	struct blob in;

	(void)state;
	assert_true(msgpack_zone_init(&zone, 1024));
	msgpack_sbuffer_init(&out);
	txn_pack(&out, &txn);
	for (uint32_t i = 0; i < n; i++)
		msgpack_sbuffer_write(&out, "\x90", 1);
	in = (struct blob){ (const uint8_t *)out.data, (uint32_t)out.size };
	assert_int_equal(txn_unpack(in, 9, &zone, &back), ERR_PROTO);
	msgpack_sbuffer_destroy(&out);
	msgpack_zone_destroy(&zone);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_misfits),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
