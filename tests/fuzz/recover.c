/* SPDX-License-Identifier: MIT */
/*
 * Goal: opening and recovering a journal of arbitrary bytes does no harm.
 *
 * Method: libFuzzer.  The first byte of the input says whether the checksums, and the fields that
 * hardly any mutation would get right, are put right; the rest is the journal.  Every home
 * write must be an entry of a whole frame of the input, with its bytes; the ring may only be
 * written with what it holds already, and the headers only in their blocks; all memory comes
 * back.  Sanitizers see the rest.
 */
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "journal_crc.h"
#include "journal_internal.h"
#include "memory_sys.h"

#define FRAME_MAGIC "ATFR"
#define FIX_CHECKSUMS 1u
#define FIX_PLACES 2u
#define RECOVER_TWICE 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t input[MEMORY_SIZE];
static uint64_t input_size;

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, 4);
	return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, 8);
	return le64toh(value);
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, 4);
}

static void fix_header(uint8_t *block)
{
	memcpy(block, "libatomicio-jrnl", 16);
	put32(block + 16, 2);
	put32(block + 20, 4096);
	put32(block + 4092, journal_crc32c(0, block, 4092));
}

/* The page checksums and then the frame's own, as far as it lies inside the input. */
static void fix_frame(uint8_t *frame, uint64_t at, uint32_t mode)
{
	const uint32_t count = get32(frame + 4);
	const uint64_t header = get32(frame + 36);
	const uint64_t files = get32(frame + 76);
	const uint64_t place = htole64(at);
	uint64_t page = at + header;

	if (mode & FIX_PLACES) {
		memcpy(frame + 8, input + 24, 16);
		memcpy(frame + 48, &place, 8);
	}
	if (header < 96 || header > input_size - at || files > (header - 96) / 64 ||
	    count > (header - 96 - files * 64) / 24)
		return;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *entry = frame + 96 + files * 64 + i * 24;
		const uint64_t length = get32(entry + 8);

		if (length > input_size || page > input_size - length)
			break;
		put32(entry + 20, 0); /* no escape: the input has what it needs */
		put32(entry + 12, journal_crc32c(0, input + page, length));
		page += (length + 4095) & ~UINT64_C(4095);
	}
	put32(frame + 40, 0);
	put32(frame + 40, journal_crc32c(0, frame, header));
}

static void fix(uint32_t mode)
{
	for (uint64_t at = 0; at < 16384 && at + 4096 <= input_size; at += 4096)
		fix_header(input + at);
	for (uint64_t at = 16384; at + 4096 <= input_size; at += 4096)
		if (memcmp(input + at, FRAME_MAGIC, 4) == 0)
			fix_frame(input + at, at, mode);
}

/* Does the frame at `at`, read without the library's code, name this page with these bytes? */
static int names(uint64_t at, const void *data, uint64_t length, uint64_t offset)
{
	const uint8_t *frame = input + at;
	const uint32_t count = get32(frame + 4);
	const uint64_t whole = get32(frame + 32), header = get32(frame + 36);
	const uint64_t files = get32(frame + 76);
	uint64_t page = header;

	if (memcmp(frame, FRAME_MAGIC, 4) != 0 || whole > input_size - at || header >= whole ||
	    header < 96 || files > (header - 96) / 64 || count > (header - 96 - files * 64) / 24 ||
	    get64(frame + 48) != at)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *entry = frame + 96 + files * 64 + i * 24;
		const uint64_t size = get32(entry + 8);

		if (size > whole - page)
			return 0;
		if (size == length && get64(entry) == offset &&
		    memcmp(frame + page, data, length) == 0 &&
		    get32(entry + 12) == journal_crc32c_table(0, data, length))
			return 1;
		page += (size + 4095) & ~UINT64_C(4095);
		if (page > whole)
			return 0;
	}
	return 0;
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
	struct atomicio_recovery recovery;
	uint32_t mode;

	if (size < 1 || size > sizeof(input))
		return 0;
	mode = data[0];
	input_size = size - 1;
	memcpy(input, data + 1, input_size);
	if (mode & FIX_CHECKSUMS)
		fix(mode);
	memcpy(memory.journal, input, input_size);
	memory.size = input_size;
	memory.home_write = see_home_write;
	memory.journal_write = see_journal_write;
	if (journal_open(&memory_sys, MEMORY_JOURNAL_FD, &journal) == 0) {
		int error = atomicio_journal_recover(journal, resolve, NULL, NULL, 0, &recovery,
						     sizeof(recovery));

		if (mode & RECOVER_TWICE)
			error = atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0);
		atomicio_journal_close(journal);
		/* What was recovered is recovered: the next open finds nothing. */
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
