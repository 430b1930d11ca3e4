/* SPDX-License-Identifier: MIT */
/*
 * Goal: every row of the verdict on ext4.
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

START_TEST(ext4_one_block_on_a_larger_unit_needs_bigalloc)
{
	machine_ext4(&queue_64k);
	fake_claim(4096, 4096, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC);
	fake.release = "6.14.2";
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096,
	       ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC | ATOMICIO_REASON_KERNEL_TOO_OLD);
}
END_TEST

START_TEST(ext4_one_block_on_a_one_block_disk_needs_nothing)
{
	machine_ext4(&queue_4k);
	fake_claim(4096, 4096, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, 0);
}
END_TEST

START_TEST(ext4_bigalloc_is_hardware)
{
	machine_ext4(&queue_64k);
	fake_claim(4096, 65536, 0);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 65536, 65536, 0);
}
END_TEST

START_TEST(ext4_without_hardware_has_none)
{
	machine_ext4(&queue_none);
	machine_refuses();
	expect_none(ATOMICIO_REASON_DEVICE_UNSUPPORTED);
}
END_TEST

START_TEST(ext4_on_a_unit_below_its_block_has_none)
{
	static const struct fake_queue small = {512, 512, 512, 0, 512, 512};

	machine_ext4(&small);
	machine_refuses();
	expect_none(ATOMICIO_REASON_DEVICE_UNSUPPORTED);
}
END_TEST

START_TEST(ext4_on_a_unit_above_its_block_needs_bigalloc)
{
	static const struct fake_queue large = {8192, 65536, 65536, 0, 512, 512};

	machine_ext4(&large);
	machine_refuses();
	expect_none(ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC);
	fake.release = "6.13.0";
	expect_none(ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC | ATOMICIO_REASON_KERNEL_TOO_OLD);
}
END_TEST

START_TEST(ext4_file_that_cannot_on_a_disk_that_can_blames_the_file)
{
	machine_ext4(&queue_64k);
	machine_refuses();
	expect_none(ATOMICIO_REASON_FS_UNSUPPORTED);
}
END_TEST

START_TEST(ext4_without_direct_io_is_data_journaled_though_it_claims)
{
	machine_ext4(&queue_64k);
	fake_claim(4096, 4096, 0);
	fake.statx.dio_mem_align = 0;
	fake.statx.dio_offset_align = 0;
	expect_none(ATOMICIO_REASON_DATA_JOURNALED);
	fake.statx.dio_offset_align = 512;
	expect_none(ATOMICIO_REASON_DATA_JOURNALED);
	fake.statx.dio_mem_align = 512;
	fake.statx.mask &= ~SYS_STATX_DIOALIGN;
	expect_none(ATOMICIO_REASON_DATA_JOURNALED);
}
END_TEST

START_TEST(ext4_claim_denied_by_the_queue_is_not_believed)
{
	machine_ext4(&queue_none);
	fake_claim(4096, 4096, 0);
	expect_none(ATOMICIO_REASON_CONTRADICTED);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		ext4_one_block_on_a_larger_unit_needs_bigalloc,
		ext4_one_block_on_a_one_block_disk_needs_nothing,
		ext4_bigalloc_is_hardware,
		ext4_without_hardware_has_none,
		ext4_on_a_unit_below_its_block_has_none,
		ext4_on_a_unit_above_its_block_needs_bigalloc,
		ext4_file_that_cannot_on_a_disk_that_can_blames_the_file,
		ext4_without_direct_io_is_data_journaled_though_it_claims,
		ext4_claim_denied_by_the_queue_is_not_believed,
	};

	return check_run("probe_verdict_ext4", tests, sizeof(tests) / sizeof(tests[0]), fake_reset);
}
