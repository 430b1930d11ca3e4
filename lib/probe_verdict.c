/* SPDX-License-Identifier: MIT */
/*
 * The verdict: from the evidence to limits and reasons.
 *
 * Flow: last step of a probe (probe.c).  Pure: reads and writes struct probe.  Without a claim,
 * probe_why.c finds the reasons.
 *
 * V1 nothing without the claim of statx: mask bit, attribute, and the attribute's mask bit.
 * V2 a claim denied by the confirming call is void.  A filesystem not known for claims of its own
 *    must have been confirmed: overlayfs hands through the claims of the file below and then
 *    refuses every write (fs/overlayfs/inode.c:ovl_getattr, 6.11 to 7.3).
 * V3 direct I/O that would become buffered is not untorn, whatever is claimed.
 * V4 hardware is credited only where the queue limits bear it out.
 *
 * Limits of `buffered` stay zero.  Up to 7.3 no kernel takes RWF_ATOMIC through the page cache, and
 * the bits proposed on the lists have changed from one series to the next: a number written down
 * today could have another meaning when it arrives.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "probe_internal.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/*
 * V1: generic_fill_statx_atomic_writes() of fs/stat.c sets all three, or leaves the attribute
 * unset.
 */
static bool statx_claims(const struct atomicio_caps *caps)
{
	return (caps->statx_mask & SYS_STATX_WRITE_ATOMIC) &&
	       (caps->statx_attributes & SYS_STATX_ATTR_WRITE_ATOMIC) &&
	       (caps->statx_attributes_mask & SYS_STATX_ATTR_WRITE_ATOMIC);
}

static bool claim_is_sane(const struct atomicio_caps *caps)
{
	return probe_is_power_of_two(caps->statx_unit_min) &&
	       probe_is_power_of_two(caps->statx_unit_max) &&
	       caps->statx_unit_min <= caps->statx_unit_max;
}

static bool confirm_answered(const struct atomicio_caps *caps)
{
	return caps->evidence & ATOMICIO_EVIDENCE_CONFIRM;
}

/* Properties of the file itself that forbid untorn writes, on any filesystem. */
static uint64_t obstacles(const struct probe *probe)
{
	const uint64_t attributes = probe->caps.statx_attributes;
	uint64_t reasons = 0;

	if (attributes & SYS_STATX_ATTR_IMMUTABLE)
		reasons |= ATOMICIO_REASON_IMMUTABLE;
	/* RWF_NOAPPEND gets EPERM, and without it the kernel moves the write to the end. */
	if (attributes & SYS_STATX_ATTR_APPEND)
		reasons |= ATOMICIO_REASON_APPEND_ONLY;
	/* ext4 takes the DAX path before looking for RWF_ATOMIC; XFS claims nothing. */
	if (attributes & SYS_STATX_ATTR_DAX)
		reasons |= ATOMICIO_REASON_DAX;
	if (probe->fs_magic == SYS_MAGIC_OVERLAY)
		reasons |= ATOMICIO_REASON_OVERLAY;
	return reasons;
}

/* Why a claim is void (V2, V3, and impossible values); 0: valid. */
static uint64_t void_claim(const struct probe *probe)
{
	const struct atomicio_caps *caps = &probe->caps;

	if (confirm_answered(caps) && caps->confirm_result != -EINVAL)
		return ATOMICIO_REASON_CONTRADICTED;
	if (!claim_is_sane(caps))
		return ATOMICIO_REASON_CONTRADICTED;
	/*
	 * ext4 claims and then writes buffered where the file has no direct I/O
	 * (fs/ext4/file.c:ext4_should_use_dio, 6.13 to 7.3): the alignments give it away.
	 */
	if (!caps->memory_align || !caps->offset_align)
		return probe->fs_magic == SYS_MAGIC_EXT4 ? ATOMICIO_REASON_DATA_JOURNALED
							 : ATOMICIO_REASON_CONTRADICTED;
	return 0;
}

static void set_limits(struct probe *probe, uint32_t mechanism, uint32_t unit_min,
		       uint32_t unit_max, uint32_t unit_max_hw)
{
	probe->caps.direct = (struct atomicio_limits){
		.mechanism = mechanism,
		.unit_min = unit_min,
		.unit_max = unit_max,
		.unit_max_hw = unit_max_hw,
		.segments_max = probe->segments_max,
	};
}

/* Block devices and ext4 have nothing but hardware: the queue must bear the claim out. */
static void judge_hardware(struct probe *probe)
{
	struct atomicio_caps *caps = &probe->caps;
	uint32_t unit_min = caps->statx_unit_min;
	uint32_t unit_max = caps->statx_unit_max;

	if (probe_heard_queue(probe)) {
		unit_min = larger(unit_min, caps->queue_unit_min);
		unit_max = smaller(unit_max, caps->queue_unit_max);
		if (unit_min > unit_max || probe_partition_is_misaligned(caps)) {
			caps->reasons |= ATOMICIO_REASON_CONTRADICTED;
			return;
		}
	}
	set_limits(probe, ATOMICIO_MECHANISM_HARDWARE, unit_min, unit_max, unit_max);
	if (probe->fs_magic == SYS_MAGIC_EXT4 && unit_max == probe->block_size &&
	    caps->queue_unit_max > unit_max && probe_heard_queue(probe)) {
		caps->reasons |= ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC;
		if (!probe_kernel_since(caps, 6, 16, 0))
			caps->reasons |= ATOMICIO_REASON_KERNEL_TOO_OLD;
	}
}

