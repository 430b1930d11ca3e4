/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal dump: print the headers, the live frames, and what is wrong behind them.
 *
 * Flow: called by journal.c; walks the journal with the second reader, twice, because an answer
 * is printed only if all of it can be had.
 */
#include "journal.h"

#include <string.h>

#include "journal_read.h"
#include "json.h"
#include "tool.h"
#include "words.h"

struct dump {
	const struct journal_request *request;
	struct json json;
};

static int visit_nothing(void *context, struct reader *reader, const struct reader_frame *frame)
{
	(void)context;
	(void)reader;
	(void)frame;
	return 0;
}

static int visit_text(void *context, struct reader *reader, const struct reader_frame *frame)
{
	(void)context;
	printf("frame %llu at %llu: %s, %u entries, %u bytes, header of %u\n",
	       (unsigned long long)frame->sequence, (unsigned long long)frame->offset,
	       word_frame_state(frame->state), frame->count, frame->length, frame->header_length);
	for (uint32_t i = 0; frame->entries_whole && i < frame->count; i++) {
		struct reader_entry entry;

		reader_entry(reader, frame, i, &entry);
		printf("  file %llu: %u bytes at %llu, crc %08x%s\n",
		       (unsigned long long)entry.file_id, entry.length,
		       (unsigned long long)entry.offset, entry.crc,
		       entry.page_whole ? "" : ", not those bytes");
	}
	return 0;
}

static int visit_json(void *context, struct reader *reader, const struct reader_frame *frame)
{
	struct json *json = &((struct dump *)context)->json;

	json_begin(json, NULL, '{');
	json_unsigned(json, "sequence", frame->sequence);
	json_unsigned(json, "offset", frame->offset);
	json_string(json, "state", word_frame_state(frame->state));
	json_unsigned(json, "length", frame->length);
	json_unsigned(json, "header_length", frame->header_length);
	json_begin(json, "entries", '[');
	for (uint32_t i = 0; frame->entries_whole && i < frame->count; i++) {
		struct reader_entry entry;

		reader_entry(reader, frame, i, &entry);
		json_begin(json, NULL, '{');
		json_hex(json, "file_id", entry.file_id);
		json_unsigned(json, "offset", entry.offset);
		json_unsigned(json, "length", entry.length);
		json_hex(json, "crc", entry.crc);
		json_bool(json, "whole", entry.page_whole);
		json_end(json, '}');
	}
	json_end(json, ']');
	json_end(json, '}');
	return 0;
}

static int put_json(struct dump *dump, struct reader *reader)
{
	struct json *json = &dump->json;
	int error;

	json->out = stdout;
	json_begin(json, NULL, '{');
	json_string(json, "path", dump->request->path);
	json_begin(json, "headers", '[');
	for (int i = 0; i < 2; i++) {
		const struct reader_header *header = &reader->headers[i];
		char id[33];

		journal_id_text(header->id, id);
		json_begin(json, NULL, '{');
		json_string(json, "condition", word_header_condition(header->condition));
		if (header->condition == READER_HEADER_GOOD) {
			json_bool(json, "current", i == reader->current);
			json_unsigned(json, "version", header->version);
			json_string(json, "id", id);
			json_unsigned(json, "size", header->size);
			json_unsigned(json, "frame_max", header->frame_max);
			json_unsigned(json, "generation", header->generation);
			json_unsigned(json, "tail_offset", header->tail_offset);
			json_unsigned(json, "tail_sequence", header->tail_sequence);
		}
		json_end(json, '}');
	}
	json_end(json, ']');
	json_begin(json, "frames", '[');
	error = reader_walk(reader, visit_json, dump);
	json_end(json, ']');
	json_end(json, '}');
	return error;
}

static int put_text(struct dump *dump, struct reader *reader)
{
	for (int i = 0; i < 2; i++) {
		const struct reader_header *header = &reader->headers[i];
		char id[33];

		journal_id_text(header->id, id);
		if (header->condition != READER_HEADER_GOOD)
			printf("header %d: %s\n", i, word_header_condition(header->condition));
		else
			printf("header %d: good%s, journal %s, size %llu, frame-max %u, generation "
			       "%llu, tail: frame %llu at %llu\n",
			       i, i == reader->current ? ", current" : "", id,
			       (unsigned long long)header->size, header->frame_max,
			       (unsigned long long)header->generation,
			       (unsigned long long)header->tail_sequence,
			       (unsigned long long)header->tail_offset);
	}
	return reader_walk(reader, visit_text, dump);
}

int action_dump(const struct journal_request *request)
{
	struct dump dump = {.request = request};
	char sentence[TARGET_SENTENCE_SIZE];
	struct target target;
	struct reader reader;
	uint64_t beyond = 0;
	int error;

	error = target_open(request->path, TARGET_FOR_PROBE, &target, sentence, sizeof(sentence));
	if (error)
		return tool_error("%s: %s", request->safe, sentence);
	if (target.temporary) {
		target_close(&target);
		return tool_error("%s: is a directory: name a file in it", request->safe);
	}
	error = reader_open(target.fd, &reader);
	if (!error)
		error = reader_walk(&reader, visit_nothing, NULL);
	if (!error) {
		reader.live = reader.torn = reader.beyond = 0;
		error = request->json ? put_json(&dump, &reader) : put_text(&dump, &reader);
		beyond = reader.beyond;
	}
	reader_close(&reader);
	target_close(&target);
	if (error)
		return journal_open_error(request, error);
	if (beyond) {
		tool_error("%s: corrupt: frame %llu, which should be at %llu, is damaged, and a "
			   "later one is whole",
			   request->safe, (unsigned long long)reader.head_sequence,
			   (unsigned long long)reader.head_offset);
		return TOOL_CORRUPT;
	}
	return TOOL_YES;
}
