/* The end of a process whose invariants don't hold. See check.h. */
#include "replica/lib/check.h"

#include <stdio.h>
#include <stdlib.h>

static void (*the_hook)(const char *file, int line, const char *condition);

void
check_hook(void (*hook)(const char *file, int line, const char *condition))
{
	the_hook = hook;
}

_Noreturn void
check_fail(const char *file, int line, const char *condition)
{
	if (the_hook != NULL)
		the_hook(file, line, condition);
	else
		fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
	abort();
}
