/* SPDX-License-Identifier: MIT */
/*
 * Goal: the disk below a file is found by the right name, its limits are read from the right
 * directory, and nothing that is missing or malformed is trusted.
 * Method: trees of sysfs as Linux lays them out, in memory, with links followed as the kernel
 * does; the evidence of a probe over them is compared.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check_run.h"
#include "probe_machine.h"

static void on_device(uint32_t major, uint32_t minor)
{
	fake.statx.dev_major = major;
	fake.statx.dev_minor = minor;
	fake_claim(4096, 1048576, 65536);
}

static void expect_disk(const char *disk, uint32_t is_partition, uint64_t offset)
{
	probe_machine();
	ck_assert(caps.evidence & ATOMICIO_EVIDENCE_DISK);
	ck_assert(caps.evidence & ATOMICIO_EVIDENCE_QUEUE);
	ck_assert_str_eq(caps.disk_name, disk);
	ck_assert_uint_eq(caps.is_partition, is_partition);
	ck_assert_uint_eq(caps.partition_offset, offset);
}

START_TEST(plain_disk_gives_all_limits)
{
	static const struct fake_queue queue = {512, 65536, 131072, 262144, 512, 4096};

	fake_disk(DISK, "8:0", &queue);
	on_device(8, 0);
	expect_disk("sda", 0, 0);
	ck_assert_uint_eq(caps.queue_unit_min, 512);
	ck_assert_uint_eq(caps.queue_unit_max, 65536);
	ck_assert_uint_eq(caps.queue_max, 131072);
	ck_assert_uint_eq(caps.queue_boundary, 262144);
	ck_assert_uint_eq(caps.logical_block, 512);
	ck_assert_uint_eq(caps.physical_block, 4096);
}
END_TEST

START_TEST(partition_has_the_limits_of_its_disk)
{
	fake_disk(DISK, "8:0", &queue_64k);
	fake_partition(DISK "/sda12", "8:12", 34);
	on_device(8, 12);
	expect_disk("sda", 1, 34 * 512);
	ck_assert_uint_eq(caps.queue_unit_max, 65536);
}
END_TEST

START_TEST(nvme_namespace_is_no_partition_of_its_controller)
{
	fake_disk(NVME, "259:0", &queue_64k);
	on_device(259, 0);
	expect_disk("nvme0n1", 0, 0);
}
END_TEST

START_TEST(nvme_partition_is_found_below_its_namespace)
{
	fake_disk(NVME, "259:0", &queue_64k);
	fake_partition(NVME "/nvme0n1p2", "259:2", 2048);
	on_device(259, 2);
	expect_disk("nvme0n1", 1, 1048576);
	ck_assert_uint_eq(caps.queue_unit_max, 65536);
}
END_TEST

START_TEST(nvme_multipath_head_is_a_disk_and_has_partitions)
{
	fake_disk(NVME_MULTIPATH, "259:1", &queue_64k);
	fake_partition(NVME_MULTIPATH "/nvme0n1p1", "259:3", 2048);
	on_device(259, 1);
	expect_disk("nvme0n1", 0, 0);
	on_device(259, 3);
	expect_disk("nvme0n1", 1, 1048576);
}
END_TEST

START_TEST(disk_whose_directory_resembles_a_partition_is_a_disk)
{
	/* "sdab" lies in no "sda" and is no number; "x0" is no partition of "x"; nor "sda01". */
	static const char *const directories[] = {
		"/sys/devices/block/sda/sdab",	       "/sys/devices/block/sda/sda0",
		"/sys/devices/block/sda/sda01",	       "/sys/devices/block/nvme0n1/nvme0n12",
		"/sys/devices/block/nvme0n1/nvme0n1p", "/sys/devices/block/nvme0n1/nvme0n1p1x",
		"/sys/devices/block/sda/sdap1",	       "/sys/devices/block/sda/sda",
	};

	on_device(8, 16);
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		fake_tree_reset();
		fake_disk(directories[i], "8:16", &queue_64k);
		expect_disk(strrchr(directories[i], '/') + 1, 0, 0);
	}
}
END_TEST

