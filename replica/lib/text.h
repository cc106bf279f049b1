/*
 * Text for people, put together in a growing buffer. No memory: CHECK. Used by
 * replica/events.c, replica/event_text.c, replica/quota.c, fsd/steps_text.c, fsd/zabstream.c and
 * fsd/events.c.
 */
#ifndef ZABFS_LIB_TEXT_H
#define ZABFS_LIB_TEXT_H

#include <msgpack.h>
#include <stdint.h>

#define TEXT_FORMAT_MAX 80 /* bytes that text_format may give, the terminator counts */

/* Appends bytes; data may be NULL if there are none. */
void text_put(msgpack_sbuffer *out, const char *data, size_t len);
void text_add(msgpack_sbuffer *out, const char *string);
#define TEXT_ESCAPED_MAX 4 /* bytes that a byte of a name becomes */
/* A name's bytes, those that would end a word as \NNN. */
void text_name(msgpack_sbuffer *out, const uint8_t *name, size_t len);
/* Something short: more than TEXT_FORMAT_MAX is a CHECK. */
void text_format(msgpack_sbuffer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
