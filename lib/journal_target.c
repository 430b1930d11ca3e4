/* SPDX-License-Identifier: MIT */
/*
 * The files of a recovery: ask for each, compare its identity, open it for ourselves.
 *
 * Flow: before the first page is written: a wrong file is left alone as a whole (K4).
 */
#define _GNU_SOURCE
#include "journal_recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sys_refused.h"
#include "sys_reopen.h"

static int by_file(const void *left, const void *right)
{
	const struct journal_row *a = left, *b = right;

	return (a->identity.file_id > b->identity.file_id) -
	       (a->identity.file_id < b->identity.file_id);
}

uint64_t journal_done_up_to(const struct journal_header *header, uint64_t file_id)
{
	uint64_t up_to = 0;

	for (uint32_t i = 0; i < header->done_count; i++)
		if (header->done[i].file_id == file_id && header->done[i].up_to > up_to)
			up_to = header->done[i].up_to;
	return up_to;
}

/* Sort the rows by their file, and make a target of each run. */
static int make_targets(struct journal_recovery *recovery)
{
	const struct journal_header *header = &recovery->journal->header;
	struct journal_scan *scan = &recovery->journal->scan;
	struct journal_target *target = NULL;

	if (scan->row_count == 0)
		return 0;
	qsort(scan->rows, scan->row_count, sizeof(scan->rows[0]), by_file);
	recovery->targets = recovery->journal->sys->allocate(
		_Alignof(max_align_t), scan->row_count * sizeof(*recovery->targets));
	if (!recovery->targets)
		return -ENOMEM;
	for (uint32_t i = 0; i < scan->row_count; i++) {
		const struct journal_row *row = &scan->rows[i];

		if (!target || target->file_id != row->identity.file_id) {
			target = &recovery->targets[recovery->count++];
			target->file_id = target->fate.file_id = row->identity.file_id;
			target->rows = i;
			target->up_to = journal_done_up_to(header, target->file_id);
			target->fd = target->plain = target->direct = target->unfit = -1;
		}
		target->row_count++;
		if (row->last > target->last)
			target->last = row->last;
	}
	for (uint32_t i = 0; i < recovery->count; i++)
		recovery->targets[i].is_done =
			recovery->targets[i].last < recovery->targets[i].up_to; /* H3 */
	return 0;
}

struct journal_target *journal_find_target(const struct journal_recovery *recovery,
					   uint64_t file_id)
{
	uint32_t low = 0, high = recovery->count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (recovery->targets[middle].file_id < file_id)
			low = middle + 1;
		else
			high = middle;
	}
	/* The scan has seen every row of every frame. */
	assert(low < recovery->count && recovery->targets[low].file_id == file_id);
	return &recovery->targets[low];
}

static void compare(const struct journal_recovery *recovery, struct journal_target *target)
{
	const struct journal_row *rows = &recovery->journal->scan.rows[target->rows];
	struct journal_identity now = {.file_id = target->file_id};
	uint32_t differs = 0;

	journal_identify(recovery->journal->sys, target->fd, &now);
	for (uint32_t i = 0; i < target->row_count; i++)
		if (rows[i].last >= target->up_to)
			differs |= journal_differences(&rows[i].identity, &now);
	target->fate.differs = differs;
	if (differs & ~ATOMICIO_DIFFERS_UNKNOWN &&
	    !(recovery->options.flags & ATOMICIO_RECOVER_ANY_FILE))
		target->fate.result = -ESTALE;
}

/*
 * K8: descriptions of our own.  The caller's may have O_APPEND, which would move every page, or
 * O_DIRECT, which takes no odd one.  Used only where /proc cannot give another.
 */
static int open_own(const struct sys_calls *sys, struct journal_target *target)
{
	int status;

	target->direct = sys_reopen(sys, target->fd, O_RDWR | O_DIRECT, &target->stat);
	if (target->direct >= 0 && !journal_fits_direct(sys, target->direct, &target->align)) {
		/* Closed with the others: a close(2) drops the record locks of the process. */
		target->unfit = target->direct;
		target->direct = -1;
	}
	target->plain = sys_reopen(sys, target->fd, O_RDWR, &target->stat);
	if (target->plain >= 0)
		return 0;
	target->plain = target->fd;
	status = sys->getfl(target->fd);
	if (status < 0)
		return status;
	/* Only RWF_NOAPPEND (6.9) keeps writes in place, if at all. */
	if (status & O_APPEND && !sys_keeps_noappend(sys, target->fd))
		return -EOPNOTSUPP;
	target->rwf = status & O_APPEND ? SYS_RWF_NOAPPEND : 0;
	return 0;
}

