/*
 * CHECK: an invariant, always on. Where it does not hold the process says
 * which one and aborts: a wrong answer is worse than none. The pure rooms
 * (zab/, tree/) use it too, so this needs nothing but a compiler.
 */
#ifndef ZABFS_LIB_CHECK_H
#define ZABFS_LIB_CHECK_H

#define CHECK(condition) ((condition) ? (void)0 : check_fail(__FILE__, __LINE__, #condition))

_Noreturn void check_fail(const char *file, int line, const char *condition);

/* Also tells `hook`, once, before the end: the log, which check.c doesn't know. */
void check_hook(void (*hook)(const char *file, int line, const char *condition));

#endif
