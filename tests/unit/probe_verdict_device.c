/* SPDX-License-Identifier: MIT */
/*
 * Goal: every row of the verdict on block devices and partitions.
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

START_TEST(capable_disk_is_hardware)
{
	machine_block_device(&queue_64k);
	fake_claim(512, 65536, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 512, 65536, 65536, 0);
	ck_assert_uint_eq(caps.file_mode, S_IFBLK);
	ck_assert_uint_eq(caps.device_major, 8);
	ck_assert_uint_eq(caps.device_minor, 0);
}
END_TEST

START_TEST(incapable_disk_has_none)
{
	machine_block_device(&queue_none);
	machine_no_answer();
	expect_none(ATOMICIO_REASON_DEVICE_UNSUPPORTED);
}
END_TEST

START_TEST(incapable_disk_without_sysfs_has_none)
{
	machine_block_device(NULL);
	machine_no_answer();
	expect_none(ATOMICIO_REASON_DEVICE_UNSUPPORTED | ATOMICIO_REASON_DISK_UNKNOWN |
		    ATOMICIO_REASON_QUEUE_UNREADABLE | ATOMICIO_REASON_CONTENTS_UNKNOWN);
}
END_TEST

START_TEST(capable_disk_without_sysfs_is_hardware_all_the_same)
{
	machine_block_device(NULL);
	fake_claim(512, 65536, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 512, 65536, 65536,
	       ATOMICIO_REASON_DISK_UNKNOWN | ATOMICIO_REASON_QUEUE_UNREADABLE |
		       ATOMICIO_REASON_CONTENTS_UNKNOWN);
}
END_TEST

START_TEST(disk_that_claims_what_its_queue_denies_is_not_believed)
{
	machine_block_device(&queue_none);
	fake_claim(512, 65536, 0);
	expect_none(ATOMICIO_REASON_CONTRADICTED);
}
END_TEST

START_TEST(disk_that_denies_what_its_queue_claims_is_not_believed)
{
	machine_block_device(&queue_64k);
	machine_no_answer();
	expect_none(ATOMICIO_REASON_CONTRADICTED);
}
END_TEST

START_TEST(aligned_partition_is_hardware)
{
	machine_partition(2048, 0);
	fake_claim(8192, 65536, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 8192, 65536, 65536, 0);
	ck_assert_uint_eq(caps.is_partition, 1);
	ck_assert_uint_eq(caps.partition_offset, 1048576);
}
END_TEST

START_TEST(partition_off_the_unit_is_misaligned)
{
	machine_partition(2048 + 8, 0);
	machine_no_answer();
	expect_none(ATOMICIO_REASON_PARTITION_MISALIGNED);
}
END_TEST

START_TEST(partition_off_the_boundary_is_misaligned)
{
	machine_partition(2048 + 16, 0x10000);
	machine_no_answer();
	expect_none(ATOMICIO_REASON_PARTITION_MISALIGNED);
}
END_TEST

START_TEST(misaligned_partition_that_claims_is_not_believed)
{
	machine_partition(2048 + 8, 0);
	fake_claim(8192, 65536, 0);
	expect_none(ATOMICIO_REASON_CONTRADICTED);
}
END_TEST

START_TEST(one_block_of_nvme_since_7_0_may_be_an_ignored_awupf)
{
	fake_disk(NVME, "259:0", &queue_4k);
	fake.statx.mode = S_IFBLK | 0600;
	fake.statx.rdev_major = 259;
	fake_claim(4096, 4096, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, 0);
	fake.release = "7.0.1";
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, ATOMICIO_REASON_NVME_AWUPF_IGNORED);
	fake_disk(NVME, "259:0", &queue_64k);
	fake_claim(512, 65536, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 512, 65536, 65536, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		capable_disk_is_hardware,
		incapable_disk_has_none,
		incapable_disk_without_sysfs_has_none,
		capable_disk_without_sysfs_is_hardware_all_the_same,
		disk_that_claims_what_its_queue_denies_is_not_believed,
		disk_that_denies_what_its_queue_claims_is_not_believed,
		aligned_partition_is_hardware,
		partition_off_the_unit_is_misaligned,
		partition_off_the_boundary_is_misaligned,
		misaligned_partition_that_claims_is_not_believed,
		one_block_of_nvme_since_7_0_may_be_an_ignored_awupf,
	};

	return check_run("probe_verdict_device", tests, sizeof(tests) / sizeof(tests[0]),
			 fake_reset);
}
