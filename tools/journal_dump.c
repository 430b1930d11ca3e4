/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal dump: print the headers, the frames, and their faults.
 *
 * Flow: called by journal.c; reads the whole journal with the second reader before printing,
 * because only a complete answer is printed.
 */
#include "journal_dump.h"

#include <inttypes.h>
#include <string.h>

#include "tool.h"
#include "words.h"

static void put_header(const struct reader *reader, int i)
{
	const struct reader_header *header = &reader->headers[i];
	char id[33];

	if (header->condition != READER_HEADER_GOOD) {
		printf("header %d: %s\n", i, word_header_condition(header->condition));
		return;
	}
	journal_id_text(header->id, id);
	printf("header %d: good%s%s, journal %s, size %" PRIu64 ", frame-max %" PRIu32
	       ", generation %" PRIu64 ", tail: frame %" PRIu64 " at %" PRIu64
	       ", head: frame %" PRIu64 " at %" PRIu64 "\n",
	       i, header == reader->header ? ", current" : "",
	       header->flags & READER_CLEAN ? ", clean" : "", id, header->size, header->frame_max,
	       header->generation, header->tail_sequence, header->tail_offset,
	       header->head_sequence, header->head_offset);
	for (uint32_t row = 0; row < header->done_count; row++)
		printf("  file %" PRIu64 ": done up to frame %" PRIu64 "\n",
		       header->done[row].file_id, header->done[row].up_to);
}

static void put_file(const struct reader_file *file)
{
	char uuid[DUMP_UUID_SIZE], birth[DUMP_BIRTH_SIZE], tag[33];

	printf("  file %" PRIu64 " is", file->file_id);
	if (dump_uuid(file, uuid))
		printf(" on filesystem %s", uuid);
	if (file->known & READER_KNOWS_INODE)
		printf(" inode %" PRIu64, file->inode);
	if (dump_birth(file, birth))
		printf(" born %s", birth);
	journal_id_text(file->tag, tag);
	if (file->known & READER_KNOWS_TAG)
		printf(" tag %s", tag);
	puts(file->known ? "" : " not known");
}

static int put_frame(struct reader *reader, const struct reader_frame *frame)
{
	const uint8_t *bytes;
	const int error = reader_frame_bytes(reader, frame, &bytes);
	uint64_t page = 0;

	if (error)
		return error;
	printf("frame %" PRIu64 " at %" PRIu64 ": %s, %" PRIu32 " entries, %" PRIu32
	       " bytes, header of %" PRIu32 ", all before %" PRIu64 " durable",
	       frame->sequence, frame->offset, word_frame_state(frame->state), frame->count,
	       frame->length, frame->header_length, frame->durable_to);
	if (frame->flags & READER_CHAIN)
		printf(", of the chain from %" PRIu64 "%s", frame->chain_first,
		       frame->flags & READER_LAST ? ", its last" : "");
	if (frame->flags & READER_CARRY)
		printf(", carried");
	if (frame->void_count)
		printf(", no frame has %" PRIu32 " numbers from %" PRIu64, frame->void_count,
		       frame->void_first);
	puts("");
	for (uint32_t i = 0; frame->header_whole && i < frame->files; i++) {
		struct reader_file file;

		reader_file(bytes, i, &file);
		put_file(&file);
	}
	for (uint32_t i = 0; frame->header_whole && i < frame->count; i++) {
		struct reader_entry entry;

		reader_entry(reader, bytes, frame, i, &page, &entry);
		printf("  file %" PRIu64 ": %" PRIu32 " bytes at %" PRIu64 ", crc %08" PRIx32
		       "%s%s%s\n",
		       entry.file.file_id, entry.length, entry.offset, entry.crc,
		       entry.escape ? ", escaped" : "", entry.done ? ", home already" : "",
		       entry.page_whole ? "" : ", not those bytes");
	}
	return 0;
}

static int put_text(struct reader *reader)
{
	int error = 0;

	put_header(reader, 0);
	put_header(reader, 1);
	for (uint32_t i = 0; i < reader->unreadable_count; i++)
		printf("%" PRIu64 " bytes at %" PRIu64 " cannot be read\n",
		       reader->unreadable[i].length, reader->unreadable[i].offset);
	for (uint32_t i = 0; i < reader->count && !error; i++)
		error = put_frame(reader, &reader->frames[i]);
	return error;
}

/* The faults, at the end. */
static int conclude(const struct journal_request *request, const struct reader *reader)
{
	if (reader->state == READER_STATE_UNREADABLE)
		return journal_unreadable_error(request, reader->corrupt_offset);
	if (reader->state != READER_STATE_CORRUPT)
		return TOOL_YES;
	if (reader->disordered)
		tool_error("%s: corrupt: the order of the frames is impossible", request->safe);
	else
		tool_error("%s: corrupt: frame %" PRIu64 ", which should be at %" PRIu64
			   ", was durable and is lost",
			   request->safe, reader->lost_sequence, reader->corrupt_offset);
	return TOOL_CORRUPT;
}

int action_dump(const struct journal_request *request)
{
	char sentence[TARGET_SENTENCE_SIZE];
	struct target target;
	struct reader reader;
	int error, status;

	error = target_open(request->path, TARGET_FOR_PROBE, &target, sentence, sizeof(sentence));
	if (error)
		return tool_error("%s: %s", request->safe, sentence);
	if (target.temporary) {
		target_close(&target);
		return tool_error("%s: is a directory: name a file in it", request->safe);
	}
	error = reader_open(target.fd, &reader);
	if (!error)
		error = reader_scan(&reader);
	if (!error)
		error = request->json ? dump_put_json(request, &reader) : put_text(&reader);
	status = error ? journal_open_error(request, error) : conclude(request, &reader);
	reader_close(&reader);
	target_close(&target);
	return status;
}
