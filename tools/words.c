/* SPDX-License-Identifier: MIT */
/*
 * The words of the JSON output.  See words.h for the rules.
 */
#include "words.h"

#include <assert.h>
#include <fcntl.h>

#include <libatomicio/journal.h>

#include "bench.h"
#include "journal_read.h"

static_assert((int)WORD_WAYS == (int)BENCH_WAYS, "a word for each way");
static_assert((int)WORD_SHAPES == (int)WAYS_SHAPES, "a word for each shape");

const char *const word_evidence[WORD_EVIDENCE_COUNT] = {"statx", "queue", "blkid", "confirm",
							"disk"};
const char *const word_ways[WORD_WAYS] = {"kernel", "journal", "double-write", "unprotected"};
const char *const word_shapes[WORD_SHAPES] = {"page", "batch", "pages-sync"};

const char *const word_notes[WORD_NOTES] = {"first-header-damaged",
					    "second-header-damaged",
					    "ring-unreadable",
					    "unsettled",
					    "buffered",
					    "volatile",
					    "delegated",
					    "small"};

const char *const word_differences[WORD_DIFFERENCES] = {"filesystem", "inode", "birth"};

const char *word_file_type(bool block_device)
{
	return block_device ? "block-device" : "regular-file";
}

const char *word_access(int open_flags)
{
	switch (open_flags & O_ACCMODE) {
	case O_RDWR:
		return "read-write";
	case O_WRONLY:
		return "write-only";
	default:
		return "read-only";
	}
}

const char *word_file_mode(bool direct)
{
	return direct ? "direct" : "buffered";
}

const char *word_kernel_path(bool hardware)
{
	return hardware ? "hardware" : "filesystem";
}

const char *word_journal_state(uint32_t state)
{
	switch (state) {
	case ATOMICIO_JOURNAL_READY:
		return "ready";
	case ATOMICIO_JOURNAL_UNCLEAN:
		return "unclean";
	case ATOMICIO_JOURNAL_CORRUPT:
		return "corrupt";
	case ATOMICIO_JOURNAL_TAIL_UNREADABLE:
		return "tail-unreadable";
	default:
		return "poisoned";
	}
}

const char *word_match(int match)
{
	switch (match) {
	case WORD_MATCH_SAME:
		return "same";
	case WORD_MATCH_OTHER:
		return "other";
	default:
		return "unknown";
	}
}

const char *word_header_condition(int condition)
{
	static const char *const words[] = {[READER_HEADER_GOOD] = "good",
					    [READER_HEADER_ABSENT] = "absent",
					    [READER_HEADER_DAMAGED] = "damaged",
					    [READER_HEADER_VERSION] = "other-version",
					    [READER_HEADER_UNREADABLE] = "unreadable"};

	return words[condition];
}

const char *word_frame_state(int state)
{
	static const char *const words[] = {[READER_LIVE] = "live",
					    [READER_TORN] = "torn",
					    [READER_BEYOND] = "beyond-damage",
					    [READER_ABORTED] = "aborted"};

	return words[state];
}

const char *word_reader_state(int state)
{
	static const uint32_t states[] = {[READER_STATE_READY] = ATOMICIO_JOURNAL_READY,
					  [READER_STATE_UNCLEAN] = ATOMICIO_JOURNAL_UNCLEAN,
					  [READER_STATE_CORRUPT] = ATOMICIO_JOURNAL_CORRUPT,
					  [READER_STATE_UNREADABLE] =
						  ATOMICIO_JOURNAL_TAIL_UNREADABLE};

	return word_journal_state(states[state]);
}
