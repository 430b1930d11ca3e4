/* SPDX-License-Identifier: MIT */
/*
 * Goal: two threads that write large groups of small pages do not stand in each other's way.
 * Method: groups of 16,000 pages of 512 bytes, all or none, from one thread and from two, each in
 * its half of a buffered file, in turn; a rate is of all time of both.
 *
 *	groups SECONDS [--json] DIRECTORY
 *
 * Flow: tests/bench/reopen.sh mounts a filesystem and runs this on it.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage/stage.h"

#define GROUP 16000u
#define SMALL 512u
#define THREADS 2u
#define GROUPS_LOG (256u << 20)
#define GROUPS_FRAME (64u << 20) /* what a group takes, in blocks of 4 KiB */
#define ROUNDS_MAX 100u

struct writer {
	pthread_t thread;
	struct atomicio_op ops[GROUP];
	uint64_t random;
	uint64_t first; /* page of the file */
	uint32_t groups;
	double deadline;
};

static struct writer writers[THREADS];

static uint64_t draw(struct writer *writer)
{
	writer->random =
		writer->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return writer->random >> 33;
}

/* One page of each part of the thread's half of the file, in any order. */
static void make_group(struct writer *writer)
{
	const uint64_t part = FILE_SIZE / SMALL / THREADS / GROUP;

	for (uint32_t i = 0; i < GROUP; i++)
		writer->ops[i] = (struct atomicio_op){
			.file = stage.files[BUFFERED],
			.buffer = stage.workers[0].writer.memory + (size_t)(i % 1024) * SMALL,
			.offset = (writer->first + i * part + draw(writer) % part) * SMALL,
			.length = SMALL,
		};
	for (uint32_t i = GROUP; i > 1; i--) {
		const uint64_t other = draw(writer) % i;
		const struct atomicio_op op = writer->ops[i - 1];

		writer->ops[i - 1] = writer->ops[other];
		writer->ops[other] = op;
	}
}

static void *write_groups(void *argument)
{
	struct writer *writer = argument;

	writer->groups = 0;
	do {
		make_group(writer);
		check(atomicio_write_batch(NULL, writer->ops, GROUP,
					   ATOMICIO_DSYNC | ATOMICIO_ALL_OR_NONE),
		      "a group");
		writer->groups++;
	} while (now_ns() < writer->deadline);
	return NULL;
}

/* Groups a second of so many threads. */
static double rate(uint32_t threads, double slice_ns)
{
	const double start = now_ns();
	double groups = 0;

	for (uint32_t i = 0; i < threads; i++) {
		writers[i].deadline = start + slice_ns;
		check(-pthread_create(&writers[i].thread, NULL, write_groups, &writers[i]),
		      "pthread_create");
	}
	for (uint32_t i = 0; i < threads; i++) {
		pthread_join(writers[i].thread, NULL);
		groups += writers[i].groups;
	}
	return groups * 1e9 / (now_ns() - start);
}

int main(int argc, char **argv)
{
	static double ones[ROUNDS_MAX], ratios[ROUNDS_MAX];
	const double seconds = argc > 2 ? atof(argv[1]) : 0;
	double start;
	uint32_t rounds = 0;

	stage.json = argc == 4 && !strcmp(argv[2], "--json");
	if (argc != (stage.json ? 4 : 3) || seconds <= 0)
		errx(2, "usage: groups SECONDS [--json] DIRECTORY");
	if (chdir(argv[argc - 1]))
		err(1, "%s", argv[argc - 1]);
	stage_begin(seconds, 0);
	stage_open_journal("groups-journal", GROUPS_LOG, GROUPS_FRAME, true);
	stage_open_homes();
	for (uint32_t i = 0; i < THREADS; i++)
		writers[i].first = i * (FILE_SIZE / SMALL / THREADS);
	rate(1, 0); /* what the first one finds cold */
	start = now_ns();
	do {
		progress("groups", (now_ns() - start) / 1e9, seconds);
		ones[rounds] = rate(1, seconds * 1e9 / 8);
		ratios[rounds] = rate(THREADS, seconds * 1e9 / 8) / ones[rounds];
		rounds++;
	} while (now_ns() - start < seconds * 1e9 && rounds < ROUNDS_MAX);
	progress("groups", seconds, seconds);
	stage_report(&(struct stage_result){.what = "journal, 2 threads, groups of 16,000 x 512 B",
					    .way = "1 thread",
					    .figure = median(ratios, rounds),
					    .unit = "x",
					    .goal = 0.8});
	stage_report(&(struct stage_result){.what = "journal, groups of 16,000 x 512 B",
					    .way = "1 thread",
					    .figure = median(ones, rounds),
					    .unit = "groups/s"});
	stage_end();
	return 0;
}
