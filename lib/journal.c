/* SPDX-License-Identifier: MIT */
/*
 * Open and close a journal.
 *
 * Flow: the border of the journal family, and its headers on disk; journal_create.c makes what
 * is opened here.  The rules J1 to J10 are in journal_internal.h.
 */
#define _GNU_SOURCE
#include "journal_share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "abi.h"
#include "abi_first.h"
#include "sys_cancel.h"
#include "sys_refused.h"

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

/* Does the disk hold the header that we know, in the copy that is the newer? */
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
 * H2: what was read need not be durable.  Whoever wrote the newest copy may have been killed
 * before its flush, or seen that fail: a power cut would bring the one before it back, with its
 * frames, or tear it while the other copy is being written.  So it is written again, where it is.
 * A full filesystem that copies on write has no room for that; there a direct read, which shows
 * what the disk has, and a flush after it have to do.
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
	/* K2: or the state before it comes back when this copy is damaged. */
	if (journal->uneven)
		error = put_header(journal, &journal->header, journal->first_copy);
	if (error && !journal->damaged)
		return error;
	journal->uneven = journal->uneven && error;
	journal->settled = true;
	return 0;
}

/*
 * H1: both copies, the damaged or older first, each durable before the next is begun: at any
 * moment one of them is whole, and it is the newest or the one before, of which nothing has been
 * reused yet.  Two copies of one generation are always equal, so a failure uses one up.
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
	/* Only what changes: the rest is read without the lock. */
	journal->header.generation = next->generation;
	/* H1: a copy of it may be on the disk, and say more than we do. */
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

/* Make this the header of both copies, and ours. */
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

/* With nothing live: the next frame goes to the head, and has a number that was never used. */
static void empty_header(struct atomicio_journal *journal, struct journal_header *next)
{
	*next = journal->header;
	next->generation++;
	next->done_count = 0;
	next->tail_offset = next->head_offset = journal->head_offset;
	next->tail_sequence = next->head_sequence = journal->next_sequence;
}

int journal_begin(struct atomicio_journal *journal)
{
	struct journal_header *next = &journal->next_header;
	int error;

	journal_await_tail(journal);
	if (journal->begun)
		return 0;
	error = journal_check_limit(journal, journal->header.size);
	if (error)
		return error;
	assert(journal->live_bytes == 0);
	journal->moving_tail = true;
	empty_header(journal, next);
	next->flags = 0;
	pthread_mutex_unlock(&journal->lock);
	error = journal_put_headers(journal, next);
	pthread_mutex_lock(&journal->lock);
	journal_adopt_header(journal, next, error);
	if (!error)
		journal->head_sequence = journal->next_sequence;
	journal->moving_tail = false;
	pthread_cond_broadcast(&journal->changed);
	return error;
}

/*
 * K3: say that nothing is live, and where the head is.  Who has only looked writes nothing.
 */
static int close_clean(struct atomicio_journal *journal)
{
	struct journal_header next;

	if (!journal->begun && !journal->settled)
		return 0;
	if (journal->state != ATOMICIO_JOURNAL_READY || journal->live_bytes ||
	    (journal->header.flags & JOURNAL_CLEAN && !journal->uneven))
		return 0;
	if (journal->begun)
		journal->next_sequence = journal->head_sequence;
	empty_header(journal, &next);
	next.flags = JOURNAL_CLEAN;
	return journal_install_header(journal, &next);
}

/*
 * The newer of the two copies; one of them may be torn by a crash, or damaged.  That one is
 * the first to be written again.
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

static void destroy(struct atomicio_journal *journal)
{
	const struct sys_calls *sys = journal->sys;

	journal_close_kept(journal);
	journal_forget_scan(journal);
	if (journal->scan.bad)
		sys->release_memory(journal->scan.bad);
	for (uint32_t i = 0; i < JOURNAL_STAGES; i++)
		journal_free_stage_memory(journal, &journal->stages[i]);
	journal_end_couriers(journal);
	sys_flights_end(&journal->flights);
	journal_guests_end(journal);
	if (journal->header_block)
		sys->release_memory(journal->header_block);
	journal_forget_rests(journal);
	pthread_cond_destroy(&journal->changed);
	pthread_condattr_destroy(&journal->clock);
	pthread_mutex_destroy(&journal->lock);
	sys->release_memory(journal);
}

/* With the lock on the file: read it, take the memory, find the live frames. */
static int load(struct atomicio_journal *journal, uint64_t size)
{
	const struct sys_calls *sys = journal->sys;
	int error;

	journal->header_block = sys->allocate(JOURNAL_BLOCK, JOURNAL_BLOCK);
	if (!journal->header_block)
		return -ENOMEM;
	error = journal_read_header(journal);
	if (error)
		return error;
	if (size < journal->header.size)
		return -ERANGE;
	journal->frame_room = journal->header.frame_max;
	if (journal->memory && journal->memory / 2 < journal->frame_room)
		journal->frame_room = (uint32_t)(journal->memory / 2) & ~(JOURNAL_BLOCK - 1);
	journal->memory = sizeof(*journal) + JOURNAL_BLOCK;
	for (uint32_t i = 0; i < JOURNAL_STAGES_FIRST && !error; i++)
		error = journal_make_stage(journal, &journal->stages[i]);
	if (!error)
		error = journal_make_couriers(journal);
	if (error)
		return error;
	/* Of what others are at, the page will tell: T4. */
	if (!journal->share || journal->share->alone)
		error = journal_scan_ring(journal);
	else
		journal->state = ATOMICIO_JOURNAL_READY;
	return !error && journal->share ? journal_share_opened(journal) : error;
}

