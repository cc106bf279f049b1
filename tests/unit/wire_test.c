/*
 * wire.c: every message survives the round trip with extreme values, every
 * kind of damage is refused, and no bytes whatever do harm (run with SAN=1).
 * The messages are filled and compared by the X-macros, so that a new one is
 * tested from the day it is declared. Its libFuzzer sister: tests/fuzz.
 */
#include "replica/lib/err.h"
#include "replica/lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum fill { FILL_ZERO, FILL_MAX, FILL_MIN, FILLS };

static uint8_t big[WIRE_PIECE_MAX]; /* the longest field */

static uint64_t
fill_u64(enum fill how)
{
	return how == FILL_ZERO ? 0 : how == FILL_MAX ? UINT64_MAX : UINT64_C(1) << 32;
}

static uint32_t
fill_u32(enum fill how)
{
	return how == FILL_ZERO ? 0 : how == FILL_MAX ? UINT32_MAX : 0x80u;
}

static int64_t
fill_i64(enum fill how)
{
	return how == FILL_ZERO ? 0 : how == FILL_MAX ? INT64_MAX : INT64_MIN;
}

static int32_t
fill_i32(enum fill how)
{
	return how == FILL_ZERO ? 0 : how == FILL_MAX ? INT32_MAX : INT32_MIN;
}

static struct blob
fill_blob(enum fill how, uint32_t max)
{
	return (struct blob){ big, how == FILL_ZERO ? 0 : how == FILL_MAX ? max : 1 };
}

#define fill_u64_(how, max) fill_u64(how)
#define fill_u32_(how, max) fill_u32(how)
#define fill_i64_(how, max) fill_i64(how)
#define fill_i32_(how, max) fill_i32(how)
#define fill_blob_(how, max) fill_blob(how, max)
#define FILL(tag, type, name, max) body->name = fill_##type##_(how, max);

#define same_u64(a, b) assert_true((a) == (b))
#define same_u32(a, b) assert_true((a) == (b))
#define same_i64(a, b) assert_true((a) == (b))
#define same_i32(a, b) assert_true((a) == (b))
static void
same_blob(struct blob a, struct blob b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.data, b.data, a.len);
}
#define SAME(tag, type, name, max) same_##type(sent->name, got->name);

#define ONE(NAME, name, number)                                                                    \
	static void fill_##name(struct wire_msg *msg, enum fill how)                               \
	{                                                                                          \
		struct wire_##name *body = &msg->name;                                             \
		msg->type = WIRE_T_##NAME;                                                         \
		WIRE_##NAME(FILL, x)                                                               \
	}                                                                                          \
	static void same_##name(const struct wire_msg *a, const struct wire_msg *b)                \
	{                                                                                          \
		const struct wire_##name *sent = &a->name, *got = &b->name;                        \
		assert_int_equal(b->type, WIRE_T_##NAME);                                          \
		WIRE_##NAME(SAME, x)                                                               \
	}
WIRE_ALL(ONE)
#undef ONE

static const struct {
	const char *name;
	void (*fill)(struct wire_msg *msg, enum fill how);
	void (*same)(const struct wire_msg *a, const struct wire_msg *b);
} messages[] = {
#define ROW(NAME, name, number) { #NAME, fill_##name, same_##name },
	WIRE_ALL(ROW)
#undef ROW
};
#define NMESSAGES (sizeof(messages) / sizeof(messages[0]))

static msgpack_zone zone;

static int
unpack(const msgpack_sbuffer *buf, struct wire_msg *msg)
{
	return wire_unpack(buf->data, buf->size, &zone, msg);
}

static void
round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < NMESSAGES; i++)
		for (enum fill how = FILL_ZERO; how < FILLS; how++) {
			struct wire_msg sent, got;
			msgpack_sbuffer buf;

			msgpack_sbuffer_init(&buf);
			messages[i].fill(&sent, how);
			wire_pack(&buf, &sent);
			assert_true(buf.size <= WIRE_FRAME_MAX);
			assert_int_equal(unpack(&buf, &got), 0);
			messages[i].same(&sent, &got);
			assert_string_equal(wire_type_name(got.type), messages[i].name);
			msgpack_sbuffer_destroy(&buf);
		}
}

