/* SPDX-License-Identifier: MIT */
/*
 * The rows of the journal's bench: who is compared with whom, and with which goal.
 *
 * Flow: journal.c's own; include it once.
 */
#ifndef JOURNAL_ROWS_H
#define JOURNAL_ROWS_H

#include "stage/stage.h"

#define RIVALS_MAX 7
#define THREADS 8

/* All others are compared with the first rival. */
struct comparison {
	const char *name;
	struct rival rivals[RIVALS_MAX];
};

#define PAGE_OF(title, kind, place, wanted)                                                        \
	{                                                                                          \
		.name = title, .way = WAYS_##kind, .shape = WAYS_PAGE, .home = place,              \
		.goal = wanted                                                                     \
	}
#define BATCH_OF(count, title, kind, place, wanted)                                                \
	{                                                                                          \
		.name = title, .way = WAYS_##kind, .shape = WAYS_PAGES, .home = place,             \
		.pages = count, .goal = wanted                                                     \
	}
#define JOURNAL_OF(count, title, place, by, wanted)                                                \
	{                                                                                          \
		.name = title, .way = WAYS_JOURNAL, .shape = WAYS_PAGES, .home = place,            \
		.pages = count, .goal = wanted, .engine = by, .fixed = true                        \
	}
#define HUGE_OF(title, kind)                                                                       \
	{                                                                                          \
		.name = title, .way = WAYS_##kind, .shape = WAYS_PAGES, .home = DIRECT,            \
		.pages = BATCH, .huge = true                                                       \
	}
/* The floor, whose pages are on their way while the next frame is written: needs AIO. */
#define FLOOR_BEHIND_OF(count)                                                                     \
	{                                                                                          \
		.name = "floor", .way = WAYS_FLOOR, .shape = WAYS_PAGES, .home = DIRECT,           \
		.pages = count, .goal = 0.95, .engine = WAYS_AIO, .fixed = true, .behind = true    \
	}
#define THREADS_OF(count, title, kind, wanted)                                                     \
	{                                                                                          \
		.name = title, .way = WAYS_##kind, .shape = WAYS_PAGE, .home = DIRECT,             \
		.threads = count, .goal = wanted                                                   \
	}

/* A whole row: a larger batch beside the usual one. */
#define LARGER_OF(count, word, place)                                                              \
	{                                                                                          \
		"journal, batch of " #count ", " word,                                             \
		{                                                                                  \
			JOURNAL_OF(count, "journal", place, WAYS_CALLS, 0),                        \
				JOURNAL_OF(BATCH, "batch of 64", place, WAYS_CALLS, 1.0)           \
		}                                                                                  \
	}

static const struct comparison comparisons[] = {
	{"journal, page, direct",
	 {PAGE_OF("journal", JOURNAL, DIRECT, 0), PAGE_OF("floor", FLOOR, DIRECT, 0.95),
	  PAGE_OF("double write", DOUBLE, DIRECT, 1.0), PAGE_OF("unprotected", PLAIN, DIRECT, 0.7),
	  PAGE_OF("unprotected, not flushed", BARE, DIRECT, 0),
	  PAGE_OF("copy on write", KERNEL, COW, 1.0)}},
	{"journal, page, direct, BEHIND",
	 {{.name = "journal", .way = WAYS_JOURNAL, .behind = true},
	  FLOOR_BEHIND_OF(1),
	  PAGE_OF("unprotected", PLAIN, DIRECT, 0.95)}},
	{"journal, page, buffered",
	 {PAGE_OF("journal", JOURNAL, BUFFERED, 0), PAGE_OF("double write", DOUBLE, BUFFERED, 1.0),
	  PAGE_OF("unprotected", PLAIN, BUFFERED, 0.9),
	  PAGE_OF("copy on write, direct", KERNEL, COW, 1.0)}},
	{"journal, batch of 64, direct",
	 {JOURNAL_OF(BATCH, "journal", DIRECT, WAYS_CALLS, 0),
	  JOURNAL_OF(BATCH, "the same with a queue", DIRECT, WAYS_RING, 0.97),
	  BATCH_OF(BATCH, "floor", FLOOR, DIRECT, 0.95),
	  BATCH_OF(BATCH, "double write", DOUBLE, DIRECT, 1.05),
	  BATCH_OF(BATCH, "unprotected", PLAIN, DIRECT, 0),
	  BATCH_OF(BATCH, "unprotected, not flushed", BARE, DIRECT, 0),
	  BATCH_OF(BATCH, "copy on write", KERNEL, COW, 1.0)}},
	{"journal, batch of 64, direct, from huge pages",
	 {HUGE_OF("journal", JOURNAL), HUGE_OF("floor", FLOOR), HUGE_OF("double write", DOUBLE),
	  HUGE_OF("unprotected", PLAIN)}},
	{"journal, batch of 64, direct, BEHIND",
	 {{.name = "journal",
	   .way = WAYS_JOURNAL,
	   .shape = WAYS_PAGES,
	   .pages = BATCH,
	   .behind = true},
	  FLOOR_BEHIND_OF(BATCH),
	  BATCH_OF(BATCH, "unprotected", PLAIN, DIRECT, 0.85)}},
	{"journal, batch of 64, buffered",
	 {JOURNAL_OF(BATCH, "journal", BUFFERED, WAYS_CALLS, 0),
	  BATCH_OF(BATCH, "double write", DOUBLE, BUFFERED, 1.0),
	  BATCH_OF(BATCH, "unprotected", PLAIN, BUFFERED, 1.0)}},
	LARGER_OF(128, "direct", DIRECT),
	LARGER_OF(256, "direct", DIRECT),
	LARGER_OF(128, "buffered", BUFFERED),
	LARGER_OF(256, "buffered", BUFFERED),
	{"journal, 8 threads, page, direct",
	 {THREADS_OF(THREADS, "journal", JOURNAL, 0),
	  {.name = "floor",
	   .way = WAYS_FLOOR,
	   .threads = THREADS,
	   .goal = 0.95,
	   .step = stage_floor_shared,
	   .step_through = "shared frames"},
	  THREADS_OF(THREADS, "unprotected, 8 threads", PLAIN, 0.85),
	  THREADS_OF(1, "journal, 1 thread", JOURNAL, 3.0)}},
};
#define COMPARISONS (sizeof(comparisons) / sizeof(comparisons[0]))

#endif /* JOURNAL_ROWS_H */
