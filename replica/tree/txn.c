/* Transactions to log rows and back, by the schemas of txn.h. */
#include "replica/tree/txn.h"

#include "replica/lib/err.h"

#define OP_FIELDS_MAX 16

#define TXN_FIELDS(NAME, name)                                                                     \
	static const struct field name##_fields[] = { TXN_OP_##NAME(CODEC_ROW, txn_##name) };      \
	static const struct schema name##_schema = { #NAME, name##_fields,                         \
		sizeof name##_fields / sizeof name##_fields[0], sizeof(struct txn_##name) };
TXN_OPS(TXN_FIELDS)
#undef TXN_FIELDS

static const struct field head_fields[] = { TXN_HEAD(CODEC_ROW, txn_head) };
static const struct schema head_schema = { "HEAD", head_fields, sizeof head_fields / sizeof head_fields[0],
	sizeof(struct txn_head) };

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

	msgpack_packer_init(&pk, out, msgpack_sbuffer_write);
	codec_pack(&pk, &head_schema, &txn->head);
	for (i = 0; i < txn->nops; i++) {
		schema = op_schema(txn->ops[i].type);
		msgpack_pack_array(&pk, schema->nfields + 1);
		msgpack_pack_uint32(&pk, txn->ops[i].type);
		/* Every member of the union starts where the union does. */
		codec_pack_fields(&pk, schema, &txn->ops[i].create);
	}
}

/* How many arrays follow, each of which is well-formed. */
static int
count_ops(struct blob in, size_t off, uint32_t *n)
{
	msgpack_object elements[OP_FIELDS_MAX];
	uint32_t fields;

	for (*n = 0; off < in.len; ++*n)
		if (codec_flat(in.data, in.len, &off, elements, OP_FIELDS_MAX, &fields) != 0)
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
	return codec_unpack(schema, elements + 1, n - 1, &op->create);
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
	    codec_unpack(&head_schema, elements, n, &out->head) != 0 || count_ops(in, off, &out->nops) != 0)
		return ERR_PROTO;
	if (out->nops == 0)
		return 0;
	out->ops = msgpack_zone_malloc(zone, out->nops * sizeof *out->ops);
	if (out->ops == NULL)
		return ERR_NOMEM;
	for (i = 0; i < out->nops; i++)
		if (unpack_op(in, &off, &out->ops[i]) != 0)
			return ERR_PROTO;
	return 0;
}
