/* SPDX-License-Identifier: MIT */
/* The guard's bytes: pure.  See guard.h. */
#include "guard.h"

#include <string.h>

#define GUARDED 0x81
#define FORMAT 1
#define CHANGE_COUNTER 24
#define VERSION_VALID_FOR 92
#define JUMP 0x10000u /* QG1 */

static const char magic[16] = "SQLite format 3";

enum guard_state guard_read(const uint8_t *header)
{
	const uint8_t *at = header + GUARD_AT;

	if (memcmp(header, magic, sizeof(magic)) != 0)
		return GUARD_NONE;
	if (at[0] == FORMAT && at[1] == GUARDED)
		return GUARD_ON;
	return at[0] == FORMAT && at[1] == FORMAT ? GUARD_OFF : GUARD_NONE;
}

static void jump(uint8_t *counter)
{
	uint32_t value = (uint32_t)counter[0] << 24 | (uint32_t)counter[1] << 16 |
			 (uint32_t)counter[2] << 8 | counter[3];

	value += JUMP;
	for (int i = 0; i < 4; i++)
		counter[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Both counters: the size in the header stays valid. */
static void jump_both(uint8_t *header)
{
	jump(header + CHANGE_COUNTER);
	jump(header + VERSION_VALID_FOR);
}

void guard_raise(uint8_t *header)
{
	header[GUARD_AT + 1] = GUARDED;
	jump_both(header);
}

void guard_lower(uint8_t *header)
{
	header[GUARD_AT + 1] = FORMAT;
	jump_both(header);
}

void guard_copy_counters(uint8_t *header, const uint8_t *from)
{
	memcpy(header + CHANGE_COUNTER, from + CHANGE_COUNTER, 4);
	memcpy(header + VERSION_VALID_FOR, from + VERSION_VALID_FOR, 4);
}

bool guard_covers(uint64_t length, uint64_t offset)
{
	return offset <= GUARD_AT && offset + length >= GUARD_AT + GUARD_LENGTH;
}

static void exchange(uint8_t *bytes, uint64_t length, uint64_t offset, uint8_t from, uint8_t to)
{
	uint8_t *at;

	if (!guard_covers(length, offset))
		return;
	at = bytes + (GUARD_AT - offset);
	if (at[0] == FORMAT && at[1] == from)
		at[1] = to;
}

void guard_hide(uint8_t *bytes, uint64_t length, uint64_t offset)
{
	exchange(bytes, length, offset, GUARDED, FORMAT);
}

void guard_show(uint8_t *bytes, uint64_t length, uint64_t offset)
{
	exchange(bytes, length, offset, FORMAT, GUARDED);
}
