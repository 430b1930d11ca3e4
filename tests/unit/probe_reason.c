/* SPDX-License-Identifier: MIT */
/*
 * Goal: every reason has a stable name and a sentence, no two share a name, and nothing but
 * exactly one known bit is explained.
 * Method: the names are pinned here once more, against the bits of the public header.
 */
#include <check.h>
#include <ctype.h>
#include <string.h>

#include "check_run.h"
#include "libatomicio/atomicio.h"

static const struct {
	int bit;
	const char *name;
} names[] = {
	{0, "kernel-too-old"},
	{1, "not-direct"},
	{2, "fs-unsupported"},
	{3, "device-unsupported"},
	{4, "ext4-needs-bigalloc"},
	{5, "xfs-needs-reflink"},
	{6, "xfs-software"},
	{7, "xfs-suspect-kernel"},
	{8, "partition-misaligned"},
	{9, "layer-blocks"},
	{10, "overlay"},
	{11, "data-journaled"},
	{12, "dax"},
	{13, "append-only"},
	{14, "read-only"},
	{15, "unconfirmed"},
	{16, "nvme-awupf-ignored"},
	{17, "not-regular"},
	{18, "buffered-not-in-kernel"},
	{19, "immutable"},
	{20, "contradicted"},
	{21, "disk-unknown"},
	{22, "queue-unreadable"},
	{23, "contents-unknown"},
	{24, "reopen-failed"},
	{25, "statx-refused"},
	{26, "no-recheck"},
	{27, "no-witness"},
	{28, "contents-ambiguous"},
	{32, "length-not-power-of-two"},
	{33, "length-too-small"},
	{34, "length-too-large"},
	{35, "offset-unaligned"},
	{36, "memory-unaligned"},
	{37, "file-size-limit"},
	{38, "device-end"},
	{39, "registered-buffer"},
	{40, "nowait-never"},
	{41, "cached-pages"},
	{42, "short-write"},
	{43, "handle-poisoned"},
	{44, "length-unaligned"},
	{45, "frame-too-large"},
	{46, "journal-unclean"},
	{47, "journal-poisoned"},
	{48, "bad-argument"},
	{49, "home-failed"},
	{50, "journal-full"},
	{51, "no-turn"},
};

static const char *pinned_name(int bit)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].bit == bit)
			return names[i].name;
	return NULL;
}

START_TEST(every_bit_has_its_name_and_a_sentence_and_no_other_has)
{
	for (int bit = 0; bit < 64; bit++) {
		const uint64_t reason = UINT64_C(1) << bit;
		const char *name = atomicio_reason_name(reason);
		const char *text = atomicio_reason_text(reason);
		const char *fix = atomicio_reason_fix(reason);

		if (!pinned_name(bit)) {
			ck_assert_ptr_null(name);
			ck_assert_ptr_null(text);
			ck_assert_ptr_null(fix);
			continue;
		}
		ck_assert_str_eq(name, pinned_name(bit));
		ck_assert(isupper((unsigned char)text[0]) || strncmp(text, "ext4", 4) == 0 ||
			  strncmp(text, "overlayfs", 9) == 0);
		ck_assert_int_eq(text[strlen(text) - 1], '.');
		/* A fix continues a line, "fix: ...", and so is no sentence. */
		if (fix)
			ck_assert_int_ne(fix[strlen(fix) - 1], '.');
	}
}
END_TEST

START_TEST(nothing_but_one_bit_is_explained)
{
	static const uint64_t values[] = {0, ATOMICIO_REASON_DAX | ATOMICIO_REASON_OVERLAY,
					  UINT64_MAX, UINT64_C(1) << 63};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		ck_assert_ptr_null(atomicio_reason_name(values[i]));
		ck_assert_ptr_null(atomicio_reason_text(values[i]));
		ck_assert_ptr_null(atomicio_reason_fix(values[i]));
	}
}
END_TEST

START_TEST(the_iterator_takes_known_bits_from_the_lowest_on)
{
	uint64_t left = UINT64_MAX, reason;
	int last = -1, count = 0;

	while ((reason = atomicio_reason_next(&left))) {
		ck_assert_int_gt(__builtin_ctzll(reason), last);
		last = __builtin_ctzll(reason);
		ck_assert_uint_eq(reason, UINT64_C(1) << last);
		ck_assert_str_eq(atomicio_reason_name(reason), pinned_name(last));
		ck_assert_uint_eq(left & reason, 0);
		count++;
	}
	ck_assert_int_eq(count, (int)(sizeof(names) / sizeof(names[0])));
	ck_assert_uint_eq(left, 0);
	ck_assert_uint_eq(atomicio_reason_next(&left), 0);
	left = UINT64_C(1) << 63 | ATOMICIO_REASON_DAX;
	ck_assert_uint_eq(atomicio_reason_next(&left), ATOMICIO_REASON_DAX);
	ck_assert_uint_eq(atomicio_reason_next(&left), 0);
}
END_TEST

START_TEST(fixes_name_commands)
{
	static const struct {
		uint64_t reason;
		const char *word;
	} rows[] = {
		{ATOMICIO_REASON_KERNEL_TOO_OLD, "6.11"},
		{ATOMICIO_REASON_NOT_DIRECT, "O_DIRECT"},
		{ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC, "mkfs.ext4 -O bigalloc -C 65536"},
		{ATOMICIO_REASON_XFS_NEEDS_REFLINK, "mkfs.xfs -m reflink=1"},
		{ATOMICIO_REASON_XFS_SUSPECT_KERNEL, "6.17.8"},
		{ATOMICIO_REASON_APPEND_ONLY, "chattr -a"},
		{ATOMICIO_REASON_IMMUTABLE, "chattr -i"},
		{ATOMICIO_REASON_FILE_SIZE_LIMIT, "ulimit -f"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_ptr_nonnull(strstr(atomicio_reason_fix(rows[i].reason), rows[i].word));
	/* The text is a guess, and says so. */
	ck_assert_ptr_nonnull(
		strstr(atomicio_reason_text(ATOMICIO_REASON_NVME_AWUPF_IGNORED), " may "));
}
END_TEST

START_TEST(mechanisms_have_names)
{
	ck_assert_str_eq(atomicio_mechanism_name(ATOMICIO_MECHANISM_NONE), "none");
	ck_assert_str_eq(atomicio_mechanism_name(ATOMICIO_MECHANISM_HARDWARE), "hardware");
	ck_assert_str_eq(atomicio_mechanism_name(ATOMICIO_MECHANISM_FILESYSTEM), "filesystem");
	ck_assert_str_eq(atomicio_mechanism_name(ATOMICIO_MECHANISM_MIXED), "mixed");
	ck_assert_ptr_null(atomicio_mechanism_name(4));
	ck_assert_ptr_null(atomicio_mechanism_name(UINT32_MAX));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_bit_has_its_name_and_a_sentence_and_no_other_has,
		nothing_but_one_bit_is_explained,
		the_iterator_takes_known_bits_from_the_lowest_on,
		fixes_name_commands,
		mechanisms_have_names,
	};

	return check_run("probe_reason", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
