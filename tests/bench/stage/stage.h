/* SPDX-License-Identifier: MIT */
/*
 * The stage on which ways of writing compete: files, a journal, threads, slices of time, results.
 *
 * Flow: the programs of tests/bench set the stage up and take slices of ways (tools/ways.h).
 *
 * Rules:
 * ST1 Files lie in the working directory, and their blocks were written before.
 * ST2 All contenders of a comparison take turns of a fraction of a second in one run: other work of
 *     the machine hits all of them.
 * ST3 A rival that has several engines is measured with each engine, and the best engine counts.
 */
#ifndef LIBATOMICIO_BENCH_STAGE_H
#define LIBATOMICIO_BENCH_STAGE_H

#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "libatomicio/journal.h"

#include "../../../tools/ways.h"

#define PAGE 16384
#define BATCH 64
#define PAGES 4096 /* of each file: 64 MiB */
#define FILE_SIZE ((uint64_t)PAGES * PAGE)
#define LOG_SIZE (64u << 20) /* of the journal, and of the floor's log */
#define THREADS_MAX 16
#define LATENCIES_MAX 65536
#define SLICE_NS_MAX 60e6
#define SLICE_NS_MIN 10e6

enum stage_home { DIRECT, BUFFERED, COW, HOMES };

struct stage_worker;
typedef void stage_step(struct stage_worker *worker);

/* One contender of a comparison. */
struct rival {
	const char *name;
	enum ways_way way;
	enum ways_shape shape;
	enum stage_home home;
	uint32_t threads;	 /* 0: one */
	uint32_t pages;		 /* of a batch */
	double goal;		 /* required factor of the first contender; 0: no goal */
	enum ways_engine engine; /* the only one, if .fixed */
	bool fixed;
	bool huge;	  /* the pages come from huge pages: one thread alone */
	bool behind;	  /* ATOMICIO_BEHIND; the floor: a step does not wait for its pages */
	stage_step *step; /* in place of a step of the way */
	const char *step_through; /* the mechanism of that step */
};

/* A rival with one engine. */
struct contender {
	struct rival rival;
	enum ways_engine engine;
};

/* The state of one thread. */
struct stage_worker {
	struct ways_writer writer;
	unsigned char *memory;
	struct contender with;
	double *latencies; /* in ns, of the steps of one slice, up to LATENCIES_MAX; NULL: not kept
			    */
	uint32_t steps;	   /* of one slice */
	double deadline;
	pthread_t thread;
};

/* The counters of the device below. */
struct stage_counters {
	uint64_t flushes, sectors;
};

struct stage {
	int fds[HOMES];
	struct atomicio_file *files[HOMES];
	struct atomicio_journal *journal;
	int journal_fd, copy, log;
	uint64_t head_known_for; /* pages of the floor's frames */
	struct stage_worker workers[THREADS_MAX];
	unsigned char *huge; /* pages of a batch, in huge pages */
	double slice_ns;
	bool json;
};

extern struct stage stage;

void check(int error, const char *what); /* an error ends the program */
double now_ns(void);
double median(double *values, uint32_t count); /* sorts them */
void progress(const char *what, double done, double all);

/* The needs of a program besides workers, and files of DIRECT and BUFFERED pages. */
#define STAGE_JOURNAL 0x1u /* a journal of LOG_SIZE, and handles of all files */
#define STAGE_RIVALS 0x2u  /* where copies and frames by hand go, and COW pages */

/* Files, journal, workers; seconds a comparison say how long a slice is. */
void stage_begin(double seconds, uint32_t parts);
void stage_end(void);
void stage_remove_files(void);
void stage_open_journal(const char *name, uint64_t size, uint32_t frame_max, bool create);
void stage_open_homes(void);
void stage_close_homes(void);
struct atomicio_journal_info stage_info(void);
int stage_make_file(const char *name, uint64_t size, int flags);

/* shared.c: one durable page of a thread, in one step with the pages of other threads. */
stage_step stage_double_shared, stage_floor_shared;

/* Can this filesystem alone write a page untorn? */
bool stage_has_cow(void);

/* The rival with each available engine, at most WAYS_ENGINES; returns the number. */
uint32_t stage_contenders(const struct rival *rival, struct contender *contenders);
const char *stage_through(const struct contender *contender);

/* The steps of a contender in one slice of time; *ns is the real length. */
double stage_slice(const struct contender *contender, double *ns);
void stage_one_step(const struct contender *contender);
uint32_t stage_pages(const struct rival *rival); /* of a step */

/* Counts of the device since its start; all zero if unknown. */
struct stage_counters stage_counters(void);

/* A result: a line of a table, or a line of JSON.  figure < 0: unknown. */
struct stage_result {
	const char *what, *way;
	double figure;
	const char *unit;
	double goal;	  /* 0: none */
	bool less;	  /* is better */
	const char *more; /* further JSON members, or NULL */
};
void stage_report(const struct stage_result *result);

#endif /* LIBATOMICIO_BENCH_STAGE_H */
