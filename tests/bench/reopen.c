/* SPDX-License-Identifier: MIT */
/*
 * Goal: the cost of opening a journal again: clean, with live frames, and with recovery.
 * Method: a child dies with live frames in three eighths of the log area.  Two times are measured:
 * the reading at open, and open with recovery.  The second is compared with the same work by hand:
 * read the frames, write the pages as fast as possible, flush, and read the pages back.
 *
 *	reopen TIMES [--json] DIRECTORY
 *	reopen clean SIZE DIRECTORY
 *		leave a clean journal of SIZE bytes that wrote something, and open it: strace counts
 *		between the two calls of getppid(2); prints the microseconds
 *
 * Flow: tests/bench/reopen.sh mounts a filesystem and runs this program there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage/stage.h"

#define TIMES_MAX 99
#define SCANS 7
#define READ_SIZE (2u << 20)

/*
 * Die with live frames in three eighths of the log: from half of what is not kept for carrying on,
 * they are retired, and a quiet disk has done so before the process is gone.
 */
static void leave_frames(enum ways_shape shape)
{
	const struct contender contender = {.rival = {.name = "live frames",
						      .way = WAYS_JOURNAL,
						      .shape = shape,
						      .home = DIRECT,
						      .pages = BATCH}};
	const uint64_t frame = stage_pages(&contender.rival) * PAGE + PAGE;
	const pid_t child = fork();
	int status;

	if (child == 0) {
		stage_open_journal("journal", LOG_SIZE, 0, false);
		stage_open_homes();
		for (uint64_t i = 0; i < LOG_SIZE / 8 * 3 / frame; i++)
			stage_one_step(&contender);
		_exit(stage_info().live_bytes < LOG_SIZE / 8);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		errx(1, "no live frames were left");
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id >= 1 && file_id <= HOMES ? stage.fds[file_id - 1] : -ENOENT;
}

static double open_again(uint64_t *live)
{
	const double start = now_ns();
	double ns;

	stage_open_journal("journal", LOG_SIZE, 0, false);
	ns = now_ns() - start;
	*live = stage_info().live_bytes;
	if (*live < LOG_SIZE / 8)
		errx(1, "only %" PRIu64 " bytes of frames were left", *live);
	return ns;
}

static void recover(struct atomicio_recovery *recovery)
{
	check(atomicio_journal_recover(stage.journal, resolve, NULL, NULL, 0, recovery,
				       sizeof(*recovery)),
	      "atomicio_journal_recover");
}

static void close_again(void)
{
	atomicio_journal_close(stage.journal);
	close(stage.journal_fd);
}

/* How fast a log with live frames is read. */
static void scan(const char *what, enum ways_shape shape)
{
	struct atomicio_recovery recovery;
	double rates[SCANS];
	uint64_t live;

	leave_frames(shape);
	for (uint32_t i = 0; i < SCANS; i++) {
		const double ns = open_again(&live);

		rates[i] = (double)live / ns * 1e3;
		if (i + 1 < SCANS)
			close_again();
	}
	recover(&recovery);
	close_again();
	stage_report(&(struct stage_result){.what = what,
					    .way = "open",
					    .figure = median(rates, SCANS),
					    .unit = "MB/s",
					    .goal = 500});
}

/* The i'th of all pages, sorted. */
static void choose_pages(struct ways_writer *writer, uint64_t first, uint32_t count, uint64_t all)
{
	for (uint32_t i = 0; i < count; i++)
		writer->offsets[i] = (first + i) * PAGES / all * PAGE;
}

/* Read `bytes` of the log, write `pages` pages, flush, and read the pages back. */
static double by_hand(uint64_t bytes, uint64_t pages)
{
	struct ways_writer *writer = &stage.workers[0].writer;
	const enum ways_engine engine = writer->disk.has_aio ? WAYS_AIO : WAYS_CALLS;
	const double start = now_ns();
	const int fd = open("journal", O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		err(1, "journal");
	for (uint64_t at = 0; at < bytes; at += READ_SIZE)
		if (pread(fd, writer->memory, READ_SIZE, (off_t)at) != READ_SIZE)
			err(1, "pread");
	close(fd);
	for (uint32_t turn = 0; turn < 2; turn++) {
		for (uint64_t i = 0; i < pages; i += WAYS_PAGES_MAX) {
			const uint32_t count =
				(uint32_t)(pages - i < WAYS_PAGES_MAX ? pages - i : WAYS_PAGES_MAX);

			choose_pages(writer, i, count, pages);
			check(turn == 0 ? ways_disk_put(&writer->disk, engine, stage.fds[DIRECT],
							writer->vector + 1, writer->offsets, count)
					: ways_disk_get(&writer->disk, stage.fds[DIRECT],
							writer->vector + 1, writer->offsets, count),
			      "pages by hand");
		}
		if (turn == 0 && fdatasync(stage.fds[DIRECT]))
			err(1, "fdatasync");
	}
	return now_ns() - start;
}

static void compare_recovery(uint32_t times)
{
	double ratios[TIMES_MAX], wholes[TIMES_MAX], rates[TIMES_MAX];

	for (uint32_t i = 0; i < times; i++) {
		struct atomicio_recovery recovery;
		uint64_t live;
		double ours, opened;

		progress("recoveries", i, times);
		leave_frames(WAYS_PAGES);
		opened = open_again(&live);
		ours = now_ns();
		recover(&recovery);
		ours = now_ns() - ours + opened;
		close_again();
		rates[i] = (double)live / ours * 1e3;
		ratios[i] = by_hand(live, recovery.pages) / ours;
		wholes[i] = by_hand(LOG_SIZE, recovery.pages) / ours;
	}
	progress("recoveries", times, times);
	stage_report(&(struct stage_result){.what = "journal, open and recovery",
					    .way = "reading, writing and reading back by hand",
					    .figure = median(ratios, times),
					    .unit = "x",
					    .goal = 0.9});
	/*
	 * Recovery reads the whole log: a frame can follow a gap, and the log does not say where
	 * its last frame is.
	 */
	stage_report(&(struct stage_result){
		.what = "journal, open and recovery",
		.way = "reading the whole log, writing and reading back by hand",
		.figure = median(wholes, times),
		.unit = "x",
		.goal = 0.9});
	stage_report(&(struct stage_result){.what = "journal, open and recovery",
					    .figure = median(rates, times),
					    .unit = "MB/s"});
}

/* Open a clean journal of this size between two marks. */
static void open_clean(uint64_t size)
{
	const struct contender contender = {.rival = {.name = "a frame",
						      .way = WAYS_JOURNAL,
						      .shape = WAYS_PAGES,
						      .home = DIRECT,
						      .pages = BATCH}};
	double start;

	stage_open_journal("clean", size, 0, true);
	stage_open_homes();
	for (uint32_t i = 0; i < SCANS; i++)
		stage_one_step(&contender);
	stage_close_homes();
	close_again();
	getppid();
	start = now_ns();
	stage_open_journal("clean", size, 0, false);
	start = now_ns() - start;
	getppid();
	if (stage_info().live_frames > 0)
		errx(1, "the journal is not clean");
	close_again();
	printf("%.1f\n", start / 1e3);
}

int main(int argc, char **argv)
{
	const bool clean = argc == 4 && !strcmp(argv[1], "clean");
	const int times = argc > 2 && !clean ? atoi(argv[1]) : 1;

	stage.json = argc == 4 && !strcmp(argv[2], "--json");
	if (argc != (stage.json || clean ? 4 : 3) || times < 1 || times > TIMES_MAX)
		errx(2, "usage: reopen TIMES [--json] DIRECTORY | clean SIZE DIRECTORY");
	if (chdir(argv[argc - 1]))
		err(1, "%s", argv[argc - 1]);
	stage_begin(1, 0);
	if (clean) {
		open_clean(strtoull(argv[2], NULL, 10));
		return 0;
	}
	stage_open_journal("journal", LOG_SIZE, 0, true);
	close_again();
	scan("journal, frames of 64", WAYS_PAGES);
	scan("journal, frames of 1", WAYS_PAGE);
	compare_recovery((uint32_t)times);
	return 0;
}
