/* SPDX-License-Identifier: MIT */
/*
 * Run a table of Check tests, each in a process of its own.
 *
 * Flow: called by main() of every Check program.  Returns the program's exit status.
 * CK_RUN_CASE=name in the environment runs the test of that name alone; CK_FORK=no runs it in the
 * program itself, for a debugger.
 */
#ifndef CHECK_RUN_H
#define CHECK_RUN_H

#include <check.h>
#include <stddef.h>

/* `setup` may be NULL; it runs before each test, in the test's process. */
int check_run(const char *name, const TTest *const *tests, size_t count, void (*setup)(void));

#endif /* CHECK_RUN_H */
