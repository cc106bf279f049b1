/*
 * Messages as frames, and back: for tests that speak over a bare socket, where
 * replica/lib/conn.c is the other side, or what is tested.
 */
#ifndef ZABFS_TESTS_FRAME_H
#define ZABFS_TESTS_FRAME_H

#include "replica/lib/wire.h"

#include <arpa/inet.h>
#include <string.h>

/* Appends one. */
static inline void
frame_pack(msgpack_sbuffer *out, const struct wire_msg *msg)
{
	size_t at = out->size;
	uint32_t len;

	msgpack_sbuffer_write(out, "\0\0\0", 4);
	wire_pack(out, msg);
	len = htonl((uint32_t)(out->size - at - 4));
	memcpy(out->data + at, &len, 4);
}

/*
 * The one at in + *at, which moves behind it: 1 a message, 0 none is whole, -1
 * it is none. Blobs are borrowed from `in`.
 */
static inline int
frame_next(const uint8_t *in, size_t len, size_t *at, struct wire_msg *msg)
{
	const uint8_t *body = in + *at + 4;
	uint32_t size;

	if (len - *at < 4)
		return 0;
	memcpy(&size, in + *at, 4);
	size = ntohl(size);
	if (size > WIRE_FRAME_MAX)
		return -1;
	if (len - *at - 4 < size)
		return 0;
	*at += 4 + size;
	return wire_unpack(body, size, NULL, msg) == 0 ? 1 : -1;
}

#endif
