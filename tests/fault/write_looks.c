/* SPDX-License-Identifier: MIT */
/*
 * Goal: a write that is looked at, to ext4 or to a raw disk, says no more than the truth,
 * whichever call fails.
 * Method: every call of the write fails, with every errno; after each the disk is compared with
 * what the write said.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "fault_machine.h"
#include "write_machine.h"

static void cached_device(void)
{
	disk_is_device();
	disk.cached = 2;
	disk.drops_needed = 2;
}

static void cached_device_without_nowait(void)
{
	cached_device();
	disk.no_nowait = true;
	disk.drops_needed = 1;
}

static void racing_device(void)
{
	disk_is_device();
	disk.arrivals = 2;
}

static void device_with_readers(void)
{
	disk_is_device();
	disk.readers = 2;
}

static void device_with_a_full_queue(void)
{
	disk_is_device();
	disk.queue_full = 2;
}

static void settled_ext4(void)
{
	disk_is_ext4(640);
}

static void empty_ext4(void)
{
	disk_is_ext4(0);
}

static void inline_ext4(void)
{
	disk_is_ext4(0);
	disk.spoil = SYS_INODE_INLINE_DATA;
}

START_TEST(an_ext4_write_survives_every_failure)
{
	void (*const machines[])(void) = {settled_ext4, empty_ext4, inline_ext4};

	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		struct scenario it = {
			.name = "ext4", .machine = machines[i], .length = PAGE, .flags = i % 2};

		fail_every_call(&it, 20);
	}
}
END_TEST

START_TEST(a_device_write_survives_every_failure)
{
	struct scenario it = {.name = "device", .machine = disk_is_device, .length = PAGE};

	fail_every_call(&it, 10);
	it.machine = cached_device;
	fail_every_call(&it, 14);
	it.machine = cached_device_without_nowait;
	fail_every_call(&it, 14);
	it.machine = racing_device;
	fail_every_call(&it, 14);
	it.machine = device_with_readers;
	fail_every_call(&it, 14);
	it.machine = device_with_a_full_queue;
	fail_every_call(&it, 12);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_ext4_write_survives_every_failure,
		a_device_write_survives_every_failure,
	};

	return check_run("write_faults", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
