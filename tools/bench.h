/* SPDX-License-Identifier: MIT */
/*
 * atomicio bench: what its files share.
 *
 * Flow: bench.c reads the command line and holds the order; bench_files.c makes the files of a
 * mode, ways.c writes through them, bench_measure.c takes turns and times; bench_report.c
 * prints, and bench_advice.c draws the conclusions.
 *
 * Rules:
 * B1 only fresh files without a name are written to: after every end of the run the files are gone.
 * B2 all ways of one table alternate in short slices: other work of the machine hits all ways
 *    alike; a ratio is the median of the rounds' ratios.
 * B3 no call prints but those of bench_report.c, and the progress line on a terminal.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>
#include <libatomicio/uring.h>

#include "tool.h"
#include "ways.h"

#define BENCH_BATCH 64u
#define BENCH_HOME_SIZE (32u << 20) /* of the file that a way writes to */
#define BENCH_FILE_MAX (64u << 20)  /* the largest file: the journal, as it is by default */
#define BENCH_FILL (1u << 20)	    /* filled in pieces of this size */
#define BENCH_SIZE_MIN 4096u
#define BENCH_SIZE_MAX 65536u
#define BENCH_ROUNDS_MAX 256u

/* The ways that a user can choose from, and unprotected writes: the first ones of ways.h. */
#define BENCH_WAYS (WAYS_PLAIN + 1)

struct bench_result {
	uint32_t rounds;	 /* 0: the way is not there */
	enum ways_engine engine; /* the fastest engine */
	double pages_per_second; /* median of the rounds */
	double overall;		 /* of all time and all pages, checkpoints included */
	double p50_us, p99_us;	 /* a step's latency */
	double to_plain;   /* rate against the unprotected one, median of the rounds' ratios */
	double to_journal; /* the same against the journal's */
};

/* The figures through O_DIRECT, or through the page cache. */
struct bench_mode {
	bool direct;
	uint64_t why_not;		    /* reasons of the kernel path, 0: it is there */
	enum ways_way by_auto[WAYS_SHAPES]; /* with a journal given */
	struct bench_result results[WAYS_SHAPES][BENCH_WAYS];
};

struct bench {
	/* The options of the run. */
	char directory[4096];
	char safe[TEXT_PATH_SIZE]; /* the same, for messages */
	uint32_t size;
	uint32_t seconds;
	bool buffered;
	bool json;
	/* What was found. */
	struct atomicio_caps caps; /* of a fresh file in the directory */
	double flush_us;	   /* median cost of making one written block durable */
	uint32_t flushes;	   /* how often that was measured */
	struct bench_mode modes[2];
	uint32_t mode_count;
};

/* The files of one mode, and their writers. */
struct bench_files {
	const struct bench *bench;
	int fds[BENCH_WAYS]; /* the home files */
	int journal_fd;
	struct atomicio_journal *journal;
	struct atomicio_file *kernel, *journaled;
	struct ways_writer writer;
};

/* All return 0 or a negative errno. */
int bench_files_make(const struct bench *bench, struct bench_mode *mode, struct bench_files *files);
void bench_files_drop(struct bench_files *files);
uint64_t bench_space(const struct bench *bench); /* bytes that one mode needs free */

/* One step of one way, through its own file. */
int bench_step(struct bench_files *files, enum ways_shape shape, enum ways_way way,
	       enum ways_engine engine);

int bench_measure(struct bench *bench, struct bench_mode *mode, struct bench_files *files);

const char *bench_way_name(const struct bench *bench, enum ways_way way);
void bench_put_text(const struct bench *bench);
void bench_put_json(const struct bench *bench);

/* The fastest untorn way of a shape; *factor: how many times faster than AUTO's, 1: it is. */
enum ways_way bench_fastest(const struct bench_mode *mode, enum ways_shape shape, double *factor);
void bench_put_advice(const struct bench *bench);

#endif /* BENCH_H */
