/* SPDX-License-Identifier: MIT */
/*
 * A valid journal header, and bytes as the format writes them.
 *
 * Flow: included by the unit tests of the format, of frames and of escapes, which change a field.
 */
#ifndef JOURNAL_SAMPLE_H
#define JOURNAL_SAMPLE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "journal_format.h"

#define SIZE (UINT64_C(16384) + 65536)
#define FRAME_MAX 32768u
#define AT 20480u /* where the frame lies */

static const struct journal_header good_header = {
	.id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	.size = SIZE,
	.generation = 77,
	.tail_offset = AT,
	.tail_sequence = UINT64_C(0x1122334455667788),
	.head_offset = AT + 4096,
	.head_sequence = UINT64_C(0x1122334455667790),
	.frame_max = FRAME_MAX,
	.done_count = 2,
	.done = {{.file_id = 7, .up_to = 9}, {.file_id = 8, .up_to = UINT64_MAX}},
};

static inline void put64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, 8);
}

static inline void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, 4);
}

#endif /* JOURNAL_SAMPLE_H */
