/* SPDX-License-Identifier: MIT */
/*
 * Goal: the sorted ranges of two groups are compared rightly, and without walking over them (RA1).
 * Method: lists of many shapes, against each range with each; and lists so long that a walk takes
 * seconds of the processor's time.
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "check_run.h"
#include "journal_internal.h"
#include "sys.h"

#define FILES 3
#define LONG 1000000u
#define LOOKS 2000

static struct journal_file homes[FILES] = {
	{.file_id = 7}, {.file_id = 7}, {.file_id = UINT64_MAX - 1}};
static uint32_t state = 1;

static uint32_t any(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % below;
}

/* Room for `count` ranges; the caller frees it. */
static struct journal_ticket list_of(uint32_t count)
{
	struct journal_ticket ticket = {.range_count = count};

	ticket.ranges = calloc(count ? count : 1, sizeof(*ticket.ranges));
	ck_assert(ticket.ranges);
	return ticket;
}

/* Sorted, in one or two files, with gaps or without, short or long. */
static struct journal_ticket any_list(uint32_t count)
{
	struct journal_ticket ticket = list_of(count);
	const uint32_t first = any(count + 1), gap = 1 + any(40), length = 1 + any(20);
	uint64_t at = any(200);

	for (uint32_t i = 0; i < count; i++) {
		if (i == first)
			at = any(200);
		ticket.ranges[i].file = &homes[i < first ? any(2) : 2];
		ticket.ranges[i].offset = at;
		at += 1 + any(length);
		ticket.ranges[i].end = at;
		at += any(gap);
	}
	return ticket;
}

static bool overlap_by_hand(const struct journal_ticket *a, const struct journal_ticket *b)
{
	for (uint32_t i = 0; i < a->range_count; i++)
		for (uint32_t j = 0; j < b->range_count; j++)
			if (a->ranges[i].file->file_id == b->ranges[j].file->file_id &&
			    a->ranges[i].offset < b->ranges[j].end &&
			    b->ranges[j].offset < a->ranges[i].end)
				return true;
	return false;
}

START_TEST(two_groups_overlap_if_two_of_their_ranges_do)
{
	uint32_t both[2] = {0, 0};

	for (int i = 0; i < 200000; i++) {
		struct journal_ticket a = any_list(any(12)), b = any_list(any(i % 3 ? 4 : 40));
		const bool wanted = overlap_by_hand(&a, &b);

		ck_assert_int_eq(journal_tickets_overlap(&a, &b), wanted);
		ck_assert_int_eq(journal_tickets_overlap(&b, &a), wanted);
		both[wanted]++;
		free(a.ranges);
		free(b.ranges);
	}
	ck_assert_uint_gt(both[0], 20000);
	ck_assert_uint_gt(both[1], 20000);
}
END_TEST

START_TEST(the_first_range_from_a_place_on_is_found)
{
	for (int i = 0; i < 100000; i++) {
		struct journal_ticket ticket = any_list(any(30));
		const uint64_t file_id = homes[any(FILES)].file_id, offset = any(400);
		const uint32_t from = any(ticket.range_count + 1);
		uint32_t wanted = from;

		while (wanted < ticket.range_count &&
		       (ticket.ranges[wanted].file->file_id < file_id ||
			(ticket.ranges[wanted].file->file_id == file_id &&
			 ticket.ranges[wanted].end <= offset)))
			wanted++;
		ck_assert_uint_eq(journal_seek_range(&ticket, from, file_id, offset), wanted);
		free(ticket.ranges);
	}
}
END_TEST

static double processor_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Every second block from `first` on. */
static struct journal_ticket long_list(uint32_t count, uint64_t first)
{
	struct journal_ticket ticket = list_of(count);

	for (uint32_t i = 0; i < count; i++)
		ticket.ranges[i] = (struct journal_extent){
			.file = &homes[0],
			.offset = first + (uint64_t)i * 1024,
			.end = first + (uint64_t)i * 1024 + 512,
		};
	return ticket;
}

/* Under the lock this is the time of everybody: a walk takes more than a second here. */
START_TEST(groups_that_lie_apart_are_told_without_walking_over_them)
{
	struct journal_ticket group = long_list(LONG, 0), behind = long_list(LONG, LONG * 1024ull);
	struct journal_ticket page = long_list(1, 512);
	double before = processor_seconds();

	for (uint32_t i = 0; i < LOOKS; i++) {
		ck_assert(!journal_tickets_overlap(&group, &behind));
		ck_assert(!journal_tickets_overlap(&behind, &group));
		page.ranges[0].offset = (uint64_t)(LONG - 1 - i * 17) * 1024 + 512;
		page.ranges[0].end = page.ranges[0].offset + 512;
		ck_assert(!journal_tickets_overlap(&group, &page));
		ck_assert(!journal_tickets_overlap(&page, &group));
		page.ranges[0].offset--;
		ck_assert(journal_tickets_overlap(&group, &page));
	}
	ck_assert_double_lt(processor_seconds() - before, 0.5);
	free(group.ranges);
	free(behind.ranges);
	free(page.ranges);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		two_groups_overlap_if_two_of_their_ranges_do,
		the_first_range_from_a_place_on_is_found,
		groups_that_lie_apart_are_told_without_walking_over_them,
	};

	return check_run("journal_ranges", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
