/* SPDX-License-Identifier: MIT */
/*
 * Goal: every row of the verdict on other filesystems, claims that are void, and old kernels.
 * Method: a fake machine is set up as the kernel would present it, the whole probe runs over
 * the fake system table, and mechanism, units and reasons are compared exactly.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "check_run.h"
#include "probe_machine.h"

START_TEST(queue_limits_narrow_the_claim_from_both_sides)
{
	static const struct fake_queue narrow = {4096, 16384, 16384, 0, 512, 512};

	machine_block_device(&narrow);
	fake_claim(512, 65536, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 16384, 16384, 0);
}
END_TEST

START_TEST(overlay_lie_is_not_believed)
{
	fake.fs_magic = MAGIC_OVERLAY;
	fake.statx.dev_major = 0;
	fake_claim(4096, 65536, 65536);
	machine_refuses();
	expect_none(ATOMICIO_REASON_OVERLAY);
	ck_assert_str_eq(caps.filesystem_type, "overlay");
}
END_TEST

START_TEST(overlay_lie_is_not_believed_unconfirmed_either)
{
	fake.fs_magic = MAGIC_OVERLAY;
	fake.statx.dev_major = 0;
	fake.getfl_result = O_RDONLY | O_DIRECT;
	fake_claim(4096, 65536, 65536);
	expect_none(ATOMICIO_REASON_OVERLAY | ATOMICIO_REASON_READ_ONLY |
		    ATOMICIO_REASON_UNCONFIRMED);
}
END_TEST

START_TEST(denied_claim_is_not_believed_on_any_filesystem)
{
	static const uint32_t magics[] = {0x58465342u, MAGIC_EXT4, MAGIC_NEW};

	fake_disk(DISK, "8:0", &queue_64k);
	fake_claim(4096, 4096, 0);
	machine_refuses();
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		fake.fs_magic = magics[i];
		expect_none(ATOMICIO_REASON_CONTRADICTED);
	}
}
END_TEST

START_TEST(confirming_call_that_succeeds_is_not_believed)
{
	machine_xfs(&queue_64k);
	fake_claim(4096, 4096, 0);
	fake.pwritev2_result = 3;
	expect_none(ATOMICIO_REASON_CONTRADICTED);
}
END_TEST

START_TEST(new_filesystem_is_believed_only_when_confirmed)
{
	fake.fs_magic = MAGIC_NEW;
	fake_disk(DISK, "8:0", &queue_64k);
	fake_claim(4096, 65536, 65536);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 65536, 0, 0);
	fake.getfl_result = O_RDONLY | O_DIRECT;
	expect_none(ATOMICIO_REASON_READ_ONLY | ATOMICIO_REASON_UNCONFIRMED);
}
END_TEST

START_TEST(unknown_filesystem_without_a_claim_is_unsupported)
{
	fake.fs_magic = MAGIC_TMPFS;
	fake.statx.dev_major = 0;
	machine_no_answer();
	expect_none(ATOMICIO_REASON_FS_UNSUPPORTED);
	ck_assert_str_eq(caps.filesystem_type, "tmpfs");
	fake.fs_magic = MAGIC_NEW;
	fake.statx.mask |= SYS_STATX_WRITE_ATOMIC;
	expect_none(ATOMICIO_REASON_FS_UNSUPPORTED);
	ck_assert_str_eq(caps.filesystem_type, "");
}
END_TEST

START_TEST(claim_without_a_device_says_so)
{
	fake.fs_magic = MAGIC_NEW;
	fake.statx.dev_major = 0;
	fake_claim(4096, 65536, 65536);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 65536, 0, ATOMICIO_REASON_DISK_UNKNOWN);
}
END_TEST

START_TEST(claim_needs_mask_bit_attribute_and_attribute_mask)
{
	machine_xfs(&queue_64k);
	fake_claim(4096, 4096, 0);
	fake.statx.attributes_mask &= ~(uint64_t)SYS_STATX_ATTR_WRITE_ATOMIC;
	probe_machine();
	ck_assert_uint_eq(caps.direct.mechanism, ATOMICIO_MECHANISM_NONE);
	fake.statx.attributes_mask |= SYS_STATX_ATTR_WRITE_ATOMIC;
	fake.statx.attributes &= ~(uint64_t)SYS_STATX_ATTR_WRITE_ATOMIC;
	probe_machine();
	ck_assert_uint_eq(caps.direct.mechanism, ATOMICIO_MECHANISM_NONE);
	fake.statx.attributes |= SYS_STATX_ATTR_WRITE_ATOMIC;
	fake.statx.mask &= ~SYS_STATX_WRITE_ATOMIC;
	probe_machine();
	ck_assert_uint_eq(caps.direct.mechanism, ATOMICIO_MECHANISM_NONE);
	fake.statx.mask |= SYS_STATX_WRITE_ATOMIC;
	probe_machine();
	ck_assert_uint_eq(caps.direct.mechanism, ATOMICIO_MECHANISM_HARDWARE);
}
END_TEST

START_TEST(senseless_units_are_not_believed)
{
	static const uint32_t rows[][2] = {
		{0, 4096}, {4096, 0}, {8192, 4096}, {4096, 12288}, {3000, 4096}};

	machine_xfs(&queue_64k);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_claim(rows[i][0], rows[i][1], 0);
		expect_none(ATOMICIO_REASON_CONTRADICTED);
	}
}
END_TEST

START_TEST(claim_without_direct_io_is_not_believed)
{
	machine_xfs(&queue_64k);
	fake_claim(4096, 4096, 0);
	fake.statx.dio_mem_align = 0;
	expect_none(ATOMICIO_REASON_CONTRADICTED);
}
END_TEST

START_TEST(attributes_of_the_file_forbid_it)
{
	static const struct {
		uint64_t attribute, reason;
	} rows[] = {
		{SYS_STATX_ATTR_IMMUTABLE, ATOMICIO_REASON_IMMUTABLE},
		{SYS_STATX_ATTR_APPEND, ATOMICIO_REASON_APPEND_ONLY},
		{SYS_STATX_ATTR_DAX, ATOMICIO_REASON_DAX},
	};

	machine_xfs(&queue_4k);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake.statx.attributes = rows[i].attribute;
		fake_claim(4096, 4096, 0);
		expect_none(rows[i].reason);
	}
	/* XFS in DAX mode claims nothing, and that is not for lack of reflink. */
	fake.statx.attributes = SYS_STATX_ATTR_DAX;
	expect_none(ATOMICIO_REASON_DAX);
}
END_TEST

