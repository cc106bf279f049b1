/*
 * The log of a test that looks at what is logged: lines are counted, the last
 * ones kept; an error fails. Includes cmocka, and what comes before it.
 */
#ifndef ZABFS_TESTS_UNIT_LOG_COUNTED_H
#define ZABFS_TESTS_UNIT_LOG_COUNTED_H

#include "replica/lib/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static int warnings, infos, debugs;
static char warning[512], info[512];

static inline void
log_forget(void)
{
	warnings = infos = debugs = 0;
	warning[0] = info[0] = '\0';
}

void
log_warn(const char *format, ...)
{
	va_list args;

	warnings++;
	va_start(args, format);
	vsnprintf(warning, sizeof(warning), format, args);
	va_end(args);
}

void
log_info(const char *format, ...)
{
	va_list args;

	infos++;
	va_start(args, format);
	vsnprintf(info, sizeof(info), format, args);
	va_end(args);
}

void
log_debug(const char *format, ...)
{
	(void)format;
	debugs++;
}

void
log_error(const char *format, ...)
{
	fail_msg("log_error: %s", format);
}

#endif
