/*
 * A libFuzzer target for everything that decodes bytes from a socket: messages,
 * stats, list entries. What is accepted must survive a second round trip.
 * Not part of `make test` (tests/unit/wire_test.c has a small fixed-seed one):
 *
 *   clang -g -O1 -std=c17 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -I. \
 *       tests/fuzz/wire_fuzz.c replica/lib/{codec,wire,check}.c -lmsgpackc -o build/wire_fuzz
 *   mkdir -p build/corpus && build/wire_fuzz -max_len=4096 -max_total_time=600 build/corpus
 */
#include "replica/lib/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
fuzz_message(const uint8_t *data, size_t size, msgpack_zone *zone)
{
	msgpack_sbuffer one, two;
	struct wire_msg msg, again;

	if (wire_unpack(data, size, zone, &msg) != 0)
		return;
	msgpack_sbuffer_init(&one);
	msgpack_sbuffer_init(&two);
	wire_pack(&one, &msg);
	must(wire_unpack(one.data, one.size, zone, &again) == 0);
	wire_pack(&two, &again);
	must(one.size == two.size && memcmp(one.data, two.data, one.size) == 0);
	msgpack_sbuffer_destroy(&one);
	msgpack_sbuffer_destroy(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct blob in = { data, (uint32_t)size };
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	struct wire_entry entry;
	struct wire_stat stat;
	uint32_t before = in.len;

	must(zone != NULL);
	fuzz_message(data, size, zone);
	wire_stat_unpack(in, &stat);
	while (wire_entry_next(&in, &entry) == 1) {
		must(in.len < before); /* it always comes to an end */
		before = in.len;
		wire_stat_unpack(entry.stat, &stat);
	}
	msgpack_zone_free(zone);
	return 0;
}
