/* The log. See log.h. */
#include "replica/lib/log.h"

#include "replica/lib/check.h"

#include <stdarg.h>
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

static void
write_line(int priority, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES], stamp[32];
	struct timespec now;
	struct tm tm;

	vsnprintf(line, sizeof line, format, args);
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
