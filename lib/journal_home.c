/* SPDX-License-Identifier: MIT */
/*
 * The home writes: pages from a durable frame to the files that they belong to.
 *
 * Flow: called by commit on the thread that wrote the pages (J1), and by recovery.
 */
#include "journal_internal.h"

#include <errno.h>

#include "sys_refused.h"

int journal_write_home(const struct sys_calls *sys, int fd, int rwf, const uint8_t *data,
		       uint64_t length, uint64_t offset)
{
	uint32_t interrupted = 0;

	while (length) {
		const struct iovec vector = {
			.iov_base = (void *)(uintptr_t)data, /* only read; iovec has no const */
			.iov_len = length,
		};
		const ssize_t result = sys_write_at(sys, fd, &vector, 1, offset, rwf);

		if (result == -EINTR && ++interrupted < JOURNAL_EINTR_MAX)
			continue;
		if (result <= 0)
			return result < 0 ? (int)result : -EIO;
		data += result;
		offset += (uint64_t)result;
		length -= (uint64_t)result;
	}
	return 0;
}

/* Does `next` lie directly behind `page`, in the file and in the frame? */
static bool is_behind(const struct journal_page *next, const struct journal_page *page)
{
	return next->file == page->file && next->offset == page->offset + page->length &&
	       page->length % JOURNAL_BLOCK == 0 && next->length <= UINT32_MAX - page->length;
}

int journal_go_home(const struct atomicio_journal *journal, const struct journal_ticket *ticket)
{
	const uint8_t *data = journal->stages[ticket->stage].frame + ticket->data_offset;
	struct journal_page page, next;
	uint32_t i = 0;

	ticket->page_at(ticket->pages, i, &page);
	next = page;
	while (i < ticket->count) {
		int error;

		while (++i < ticket->count) {
			ticket->page_at(ticket->pages, i, &next);
			if (!is_behind(&next, &page))
				break;
			page.length += next.length;
		}
		error = journal_write_home(journal->sys, page.file->fd, page.file->rwf, data,
					   page.length, page.offset);
		if (error)
			return error;
		data += journal_padded(page.length);
		page = next;
	}
	return 0;
}
