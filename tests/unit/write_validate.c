/* SPDX-License-Identifier: MIT */
/*
 * Goal: a write is refused before the call exactly if the kernel could not make the write untorn,
 * with every broken rule named; an accepted write takes the path of the options.
 * Method: call the pure functions on both sides of each bound, and route for every option.
 */
#include <check.h>
#include <errno.h>

#include "check_run.h"
#include "write_machine.h"

#define KNOWN (ATOMICIO_DSYNC | ATOMICIO_NOWAIT)
#define NOT_POWER ATOMICIO_REASON_LENGTH_NOT_POWER_OF_TWO
#define SMALL ATOMICIO_REASON_LENGTH_TOO_SMALL
#define LARGE ATOMICIO_REASON_LENGTH_TOO_LARGE
#define OFFSET ATOMICIO_REASON_OFFSET_UNALIGNED
#define MEMORY ATOMICIO_REASON_MEMORY_UNALIGNED

static const struct write_limits limits = {
	.unit_min = 4096, .unit_max = 65536, .memory_align = 512};

static uint64_t shape(uint64_t length, uint64_t offset)
{
	return write_shape(&limits, page, length, offset);
}

START_TEST(arguments_that_no_file_could_take_are_misuse)
{
	ck_assert_int_eq(write_misuse(page, 1, 0, 0, KNOWN), 0);
	ck_assert_int_eq(write_misuse(NULL, 1, 0, 0, KNOWN), -EINVAL);
	ck_assert_int_eq(write_misuse(page, 0, 0, 0, KNOWN), -EINVAL);
	ck_assert_int_eq(write_misuse(page, 1, 0, KNOWN, KNOWN), 0);
	for (int bit = 0; bit < 32; bit++)
		ck_assert_int_eq(write_misuse(page, 1, 0, UINT32_C(1) << bit, KNOWN),
				 bit < 2 ? 0 : -EINVAL);
}
END_TEST

START_TEST(the_last_byte_lies_at_most_at_the_end_of_offsets)
{
	const uint64_t end = INT64_MAX;

	ck_assert_int_eq(write_misuse(page, 4096, end - 4096, 0, KNOWN), 0);
	ck_assert_int_eq(write_misuse(page, 4096, end - 4095, 0, KNOWN), -EINVAL);
	ck_assert_int_eq(write_misuse(page, end, 0, 0, KNOWN), 0);
	ck_assert_int_eq(write_misuse(page, end + 1, 0, 0, KNOWN), -EINVAL);
	ck_assert_int_eq(write_misuse(page, UINT64_MAX, 0, 0, KNOWN), -EINVAL);
	ck_assert_int_eq(write_misuse(page, 1, end, 0, KNOWN), -EINVAL);
	ck_assert_int_eq(write_misuse(page, 1, end + 1, 0, KNOWN), -EINVAL);
	ck_assert_int_eq(write_misuse(page, 1, UINT64_MAX, 0, KNOWN), -EINVAL);
}
END_TEST

START_TEST(each_power_of_two_between_the_units_fits_and_its_neighbours_do_not)
{
	for (uint64_t length = 4096; length <= 65536; length *= 2) {
		ck_assert_uint_eq(shape(length, 0), 0);
		ck_assert_uint_eq(shape(length, 3 * length), 0);
		ck_assert_uint_eq(shape(length + 1, 0), NOT_POWER | (length == 65536 ? LARGE : 0));
		ck_assert_uint_eq(shape(length - 1, 0), NOT_POWER | (length == 4096 ? SMALL : 0));
	}
	ck_assert_uint_eq(shape(2048, 0), SMALL);
	ck_assert_uint_eq(shape(131072, 0), LARGE);
	ck_assert_uint_eq(shape(0, 0), NOT_POWER | SMALL);
	ck_assert_uint_eq(shape(UINT64_C(1) << 63, 0), LARGE);
	ck_assert_uint_eq(shape(UINT64_MAX, 0), NOT_POWER | LARGE);
	ck_assert_uint_eq(shape(49152, 0), NOT_POWER);
	/* The low 32 bits of this length would be 4096. */
	ck_assert_uint_eq(shape((UINT64_C(1) << 32) + 4096, 0), NOT_POWER | LARGE);
}
END_TEST

