/* SPDX-License-Identifier: MIT */
/*
 * A single frame: memory, pages, write, and covered ranges.
 *
 * Flow: below commit, chains and carrying, which choose the pages and the place.
 */
#include "journal_aio.h"

#include <errno.h>
#include <string.h>

#include "journal_crc.h"

int journal_make_stage(struct atomicio_journal *journal, struct journal_stage *stage)
{
	const struct sys_calls *sys = journal->sys;
	const uint32_t pages = journal->frame_room / JOURNAL_BLOCK;
	const size_t homes = pages * (sizeof(*stage->runs) + sizeof(*stage->vectors));

	stage->runs = sys->allocate(_Alignof(struct journal_run), homes);
	if (stage->runs) {
		stage->vectors = (struct iovec *)(stage->runs + pages);
		stage->frame = sys->allocate(JOURNAL_BLOCK, journal->frame_room);
	}
	if (stage->frame) {
		journal->memory += homes + journal->frame_room;
		return 0;
	}
	journal_free_stage_memory(journal, stage);
	return -ENOMEM;
}

void journal_free_stage_memory(const struct atomicio_journal *journal, struct journal_stage *stage)
{
	if (stage->runs)
		journal->sys->release_memory(stage->runs);
	if (stage->frame)
		journal->sys->release_memory(stage->frame);
	stage->runs = NULL;
	stage->vectors = NULL;
	stage->frame = NULL;
}

/* Take memory for one more stage; without memory the journal has fewer stages. */
bool journal_add_stage(struct atomicio_journal *journal)
{
	for (uint32_t i = 0; i < JOURNAL_STAGES; i++) {
		struct journal_stage *stage = &journal->stages[i];

		if (stage->frame)
			continue;
		return journal_make_stage(journal, stage) == 0;
	}
	return false;
}

struct journal_stage *journal_find_stage(struct atomicio_journal *journal)
{
	for (uint32_t i = 0; i < JOURNAL_STAGES; i++)
		if (journal->stages[i].frame && !journal->stages[i].homing)
			return &journal->stages[i];
	return NULL;
}

/* Copy one page into a frame, with its entry; the frame header is for later. */
static uint64_t stage_page(uint8_t *bytes, const struct journal_frame *frame, uint32_t index,
			   uint32_t row, uint64_t at, const struct journal_page *page)
{
	const uint64_t padded = journal_padded(page->length);
	uint8_t *data = bytes + at;
	struct journal_entry entry;

	memcpy(data, page->buffer, page->length);
	memset(data + page->length, 0, padded - page->length);
	entry = (struct journal_entry){
		.offset = page->offset,
		.length = page->length,
		.crc = journal_crc32c(0, data, page->length),
		.file = row,
		.escape = journal_escape_key(data, padded),
	};
	/*
	 * K1: the escape stays until the frame is durable; homes get the page without the escape
	 * (N3).
	 */
	journal_escape(data, padded, entry.escape);
	journal_put_entry(bytes, frame->files, index, &entry);
	return at + padded;
}

uint64_t journal_stage_pages(uint8_t *bytes, const struct journal_frame *frame, uint32_t index,
			     uint32_t *files, uint64_t at, const struct journal_page *pages,
			     uint32_t count)
{
	const struct journal_file *file = NULL;

	for (uint32_t i = 0; i < count; i++) {
		const struct journal_page *page = &pages[i];

		if (page->file != file)
			journal_put_row(bytes, (*files)++, page->file->row);
		file = page->file;
		at = stage_page(bytes, frame, index + i, *files - 1, at, page);
	}
	return at;
}

/*
 * After an error of a frame's write the frame may be on the disk nevertheless.  The error must
 * differ from the errors by which journal_commit() says that nothing was written.
 */
int journal_frame_error(int error)
{
	switch (error) {
	case -EINVAL:
	case -EMSGSIZE:
	case -ENOSPC:
	case -EFBIG:
	case -ENOMEM:
	case -EINTR:
	case -EBUSY:
	case -EUCLEAN:
	case -ENOTRECOVERABLE:
		return -EIO;
	default:
		return error;
	}
}

/* Write a frame, durably, without the lock: most time of a commit passes here. */
int journal_write_frame(const struct atomicio_journal *journal, uint8_t *bytes,
			const struct journal_frame *frame)
{
	journal_encode_frame(bytes, journal->header.id, frame);
	return journal_frame_error(
		journal_write_durable(journal, bytes, frame->length, frame->offset));
}

/*
 * Close the group's ranges to writes that bypass the journal (J3), and remember that its files have
 * frames (J10).  Also for a failed frame: the frame may be on the disk nevertheless, and a recovery
 * would replay the frame over writes that bypassed the journal, or over writes of other programs
 * after a close that gave 0.
 */
void journal_cover_ticket(struct atomicio_journal *journal, const struct journal_ticket *ticket,
			  uint64_t sequence)
{
	const uint32_t now = journal->generation & 1;

	for (uint32_t i = 0; i < ticket->range_count; i++) {
		const struct journal_extent *range = &ticket->ranges[i];

		if (!range->file->first[now])
			range->file->first[now] = sequence;
		journal_widen(&range->file->span[now],
			      &(struct journal_span){range->offset, range->end});
		journal_cover(journal, range->file->file_id, range->offset,
			      range->end - range->offset);
	}
}
