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

/* `setup`, if not NULL, runs before each test, in the test's process. */
int check_run(const char *name, const TTest *const *tests, size_t count, void (*setup)(void));

/* A test that runs for each `_i` from first to end - 1; once if the two are 0. */
struct check_loop {
	const TTest *test;
	int first, end;
};

/* The same for loop tests, with a function to run after each. */
int check_run_loops(const char *name, const struct check_loop *tests, size_t count,
		    void (*setup)(void), void (*teardown)(void));

#endif /* CHECK_RUN_H */
