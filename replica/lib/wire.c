/*
 * The wire messages' schemas and their packing (wire.h). Everything here comes
 * from the X-macros: a new message needs no line in this file. Frames, sockets
 * and the order of messages are conn.c's and the owners' business.
 */
#include "replica/lib/wire.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#define FLAT_MAX 32 /* elements of the longest array, with room */

#define FIELDS(NAME, name, number)                                                                 \
	static const struct field name##_fields[] = { WIRE_##NAME(CODEC_ROW, wire_##name) };       \
	_Static_assert(sizeof(name##_fields) / sizeof(struct field) < FLAT_MAX, #name);
WIRE_ALL(FIELDS)
FIELDS(STAT, stat, 0)
FIELDS(ENTRY, entry, 0)
FIELDS(STEP, step, 0)
FIELDS(RESULT, result, 0)
FIELDS(SPACE, space, 0)
FIELDS(USED, used, 0)
#undef FIELDS

#define SCHEMA(NAME, name)                                                                         \
	{                                                                                          \
#NAME, name##_fields, sizeof(name##_fields) / sizeof(struct field),                \
		    sizeof(struct wire_##name)                                                     \
	}

/* By number; a gap has no name. */
static const struct schema schemas[] = {
#define BY_NUMBER(NAME, name, number) [number] = SCHEMA(NAME, name),
	WIRE_ALL(BY_NUMBER)
#undef BY_NUMBER
};
static const struct schema stat_schema = SCHEMA(STAT, stat);
static const struct schema entry_schema = SCHEMA(ENTRY, entry);
static const struct schema step_schema = SCHEMA(STEP, step);
static const struct schema result_schema = SCHEMA(RESULT, result);
static const struct schema space_schema = SCHEMA(SPACE, space);
static const struct schema used_schema = SCHEMA(USED, used);

static const struct schema *
schema_of(uint64_t type)
{
	if (type >= sizeof(schemas) / sizeof(schemas[0]) || schemas[type].name == NULL)
		return NULL;
	return &schemas[type];
}

/* All members of the union begin at the same place. */
#define BODY_OFFSET offsetof(struct wire_msg, hello)

void
wire_pack(msgpack_sbuffer *out, const struct wire_msg *msg)
{
	const struct schema *schema = schema_of(msg->type);
	msgpack_packer pk;
	int failed;

	CHECK(schema != NULL);
	msgpack_packer_init(&pk, out, msgpack_sbuffer_write);
	failed = msgpack_pack_array(&pk, 1 + schema->nfields);
	failed |= msgpack_pack_uint32(&pk, msg->type);
	CHECK(failed == 0);
	codec_pack_fields(&pk, schema, (const uint8_t *)msg + BODY_OFFSET);
}

int
wire_unpack(const void *body, size_t len, msgpack_zone *zone, struct wire_msg *msg)
{
	msgpack_object elements[FLAT_MAX];
	const struct schema *schema;
	size_t off = 0;
	uint32_t n;

	(void)zone; /* flat arrays need none */
	if (codec_flat(body, len, &off, elements, FLAT_MAX, &n) != 0 || off != len || n == 0)
		return ERR_PROTO;
	if (elements[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return ERR_PROTO;
	schema = schema_of(elements[0].via.u64);
	if (schema == NULL)
		return ERR_PROTO;
	msg->type = (enum wire_type)elements[0].via.u64;
	return codec_unpack(schema, elements + 1, n - 1, (uint8_t *)msg + BODY_OFFSET);
}

static void
pack_alone(msgpack_sbuffer *out, const struct schema *schema, const void *in)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, out, msgpack_sbuffer_write);
	codec_pack(&pk, schema, in);
}

static int
unpack_next(struct blob in, size_t *off, const struct schema *schema, void *out)
{
	msgpack_object elements[FLAT_MAX];
	uint32_t n;

	if (codec_flat(in.data, in.len, off, elements, FLAT_MAX, &n) != 0)
		return ERR_PROTO;
	return codec_unpack(schema, elements, n, out);
}

void
wire_stat_pack(msgpack_sbuffer *out, const struct wire_stat *stat)
{
	pack_alone(out, &stat_schema, stat);
}

/* And nothing behind it. */
static int
unpack_alone(struct blob in, const struct schema *schema, void *out)
{
	size_t off = 0;

	return unpack_next(in, &off, schema, out) != 0 || off != in.len ? ERR_PROTO : 0;
}

int
wire_stat_unpack(struct blob in, struct wire_stat *stat)
{
	return unpack_alone(in, &stat_schema, stat);
}

void
wire_space_pack(msgpack_sbuffer *out, const struct wire_space *space)
{
	pack_alone(out, &space_schema, space);
}

int
wire_space_unpack(struct blob in, struct wire_space *space)
{
	return unpack_alone(in, &space_schema, space);
}

void
wire_used_pack(msgpack_sbuffer *out, const struct wire_used *used)
{
	pack_alone(out, &used_schema, used);
}

int
wire_used_unpack(struct blob in, struct wire_used *used)
{
	return unpack_alone(in, &used_schema, used);
}

void
wire_entry_pack(msgpack_sbuffer *out, const struct wire_entry *entry)
{
	pack_alone(out, &entry_schema, entry);
}

/* Takes one off the front. */
static int
next(struct blob *in, const struct schema *schema, void *out)
{
	size_t off = 0;

	if (in->len == 0)
		return 0;
	if (unpack_next(*in, &off, schema, out) != 0)
		return ERR_PROTO;
	in->data += off;
	in->len -= (uint32_t)off;
	return 1;
}

int
wire_entry_next(struct blob *in, struct wire_entry *entry)
{
	return next(in, &entry_schema, entry);
}

void
wire_step_pack(msgpack_sbuffer *out, const struct wire_step *step)
{
	pack_alone(out, &step_schema, step);
}

int
wire_step_next(struct blob *in, struct wire_step *step)
{
	return next(in, &step_schema, step);
}

void
wire_result_pack(msgpack_sbuffer *out, const struct wire_result *result)
{
	pack_alone(out, &result_schema, result);
}

int
wire_result_next(struct blob *in, struct wire_result *result)
{
	return next(in, &result_schema, result);
}

const char *
wire_type_name(uint32_t type)
{
	const struct schema *schema = schema_of(type);

	return schema == NULL ? "?" : schema->name;
}

bool
wire_is_write(enum wire_type type)
{
	switch (type) {
	case WIRE_T_CREATE:
	case WIRE_T_DELETE:
	case WIRE_T_WRITE:
	case WIRE_T_SETATTR:
	case WIRE_T_RENAME:
	case WIRE_T_MULTI:
	case WIRE_T_LOCK:
	case WIRE_T_UNLOCK:
	case WIRE_T_QUOTA:
		return true;
	default:
		return false;
	}
}
