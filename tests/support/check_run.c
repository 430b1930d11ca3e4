/* SPDX-License-Identifier: MIT */
/*
 * Run a table of Check tests.  See check_run.h.
 */
#include "check_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_SECONDS 60
#define TESTS_MAX 64

/* Each test is a case of its own: CK_RUN_CASE=name runs one test. */
static void add_case(Suite *suite, const struct check_loop *loop, void (*setup)(void),
		     void (*teardown)(void))
{
	TCase *tcase = tcase_create(loop->test->name);

	if (setup || teardown)
		tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, TIMEOUT_SECONDS);
	if (loop->end)
		tcase_add_loop_test(tcase, loop->test, loop->first, loop->end);
	else
		tcase_add_test(tcase, loop->test);
	suite_add_tcase(suite, tcase);
}

static int runs(const struct check_loop *loop)
{
	return loop->end ? loop->end - loop->first : 1;
}

/* A name that no test has is a failure: a typing error must not look like a success. */
static int expected(const struct check_loop *tests, size_t count)
{
	const char *wanted = getenv("CK_RUN_CASE");
	int all = 0;

	for (size_t i = 0; i < count; i++) {
		if (wanted && strcmp(tests[i].test->name, wanted) == 0)
			return runs(&tests[i]);
		all += runs(&tests[i]);
	}
	if (!wanted)
		return all;
	fprintf(stderr, "no test here is called %s; these are:\n", wanted);
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "  %s\n", tests[i].test->name);
	return 1;
}

int check_run_loops(const char *name, const struct check_loop *tests, size_t count,
		    void (*setup)(void), void (*teardown)(void))
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < count; i++)
		add_case(suite, &tests[i], setup, teardown);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	if (srunner_ntests_run(runner) != expected(tests, count))
		failed = 1;
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int check_run(const char *name, const TTest *const *tests, size_t count, void (*setup)(void))
{
	struct check_loop loops[TESTS_MAX] = {0};

	if (count > TESTS_MAX) {
		fprintf(stderr, "%s has more than %d tests\n", name, TESTS_MAX);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < count; i++)
		loops[i].test = tests[i];
	return check_run_loops(name, loops, count, setup, NULL);
}
