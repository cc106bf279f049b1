/*
 * Transactions that are well-formed and otherwise arbitrary, over few nodes, few
 * names and few sessions, so that they get in each other's way: applied in
 * recovery, with passes of the image between them. Whatever txn_unpack accepts
 * does no harm (txn.h).
 *
 * An input: commands, a byte each, and their arguments.
 */
#include "tests/fuzz/tree_check.h"

#include "replica/lib/err.h"
#include "replica/store/store.h"

#include <sys/stat.h>

#define OPS_MAX 4
#define QUOTA_FROM 245

static const char *const names[] = { "a", "b", "c", "dd", "eee", "a" };
static const uint32_t modes[] = { S_IFREG | 0644, S_IFDIR | 0755, S_IFLNK | 0777, S_IFREG };
static const uint8_t text[256] = "a value";

static struct blob
name(struct fuzz_input *in)
{
	const char *string = names[fuzz_below(in, sizeof names / sizeof names[0])];

	return (struct blob){ (const uint8_t *)string, (uint32_t)strlen(string) };
}

static uint32_t
mode(struct fuzz_input *in)
{
	return modes[fuzz_below(in, sizeof modes / sizeof modes[0])];
}

static uint64_t
node(struct fuzz_input *in)
{
	return 1 + fuzz_below(in, 8);
}

static struct blob
value(struct fuzz_input *in)
{
	return (struct blob){ text, fuzz_byte(in) };
}

static void
create(struct fuzz_input *in, struct txn_create *op)
{
	*op = (struct txn_create){ .id = node(in),
		.parent = node(in),
		.name = name(in),
		.mode = mode(in),
		.owner = fuzz_owner(in, 3),
		.parent_cversion = fuzz_byte(in),
		.value = value(in) };
	op->handle = wire_owner_is_session(op->owner) ? fuzz_below(in, 3) : 0;
}

static void
write_value(struct fuzz_input *in, struct txn_write *op)
{
	*op = (struct txn_write){ .id = node(in),
		.parent = node(in),
		.name = name(in),
		.mode = mode(in),
		.version = fuzz_byte(in),
		.offset = fuzz_byte(in),
		.size = fuzz_u16(in),
		.data = value(in),
		.whole = fuzz_below(in, 2) };
	if (op->id == TREE_ROOT) {
		op->parent = 0;
		op->name.len = 0;
	}
}

static void
attr(struct fuzz_input *in, struct txn_attr *op)
{
	*op = (struct txn_attr){ .id = node(in),
		.parent = node(in),
		.name = name(in),
		.mode = mode(in),
		.aversion = fuzz_byte(in),
		.mtime = fuzz_below(in, 2) };
	if (op->id == TREE_ROOT) {
		op->parent = 0;
		op->name.len = 0;
	}
}

static void
rename_node(struct fuzz_input *in, struct txn_rename *op)
{
	*op = (struct txn_rename){ .id = node(in),
		.parent = node(in),
		.name = name(in),
		.mode = mode(in),
		.id2 = fuzz_below(in, 9),
		.parent2 = node(in),
		.name2 = name(in),
		.mode2 = mode(in),
		.exchange = fuzz_below(in, 2) };
}

