/* SPDX-License-Identifier: MIT */
/*
 * Open and close a journal.
 *
 * Flow: the border of the journal family, and its headers on disk; journal_create.c makes what
 * is opened here.  The rules J1 to J10 are in journal_internal.h.
 */
#define _GNU_SOURCE
#include "journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "abi.h"
#include "sys_refused.h"

/* A description of the journal's file for our use: direct where that can be had. */
int journal_open_own(const struct sys_calls *sys, int fd)
{
	struct sys_statx stat;
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = sys->open(path, O_RDWR | O_DIRECT);
	if (own >= 0) {
		/* Blocks larger than ours cannot be written direct. */
		if (sys_stat(sys, own, SYS_STATX_BASIC | SYS_STATX_DIOALIGN, &stat) == 0 &&
		    stat.dio_offset_align <= JOURNAL_BLOCK && stat.dio_mem_align <= JOURNAL_BLOCK)
			return own;
		sys->close(own);
	}
	own = sys->open(path, O_RDWR);
	/* Without /proc the caller's own description will do. */
	return own >= 0 ? own : fd;
}

void journal_close_own(const struct sys_calls *sys, int own, int fd)
{
	if (own == fd)
		sys->unlock(fd);
	else
		sys->close(own);
}

/* Is fd one that a journal can live in?  Its mode and size. */
int journal_look_at(const struct sys_calls *sys, int fd, uint32_t *mode, uint64_t *size)
{
	struct sys_statx stat;
	int status, error;

	error = sys_stat(sys, fd, SYS_STATX_BASIC, &stat);
	if (error)
		return error;
	status = sys->getfl(fd);
	if (status < 0)
		return status;
	if ((status & O_ACCMODE) != O_RDWR || status & O_PATH)
		return -EBADF;
	*mode = stat.mode & S_IFMT;
	*size = stat.size;
	if (*mode == S_IFBLK)
		return sys->device_size(fd, size);
	return *mode == S_IFREG ? 0 : -EINVAL;
}

/* Write one copy of a header, durably. */
static int put_header(struct atomicio_journal *journal, const struct journal_header *header,
		      uint32_t copy)
{
	journal_encode_header(journal->header_block, header);
	journal->counters.flushes++;
	journal->counters.bytes_written += JOURNAL_BLOCK;
	return journal_write_home(journal->sys, journal->fd, SYS_RWF_DSYNC, journal->header_block,
				  JOURNAL_BLOCK, (uint64_t)copy * JOURNAL_BLOCK);
}

/*
 * H2: what was read need not be durable.  Whoever wrote the newest copy may have been killed
 * before its flush, or seen that fail: a power cut would bring the one before it back, with its
 * frames, or tear it while the other copy is being written.  So write it again, where it is.
 */
static int settle_header(struct atomicio_journal *journal)
{
	int error = 0;

	if (!journal->settled)
		error = put_header(journal, &journal->header, !journal->first_copy);
	if (!error)
		journal->settled = true;
	return error;
}

/*
 * H1: both copies, the damaged or older first, each durable before the next is begun: at any
 * moment one of them is whole, and it is the newest or the one before, of which nothing has been
 * reused yet.  Two copies of one generation are always equal, so a failure uses one up.
 */
