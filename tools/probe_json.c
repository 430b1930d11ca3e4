/* SPDX-License-Identifier: MIT */
/*
 * One probed path as a JSON object.  Keys are stable: new keys may be added; no key is ever
 * renamed.
 *
 * Flow: called by probe.c for each path; writes through json.c.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/stat.h>

#include "json.h"
#include "target.h"
#include "tool.h"
#include "words.h"

static void put_limits(struct json *json, const char *key, const struct atomicio_limits *limits)
{
	json_begin(json, key, '{');
	json_string(json, "mechanism", atomicio_mechanism_name(limits->mechanism));
	json_unsigned(json, "unit_min", limits->unit_min);
	json_unsigned(json, "unit_max", limits->unit_max);
	json_unsigned(json, "unit_max_hw", limits->unit_max_hw);
	json_unsigned(json, "segments_max", limits->segments_max);
	json_end(json, '}');
}

void probe_json_reasons(struct json *json, const char *key, uint64_t reasons)
{
	uint64_t reason;

	json_begin(json, key, '[');
	while ((reason = atomicio_reason_next(&reasons))) {
		json_begin(json, NULL, '{');
		json_string(json, "name", atomicio_reason_name(reason));
		json_string(json, "text", atomicio_reason_text(reason));
		json_string(json, "fix", atomicio_reason_fix(reason));
		json_end(json, '}');
	}
	json_end(json, ']');
}

static void put_evidence(struct json *json, const struct atomicio_caps *caps)
{
	json_begin(json, "evidence", '{');
	json_begin(json, "sources", '[');
	for (unsigned bit = 0; bit < WORD_EVIDENCE_COUNT; bit++)
		if (caps->evidence & (1u << bit))
			json_string(json, NULL, word_evidence[bit]);
	json_end(json, ']');
	json_signed(json, "confirm_result", caps->confirm_result);
	json_begin(json, "statx", '{');
	json_hex(json, "mask", caps->statx_mask);
	json_hex(json, "attributes", caps->statx_attributes);
	json_hex(json, "attributes_mask", caps->statx_attributes_mask);
	json_unsigned(json, "unit_min", caps->statx_unit_min);
	json_unsigned(json, "unit_max", caps->statx_unit_max);
	json_unsigned(json, "unit_max_opt", caps->statx_unit_max_opt);
	json_end(json, '}');
	json_begin(json, "queue", '{');
	json_unsigned(json, "unit_min", caps->queue_unit_min);
	json_unsigned(json, "unit_max", caps->queue_unit_max);
	json_unsigned(json, "max", caps->queue_max);
	json_unsigned(json, "boundary", caps->queue_boundary);
	json_unsigned(json, "logical_block", caps->logical_block);
	json_unsigned(json, "physical_block", caps->physical_block);
	json_end(json, '}');
	json_end(json, '}');
}

static void put_place(struct json *json, const struct atomicio_caps *caps)
{
	char kernel[48];

	json_begin(json, "device", '{');
	json_unsigned(json, "major", caps->device_major);
	json_unsigned(json, "minor", caps->device_minor);
	json_string(json, "disk", caps->disk_name[0] ? caps->disk_name : NULL);
	json_bool(json, "partition", caps->is_partition != 0);
	json_unsigned(json, "partition_offset", caps->partition_offset);
	json_end(json, '}');
	json_begin(json, "filesystem", '{');
	json_string(json, "type", caps->filesystem_type[0] ? caps->filesystem_type : NULL);
	json_string(json, "uuid", caps->filesystem_uuid[0] ? caps->filesystem_uuid : NULL);
	json_end(json, '}');
	snprintf(kernel, sizeof(kernel), "%u.%u.%u", caps->kernel_major, caps->kernel_minor,
		 caps->kernel_patch);
	json_string(json, "kernel", kernel);
}

void probe_json(struct json *json, const char *path, const struct target *target,
		const struct atomicio_caps *caps, int error, const char *sentence)
{
	json_begin(json, NULL, '{');
	json_string(json, "path", path);
	if (error) {
		json_begin(json, "error", '{');
		json_string(json, "name", text_errno(-error));
		json_string(json, "text", sentence);
		json_end(json, '}');
		json_end(json, '}');
		return;
	}
	json_null(json, "error");
	json_string(json, "type", word_file_type(S_ISBLK(caps->file_mode)));
	json_bool(json, "temporary", target->temporary);
	json_string(json, "access", word_access(target->flags));
	put_limits(json, "direct", &caps->direct);
	put_limits(json, "buffered", &caps->buffered);
	json_unsigned(json, "memory_align", caps->memory_align);
	json_unsigned(json, "offset_align", caps->offset_align);
	probe_json_reasons(json, "reasons", caps->reasons);
	put_evidence(json, caps);
	put_place(json, caps);
	json_end(json, '}');
}
