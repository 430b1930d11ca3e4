/* SPDX-License-Identifier: MIT */
/*
 * Goal: opening and recovering a journal of arbitrary bytes does no harm.
 *
 * Method: libFuzzer.  The first byte of the input decides whether the checksums, and other fields
 * that hardly any mutation would get right, are corrected; the rest is the journal.  Every home
 * write must be an entry of a whole frame of the input, with the bytes of the entry.  The log area
 * may only be written with its own bytes, and the headers only in their blocks.  All memory comes
 * back.  Sanitizers find everything else.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "journal_crc.h"
#include "journal_internal.h"
#include "memory_sys.h"
#include "repair.h"

#define FRAME_MAGIC "ATFR"
#define RECOVER_TWICE 4u
#define KNOW_FILES 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t input[MEMORY_SIZE];
static uint64_t input_size;

/* The entry's page, as it goes home; false: not in the frame. */
static bool page_of(uint8_t *out, const uint8_t *frame, uint64_t whole, uint64_t page,
		    const uint8_t *entry)
{
	const uint64_t size = repair_get32(entry + 8);

	if (page > whole || size > whole - page)
		return false;
	memcpy(out, frame + page, size);
	for (uint64_t at = 0; at < size; at += 4096)
		for (uint64_t i = 0; i < 4 && at + i < size; i++)
			out[at + i] ^= entry[20 + i];
	return true;
}

/*
 * Does the frame at `at`, read without the library's code, name these bytes at this place, as one
 * page or as several adjacent pages?
 */
static bool names(uint64_t at, const uint8_t *data, uint64_t length, uint64_t offset)
{
	static uint8_t page_bytes[MEMORY_SIZE];
	const uint8_t *frame = input + at;
	const uint32_t count = repair_get32(frame + 4);
	const uint64_t whole = repair_get32(frame + 32), header = repair_get32(frame + 36);
	const uint64_t files = repair_get32(frame + 76);
	uint64_t page = header, found = 0;

	if (memcmp(frame, FRAME_MAGIC, 4) != 0 || whole > input_size - at || header >= whole ||
	    header < 96 || files > (header - 96) / 64 || count > (header - 96 - files * 64) / 24 ||
	    repair_get64(frame + 48) != at)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *entry = frame + 96 + files * 64 + (uint64_t)i * 24;
		const uint64_t size = repair_get32(entry + 8);

		if (!page_of(page_bytes, frame, whole, page, entry))
			return false;
		if (size > length - found || repair_get64(entry) != offset + found ||
		    memcmp(page_bytes, data + found, size) != 0 ||
		    repair_get32(entry + 12) != journal_crc32c_table(0, page_bytes, size))
			found = 0;
		else
			found += size;
		if (found == length)
			return true;
		page += (size + 4095) & ~UINT64_C(4095);
	}
	return false;
}

static void see_home_write(int fd, const void *data, uint64_t length, uint64_t offset)
{
	if (fd < MEMORY_HOME_FD || fd >= MEMORY_HOME_FD + 4)
		abort();
	for (uint64_t at = 16384; at + 4096 <= input_size; at += 4096)
		if (names(at, data, length, offset))
			return;
	abort();
}

static void see_journal_write(const void *data, uint64_t length, uint64_t offset)
{
	if (offset < 16384) {
		if (length != 4096 || offset % 4096)
			abort();
		return;
	}
	if (offset + length > memory.size || memcmp(memory.journal + offset, data, length) != 0)
		abort();
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	if (file_id % 7 == 6)
		return -ENOENT;
	return file_id % 31 == 30 ? -EACCES : MEMORY_HOME_FD + (int)(file_id % 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct atomicio_journal *journal;
	struct atomicio_recover_options options = {.flags = 0};
	struct atomicio_recovery recovery;
	uint32_t mode;

	if (size < 1 || size - 1 > sizeof(input))
		return 0;
	mode = data[0];
	input_size = size - 1;
	memcpy(input, data + 1, input_size);
	repair(input, input_size, mode);
	memcpy(memory.journal, input, input_size);
	memory.size = input_size;
	memory.home_write = see_home_write;
	memory.journal_write = see_journal_write;
	if (journal_open(&memory_sys, MEMORY_JOURNAL_FD, &journal) == 0) {
		int error;

		if (!(mode & KNOW_FILES))
			options.flags |= ATOMICIO_RECOVER_ANY_FILE;
		error = atomicio_journal_recover(journal, resolve, NULL, &options, sizeof(options),
						 &recovery, sizeof(recovery));
		if (mode & RECOVER_TWICE)
			error = atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0);
		atomicio_journal_close(journal);
		/* After a recovery the next open finds nothing. */
		if (!error && journal_open(&memory_sys, MEMORY_JOURNAL_FD, &journal) == 0) {
			struct atomicio_journal_info info;

			if (atomicio_journal_get_info(journal, &info, sizeof(info)) ||
			    info.state != ATOMICIO_JOURNAL_READY)
				abort();
			atomicio_journal_close(journal);
		}
	}
	if (memory.blocks)
		abort();
	return 0;
}
