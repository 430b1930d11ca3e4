/* SPDX-License-Identifier: MIT */
/*
 * The journal path of a write, and of a group of writes.
 *
 * Flow: an attempt of write.c like any other: check, commit, classify; the journal family is below.
 */
#include "write.h"

#include <errno.h>

/* All checks known before the journal is asked.  False: the outcome says why not. */
bool write_fits_journal(const struct write_request *request, struct write_outcome *outcome)
{
	const uint64_t broken =
		write_journal_shape(request->file, request->length, request->offset);
	uint64_t limit = 0;
	int error;

	if (request->length > JOURNAL_PAGE_LIMIT) {
		write_classify_journal(request->file, outcome, -EMSGSIZE);
		return false;
	}
	if (broken) {
		write_fail(outcome, ATOMICIO_KIND_SHAPE, -EINVAL, broken);
		return false;
	}
	/* K6: a failed home write would fail the file: find out before. */
	if (!write_fits_limits(request, outcome))
		return false;
	error = journal_claim(request->file->options.journal, &request->file->home, request->offset,
			      request->length, request->size_limit ? request->size_limit : &limit,
			      !write_is_entry(request));
	if (!error)
		return true;
	write_fail(outcome, ATOMICIO_KIND_SPACE, error,
		   error == -EFBIG ? ATOMICIO_REASON_FILE_SIZE_LIMIT : 0);
	outcome->later = error == -ENXIO;
	return false;
}

void write_page_of_request(const void *pages, uint32_t index, struct journal_page *page)
{
	const struct write_request *request = pages;

	(void)index; /* always 0 */
	*page = (struct journal_page){
		.file = &request->file->home,
		.buffer = request->buffer,
		.offset = request->offset,
		.length = (uint32_t)request->length,
	};
}

static void commit(const struct atomicio_file *file, const void *pages, journal_page_at *page_at,
		   uint32_t count, uint32_t flags, struct write_outcome *outcome)
{
	const int error = journal_commit(file->options.journal, pages, page_at, count,
					 flags & ATOMICIO_BEHIND);

	if (error)
		write_classify_journal(file, outcome, error);
	else
		*outcome = (struct write_outcome){.kind = 0};
}

void write_journal(const struct write_request *request, struct write_outcome *outcome)
{
	if (write_fits_journal(request, outcome))
		commit(request->file, request, write_page_of_request, 1, request->flags, outcome);
}

void write_page_of_op(const void *pages, uint32_t index, struct journal_page *page)
{
	const struct atomicio_op *op = (const struct atomicio_op *)pages + index;

	*page = (struct journal_page){
		.file = &op->file->home,
		.buffer = op->buffer,
		.offset = op->offset,
		.length = (uint32_t)op->length,
	};
}

/*
 * Put ops into one frame, all or none.  The caller has checked each op with write_fits_journal(),
 * and the common journal.
 */
void write_journal_group(const struct atomicio_op *ops, uint32_t count, uint32_t flags,
			 struct write_outcome *outcome)
{
	commit(ops[0].file, ops, write_page_of_op, count, flags, outcome);
}
