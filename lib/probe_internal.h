/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of the probe family: one probe under way, and its steps.
 *
 * Flow: probe.c calls the steps in the order below.  Each step fills its part of probe->caps, and
 * probe_verdict() draws the conclusion.
 *
 * Rules:
 * P1 only statx(2) can say yes.  Every other source narrows, explains, or takes the yes back.
 * P2 a source without an answer costs a reason, and never makes the verdict larger.
 * P3 the caller's struct is written once, at the end of a successful probe.
 */
#ifndef LIBATOMICIO_PROBE_INTERNAL_H
#define LIBATOMICIO_PROBE_INTERNAL_H

#include <stdbool.h>

#include "libatomicio/atomicio.h"
#include "sys.h"

struct probe {
	const struct sys_calls *sys;
	int fd;
	struct atomicio_caps caps;
	uint32_t block_size;		/* stx_blksize */
	uint32_t segments_max;		/* stx_atomic_write_segments_max */
	uint32_t fs_magic;		/* f_type, 0: unknown or a block device */
	bool writable;			/* fd may be written through */
	bool queue_failed;		/* queue limits should exist and were not read */
	bool uuid_answered;		/* the kernel answered on the UUID, even with none */
	bool may_have_slaves;		/* the disk may be a layer over others */
	bool layer_blocks;		/* not able, but a device below is */
	char device_name[SYS_NAME_MAX]; /* the device itself: "nvme0n1p2", "" unknown */
};

static inline bool probe_is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

/* Compare with the running kernel; an unknown kernel, 0.0.0, is older than all. */
static inline bool probe_kernel_since(const struct atomicio_caps *caps, uint32_t major,
				      uint32_t minor, uint32_t patch)
{
	if (caps->kernel_major != major)
		return caps->kernel_major > major;
	if (caps->kernel_minor != minor)
		return caps->kernel_minor > minor;
	return caps->kernel_patch >= patch;
}

static inline bool probe_heard_queue(const struct probe *probe)
{
	return probe->caps.evidence & ATOMICIO_EVIDENCE_QUEUE;
}

/* block/bdev.c:bdev_can_atomic_write(), 6.13 to 7.3. */
static inline bool probe_partition_is_misaligned(const struct atomicio_caps *caps)
{
	const uint32_t alignment = caps->queue_unit_min > caps->queue_boundary
					   ? caps->queue_unit_min
					   : caps->queue_boundary;

	return caps->is_partition && alignment && caps->partition_offset % alignment != 0;
}

/* Ask statx and check the type.  0, or the negative errno for the caller. */
int probe_statx(struct probe *probe);

/* Read the descriptor's open flags.  0, or the negative errno for the caller. */
int probe_flags(struct probe *probe);

/* Read and parse the running kernel's release; zeros where that fails. */
void probe_release(struct probe *probe);

/* Name the file's filesystem, and find its UUID where one call does. */
void probe_filesystem(struct probe *probe);

/* Find the disk below the device, its queue limits, and the layers in between. */
void probe_disk(struct probe *probe);

/* Ask libblkid for all still unknown contents of the device. */
void probe_contents(struct probe *probe);

/* Make the confirming call, which writes nothing, if the descriptor is open for writing. */
void probe_confirm(struct probe *probe);

/* Fill limits and reasons from the evidence.  Pure: no system call. */
void probe_verdict(struct probe *probe);

/* The disk's own reasons against untorn writes; 0: none known. */
uint64_t probe_disk_reasons(const struct probe *probe);

/* Why statx claims nothing. */
uint64_t probe_why_not(const struct probe *probe);

#endif /* LIBATOMICIO_PROBE_INTERNAL_H */
