/* SPDX-License-Identifier: MIT */
/*
 * The tail, and the headers with its place: written by call, or sent as AIO requests.
 *
 * Flow: below journal_retire.c and carrying; journal_header.c writes the copies.
 *
 * Only one thread writes headers: moving_tail.  H1 holds either way: the second copy is sent when
 * the first is durable.  A sent header that failed may be half on the disk: the next header is
 * written by call, with the next generation.
 */
#include "journal_internal.h"

#include <errno.h>

static void moved(struct atomicio_journal *journal, int error)
{
	const struct journal_header *next = &journal->next_header;

	journal_adopt_header(journal, next, error);
	if (!error) {
		journal->live_bytes =
			next->tail_sequence == journal->head_sequence
				? 0
				: journal_distance(&journal->header, next->tail_offset,
						   journal->head_offset);
		if (journal->scan.count)
			journal_count_found(journal);
		journal_guest_tail_moved(journal);
	}
	journal->moving_tail = false;
	journal_wake(journal);
}

int journal_move_tail(struct atomicio_journal *journal, uint64_t offset, uint64_t sequence)
{
	struct journal_header *next = &journal->next_header;
	int error;

	assert(!journal->moving_tail);
	journal->moving_tail = true;
	journal_next_header(journal, offset, sequence, next);
	pthread_mutex_unlock(&journal->lock);
	error = journal_put_headers(journal, next);
	pthread_mutex_lock(&journal->lock);
	journal->tail_by_call = false;
	moved(journal, error);
	return error;
}

/* Send the copy due first.  The lock is held, and dropped for the work. */
static bool send_copy(struct atomicio_journal *journal)
{
	const uint32_t copy = journal->first_copy;
	int error;

	pthread_mutex_unlock(&journal->lock);
	error = journal_encode_copy(journal, &journal->next_header, copy);
	if (!error) {
		journal->tail_flight.block = (struct iocb){
			.aio_lio_opcode = IOCB_CMD_PWRITE,
			.aio_fildes = (uint32_t)journal->fd,
			.aio_rw_flags = SYS_RWF_DSYNC,
			.aio_buf = (uintptr_t)journal->header_block,
			.aio_nbytes = JOURNAL_BLOCK,
			.aio_offset = (int64_t)copy * JOURNAL_BLOCK,
		};
		error = sys_flights_send(&journal->flights, &journal->tail_flight);
	}
	pthread_mutex_lock(&journal->lock);
	if (error)
		return false;
	journal->tail_out = true;
	journal->counters.flushes++;
	journal->counters.bytes_written += JOURNAL_BLOCK;
	pthread_cond_broadcast(&journal->changed);
	return true;
}

bool journal_send_tail(struct atomicio_journal *journal, uint64_t offset, uint64_t sequence)
{
	assert(!journal->moving_tail);
	/*
	 * Send only a proven header, through a description of our own, on a filesystem that keeps
	 * RWF_DSYNC.
	 */
	if (!journal->direct || journal->fd == journal->caller_fd || journal->delegates ||
	    !journal->settled || journal->tail_by_call || !sys_flights_may_send(&journal->flights))
		return false;
	journal->moving_tail = true;
	journal->tail_second = false;
	journal_next_header(journal, offset, sequence, &journal->next_header);
	if (send_copy(journal))
		return true;
	/* Nothing was written, and the generation is not used up. */
	journal->tail_by_call = true;
	journal->moving_tail = false;
	pthread_cond_broadcast(&journal->changed);
	return false;
}

bool journal_land_tail(struct atomicio_journal *journal)
{
	if (!journal->tail_out || !sys_flight_landed(&journal->tail_flight))
		return false;
	journal->tail_out = false;
	if (journal->tail_flight.result == JOURNAL_BLOCK) {
		/* H1: the other copy is older now, or both copies are the newest. */
		journal->first_copy = journal->tail_second ? 0 : !journal->first_copy;
		if (journal->tail_second) {
			moved(journal, 0);
			return true;
		}
		journal->tail_second = true;
		if (send_copy(journal))
			return false;
	}
	journal->tail_by_call = true;
	moved(journal, -EIO);
	return false;
}
