/* SPDX-License-Identifier: MIT */
/*
 * Goal: every row of the verdict on XFS.
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

START_TEST(xfs_without_hardware_is_software)
{
	machine_xfs(&queue_none);
	fake_claim(4096, 2097152, 0);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 2097152, 0, ATOMICIO_REASON_XFS_SOFTWARE);
}
END_TEST

START_TEST(xfs_one_block_without_hardware_is_software_as_only_sysfs_tells)
{
	machine_xfs(&queue_none);
	fake_claim(4096, 4096, 0);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 4096, 0, ATOMICIO_REASON_XFS_SOFTWARE);
}
END_TEST

START_TEST(xfs_that_claims_a_device_unit_on_an_incapable_disk_is_software)
{
	machine_xfs(&queue_none);
	fake_claim(4096, 65536, 65536);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 65536, 0, ATOMICIO_REASON_XFS_SOFTWARE);
}
END_TEST

START_TEST(xfs_on_another_device_than_its_disk_is_software)
{
	/* A file on the realtime device: optimum 0, though the data device could. */
	machine_xfs(&queue_64k);
	fake_claim(4096, 1048576, 0);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0, ATOMICIO_REASON_XFS_SOFTWARE);
}
END_TEST

START_TEST(xfs_on_a_capable_disk_is_mixed)
{
	machine_xfs(&queue_64k);
	fake_claim(4096, 1048576, 65536);
	expect(ATOMICIO_MECHANISM_MIXED, 4096, 1048576, 65536, 0);
}
END_TEST

START_TEST(xfs_hardware_is_the_smaller_of_queue_and_optimum)
{
	static const struct fake_queue queue_16k = {512, 16384, 16384, 0, 512, 512};

	machine_xfs(&queue_16k);
	fake_claim(4096, 1048576, 65536);
	expect(ATOMICIO_MECHANISM_MIXED, 4096, 1048576, 16384, 0);
	machine_xfs(&queue_64k);
	fake_claim(4096, 1048576, 32768);
	expect(ATOMICIO_MECHANISM_MIXED, 4096, 1048576, 32768, 0);
}
END_TEST

START_TEST(xfs_limited_to_the_device_unit_is_hardware)
{
	machine_xfs(&queue_64k);
	fake_claim(4096, 16384, 16384);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 16384, 16384, 0);
}
END_TEST

START_TEST(xfs_one_block_on_a_larger_unit_needs_reflink)
{
	machine_xfs(&queue_64k);
	fake_claim(4096, 4096, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, ATOMICIO_REASON_XFS_NEEDS_REFLINK);
	machine_xfs(&queue_4k);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, 0);
}
END_TEST

START_TEST(xfs_units_that_miss_the_block_are_software)
{
	static const struct fake_queue small = {512, 2048, 2048, 0, 512, 512};
	static const struct fake_queue large = {8192, 65536, 65536, 0, 512, 512};

	machine_xfs(&small);
	fake_claim(4096, 4096, 0);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 4096, 0, ATOMICIO_REASON_XFS_SOFTWARE);
	machine_xfs(&large);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 4096, 0, ATOMICIO_REASON_XFS_SOFTWARE);
}
END_TEST

START_TEST(xfs_on_a_misaligned_partition_is_software)
{
	machine_partition(2048 + 8, 0);
	fake.statx.mode = S_IFREG | 0600;
	fake.statx.dev_minor = 1;
	fake_claim(8192, 8192, 0);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 8192, 8192, 0,
	       ATOMICIO_REASON_XFS_SOFTWARE | ATOMICIO_REASON_PARTITION_MISALIGNED);
}
END_TEST

START_TEST(xfs_with_an_unreadable_queue_is_taken_for_software)
{
	machine_xfs(&queue_64k);
	fake_claim(4096, 1048576, 65536);
	fake_remove(DISK "/queue/atomic_write_boundary_bytes");
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0,
	       ATOMICIO_REASON_XFS_SOFTWARE | ATOMICIO_REASON_QUEUE_UNREADABLE);
}
END_TEST

START_TEST(xfs_one_block_before_software_existed_is_hardware_without_sysfs)
{
	fake_claim(4096, 4096, 0);
	fake.release = "6.13.4";
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096,
	       ATOMICIO_REASON_DISK_UNKNOWN | ATOMICIO_REASON_QUEUE_UNREADABLE |
		       ATOMICIO_REASON_KERNEL_TOO_OLD);
	fake.release = "6.18.0";
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 4096, 0,
	       ATOMICIO_REASON_DISK_UNKNOWN | ATOMICIO_REASON_QUEUE_UNREADABLE |
		       ATOMICIO_REASON_XFS_SOFTWARE);
	fake.release = "unparsable";
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 4096, 0,
	       ATOMICIO_REASON_DISK_UNKNOWN | ATOMICIO_REASON_QUEUE_UNREADABLE |
		       ATOMICIO_REASON_XFS_SOFTWARE);
}
END_TEST

START_TEST(xfs_that_cannot_needs_reflink_or_a_newer_kernel)
{
	machine_xfs(&queue_none);
	machine_refuses();
	expect_none(ATOMICIO_REASON_XFS_NEEDS_REFLINK | ATOMICIO_REASON_DEVICE_UNSUPPORTED);
	fake.release = "6.15.9";
	expect_none(ATOMICIO_REASON_KERNEL_TOO_OLD | ATOMICIO_REASON_DEVICE_UNSUPPORTED);
}
END_TEST

START_TEST(xfs_software_is_suspect_from_6_16_0_to_6_17_7)
{
	static const struct {
		const char *release;
		bool suspect;
	} rows[] = {
		{"6.16.0", true},   {"6.16.12", true}, {"6.17.0-rc7", true},
		{"6.17.7-1", true}, {"6.17.8", false}, {"6.18.0", false},
		{"6.18.44", false}, {"7.3.4", false},  {"6.15.9", false},
	};

	machine_xfs(&queue_none);
	fake_claim(4096, 1048576, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake.release = rows[i].release;
		expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0,
		       ATOMICIO_REASON_XFS_SOFTWARE |
			       (rows[i].suspect ? ATOMICIO_REASON_XFS_SUSPECT_KERNEL : 0));
	}
	/* One block in hardware has no software path that could be wrong. */
	fake.release = "6.17.7";
	machine_xfs(&queue_4k);
	fake_claim(4096, 4096, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, 0);
	/* Several blocks have: a fragmented range takes it. */
	machine_xfs(&queue_64k);
	fake_claim(4096, 16384, 16384);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 16384, 16384, ATOMICIO_REASON_XFS_SUSPECT_KERNEL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		xfs_without_hardware_is_software,
		xfs_one_block_without_hardware_is_software_as_only_sysfs_tells,
		xfs_that_claims_a_device_unit_on_an_incapable_disk_is_software,
		xfs_on_another_device_than_its_disk_is_software,
		xfs_on_a_capable_disk_is_mixed,
		xfs_hardware_is_the_smaller_of_queue_and_optimum,
		xfs_limited_to_the_device_unit_is_hardware,
		xfs_one_block_on_a_larger_unit_needs_reflink,
		xfs_units_that_miss_the_block_are_software,
		xfs_on_a_misaligned_partition_is_software,
		xfs_with_an_unreadable_queue_is_taken_for_software,
		xfs_one_block_before_software_existed_is_hardware_without_sysfs,
		xfs_that_cannot_needs_reflink_or_a_newer_kernel,
		xfs_software_is_suspect_from_6_16_0_to_6_17_7,
	};

	return check_run("probe_verdict_xfs", tests, sizeof(tests) / sizeof(tests[0]), fake_reset);
}
