/* SPDX-License-Identifier: MIT */
/*
 * Machines to probe, and the expected answers.  See probe_machine.h.
 */
#include "probe_machine.h"

#include <check.h>
#include <errno.h>
#include <sys/stat.h>

#include "probe.h"

const struct fake_queue queue_none = {.logical = 512, .physical = 512};
const struct fake_queue queue_64k = {512, 65536, 65536, 0, 512, 4096};
const struct fake_queue queue_4k = {4096, 4096, 4096, 0, 4096, 4096};

struct atomicio_caps caps;

void probe_machine(void)
{
	ck_assert_int_eq(probe_file(&fake_sys, FAKE_FD, &caps), 0);
	ck_assert_uint_eq(fake.opened, 0);
}

void expect(uint32_t mechanism, uint32_t unit_min, uint32_t unit_max, uint32_t unit_max_hw,
	    uint64_t reasons)
{
	static const struct atomicio_limits zero;

	probe_machine();
	ck_assert_uint_eq(caps.direct.mechanism, mechanism);
	ck_assert_uint_eq(caps.direct.unit_min, unit_min);
	ck_assert_uint_eq(caps.direct.unit_max, unit_max);
	ck_assert_uint_eq(caps.direct.unit_max_hw, unit_max_hw);
	ck_assert_uint_eq(caps.direct.segments_max, mechanism ? 1 : 0);
	ck_assert_uint_eq(caps.reasons, reasons | ATOMICIO_REASON_BUFFERED_NOT_IN_KERNEL);
	ck_assert_mem_eq(&caps.buffered, &zero, sizeof(zero));
}

void expect_none(uint64_t reasons)
{
	expect(ATOMICIO_MECHANISM_NONE, 0, 0, 0, reasons);
}

void machine_block_device(const struct fake_queue *queue)
{
	fake.statx.mode = S_IFBLK | 0660;
	fake.statx.rdev_major = 8;
	fake.statx.dev_major = 0;
	fake.statx.dev_minor = 6;
	if (queue)
		fake_disk(DISK, "8:0", queue);
}

void machine_ext4(const struct fake_queue *queue)
{
	fake.fs_magic = MAGIC_EXT4;
	fake_disk(DISK, "8:0", queue);
}

void machine_xfs(const struct fake_queue *queue)
{
	fake_disk(DISK, "8:0", queue);
}

void machine_partition(uint64_t start_sector, uint32_t boundary)
{
	const struct fake_queue queue = {8192, 65536, 65536, boundary, 512, 512};

	fake_disk(DISK, "8:0", &queue);
	fake_partition(DISK "/sda1", "8:1", start_sector);
	fake.statx.mode = S_IFBLK | 0660;
	fake.statx.rdev_major = 8;
	fake.statx.rdev_minor = 1;
}

/* As bdev_statx() does for an incapable device. */
void machine_no_answer(void)
{
	fake.statx.mask &= ~SYS_STATX_WRITE_ATOMIC;
	fake.statx.attributes_mask &= ~(uint64_t)SYS_STATX_ATTR_WRITE_ATOMIC;
	machine_refuses();
}

void machine_refuses(void)
{
	fake.pwritev2_result = -EOPNOTSUPP;
}
