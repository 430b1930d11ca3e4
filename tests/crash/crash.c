/* SPDX-License-Identifier: MIT */
/*
 * Goal: no crash, at any point, with any fate of what was not durable, loses an acknowledged
 * write, tears a page, parts a group, or brings anything older back.
 *
 * Method: the real library runs over a simulated disk (disk.h); every crash of every scenario is
 * made (explore.h), recovered, and compared with what was promised (oracle.h).  All of it is
 * deterministic.
 *
 *	crash [--scenario NAME] [--keep-going] [--short N]	explore; N divides the bounds;
 *		of calls that fail and of schedules it takes each second from 8 on, each
 *		fourth from 16, each eleventh from 100
 *	crash --replay STRING					run one state again
 *	crash --list						name the scenarios
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "explore.h"

/* The run is worth nothing if it shrinks unseen. */
#define STATES_DEMANDED 1000000u

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int replay(const char *string)
{
	const int result = explore_replay(string);

	if (result == 2)
		printf("# no such state: %s\n", string);
	else
		printf("%s - %s\n", result ? "not ok" : "ok", string);
	return result;
}

static int list(void)
{
	for (uint32_t i = 0; scenarios[i]; i++)
		printf("%-14s %s\n", scenarios[i]->name, scenarios[i]->about);
	return 0;
}

static int explore(const char *only, const struct explore_options *options)
{
	struct explore_count all = {.states = 0};
	const double start = seconds();
	bool found = false;

	for (uint32_t i = 0; scenarios[i]; i++) {
		struct explore_count one = {.states = 0};
		const double begun = seconds();

		if (only && strcmp(only, scenarios[i]->name) != 0)
			continue;
		found = true;
		if (explore_scenario(scenarios[i], options, &one))
			printf("ok - %s: %s\n", scenarios[i]->name, scenarios[i]->about);
		printf("#   %llu states, %llu of them met before, %llu runs, bound of %u and %u "
		       "fates reached at %llu crashes, %.1f s\n",
		       (unsigned long long)one.states, (unsigned long long)one.repeated,
		       (unsigned long long)one.runs, scenarios[i]->fates_first,
		       scenarios[i]->fates_second, (unsigned long long)one.vectors_cut,
		       seconds() - begun);
		fflush(stdout);
		all.states += one.states;
		all.repeated += one.repeated;
		all.failures += one.failures;
		if (one.failures && !options->keep_going)
			break;
	}
	if (!found) {
		fprintf(stderr, "crash: there is no scenario %s; --list names them\n", only);
		return 2;
	}
	printf("# %llu crash states, %llu of them different, %llu failed, %.1f s\n",
	       (unsigned long long)all.states, (unsigned long long)(all.states - all.repeated),
	       (unsigned long long)all.failures, seconds() - start);
	if (!only && !all.failures && options->divide <= 8 &&
	    all.states - all.repeated < STATES_DEMANDED) {
		printf("not ok - fewer than %u different states\n", STATES_DEMANDED);
		return 1;
	}
	return all.failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct explore_options options = {.divide = 1};
	const char *only = NULL;

	for (int i = 1; i < argc; i++) {
		const bool more = i + 1 < argc;

		if (strcmp(argv[i], "--replay") == 0 && more)
			return replay(argv[++i]);
		if (strcmp(argv[i], "--list") == 0)
			return list();
		if (strcmp(argv[i], "--keep-going") == 0) {
			options.keep_going = true;
		} else if (strcmp(argv[i], "--scenario") == 0 && more) {
			only = argv[++i];
		} else if (strcmp(argv[i], "--short") == 0 && more) {
			options.divide = (uint32_t)strtoul(argv[++i], NULL, 10);
		} else {
			fprintf(stderr, "usage: crash [--scenario NAME] [--keep-going] [--short N] "
					"| --replay STRING | --list\n");
			return 2;
		}
	}
	return explore(only, &options);
}
