/* SPDX-License-Identifier: MIT */
/*
 * The journal path of a write, and of a group of writes.
 *
 * Flow: an attempt of write.c like any other: check, commit, classify; the journal family is below.
 */
#include "write.h"

#include <errno.h>

/* Pages of a group that need no memory beside the stack. */
#define PAGES_FEW 16u

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

struct journal_page write_page_of_request(const struct write_request *request)
{
	return (struct journal_page){
		.file = &request->file->home,
		.buffer = request->buffer,
		.offset = request->offset,
		.length = (uint32_t)request->length,
	};
}

static void commit(const struct atomicio_file *file, const struct journal_page *pages,
		   uint32_t count, uint32_t flags, struct write_outcome *outcome)
{
	const int error =
		journal_commit(file->options.journal, pages, count, flags & ATOMICIO_BEHIND);

	if (error)
		write_classify_journal(file, outcome, error);
	else
		*outcome = (struct write_outcome){.kind = 0};
}

void write_journal(const struct write_request *request, struct write_outcome *outcome)
{
	struct journal_page page;

	if (!write_fits_journal(request, outcome))
		return;
	page = write_page_of_request(request);
	commit(request->file, &page, 1, request->flags, outcome);
}

static struct journal_page page_of_op(const struct atomicio_op *op)
{
	return (struct journal_page){
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
	const struct atomicio_file *file = ops[0].file;
	struct journal_page few[PAGES_FEW], *pages = few;

	if (count > PAGES_FEW)
		pages = file->sys->allocate(_Alignof(struct journal_page), count * sizeof(*pages));
	if (!pages) {
		write_classify_journal(file, outcome, -ENOMEM);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		pages[i] = page_of_op(&ops[i]);
	commit(file, pages, count, flags, outcome);
	if (pages != few)
		file->sys->release_memory(pages);
}

int write_gather_group(const struct atomicio_op *ops, uint32_t count,
		       struct journal_guest_place *place)
{
	struct atomicio_journal *journal = ops[0].file->options.journal;
	int error = journal_gather_begin(journal, place);

	if (error)
		return error;
	for (uint32_t i = 0; i < count && !error; i++) {
		const struct journal_page page = page_of_op(&ops[i]);

		error = journal_gather_put(journal, place, &page);
	}
	return journal_gather_end(journal, place, NULL, error);
}
