/* SPDX-License-Identifier: MIT */
/*
 * Show the pages of the live frames, before anything is written (K4).
 *
 * Flow: between open and recovery.
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

#include "abi.h"
#include "sys_cancel.h"

static int show_frame(uint8_t *bytes, const struct journal_frame *frame, atomicio_walk *visit,
		      void *context)
{
	const uint8_t *data = bytes + frame->header_length;

	journal_unescape(bytes, frame);
	for (uint32_t i = 0; i < frame->count; i++) {
		struct atomicio_live_page page = {.page = data, .sequence = frame->sequence};
		struct journal_identity file;
		struct journal_entry entry;
		int answer;

		journal_get_entry(bytes, frame->files, i, &entry);
		journal_get_file(bytes, entry.file, &file);
		page.file_id = file.file_id;
		page.offset = entry.offset;
		page.length = entry.length;
		memcpy(page.tag, file.tag, sizeof(page.tag));
		answer = visit(context, &page);
		if (answer)
			return answer;
		data += journal_padded(entry.length);
	}
	return 0;
}

static int walk(struct atomicio_journal *journal, atomicio_walk *visit, void *context)
{
	struct journal_window window;
	int result = journal_window_open(journal, &window);

	for (uint32_t i = 0; i < journal->scan.count && !result; i++) {
		struct journal_frame frame;
		uint8_t *bytes;

		if (journal->scan.found[i].aborted)
			continue;
		result = journal_window_frame(journal, &window, &journal->scan.found[i], &bytes,
					      &frame);
		if (!result)
			result = show_frame(bytes, &frame, visit, context);
	}
	journal_window_close(journal, &window);
	return result;
}

ATOMICIO_EXPORT int atomicio_journal_walk(struct atomicio_journal *journal, atomicio_walk *visit,
					  void *context)
{
	SYS_NO_CANCEL;
	int result;

	if (!journal || !visit)
		return -EINVAL;
	if (journal_is_callback(journal))
		return -EDEADLK;
	pthread_mutex_lock(&journal->lock);
	journal_enter(journal);
	result = journal->state == ATOMICIO_JOURNAL_CORRUPT ? -EBADMSG : 0;
	if (journal_has_no_turn(journal))
		result = -EBUSY;
	if (!result) {
		journal_begin_callbacks(journal);
		pthread_mutex_unlock(&journal->lock);
		result = walk(journal, visit, context);
		pthread_mutex_lock(&journal->lock);
		journal_end_callbacks(journal);
	}
	journal_leave(journal);
	pthread_mutex_unlock(&journal->lock);
	return result;
}