static int check_target(const struct journal_recovery *recovery, struct journal_target *target)
{
	const struct sys_calls *sys = recovery->journal->sys;
	const int status = sys->getfl(target->fd);
	int error;

	if (status < 0)
		return status;
	if ((status & O_ACCMODE) == O_RDONLY || status & O_PATH)
		return -EBADF;
	error = sys_stat(sys, target->fd, SYS_STATX_BASIC, &target->stat);
	if (error)
		return error;
	return journal_is_own_file(recovery->journal, &target->stat) ? -EINVAL : 0;
}

static int open_target(struct journal_recovery *recovery, struct journal_target *target)
{
	const struct sys_calls *sys = recovery->journal->sys;
	int error = check_target(recovery, target);

	if (!error && recovery->options.flags & ATOMICIO_RECOVER_LOCK)
		error = sys->lock(target->fd);
	if (!error)
		compare(recovery, target);
	if (error || target->fate.result)
		return error ? error : target->fate.result;
	error = open_own(sys, target);
	if (!error)
		error = loss_open(&target->loss, sys,
				  target->direct >= 0 ? target->direct : target->plain,
				  target->plain, 0, NULL);
	target->has_loss = !error;
	return error;
}

/* More targets are not compared with each other. */
#define COMPARED_MAX 1000u

/* May the same bytes of a disk be pages of two targets?  Devices may lie inside of each other. */
static bool may_be_the_same(const struct journal_recovery *recovery)
{
	const struct journal_target *targets = recovery->targets;

	if (recovery->count > COMPARED_MAX)
		return true;
	for (uint32_t i = 1; i < recovery->count; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct journal_target *a = &targets[i], *b = &targets[j];

			if (!journal_is_open_target(a) || !journal_is_open_target(b))
				continue;
			if (!journal_is_regular(a) || !journal_is_regular(b) ||
			    sys_is_same(&a->stat, &b->stat))
				return true;
		}
	return false;
}

int journal_open_targets(struct journal_recovery *recovery)
{
	int error = make_targets(recovery);

	for (uint32_t i = 0; i < recovery->count && !error; i++) {
		struct journal_target *target = &recovery->targets[i];

		if (target->is_done)
			continue;
		target->fd = recovery->resolve(recovery->context, target->file_id);
		target->is_gone = target->fd == -ENOENT;
		if (target->is_gone)
			continue;
		target->fate.result = target->fd < 0 ? target->fd : open_target(recovery, target);
		if (target->fate.result > 0) /* no errno of ours */
			target->fate.result = -EINVAL;
	}
	/* A choice looks at the home after all frames before; two ids need their frames' order. */
	recovery->singly = recovery->options.choose || may_be_the_same(recovery);
	return error;
}

/* Targets whose descriptions stay open, or the process's record locks on the files would go. */
struct journal_kept {
	struct journal_kept *next;
	struct journal_target *targets;
	uint32_t count;
};

static void close_targets(const struct sys_calls *sys, struct journal_target *targets,
			  uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct journal_target *target = &targets[i];

		if (target->has_loss)
			loss_close(&target->loss);
		if (target->plain >= 0 && target->plain != target->fd)
			sys->close(target->plain);
		if (target->direct >= 0)
			sys->close(target->direct);
		if (target->unfit >= 0)
			sys->close(target->unfit);
	}
	sys->release_memory(targets);
}

void journal_close_kept(struct atomicio_journal *journal)
{
	while (journal->kept) {
		struct journal_kept *kept = journal->kept;

		journal->kept = kept->next;
		close_targets(journal->sys, kept->targets, kept->count);
		journal->sys->release_memory(kept);
	}
}

void journal_close_targets(struct journal_recovery *recovery)
{
	struct atomicio_journal *journal = recovery->journal;
	struct journal_kept *kept;

	if (!recovery->targets)
		return;
	if (!(recovery->options.flags & ATOMICIO_RECOVER_KEEP_OPEN)) {
		close_targets(journal->sys, recovery->targets, recovery->count);
		return;
	}
	kept = journal->sys->allocate(_Alignof(struct journal_kept), sizeof(*kept));
	if (!kept)
		return; /* lost, and open: a lock that is dropped is worse */
	*kept = (struct journal_kept){journal->kept, recovery->targets, recovery->count};
	journal->kept = kept;
}