static void
operation(struct fuzz_input *in, struct txn_op *op)
{
	static const enum txn_op_type types[] = { TXN_CREATE, TXN_DELETE, TXN_WRITE, TXN_ATTR,
		TXN_RENAME, TXN_SESSION_OPEN, TXN_SESSION_CLOSE, TXN_LOCK, TXN_UNLOCK };
	uint32_t n = fuzz_byte(in);

	/* Bytes from here on mean what came later. */
	op->type = n >= QUOTA_FROM ? TXN_QUOTA : types[n % (sizeof types / sizeof types[0])];
	switch (op->type) {
	case TXN_CREATE:
		create(in, &op->create);
		break;
	case TXN_DELETE:
		op->delete = (struct txn_delete){
			.id = node(in), .parent = node(in), .name = name(in), .mode = mode(in)
		};
		break;
	case TXN_WRITE:
		write_value(in, &op->write);
		break;
	case TXN_ATTR:
		attr(in, &op->attr);
		break;
	case TXN_RENAME:
		rename_node(in, &op->rename);
		break;
	case TXN_SESSION_OPEN:
		op->session_open = (struct txn_session_open){ .id = 1 + fuzz_below(in, 2),
			.secret = { text, WIRE_SECRET_LEN },
			.identity = value(in) };
		break;
	case TXN_SESSION_CLOSE:
		op->session_close = (struct txn_session_close){ .id = 1 + fuzz_below(in, 2) };
		break;
	case TXN_LOCK:
		op->lock = (struct txn_lock){
			.node = node(in), .owner = fuzz_below(in, 3), .exclusive = fuzz_below(in, 2)
		};
		break;
	case TXN_UNLOCK:
		op->unlock = (struct txn_unlock){ .node = node(in), .owner = fuzz_below(in, 3) };
		break;
	case TXN_QUOTA:
		op->quota = (struct txn_quota){ .id = node(in),
			.nodes = (int64_t)fuzz_below(in, 5) - 1,
			.bytes = fuzz_below(in, 3),
			.hard = fuzz_below(in, 2) };
		break;
	}
}

static void
transaction(struct fuzz_input *in, struct tree *tree, msgpack_zone *zone)
{
	struct txn_op ops[OPS_MAX];
	struct txn txn = { .ops = ops, .nops = fuzz_below(in, OPS_MAX + 1) }, read;
	msgpack_sbuffer packed;
	struct blob row;
	uint32_t i;

	txn.head = (struct txn_head){ .session = fuzz_below(in, 3),
		.rid = fuzz_byte(in),
		.acked = fuzz_byte(in),
		.code = txn.nops == 0 ? -(int32_t)fuzz_below(in, 22) : 0,
		.time_ns = fuzz_byte(in) };
	memset(ops, 0, sizeof ops);
	for (i = 0; i < txn.nops; i++)
		operation(in, &ops[i]);
	if (txn.nops == 1 && (ops[0].type == TXN_LOCK || ops[0].type == TXN_UNLOCK) &&
	    fuzz_below(in, 2) == 0)
		txn.head.code = ERR_AGAIN;
	msgpack_sbuffer_init(&packed);
	txn_pack(&packed, &txn);
	row = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	if (txn_unpack(row, tree_applied(tree) + 1, zone, &read) == 0)
		tree_apply(tree, &read);
	msgpack_zone_clear(zone);
	msgpack_sbuffer_destroy(&packed);
}

/* A pass of the image, begun, gone on with, or given up. */
static void
pass(struct fuzz_input *in, struct tree *tree, struct image_pass **now)
{
	struct store_batch *batch;

	if (*now == NULL) {
		*now = image_pass_begin(tree);
		return;
	}
	if (fuzz_below(in, 4) == 0) {
		image_pass_abort(tree, *now);
		*now = NULL;
		return;
	}
	batch = store_batch_new();
	if (!image_pass_next(tree, *now, batch, fuzz_byte(in)))
		*now = NULL;
	store_batch_free(batch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	struct tree *tree = tree_new();
	struct image_pass *now = NULL;

	CHECK(zone != NULL);
	tree_recovery_begin(tree);
	while (in.len > 0) {
		if (fuzz_below(&in, 8) == 0)
			pass(&in, tree, &now);
		else
			transaction(&in, tree, zone);
		if (size <= 256)
			tree_check(tree);
	}
	tree_check(tree);
	if (tree_recovery_end(tree))
		tree_check_usage(tree, tree_node(tree, TREE_ROOT));
	tree_free(tree);
	msgpack_zone_free(zone);
	return 0;
}
