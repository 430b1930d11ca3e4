/* SPDX-License-Identifier: MIT */
/*
 * The journal's header on disk: two copies, read at open, written when the tail moves (H1, H2).
 *
 * Flow: below open, tail and recovery.
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

int journal_encode_copy(struct atomicio_journal *journal, const struct journal_header *header,
			uint32_t copy)
{
	const int error = journal_check_limit(journal, (uint64_t)(copy + 1) * JOURNAL_BLOCK);

	if (!error)
		journal_encode_header(journal->header_block, header);
	return error;
}

/* Write one copy of a header, durably. */
static int put_header(struct atomicio_journal *journal, const struct journal_header *header,
		      uint32_t copy)
{
	const int error = journal_encode_copy(journal, header, copy);

	if (error)
		return error;
	journal->counters.flushes++;
	journal->counters.bytes_written += JOURNAL_BLOCK;
	return journal_write_durable(journal, journal->header_block, JOURNAL_BLOCK,
				     (uint64_t)copy * JOURNAL_BLOCK);
}

/* Does the disk hold the header that we know, in the newer copy? */
static bool disk_holds_header(struct atomicio_journal *journal)
{
	const uint64_t offset = journal->first_copy ? 0 : JOURNAL_BLOCK;
	struct journal_header header;

	return journal->direct &&
	       journal_read_all(journal->sys, journal->fd, journal->header_block, JOURNAL_BLOCK,
				offset) == 0 &&
	       journal_decode_header(journal->header_block, &header) == 0 &&
	       header.generation == journal->header.generation;
}

/*
 * H2: a header that was read need not be durable.  The writer of the newest copy may have been
 * killed before the flush, or the flush failed.  A power cut could then bring the previous header
 * back, with its frames, or tear the copy while the other copy is being written.  The newest copy
 * is therefore written again, in place.  A full filesystem that copies on write has no room to
 * write again.  A direct read, which shows the disk's bytes, and a flush must be enough there.
 */
int journal_settle_header(struct atomicio_journal *journal)
{
	int error = 0;

	if (journal->settled)
		return 0;
	error = put_header(journal, &journal->header, !journal->first_copy);
	if (journal_is_full(error) && disk_holds_header(journal)) {
		journal->counters.flushes++;
		error = journal->sys->fdatasync(journal->fd);
	}
	if (error)
		return error;
	/* K2: else the previous state comes back when the newer copy is damaged. */
	if (journal->uneven)
		error = put_header(journal, &journal->header, journal->first_copy);
	if (error && !journal->damaged)
		return error;
	journal->uneven = journal->uneven && error;
	journal->settled = true;
	return 0;
}

/*
 * H1: write both copies, the damaged or older copy first, each durable before the next is begun.
 * At any moment one copy is whole, with the newest header or the previous header, whose space has
 * not been reused yet.  Two copies of one generation are always equal: a failed write uses a
 * generation up.
 */
int journal_put_headers(struct atomicio_journal *journal, const struct journal_header *header)
{
	const uint32_t first = journal->first_copy;
	int error = journal_settle_header(journal);

	if (!error)
		error = put_header(journal, header, first);
	if (error)
		return error;
	journal->first_copy = !first;
	error = put_header(journal, header, !first);
	if (!error)
		journal->first_copy = 0;
	return error;
}

void journal_next_header(const struct atomicio_journal *journal, uint64_t tail_offset,
			 uint64_t tail_sequence, struct journal_header *next)
{
	*next = journal->header;
	next->generation++;
	next->tail_offset = tail_offset;
	next->tail_sequence = tail_sequence;
	next->flags = 0;
	next->head_offset = journal->head_offset;
	next->head_sequence = journal->head_sequence;
	if (next->head_sequence < tail_sequence)
		next->head_sequence = tail_sequence;
}

void journal_adopt_header(struct atomicio_journal *journal, const struct journal_header *next,
			  int error)
{
	/* Set only the fields that change: the rest is read without the lock. */
	journal->header.generation = next->generation;
	/* H1: a copy of the failed header may be on the disk, and retire more than we know. */
	journal->doubtful = error != 0;
	if (error)
		return;
	journal->header.flags = next->flags;
	journal->header.tail_offset = next->tail_offset;
	journal->header.tail_sequence = next->tail_sequence;
	journal->header.head_offset = next->head_offset;
	journal->header.head_sequence = next->head_sequence;
	journal->header.done_count = next->done_count;
	memcpy(journal->header.done, next->done, sizeof(next->done));
	journal->begun = true;
	journal->uneven = false;
}

/* Write *next into both copies, and adopt *next. */
int journal_install_header(struct atomicio_journal *journal, const struct journal_header *next)
{
	const int error = journal_put_headers(journal, next);

	journal_adopt_header(journal, next, error);
	return error;
}

int journal_write_header(struct atomicio_journal *journal, uint64_t tail_offset,
			 uint64_t tail_sequence)
{
	struct journal_header next;

	journal_next_header(journal, tail_offset, tail_sequence, &next);
	return journal_install_header(journal, &next);
}

/* Without live frames: the next frame goes to the head, with a number never used before. */
void journal_empty_header(struct atomicio_journal *journal, struct journal_header *next)
{
	*next = journal->header;
	next->generation++;
	next->done_count = 0;
	next->tail_offset = next->head_offset = journal->head_offset;
	next->tail_sequence = next->head_sequence = journal->next_sequence;
}

/*
 * Read the newer of the two copies.  A copy that is damaged, or torn by a crash, is the first to be
 * written again.
 */
int journal_read_header(struct atomicio_journal *journal)
{
	int found = -ENODATA;

	for (uint32_t copy = 0; copy < JOURNAL_COPIES; copy++) {
		struct journal_header header;
		int error = journal_read_all(journal->sys, journal->fd, journal->header_block,
					     JOURNAL_BLOCK, (uint64_t)copy * JOURNAL_BLOCK);

		/* Unreadable is damaged (H4); the file may end here. */
		if (error == -ERANGE)
			error = -ENODATA;
		else if (error && error != -EIO)
			return error;
		if (!error)
			error = journal_decode_header(journal->header_block, &header);
		if (error == -EPROTONOSUPPORT)
			return error;
		if (error && found != 0 && error != -ENODATA)
			found = error;
		if (error) {
			journal->first_copy = copy;
			journal->damaged |= 1u << copy; /* K2 */
			journal->uneven = true;
			continue;
		}
		if (found == 0 && memcmp(header.id, journal->header.id, JOURNAL_ID_SIZE) != 0)
			return -EBADMSG;
		if (found == 0 && header.generation != journal->header.generation) {
			journal->first_copy = header.generation < journal->header.generation;
			journal->uneven = true;
		}
		if (found != 0 || header.generation > journal->header.generation)
			journal->header = header;
		found = 0;
	}
	return found;
}
