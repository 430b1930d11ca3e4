/* SPDX-License-Identifier: MIT */
/*
 * The home writes: pages from a durable frame to their files.
 *
 * Flow: called by commit on the thread that wrote the pages (J1).
 */
#include "journal_aio.h"

#include <errno.h>
#include <fcntl.h>

/* Where the caller can change the descriptor's flags: do the flags still allow a home write? */
static int check_flags(const struct atomicio_journal *journal, const struct journal_file *file)
{
	const int status = file->checks_flags ? journal->sys->getfl(file->fd) : 0;

	if (status < 0)
		return status;
	return status & O_APPEND ? -EOPNOTSUPP : 0;
}

int journal_home_refusal(const struct atomicio_journal *journal, const struct journal_file *file)
{
	return file->failed ? 1 : check_flags(journal, file);
}

static void write_page(struct atomicio_journal *journal, const struct journal_page *page,
		       const uint8_t *data)
{
	const struct journal_file *file = page->file;
	int error = journal_home_refusal(journal, file);

	if (!error)
		error = journal_write_all(journal->sys, file->fd, file->rwf, data, page->length,
					  page->offset);
	if (error < 0)
		journal_home_failed(journal, file, error);
}

void journal_list_homes(const struct journal_ticket *ticket, uint32_t first, uint32_t count,
			const uint8_t *data, struct journal_run *runs)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct journal_page *page = &ticket->pages[first + i];

		runs[i] = (struct journal_run){
			.owner = page->file,
			.offset = page->offset,
			.length = page->length,
			.data = data,
			.fd = page->file->fd,
			.rwf = page->file->rwf,
			.direct = page->file->direct,
		};
		data += journal_padded(page->length);
	}
}

/* Leave out the runs of files that get no page now; each file is checked once. */
uint32_t journal_drop_refused(struct atomicio_journal *journal, struct journal_run *runs,
			      uint32_t count)
{
	const struct journal_file *file = NULL;
	uint32_t kept = 0;
	int error = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (runs[i].owner != file) {
			file = runs[i].owner;
			error = journal_home_refusal(journal, file);
			if (error < 0)
				journal_home_failed(journal, file, error);
		}
		if (!error)
			runs[kept++] = runs[i];
	}
	return kept;
}

void journal_send_home(struct atomicio_journal *journal, struct journal_courier *courier,
		       struct journal_run *runs, uint32_t count)
{
	count = journal_drop_refused(journal, runs, count);
	journal_write_runs(journal->sys, courier, runs, count);
	for (uint32_t i = 0; i < count; i++)
		if (runs[i].error)
			journal_home_failed(journal, runs[i].owner, runs[i].error);
}

void journal_go_home(struct atomicio_journal *journal, const struct journal_ticket *ticket)
{
	const struct journal_stage *stage = &journal->stages[ticket->stage];
	struct journal_run *runs = stage->runs + ticket->first_page;
	uint32_t count;

	if (ticket->count == 1) {
		write_page(journal, ticket->pages, ticket->data);
		return;
	}
	journal_list_homes(ticket, 0, ticket->count, ticket->data, runs);
	count = journal_merge_runs(runs, ticket->count, stage->vectors + ticket->first_page);
	journal_send_home(journal, ticket->courier, runs, count);
}
