/* See text.h. */
#include "replica/lib/text.h"

#include "replica/lib/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
text_put(msgpack_sbuffer *out, const char *data, size_t len)
{
	CHECK(len == 0 || msgpack_sbuffer_write(out, data, len) == 0);
}

void
text_add(msgpack_sbuffer *out, const char *string)
{
	text_put(out, string, strlen(string));
}

void
text_format(msgpack_sbuffer *out, const char *format, ...)
{
	char text[TEXT_FORMAT_MAX];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	CHECK(n >= 0 && n < TEXT_FORMAT_MAX);
	text_put(out, text, (size_t)n);
}

void
text_name(msgpack_sbuffer *out, const uint8_t *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		uint8_t c = name[i];

		if (c > ' ' && c != 127 && c != '\\') {
			text_put(out, (const char *)&name[i], 1);
			continue;
		}
		text_format(out, "\\%03o", c);
	}
}
