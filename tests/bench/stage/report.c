/* SPDX-License-Identifier: MIT */
/*
 * Results, times and progress of the benches.
 *
 * Flow: see stage.h.  A line of JSON has the form that tests/bench/lib.sh describes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

#define PROGRESS_NS 5e9

void check(int error, const char *what)
{
	if (error) {
		errno = -error;
		err(1, "%s", what);
	}
}

double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

double median(double *values, uint32_t count)
{
	qsort(values, count, sizeof(*values), by_size);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Long work says where it is: in place on a terminal, else a line each PROGRESS_NS. */
void progress(const char *what, double done, double all)
{
	static double last;
	const double now = now_ns();

	if (isatty(2)) {
		if (done < all)
			fprintf(stderr, "\r\033[K%s: %.0f of %.0f", what, done, all);
		else
			fprintf(stderr, "\r\033[K");
	} else if (now - last > PROGRESS_NS) {
		if (last > 0)
			fprintf(stderr, "%s: %.0f of %.0f\n", what, done, all);
		last = now;
	}
}

static void put_json(const struct stage_result *result)
{
	printf("{\"what\": \"%s\", ", result->what);
	if (result->way)
		printf("\"way\": \"%s\", ", result->way);
	if (result->figure < 0)
		printf("\"figure\": null, ");
	else
		printf("\"figure\": %.5f, ", result->figure);
	printf("\"unit\": \"%s\"", result->unit);
	if (result->goal > 0)
		printf(", \"goal\": %.2f, \"better\": \"%s\"", result->goal,
		       result->less ? "less" : "more");
	if (result->more)
		printf(", %s", result->more);
	printf("}\n");
}

void stage_report(const struct stage_result *result)
{
	const bool met = result->figure >= 0 && (result->less ? result->figure <= result->goal
							      : result->figure >= result->goal);

	if (stage.json) {
		put_json(result);
		fflush(stdout);
		return;
	}
	printf("%-44s %-34s", result->what, result->way ? result->way : "");
	if (result->figure < 0)
		printf(" %10s %-8s", "none", "");
	else
		printf(" %10.2f %-8s", result->figure, result->unit);
	if (result->goal > 0)
		printf(" %s %.2f  %s", result->less ? "<=" : ">=", result->goal,
		       met ? "met" : "SHORT");
	printf("\n");
	fflush(stdout);
}
