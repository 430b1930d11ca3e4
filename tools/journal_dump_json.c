/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal dump --json.
 *
 * Flow: called by journal_dump.c when the journal has been read.
 */
#include "journal_dump.h"

#include <inttypes.h>
#include <stdio.h>

#include "json.h"
#include "words.h"

const char *dump_uuid(const struct reader_file *file, char text[DUMP_UUID_SIZE])
{
	char *at = text;

	if (!(file->known & READER_KNOWS_FS))
		return NULL;
	for (int i = 0; i < 16; i++)
		at += snprintf(at, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			       file->fs_uuid[i]);
	return text;
}

const char *dump_birth(const struct reader_file *file, char text[DUMP_BIRTH_SIZE])
{
	if (!(file->known & READER_KNOWS_BIRTH))
		return NULL;
	snprintf(text, DUMP_BIRTH_SIZE, "%" PRId64 ".%09" PRIu32, file->birth_seconds,
		 file->birth_nanoseconds);
	return text;
}

static void put_header(struct json *json, const struct reader *reader, int i)
{
	const struct reader_header *header = &reader->headers[i];
	char id[33];

	json_begin(json, NULL, '{');
	json_string(json, "condition", word_header_condition(header->condition));
	if (header->condition == READER_HEADER_GOOD) {
		journal_id_text(header->id, id);
		json_bool(json, "current", header == reader->header);
		json_unsigned(json, "version", header->version);
		json_string(json, "id", id);
		json_unsigned(json, "size", header->size);
		json_unsigned(json, "frame_max", header->frame_max);
		json_bool(json, "clean", header->flags & READER_CLEAN);
		json_unsigned(json, "generation", header->generation);
		json_unsigned(json, "tail_offset", header->tail_offset);
		json_unsigned(json, "tail_sequence", header->tail_sequence);
		json_unsigned(json, "head_offset", header->head_offset);
		json_unsigned(json, "head_sequence", header->head_sequence);
		json_begin(json, "done", '[');
		for (uint32_t row = 0; row < header->done_count; row++) {
			json_begin(json, NULL, '{');
			json_hex(json, "file_id", header->done[row].file_id);
			json_unsigned(json, "up_to", header->done[row].up_to);
			json_end(json, '}');
		}
		json_end(json, ']');
	}
	json_end(json, '}');
}

static void put_file(struct json *json, const struct reader_file *file)
{
	char uuid[DUMP_UUID_SIZE], birth[DUMP_BIRTH_SIZE], tag[33];

	json_begin(json, NULL, '{');
	json_hex(json, "file_id", file->file_id);
	json_string(json, "filesystem", dump_uuid(file, uuid));
	if (file->known & READER_KNOWS_INODE)
		json_unsigned(json, "inode", file->inode);
	else
		json_null(json, "inode");
	json_string(json, "birth", dump_birth(file, birth));
	journal_id_text(file->tag, tag);
	json_string(json, "tag", file->known & READER_KNOWS_TAG ? tag : NULL);
	json_end(json, '}');
}

static void put_entries(struct json *json, const struct reader *reader,
			const struct reader_frame *frame, const uint8_t *bytes)
{
	uint64_t page = 0;

	json_begin(json, "files", '[');
	for (uint32_t i = 0; frame->header_whole && i < frame->files; i++) {
		struct reader_file file;

		reader_file(bytes, i, &file);
		put_file(json, &file);
	}
	json_end(json, ']');
	json_begin(json, "entries", '[');
	for (uint32_t i = 0; frame->header_whole && i < frame->count; i++) {
		struct reader_entry entry;

		reader_entry(reader, bytes, frame, i, &page, &entry);
		json_begin(json, NULL, '{');
		json_hex(json, "file_id", entry.file.file_id);
		json_unsigned(json, "offset", entry.offset);
		json_unsigned(json, "length", entry.length);
		json_hex(json, "crc", entry.crc);
		json_bool(json, "escaped", entry.escape != 0);
		json_bool(json, "whole", entry.page_whole);
		json_bool(json, "done", entry.done);
		json_end(json, '}');
	}
	json_end(json, ']');
}

static int put_frame(struct json *json, struct reader *reader, const struct reader_frame *frame)
{
	const uint8_t *bytes;
	const int error = reader_frame_bytes(reader, frame, &bytes);

	if (error)
		return error;
	json_begin(json, NULL, '{');
	json_unsigned(json, "sequence", frame->sequence);
	json_unsigned(json, "offset", frame->offset);
	json_string(json, "state", word_frame_state(frame->state));
	json_unsigned(json, "length", frame->length);
	json_unsigned(json, "header_length", frame->header_length);
	json_unsigned(json, "durable_to", frame->durable_to);
	if (frame->flags & READER_CHAIN)
		json_unsigned(json, "chain_first", frame->chain_first);
	else
		json_null(json, "chain_first");
	json_bool(json, "chain_last", frame->flags & READER_LAST);
	json_bool(json, "carry", frame->flags & READER_CARRY);
	json_unsigned(json, "void_first", frame->void_first);
	json_unsigned(json, "void_count", frame->void_count);
	put_entries(json, reader, frame, bytes);
	json_end(json, '}');
	return 0;
}

/* A number that exists in one state only. */
static void put_if(struct json *json, const char *key, bool there, uint64_t value)
{
	if (there)
		json_unsigned(json, key, value);
	else
		json_null(json, key);
}

int dump_put_json(const struct journal_request *request, struct reader *reader)
{
	struct json json = {.out = stdout};
	int error = 0;

	json_begin(&json, NULL, '{');
	json_string(&json, "path", request->path);
	json_string(&json, "state", word_reader_state(reader->state));
	put_if(&json, "corrupt_offset", reader->corrupt_offset, reader->corrupt_offset);
	put_if(&json, "lost_sequence", reader->state == READER_STATE_CORRUPT && !reader->disordered,
	       reader->lost_sequence);
	json_begin(&json, "headers", '[');
	put_header(&json, reader, 0);
	put_header(&json, reader, 1);
	json_end(&json, ']');
	json_bool(&json, "headers_equal", reader->equal);
	json_unsigned(&json, "head_offset", reader->head_offset);
	json_unsigned(&json, "head_sequence", reader->head_sequence);
	json_unsigned(&json, "live_bytes", reader->live_bytes);
	json_begin(&json, "unreadable", '[');
	for (uint32_t i = 0; i < reader->unreadable_count; i++) {
		json_begin(&json, NULL, '{');
		json_unsigned(&json, "offset", reader->unreadable[i].offset);
		json_unsigned(&json, "length", reader->unreadable[i].length);
		json_end(&json, '}');
	}
	json_end(&json, ']');
	json_begin(&json, "frames", '[');
	for (uint32_t i = 0; i < reader->count && !error; i++)
		error = put_frame(&json, reader, &reader->frames[i]);
	json_end(&json, ']');
	json_end(&json, '}');
	return error;
}
