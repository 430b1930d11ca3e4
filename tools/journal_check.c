/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal info and check, and the common work of all actions with the library.
 *
 * Flow: called by journal.c.
 */
#include "journal.h"

#include <errno.h>
#include <string.h>

#include "json.h"
#include "tool.h"
#include "volatile.h"
#include "words.h"

void journal_id_text(const uint8_t id[16], char text[33])
{
	for (size_t i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
}

/* The sentence for an error of atomicio_journal_open(), or of reading a journal. */
int journal_open_error(const struct journal_request *request, int error)
{
	const char *path = request->safe;

	switch (error) {
	case -EBUSY:
		tool_error("%s: the journal is in use by another process: first stop that process, "
			   "or type atomicio journal dump %s, which only reads",
			   path, path);
		return TOOL_BUSY;
	case -ENODATA:
		return tool_error("%s: this file holds no journal: type atomicio journal create "
				  "PATH to make one",
				  path);
	case -EPROTONOSUPPORT:
		return tool_error("%s: the journal has a format version that this program does not "
				  "know: use the release of libatomicio that made it",
				  path);
	case -EBADMSG:
		tool_error("%s: both headers of the journal are damaged: restore the journal's "
			   "files from a copy, then type atomicio journal create --overwrite %s",
			   path, path);
		return TOOL_CORRUPT;
	case -ERANGE:
		tool_error("%s: the file is shorter than the journal in it: restore the whole file",
			   path);
		return TOOL_CORRUPT;
	case -EBADF:
		return tool_error("%s: the journal cannot be opened for reading and writing: check "
				  "the permissions with ls -l",
				  path);
	default:
		return tool_error("%s: the journal cannot be read: %s: check the disk with dmesg",
				  path, strerror(-error));
	}
}

/* Where an acknowledged frame may be, the disk does not read. */
int journal_unreadable_error(const struct journal_request *request, uint64_t offset)
{
	tool_error("%s: the disk cannot read the journal at %llu, where an acknowledged frame may "
		   "be: repair the disk and try again, or type atomicio journal recover "
		   "--unreadable to give up that part",
		   request->safe, (unsigned long long)offset);
	return TOOL_CORRUPT;
}

int journal_open_named(const struct journal_request *request, struct journal_opened *opened)
{
	char sentence[TARGET_SENTENCE_SIZE];
	int error;

	error = target_open(request->path, TARGET_FOR_WRITE, &opened->target, sentence,
			    sizeof(sentence));
	if (error == -ENOENT)
		return tool_error("%s: %s: check the path with ls -l, or type atomicio journal "
				  "create %s",
				  request->safe, strerror(ENOENT), request->safe);
	if (error)
		return tool_error("%s: %s", request->safe, sentence);
	error = atomicio_journal_open(opened->target.fd, NULL, 0, &opened->journal);
	if (!error) {
		error = atomicio_journal_get_info(opened->journal, &opened->info,
						  sizeof(opened->info));
		if (!error && volatile_why(opened->target.fd))
			opened->info.notes |= ATOMICIO_JOURNAL_NOTE_VOLATILE;
		if (error)
			atomicio_journal_close(opened->journal);
	}
	if (!error)
		return TOOL_YES;
	target_close(&opened->target);
	return journal_open_error(request, error);
}

void journal_close_named(struct journal_opened *opened)
{
	atomicio_journal_close(opened->journal);
	target_close(&opened->target);
}

void journal_put_json(const struct journal_request *request,
		      const struct atomicio_journal_info *info)
{
	struct json json = {.out = stdout};
	char id[33];

	journal_id_text(info->id, id);
	json_begin(&json, NULL, '{');
	json_string(&json, "path", request->path);
	json_string(&json, "state", word_journal_state(info->state));
	json_unsigned(&json, "version", info->version);
	json_string(&json, "id", id);
	json_unsigned(&json, "size", info->size);
	json_unsigned(&json, "block_size", info->block_size);
	json_unsigned(&json, "frame_max", info->frame_max);
	json_unsigned(&json, "memory", info->memory);
	json_unsigned(&json, "tail_offset", info->tail_offset);
	json_unsigned(&json, "tail_sequence", info->tail_sequence);
	json_unsigned(&json, "head_offset", info->head_offset);
	json_unsigned(&json, "head_sequence", info->head_sequence);
	json_unsigned(&json, "live_frames", info->live_frames);
	json_unsigned(&json, "live_bytes", info->live_bytes);
	if (info->corrupt_offset)
		json_unsigned(&json, "corrupt_offset", info->corrupt_offset);
	else
		json_null(&json, "corrupt_offset");
	json_unsigned(&json, "unreadable_blocks", info->unreadable);
	json_begin(&json, "notes", '[');
	for (unsigned i = 0; i < WORD_NOTES; i++)
		if (info->notes & 1u << i)
			json_string(&json, NULL, word_notes[i]);
	json_end(&json, ']');
	json_end(&json, '}');
}

/* Remarks for people, a line each. */
static void put_notes(const struct atomicio_journal_info *info)
{
	static const char *const texts[WORD_NOTES] = {
		"the other header holds the same, and this header is written again before the next "
		"frame; if the damage comes back, the disk is failing",
		"the other header holds the same, and this header is written again before the next "
		"frame; if the damage comes back, the disk is failing",
		"a part of the journal cannot be read; no frame lies there, and the next program "
		"puts none there",
		NULL, /* always set in a journal just opened */
		"the journal cannot be opened with O_DIRECT: frames go through the page cache",
		"nothing here survives a crash of the machine: the journal protects from killed "
		"programs alone",
		"the filesystem leaves syncs to a server: frames are durable if the server keeps "
		"its word",
		"the journal holds fewer than six of its largest frames, and keeps no room for "
		"failed files: one failed file stops all writes; make the journal larger, or its "
		"frames smaller"};

	for (unsigned i = 0; i < WORD_NOTES; i++)
		if (info->notes & 1u << i && texts[i])
			printf("  %s: %s\n", word_notes[i], texts[i]);
}

static void put_info(const struct journal_request *request,
		     const struct atomicio_journal_info *info)
{
	char id[33], size[32], frame_max[32], memory[32];

	journal_id_text(info->id, id);
	text_size(info->size, size, sizeof(size));
	text_size(info->frame_max, frame_max, sizeof(frame_max));
	text_size(info->memory & ~UINT64_C(4095), memory, sizeof(memory));
	printf("%s: a journal of %s, frames of up to %s, format version %u\n", request->safe, size,
	       frame_max, info->version);
	printf("  id     %s\n  state  %s\n", id, word_journal_state(info->state));
	printf("  tail   frame %llu at %llu\n  head   frame %llu at %llu\n",
	       (unsigned long long)info->tail_sequence, (unsigned long long)info->tail_offset,
	       (unsigned long long)info->head_sequence, (unsigned long long)info->head_offset);
	printf("  live   %llu frames, %llu bytes\n", (unsigned long long)info->live_frames,
	       (unsigned long long)info->live_bytes);
	printf("  memory %s, by default, of a process that writes\n", memory);
	put_notes(info);
}

int action_info(const struct journal_request *request)
{
	struct journal_opened opened;
	const int status = journal_open_named(request, &opened);

	if (status)
		return status;
	if (request->json)
		journal_put_json(request, &opened.info);
	else
		put_info(request, &opened.info);
	journal_close_named(&opened);
	return TOOL_YES;
}

int action_check(const struct journal_request *request)
{
	struct journal_opened opened;
	const int status = journal_open_named(request, &opened);
	const struct atomicio_journal_info *info = &opened.info;

	if (status)
		return status;
	journal_close_named(&opened);
	if (request->json)
		journal_put_json(request, info);
	if (info->state == ATOMICIO_JOURNAL_CORRUPT) {
		tool_error("%s: corrupt: the durable frame at %llu is lost: type atomicio journal "
			   "dump %s to see the files of the journal, and restore them",
			   request->safe, (unsigned long long)info->corrupt_offset, request->safe);
		return TOOL_CORRUPT;
	}
	if (info->state == ATOMICIO_JOURNAL_TAIL_UNREADABLE)
		return journal_unreadable_error(request, info->corrupt_offset);
	if (request->json)
		return info->live_frames ? TOOL_NO : TOOL_YES;
	if (info->live_frames)
		printf("%s: unclean: %llu live frames: type atomicio journal recover %s "
		       "ID=FILE...\n",
		       request->safe, (unsigned long long)info->live_frames, request->safe);
	else
		printf("%s: ready: nothing to recover\n", request->safe);
	put_notes(info);
	return info->live_frames ? TOOL_NO : TOOL_YES;
}
