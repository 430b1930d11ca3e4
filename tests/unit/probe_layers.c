/* SPDX-License-Identifier: MIT */
/*
 * Goal: where device-mapper, md or any other layer hides the untorn writes of a disk below, the
 * probe says so, and no arrangement of layers keeps it busy.
 * Method: trees of sysfs with slaves, in memory; reasons and calls are compared.
 */
#include <check.h>
#include <stdio.h>

#include "check_run.h"
#include "probe_machine.h"

static void dm_over(const char *lower)
{
	fake_disk(DM0, "253:0", &queue_none);
	if (lower)
		fake_slave(DM0, lower);
	fake.statx.dev_major = 253;
	fake.statx.dev_minor = 0;
	fake_claim(4096, 1048576, 0);
}

START_TEST(dm_over_a_capable_disk_blocks_it)
{
	dm_over(DISK);
	fake_disk(DISK, "8:0", &queue_64k);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0,
	       ATOMICIO_REASON_XFS_SOFTWARE | ATOMICIO_REASON_LAYER_BLOCKS);
	ck_assert_str_eq(caps.disk_name, "dm-0");
}
END_TEST

START_TEST(dm_over_an_incapable_disk_blocks_nothing)
{
	dm_over(DISK);
	fake_disk(DISK, "8:0", &queue_none);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0, ATOMICIO_REASON_XFS_SOFTWARE);
	fake.fs_magic = MAGIC_EXT4;
	fake.statx.attributes = 0;
	machine_refuses();
	expect_none(ATOMICIO_REASON_DEVICE_UNSUPPORTED);
}
END_TEST

START_TEST(dm_over_a_partition_of_a_capable_disk_blocks_it)
{
	dm_over(NVME "/nvme0n1p3");
	fake_disk(NVME, "259:0", &queue_64k);
	fake_partition(NVME "/nvme0n1p3", "259:3", 2048);
	probe_machine();
	ck_assert(caps.reasons & ATOMICIO_REASON_LAYER_BLOCKS);
}
END_TEST

START_TEST(any_capable_disk_among_several_is_enough)
{
	dm_over(DISK);
	fake_disk(DISK, "8:0", &queue_none);
	fake_slave(DM0, NVME);
	fake_disk(NVME, "259:0", &queue_64k);
	probe_machine();
	ck_assert(caps.reasons & ATOMICIO_REASON_LAYER_BLOCKS);
}
END_TEST

START_TEST(layers_are_followed_through_md_and_its_partitions)
{
	/* LVM on a partition of md on a disk. */
	dm_over(MD "/md127p1");
	fake_disk(MD, "9:127", &queue_none);
	fake_partition(MD "/md127p1", "259:9", 2048);
	fake_slave(MD, DISK);
	fake_disk(DISK, "8:0", &queue_64k);
	probe_machine();
	ck_assert(caps.reasons & ATOMICIO_REASON_LAYER_BLOCKS);
	/* The file on the partition of md itself. */
	fake.statx.dev_major = 259;
	fake.statx.dev_minor = 9;
	probe_machine();
	ck_assert_str_eq(caps.disk_name, "md127");
	ck_assert_uint_eq(caps.is_partition, 1);
	ck_assert(caps.reasons & ATOMICIO_REASON_LAYER_BLOCKS);
}
END_TEST

START_TEST(layer_is_what_has_slaves_whatever_its_name)
{
	static const char *const names[] = {"bcache0", "drbd0", "nullb0", "vdo7"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char directory[64];

		fake_reset();
		snprintf(directory, sizeof(directory), "/sys/devices/virtual/block/%s", names[i]);
		fake_disk(DISK, "8:0", &queue_64k);
		fake_disk(directory, "251:0", &queue_none);
		fake_slave(directory, DISK);
		fake.statx.dev_major = 251;
		fake.statx.dev_minor = 0;
		fake_claim(4096, 1048576, 0);
		expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0,
		       ATOMICIO_REASON_XFS_SOFTWARE | ATOMICIO_REASON_LAYER_BLOCKS);
		ck_assert_str_eq(caps.disk_name, names[i]);
	}
}
END_TEST