START_TEST(an_offset_is_a_multiple_of_the_length)
{
	for (uint64_t length = 4096; length <= 65536; length *= 2) {
		for (uint64_t off = 1; off < length; off *= 2) {
			ck_assert_uint_eq(shape(length, off), OFFSET);
			ck_assert_uint_eq(shape(length, 8 * length - off), OFFSET);
			ck_assert_uint_eq(shape(length, (UINT64_C(1) << 40) + off), OFFSET);
		}
		ck_assert_uint_eq(shape(length, (UINT64_C(1) << 62) + length), 0);
	}
}
END_TEST

START_TEST(a_buffer_lies_on_a_multiple_of_the_memory_alignment)
{
	for (uint32_t align = 1; align <= 4096; align *= 2) {
		const struct write_limits it = {4096, 65536, align};

		for (uint32_t at = 0; at < 8192; at++)
			ck_assert_uint_eq(write_shape(&it, page + at, 4096, 0),
					  at % align ? MEMORY : 0);
	}
}
END_TEST

START_TEST(all_broken_rules_are_named_at_once)
{
	ck_assert_uint_eq(write_shape(&limits, page + 1, 2048, 1), SMALL | OFFSET | MEMORY);
	ck_assert_uint_eq(write_shape(&limits, page + 1, 131072, 1), LARGE | OFFSET | MEMORY);
	ck_assert_uint_eq(write_shape(&limits, page + 1, 65537, 1), NOT_POWER | LARGE | MEMORY);
}
END_TEST

START_TEST(a_file_without_units_takes_no_length_at_all)
{
	const struct write_limits none = {0, 0, 1};

	for (uint64_t length = 0; length < 4; length++)
		ck_assert_uint_ne(write_shape(&none, page, length, 0), 0);
	for (int bit = 0; bit < 64; bit++)
		ck_assert_uint_ne(write_shape(&none, page, UINT64_C(1) << bit, 0), 0);
}
END_TEST

START_TEST(a_bounce_buffer_excuses_alignment_of_memory_and_nothing_else)
{
	struct atomicio_file file = {.limits = limits};
	struct write_request request = {.file = &file, .buffer = page + 1, .length = PAGE};

	ck_assert_uint_eq(write_shape_broken(&request, 65536), MEMORY);
	file.options.bounce_max = PAGE - 1;
	ck_assert_uint_eq(write_shape_broken(&request, 65536), MEMORY);
	file.options.bounce_max = PAGE;
	ck_assert_uint_eq(write_shape_broken(&request, 65536), 0);
	ck_assert_uint_eq(write_shape_broken(&request, PAGE), 0);
	ck_assert_uint_eq(write_shape_broken(&request, PAGE / 2), MEMORY | LARGE);
	request.offset = 4096;
	ck_assert_uint_eq(write_shape_broken(&request, 65536), MEMORY | OFFSET);
}
END_TEST

START_TEST(a_journaled_page_is_aligned_only_where_its_home_write_is_direct)
{
	struct atomicio_file file = {.home_align = 1};

	ck_assert_uint_eq(write_journal_shape(&file, 1, 1), 0);
	ck_assert_uint_eq(write_journal_shape(&file, 1001, 77), 0);
	file.home_align = 512;
	ck_assert_uint_eq(write_journal_shape(&file, 512, 512), 0);
	ck_assert_uint_eq(write_journal_shape(&file, 1536, 0), 0);
	ck_assert_uint_eq(write_journal_shape(&file, 511, 0), ATOMICIO_REASON_LENGTH_UNALIGNED);
	ck_assert_uint_eq(write_journal_shape(&file, 512, 511), OFFSET);
	ck_assert_uint_eq(write_journal_shape(&file, 513, 513),
			  OFFSET | ATOMICIO_REASON_LENGTH_UNALIGNED);
}
END_TEST

/* Where AUTO goes: journal or not, covered by a live frame or not, and each length. */
START_TEST(auto_prefers_hardware_then_the_journal_then_the_filesystem)
{
	static struct atomicio_journal journal = {.frame_room = 2u << 20};
	struct atomicio_file file = {.limits = {4096, 262144, 512}, .unit_max_hw = 65536};

	for (int given = 0; given < 2; given++) {
		for (int covered = 0; covered < 2; covered++) {
			file.options.journal = given ? &journal : NULL;
			journal_uncover_all(&journal);
			if (covered)
				journal_cover_all(&journal);
			for (uint64_t length = 512; length <= 524288; length *= 2) {
				const struct write_request request = {
					.file = &file, .buffer = page, .length = length};
				const bool hardware = length >= 4096 && length <= 65536;

				ck_assert_uint_eq(write_route(&request),
						  given && (covered || !hardware)
							  ? ATOMICIO_PATH_JOURNAL
							  : ATOMICIO_PATH_KERNEL);
			}
		}
	}
}
END_TEST