/*
 * The largest write from XFS to the device, 0: none.  unit_min is the block size.
 *
 * stx_atomic_write_unit_max_opt is the share of the device (the file's: data or realtime), but only
 * where unit_max is more than one block; for one block it is always 0
 * (fs/xfs/xfs_iops.c:xfs_get_atomic_write_max_opt, 6.16 to 7.3).  With several blocks 0 therefore
 * means software; statx(2) says the contrary, which holds for all other filesystems.  For one block
 * only the queue can tell.  The units that XFS can use at all:
 * fs/xfs/xfs_buf.c:xfs_configure_buftarg_atomic_writes().
 */
static uint32_t xfs_hardware(const struct probe *probe)
{
	const struct atomicio_caps *caps = &probe->caps;
	const uint32_t block = caps->statx_unit_min;
	uint32_t unit_max = caps->statx_unit_max;

	if (!probe_heard_queue(probe)) {
		/* Before 6.16 XFS had no software path: one block is the device's. */
		const bool hardware_only =
			probe_kernel_since(caps, 6, 13, 0) && !probe_kernel_since(caps, 6, 16, 0);

		return unit_max == block && hardware_only ? unit_max : 0;
	}
	if (caps->queue_unit_max < block || caps->queue_unit_min > block ||
	    probe_partition_is_misaligned(caps))
		return 0;
	if (unit_max > block)
		unit_max = smaller(unit_max, caps->statx_unit_max_opt);
	unit_max = smaller(unit_max, caps->queue_unit_max);
	return probe_is_power_of_two(unit_max) && unit_max >= block ? unit_max : 0;
}

static void judge_xfs(struct probe *probe)
{
	struct atomicio_caps *caps = &probe->caps;
	const uint32_t block = caps->statx_unit_min;
	const uint32_t unit_max = caps->statx_unit_max;
	const uint32_t hardware = xfs_hardware(probe);
	uint32_t mechanism = ATOMICIO_MECHANISM_MIXED;

	if (hardware == 0) {
		mechanism = ATOMICIO_MECHANISM_FILESYSTEM;
		/* XFS_SOFTWARE says already that the device has no untorn writes. */
		caps->reasons |= ATOMICIO_REASON_XFS_SOFTWARE |
				 (probe_disk_reasons(probe) & ~ATOMICIO_REASON_DEVICE_UNSUPPORTED);
	} else if (hardware == unit_max) {
		mechanism = ATOMICIO_MECHANISM_HARDWARE;
	}
	set_limits(probe, mechanism, block, unit_max, hardware);

	if (unit_max == block && probe_kernel_since(caps, 6, 13, 0)) {
		if (!probe_kernel_since(caps, 6, 16, 0))
			caps->reasons |= ATOMICIO_REASON_KERNEL_TOO_OLD;
		else if (hardware && caps->queue_unit_max > block)
			caps->reasons |= ATOMICIO_REASON_XFS_NEEDS_REFLINK;
	}
	/* A fragmented range of more than one block is copied on write, also within the units. */
	if ((mechanism != ATOMICIO_MECHANISM_HARDWARE || unit_max > block) &&
	    probe_kernel_since(caps, 6, 16, 0) && !probe_kernel_since(caps, 6, 17, 8))
		caps->reasons |= ATOMICIO_REASON_XFS_SUSPECT_KERNEL;
}

/* Reasons that concern the evidence and not the verdict. */
static uint64_t evidence_reasons(const struct probe *probe, bool claims)
{
	const struct atomicio_caps *caps = &probe->caps;
	uint64_t reasons = ATOMICIO_REASON_BUFFERED_NOT_IN_KERNEL;

	/*
	 * Without a device no disk is missing: tmpfs, overlay.  Before 6.11 the queue has no such
	 * limits, and the kernel's age explains everything.
	 */
	if (!(caps->evidence & ATOMICIO_EVIDENCE_DISK) &&
	    (caps->device_major || (claims && probe->fs_magic != SYS_MAGIC_OVERLAY)))
		reasons |= ATOMICIO_REASON_DISK_UNKNOWN;
	if (probe->queue_failed && (claims || probe_kernel_since(caps, 6, 11, 0)))
		reasons |= ATOMICIO_REASON_QUEUE_UNREADABLE;
	/* The namespace may also claim no more than one block: the reason says "may". */
	if (probe_heard_queue(probe) && probe_kernel_since(caps, 7, 0, 0) &&
	    strncmp(caps->disk_name, "nvme", 4) == 0 && caps->queue_unit_max != 0 &&
	    caps->queue_unit_max == caps->logical_block)
		reasons |= ATOMICIO_REASON_NVME_AWUPF_IGNORED;
	return reasons;
}

void probe_verdict(struct probe *probe)
{
	const uint64_t file_wide = ATOMICIO_REASON_DAX | ATOMICIO_REASON_OVERLAY;
	struct atomicio_caps *caps = &probe->caps;
	const bool claims = statx_claims(caps);
	uint64_t against = obstacles(probe);

	caps->reasons |= evidence_reasons(probe, claims);
	/* No other reason is added: file_wide explains the absence of a claim. */
	if (!claims && !(against & file_wide))
		against |= probe_why_not(probe);
	if (claims && !against)
		against = void_claim(probe);
	caps->reasons |= against;
	if (!claims || against)
		return;

	if (caps->file_mode == S_IFBLK || probe->fs_magic == SYS_MAGIC_EXT4)
		judge_hardware(probe);
	else if (probe->fs_magic == SYS_MAGIC_XFS)
		judge_xfs(probe);
	else if (confirm_answered(caps))
		set_limits(probe, ATOMICIO_MECHANISM_FILESYSTEM, caps->statx_unit_min,
			   caps->statx_unit_max, 0);
}
