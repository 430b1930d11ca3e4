/* SPDX-License-Identifier: MIT */
/*
 * Goal: if any system call of a probe fails, the result is either an error, with the caller's
 * struct untouched, or an answer that claims no more than the undisturbed probe.  No descriptor
 * leaks.
 * Method: run each machine undisturbed and count the calls; then run once for every call and every
 * errno, and fail the call.
 *
 * The machines are consistent.  Some sources exist to catch the lie of another source, as the queue
 * for a claim of ext4.  A probe without such a source believes the lie: unit tests cover this.
 * EINVAL is not among the errors, because EINVAL is an answer of the confirming call.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "probe.h"
#include "probe_machine.h"

static const int errors[] = {-EPERM,  -ENOENT, -EINTR,	-EIO,	 -EBADF,  -EAGAIN,     -ENOMEM,
			     -EACCES, -ENODEV, -EMFILE, -ENOSYS, -ENOTTY, -EOPNOTSUPP, -ESTALE};

static void xfs_software(void)
{
	machine_xfs(&queue_none);
	fake_claim(4096, 1048576, 0);
}

static void xfs_mixed(void)
{
	machine_xfs(&queue_64k);
	fake_claim(4096, 1048576, 65536);
}

static void xfs_single_block(void)
{
	machine_xfs(&queue_none);
	fake_claim(4096, 4096, 0);
}

static void xfs_6_13(void)
{
	machine_xfs(&queue_64k);
	fake_claim(4096, 4096, 0);
	fake.release = "6.13.0";
}

static void xfs_through_libblkid(void)
{
	xfs_mixed();
	fake.fs_uuid_result = -ENOTTY;
}

static void xfs_on_dm(void)
{
	fake_disk(DM0, "8:0", &queue_none);
	fake_slave(DM0, NVME);
	fake_disk(NVME, "259:0", &queue_64k);
	fake_claim(4096, 1048576, 0);
}

static void ext4_bigalloc(void)
{
	machine_ext4(&queue_64k);
	fake_claim(4096, 65536, 0);
}

static void ext4_data_journal(void)
{
	ext4_bigalloc();
	fake.statx.dio_mem_align = 0;
	fake.statx.dio_offset_align = 0;
}

static void disk(void)
{
	machine_block_device(&queue_64k);
	fake_claim(512, 65536, 0);
}

static void partition(void)
{
	machine_partition(2048, 0);
	fake_claim(8192, 65536, 0);
}

static void overlay(void)
{
	fake.fs_magic = MAGIC_OVERLAY;
	fake.statx.dev_major = 0;
	fake_claim(4096, 65536, 65536);
	machine_refuses();
}

static void overlay_read_only(void)
{
	overlay();
	fake.getfl_result = O_RDONLY | O_DIRECT;
}

static void tmpfs(void)
{
	fake.fs_magic = MAGIC_TMPFS;
	fake.statx.dev_major = 0;
	machine_no_answer();
}

static void old_kernel(void)
{
	machine_xfs(&queue_none);
	machine_no_answer();
	fake.release = "6.1.0";
}

/* How much is claimed: hardware covers more than a mixture, that more than copy on write. */
static int rank(uint32_t mechanism)
{
	switch (mechanism) {
	case ATOMICIO_MECHANISM_HARDWARE:
		return 3;
	case ATOMICIO_MECHANISM_MIXED:
		return 2;
	case ATOMICIO_MECHANISM_FILESYSTEM:
		return 1;
	default:
		return 0;
	}
}

static void no_more_than(const struct atomicio_caps *got, const struct atomicio_caps *whole)
{
	static const struct atomicio_limits zero;

	ck_assert_int_le(rank(got->direct.mechanism), rank(whole->direct.mechanism));
	ck_assert_uint_le(got->direct.unit_max, whole->direct.unit_max);
	ck_assert_uint_le(got->direct.unit_max_hw, whole->direct.unit_max_hw);
	if (got->direct.mechanism)
		ck_assert_uint_ge(got->direct.unit_min, whole->direct.unit_min);
	else
		ck_assert_mem_eq(&got->direct, &zero, sizeof(zero));
	ck_assert_mem_eq(&got->buffered, &zero, sizeof(zero));
	/* A source without an answer is no evidence, and leaves its fields zero. */
	ck_assert_uint_eq(got->evidence & ~whole->evidence & ~ATOMICIO_EVIDENCE_BLKID, 0);
	ck_assert(got->queue_unit_max == 0 || got->queue_unit_max == whole->queue_unit_max);
}

static void fail_every_call(void (*machine)(void), uint32_t calls_min)
{
	struct atomicio_caps whole, got, before;
	uint32_t calls;

	fake_reset();
	machine();
	ck_assert_int_eq(probe_file(&fake_sys, FAKE_FD, &whole), 0);
	calls = fake.calls;
	ck_assert_uint_ge(calls, calls_min);
	for (uint32_t n = 1; n <= calls; n++) {
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
			int result;

			fake_reset();
			machine();
			fake.fail_at = n;
			fake.fail_error = errors[i];
			memset(&got, 0xa5, sizeof(got));
			before = got;
			result = probe_file(&fake_sys, FAKE_FD, &got);
			ck_assert_uint_eq(fake.opened, 0);
			if (result < 0) {
				ck_assert_int_eq(result, errors[i]);
				ck_assert_mem_eq(&got, &before, sizeof(got));
				/* Only fcntl is indispensable, and for statx there is fstat. */
				ck_assert(n == 2 || (n == 1 && errors[i] == -EBADF));
			} else {
				ck_assert_int_eq(result, 0);
				ck_assert_uint_ne(n, 2);
				no_more_than(&got, &whole);
			}
		}
	}
}

START_TEST(failed_calls_never_add_to_xfs)
{
	fail_every_call(xfs_software, 16);
	fail_every_call(xfs_mixed, 25);
	fail_every_call(xfs_single_block, 16);
	fail_every_call(xfs_6_13, 25);
	fail_every_call(xfs_through_libblkid, 26);
	fail_every_call(xfs_on_dm, 20);
}
END_TEST

START_TEST(failed_calls_never_add_to_ext4)
{
	fail_every_call(ext4_bigalloc, 25);
	fail_every_call(ext4_data_journal, 25);
}
END_TEST

START_TEST(failed_calls_never_add_to_block_devices)
{
	fail_every_call(disk, 24);
	fail_every_call(partition, 27);
}
END_TEST

START_TEST(failed_calls_never_make_the_incapable_capable)
{
	fail_every_call(overlay, 6);
	fail_every_call(overlay_read_only, 5);
	fail_every_call(tmpfs, 6);
	fail_every_call(old_kernel, 16);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		failed_calls_never_add_to_xfs,
		failed_calls_never_add_to_ext4,
		failed_calls_never_add_to_block_devices,
		failed_calls_never_make_the_incapable_capable,
	};

	return check_run("probe_faults", tests, sizeof(tests) / sizeof(tests[0]), fake_reset);
}
