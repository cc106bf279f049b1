/*
 * The surroundings of every fuzz target: a clock that moves only when it is
 * told to, and a log that takes no error line for normal. Linked before the
 * archives, so that these definitions win over replica/lib/log.c and libc.
 */
#include "tests/fuzz/fuzz.h"

#include "replica/lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BEGIN_S 100000

const char *fuzz_error_allowed;
static uint64_t skipped_ms;

void
fuzz_clock_advance_ms(uint64_t ms)
{
	skipped_ms += ms;
}

/* The calendar goes on: libFuzzer measures its own time by it. */
int
clock_gettime(clockid_t id, struct timespec *now)
{
	/* libevent's timers go by the coarse one. */
	if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE && id != CLOCK_BOOTTIME)
		return (int)syscall(SYS_clock_gettime, id, now);
	now->tv_sec = (time_t)(BEGIN_S + skipped_ms / 1000);
	now->tv_nsec = (long)(skipped_ms % 1000) * 1000000;
	return 0;
}

static void __attribute__((format(printf, 1, 0))) print(const char *format, va_list args)
{
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

/* Formatted, so that what a line names is read, and forgotten. */
static void __attribute__((format(printf, 1, 0))) swallow(const char *format, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof line, format, args);
	if (getenv("FUZZ_LOG") != NULL)
		fprintf(stderr, "%s\n", line);
}

#define FORMAT_WITH(function)                                                                      \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		function(format, args);                                                            \
		va_end(args);                                                                      \
	} while (0)

void
log_error(const char *format, ...)
{
	if (fuzz_error_allowed != NULL &&
	    strncmp(format, fuzz_error_allowed, strlen(fuzz_error_allowed)) == 0) {
		FORMAT_WITH(swallow);
		return;
	}
	FORMAT_WITH(print);
	abort();
}

void
log_warn(const char *format, ...)
{
	FORMAT_WITH(swallow);
}

void
log_info(const char *format, ...)
{
	FORMAT_WITH(swallow);
}

void
log_debug(const char *format, ...)
{
	FORMAT_WITH(swallow);
}

_Noreturn void
fatal(int exit_code, const char *format, ...)
{
	FORMAT_WITH(print);
	fprintf(stderr, "fatal: exit code %d\n", exit_code);
	abort();
}
