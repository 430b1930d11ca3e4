/* SPDX-License-Identifier: MIT */
/*
 * Make journals that no program of ours leaves behind: holes, chains, escapes, done files.
 *
 * Flow: `journal_craft JOURNAL CASE` for journal_craft.sh lays a journal of 256 KiB out in the
 * file, with the library's encoder, for the command's own reader.  Each frame has one page of 5000
 * bytes of 'a', 'b', ... at 0 in file 1, and one page at 8192 in file 2.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "journal_crc.h"
#include "journal_format.h"

#define SIZE (256u << 10)
#define PAGE 5000u
#define FRAME (JOURNAL_BLOCK + 2 * 8192u)

static uint8_t bytes[SIZE];
static struct journal_header header = {
	.id = "craft",
	.size = SIZE,
	.frame_max = 64u << 10,
	.generation = 5,
	.tail_offset = JOURNAL_RING_START,
	.tail_sequence = 7,
	.head_offset = JOURNAL_RING_START,
	.head_sequence = 7,
};
static uint64_t at = JOURNAL_RING_START;

/* A frame's first block, which lies where a first page of the first frame lies. */
static uint8_t forged[JOURNAL_BLOCK];

/* One frame at `at` that claims `place`; its first page may be a forged frame. */
static void put_at(const struct journal_frame *like, uint64_t place, const uint8_t *first,
		   uint32_t escape)
{
	struct journal_frame frame = *like;
	uint8_t *out = bytes + at;

	frame.offset = place;
	frame.files = frame.count = 2;
	frame.length = FRAME;
	frame.header_length = JOURNAL_BLOCK;
	if (!frame.chain_first)
		frame.chain_first = frame.sequence;
	for (uint32_t i = 0; i < 2; i++) {
		const struct journal_identity file = {
			.file_id = i + 1, .inode = 11 * (i + 1), .known = JOURNAL_KNOWS_INODE};
		uint8_t row[JOURNAL_FILE_SIZE];
		uint8_t *page = out + JOURNAL_BLOCK + (size_t)i * 8192;
		struct journal_entry entry = {
			.offset = (uint64_t)i * 8192, .length = PAGE, .file = i};

		memset(page, 'a' + (int)(frame.sequence % 26), PAGE);
		if (first && i == 0)
			memcpy(page, first, JOURNAL_BLOCK);
		entry.crc = journal_crc32c(0, page, PAGE);
		entry.escape = i ? 0 : escape;
		journal_escape(page, 8192, entry.escape);
		journal_encode_file(row, &file);
		journal_put_row(out, i, row);
		journal_put_entry(out, 2, i, &entry);
	}
	journal_encode_frame(out, header.id, &frame);
	at += FRAME;
}

static void put(const struct journal_frame *frame)
{
	put_at(frame, at, NULL, 0);
}

/* With a number and a claim that would make a clean journal corrupt. */
static void forge(uint64_t place)
{
	const struct journal_frame frame = {.sequence = 99, .durable_to = 90};
	const uint64_t back = at;

	put_at(&frame, place, NULL, 0);
	memcpy(forged, bytes + back, sizeof(forged));
	memset(bytes + back, 0, FRAME);
	at = back;
}

static void put_case(const char *name)
{
	const struct journal_frame first = {.sequence = 7, .durable_to = 7};
	struct journal_frame chain = {
		.sequence = 8, .durable_to = 8, .chain_first = 8, .flags = JOURNAL_CHAIN};
	struct journal_frame ninth = {.sequence = 9, .durable_to = 8};

	if (!strcmp(name, "inside") || !strcmp(name, "escape")) {
		forge(at + JOURNAL_BLOCK);
		put_at(&first, at, forged, !strcmp(name, "escape") ? 0x5a5a5a5a : 0);
	} else if (!strcmp(name, "bare")) { /* the same, outside any whole frame */
		forge(at);
		memcpy(bytes + at, forged, sizeof(forged));
	} else {
		put(&first);
	}
	if (!strcmp(name, "hole")) { /* 8 was in flight, and 9 acknowledged */
		put(&ninth);
	} else if (!strcmp(name, "void")) { /* 8 was given up, and 9 says so */
		ninth.durable_to = 9;
		ninth.void_first = 8;
		ninth.void_count = 1;
		put(&ninth);
	} else if (!strcmp(name, "lost")) { /* 8 was durable */
		ninth.durable_to = 9;
		put(&ninth);
	} else if (!strncmp(name, "chain", 5)) {
		put(&chain);
		chain.sequence = 9;
		chain.chain_index = 1;
		chain.flags |= JOURNAL_LAST;
		if (strcmp(name, "chain-cut") != 0)
			put(&chain);
		ninth.sequence = 10;
		put(&ninth);
	} else if (!strcmp(name, "done")) {
		header.done_count = 1;
		header.done[0] = (struct journal_done){.file_id = 2, .up_to = 8};
	} else if (!strcmp(name, "padding")) { /* torn over an older frame, in its last bytes */
		bytes[at - 1] = 1;
	} else if (!strcmp(name, "clean")) { /* the frame is a retired one */
		header.flags = JOURNAL_CLEAN;
		header.tail_offset = header.head_offset = at;
		header.tail_sequence = header.head_sequence = 8;
	}
}

int main(int argc, char **argv)
{
	const int fd = argc == 3 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return 2;
	put_case(argv[2]);
	journal_encode_header(bytes, &header);
	journal_encode_header(bytes + JOURNAL_BLOCK, &header);
	return write(fd, bytes, SIZE) == SIZE ? 0 : 1;
}
