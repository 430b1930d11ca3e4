/* SPDX-License-Identifier: MIT */
/*
 * Goal: what a durable untorn page costs through the journal, against what else one could do.
 * Method: all contenders of a comparison take turns of a fraction of a second in one run, for
 * many rounds, so that what else the machine does hits all of them; a ratio is the median of
 * the rounds' ratios.  "overall" is that of all time and all steps, the checkpoints included.
 *
 *	journal [--seconds S] [--json] [--only WORD] DIRECTORY
 *		compare, S seconds a comparison, those with WORD in the name
 *	journal --count page|batch N DIRECTORY
 *		N steps through the journal, for strace to count
 *
 * Flow: tests/bench/journal.sh mounts the filesystems and runs this on each.
 */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "journal_rivals.h"

#define ROUNDS_MAX 400
#define THREADS 8
#define SCANS 7
#define SECONDS_TO_FILL 0.2 /* who has less a comparison does not wait for thousands of frames */

/* The first rival is what the others are compared with. */
struct comparison {
	const char *name;
	struct rival rivals[5];
};

static const struct comparison comparisons[] = {
	{"page, direct",
	 {{"journal", library_page, DIRECT, 1, 0},
	  {"naive double write", double_page, DIRECT, 1, 1.7},
	  {"unprotected", unprotected_page, DIRECT, 1, 0.9},
	  {"copy on write", library_page, COW, 1, 3}}},
	{"page, buffered",
	 {{"journal", library_page, BUFFERED, 1, 0},
	  {"naive double write", double_page, BUFFERED, 1, 1.7},
	  {"unprotected, direct", unprotected_page, DIRECT, 1, 0.9},
	  {"unprotected, buffered", unprotected_page, BUFFERED, 1, 0.9},
	  {"copy on write", library_page, COW, 1, 3}}},
	{"batch of 64, direct",
	 {{"journal", library_batch, DIRECT, 1, 0},
	  {"batched double write", double_batch, DIRECT, 1, 1.1},
	  {"page-by-page double write", double_page_by_page, DIRECT, 1, 7},
	  {"unprotected", unprotected_batch, DIRECT, 1, 0.8},
	  {"copy on write, one sync", untorn_batch, COW, 1, 3}}},
	{"batch of 64, buffered",
	 {{"journal", library_batch, BUFFERED, 1, 0},
	  {"batched double write", double_batch, BUFFERED, 1, 1.1},
	  {"unprotected", unprotected_batch, BUFFERED, 1, 0.8}}},
	{"8 threads, page, direct",
	 {{"journal", library_page, DIRECT, THREADS, 0},
	  {"journal, 1 thread", library_page, DIRECT, 1, 3},
	  {"unprotected, 8 threads", unprotected_page, DIRECT, THREADS, 0}}},
};
#define COMPARISONS (sizeof(comparisons) / sizeof(comparisons[0]))
#define RIVALS_MAX (sizeof(comparisons[0].rivals) / sizeof(comparisons[0].rivals[0]))

static struct {
	double seconds;
	const char *only;
	bool json;
} run = {.seconds = 8, .only = ""};

/* One object a line, in the form that run.sh gathers; the first rival has no ratio. */
static void report_json(const char *name, const char *rival, double value, const char *unit,
			double ratio, double overall, double goal)
{
	printf("{\"what\": \"journal, %s\", \"way\": \"%s\"", name, rival);
	if (ratio > 0)
		printf(", \"figure\": %.3f, \"unit\": \"x\", \"overall\": %.3f, \"time_us\": %.1f",
		       ratio, overall, value);
	else
		printf(", \"figure\": %.1f, \"unit\": \"%s\"", value, unit);
	if (goal > 0)
		printf(", \"goal\": %.2f, \"better\": \"more\"", goal);
	printf("}\n");
	fflush(stdout);
}

static void report(const char *name, const char *rival, double value, const char *unit,
		   double ratio, double overall, double goal)
{
	if (run.json) {
		report_json(name, rival, value, unit, ratio, overall, goal);
		return;
	}
	printf("%-24s %-26s %9.1f %-5s", name, rival, value, unit);
	if (ratio > 0)
		printf(" %7.2fx %7.2fx", ratio, overall);
	else
		printf(" %8s %8s", "", "");
	if (goal > 0)
		printf(" %6.1f%s  %s", goal, ratio > 0 ? "x" : "",
		       (ratio > 0 ? ratio : value) >= goal ? "met" : "SHORT");
	printf("\n");
	fflush(stdout);
}