static int put_headers(struct atomicio_journal *journal, const struct journal_header *header)
{
	const uint32_t first = journal->first_copy;
	int error = settle_header(journal);

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

int journal_write_header(struct atomicio_journal *journal, uint64_t tail_offset,
			 uint64_t tail_sequence)
{
	struct journal_header next = journal->header;
	int error;

	next.generation++;
	next.tail_offset = tail_offset;
	next.tail_sequence = tail_sequence;
	next.head_offset = journal->head_offset;
	next.head_sequence = journal->head_sequence;
	if (next.head_sequence < tail_sequence)
		next.head_sequence = tail_sequence;
	error = put_headers(journal, &next);
	/* Only what changes: the rest is read without the lock. */
	journal->header.generation = next.generation;
	if (error)
		return error;
	journal->header.tail_offset = next.tail_offset;
	journal->header.tail_sequence = next.tail_sequence;
	journal->header.head_offset = next.head_offset;
	journal->header.head_sequence = next.head_sequence;
	return 0;
}

/*
 * Stand on firm ground before the first frame: the header is written anew, twice.  A torn frame
 * must not become whole under a later one of its number (J6): skip that.
 */
static int settle(struct atomicio_journal *journal)
{
	if (journal->state != ATOMICIO_JOURNAL_READY)
		return 0;
	if (journal->tail_torn)
		journal->head_sequence++;
	return journal_write_header(journal, journal->head_offset, journal->head_sequence);
}

/*
 * The newer of the two copies; one of them may be torn by a crash, or damaged.  That one is
 * the first to be written again.
 */
static int read_header(struct atomicio_journal *journal)
{
	int found = -ENODATA;

	for (uint32_t copy = 0; copy < JOURNAL_COPIES; copy++) {
		struct journal_header header;
		ssize_t result = journal->sys->pread(journal->fd, journal->header_block,
						     JOURNAL_BLOCK, copy * JOURNAL_BLOCK);
		int error;

		if (result < 0)
			return (int)result;
		error = result == JOURNAL_BLOCK
				? journal_decode_header(journal->header_block, &header)
				: -ENODATA;
		if (error == -EPROTONOSUPPORT)
			return error;
		if (error && found != 0 && error != -ENODATA)
			found = error;
		if (error) {
			journal->first_copy = copy;
			continue;
		}
		if (found == 0 && memcmp(header.id, journal->header.id, JOURNAL_ID_SIZE) != 0)
			return -EBADMSG;
		if (found == 0 && header.generation != journal->header.generation)
			journal->first_copy = header.generation < journal->header.generation;
		if (found != 0 || header.generation > journal->header.generation)
			journal->header = header;
		found = 0;
	}
	return found;
}

static void destroy(struct atomicio_journal *journal)
{
	const struct sys_calls *sys = journal->sys;

	for (uint32_t i = 0; i < JOURNAL_STAGES; i++)
		if (journal->stages[i].frame)
			sys->release_memory(journal->stages[i].frame);
	if (journal->header_block)
		sys->release_memory(journal->header_block);
	pthread_cond_destroy(&journal->changed);
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
	error = read_header(journal);
	if (error)
		return error;
	if (size < journal->header.size)
		return -ERANGE;
	for (uint32_t i = 0; i < JOURNAL_STAGES; i++) {
		journal->stages[i].frame = sys->allocate(JOURNAL_BLOCK, journal->header.frame_max);
		if (!journal->stages[i].frame)
			return -ENOMEM;
	}
	error = journal_scan(journal);
	return error ? error : settle(journal);
}

int journal_open(const struct sys_calls *sys, int fd, struct atomicio_journal **journal)
{
	struct atomicio_journal *made;
	uint32_t mode;
	uint64_t size;
	int error;

	if (!journal)
		return -EFAULT;
	error = journal_look_at(sys, fd, &mode, &size);
	if (error)
		return error;
	made = sys->allocate(64, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->sys = sys;
	made->caller_fd = fd;
	made->waiting_end = &made->waiting;
	pthread_mutex_init(&made->lock, NULL); /* these cannot fail without attributes */
	pthread_cond_init(&made->changed, NULL);
	made->fd = journal_open_own(sys, fd);
	error = sys->lock(made->fd);
	if (error) {
		if (made->fd != fd)
			sys->close(made->fd);
		destroy(made);
		return error == -EWOULDBLOCK ? -EBUSY : error;
	}
	error = load(made, size);
	if (error) {
		journal_close_own(sys, made->fd, fd);
		destroy(made);
		return error;
	}
	*journal = made;
	return 0;
}

ATOMICIO_EXPORT int atomicio_journal_open(int fd, struct atomicio_journal **journal)
{
	return journal_open(&sys_linux, fd, journal);
}

ATOMICIO_EXPORT void atomicio_journal_close(struct atomicio_journal *journal)
{
	if (!journal)
		return;
	journal_close_own(journal->sys, journal->fd, journal->caller_fd);
	destroy(journal);
}
