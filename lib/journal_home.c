/* SPDX-License-Identifier: MIT */
/*
 * The home writes: pages from a durable frame to the files that they belong to; and all writes of
 * the journal to its own file.
 *
 * Flow: called by commit on the thread that wrote the pages (J1), and by recovery.
 */
#include "journal_internal.h"

#include <errno.h>
#include <fcntl.h>

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

int journal_sync_own(const struct atomicio_journal *journal)
{
	int error = 0;

	for (uint32_t i = 0; i < JOURNAL_EINTR_MAX; i++) {
		error = journal->sys->fdatasync(journal->fd);
		if (error != -EINTR)
			break;
	}
	return error;
}

/* K9: where RWF_DSYNC is only passed on, it may be dropped on the way. */
int journal_write_durable(const struct atomicio_journal *journal, const uint8_t *data,
			  uint64_t length, uint64_t offset)
{
	const int error =
		journal_write_home(journal->sys, journal->fd, SYS_RWF_DSYNC, data, length, offset);

	return error || !journal->delegates ? error : journal_sync_own(journal);
}

/* Where the flags are the caller's to change, do they still let a page go where it belongs? */
static int check_flags(const struct atomicio_journal *journal, const struct journal_file *file)
{
	const int status = file->checks_flags ? journal->sys->getfl(file->fd) : 0;

	if (status < 0)
		return status;
	return status & O_APPEND ? -EOPNOTSUPP : 0;
}

static void write_page(struct atomicio_journal *journal, const struct journal_page *page,
		       const uint8_t *data)
{
	struct journal_file *file = page->file;
	int error;

	if (file->failed) /* its pages stay in live frames */
		return;
	error = check_flags(journal, file);
	if (!error)
		error = journal_write_home(journal->sys, file->fd, file->rwf, data, page->length,
					   page->offset);
	if (!error)
		return;
	pthread_mutex_lock(&journal->lock);
	journal_fail(journal, file, error); /* K7 */
	pthread_mutex_unlock(&journal->lock);
}

/* Does `next` lie directly behind `page`, in the file and in the frame? */
static bool is_behind(const struct journal_page *next, const struct journal_page *page)
{
	return next->file == page->file && next->offset == page->offset + page->length &&
	       page->length % JOURNAL_BLOCK == 0 && next->length <= UINT32_MAX - page->length;
}

void journal_go_home(struct atomicio_journal *journal, const struct journal_ticket *ticket,
		     uint32_t first, uint32_t count, const uint8_t *data)
{
	const uint32_t end = first + count;
	struct journal_page page, next;
	uint32_t i = first;

	ticket->page_at(ticket->pages, i, &page);
	next = page;
	while (i < end) {
		while (++i < end) {
			ticket->page_at(ticket->pages, i, &next);
			if (!is_behind(&next, &page))
				break;
			page.length += next.length;
		}
		write_page(journal, &page, data);
		data += journal_padded(page.length);
		page = next;
	}
}
