/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal recover --list: the pages to be written, and the present bytes of the files.
 *
 * Flow: called by journal_recover.c when the files are open; nothing is written.
 */
#include "journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "tool.h"
#include "words.h"

struct list {
	const struct journal_request *request;
	struct json json;
	uint8_t *home;
	uint64_t room;
};

/* Compare the file's bytes at the page's place with the frame's. */
static int compare(struct list *list, const struct atomicio_live_page *page, int *match)
{
	const struct journal_file_name *file = journal_find_file(list->request, page->file_id);
	uint64_t have = 0;

	*match = WORD_MATCH_UNKNOWN;
	if (!file || !file->open)
		return 0;
	if (page->length > list->room) {
		free(list->home);
		list->room = page->length;
		list->home = malloc(list->room);
		if (!list->home)
			return -ENOMEM;
	}
	while (have < page->length) {
		const ssize_t count =
			pread(file->target.fd, list->home + have, (size_t)(page->length - have),
			      (off_t)(page->offset + have));

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			break;
		have += (uint64_t)count;
	}
	*match = have == page->length && !memcmp(list->home, page->page, (size_t)page->length)
			 ? WORD_MATCH_SAME
			 : WORD_MATCH_OTHER;
	return 0;
}

static int visit(void *context, const struct atomicio_live_page *page)
{
	struct list *list = context;
	int match, error = compare(list, page, &match);

	if (error)
		return error;
	if (!list->request->json) {
		printf("frame %" PRIu64 ", file %" PRIu64 ": %" PRIu64 " bytes at %" PRIu64
		       ": %s\n",
		       page->sequence, page->file_id, page->length, page->offset,
		       match == WORD_MATCH_SAME	   ? "the file has them"
		       : match == WORD_MATCH_OTHER ? "the file has others"
						   : "no file is given to compare with");
		return 0;
	}
	json_begin(&list->json, NULL, '{');
	json_hex(&list->json, "file_id", page->file_id);
	json_unsigned(&list->json, "sequence", page->sequence);
	json_unsigned(&list->json, "offset", page->offset);
	json_unsigned(&list->json, "length", page->length);
	json_string(&list->json, "home", word_match(match));
	json_end(&list->json, '}');
	return 0;
}

int journal_list(const struct journal_request *request, struct journal_opened *opened)
{
	struct list list = {.request = request, .json = {.out = stdout}};
	int error;

	if (request->json) {
		json_begin(&list.json, NULL, '{');
		json_string(&list.json, "path", request->path);
		json_begin(&list.json, "list", '[');
	}
	error = atomicio_journal_walk(opened->journal, visit, &list);
	if (request->json) {
		json_end(&list.json, ']');
		json_end(&list.json, '}');
	}
	free(list.home);
	return error ? journal_open_error(request, error) : TOOL_YES;
}
