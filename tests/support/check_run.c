/* SPDX-License-Identifier: MIT */
/*
 * Run a table of Check tests.  See check_run.h.
 */
#include "check_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_SECONDS 60

/* Each test is a case of its own, so CK_RUN_CASE=name runs one test. */
static void add_case(Suite *suite, const TTest *test, void (*setup)(void))
{
	TCase *tcase = tcase_create(test->name);

	if (setup)
		tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_set_timeout(tcase, TIMEOUT_SECONDS);
	tcase_add_test(tcase, test);
	suite_add_tcase(suite, tcase);
}

/* A name that no test has is a failure: a typing error must not look like a success. */
static size_t expected(const TTest *const *tests, size_t count)
{
	const char *wanted = getenv("CK_RUN_CASE");

	if (!wanted)
		return count;
	for (size_t i = 0; i < count; i++)
		if (strcmp(tests[i]->name, wanted) == 0)
			return 1;
	fprintf(stderr, "no test here is called %s; these are:\n", wanted);
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "  %s\n", tests[i]->name);
	return 1;
}

int check_run(const char *name, const TTest *const *tests, size_t count, void (*setup)(void))
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < count; i++)
		add_case(suite, tests[i], setup);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	if (srunner_ntests_run(runner) != (int)expected(tests, count))
		failed = 1;
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
