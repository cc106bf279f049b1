/* The log. See log.h. */
#include "replica/lib/log.h"

#include "replica/lib/check.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048 /* longer lines are cut */

static const char *program_name = "zabfs";
static bool to_stderr = true;
static int verbosity;

static const char *
level_name(int priority)
{
	switch (priority) {
	case LOG_ERR:
		return "error";
	case LOG_WARNING:
		return "warning";
	case LOG_INFO:
		return "info";
	default:
		return "debug";
	}
}

/* A name, or what somebody sent, may be in it: it begins no line of its own, and moves no cursor. */
static void
plain(const char *text, char line[LINE_MAX_BYTES])
{
	size_t at = 0;

	for (; *text != '\0' && at < LINE_MAX_BYTES - 4; text++) {
		uint8_t c = (uint8_t)*text;

		if (c >= ' ' && c != 127)
			line[at++] = *text;
		else
			at += (size_t)snprintf(line + at, LINE_MAX_BYTES - at, "\\%03o", c);
	}
	line[at] = '\0';
}

static void
write_line(int priority, const char *format, va_list args)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES], stamp[32];
	struct timespec now;
	struct tm tm;

	vsnprintf(text, sizeof text, format, args);
	plain(text, line);
	if (!to_stderr) {
		syslog(priority, "%s", line);
		/* Until the daemon is ready somebody waits there; afterwards it is /dev/null. */
		if (priority == LOG_ERR)
			fprintf(stderr, "%s: %s\n", program_name, line);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	/* One fprintf, one write: stderr is unbuffered but locked, lines of threads don't mix. */
	fprintf(stderr, "%s.%03ldZ %s[%d] %s: %s\n", stamp, now.tv_nsec / 1000000, program_name,
	    (int)getpid(), level_name(priority), line);
}

#define LOG_AT(priority)                                                                           \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		write_line(priority, format, args);                                                \
		va_end(args);                                                                      \
	} while (0)

void
log_error(const char *format, ...)
{
	LOG_AT(LOG_ERR);
}

void
log_warn(const char *format, ...)
{
	LOG_AT(LOG_WARNING);
}

void
log_info(const char *format, ...)
{
	LOG_AT(LOG_INFO);
}

void
log_debug(const char *format, ...)
{
	if (verbosity > 0)
		LOG_AT(LOG_DEBUG);
}

_Noreturn void
fatal(int exit_code, const char *format, ...)
{
	LOG_AT(LOG_ERR);
	exit(exit_code);
}

static void
on_check(const char *file, int line, const char *condition)
{
	log_error("check failed at=%s:%d condition=\"%s\"", file, line, condition);
}

void
log_init(const char *program, bool foreground, int verbose)
{
	program_name = program;
	to_stderr = foreground;
	verbosity = verbose;
	if (!foreground)
		openlog(program, LOG_PID, LOG_DAEMON);
	check_hook(on_check);
}
