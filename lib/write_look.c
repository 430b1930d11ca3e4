/* SPDX-License-Identifier: MIT */
/*
 * Looks around a call, for files where the kernel decides at each call whether it is untorn.
 *
 * Flow: the submit step of write_attempt.c for block devices (rules: write_device.c) and for ext4;
 * the same in steps for entries of an io_uring (write_entry.c).
 *
 * ext4 makes a direct write through the page cache if the inode, at this moment, has its data
 * inline or journaled.  RWF_ATOMIC is then lost without a word, and the result is the length
 * (fs/ext4/file.c:ext4_dio_write_iter and ext4_should_use_dio, 6.13 to 7.3; seen on 7.3).  Anybody
 * with write access can change the inode after open: by 20 bytes into an empty file on a filesystem
 * with inline_data, or by chattr +j.  Hence W4:
 *
 * E1 after each success the inode's flags are read; one of the two set means that the page may be
 *    dirty in the cache, to be torn by its write-back.  The look also serves the next write: a
 *    steady write costs two calls.  After a bad look, and as long as E3 holds, a look comes before
 *    the call, too.
 * E2 a flag set and cleared again between two looks does no harm.  FS_IOC_SETFLAGS and a buffered
 *    write take the inode's lock, and clearing JOURNAL_DATA ends with a flush of the whole journal
 *    (fs/ext4/inode.c:ext4_change_inode_journal_flag): the page was whole on the disk before the
 *    flag was gone.  JOURNAL_DATA has no effect on a mount with delalloc, but counts as set,
 *    because a remount could give it one.
 * E3 INLINE_DATA is cleared by the very write that it spoils: a look after proves nothing while the
 *    file *may* become inline, until its first block (fs/ext4/inline.c, EXT4_STATE_MAY_INLINE_DATA;
 *    kept in memory while we hold the file open).  Every way to write a page, direct or not, ends
 *    this state for ever.  The first write to a file without known blocks is therefore made twice,
 *    the second time with RWF_DSYNC and knowing better.
 * E4 a bad look after a success is BROKEN: the page may be torn by a power cut from now on.  A
 *    journal's frame would heal the page: the fallback stays allowed, and poisons nothing.
 *
 * Beyond every look: a page on its way, in such a file, when the power goes.
 *
 * XFS decides anew, too (the realtime flag of an empty file), but refuses every write that it
 * cannot make untorn (fs/xfs/xfs_file.c:xfs_file_write_iter, 6.13 to 7.3): no look is needed.
 */
#include "write.h"

#include <errno.h>

#include "sys_refused.h"
#include "trace.h"

#define SPOILED (SYS_INODE_INLINE_DATA | SYS_INODE_JOURNAL_DATA)

/* Bits of file->inode_state. */
#define INODE_HAS_BLOCKS 1u /* can never become inline again (E3) */
#define INODE_SUSPECT 2u    /* the last look was bad (E1) */

/* Read the flags: 0, or the reason why a write would not be, or was not, untorn. */
static uint64_t look(const struct write_request *request, uint32_t *flags)
{
	struct atomicio_file *file = request->file;

	*flags = 0;
	if (file->sys->inode_flags(file->fd, flags))
		return ATOMICIO_REASON_NO_RECHECK;
	if (*flags & SPOILED) {
		atomic_fetch_or_explicit(&file->inode_state, INODE_SUSPECT, memory_order_relaxed);
		return ATOMICIO_REASON_DATA_JOURNALED;
	}
	return 0;
}

static bool inode_before(struct write_request *request, struct write_outcome *outcome)
{
	struct atomicio_file *file = request->file;
	const uint32_t state = atomic_load_explicit(&file->inode_state, memory_order_relaxed);
	uint64_t why;
	uint32_t flags;

	request->first = !(state & INODE_HAS_BLOCKS);
	if (state == INODE_HAS_BLOCKS)
		return true;
	why = look(request, &flags);
	if (!why) {
		atomic_fetch_and_explicit(&file->inode_state, ~INODE_SUSPECT, memory_order_relaxed);
		return true;
	}
	/*
	 * An earlier write made the file inline, and only another can end the state; tries are
	 * counted.
	 */
	if (request->doubtful && flags & SYS_INODE_INLINE_DATA)
		return true;
	write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, -EOPNOTSUPP, why);
	write_judge_doubt(request, outcome);
	return false;
}

static bool inode_after(struct write_request *request, int64_t result,
			struct write_outcome *outcome)
{
	uint64_t why;
	uint32_t flags;

