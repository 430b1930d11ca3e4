/* SPDX-License-Identifier: MIT */
/*
 * Goal: no release changes the place of a field that programs were compiled against.
 *
 * Method: sizes and offsets of the first release, for 64-bit machines, as assertions of the
 * compiler.  Structs may grow at their end: then a size here follows, an offset never.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "libatomicio/atomicio.h"
#include "libatomicio/uring.h"

#if UINTPTR_MAX == UINT64_MAX
#define AT(type, field, offset) static_assert(offsetof(struct type, field) == (offset), #field)
#define SIZE(type, size) static_assert(sizeof(struct type) == (size), #type)

AT(atomicio_limits, mechanism, 0);
AT(atomicio_limits, unit_min, 4);
AT(atomicio_limits, unit_max, 8);
AT(atomicio_limits, unit_max_hw, 12);
AT(atomicio_limits, segments_max, 16);
AT(atomicio_limits, reserved, 20);
SIZE(atomicio_limits, 24);

AT(atomicio_caps, direct, 0);
AT(atomicio_caps, buffered, 24);
AT(atomicio_caps, memory_align, 48);
AT(atomicio_caps, offset_align, 52);
AT(atomicio_caps, reasons, 56);
AT(atomicio_caps, evidence, 64);
AT(atomicio_caps, confirm_result, 68);
AT(atomicio_caps, statx_mask, 72);
AT(atomicio_caps, statx_attributes, 80);
AT(atomicio_caps, statx_attributes_mask, 88);
AT(atomicio_caps, statx_unit_min, 96);
AT(atomicio_caps, statx_unit_max, 100);
AT(atomicio_caps, statx_unit_max_opt, 104);
AT(atomicio_caps, queue_unit_min, 108);
AT(atomicio_caps, queue_unit_max, 112);
AT(atomicio_caps, queue_max, 116);
AT(atomicio_caps, queue_boundary, 120);
AT(atomicio_caps, logical_block, 124);
AT(atomicio_caps, physical_block, 128);
AT(atomicio_caps, file_mode, 132);
AT(atomicio_caps, partition_offset, 136);
AT(atomicio_caps, device_major, 144);
AT(atomicio_caps, device_minor, 148);
AT(atomicio_caps, kernel_major, 152);
AT(atomicio_caps, kernel_minor, 156);
AT(atomicio_caps, kernel_patch, 160);
AT(atomicio_caps, is_partition, 164);
AT(atomicio_caps, disk_name, 168);
AT(atomicio_caps, filesystem_type, 200);
AT(atomicio_caps, filesystem_uuid, 216);
SIZE(atomicio_caps, 256);

AT(atomicio_failure, size, 0);
AT(atomicio_failure, kind, 4);
AT(atomicio_failure, error, 8);
AT(atomicio_failure, on_disk, 12);
AT(atomicio_failure, allowed, 16);
AT(atomicio_failure, attempt, 20);
AT(atomicio_failure, path, 24);
AT(atomicio_failure, flags, 28);
AT(atomicio_failure, offset, 32);
AT(atomicio_failure, length, 40);
AT(atomicio_failure, reasons, 48);
SIZE(atomicio_failure, 56);

AT(atomicio_options, policy, 0);
AT(atomicio_options, policy_context, 8);
AT(atomicio_options, journal, 16);
AT(atomicio_options, file_id, 24);
AT(atomicio_options, fallback, 32);
AT(atomicio_options, path, 36);
AT(atomicio_options, retries_max, 40);
AT(atomicio_options, bounce_max, 44);
AT(atomicio_options, flags, 48);
AT(atomicio_options, reserved, 52);
AT(atomicio_options, file_tag, 56);
SIZE(atomicio_options, 72);

AT(atomicio_op, file, 0);
AT(atomicio_op, buffer, 8);
AT(atomicio_op, offset, 16);
AT(atomicio_op, length, 24);
AT(atomicio_op, result, 32);
AT(atomicio_op, reserved, 36);
SIZE(atomicio_op, 40);

AT(atomicio_stats, writes_hardware, 0);
AT(atomicio_stats, writes_filesystem, 8);
AT(atomicio_stats, writes_journal, 16);
AT(atomicio_stats, writes_plain, 24);
AT(atomicio_stats, writes_failed, 32);
AT(atomicio_stats, bytes, 40);
AT(atomicio_stats, retries, 48);
AT(atomicio_stats, fallbacks, 56);
AT(atomicio_stats, bounces, 64);
AT(atomicio_stats, writebacks, 72);
AT(atomicio_stats, syncs, 80);
AT(atomicio_stats, failures, 88);
SIZE(atomicio_stats, 160);

SIZE(atomicio_request, 128);

AT(atomicio_queue_stats, depth, 0);
AT(atomicio_queue_stats, ring_error, 4);
AT(atomicio_queue_stats, batches, 8);
AT(atomicio_queue_stats, ops, 16);
AT(atomicio_queue_stats, submissions, 24);
AT(atomicio_queue_stats, waits, 32);
AT(atomicio_queue_stats, syncs, 40);
SIZE(atomicio_queue_stats, 48);

/* The values in these structs. */
static_assert(ATOMICIO_DSYNC == 1 && ATOMICIO_NOWAIT == 2 && ATOMICIO_ALL_OR_NONE == 4 &&
		      ATOMICIO_BEHIND == 16 && ATOMICIO_REGISTERED_BUFFER == 8,
	      "flags");
static_assert(ATOMICIO_RETRY == 1 && ATOMICIO_FALLBACK == 2 && ATOMICIO_FAIL == 4, "answers");
static_assert(ATOMICIO_KIND_SHAPE == 1 && ATOMICIO_KIND_BROKEN == 8, "kinds");
static_assert(ATOMICIO_DISK_OLD == 1 && ATOMICIO_DISK_UNKNOWN == 3, "on_disk");
static_assert(ATOMICIO_REASON_REOPEN_FAILED == UINT64_C(1) << 24, "reasons of a file");
static_assert(ATOMICIO_REASON_STATX_REFUSED == UINT64_C(1) << 25, "reasons of a file");
static_assert(ATOMICIO_REASON_NO_WITNESS == UINT64_C(1) << 27, "reasons of a file");
static_assert(ATOMICIO_REASON_HANDLE_POISONED == UINT64_C(1) << 43, "reasons of a write");
#endif

int main(void)
{
	printf("caps %zu, options %zu, failure %zu, stats %zu bytes\n",
	       sizeof(struct atomicio_caps), sizeof(struct atomicio_options),
	       sizeof(struct atomicio_failure), sizeof(struct atomicio_stats));
	return 0;
}
