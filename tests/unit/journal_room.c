/* SPDX-License-Identifier: MIT */
/*
 * Goal: what refuses a home write (a seal, a limit, no room) is asked before the frame (K6), and no
 * flag that is set later reaches the journal's own description.
 * Method: trouble_machine.h, with real memfds and limits.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "check_run.h"
#include "trouble_machine.h"

START_TEST(a_sealed_file_is_refused_before_the_frame)
{
	const uint64_t frames = info().frames;

	ck_assert_int_eq(write_page(0, 64, 1), 0); /* it grows */
	ck_assert_int_eq(fcntl(fds[0], F_ADD_SEALS, F_SEAL_GROW), 0);
	ck_assert_int_eq(write_page(0, 65, 1), -EPERM);
	ck_assert_int_eq(write_page(0, 64, 2), 0);
	ck_assert_int_eq(fcntl(fds[0], F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	ck_assert_int_eq(write_page(0, 64, 3), -EPERM);
	ck_assert(holds(0, 64, 2));
	ck_assert_uint_eq(info().frames, frames + 2);
	ck_assert_uint_eq(info().files_failed, 0);
	ck_assert_int_eq(write_page(1, 1, 4), 0);
}
END_TEST

START_TEST(a_page_far_behind_the_end_takes_no_blocks_for_the_gap)
{
	struct stat stat;

	ck_assert_int_eq(write_page(0, 1u << 16, 1), 0);
	ck_assert_int_eq(fstat(fds[0], &stat), 0);
	ck_assert_int_ge(stat.st_size, (off_t)PAGE << 16);
	ck_assert_int_lt(stat.st_blocks * 512, 8 << 20);
}
END_TEST

START_TEST(a_limit_on_the_file_size_ends_no_process_and_poisons_nothing)
{
	struct rlimit before, now;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(write_page(0, 0, 1), 0);
	/* Below the ring's next frame, and above the page; SIGXFSZ would end the test. */
	now = before;
	now.rlim_cur = JOURNAL_RING_START + PAGE;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	ck_assert_int_eq(write_page(0, 0, 2), -EFBIG);
	ck_assert_int_eq(write_page(0, 63, 2), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
	ck_assert(holds(0, 0, 1));
	ck_assert_int_eq(write_page(0, 0, 3), 0);
	ck_assert(holds(0, 0, 3));
}
END_TEST

/* tmpfs sends SIGXFSZ for blocks beyond the limit, too, though the file does not grow. */
START_TEST(blocks_taken_ahead_stay_below_the_limit)
{
	const uint32_t index = (8u << 20) / PAGE;
	struct rlimit before, now;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	now = before;
	now.rlim_cur = (rlim_t)(index + 1) * PAGE;
	ck_assert_uint_gt(now.rlim_cur, info().size);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	ck_assert_int_eq(write_page(0, index, 1), 0);
	ck_assert_int_eq(write_page(0, index + 1, 1), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert(holds(0, index, 1));
	ck_assert_int_eq(write_page(0, index + 1, 2), 0);
}
END_TEST

START_TEST(no_flag_set_later_moves_or_refuses_a_home_write)
{
	const int before = fcntl(fds[0], F_GETFL);

	files[0]->home.rwf = 0; /* as where RWF_NOAPPEND is not kept */
	ck_assert(files[0]->home.own_fd);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, before | O_APPEND), 0);
	ck_assert_int_eq(write_page(0, 2, 9), 0);
	ck_assert(holds(0, 2, 9));
	ck_assert_int_eq(lseek(fds[0], 0, SEEK_END), FILE_SIZE);
	/* Without a description of our own the flag is seen: nothing is written to a wrong place.
	 */
	files[0]->home.checks_flags = true;
	close(files[0]->home.fd);
	files[0]->home.own_fd = false;
	files[0]->home.fd = fds[0];
	ck_assert_int_eq(write_page(0, 2, 10), 0);
	ck_assert(frames_hold(0, 2, 10));
	ck_assert_int_eq(lseek(fds[0], 0, SEEK_END), FILE_SIZE);
	ck_assert_int_eq(write_page(0, 2, 11), -ENOTRECOVERABLE);
	ck_assert_int_eq(write_page(1, 2, 11), 0);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, before), 0);
	restart();
	ck_assert(holds(0, 2, 10));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_sealed_file_is_refused_before_the_frame,
		a_page_far_behind_the_end_takes_no_blocks_for_the_gap,
		a_limit_on_the_file_size_ends_no_process_and_poisons_nothing,
		blocks_taken_ahead_stay_below_the_limit,
		no_flag_set_later_moves_or_refuses_a_home_write,
	};

	return check_run("journal_room", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
