/*
 * The configuration's text as libconfuse 3.3 gets it: without comments. Its
 * scanner counts a line comment as three lines and a block comment as one too
 * many, so that its messages would name the wrong line; it lets a comment run
 * on to the file's end, and reads a directory or a NUL as the end of the
 * process or of the file. Called by conf.c alone.
 */
#ifndef ZABFS_LIB_CONF_TEXT_H
#define ZABFS_LIB_CONF_TEXT_H

#include <stddef.h>

#define CONF_TEXT_MAX 65536 /* bytes of a configuration file */

/*
 * The whole file, each comment (# and // to the end of the line, C's) a run of
 * spaces, its newlines kept. The caller frees it. NULL and err, one line, if
 * it cannot be read, is no text or too long, a comment or a section has no end, or a
 * key no value on its line.
 */
char *conf_text(const char *path, char *err, size_t errlen);

#endif
