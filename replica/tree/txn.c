/*
 * Transactions to log rows and back, by the schemas of txn.h. Types and lengths
 * are the codec's business; what the fields may say is checked here, so that
 * whatever txn_unpack accepts can be applied in recovery without harm.
 */
#include "replica/tree/txn.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/node.h"

#define OP_FIELDS_MAX 16
#define OP_FIELDS_MIN 3 /* SESSION_CLOSE, UNLOCK: type and two */

#define TXN_FIELDS(NAME, name)                                                                     \
	static const struct field name##_fields[] = { TXN_OP_##NAME(CODEC_ROW, txn_##name) };      \
	static const struct schema name##_schema = { #NAME, name##_fields,                         \
		sizeof name##_fields / sizeof name##_fields[0], sizeof(struct txn_##name) };
TXN_OPS(TXN_FIELDS)
#undef TXN_FIELDS

static const struct field head_fields[] = { TXN_HEAD(CODEC_ROW, txn_head) };
static const struct schema head_schema = { "HEAD", head_fields,
	sizeof head_fields / sizeof head_fields[0], sizeof(struct txn_head) };

static const struct schema *
op_schema(uint64_t type)
{
	switch (type) {
#define TXN_CASE(NAME, name)                                                                       \
	case TXN_##NAME:                                                                           \
		return &name##_schema;
		TXN_OPS(TXN_CASE)
#undef TXN_CASE
	default:
		return NULL;
	}
}

void
txn_pack(msgpack_sbuffer *out, const struct txn *txn)
{
	const struct schema *schema;
	msgpack_packer pk;
	uint32_t i;
	int failed;

	CHECK(txn->nops <= TXN_OPS_MAX);
	msgpack_packer_init(&pk, out, msgpack_sbuffer_write);
	codec_pack(&pk, &head_schema, &txn->head);
	for (i = 0; i < txn->nops; i++) {
		schema = op_schema(txn->ops[i].type);
		CHECK(schema != NULL);
		failed = msgpack_pack_array(&pk, schema->nfields + 1);
		failed |= msgpack_pack_uint32(&pk, txn->ops[i].type);
		CHECK(failed == 0);
		/* Every member of the union starts where the union does. */
		codec_pack_fields(&pk, schema, &txn->ops[i].create);
	}
}

static bool
id_valid(uint64_t id)
{
	return id >= TREE_ROOT && id <= TREE_ID_MAX;
}

/* The root is nobody's child. */
static bool
child_valid(uint64_t id, uint64_t parent, struct blob name)
{
	return id_valid(id) && id != TREE_ROOT && id_valid(parent) && id != parent &&
	       node_check_name(name) == ERR_OK;
}

/* A node whose own fields change: also the root, which has neither parent nor name. */
static bool
node_valid(uint64_t id, uint64_t parent, struct blob name)
{
	if (id == TREE_ROOT)
		return parent == 0 && name.len == 0;
	return child_valid(id, parent, name);
}

static bool
write_valid(const struct txn_write *op)
{
	if (!node_valid(op->id, op->parent, op->name) || !node_mode_valid(op->mode))
		return false;
	if (op->size > WIRE_VALUE_MAX || op->offset > op->size ||
	    op->data.len > op->size - op->offset)
		return false;
	return op->whole == 0 || (op->whole == 1 && op->data.len == op->size);
}

static bool
rename_valid(const struct txn_rename *op)
{
	if (!child_valid(op->id, op->parent, op->name) || !node_mode_valid(op->mode))
		return false;
	if (!child_valid(op->id, op->parent2, op->name2) || op->exchange > 1)
		return false;
	if (op->id2 == 0)
		return op->exchange == 0;
	return child_valid(op->id2, op->parent, op->name) &&
	       child_valid(op->id2, op->parent2, op->name2) && op->id2 != op->id &&
	       node_mode_valid(op->mode2);
}

static bool
quota_valid(const struct txn_quota *op)
{
	if (!id_valid(op->id) || op->nodes < 0 || op->bytes < 0)
		return false;
	return op->hard == 0 || (op->hard == 1 && (op->nodes != 0 || op->bytes != 0));
}

