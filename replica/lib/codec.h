/*
 * Structs to msgpack arrays and back, by schema. A schema is a table of
 * fields; wire.h (messages) and tree/txn.h (log rows) declare theirs by
 * X-macros, so that each message is written down once and there is one
 * decoder to fuzz.
 *
 * Everything that is decoded is hostile: types, ranges and lengths are checked
 * against the schema before anything is used, nothing is allocated but from
 * the caller's zone.
 */
#ifndef ZABFS_LIB_CODEC_H
#define ZABFS_LIB_CODEC_H

#include <msgpack.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes owned by somebody else: borrowed until the owner's buffer goes. */
struct blob {
	const uint8_t *data;
	uint32_t len;
};

enum field_type { FIELD_u64, FIELD_u32, FIELD_i64, FIELD_i32, FIELD_blob };

/* The C types that the X-macros declare. */
typedef uint64_t field_u64;
typedef uint32_t field_u32;
typedef int64_t field_i64;
typedef int32_t field_i32;
typedef struct blob field_blob;

struct field {
	enum field_type type;
	uint32_t offset; /* in the struct */
	uint32_t max;	 /* FIELD_blob: bytes at most; otherwise unused */
	const char *name;
};

struct schema {
	const char *name;
	const struct field *fields;
	uint32_t nfields;
	uint32_t size; /* of the struct */
};

/* For X-macros: F(struct tag, type, field, max). */
#define CODEC_DECLARE(tag, type, name, max) field_##type name;
#define CODEC_ROW(tag, type, name, max) { FIELD_##type, offsetof(struct tag, name), max, #name },

/*
 * Appends one array of nfields elements. A blob beyond its max is the caller's
 * bug (CHECK): the other side would refuse it. No memory: CHECK.
 */
void codec_pack(msgpack_packer *pk, const struct schema *schema, const void *in);

/* The elements alone, for an array that has others before or behind them. */
void codec_pack_fields(msgpack_packer *pk, const struct schema *schema, const void *in);

/*
 * Fills `out` (schema->size bytes) from a msgpack array's `n` elements. Blobs
 * are borrowed from the decoded buffer. 0 or ERR_PROTO: wrong count, type,
 * range or length.
 */
int codec_unpack(
    const struct schema *schema, const msgpack_object *elements, uint32_t n, void *out);

/*
 * Decodes one flat array (integers and bin only, at most `max` elements) from
 * data + *off and moves *off behind it. Allocates nothing, whatever the input
 * claims: a nested container is refused at its first byte. 0 or ERR_PROTO.
 */
int codec_flat(const uint8_t *data, size_t len, size_t *off, msgpack_object *elements, uint32_t max,
    uint32_t *n);

#endif