START_TEST(kernel_before_6_11_is_too_old)
{
	machine_no_answer();
	fake_disk(DISK, "8:0", &queue_none);
	fake_remove(DISK "/queue/atomic_write_unit_max_bytes");
	fake.release = "6.1.0-13-amd64";
	expect_none(ATOMICIO_REASON_KERNEL_TOO_OLD);
	fake.release = NULL;
	expect_none(ATOMICIO_REASON_KERNEL_TOO_OLD);
	fake.release = "6.10.14";
	expect_none(ATOMICIO_REASON_KERNEL_TOO_OLD);
	/* A newer one would not help tmpfs. */
	fake.fs_magic = MAGIC_TMPFS;
	expect_none(ATOMICIO_REASON_KERNEL_TOO_OLD | ATOMICIO_REASON_FS_UNSUPPORTED);
}
END_TEST

START_TEST(block_device_before_6_11_is_too_old)
{
	machine_block_device(&queue_none);
	fake_remove(DISK "/queue/atomic_write_unit_max_bytes");
	machine_no_answer();
	fake.release = "5.10.0";
	expect_none(ATOMICIO_REASON_KERNEL_TOO_OLD);
}
END_TEST

START_TEST(filesystems_before_6_13_are_too_old)
{
	static const uint32_t magics[] = {0x58465342u, MAGIC_EXT4};

	fake_disk(DISK, "8:0", &queue_64k);
	machine_no_answer();
	for (size_t i = 0; i < 2; i++) {
		fake.fs_magic = magics[i];
		fake.release = "6.12.30";
		/* Not fs-unsupported: its fix is to move to XFS or ext4. */
		expect_none(ATOMICIO_REASON_KERNEL_TOO_OLD);
		fake.release = "6.13.0";
		expect_none(ATOMICIO_REASON_FS_UNSUPPORTED);
	}
	fake.fs_magic = MAGIC_TMPFS;
	fake.release = "6.12.30";
	expect_none(ATOMICIO_REASON_FS_UNSUPPORTED);
}
END_TEST

START_TEST(einval_of_an_ancient_kernel_is_no_yes)
{
	/* Before 4.13 every unknown flag is EINVAL. */
	machine_no_answer();
	machine_xfs(&queue_none);
	fake_remove(DISK "/queue/atomic_write_unit_max_bytes");
	fake.pwritev2_result = -EINVAL;
	fake.release = "4.12.0";
	expect_none(ATOMICIO_REASON_KERNEL_TOO_OLD);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		queue_limits_narrow_the_claim_from_both_sides,
		overlay_lie_is_not_believed,
		overlay_lie_is_not_believed_unconfirmed_either,
		denied_claim_is_not_believed_on_any_filesystem,
		confirming_call_that_succeeds_is_not_believed,
		new_filesystem_is_believed_only_when_confirmed,
		unknown_filesystem_without_a_claim_is_unsupported,
		claim_without_a_device_says_so,
		claim_needs_mask_bit_attribute_and_attribute_mask,
		senseless_units_are_not_believed,
		claim_without_direct_io_is_not_believed,
		attributes_of_the_file_forbid_it,
		kernel_before_6_11_is_too_old,
		block_device_before_6_11_is_too_old,
		filesystems_before_6_13_are_too_old,
		einval_of_an_ancient_kernel_is_no_yes,
	};

	return check_run("probe_verdict_claim", tests, sizeof(tests) / sizeof(tests[0]),
			 fake_reset);
}
