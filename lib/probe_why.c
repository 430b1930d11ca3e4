/* SPDX-License-Identifier: MIT */
/*
 * The reasons for a missing claim: kernel, disk, or filesystem.
 *
 * Flow: probe_verdict.c asks where statx claims nothing, and asks for the disk's part where XFS
 * writes by software.  Pure: reads struct probe, calls nothing.
 */
#include <sys/stat.h>

#include "probe_internal.h"

uint64_t probe_disk_reasons(const struct probe *probe)
{
	if (!probe_heard_queue(probe))
		return 0;
	if (probe->caps.queue_unit_max == 0)
		return probe->layer_blocks ? ATOMICIO_REASON_LAYER_BLOCKS
					   : ATOMICIO_REASON_DEVICE_UNSUPPORTED;
	if (probe_partition_is_misaligned(&probe->caps))
		return ATOMICIO_REASON_PARTITION_MISALIGNED;
	return 0;
}

/* A block device without a claim: the mask bit is then absent on every kernel. */
static uint64_t why_not_device(const struct probe *probe)
{
	const uint64_t reasons = probe_disk_reasons(probe);

	if (!probe_kernel_since(&probe->caps, 6, 11, 0))
		return ATOMICIO_REASON_KERNEL_TOO_OLD;
	if (reasons)
		return reasons;
	return probe_heard_queue(probe) ? ATOMICIO_REASON_CONTRADICTED
					: ATOMICIO_REASON_DEVICE_UNSUPPORTED;
}

/*
 * XFS with knowledge of untorn writes, but none to offer.  Since 6.16 XFS needs reflink and no
 * special device.  Before 6.16 XFS needs a device whose unit covers one block.
 */
static uint64_t why_not_xfs(const struct probe *probe)
{
	uint64_t reasons = probe_disk_reasons(probe);

	if (!reasons && probe_heard_queue(probe))
		reasons = ATOMICIO_REASON_DEVICE_UNSUPPORTED;
	if (probe_kernel_since(&probe->caps, 6, 16, 0))
		return reasons | ATOMICIO_REASON_XFS_NEEDS_REFLINK;
	return reasons | ATOMICIO_REASON_KERNEL_TOO_OLD;
}

/*
 * ext4 with knowledge of untorn writes, but none to offer:
 * fs/ext4/super.c:ext4_atomic_write_init().
 */
static uint64_t why_not_ext4(const struct probe *probe)
{
	const struct atomicio_caps *caps = &probe->caps;
	const uint64_t reasons = probe_disk_reasons(probe);

	if (reasons || !probe_heard_queue(probe))
		return reasons ? reasons : ATOMICIO_REASON_DEVICE_UNSUPPORTED;
	if (caps->queue_unit_max < probe->block_size)
		return ATOMICIO_REASON_DEVICE_UNSUPPORTED;
	if (caps->queue_unit_min > probe->block_size)
		return ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC |
		       (probe_kernel_since(caps, 6, 16, 0) ? 0 : ATOMICIO_REASON_KERNEL_TOO_OLD);
	/* The device would do.  The cause is the file itself: no extents. */
	return ATOMICIO_REASON_FS_UNSUPPORTED;
}

uint64_t probe_why_not(const struct probe *probe)
{
	const struct atomicio_caps *caps = &probe->caps;
	const bool native = probe->fs_magic == SYS_MAGIC_XFS || probe->fs_magic == SYS_MAGIC_EXT4;
	uint64_t reasons = 0;
	bool too_old;

	/* Without an answer of statx nothing is known; kernels before 4.11 have no statx. */
	if (caps->reasons & ATOMICIO_REASON_STATX_REFUSED)
		return probe_kernel_since(caps, 4, 11, 0)
			       ? 0
			       : (uint64_t)ATOMICIO_REASON_KERNEL_TOO_OLD;
	if (caps->file_mode == S_IFBLK)
		return why_not_device(probe);
	if (caps->statx_mask & SYS_STATX_WRITE_ATOMIC) {
		if (probe->fs_magic == SYS_MAGIC_XFS)
			return why_not_xfs(probe);
		if (probe->fs_magic == SYS_MAGIC_EXT4)
			return why_not_ext4(probe);
		return ATOMICIO_REASON_FS_UNSUPPORTED;
	}
	/*
	 * XFS and ext4 need only a newer kernel (6.13); no other filesystem gains by a newer
	 * kernel.
	 */
	too_old = !probe_kernel_since(caps, 6, native ? 13 : 11, 0);
	if (too_old)
		reasons |= ATOMICIO_REASON_KERNEL_TOO_OLD;
	if (!too_old || (probe->fs_magic && !native))
		reasons |= ATOMICIO_REASON_FS_UNSUPPORTED;
	return reasons;
}