static void
stat_and_entries(void **state)
{
	(void)state;
	for (enum fill how = FILL_ZERO; how < FILLS; how++) {
		struct wire_stat stat, *body = &stat, back;
		struct wire_entry entry = { .id = fill_u64(how), .mode = fill_u32(how) }, got;
		msgpack_sbuffer buf, list;
		struct blob in;

		msgpack_sbuffer_init(&buf);
		msgpack_sbuffer_init(&list);
		WIRE_STAT(FILL, x)
		wire_stat_pack(&buf, &stat);
		assert_true(buf.size <= 256);
		entry.name = fill_blob(how, WIRE_NAME_MAX);
		entry.stat = (struct blob){ (uint8_t *)buf.data, (uint32_t)buf.size };
		for (int i = 0; i < 3; i++)
			wire_entry_pack(&list, &entry);

		in = (struct blob){ (uint8_t *)list.data, (uint32_t)list.size };
		for (int i = 0; i < 3; i++) {
			assert_int_equal(wire_entry_next(&in, &got), 1);
			assert_true(got.id == entry.id && got.mode == entry.mode);
			same_blob(got.name, entry.name);
			assert_int_equal(wire_stat_unpack(got.stat, &back), 0);
			assert_memory_equal(&back, &stat, sizeof(stat));
		}
		assert_int_equal(wire_entry_next(&in, &got), 0);
		assert_int_equal(wire_entry_next(&in, &got), 0);

		in = (struct blob){ (uint8_t *)list.data, (uint32_t)list.size - 1 };
		assert_int_equal(wire_entry_next(&in, &got), 1);
		assert_int_equal(wire_entry_next(&in, &got), 1);
		assert_int_equal(wire_entry_next(&in, &got), ERR_PROTO);
		in = (struct blob){ (uint8_t *)buf.data, (uint32_t)buf.size - 1 };
		assert_int_equal(wire_stat_unpack(in, &back), ERR_PROTO);
		assert_int_equal(wire_stat_unpack((struct blob){ NULL, 0 }, &back), ERR_PROTO);
		msgpack_sbuffer_destroy(&list);
		msgpack_sbuffer_destroy(&buf);
	}
}

