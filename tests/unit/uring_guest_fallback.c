/* SPDX-License-Identifier: MIT */
/*
 * Goal: a guest's write that is impossible as asked is made by the fallback, at once, and the entry
 * then does nothing.
 * Method: entries in memory, and files over the fake system table that refuse the first write.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "guest_machine.h"

static void check_nop(void)
{
	ck_assert_uint_eq(entry.opcode, IORING_OP_NOP);
	ck_assert_int_eq(entry.rw_flags, 0);
	ck_assert_uint_eq(entry.user_data, USER_DATA);
}

START_TEST(registered_buffer_is_refused_before_the_kernel_sees_it)
{
	guest_open(ATOMICIO_FAIL, 0);
	ck_assert_int_eq(prep(fake_page(1), LENGTH, 0, ATOMICIO_REGISTERED_BUFFER), -EINVAL);
	check_failing();
	ck_assert_uint_eq(guest_policy.last.kind, ATOMICIO_KIND_SHAPE);
	ck_assert_uint_eq(guest_policy.last.reasons, ATOMICIO_REASON_REGISTERED_BUFFER);
	atomicio_close(file);
	guest_open(ATOMICIO_FALLBACK, ATOMICIO_FALLBACK_PLAIN);
	ck_assert_int_eq(prep(fake_page(1), LENGTH, 0, ATOMICIO_REGISTERED_BUFFER), 0);
	check_nop();
	ck_assert(fake_disk_holds(0, 0, LENGTH, 1));
	ck_assert_int_eq(atomicio_uring_done(&request, 0), 0);
	ck_assert_uint_eq(fake_stats(file).writes_plain, 1);
}
END_TEST

START_TEST(unaligned_memory_is_refused_though_the_handle_can_bounce)
{
	const char *unaligned = (const char *)fake_page(1) + 4;

	guest_open(ATOMICIO_FAIL, 0);
	ck_assert_int_eq(atomicio_write(file, unaligned, LENGTH, 0, 0), 0);
	ck_assert_int_eq(prep(unaligned, LENGTH, 0, 0), -EINVAL);
	check_failing();
	ck_assert_uint_eq(guest_policy.last.reasons, ATOMICIO_REASON_MEMORY_UNALIGNED);
}
END_TEST

START_TEST(fallback_in_prep_is_made_at_once_and_the_entry_is_a_no_op)
{
	guest_open(ATOMICIO_FALLBACK, ATOMICIO_FALLBACK_PLAIN);
	ck_assert_int_eq(prep(fake_page(3), 12288, 4096, ATOMICIO_DSYNC), 0);
	check_nop();
	ck_assert(fake_disk_holds(0, 4096, 12288, 3));
	ck_assert_uint_eq(fake_ring.with_dsync, 1);
	/* Its completion is on the way. */
	ck_assert_int_eq(prep_page(), -EINVAL);
	ck_assert_int_eq(atomicio_uring_done(&request, -ECANCELED), 0);
	ck_assert_uint_eq(fake_stats(file).writes_plain, 1);
	ck_assert_uint_eq(fake_stats(file).fallbacks, 1);
}
END_TEST

static int64_t no_space(const struct io_uring_sqe *sqe, uint32_t number)
{
	(void)sqe;
	(void)number;
	return -ENOSPC;
}

START_TEST(fallback_that_fails_makes_an_entry_that_fails)
{
	guest_open(ATOMICIO_FALLBACK, ATOMICIO_FALLBACK_PLAIN);
	fake_ring.result = no_space;
	ck_assert_int_eq(prep(fake_page(3), 12288, 4096, 0), -ENOSPC);
	check_failing();
	ck_assert_int_eq(atomicio_uring_done(&request, -EBADF), -ENOSPC);
}
END_TEST

START_TEST(fallback_in_done_is_made_there)
{
	guest_open(ATOMICIO_FALLBACK, ATOMICIO_FALLBACK_PLAIN);
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, -EOPNOTSUPP), 0);
	ck_assert(fake_disk_holds(0, 8192, LENGTH, 1));
	ck_assert_uint_eq(fake_stats(file).writes_plain, 1);
	ck_assert_uint_eq(fake_stats(file).writes_hardware, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		registered_buffer_is_refused_before_the_kernel_sees_it,
		unaligned_memory_is_refused_though_the_handle_can_bounce,
		fallback_in_prep_is_made_at_once_and_the_entry_is_a_no_op,
		fallback_that_fails_makes_an_entry_that_fails,
		fallback_in_done_is_made_there,
	};

	return check_run("uring_guest_fallback", tests, sizeof(tests) / sizeof(tests[0]),
			 guest_setup);
}
