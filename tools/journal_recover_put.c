/* SPDX-License-Identifier: MIT */
/*
 * The results of a recovery, as text or JSON.
 *
 * Flow: called last by journal_recover.c.
 */
#include "journal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "tool.h"
#include "words.h"

/* "inode, birth": the differing marks. */
static const char *differences(uint32_t differs, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (unsigned i = 0; i < WORD_DIFFERENCES; i++)
		if (differs & 1u << i && used < size)
			used += (size_t)snprintf(buffer + used, size - used, "%s%s",
						 used ? ", " : "", word_differences[i]);
	return buffer;
}

static void put_json_file(struct json *json, const struct journal_file_name *file)
{
	const struct atomicio_recovered_file *fate = &file->fate;

	json_begin(json, NULL, '{');
	json_hex(json, "file_id", file->file_id);
	json_string(json, "path", file->path);
	json_unsigned(json, "pages", fate->pages);
	json_unsigned(json, "pages_skipped", fate->pages_skipped);
	json_string(json, "error", fate->result ? text_errno(-fate->result) : NULL);
	json_begin(json, "differs", '[');
	for (unsigned i = 0; i < WORD_DIFFERENCES; i++)
		if (fate->differs & 1u << i)
			json_string(json, NULL, word_differences[i]);
	json_end(json, ']');
	json_bool(json, "compared", !(fate->differs & ATOMICIO_DIFFERS_UNKNOWN));
	json_bool(json, "verified", !fate->unverified);
	json_bool(json, "linked", fate->linked);
	json_end(json, '}');
}

static void put_json(const struct journal_request *request,
		     const struct atomicio_recovery *recovery)
{
	struct json json = {.out = stdout};

	json_begin(&json, NULL, '{');
	json_string(&json, "path", request->path);
	json_unsigned(&json, "frames", recovery->frames);
	json_unsigned(&json, "pages", recovery->pages);
	json_unsigned(&json, "bytes", recovery->bytes);
	json_unsigned(&json, "pages_skipped", recovery->pages_skipped);
	json_unsigned(&json, "files", recovery->files);
	json_unsigned(&json, "files_gone", recovery->files_gone);
	json_unsigned(&json, "files_failed", recovery->files_failed);
	json_unsigned(&json, "files_unverified", recovery->files_unverified);
	json_bool(&json, "tail_torn", recovery->tail_torn);
	json_begin(&json, "results", '[');
	for (unsigned i = 0; i < request->file_count; i++)
		if (request->files[i].told)
			put_json_file(&json, &request->files[i]);
	json_end(&json, ']');
	json_end(&json, '}');
}

/* A line for each file with a remark. */
static void put_file(const struct journal_file_name *file)
{
	const struct atomicio_recovered_file *fate = &file->fate;
	char safe[TEXT_PATH_SIZE], what[64];

	if (!file->path)
		return;
	text_path(file->path, safe, sizeof(safe));
	if (fate->result == -ESTALE)
		printf("  file %" PRIu64 ", %s: not recovered: not the file of the frames (%s)\n",
		       file->file_id, safe, differences(fate->differs, what, sizeof(what)));
	else if (fate->result)
		printf("  file %" PRIu64 ", %s: left: %s\n", file->file_id, safe,
		       strerror(-fate->result));
	if (fate->result)
		return;
	if (fate->linked)
		printf("  file %" PRIu64 ", %s: in one group with a file that is not recovered\n",
		       file->file_id, safe);
	if (fate->differs & ATOMICIO_DIFFERS_UNKNOWN)
		printf("  file %" PRIu64
		       ", %s: no mark shows whether this is the file of the frames\n",
		       file->file_id, safe);
	if (fate->unverified)
		printf("  file %" PRIu64
		       ", %s: synced, but the disk's bytes could not be read back\n",
		       file->file_id, safe);
}

static void put_text(const struct journal_request *request,
		     const struct atomicio_recovery *recovery)
{
	if (!recovery->frames)
		printf("%s: nothing to recover", request->safe);
	else
		printf("%s: recovered %llu frames: %llu pages, %llu bytes, in %llu files",
		       request->safe, (unsigned long long)recovery->frames,
		       (unsigned long long)recovery->pages, (unsigned long long)recovery->bytes,
		       (unsigned long long)recovery->files);
	if (recovery->pages_skipped)
		printf("; left out %llu pages", (unsigned long long)recovery->pages_skipped);
	if (recovery->files_gone)
		printf("; %llu files are gone", (unsigned long long)recovery->files_gone);
	puts(recovery->tail_torn ? "; a last frame that never became durable was ignored" : "");
	for (unsigned i = 0; i < request->file_count; i++)
		if (request->files[i].told)
			put_file(&request->files[i]);
}

/* Files are left: the first failed file, and the remedy. */
static int put_left(const struct journal_request *request, const struct atomicio_recovery *recovery,
		    int error)
{
	for (unsigned i = 0; i < request->file_count; i++)
		if (request->files[i].told && request->files[i].fate.result == -ESTALE)
			return tool_error(
				"%s: %llu files are not recovered, and their frames stay: the file "
				"of id %llu is not the file of the frames: name the right file, or "
				"add --force-identity %llu to write into the named file",
				request->safe, (unsigned long long)recovery->files_failed,
				(unsigned long long)request->files[i].file_id,
				(unsigned long long)request->files[i].file_id);
	return tool_error("%s: %llu files are not recovered, and their frames stay: %s: remove the "
			  "cause and recover again",
			  request->safe, (unsigned long long)recovery->files_failed,
			  strerror(-error));
}

int journal_put_recovery(const struct journal_request *request,
			 const struct atomicio_recovery *recovery, int error)
{
	bool told = false;

	for (unsigned i = 0; i < request->file_count; i++)
		told |= request->files[i].told;
	if (error && !(told && recovery->files_failed))
		return tool_error("%s: the recovery failed: %s: the frames are still there: remove "
				  "the cause and recover again",
				  request->safe, strerror(-error));
	tool_done("%s: the recovery is done", request->safe);
	if (request->json)
		put_json(request, recovery);
	else
		put_text(request, recovery);
	return error ? put_left(request, recovery, error) : TOOL_YES;
}
