/* SPDX-License-Identifier: MIT */
/*
 * Goal: the library and the command's own reader agree on any bytes, and recovery writes every page
 * of every live frame: no intact frame is lost in silence.
 *
 * Method: libFuzzer.  The library reads the bytes in memory, and the reader reads the same bytes
 * from a memfd.  Errors, state, place of damage, ends and the frames to be replayed are compared.
 * The library then recovers, and its home writes are counted against the reader's entries.
 * The first byte of the input is the byte of repair.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/journal_read.h"
#include "journal_internal.h"
#include "memory_sys.h"
#include "repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(claim)                                                                              \
	do {                                                                                       \
		if (!(claim))                                                                      \
			disagree(#claim);                                                          \
	} while (0)

static uint8_t input[MEMORY_SIZE];
static uint64_t input_size;
static uint64_t written;

/* AGREE_SAVE names a file for the repaired journal, which `atomicio journal dump` can read. */
static void disagree(const char *claim)
{
	const char *path = getenv("AGREE_SAVE");
	FILE *file = path ? fopen(path, "wb") : NULL;

	fprintf(stderr, "agree: not so: %s\n", claim);
	if (file) {
		fwrite(input, 1, input_size, file);
		fclose(file);
	}
	abort();
}

static void count_home_write(int fd, const void *data, uint64_t length, uint64_t offset)
{
	(void)fd;
	(void)data;
	(void)offset;
	written += length;
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return MEMORY_HOME_FD + (int)(file_id % 4);
}

static void compare_frames(const struct atomicio_journal *journal, const struct reader *reader)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < reader->count; i++) {
		const struct reader_frame *frame = &reader->frames[i];

		if (!frame->whole)
			continue;
		/* Only cut chains: the library has forgotten them. */
		if (reader->state == READER_STATE_READY) {
			DEMAND(frame->state == READER_ABORTED);
			continue;
		}
		DEMAND(at < journal->scan.count);
		DEMAND(journal->scan.found[at].sequence == frame->sequence);
		DEMAND(journal->scan.found[at].offset == frame->offset);
		DEMAND(journal->scan.found[at].length == frame->length);
		if (reader->state == READER_STATE_UNCLEAN)
			DEMAND(journal->scan.found[at].aborted == (frame->state == READER_ABORTED));
		at++;
	}
	DEMAND(at == journal->scan.count);
}

static void compare(const struct atomicio_journal *journal, const struct reader *reader)
{
	static const uint32_t states[] = {[READER_STATE_READY] = ATOMICIO_JOURNAL_READY,
					  [READER_STATE_UNCLEAN] = ATOMICIO_JOURNAL_UNCLEAN,
					  [READER_STATE_CORRUPT] = ATOMICIO_JOURNAL_CORRUPT,
					  [READER_STATE_UNREADABLE] =
						  ATOMICIO_JOURNAL_TAIL_UNREADABLE};

	DEMAND(journal->state == states[reader->state]);
	DEMAND(journal->corrupt_offset == reader->corrupt_offset);
	/* Where the numbers are in no order, there is no end. */
	if (reader->disordered)
		return;
	DEMAND(journal->head_offset == reader->head_offset);
	if (!(reader->header->flags & READER_CLEAN)) {
		DEMAND(journal->head_sequence == reader->head_sequence);
		DEMAND(journal->live_bytes == reader->live_bytes);
		compare_frames(journal, reader);
	}
}

/* Bytes that the reader says recovery has to write. */
static uint64_t expected(struct reader *reader)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < reader->count; i++) {
		const struct reader_frame *frame = &reader->frames[i];
		const uint8_t *bytes;
		uint64_t page = 0;

		if (frame->state != READER_LIVE)
			continue;
		DEMAND(reader_frame_bytes(reader, frame, &bytes) == 0);
		for (uint32_t j = 0; j < frame->count; j++) {
			struct reader_entry entry;

			reader_entry(reader, bytes, frame, j, &page, &entry);
			DEMAND(entry.page_whole);
			sum += entry.done ? 0 : entry.length;
		}
	}
	return sum;
}

static int replay(void *context, const struct atomicio_live_page *page)
{
	(void)context;
	(void)page;
	return ATOMICIO_CHOOSE_REPLAY;
}

/*
 * All files are there: nothing may be left out.  With a choice all versions of a page are written;
 * without one, at most those, and all are counted.
 */
static void recover(struct atomicio_journal *journal, struct reader *reader)
{
	const bool chosen = input[input_size / 2] & 1;
	const struct atomicio_recover_options options = {.flags = ATOMICIO_RECOVER_ANY_FILE,
							 .choose = chosen ? replay : NULL};
	const uint32_t state = journal->state;
	struct atomicio_recovery done = {.bytes = 0};
	int error;

	written = 0;
	memory.home_write = count_home_write;
	error = atomicio_journal_recover(journal, resolve, NULL, &options, sizeof(options), &done,
					 sizeof(done));
	memory.home_write = NULL;
	if (state != ATOMICIO_JOURNAL_UNCLEAN)
		DEMAND(written == 0 && (error || state == ATOMICIO_JOURNAL_READY));
	else
		DEMAND(error == 0 && done.bytes == expected(reader) &&
		       (chosen ? written == done.bytes : written <= done.bytes) &&
		       (written != 0) == (done.bytes != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct atomicio_journal *journal = NULL;
	static int fd = -1;
	struct reader reader;
	int error, reader_error;

	if (size < 1 || size - 1 > sizeof(input))
		return 0;
	if (fd < 0)
		fd = memfd_create("agree", MFD_CLOEXEC);
	input_size = size - 1;
	memcpy(input, data + 1, size - 1);
	repair(input, size - 1, data[0]);
	memcpy(memory.journal, input, size - 1);
	memory.size = size - 1;
	DEMAND(ftruncate(fd, 0) == 0);
	DEMAND(pwrite(fd, input, size - 1, 0) == (ssize_t)(size - 1));

	error = journal_open(&memory_sys, MEMORY_JOURNAL_FD, &journal);
	reader_error = reader_open(fd, &reader);
	if (!reader_error)
		reader_error = reader_scan(&reader);
	DEMAND(error == reader_error);
	if (!error) {
		compare(journal, &reader);
		recover(journal, &reader);
		atomicio_journal_close(journal);
	}
	reader_close(&reader);
	DEMAND(memory.blocks == 0);
	return 0;
}
