/* SPDX-License-Identifier: MIT */
/*
 * Goal: two threads that write large groups of small pages do not stand in each other's way.
 * Method: groups of 16,000 pages of 512 bytes, all or none, each thread in its half of a cached
 * buffered file.  One thread and two threads take turns with the same work: as many groups, half of
 * the groups in each half of the file, from an empty log to an empty log.  Each contender thus pays
 * for the retirement of its own groups.
 *
 *	groups SECONDS [--json] DIRECTORY
 *
 * Flow: tests/bench/reopen.sh mounts a filesystem and runs this program there.
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
#define HALVES 2u
#define GROUPS 4u /* of one turn: more than half of the log area holds */
#define GROUPS_LOG (256u << 20)
#define GROUPS_FRAME (64u << 20) /* length of a group, in blocks of 4 KiB */
#define ROUNDS_MIN 2u
#define ROUNDS_MAX 100u

struct writer {
	pthread_t thread;
	struct atomicio_op ops[GROUP];
	uint64_t random;
	uint32_t first_half, groups; /* of the file: groups alternate from it on */
	uint32_t halves;	     /* 1: all groups go to that half */
};

static struct writer writers[THREADS];

static uint64_t draw(struct writer *writer)
{
	writer->random =
		writer->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return writer->random >> 33;
}

/* One page of each part of one half of the file, in any order. */
static void make_group(struct writer *writer, uint32_t half)
{
	const uint64_t part = FILE_SIZE / SMALL / HALVES / GROUP;
	const uint64_t first = half * (FILE_SIZE / SMALL / HALVES);

	for (uint32_t i = 0; i < GROUP; i++)
		writer->ops[i] = (struct atomicio_op){
			.file = stage.files[BUFFERED],
			.buffer = stage.workers[0].writer.memory + (size_t)(i % 1024) * SMALL,
			.offset = (first + i * part + draw(writer) % part) * SMALL,
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

	for (uint32_t i = 0; i < writer->groups; i++) {
		make_group(writer, writer->first_half + i % writer->halves);
		check(atomicio_write_batch(NULL, writer->ops, GROUP,
					   ATOMICIO_DSYNC | ATOMICIO_ALL_OR_NONE),
		      "a group");
	}
	return NULL;
}

/* Groups per second of so many threads, which share the work. */
static double rate(uint32_t threads)
{
	const double start = now_ns();

	for (uint32_t i = 0; i < threads; i++) {
		writers[i].groups = GROUPS / threads;
		writers[i].first_half = i;
		writers[i].halves = HALVES / threads;
		check(-pthread_create(&writers[i].thread, NULL, write_groups, &writers[i]),
		      "pthread_create");
	}
	for (uint32_t i = 0; i < threads; i++)
		pthread_join(writers[i].thread, NULL);
	check(atomicio_journal_checkpoint(stage.journal), "atomicio_journal_checkpoint");
	return GROUPS * 1e9 / (now_ns() - start);
}

/* By call a page of half a block is read before it is written, once. */
static void warm(void)
{
	const uint64_t piece = (uint64_t)WAYS_PAGES_MAX * PAGE;

	for (uint64_t offset = 0; offset < FILE_SIZE; offset += piece)
		if (pread(stage.fds[BUFFERED], stage.workers[0].writer.memory, piece,
			  (off_t)offset) != (ssize_t)piece)
			err(1, "pread");
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
	warm();
	rate(THREADS); /* stages, and the header of the first frame */
	start = now_ns();
	do {
		double two;

		progress("groups", (now_ns() - start) / 1e9, seconds);
		two = rounds % 2 ? rate(THREADS) : 0;
		ones[rounds] = rate(1);
		two = rounds % 2 ? two : rate(THREADS);
		ratios[rounds] = two / ones[rounds];
		rounds++;
	} while ((now_ns() - start < seconds * 1e9 || rounds < ROUNDS_MIN) && rounds < ROUNDS_MAX);
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
