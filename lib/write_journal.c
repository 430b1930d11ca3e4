/* SPDX-License-Identifier: MIT */
/*
 * The journal path of a write, and of a group of writes.
 *
 * Flow: an attempt of write.c like any other: check, commit, classify; below it is the journal
 * family.  Also here: what a write that bypasses the journal owes to it (J3).
 */
#include "write.h"

#include <errno.h>

/* What an error of journal_commit() or of a checkpoint means for the write. */
static void classify_journal(struct write_outcome *outcome, int error)
{
	switch (error) {
	case -EMSGSIZE:
		write_fail(outcome, ATOMICIO_KIND_SHAPE, error, ATOMICIO_REASON_FRAME_TOO_LARGE);
		return;
	case -EUCLEAN:
		write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, error,
			   ATOMICIO_REASON_JOURNAL_UNCLEAN);
		return;
	case -ENOTRECOVERABLE:
		write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, error,
			   ATOMICIO_REASON_JOURNAL_POISONED);
		return;
	default:
		/* The frame may be durable or not: recovery makes the page old or new, whole. */
		write_fail(outcome, ATOMICIO_KIND_MEDIA, error, ATOMICIO_REASON_JOURNAL_POISONED);
		outcome->allowed = ATOMICIO_FAIL;
	}
}

/*
 * J3: a write past the journal may not touch a range that a live frame covers, or recovery
 * would bring the frame's page back over it.  Retire the frames first.
 */
bool write_retire_range(const struct write_request *request, struct write_outcome *outcome)
{
	const struct atomicio_options *options = &request->file->options;
	int error;

	if (!options->journal || !journal_may_cover(options->journal, options->file_id,
						    request->offset, request->length))
		return true;
	error = journal_checkpoint(options->journal);
	if (!error)
		return true;
	/* Nothing of this write was made. */
	write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, error,
		   error == -EUCLEAN ? ATOMICIO_REASON_JOURNAL_UNCLEAN
				     : ATOMICIO_REASON_JOURNAL_POISONED);
	outcome->allowed = ATOMICIO_FAIL;
	return false;
}

void write_lost(struct atomicio_file *file)
{
	assert(write_is_poisoned(file));
	if (file->attached)
		journal_file_lost(file->options.journal, &file->home);
}

/* All that is known before the journal is asked.  False: the outcome says why not. */
bool write_fits_journal(const struct write_request *request, struct write_outcome *outcome)
{
	const uint64_t broken =
		write_journal_shape(request->file, request->length, request->offset);

	if (request->length > JOURNAL_PAGE_LIMIT) {
		classify_journal(outcome, -EMSGSIZE);
		return false;
	}
	if (broken) {
		write_fail(outcome, ATOMICIO_KIND_SHAPE, -EINVAL, broken);
		return false;
	}
	/* A home write that fails would poison the journal: find out before. */
	return write_fits_limits(request, outcome);
}

static void page_of_request(const void *pages, uint32_t index, struct journal_page *page)
{
	const struct write_request *request = pages;

	(void)index; /* it is the only one */
	*page = (struct journal_page){
		.file = &request->file->home,
		.buffer = request->buffer,
		.offset = request->offset,
		.length = (uint32_t)request->length,
	};
}

static void commit(struct atomicio_journal *journal, const void *pages, journal_page_at *page_at,
		   uint32_t count, struct write_outcome *outcome)
{
	const int error = journal_commit(journal, pages, page_at, count);

	if (error)
		classify_journal(outcome, error);
	else
		*outcome = (struct write_outcome){.kind = 0};
}

void write_journal(const struct write_request *request, struct write_outcome *outcome)
{
	if (write_fits_journal(request, outcome))
		commit(request->file->options.journal, request, page_of_request, 1, outcome);
}

static void page_of_op(const void *pages, uint32_t index, struct journal_page *page)
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
 * Put ops into one frame, all or none.  The caller has checked each with write_fits_journal(),
 * and that all their files have this journal.
 */
void write_journal_group(const struct atomicio_op *ops, uint32_t count,
			 struct write_outcome *outcome)
{
	commit(ops[0].file->options.journal, ops, page_of_op, count, outcome);
}
