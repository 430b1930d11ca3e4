/* SPDX-License-Identifier: MIT */
/*
 * Goal: the checksum is CRC-32C, whichever way it is computed.
 *
 * Method: published check values, and the table against the instruction, alone and in lanes, on
 * random data of every small length at every alignment, whole and in two parts.
 */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check_run.h"
#include "journal_crc.h"

START_TEST(the_published_values_come_out)
{
	uint8_t bytes[32];

	ck_assert_uint_eq(journal_crc32c(0, "123456789", 9), 0xE3069283);
	ck_assert_uint_eq(journal_crc32c_table(0, "123456789", 9), 0xE3069283);
	ck_assert_uint_eq(journal_crc32c(0, "", 0), 0);
	/* RFC 3720, B.4. */
	memset(bytes, 0, sizeof(bytes));
	ck_assert_uint_eq(journal_crc32c(0, bytes, sizeof(bytes)), 0x8A9136AA);
	memset(bytes, 0xff, sizeof(bytes));
	ck_assert_uint_eq(journal_crc32c(0, bytes, sizeof(bytes)), 0x62A8AB43);
	for (uint8_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	ck_assert_uint_eq(journal_crc32c(0, bytes, sizeof(bytes)), 0x46DD794E);
}
END_TEST

static uint32_t seed = 20;

static uint8_t random_byte(void)
{
	seed = seed * 1664525 + 1013904223;
	return (uint8_t)(seed >> 24);
}

START_TEST(table_and_instruction_agree_at_every_length_and_alignment)
{
	static uint8_t bytes[4096 + 16];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = random_byte();
	for (size_t start = 0; start < 16; start++) {
		for (size_t length = 0; length < 300; length++)
			ck_assert_uint_eq(journal_crc32c(7, bytes + start, length),
					  journal_crc32c_table(7, bytes + start, length));
		ck_assert_uint_eq(journal_crc32c(0, bytes + start, 4096),
				  journal_crc32c_table(0, bytes + start, 4096));
	}
}
END_TEST

/* Pages are summed in lanes: none, one block of them, or some and a rest. */
START_TEST(a_page_of_any_length_has_the_sum_of_the_table)
{
	static uint8_t bytes[65536 + 16];
	static const size_t lengths[] = {4060, 8140, 12220, 16384, 20380, 65536};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = random_byte();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (size_t more = 0; more < 48; more++) {
			const size_t length = lengths[i] + (lengths[i] < 16384 ? more : 0);

			ck_assert_uint_eq(
				journal_crc32c((uint32_t)more, bytes + more % 16, length),
				journal_crc32c_table((uint32_t)more, bytes + more % 16, length));
		}
	}
}
END_TEST

START_TEST(two_parts_of_a_page_give_what_the_page_gives)
{
	static uint8_t bytes[16384];
	uint32_t whole;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = random_byte();
	whole = journal_crc32c_table(0, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut += 7) {
		const uint32_t first = journal_crc32c(0, bytes, cut);

		ck_assert_uint_eq(journal_crc32c(first, bytes + cut, sizeof(bytes) - cut), whole);
	}
}
END_TEST

START_TEST(every_flipped_bit_of_a_page_changes_it)
{
	static uint8_t bytes[4160];
	const uint32_t whole = journal_crc32c(0, bytes, sizeof(bytes));

	for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_uint_ne(journal_crc32c(0, bytes, sizeof(bytes)), whole);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

START_TEST(two_parts_give_what_the_whole_gives)
{
	uint8_t bytes[100];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = random_byte();
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		const uint32_t first = journal_crc32c(0, bytes, cut);

		ck_assert_uint_eq(journal_crc32c(first, bytes + cut, sizeof(bytes) - cut),
				  journal_crc32c(0, bytes, sizeof(bytes)));
	}
}
END_TEST

START_TEST(every_flipped_bit_changes_it)
{
	uint8_t bytes[64] = {1, 2, 3};
	const uint32_t whole = journal_crc32c(0, bytes, sizeof(bytes));

	for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_uint_ne(journal_crc32c(0, bytes, sizeof(bytes)), whole);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_published_values_come_out,
		table_and_instruction_agree_at_every_length_and_alignment,
		two_parts_give_what_the_whole_gives,
		every_flipped_bit_changes_it,
		a_page_of_any_length_has_the_sum_of_the_table,
		two_parts_of_a_page_give_what_the_page_gives,
		every_flipped_bit_of_a_page_changes_it,
	};

	return check_run("journal_crc", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