static void give_up_file(struct atomicio_journal *journal)
{
	journal_share_close(journal);
	journal_close_own(journal->sys, journal->fd, journal->caller_fd);
}

int journal_open_with(const struct sys_calls *sys, int fd,
		      const struct atomicio_journal_open_options *options,
		      struct atomicio_journal **journal)
{
	const bool shared = options->flags & ATOMICIO_JOURNAL_OPEN_SHARED;
	const uint64_t memory = options->memory, least = JOURNAL_FRAME_MIN;
	struct atomicio_journal *made;
	uint32_t mode;
	uint64_t size;
	int error;

	if (!journal)
		return -EFAULT;
	if (memory && memory / 2 < least)
		return -EINVAL;
	error = journal_look_at(sys, fd, &mode, &size);
	if (!error)
		error = journal_share_check(sys, fd);
	if (error)
		return error;
	made = sys->allocate(64, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->sys = sys;
	made->caller_fd = fd;
	made->memory = memory; /* for load() */
	made->waiting_end = &made->waiting;
	pthread_mutex_init(&made->lock, NULL); /* these cannot fail without attributes */
	pthread_condattr_init(&made->clock);
	pthread_condattr_setclock(&made->clock, CLOCK_MONOTONIC);
	pthread_cond_init(&made->changed, &made->clock);
	sys_flights_begin(&made->flights, sys, JOURNAL_FLIGHTS, &made->clock);
	made->is_file = mode == S_IFREG;
	made->fd = journal_open_own(sys, fd, &made->direct);
	if (made->fd < 0) {
		error = made->fd;
		destroy(made);
		return error;
	}
	made->noappend = made->fd == fd && sys_keeps_noappend(sys, fd);
	if (journal_is_volatile(sys, made->fd))
		made->notes |= ATOMICIO_JOURNAL_NOTE_VOLATILE;
	made->delegates = made->is_file && !sys_keeps_dsync(sys, made->fd); /* K9 */
	if (made->delegates)
		made->notes |= ATOMICIO_JOURNAL_NOTE_DELEGATED;
	error = shared ? sys->lock_shared(made->fd) : sys->lock(made->fd);
	if (error) {
		if (made->fd != fd)
			sys->close(made->fd);
		destroy(made);
		return error == -EWOULDBLOCK ? -EBUSY : error;
	}
	error = shared ? journal_share_open(made) : 0;
	if (!error)
		error = load(made, size);
	if (error) {
		give_up_file(made);
		destroy(made);
		return error;
	}
	*journal = made;
	return 0;
}

ATOMICIO_EXPORT int atomicio_journal_open(int fd,
					  const struct atomicio_journal_open_options *options,
					  size_t options_size, struct atomicio_journal **journal)
{
	SYS_NO_CANCEL;
	struct atomicio_journal_open_options ours = {.flags = 0};
	int error = 0;

	if (options)
		error = abi_read(&ours, sizeof(ours), options, options_size,
				 ABI_FIRST_JOURNAL_OPEN);
	if (!error && (ours.flags & ~ATOMICIO_JOURNAL_OPEN_SHARED || ours.reserved))
		error = -EINVAL;
	return error ? error : journal_open_with(&sys_linux, fd, &ours, journal);
}

ATOMICIO_EXPORT int atomicio_journal_close(struct atomicio_journal *journal)
{
	SYS_NO_CANCEL;
	int error;

	if (!journal)
		return 0;
	if (journal_is_callback(journal))
		return -EDEADLK;
	if (journal->files)
		return -EBUSY;
	if (journal->share && journal->share->in_turn)
		(void)journal_turn_end(journal);
	pthread_mutex_lock(&journal->lock);
	journal_await_tail(journal);
	pthread_mutex_unlock(&journal->lock);
	error = journal->share && !journal_share_closes_last(journal) ? 0 : close_clean(journal);
	give_up_file(journal);
	destroy(journal);
	return error;
}
