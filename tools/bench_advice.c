/* SPDX-License-Identifier: MIT */
/*
 * The conclusions from bench's figures: the path taken by AUTO, the cause, and whether another path
 * is faster.
 *
 * Flow: called by bench_report.c.  Only untorn ways are compared that the library has: the kernel
 * path and the journal.
 */
#include <stdio.h>

#include "bench.h"
#include "tool.h"

/* A smaller difference is noise on a busy machine, and no reason to change. */
#define CLEARLY 1.3

enum ways_way bench_fastest(const struct bench_mode *mode, enum ways_shape shape, double *factor)
{
	const enum ways_way by_auto = mode->by_auto[shape];
	const double kernel = mode->results[shape][WAYS_KERNEL].to_journal;
	const bool there = mode->results[shape][WAYS_KERNEL].rounds != 0;

	*factor = 1;
	if (by_auto == WAYS_JOURNAL && there && kernel > CLEARLY) {
		*factor = kernel;
		return WAYS_KERNEL;
	}
	if (by_auto == WAYS_KERNEL && kernel * CLEARLY < 1) {
		*factor = 1 / kernel;
		return WAYS_JOURNAL;
	}
	return by_auto;
}

/* The kernel path is not possible: why. */
static void put_absence(const struct bench *bench, const struct bench_mode *mode)
{
	const struct atomicio_caps *caps = &bench->caps;
	uint64_t reasons = mode->why_not, reason;

	if (!mode->direct && caps->direct.mechanism != ATOMICIO_MECHANISM_NONE) {
		printf("  The kernel path is impossible: no kernel up to 7.3 makes writes through "
		       "the page "
		       "cache untorn.\n"
		       "  To make the library's writes direct, set options.flags = "
		       "ATOMICIO_OPEN_REOPEN_DIRECT.\n");
		return;
	}
	if (caps->direct.mechanism == ATOMICIO_MECHANISM_NONE)
		reasons = text_blocking(caps);
	printf("  The kernel path is not there:\n");
	while ((reason = atomicio_reason_next(&reasons)))
		printf("    %s: %s\n", atomicio_reason_name(reason), atomicio_reason_text(reason));
}

static const char *why_auto(const struct bench_mode *mode, enum ways_shape shape)
{
	if (mode->by_auto[shape] == WAYS_JOURNAL)
		return mode->why_not ? "nothing else makes pages untorn"
				     : "no hardware writes the page untorn, and a journal is given";
	return "the disk writes the page untorn";
}

static void put_shape(const struct bench *bench, const struct bench_mode *mode,
		      enum ways_shape shape)
{
	static const char *const names[WAYS_SHAPES] = {"single durable pages", "durable batches",
						       "pages that a sync follows"};
	const char *ours = bench_way_name(bench, mode->by_auto[shape]);
	double factor;
	const enum ways_way fastest = bench_fastest(mode, shape, &factor);

	printf("  For %s AUTO takes the %s: %s.\n", names[shape], ours, why_auto(mode, shape));
	if (mode->why_not)
		return;
	if (fastest == mode->by_auto[shape])
		printf("    No other untorn way is clearly faster (%.1f times or more).\n",
		       CLEARLY);
	else
		printf("    The %s is %.1f times as fast: set options.path = ATOMICIO_PATH_%s.\n",
		       bench_way_name(bench, fastest), factor,
		       fastest == WAYS_KERNEL ? "KERNEL" : "JOURNAL");
	if (fastest != mode->by_auto[shape] && fastest == WAYS_KERNEL)
		printf("    The price: an overwrite needs free space too, and the file ends up in "
		       "pieces.\n");
}

static void put_price(const struct bench_mode *mode)
{
	const struct bench_result *page = &mode->results[WAYS_PAGE][mode->by_auto[WAYS_PAGE]];

	printf("  Compared with unprotected writes, single durable pages have %.2f times the rate, "
	       "batches %.2f.\n",
	       page->to_plain, mode->results[WAYS_PAGES][mode->by_auto[WAYS_PAGES]].to_plain);
}

/* In a batch many single pages of the journal would share a flush. */
static void put_batches(const struct bench_mode *mode)
{
	const double batch = mode->results[WAYS_PAGES][mode->by_auto[WAYS_PAGES]].pages_per_second;
	const double single =
		mode->results[WAYS_PAGES_SYNC][mode->by_auto[WAYS_PAGES_SYNC]].pages_per_second;

	if (batch > CLEARLY * single)
		printf("    atomicio_write_batch() is about %.1f times as fast, with durable "
		       "pages.\n",
		       batch / single);
}

void bench_put_advice(const struct bench *bench)
{
	for (uint32_t i = 0; i < bench->mode_count; i++) {
		const struct bench_mode *mode = &bench->modes[i];

		printf("\nWhat follows, for a %s file that has a journal (options.journal):\n",
		       mode->direct ? "direct" : "buffered");
		if (mode->why_not)
			put_absence(bench, mode);
		for (uint32_t shape = 0; shape < WAYS_SHAPES; shape++)
			put_shape(bench, mode, (enum ways_shape)shape);
		put_batches(mode);
		put_price(mode);
		if (!mode->why_not)
			printf("  Without a journal AUTO takes the %s.\n",
			       bench_way_name(bench, WAYS_KERNEL));
		else
			printf("  Without a journal these writes are refused: to make a journal, "
			       "type atomicio journal create FILE.\n");
	}
}
