/*
 * Schema-driven packing and unpacking (codec.h). It walks the table of fields
 * and knows no message; wire.c and tree/txn.c do. msgpack-c does the bytes.
 *
 * msgpack-c 4.0 believes a container's header: array32 with 2^32 elements
 * allocates 96 GiB before it looks at the first one, and 32 levels may do so.
 * All our arrays on the wire are flat, so codec_flat reads the outer header
 * itself, refuses an element that is neither an integer nor bin by its first
 * byte, and lets the library decode one element at a time: those two kinds
 * never touch the zone.
 */
#include "replica/lib/codec.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <string.h>

static void
pack_field(msgpack_packer *pk, const struct field *field, const uint8_t *at)
{
	int failed = 0;

	switch (field->type) {
	case FIELD_u64:
		failed = msgpack_pack_uint64(pk, *(const uint64_t *)(const void *)at);
		break;
	case FIELD_u32:
		failed = msgpack_pack_uint32(pk, *(const uint32_t *)(const void *)at);
		break;
	case FIELD_i64:
		failed = msgpack_pack_int64(pk, *(const int64_t *)(const void *)at);
		break;
	case FIELD_i32:
		failed = msgpack_pack_int32(pk, *(const int32_t *)(const void *)at);
		break;
	case FIELD_blob: {
		const struct blob *blob = (const void *)at;

		CHECK(blob->len <= field->max);
		failed = msgpack_pack_bin(pk, blob->len);
		if (blob->len > 0)
			failed |= msgpack_pack_bin_body(pk, blob->data, blob->len);
		break;
	}
	}
	CHECK(failed == 0);
}

void
codec_pack_fields(msgpack_packer *pk, const struct schema *schema, const void *in)
{
	for (uint32_t i = 0; i < schema->nfields; i++)
		pack_field(pk, &schema->fields[i], (const uint8_t *)in + schema->fields[i].offset);
}

void
codec_pack(msgpack_packer *pk, const struct schema *schema, const void *in)
{
	int failed = msgpack_pack_array(pk, schema->nfields);

	CHECK(failed == 0);
	codec_pack_fields(pk, schema, in);
}

static bool
unpack_unsigned(const msgpack_object *element, uint64_t max, uint64_t *out)
{
	if (element->type != MSGPACK_OBJECT_POSITIVE_INTEGER || element->via.u64 > max)
		return false;
	*out = element->via.u64;
	return true;
}

static bool
unpack_signed(const msgpack_object *element, int64_t min, int64_t max, int64_t *out)
{
	if (element->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
		if (element->via.u64 > (uint64_t)max)
			return false;
		*out = (int64_t)element->via.u64;
		return true;
	}
	if (element->type != MSGPACK_OBJECT_NEGATIVE_INTEGER || element->via.i64 < min)
		return false;
	*out = element->via.i64;
	return true;
}

static bool
unpack_blob(const msgpack_object *element, uint32_t max, struct blob *out)
{
	if (element->type != MSGPACK_OBJECT_BIN || element->via.bin.size > max)
		return false;
	out->data = (const uint8_t *)element->via.bin.ptr;
	out->len = element->via.bin.size;
	return true;
}

static bool
unpack_field(const struct field *field, const msgpack_object *element, uint8_t *at)
{
	uint64_t u;
	int64_t i;

	switch (field->type) {
	case FIELD_u64:
		return unpack_unsigned(element, UINT64_MAX, (uint64_t *)(void *)at);
	case FIELD_u32:
		if (!unpack_unsigned(element, UINT32_MAX, &u))
			return false;
		*(uint32_t *)(void *)at = (uint32_t)u;
		return true;
	case FIELD_i64:
		return unpack_signed(element, INT64_MIN, INT64_MAX, (int64_t *)(void *)at);
	case FIELD_i32:
		if (!unpack_signed(element, INT32_MIN, INT32_MAX, &i))
			return false;
		*(int32_t *)(void *)at = (int32_t)i;
		return true;
	case FIELD_blob:
		return unpack_blob(element, field->max, (struct blob *)(void *)at);
	}
	return false;
}

int
codec_unpack(const struct schema *schema, const msgpack_object *elements, uint32_t n, void *out)
{
	if (n != schema->nfields)
		return ERR_PROTO;
	memset(out, 0, schema->size);
	for (uint32_t i = 0; i < n; i++) {
		const struct field *field = &schema->fields[i];

		if (!unpack_field(field, &elements[i], (uint8_t *)out + field->offset))
			return ERR_PROTO;
	}
	return 0;
}

/* fixarray or array16: the packer uses array32 only for counts that we never have. */
static bool
flat_header(const uint8_t *data, size_t len, size_t *off, uint32_t *n)
{
	const uint8_t *p = data + *off;
	size_t left = len - *off;

	if (left >= 1 && (p[0] & 0xf0) == 0x90) {
		*n = p[0] & 0x0fu;
		*off += 1;
		return true;
	}
	if (left >= 3 && p[0] == 0xdc) {
		*n = (uint32_t)p[1] << 8 | p[2];
		*off += 3;
		return true;
	}
	return false;
}

/* fixint, negative fixint, bin 8 to 32, uint 8 to int 64. */
static bool
flat_lead(uint8_t lead)
{
	return lead <= 0x7f || lead >= 0xe0 || (lead >= 0xc4 && lead <= 0xc6) ||
	       (lead >= 0xcc && lead <= 0xd3);
}

int
codec_flat(const uint8_t *data, size_t len, size_t *off, msgpack_object *elements, uint32_t max,
    uint32_t *n)
{
	/* Never allocated from (see above), but with NULL the library would make, and leak, one. */
	msgpack_zone unused = { 0 };

	if (*off >= len || !flat_header(data, len, off, n) || *n > max)
		return ERR_PROTO;
	for (uint32_t i = 0; i < *n; i++) {
		msgpack_unpack_return ret;

		if (*off >= len || !flat_lead(data[*off]))
			return ERR_PROTO;
		ret = msgpack_unpack((const char *)data, len, off, &unused, &elements[i]);
		if (ret != MSGPACK_UNPACK_SUCCESS && ret != MSGPACK_UNPACK_EXTRA_BYTES)
			return ERR_PROTO;
	}
	return 0;
}