START_TEST(dm_over_bcache_over_a_capable_disk_blocks_it)
{
	static const char bcache[] = "/sys/devices/virtual/block/bcache0";

	dm_over(bcache);
	fake_disk(bcache, "251:0", &queue_none);
	fake_slave(bcache, DISK);
	fake_disk(DISK, "8:0", &queue_64k);
	probe_machine();
	ck_assert(caps.reasons & ATOMICIO_REASON_LAYER_BLOCKS);
}
END_TEST

START_TEST(plain_disk_is_no_layer)
{
	/* A loop device is virtual, as layers are, but never has a slave, and costs no look. */
	static const char *const disks[] = {DISK, "/sys/devices/virtual/block/loop0"};

	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
		fake_reset();
		fake_disk(disks[i], "8:0", &queue_none);
		fake_claim(4096, 1048576, 0);
		expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0,
		       ATOMICIO_REASON_XFS_SOFTWARE);
		ck_assert_uint_eq(fake.list_calls, 0);
	}
}
END_TEST

START_TEST(capable_dm_is_not_looked_below)
{
	fake_disk(DM0, "253:0", &queue_64k);
	fake.statx.dev_major = 253;
	fake_claim(4096, 1048576, 65536);
	expect(ATOMICIO_MECHANISM_MIXED, 4096, 1048576, 65536, 0);
	ck_assert_uint_eq(fake.list_calls, 0);
}
END_TEST

START_TEST(layers_that_cannot_be_listed_block_nothing)
{
	dm_over(NULL);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0, ATOMICIO_REASON_XFS_SOFTWARE);
	ck_assert_uint_eq(fake.list_calls, 1);
}
END_TEST

START_TEST(layers_that_lie_in_a_circle_come_to_an_end)
{
	dm_over(DM1);
	fake_slave(DM0, DISK);
	fake_disk(DM1, "253:1", &queue_none);
	fake_slave(DM1, DM0);
	fake_slave(DM1, DISK);
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0, ATOMICIO_REASON_XFS_SOFTWARE);
	/* dm-0, dm-1 and the disk below each, to a depth of four layers. */
	ck_assert_uint_eq(fake.list_calls, 7);
	ck_assert_uint_le(fake.calls, 16 + 4 + 32 * 4);
}
END_TEST

static void dm_path(char *path, size_t size, int number)
{
	snprintf(path, size, "/sys/devices/virtual/block/dm-%d", number % 11);
}

START_TEST(broad_trees_of_layers_are_cut_short)
{
	/* Eleven layers, each over four others: 340 devices, and 32 are read. */
	char directory[64], slave[64], number[16], file[128];

	dm_over(NULL);
	for (int i = 0; i < 11; i++) {
		dm_path(directory, sizeof(directory), i);
		snprintf(number, sizeof(number), "253:%d", i);
		snprintf(file, sizeof(file), "%s/queue/atomic_write_unit_max_bytes", directory);
		fake_link_device(directory, number);
		fake_file(file, "0\n");
		for (int j = 1; j <= 4; j++) {
			dm_path(slave, sizeof(slave), i + j);
			fake_slave(directory, slave);
		}
	}
	expect(ATOMICIO_MECHANISM_FILESYSTEM, 4096, 1048576, 0, ATOMICIO_REASON_XFS_SOFTWARE);
	ck_assert_uint_le(fake.calls, 16 + 32 * 4);
	ck_assert_uint_gt(fake.calls, 16 + 32 * 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		dm_over_a_capable_disk_blocks_it,
		dm_over_an_incapable_disk_blocks_nothing,
		dm_over_a_partition_of_a_capable_disk_blocks_it,
		any_capable_disk_among_several_is_enough,
		layers_are_followed_through_md_and_its_partitions,
		layer_is_what_has_slaves_whatever_its_name,
		dm_over_bcache_over_a_capable_disk_blocks_it,
		plain_disk_is_no_layer,
		capable_dm_is_not_looked_below,
		layers_that_cannot_be_listed_block_nothing,
		layers_that_lie_in_a_circle_come_to_an_end,
		broad_trees_of_layers_are_cut_short,
	};

	return check_run("probe_layers", tests, sizeof(tests) / sizeof(tests[0]), fake_reset);
}
