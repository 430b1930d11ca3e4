/* SPDX-License-Identifier: MIT */
/*
 * The cost of atomicio_write() above its system call.
 *
 * Flow: run by tests/bench/hotpath.sh and tests/bench/peers.sh.
 *
 *	hotpath FILE N [plain|journal]
 *		N writes of 4096 bytes, to be counted under valgrind and strace: the difference
 *		between runs of N and 2N is the cost of N; plain: by the fallback that may tear;
 *		journal: of 16 KiB, through a journal beside the file
 *	hotpath FILE rate LENGTH ROUNDS
 *		a raw loop of pwritev2(RWF_ATOMIC) and the library in turn: writes a second of
 *		both, as medians, and the median of the rounds' ratios
 *	hotpath FILE library LENGTH SECONDS
 *		writes a second at random offsets of the whole file
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "libatomicio/journal.h"

#define PAGE 4096
#define JOURNALED_PAGE 16384
#define LENGTH_MAX 65536
#define ROUNDS_MAX 1001
#define PLACES 16 /* few: a fast disk shows the cost of the calls */
#define SLICE_NS 10e6
#define RWF_UNTORN (0x40 | 0x20) /* RWF_ATOMIC, RWF_NOAPPEND */

static _Alignas(PAGE) char page[LENGTH_MAX];
static struct atomicio_file *file;
static int fd;

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "hotpath: %s\n", what);
	exit(1);
}

static double clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static int by_size(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void raw(size_t length, uint64_t offset)
{
	const struct iovec vector = {page, length};

	must(pwritev2(fd, &vector, 1, (off_t)offset, RWF_UNTORN) == (ssize_t)length, "pwritev2");
}

static void library(size_t length, uint64_t offset)
{
	must(!atomicio_write(file, page, length, offset, 0), "atomicio_write");
}

struct slice {
	double rate; /* writes a second */
	double cpu;  /* and per second of this thread's processor time */
};

static struct slice take_slice(void (*write_one)(size_t, uint64_t), size_t length)
{
	const double start = now_ns(), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	double count = 0, now;

	do {
		write_one(length, (uint64_t)count % PLACES * length);
		count++;
		now = now_ns();
	} while (now - start < SLICE_NS);
	return (struct slice){
		.rate = count / (now - start) * 1e9,
		.cpu = count / (clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) * 1e9,
	};
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(double), by_size);
	return values[count / 2];
}

static int rate(size_t length, int rounds)
{
	static double by_raw[ROUNDS_MAX], by_library[ROUNDS_MAX], ratios[ROUNDS_MAX];
	static double cpu[ROUNDS_MAX];

	for (int i = -1; i < rounds; i++) {
		struct slice of_raw = {0}, of_library = {0};

		for (int turn = 0; turn < 2; turn++)
			if ((turn + i) & 1)
				of_raw = take_slice(raw, length);
			else
				of_library = take_slice(library, length);
		if (i < 0)
			continue; /* warming up: the file gets its blocks */
		by_raw[i] = of_raw.rate;
		by_library[i] = of_library.rate;
		ratios[i] = of_library.rate / of_raw.rate;
		cpu[i] = of_library.cpu / of_raw.cpu;
	}
	printf("length %zu rounds %d raw %.0f library %.0f processor %.4f paired %.4f\n", length,
	       rounds, median(by_raw, rounds), median(by_library, rounds), median(cpu, rounds),
	       median(ratios, rounds));
	return 0;
}

static int random_rate(size_t length, double seconds)
{
	const double start = now_ns();
	uint64_t random = 1, count = 0, places;
	struct stat stat;

	must(!fstat(fd, &stat) && (uint64_t)stat.st_size >= length, "the file is too small");
	places = (uint64_t)stat.st_size / length;
	do {
		random = random * 6364136223846793005u + 1442695040888963407u;
		library(length, (random >> 33) % places * length);
		count++;
	} while (now_ns() - start < seconds * 1e9);
	printf("%.1f\n", (double)count / (now_ns() - start) * 1e9);
	return 0;
}

/* Make a journal of the default size beside the file, and open it. */
static struct atomicio_journal *open_journal(const char *name)
{
	struct atomicio_journal *journal = NULL;
	char beside[4096];
	int log, error;

	snprintf(beside, sizeof(beside), "%s.journal", name);
	log = open(beside, O_RDWR | O_CREAT | O_TRUNC, 0644);
	must(log >= 0, "no file for a journal");
	error = atomicio_journal_create(log, NULL, 0);
	if (!error)
		error = atomicio_journal_open(log, NULL, 0, &journal);
	must(!error, strerror(-error));
	return journal;
}

static int counted(int count, const char *by)
{
	const size_t length = strcmp(by, "journal") ? PAGE : JOURNALED_PAGE;
	struct atomicio_stats stats;
	const uint64_t all = (uint64_t)count;
	uint64_t done = 0;

	for (; count > 0; count--)
		library(length, (uint64_t)(count % PLACES) * length);
	must(!atomicio_file_get_stats(file, &stats, sizeof(stats)), "stats");
	if (!strcmp(by, "plain"))
		done = stats.writes_plain;
	else if (!strcmp(by, "journal"))
		done = stats.writes_journal;
	else
		done = stats.writes_hardware + stats.writes_filesystem;
	must(done == all, "the writes went another way");
	return atomicio_close(file) ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[2] : "", *by = argc == 4 ? argv[3] : "";
	const int plain = !strcmp(by, "plain");
	struct atomicio_options options = {.fallback = plain ? ATOMICIO_FALLBACK_PLAIN
							     : ATOMICIO_FALLBACK_NONE};
	size_t length;
	int error;

	must(argc > 2, "usage: hotpath FILE N [plain|journal] | rate LENGTH ROUNDS | "
		       "library LENGTH SECONDS");
	if (!strcmp(by, "journal")) {
		options.journal = open_journal(argv[1]);
		options.file_id = 1;
		options.path = ATOMICIO_PATH_JOURNAL;
	}
	fd = open(argv[1], O_RDWR | O_CREAT | (plain ? 0 : O_DIRECT), 0644);
	error = atomicio_open(fd, &options, sizeof(options), &file);
	must(!error, strerror(-error));
	if (argc < 5)
		return counted(atoi(mode), by);
	length = (size_t)atoi(argv[3]);
	must(length >= PAGE && length <= LENGTH_MAX, "a length is 4096 to 65536");
	if (strcmp(mode, "library") == 0)
		return random_rate(length, atof(argv[4]));
	must(atoi(argv[4]) > 0 && atoi(argv[4]) <= ROUNDS_MAX, "rounds are 1 to 1001");
	return rate(length, atoi(argv[4]));
}
