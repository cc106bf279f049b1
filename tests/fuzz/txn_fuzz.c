/*
 * Log rows as bytes: what txn_unpack accepts is packed to the same bytes again,
 * can be told to watchers, and is applied to a small tree in recovery, twice,
 * without harm (txn.h, tree.h).
 *
 * An input: rows, each behind its length in two bytes.
 */
#include "tests/fuzz/tree_check.h"

static void
round_trip(const struct txn *txn, msgpack_zone *zone)
{
	msgpack_sbuffer one, two;
	struct txn again;
	struct blob in;

	msgpack_sbuffer_init(&one);
	msgpack_sbuffer_init(&two);
	txn_pack(&one, txn);
	in = (struct blob){ (const uint8_t *)one.data, (uint32_t)one.size };
	CHECK(txn_unpack(in, txn->zxid, zone, &again) == 0);
	txn_pack(&two, &again);
	CHECK(one.size == two.size && memcmp(one.data, two.data, one.size) == 0);
	msgpack_sbuffer_destroy(&one);
	msgpack_sbuffer_destroy(&two);
}

/* As watch.c sends them: each must be a message that the front end takes. */
static void
changes(const struct txn *txn)
{
	struct wire_msg msg = { .type = WIRE_T_CHANGE }, again;
	msgpack_sbuffer packed;
	uint32_t i;

	msgpack_sbuffer_init(&packed);
	for (i = 0; i < txn->nops; i++) {
		if (!change_of(txn, i, &msg.change))
			continue;
		CHECK(msg.change.zxid == txn->zxid && msg.change.last == 0);
		msgpack_sbuffer_clear(&packed);
		wire_pack(&packed, &msg);
		CHECK(wire_unpack(packed.data, packed.size, NULL, &again) == 0);
		CHECK(again.change.kind >= WIRE_ADD && again.change.kind <= WIRE_ATTR);
	}
	msgpack_sbuffer_destroy(&packed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	struct tree *tree = tree_new();
	uint64_t zxid = 0;
	struct txn txn;

	CHECK(zone != NULL);
	tree_recovery_begin(tree);
	while (in.len > 0) {
		if (txn_unpack(fuzz_bytes(&in, fuzz_u16(&in)), ++zxid, zone, &txn) != 0)
			continue;
		round_trip(&txn, zone);
		changes(&txn);
		tree_apply(tree, &txn);
		/* The image had caught it already. */
		txn.zxid = ++zxid;
		tree_apply(tree, &txn);
		msgpack_zone_clear(zone);
	}
	tree_check(tree);
	tree_free(tree);
	msgpack_zone_free(zone);
	return 0;
}
