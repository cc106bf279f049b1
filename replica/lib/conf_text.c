/* Reading a configuration file, blanking its comments, and that all of it is there. See conf_text.h. */
#include "replica/lib/conf_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
slurp(const char *path, char *err, size_t errlen)
{
	FILE *file = fopen(path, "re");
	char *text = malloc(CONF_TEXT_MAX + 2);
	size_t len = 0;

	errno = file == NULL ? errno : 0;
	if (file != NULL && text != NULL)
		len = fread(text, 1, CONF_TEXT_MAX + 1, file);
	if (file == NULL || text == NULL || ferror(file)) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		goto fail;
	}
	if (len > CONF_TEXT_MAX) {
		snprintf(err, errlen, "%s: longer than %d bytes", path, CONF_TEXT_MAX);
		goto fail;
	}
	text[len] = '\0';
	if (strlen(text) != len) {
		snprintf(err, errlen, "%s: not a text file", path);
		goto fail;
	}
	fclose(file);
	return text;

fail:
	if (file != NULL)
		fclose(file);
	free(text);
	return NULL;
}

/* Behind the string that begins here; at the end of the text if it has no end. */
static char *
skip_string(char *at)
{
	char quote = *at++;

	while (*at != '\0' && *at != quote)
		at += *at == '\\' && at[1] != '\0' ? 2 : 1;
	return *at == quote ? at + 1 : at;
}

static char *
blank_line(char *at)
{
	while (*at != '\0' && *at != '\n')
		*at++ = ' ';
	return at;
}

/* Behind the comment, or NULL: it has no end. */
static char *
blank_block(char *at)
{
	const char *end = strstr(at + 2, "*/");

	if (end == NULL)
		return NULL;
	for (; at < end + 2; at++)
		if (*at != '\n')
			*at = ' ';
	return at;
}

static int
line_of(const char *text, const char *at)
{
	int line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

/* The message and NULL, for what is incomplete and where it begins. */
static char *
incomplete(const char *path, char *text, const char *at, const char *what, char *err, size_t errlen)
{
	snprintf(err, errlen, "%s:%d: %s", path, line_of(text, at), what);
	free(text);
	return NULL;
}

/* What has begun and not ended, NULL: nothing has. */
struct begun {
	const char *section;
	const char *setting; /* its '=' */
};

static void
note(struct begun *begun, const char *at)
{
	if (*at == '{' || *at == '}')
		begun->section = *at == '{' ? at : NULL;
	if (*at == '=')
		begun->setting = at;
	else if (*at != ' ' && *at != '\t' && *at != '\r')
		begun->setting = NULL;
}

/*
 * libConfuse takes the end of the file for the end of a section, too: a file that was cut off. And
 * it looks for a value on the next line, where the next key is.
 */
char *
conf_text(const char *path, char *err, size_t errlen)
{
	char *text = slurp(path, err, errlen);
	char *at = text, *comment = NULL;
	struct begun begun = { 0 };

	while (at != NULL && *at != '\0') {
		comment = at;
		if (*at == '"' || *at == '\'') {
			note(&begun, at);
			at = skip_string(at);
		} else if (*at == '#' || (at[0] == '/' && at[1] == '/')) {
			at = blank_line(at);
		} else if (at[0] == '/' && at[1] == '*') {
			at = blank_block(at);
		} else {
			if (*at == '\n' && begun.setting != NULL)
				break;
			note(&begun, at++);
		}
	}
	if (text != NULL && at == NULL)
		return incomplete(path, text, comment, "a comment without an end", err, errlen);
	if (begun.setting != NULL)
		return incomplete(
		    path, text, begun.setting, "a key without a value on its line", err, errlen);
	if (begun.section != NULL)
		return incomplete(
		    path, text, begun.section, "a section without an end", err, errlen);
	return text;
}
