/*
 * The log: one line per event, a fixed message and key=value pairs. In the
 * foreground to stderr, otherwise to syslog(3), and errors to both: why a start
 * failed is for whoever started it. Thread-safe. libc only.
 */
#ifndef ZABFS_LIB_LOG_H
#define ZABFS_LIB_LOG_H

#include <stdbool.h>

void log_init(const char *program, bool foreground, int verbose);

/* Needs a person. A line of this kind fails the test that provoked it. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Operational: a connection dropped, a disk full. */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Only with -v. */
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A hopeless start, or nothing sane left to do: one error line, then exit(3). */
_Noreturn void fatal(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