static void compare(const struct comparison *comparison)
{
	static double times[RIVALS_MAX][ROUNDS_MAX], ratios[RIVALS_MAX][ROUNDS_MAX];
	double total_ns[RIVALS_MAX] = {0}, steps[RIVALS_MAX] = {0}, ns, done;
	const double end = now_ns() + run.seconds * 1e9;
	const double start = now_ns();
	uint32_t rounds = 0;

	do {
		progress(comparison->name, (now_ns() - start) / 1e9, run.seconds);
		for (uint32_t i = 0; i < RIVALS_MAX && comparison->rivals[i].name; i++) {
			const struct rival *rival = &comparison->rivals[i];

			if (rival->home == COW && !has_cow())
				continue;
			done = take_slice(rival, &ns);
			total_ns[i] += ns;
			steps[i] += done;
			times[i][rounds] = ns / done;
			ratios[i][rounds] = times[i][rounds] / times[0][rounds];
		}
		rounds++;
	} while (now_ns() < end && rounds < ROUNDS_MAX);
	progress(comparison->name, run.seconds, run.seconds);
	for (uint32_t i = 0; i < RIVALS_MAX && comparison->rivals[i].name; i++)
		if (steps[i] > 0)
			report(comparison->name, comparison->rivals[i].name,
			       median(times[i], rounds) / 1e3, "us",
			       i ? median(ratios[i], rounds) : 0,
			       total_ns[i] / steps[i] / (total_ns[0] / steps[0]),
			       comparison->rivals[i].goal);
}

/* Die with live frames, about as many as the ring has room for. */
static void leave_frames(step *take_step)
{
	const pid_t child = fork();
	int status;

	if (child == 0) {
		struct atomicio_journal_info info = {.size = 0};

		open_journal(false);
		open_homes();
		bench.workers[0].home = &bench.homes[DIRECT];
		do {
			take_step(&bench.workers[0]);
			check(atomicio_journal_get_info(bench.journal, &info, sizeof(info)),
			      "info");
		} while (info.live_bytes < info.size - 2 * (BATCH + 1) * PAGE);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		errx(1, "no live frames were left");
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id >= 1 && file_id <= HOMES ? bench.homes[file_id - 1].fd : -ENOENT;
}

/* How fast the ring is read at open, and replayed. */
static void scan(const char *name, step *take_step)
{
	struct atomicio_journal_info info;
	struct atomicio_recovery recovery;
	double rates[SCANS], start;

	progress(name, 0, 1);
	leave_frames(take_step);
	for (uint32_t i = 0; i < SCANS; i++) {
		start = now_ns();
		open_journal(false);
		start = now_ns() - start;
		check(atomicio_journal_get_info(bench.journal, &info, sizeof(info)), "info");
		rates[i] = (double)info.live_bytes / start * 1e3;
		if (i + 1 < SCANS)
			atomicio_journal_close(bench.journal);
	}
	start = now_ns();
	check(atomicio_journal_recover(bench.journal, resolve, NULL, NULL, 0, &recovery,
				       sizeof(recovery)),
	      "recover");
	start = now_ns() - start;
	progress(name, 1, 1);
	report(name, "open", median(rates, SCANS), "MB/s", 0, 0, 500);
	report(name, "recover", (double)recovery.bytes_scanned / start * 1e3, "MB/s", 0, 0, 0);
	atomicio_journal_close(bench.journal);
}

static void count(const char *what, uint64_t steps)
{
	bench.workers[0].home = &bench.homes[DIRECT];
	while (steps--)
		(strcmp(what, "page") ? library_batch : library_page)(&bench.workers[0]);
}

int main(int argc, char **argv)
{
	const char *counted = NULL;
	uint64_t steps = 0;
	int at = 1;

	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--json")) {
			run.json = true;
		} else if (!strcmp(argv[at], "--seconds") && at + 1 < argc) {
			run.seconds = atof(argv[++at]);
		} else if (!strcmp(argv[at], "--only") && at + 1 < argc) {
			run.only = argv[++at];
		} else if (!strcmp(argv[at], "--count") && at + 2 < argc) {
			counted = argv[++at];
			steps = strtoull(argv[++at], NULL, 10);
		}
	}
	if (at + 1 != argc)
		errx(2, "usage: journal [--seconds S] [--json] [--only WORD] "
			"[--count page|batch N] DIRECTORY");
	if (chdir(argv[at]))
		err(1, "%s", argv[at]);
	set_up();
	if (counted) {
		count(counted, steps);
		close_all();
		return 0;
	}
	for (uint32_t i = 0; i < COMPARISONS; i++)
		if (strstr(comparisons[i].name, run.only))
			compare(&comparisons[i]);
	close_all();
	if (strstr("scan", run.only)) {
		scan("scan, frames of 64", library_batch);
		if (run.seconds >= SECONDS_TO_FILL)
			scan("scan, frames of 1", library_page);
	}
	return 0;
}
