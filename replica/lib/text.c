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