START_TEST(names_that_do_not_fit_are_unknown_and_never_cut)
{
	on_device(8, 16);
	fake_disk("/sys/devices/block/a234567890123456789012345678901", "8:16", &queue_64k);
	expect_disk("a234567890123456789012345678901", 0, 0);
	fake_tree_reset();
	fake_disk("/sys/devices/block/a2345678901234567890123456789012", "8:16", &queue_64k);
	probe_machine();
	ck_assert_str_eq(caps.disk_name, "");
	ck_assert_uint_eq(caps.evidence & (ATOMICIO_EVIDENCE_DISK | ATOMICIO_EVIDENCE_QUEUE), 0);
	ck_assert(caps.reasons & ATOMICIO_REASON_DISK_UNKNOWN);
}
END_TEST

START_TEST(link_that_leads_nowhere_is_unknown)
{
	static const char *const targets[] = {"", "sda", "../../devices/block/"};

	on_device(8, 0);
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		fake_link("/sys/dev/block/8:0", targets[i]);
		probe_machine();
		ck_assert_str_eq(caps.disk_name, "");
		ck_assert(caps.reasons & ATOMICIO_REASON_DISK_UNKNOWN);
		ck_assert(caps.reasons & ATOMICIO_REASON_QUEUE_UNREADABLE);
	}
}
END_TEST

START_TEST(container_without_sysfs_still_gets_an_answer)
{
	on_device(8, 0);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0,
	       ATOMICIO_REASON_XFS_SOFTWARE | ATOMICIO_REASON_DISK_UNKNOWN |
		       ATOMICIO_REASON_QUEUE_UNREADABLE);
	ck_assert_uint_eq(caps.evidence, ATOMICIO_EVIDENCE_STATX | ATOMICIO_EVIDENCE_CONFIRM);
}
END_TEST

START_TEST(every_missing_file_makes_the_queue_unreadable)
{
	static const char *const files[] = {
		NVME "/queue/atomic_write_unit_max_bytes",
		NVME "/queue/atomic_write_unit_min_bytes",
		NVME "/queue/atomic_write_max_bytes",
		NVME "/queue/atomic_write_boundary_bytes",
		NVME "/queue/logical_block_size",
		NVME "/queue/physical_block_size",
		NVME "/nvme0n1p1/start",
	};

	on_device(259, 1);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		fake_tree_reset();
		fake_disk(NVME, "259:0", &queue_64k);
		fake_partition(NVME "/nvme0n1p1", "259:1", 2048);
		expect(ATOMICIO_MECHANISM_MIXED, 4096, 1048576, 65536, 0);
		fake_remove(files[i]);
		expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0,
		       ATOMICIO_REASON_XFS_SOFTWARE | ATOMICIO_REASON_QUEUE_UNREADABLE);
		ck_assert(caps.evidence & ATOMICIO_EVIDENCE_DISK);
		ck_assert(!(caps.evidence & ATOMICIO_EVIDENCE_QUEUE));
	}
}
END_TEST

START_TEST(garbage_in_a_file_is_not_a_number)
{
	static const char *const texts[] = {
		"",	      "\n",	   "65536",	" 65536\n",
		"65536 \n",   "65536\n\n", "+65536\n",	"-1\n",
		"0x10000\n",  "64K\n",	   "6.5e4\n",	"4294967296\n",
		"65536\n0\n", "nan\n",	   "65536\r\n", "99999999999999999999999\n",
		"none\n",     "/\n",	   ":\n",	"00000000000000000000000000065536\n",
	};

	fake_disk(DISK, "8:0", &queue_64k);
	on_device(8, 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fake_file(DISK "/queue/atomic_write_unit_max_bytes", texts[i]);
		probe_machine();
		ck_assert_msg(caps.reasons & ATOMICIO_REASON_QUEUE_UNREADABLE, "%zu", i);
		ck_assert_uint_eq(caps.queue_unit_max, 0);
		ck_assert_uint_eq(caps.direct.mechanism, ATOMICIO_MECHANISM_FILESYSTEM);
	}
	fake_file(DISK "/queue/atomic_write_unit_max_bytes", "65536\n");
	expect(ATOMICIO_MECHANISM_MIXED, 4096, 1048576, 65536, 0);
}
END_TEST