/* Decodes what wire_pack made with the library's own decoder, as a second opinion. */
static msgpack_object_array
elements_of(const msgpack_sbuffer *buf)
{
	msgpack_object object;
	size_t off = 0;

	assert_int_equal(
	    msgpack_unpack(buf->data, buf->size, &off, &zone, &object), MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(object.type, MSGPACK_OBJECT_ARRAY);
	return object.via.array;
}

/* Packs the elements again with the i-th replaced by what `bad` packs. */
static int
with_element(const msgpack_object_array *array, uint32_t i, const void *bad, size_t badlen)
{
	msgpack_sbuffer buf;
	msgpack_packer pk;
	struct wire_msg msg;
	int ret;

	msgpack_sbuffer_init(&buf);
	msgpack_packer_init(&pk, &buf, msgpack_sbuffer_write);
	msgpack_pack_array(&pk, array->size);
	for (uint32_t j = 0; j < array->size; j++)
		if (j == i)
			msgpack_sbuffer_write(&buf, bad, badlen);
		else
			msgpack_pack_object(&pk, array->ptr[j]);
	ret = unpack(&buf, &msg);
	msgpack_sbuffer_destroy(&buf);
	return ret;
}

static const struct {
	const char *bytes;
	size_t len;
} never[] = {
	{ "\xc0", 1 },			   /* nil */
	{ "\xc1", 1 },			   /* not msgpack */
	{ "\xc3", 1 },			   /* true */
	{ "\xa1x", 2 },			   /* str */
	{ "\xd9\x01x", 3 },		   /* str 8 */
	{ "\xca\0\0\0\0", 5 },		   /* float */
	{ "\xcb\0\0\0\0\0\0\0\0", 9 },	   /* double */
	{ "\x90", 1 },			   /* array */
	{ "\x91\x01", 2 },		   /* array of one */
	{ "\x80", 1 },			   /* map */
	{ "\xdd\xff\xff\xff\xff", 5 },	   /* array of 2^32 - 1 */
	{ "\xdf\xff\xff\xff\xff", 5 },	   /* map of as many */
	{ "\xc7\x01\x05x", 4 },		   /* ext */
	{ "\xc9\xff\xff\xff\xff\x05", 6 }, /* ext of 4 GiB */
	{ "\xc6\xff\xff\xff\xff", 5 },	   /* bin of 4 GiB */
	{ "\xd4\x05x", 3 },		   /* fixext */
};

/* What doesn't fit the field's own type, by the field's type. */
static void
refuse_misfits(const msgpack_object_array *array, uint32_t i, const struct field *field)
{
	char *blob = calloc(1, 5 + (size_t)field->max + 1);
	uint32_t len = field->max + 1;

	for (size_t j = 0; j < sizeof(never) / sizeof(never[0]); j++)
		assert_int_equal(with_element(array, i, never[j].bytes, never[j].len), ERR_PROTO);
	switch (field->type) {
	case FIELD_u32:
		assert_int_equal(with_element(array, i, "\xcf\0\0\0\1\0\0\0\0", 9), ERR_PROTO);
		/* fall through */
	case FIELD_u64:
		assert_int_equal(with_element(array, i, "\xff", 1), ERR_PROTO);
		assert_int_equal(with_element(array, i, "\xc4\x01x", 3), ERR_PROTO);
		break;
	case FIELD_i32:
		assert_int_equal(with_element(array, i, "\xce\x80\0\0\0", 5), ERR_PROTO);
		assert_int_equal(
		    with_element(array, i, "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", 9), ERR_PROTO);
		/* fall through */
	case FIELD_i64:
		assert_int_equal(with_element(array, i, "\xcf\x80\0\0\0\0\0\0\0", 9), ERR_PROTO);
		assert_int_equal(with_element(array, i, "\xc4\x01x", 3), ERR_PROTO);
		break;
	case FIELD_blob:
		assert_int_equal(with_element(array, i, "\x05", 1), ERR_PROTO);
		assert_int_equal(with_element(array, i, "\xff", 1), ERR_PROTO);
		blob[0] = (char)0xc6;
		blob[1] = (char)(len >> 24);
		blob[2] = (char)(len >> 16);
		blob[3] = (char)(len >> 8);
		blob[4] = (char)len;
		assert_int_equal(with_element(array, i, blob, 5 + (size_t)len), ERR_PROTO);
		/* and one byte less is welcome */
		len--;
		blob[1] = (char)(len >> 24);
		blob[2] = (char)(len >> 16);
		blob[3] = (char)(len >> 8);
		blob[4] = (char)len;
		assert_int_equal(with_element(array, i, blob, 5 + (size_t)len), 0);
		break;
	}
	free(blob);
}

static const struct {
	const struct field *fields;
	uint32_t nfields;
} tables[] = {
#define TABLE(NAME, name, number)                                                                  \
	{ (const struct field[]){ WIRE_##NAME(CODEC_ROW, wire_##name) },                           \
		sizeof((struct field[]){ WIRE_##NAME(CODEC_ROW, wire_##name) }) /                  \
		    sizeof(struct field) },
	WIRE_ALL(TABLE)
#undef TABLE
};

static void
misfits(void **state)
{
	(void)state;
	for (size_t i = 0; i < NMESSAGES; i++) {
		msgpack_object_array array;
		msgpack_sbuffer buf;
		struct wire_msg msg;

		msgpack_sbuffer_init(&buf);
		messages[i].fill(&msg, FILL_MIN);
		wire_pack(&buf, &msg);
		array = elements_of(&buf);
		assert_int_equal(array.size, 1 + tables[i].nfields);
		for (uint32_t f = 0; f < tables[i].nfields; f++)
			refuse_misfits(&array, 1 + f, &tables[i].fields[f]);

		/* the type: none that exists, of the wrong kind, nested */
		assert_int_equal(with_element(&array, 0, "\x00", 1), ERR_PROTO);
		assert_int_equal(with_element(&array, 0, "\x07", 1), ERR_PROTO);
		assert_int_equal(with_element(&array, 0, "\xcc\xff", 2), ERR_PROTO);
		assert_int_equal(with_element(&array, 0, "\xff", 1), ERR_PROTO);
		assert_int_equal(with_element(&array, 0, "\xc4\x01\x05", 3), ERR_PROTO);
		assert_int_equal(with_element(&array, 0, "\xcf\0\0\0\1\0\0\0\1", 9), ERR_PROTO);

		/* one element less, one more */
		array.size--;
		assert_int_equal(with_element(&array, UINT32_MAX, NULL, 0), ERR_PROTO);
		array.size++;
		msgpack_sbuffer_write(&buf, "\0", 1);
		assert_int_equal(unpack(&buf, &msg), ERR_PROTO);
		buf.data[0]++; /* the header counts the rubbish: now an element too many */
		assert_int_equal(unpack(&buf, &msg), ERR_PROTO);
		msgpack_sbuffer_destroy(&buf);
		msgpack_zone_clear(&zone);
	}
}

/* A copy of exactly this size, so that ASan sees a read behind it. */
static int
unpack_exact(const void *bytes, size_t len, struct wire_msg *msg, uint8_t **copy)
{
	*copy = malloc(len > 0 ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, bytes, len);
	return wire_unpack(*copy, len, &zone, msg);
}

static void
cut_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < NMESSAGES; i++) {
		msgpack_sbuffer buf;
		struct wire_msg msg;
		uint8_t *copy;

		msgpack_sbuffer_init(&buf);
		messages[i].fill(&msg, FILL_MIN);
		wire_pack(&buf, &msg);
		for (size_t len = 0; len < buf.size; len++) {
			assert_int_equal(unpack_exact(buf.data, len, &msg, &copy), ERR_PROTO);
			free(copy);
		}
		msgpack_sbuffer_destroy(&buf);
	}
}

static void
hostile_headers(void **state)
{
	static const char *const frames[] = { "\xdd\xff\xff\xff\xff", "\xdc\xff\xff\x05",
		"\xdf\xff\xff\xff\xff", "\x9f\x05", "\xc4\x03\x91\x05\x01", "\x05", "\xc1", "" };
	struct wire_msg msg;
	uint8_t nested[64];

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		assert_int_equal(wire_unpack(frames[i], strlen(frames[i]), &zone, &msg), ERR_PROTO);
	memset(nested, 0x91, sizeof(nested));
	assert_int_equal(wire_unpack(nested, sizeof(nested), &zone, &msg), ERR_PROTO);
}

/* What was accepted says the same after another round trip. */
static void
check_stable(const struct wire_msg *msg)
{
	msgpack_sbuffer one, two;
	struct wire_msg again;

	msgpack_sbuffer_init(&one);
	msgpack_sbuffer_init(&two);
	wire_pack(&one, msg);
	assert_int_equal(unpack(&one, &again), 0);
	wire_pack(&two, &again);
	assert_int_equal(one.size, two.size);
	assert_memory_equal(one.data, two.data, one.size);
	msgpack_sbuffer_destroy(&one);
	msgpack_sbuffer_destroy(&two);
}

static uint64_t
random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void
fuzz_once(uint64_t *seed, const msgpack_sbuffer *good)
{
	uint8_t bytes[512];
	size_t len = good->size;
	struct wire_msg msg;
	uint8_t *copy;

	if (random_next(seed) % 4 == 0) {
		len = random_next(seed) % 64;
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)random_next(seed);
	} else {
		memcpy(bytes, good->data, len);
		for (uint64_t flips = 1 + random_next(seed) % 4; flips > 0; flips--)
			bytes[random_next(seed) % len] ^= (uint8_t)(1u << random_next(seed) % 8);
	}
	if (unpack_exact(bytes, len, &msg, &copy) == 0)
		check_stable(&msg);
	free(copy);
}

static void
fuzz(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15u;

	(void)state;
	for (size_t i = 0; i < NMESSAGES; i++) {
		msgpack_sbuffer good;
		struct wire_msg msg;

		msgpack_sbuffer_init(&good);
		messages[i].fill(&msg, FILL_MIN);
		wire_pack(&good, &msg);
		assert_true(good.size <= 512);
		for (int n = 0; n < 10000; n++)
			fuzz_once(&seed, &good);
		msgpack_sbuffer_destroy(&good);
	}
}

/* What replies to STATFS and USAGE carry, and nothing behind it. */
static void
space_and_used(void **state)
{
	struct wire_space space = { 1, UINT64_MAX, 3, 4 }, space2;
	struct wire_used used = { INT64_MAX, 0, 1, -1, 5 }, used2;
	msgpack_sbuffer packed;
	struct blob data;

	(void)state;
	msgpack_sbuffer_init(&packed);
	wire_space_pack(&packed, &space);
	data = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	assert_int_equal(wire_space_unpack(data, &space2), 0);
	assert_memory_equal(&space, &space2, sizeof space);
	assert_int_equal(wire_used_unpack(data, &used2), ERR_PROTO);
	data.len--;
	assert_int_equal(wire_space_unpack(data, &space2), ERR_PROTO);
	msgpack_sbuffer_clear(&packed);
	wire_used_pack(&packed, &used);
	data = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	assert_int_equal(wire_used_unpack(data, &used2), 0);
	assert_int_equal(used.nodes_max, used2.nodes_max);
	assert_int_equal(used.bytes_max, used2.bytes_max);
	assert_int_equal(used.hard, used2.hard);
	assert_int_equal(used.nodes, used2.nodes);
	assert_int_equal(used.bytes, used2.bytes);
	wire_used_pack(&packed, &used);
	data = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	assert_int_equal(wire_used_unpack(data, &used2), ERR_PROTO);
	msgpack_sbuffer_destroy(&packed);
}

static void
names(void **state)
{
	(void)state;
	assert_string_equal(wire_type_name(0), "?");
	assert_string_equal(wire_type_name(7), "?");
	assert_string_equal(wire_type_name(UINT32_MAX), "?");
	for (uint32_t type = 0; type < 64; type++)
		assert_int_equal(wire_is_write((enum wire_type)type),
		    (type >= 20 && type <= 27) || type == WIRE_T_QUOTA);
}

static int
setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 31 + i / 251);
	return msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	msgpack_zone_destroy(&zone);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(stat_and_entries),
		cmocka_unit_test(misfits),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(hostile_headers),
		cmocka_unit_test(fuzz),
		cmocka_unit_test(space_and_used),
		cmocka_unit_test(names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire", tests, setup, teardown);
}
