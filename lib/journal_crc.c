/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C by SSE4.2 where the processor has it, a page in three lanes with PCLMULQDQ; else by a
 * table of 16 entries.
 *
 * Flow: a leaf of the journal.  No well-kept C library of Debian carries this checksum.
 */
#include "journal_crc.h"

#include <string.h>

/* One nibble at a time: remainders of the reflected polynomial 0x82F63B78. */
static const uint32_t nibble_table[16] = {
	0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
	0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
	0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
};

uint32_t journal_crc32c_table(uint32_t crc, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	crc = ~crc;
	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		crc = (crc >> 4) ^ nibble_table[crc & 15];
		crc = (crc >> 4) ^ nibble_table[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>
#include <wmmintrin.h>

/*
 * Bytes of each of three lanes that are summed side by side; a block of them is all but 16 bytes of
 * 4 KiB.
 */
#define LANE ((size_t)1360)
/*
 * x^(8n - 33) modulo the polynomial, reflected, for n of one lane and of two: the product with a
 * sum, reduced by the instruction, is the sum moved over a number of zero bytes.
 */
#define OVER_ONE_LANE 0x3F70CC6F
#define OVER_TWO_LANES 0x5AA1F3CF

/* Eight a round: else three of four instructions would be the loop's. */
__attribute__((target("sse4.2"))) static uint32_t
crc_instruction(uint32_t crc, const uint8_t *bytes, size_t length)
{
	uint64_t value = crc, words[8];

	for (; length >= sizeof(words); length -= sizeof(words), bytes += sizeof(words)) {
		memcpy(words, bytes, sizeof(words));
		value = _mm_crc32_u64(value, words[0]);
		value = _mm_crc32_u64(value, words[1]);
		value = _mm_crc32_u64(value, words[2]);
		value = _mm_crc32_u64(value, words[3]);
		value = _mm_crc32_u64(value, words[4]);
		value = _mm_crc32_u64(value, words[5]);
		value = _mm_crc32_u64(value, words[6]);
		value = _mm_crc32_u64(value, words[7]);
	}
	for (; length >= 8; length -= 8, bytes += 8) {
		memcpy(words, bytes, 8);
		value = _mm_crc32_u64(value, words[0]);
	}
	while (length--)
		value = _mm_crc32_u8((uint32_t)value, *bytes++);
	return (uint32_t)value;
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t over_lanes(uint32_t crc, int by)
{
	const __m128i product =
		_mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128(by), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

/*
 * The instruction can begin each cycle, and its result takes three.  Three independent sums are
 * faster than any disk of today.
 */
__attribute__((target("sse4.2,pclmul"))) static uint32_t
crc_lanes(uint32_t crc, const uint8_t *bytes, size_t length)
{
	while (length >= 3 * LANE) {
		uint64_t first = crc, second = 0, third = 0, word;

		for (size_t at = 0; at < LANE; at += 8) {
			memcpy(&word, bytes + at, 8);
			first = _mm_crc32_u64(first, word);
			memcpy(&word, bytes + LANE + at, 8);
			second = _mm_crc32_u64(second, word);
			memcpy(&word, bytes + 2 * LANE + at, 8);
			third = _mm_crc32_u64(third, word);
		}
		word = over_lanes((uint32_t)first, OVER_TWO_LANES) ^
		       over_lanes((uint32_t)second, OVER_ONE_LANE);
		crc = (uint32_t)(_mm_crc32_u64(0, word) ^ third);
		bytes += 3 * LANE;
		length -= 3 * LANE;
	}
	return crc_instruction(crc, bytes, length);
}

uint32_t journal_crc32c(uint32_t crc, const void *data, size_t length)
{
	if (!__builtin_cpu_supports("sse4.2"))
		return journal_crc32c_table(crc, data, length);
	if (length < 3 * LANE || !__builtin_cpu_supports("pclmul"))
		return ~crc_instruction(~crc, data, length);
	return ~crc_lanes(~crc, data, length);
}

#else

uint32_t journal_crc32c(uint32_t crc, const void *data, size_t length)
{
	return journal_crc32c_table(crc, data, length);
}

#endif
