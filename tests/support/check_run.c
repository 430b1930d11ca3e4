/* SPDX-License-Identifier: MIT */
/*
 * Run a table of Check tests.  See check_run.h.
 */
#include "check_run.h"

#include <stdlib.h>

#define TIMEOUT_SECONDS 60

int check_run(const char *name, const TTest *const *tests, size_t count, void (*setup)(void))
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	if (setup)
		tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_set_timeout(tcase, TIMEOUT_SECONDS);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	if (srunner_ntests_run(runner) != (int)count)
		failed = 1;
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