START_TEST(numbers_are_read_up_to_their_last_bit)
{
	fake_disk(DISK, "8:0", &queue_64k);
	on_device(8, 0);
	fake_file(DISK "/queue/atomic_write_max_bytes", "4294967295\n");
	probe_machine();
	ck_assert_uint_eq(caps.queue_max, UINT32_MAX);
	ck_assert(caps.evidence & ATOMICIO_EVIDENCE_QUEUE);
	fake_file(DISK "/queue/atomic_write_max_bytes", "4294967296\n");
	probe_machine();
	ck_assert_uint_eq(caps.queue_max, 0);
	ck_assert(!(caps.evidence & ATOMICIO_EVIDENCE_QUEUE));
}
END_TEST

START_TEST(partition_start_that_overflows_is_unreadable)
{
	fake_disk(DISK, "8:0", &queue_64k);
	fake_partition(DISK "/sda1", "8:1", UINT64_MAX / 512);
	on_device(8, 1);
	expect_disk("sda", 1, UINT64_MAX / 512 * 512);
	fake_partition(DISK "/sda1", "8:1", UINT64_MAX / 512 + 1);
	probe_machine();
	ck_assert_uint_eq(caps.partition_offset, 0);
	ck_assert(caps.reasons & ATOMICIO_REASON_QUEUE_UNREADABLE);
}
END_TEST

START_TEST(limits_that_no_kernel_gives_are_not_trusted)
{
	static const struct fake_queue queues[] = {
		{0, 65536, 65536, 0, 512, 512},	      {512, 65535, 65536, 0, 512, 512},
		{768, 65536, 65536, 0, 512, 512},     {65536, 4096, 65536, 0, 512, 512},
		{512, 65536, 65536, 65537, 512, 512},
	};

	on_device(8, 0);
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		fake_disk(DISK, "8:0", &queues[i]);
		expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0,
		       ATOMICIO_REASON_XFS_SOFTWARE | ATOMICIO_REASON_QUEUE_UNREADABLE);
	}
}
END_TEST

START_TEST(disk_without_units_costs_no_look_at_its_other_limits)
{
	fake_disk(DISK, "8:0", &queue_none);
	fake_remove(DISK "/queue/atomic_write_unit_min_bytes");
	fake_remove(DISK "/queue/atomic_write_max_bytes");
	fake_remove(DISK "/queue/atomic_write_boundary_bytes");
	on_device(8, 0);
	expect_disk("sda", 0, 0);
	ck_assert_uint_eq(fake.list_calls, 0);
	ck_assert_uint_le(fake.calls, 16);
}
END_TEST

START_TEST(file_without_a_device_costs_no_look_at_sysfs)
{
	on_device(0, 41);
	fake_disk(DISK, "0:41", &queue_64k);
	probe_machine();
	ck_assert_str_eq(caps.disk_name, "");
	ck_assert_uint_eq(fake.calls, 6);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		plain_disk_gives_all_limits,
		partition_has_the_limits_of_its_disk,
		nvme_namespace_is_no_partition_of_its_controller,
		nvme_partition_is_found_below_its_namespace,
		nvme_multipath_head_is_a_disk_and_has_partitions,
		disk_whose_directory_resembles_a_partition_is_a_disk,
		names_that_do_not_fit_are_unknown_and_never_cut,
		link_that_leads_nowhere_is_unknown,
		container_without_sysfs_still_gets_an_answer,
		every_missing_file_makes_the_queue_unreadable,
		garbage_in_a_file_is_not_a_number,
		numbers_are_read_up_to_their_last_bit,
		partition_start_that_overflows_is_unreadable,
		limits_that_no_kernel_gives_are_not_trusted,
		disk_without_units_costs_no_look_at_its_other_limits,
		file_without_a_device_costs_no_look_at_sysfs,
	};

	return check_run("probe_sysfs", tests, sizeof(tests) / sizeof(tests[0]), fake_reset);
}
