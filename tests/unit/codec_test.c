/*
 * codec.c by a schema of its own: fields land where the schema says and
 * nowhere else, ranges end where the types do, and codec_flat stops where its
 * array does. What a whole message may suffer is wire_test.c's.
 */
#include "replica/lib/codec.h"
#include "replica/lib/err.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#define THING(F, S) F(S, u32, small, 0) F(S, i32, cold, 0) F(S, blob, name, 4) F(S, i64, far, 0)

struct thing {
	uint32_t before; /* not the schema's: must come out 0 */
	THING(CODEC_DECLARE, thing)
};

static const struct field fields[] = { THING(CODEC_ROW, thing) };
static const struct schema schema = { "thing", fields, 4, sizeof(struct thing) };

static void
pack_to(msgpack_sbuffer *buf, const struct thing *thing)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, buf, msgpack_sbuffer_write);
	codec_pack(&pk, &schema, thing);
}

static void
test_round_trip(void **state)
{
	struct thing in = { 77, 5, INT32_MIN, { (const uint8_t *)"a\0b", 3 }, INT64_MIN }, out;
	msgpack_object elements[8];
	msgpack_sbuffer buf;
	size_t off = 0;
	uint32_t n;

	(void)state;
	msgpack_sbuffer_init(&buf);
	pack_to(&buf, &in);
	pack_to(&buf, &in);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    codec_flat((uint8_t *)buf.data, buf.size, &off, elements, 8, &n), 0);
		assert_int_equal(n, 4);
		memset(&out, 0xff, sizeof(out));
		assert_int_equal(codec_unpack(&schema, elements, n, &out), 0);
		assert_int_equal(out.before, 0);
		assert_int_equal(out.small, 5);
		assert_int_equal(out.cold, INT32_MIN);
		assert_int_equal(out.name.len, 3);
		assert_memory_equal(out.name.data, "a\0b", 3);
		assert_true(out.name.data > (uint8_t *)buf.data); /* borrowed, not copied */
		assert_true(out.name.data < (uint8_t *)buf.data + buf.size);
		assert_true(out.far == INT64_MIN);
	}
	assert_int_equal(off, buf.size);
	assert_int_equal(
	    codec_flat((uint8_t *)buf.data, buf.size, &off, elements, 8, &n), ERR_PROTO);
	off = 0;
	assert_int_equal(
	    codec_flat((uint8_t *)buf.data, buf.size, &off, elements, 3, &n), ERR_PROTO);
	msgpack_sbuffer_destroy(&buf);
}

static void
test_fields_alone_have_no_header(void **state)
{
	struct thing thing = { 0, 1, 2, { NULL, 0 }, 3 };
	msgpack_sbuffer buf;
	msgpack_packer pk;

	(void)state;
	msgpack_sbuffer_init(&buf);
	msgpack_packer_init(&pk, &buf, msgpack_sbuffer_write);
	codec_pack_fields(&pk, &schema, &thing);
	assert_int_equal(buf.size, 5);
	assert_memory_equal(buf.data, "\1\2\xc4\0\3", 5);
	msgpack_sbuffer_destroy(&buf);
}

static int
unpack_one(const struct field *field, msgpack_object element)
{
	const struct schema one = { "one", field, 1, sizeof(struct thing) };
	struct thing out;

	return codec_unpack(&one, &element, 1, &out);
}

static msgpack_object
positive(uint64_t value)
{
	return (msgpack_object){ .type = MSGPACK_OBJECT_POSITIVE_INTEGER, .via.u64 = value };
}

static msgpack_object
negative(int64_t value)
{
	return (msgpack_object){ .type = MSGPACK_OBJECT_NEGATIVE_INTEGER, .via.i64 = value };
}

static void
test_ranges(void **state)
{
	msgpack_object bin = { .type = MSGPACK_OBJECT_BIN, .via.bin = { 4, "abcd" } };
	msgpack_object str = { .type = MSGPACK_OBJECT_STR, .via.str = { 4, "abcd" } };

	(void)state;
	assert_int_equal(unpack_one(&fields[0], positive(UINT32_MAX)), 0);
	assert_int_equal(unpack_one(&fields[0], positive(UINT64_C(1) << 32)), ERR_PROTO);
	assert_int_equal(unpack_one(&fields[0], negative(-1)), ERR_PROTO);
	assert_int_equal(unpack_one(&fields[1], positive(INT32_MAX)), 0);
	assert_int_equal(unpack_one(&fields[1], positive((uint64_t)INT32_MAX + 1)), ERR_PROTO);
	assert_int_equal(unpack_one(&fields[1], negative(INT32_MIN)), 0);
	assert_int_equal(unpack_one(&fields[1], negative((int64_t)INT32_MIN - 1)), ERR_PROTO);
	assert_int_equal(unpack_one(&fields[3], positive(INT64_MAX)), 0);
	assert_int_equal(unpack_one(&fields[3], positive((uint64_t)INT64_MAX + 1)), ERR_PROTO);
	assert_int_equal(unpack_one(&fields[3], negative(INT64_MIN)), 0);
	assert_int_equal(unpack_one(&fields[2], bin), 0);
	bin.via.bin.size = 5;
	assert_int_equal(unpack_one(&fields[2], bin), ERR_PROTO);
	assert_int_equal(unpack_one(&fields[2], str), ERR_PROTO);
}

static void
test_counts(void **state)
{
	msgpack_object elements[5] = { positive(0), positive(0), positive(0), positive(0) };
	struct thing out;

	(void)state;
	assert_int_equal(codec_unpack(&schema, elements, 0, &out), ERR_PROTO);
	assert_int_equal(codec_unpack(&schema, elements, 3, &out), ERR_PROTO);
	assert_int_equal(codec_unpack(&schema, elements, 5, &out), ERR_PROTO);
	assert_int_equal(codec_unpack(&schema, elements, UINT32_MAX, &out), ERR_PROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_fields_alone_have_no_header),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_counts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