static bool
op_valid(const struct txn_op *op)
{
	switch (op->type) {
	case TXN_CREATE:
		return child_valid(op->create.id, op->create.parent, op->create.name) &&
		       node_mode_valid(op->create.mode) &&
		       node_owner_valid(op->create.mode, op->create.owner, op->create.handle);
	case TXN_DELETE:
		return child_valid(op->delete.id, op->delete.parent, op->delete.name) &&
		       node_mode_valid(op->delete.mode);
	case TXN_WRITE:
		return write_valid(&op->write);
	case TXN_ATTR:
		return node_valid(op->attr.id, op->attr.parent, op->attr.name) &&
		       node_mode_valid(op->attr.mode) && op->attr.mtime <= 1;
	case TXN_RENAME:
		return rename_valid(&op->rename);
	case TXN_SESSION_OPEN:
		return op->session_open.id != 0 && op->session_open.secret.len == WIRE_SECRET_LEN;
	case TXN_LOCK:
		return id_valid(op->lock.node) && op->lock.exclusive <= 1;
	case TXN_UNLOCK:
		return id_valid(op->unlock.node);
	case TXN_QUOTA:
		return quota_valid(&op->quota);
	case TXN_SESSION_CLOSE:
		return op->session_close.id != 0 && op->session_close.expired <= 1;
	}
	return false;
}

static bool
is_lock(const struct txn_op *op)
{
	return op->type == TXN_LOCK || op->type == TXN_UNLOCK;
}

/*
 * A lock's zxid is the transaction's, and its session the one that asked. Nothing but that happens
 * where the answer is ERR_AGAIN.
 */
static bool
locks_valid(const struct txn *txn)
{
	uint32_t i;

	if (txn->head.code != ERR_OK && (txn->nops != 1 || !is_lock(&txn->ops[0])))
		return false;
	for (i = 0; i < txn->nops; i++)
		if (is_lock(&txn->ops[i]) && (txn->nops != 1 || txn->head.session == 0))
			return false;
	return true;
}

/*
 * How many arrays follow, each of which is well-formed and long enough: the
 * memory that they will take is a small multiple of the row's.
 */
static int
count_ops(struct blob in, size_t off, uint32_t *n)
{
	msgpack_object elements[OP_FIELDS_MAX];
	uint32_t fields;

	for (*n = 0; off < in.len; ++*n)
		if (*n == TXN_OPS_MAX ||
		    codec_flat(in.data, in.len, &off, elements, OP_FIELDS_MAX, &fields) != 0 ||
		    fields < OP_FIELDS_MIN)
			return ERR_PROTO;
	return 0;
}

static int
unpack_op(struct blob in, size_t *off, struct txn_op *op)
{
	msgpack_object elements[OP_FIELDS_MAX];
	const struct schema *schema;
	uint32_t n;

	if (codec_flat(in.data, in.len, off, elements, OP_FIELDS_MAX, &n) != 0 || n == 0 ||
	    elements[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return ERR_PROTO;
	schema = op_schema(elements[0].via.u64);
	if (schema == NULL)
		return ERR_PROTO;
	op->type = (enum txn_op_type)elements[0].via.u64;
	if (codec_unpack(schema, elements + 1, n - 1, &op->create) != 0)
		return ERR_PROTO;
	return op_valid(op) ? 0 : ERR_PROTO;
}

int
txn_unpack(struct blob in, uint64_t zxid, msgpack_zone *zone, struct txn *out)
{
	msgpack_object elements[OP_FIELDS_MAX];
	size_t off = 0;
	uint32_t n, i;

	out->zxid = zxid;
	out->ops = NULL;
	if (codec_flat(in.data, in.len, &off, elements, OP_FIELDS_MAX, &n) != 0 ||
	    codec_unpack(&head_schema, elements, n, &out->head) != 0 ||
	    count_ops(in, off, &out->nops) != 0)
		return ERR_PROTO;
	if (out->head.code > 0 ||
	    (out->head.code != ERR_OK && out->head.code != ERR_AGAIN && out->nops != 0))
		return ERR_PROTO;
	if (out->nops == 0)
		return 0;
	out->ops = msgpack_zone_malloc(zone, out->nops * sizeof *out->ops);
	if (out->ops == NULL)
		return ERR_NOMEM;
	for (i = 0; i < out->nops; i++)
		if (unpack_op(in, &off, &out->ops[i]) != 0)
			return ERR_PROTO;
	return locks_valid(out) ? 0 : ERR_PROTO;
}

static bool
result_of(const struct txn_op *op, struct wire_result *out)
{
	*out = (struct wire_result){ 0 };
	switch (op->type) {
	case TXN_CREATE:
		out->kind = WIRE_STEP_CREATE;
		out->name = op->create.name;
		return true;
	case TXN_WRITE:
		out->kind = WIRE_STEP_SET;
		out->name = op->write.name;
		out->version = op->write.version;
		return true;
	case TXN_DELETE:
		out->kind = WIRE_STEP_DELETE;
		out->name = op->delete.name;
		return true;
	default:
		return false;
	}
}

void
txn_results(const struct txn *txn, msgpack_sbuffer *out)
{
	struct wire_result result;
	uint32_t i;

	for (i = 0; i < txn->nops; i++)
		if (result_of(&txn->ops[i], &result))
			wire_result_pack(out, &result);
}