/* A frame is its pages and a header of one block: both sides of the largest, and of the units. */
START_TEST(auto_takes_the_kernel_for_what_no_frame_can_hold)
{
	static struct atomicio_journal journal = {.frame_room = 65536};
	struct atomicio_file file = {.limits = {4096, 262144, 512}, .unit_max_hw = 0};

	file.options.journal = &journal;
	for (int covered = 0; covered < 2; covered++) {
		for (int hardware = 0; hardware < 2; hardware++) {
			file.unit_max_hw = hardware ? 131072 : 0;
			journal_uncover_all(&journal);
			if (covered)
				journal_cover_all(&journal);
			for (uint64_t length = 32768; length <= 524288; length *= 2) {
				const struct write_request request = {
					.file = &file, .buffer = page, .length = length};
				const bool framed = length <= 32768 && (covered || !hardware);
				const bool kernel = length <= 262144 && !framed;

				ck_assert_uint_eq(write_route(&request),
						  kernel ? ATOMICIO_PATH_KERNEL
							 : ATOMICIO_PATH_JOURNAL);
			}
		}
	}
	/* Exactly the largest frame, and a byte more; neither is a shape for the kernel. */
	for (uint64_t length = 61440; length <= 61441; length++) {
		struct write_request request = {.file = &file, .buffer = page, .length = length};

		ck_assert_uint_eq(write_route(&request), ATOMICIO_PATH_JOURNAL);
	}
}
END_TEST

START_TEST(a_path_asked_for_is_the_path_taken)
{
	static struct atomicio_journal journal;
	struct atomicio_file file = {.limits = {4096, 65536, 512}, .unit_max_hw = 65536};
	const uint32_t paths[] = {ATOMICIO_PATH_KERNEL, ATOMICIO_PATH_JOURNAL};

	file.options.journal = &journal;
	for (int i = 0; i < 2; i++) {
		file.options.path = paths[i];
		for (int covered = 0; covered < 2; covered++) {
			for (uint64_t length = 1; length <= 1u << 20; length = length * 2 + 1) {
				const struct write_request request = {
					.file = &file, .buffer = page, .length = length};

				if (covered)
					journal_cover_all(&journal);
				else
					journal_uncover_all(&journal);
				ck_assert_uint_eq(write_route(&request), paths[i]);
			}
		}
	}
}
END_TEST

START_TEST(auto_leaves_the_hardware_only_where_a_frame_may_cover_the_range)
{
	static struct atomicio_journal journal = {.frame_room = 2u << 20};
	struct atomicio_file file = {.limits = {4096, 65536, 512}, .unit_max_hw = 65536};
	struct write_request request = {.file = &file, .buffer = page, .length = PAGE};

	file.options.journal = &journal;
	file.options.file_id = 7;
	journal_uncover_all(&journal);
	journal_cover(&journal, 7, 1u << 20, PAGE);
	ck_assert_uint_eq(write_route(&request), ATOMICIO_PATH_KERNEL);
	request.offset = 1u << 20;
	ck_assert_uint_eq(write_route(&request), ATOMICIO_PATH_JOURNAL);
	file.options.file_id = 8;
	ck_assert_uint_eq(write_route(&request), ATOMICIO_PATH_KERNEL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		arguments_that_no_file_could_take_are_misuse,
		the_last_byte_lies_at_most_at_the_end_of_offsets,
		each_power_of_two_between_the_units_fits_and_its_neighbours_do_not,
		an_offset_is_a_multiple_of_the_length,
		a_buffer_lies_on_a_multiple_of_the_memory_alignment,
		all_broken_rules_are_named_at_once,
		a_file_without_units_takes_no_length_at_all,
		a_bounce_buffer_excuses_alignment_of_memory_and_nothing_else,
		a_journaled_page_is_aligned_only_where_its_home_write_is_direct,
		auto_prefers_hardware_then_the_journal_then_the_filesystem,
		auto_takes_the_kernel_for_what_no_frame_can_hold,
		a_path_asked_for_is_the_path_taken,
		auto_leaves_the_hardware_only_where_a_frame_may_cover_the_range,
	};

	return check_run("write_validate", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
