/* SPDX-License-Identifier: MIT */
/*
 * Open and close a journal.
 *
 * Flow: the border of the journal family.  journal_create.c makes a journal, journal_header.c has
 * its headers on disk.  The rules J1 to J10 are in journal_internal.h.
 *
 * States of a journal (journal->state), what holds in each, and which function leaves it:
 *
 *	  | load(), by journal_scan_ring() and journal_judge()
 *	  |-> READY            no frame waits for a recovery.  Frames and attaches are accepted.
 *	  |-> UNCLEAN          frames wait for a recovery.  Writes give -EUCLEAN.
 *	  |-> TAIL_UNREADABLE  an unreadable place may hide an acknowledged frame (H4).  Recovery
 *	  |                    only with ATOMICIO_RECOVER_UNREADABLE.
 *	  |-> CORRUPT          an acknowledged frame is lost (J6).  No recovery.
 *	READY
 *	  |-> POISONED         journal_poison(): a frame's write failed, and the frame may be on the
 *	  |                    disk (J9).  Writes give -ENOTRECOVERABLE, until close and open.
 *	  |-> UNCLEAN          recover() scans again, for pages that an earlier recovery left.
 *	UNCLEAN, TAIL_UNREADABLE: atomicio_journal_recover()
 *	  |-> READY            retire_all(): all pages are home, and all frames retired.
 *	  |-> READY            journal_resume(): all pages but those of the rests are home.
 *	  |-> unchanged        an error, or too much is left for journal_resume().
 *
 * A shared journal also changes at the beginning of a turn (journal_turn.c):
 * journal_shared_adopt() gives READY; reload() leads to a new scan from every state.
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
	journal_empty_header(journal, &next);
	next.flags = JOURNAL_CLEAN;
	return journal_install_header(journal, &next);
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

static void begin(struct atomicio_journal *journal, const struct sys_calls *sys, int fd)
{
	journal->sys = sys;
	journal->caller_fd = fd;
	journal->waiting_end = &journal->waiting;
	pthread_mutex_init(&journal->lock, NULL); /* these cannot fail without attributes */
	pthread_condattr_init(&journal->clock);
	pthread_condattr_setclock(&journal->clock, CLOCK_MONOTONIC);
	pthread_cond_init(&journal->changed, &journal->clock);
	sys_flights_begin(&journal->flights, sys, JOURNAL_FLIGHTS, &journal->clock);
}

/* A description for the journal, and the lock on it; nothing is left open after an error. */
static int take_file(struct atomicio_journal *journal, bool shared)
{
	const struct sys_calls *sys = journal->sys;
	const int fd = journal->caller_fd;
	int error;

	journal->fd = journal_open_own(sys, fd, &journal->direct);
	if (journal->fd < 0)
		return journal->fd;
	journal->noappend = journal->fd == fd && sys_keeps_noappend(sys, fd);
	if (journal_is_volatile(sys, journal->fd))
		journal->notes |= ATOMICIO_JOURNAL_NOTE_VOLATILE;
	journal->delegates = journal->is_file && !sys_keeps_dsync(sys, journal->fd); /* K9 */
	if (journal->delegates)
		journal->notes |= ATOMICIO_JOURNAL_NOTE_DELEGATED;
	error = shared ? sys->lock_shared(journal->fd) : sys->lock(journal->fd);
	if (error && journal->fd != fd)
		sys->close(journal->fd);
	return error == -EWOULDBLOCK ? -EBUSY : error;
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
	error = journal_check_fd(sys, fd, &mode, &size);
	if (!error)
		error = journal_share_check(sys, fd);
	if (error)
		return error;
	made = sys->allocate(64, sizeof(*made));
	if (!made)
		return -ENOMEM;
	begin(made, sys, fd);
	made->memory = memory; /* for load() */
	made->is_file = mode == S_IFREG;
	error = take_file(made, shared);
	if (error) {
		destroy(made);
		return error;
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
