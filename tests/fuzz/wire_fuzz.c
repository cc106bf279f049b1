/*
 * Everything that decodes bytes from a socket: messages, stats, list entries.
 * What is accepted must survive a second round trip.
 */
#include "tests/fuzz/fuzz.h"

#include "replica/lib/wire.h"

#include <stdlib.h>

static void
same(const msgpack_sbuffer *one, const msgpack_sbuffer *two)
{
	CHECK(one->size == two->size && memcmp(one->data, two->data, one->size) == 0);
}

static void
message(const uint8_t *data, size_t size, msgpack_zone *zone)
{
	msgpack_sbuffer one, two;
	struct wire_msg msg, again;

	if (wire_unpack(data, size, zone, &msg) != 0)
		return;
	msgpack_sbuffer_init(&one);
	msgpack_sbuffer_init(&two);
	wire_pack(&one, &msg);
	CHECK(one.size <= WIRE_FRAME_MAX);
	CHECK(wire_unpack(one.data, one.size, zone, &again) == 0);
	wire_pack(&two, &again);
	same(&one, &two);
	CHECK(wire_type_name(msg.type)[0] != '?');
	msgpack_sbuffer_destroy(&one);
	msgpack_sbuffer_destroy(&two);
}

static void
stat_of(struct blob in)
{
	struct wire_stat stat, again;
	msgpack_sbuffer packed;

	if (wire_stat_unpack(in, &stat) != 0)
		return;
	msgpack_sbuffer_init(&packed);
	wire_stat_pack(&packed, &stat);
	CHECK(packed.size <= 256); /* as REPLY, CHANGE and ENTRY have room for */
	in = (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	CHECK(wire_stat_unpack(in, &again) == 0);
	CHECK(memcmp(&stat, &again, sizeof stat) == 0);
	msgpack_sbuffer_destroy(&packed);
}

static void
entries(struct blob in)
{
	struct wire_entry entry, again;
	uint32_t before = in.len;
	msgpack_sbuffer one, two;

	msgpack_sbuffer_init(&one);
	msgpack_sbuffer_init(&two);
	while (wire_entry_next(&in, &entry) == 1) {
		struct blob packed;

		CHECK(in.len < before); /* it always comes to an end */
		before = in.len;
		stat_of(entry.stat);
		msgpack_sbuffer_clear(&one);
		msgpack_sbuffer_clear(&two);
		wire_entry_pack(&one, &entry);
		packed = (struct blob){ (const uint8_t *)one.data, (uint32_t)one.size };
		CHECK(wire_entry_next(&packed, &again) == 1 && packed.len == 0);
		wire_entry_pack(&two, &again);
		same(&one, &two);
	}
	msgpack_sbuffer_destroy(&one);
	msgpack_sbuffer_destroy(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct blob in = { data, (uint32_t)size };
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);

	CHECK(zone != NULL);
	message(data, size, zone);
	stat_of(in);
	entries(in);
	msgpack_zone_free(zone);
	return 0;
}
