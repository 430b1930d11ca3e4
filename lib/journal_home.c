/* SPDX-License-Identifier: MIT */
/*
 * The home writes: pages from a durable frame to the files that they belong to; and all writes of
 * the journal to its own file.
 *
 * Flow: called by commit on the thread that wrote the pages (J1), and by recovery.
 */
#include "journal_aio.h"

#include <errno.h>
#include <fcntl.h>

#include "sys_refused.h"

int journal_write_rest(const struct sys_calls *sys, int fd, int rwf, const struct iovec *vector,
		       uint32_t count, uint64_t offset, uint64_t done)
{
	uint32_t interrupted = 0;

	for (;;) {
		struct iovec part;
		ssize_t result;

		for (; count && done >= vector->iov_len; vector++, count--) {
			done -= vector->iov_len;
			offset += vector->iov_len;
		}
		if (!count)
			return 0;
		/* What is left of a piece goes alone: the vector is the caller's. */
		part = (struct iovec){.iov_base = (uint8_t *)vector->iov_base + done,
				      .iov_len = vector->iov_len - done};
		result = sys_write_at(sys, fd, done ? &part : vector, done ? 1 : (int)count,
				      offset + done, rwf);
		if (result == -EINTR && ++interrupted < JOURNAL_EINTR_MAX)
			continue;
		if (result <= 0)
			return result < 0 ? (int)result : -EIO;
		done += (uint64_t)result;
	}
}

int journal_write_vector(const struct sys_calls *sys, int fd, int rwf, const struct iovec *vector,
			 uint32_t count, uint64_t offset)
{
	return journal_write_rest(sys, fd, rwf, vector, count, offset, 0);
}

int journal_write_home(const struct sys_calls *sys, int fd, int rwf, const uint8_t *data,
		       uint64_t length, uint64_t offset)
{
	const struct iovec vector = {
		.iov_base = (void *)(uintptr_t)data, /* only read; iovec has no const */
		.iov_len = length,
	};

	return journal_write_vector(sys, fd, rwf, &vector, 1, offset);
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

/* RWF_NOAPPEND (6.9) holds, too, when O_APPEND comes between the look and the write. */
int journal_write_own(const struct atomicio_journal *journal, int rwf, const uint8_t *data,
		      uint64_t length, uint64_t offset)
{
	int error = journal_check_append(journal);

	if (error)
		return error;
	if (journal->noappend) {
		error = journal_write_home(journal->sys, journal->fd, rwf | SYS_RWF_NOAPPEND, data,
					   length, offset);
		if (error != -EOPNOTSUPP)
			return error;
	}
	return journal_write_home(journal->sys, journal->fd, rwf, data, length, offset);
}

/* K9: where RWF_DSYNC is only passed on, it may be dropped on the way. */
int journal_write_durable(const struct atomicio_journal *journal, const uint8_t *data,
			  uint64_t length, uint64_t offset)
{
	const int error = journal_write_own(journal, SYS_RWF_DSYNC, data, length, offset);

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

int journal_home_refusal(const struct atomicio_journal *journal, const struct journal_file *file)
{
	return file->failed ? 1 : check_flags(journal, file);
}

void journal_home_failed(struct atomicio_journal *journal, const struct journal_file *file,
			 int error)
{
	pthread_mutex_lock(&journal->lock);
	journal_fail(journal, file, error); /* K7 */
	pthread_mutex_unlock(&journal->lock);
}

static void write_page(struct atomicio_journal *journal, const struct journal_page *page,
		       const uint8_t *data)
{
	const struct journal_file *file = page->file;
	int error = journal_home_refusal(journal, file);

	if (!error)
		error = journal_write_home(journal->sys, file->fd, file->rwf, data, page->length,
					   page->offset);
	if (error < 0)
		journal_home_failed(journal, file, error);
}

void journal_list_homes(const struct journal_ticket *ticket, uint32_t first, uint32_t count,
			const uint8_t *data, struct journal_run *runs)
{
	for (uint32_t i = 0; i < count; i++) {
		struct journal_page page;

		ticket->page_at(ticket->pages, first + i, &page);
		runs[i] = (struct journal_run){
			.owner = page.file,
			.offset = page.offset,
			.length = page.length,
			.data = data,
			.fd = page.file->fd,
			.rwf = page.file->rwf,
			.direct = page.file->direct,
		};
		data += journal_padded(page.length);
	}
}

/* Leave out the runs of files that get no page now; what is wrong with a file is looked at once. */
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
	struct journal_page page;
	uint32_t count;

	if (ticket->count == 1) {
		ticket->page_at(ticket->pages, 0, &page);
		write_page(journal, &page, ticket->data);
		return;
	}
	journal_list_homes(ticket, 0, ticket->count, ticket->data, runs);
	count = journal_merge_runs(runs, ticket->count, stage->vectors + ticket->first_page);
	journal_send_home(journal, ticket->courier, runs, count);
}

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