	write_interpret(request, result, outcome);
	if (outcome->kind) {
		write_judge_doubt(request, outcome);
		return true;
	}
	why = look(request, &flags);
	if (!why && !request->first)
		return true;
	request->doubtful = true;
	if (why)
		request->maybe_torn = true;
	else
		write_device_note(request);
	if (!why) /* E3: the write ended the state */
		atomic_fetch_or_explicit(&request->file->inode_state, INODE_HAS_BLOCKS,
					 memory_order_relaxed);
	else if (flags & SYS_INODE_INLINE_DATA)
		write_back_range(request); /* the write-back ends the state */
	if ((!why || flags & SYS_INODE_INLINE_DATA) && ++request->doubtful_calls < WRITE_TRIES)
		return false;
	write_fail(outcome, ATOMICIO_KIND_BUSY, -EAGAIN, why);
	write_judge_doubt(request, outcome);
	return true;
}

bool write_look_before(struct write_request *request, struct write_outcome *outcome)
{
	request->mark = loss_mark(&request->file->loss);
	switch (request->file->looks) {
	case WRITE_LOOK_DEVICE:
		return write_device_before(request, outcome);
	case WRITE_LOOK_INODE:
		return inode_before(request, outcome);
	default:
		return true;
	}
}

int write_look_rwf(const struct write_request *request)
{
	int rwf = SYS_RWF_ATOMIC | write_rwf(request->flags);

	if (request->file->looks == WRITE_LOOK_DEVICE)
		rwf |= write_device_rwf(request);
	/* A torn page may be in the device's cache: the repeat must not be lost there. */
	if (request->doubtful)
		rwf |= SYS_RWF_DSYNC;
	return rwf;
}

static bool look_after(struct write_request *request, int64_t result, struct write_outcome *outcome)
{
	switch (request->file->looks) {
	case WRITE_LOOK_DEVICE:
		return write_device_after(request, result, outcome);
	case WRITE_LOOK_INODE:
		return inode_after(request, result, outcome);
	default:
		write_interpret(request, result, outcome);
		return true;
	}
}

bool write_look_after(struct write_request *request, int64_t result, struct write_outcome *outcome)
{
	const bool syncs = request->flags & ATOMICIO_DSYNC || request->doubtful;
	const bool done = look_after(request, result, outcome);

	/* An error hidden from the policy may have been a lost page's (W6). */
	if (!done && result < 0 && syncs)
		(void)loss_ask(&request->file->loss, (int)result, request->mark, false);
	if (done && outcome->kind && result < 0 && result != -ECANCELED)
		outcome->answer = (int32_t)result;
	return done;
}

bool write_look_refused(const struct write_request *request, int64_t result,
			struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;

	if (result >= 0 || !sys_refuses_pwritev2(file->sys, file->fd, result))
		return false;
	write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, (int32_t)result,
		   ATOMICIO_REASON_UNCONFIRMED);
	write_judge_doubt(request, outcome);
	return true;
}

void write_look(struct write_request *request, const struct iovec *vector,
		struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;
	int64_t result;

	request->doubtful_calls = 0;
	do {
		if (!write_look_before(request, outcome))
			return;
		TRACE_SUBMIT(file->fd, request->offset, request->length, request->flags);
		result = file->sys->pwritev2(file->fd, vector, 1, request->offset,
					     write_look_rwf(request));
		if (write_look_refused(request, result, outcome))
			return;
	} while (!write_look_after(request, result, outcome));
}

/* At open: more than an attribute block's worth of blocks is data. */
uint64_t write_look_open(struct atomicio_file *file)
{
	const struct sys_calls *sys = file->sys;
	struct sys_statx stat;
	uint32_t magic, flags;

	/* A filesystem not known to be XFS might be ext4. */
	if (sys->fs_magic(file->fd, &magic) == 0 && magic == SYS_MAGIC_XFS)
		return 0;
	if (sys->inode_flags(file->fd, &flags))
		return ATOMICIO_REASON_NO_RECHECK;
	if (flags & SYS_INODE_JOURNAL_DATA)
		return ATOMICIO_REASON_DATA_JOURNALED;
	file->looks = WRITE_LOOK_INODE;
	file->inode_state = INODE_SUSPECT;
	if (!(flags & SYS_INODE_INLINE_DATA) &&
	    sys_stat(sys, file->fd, SYS_STATX_BASIC, &stat) == 0 &&
	    stat.blocks / 2 >= stat.blksize / 512)
		file->inode_state = INODE_HAS_BLOCKS;
	return 0;
}
