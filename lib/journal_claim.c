/* SPDX-License-Identifier: MIT */
/*
 * Room before the frame (K6): obstacles of the home write are asked for before the page is
 * promised.
 *
 * Flow: the write family asks for each page, before journal_commit().  A refusal leaves the old
 * page on disk and poisons nothing; found out after the frame it would fail the file (K7).
 *
 * Best effort.  Blocks are taken beyond the end of the file alone, in chunks, and a growing
 * file pays one call in many.  An overwrite on a copy-on-write or thin volume, or a hole, may still
 * find no room.  The blocks stay behind the file's end (FALLOC_FL_KEEP_SIZE) until the file grows
 * or is cut.
 */
#include "journal_internal.h"
#include "sys_refused.h"

#include <errno.h>

/* Unit of the blocks taken beyond the end. */
#define CHUNK (UINT64_C(1) << 20)

/* linux/fcntl.h has them since 3.17 and 5.1; hidden by -std=c11. */
#define SEAL_GROW 0x0004
#define SEAL_WRITE 0x0008
#define SEAL_FUTURE_WRITE 0x0010

/* A memfd may be sealed at any time. */
static int check_seals(const struct sys_calls *sys, const struct journal_file *file, uint64_t end)
{
	struct sys_statx stat;
	const int seals = sys->seals(file->fd);

	if (seals < 0)
		return 0; /* no seals */
	if (seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
		return -EPERM;
	if (!(seals & SEAL_GROW))
		return 0;
	if (sys->statx(file->fd, "", SYS_STATX_BASIC, &stat) == 0 && end > stat.size)
		return -EPERM;
	return 0;
}

static void note_room(struct journal_file *file, uint64_t end)
{
	uint64_t known = atomic_load_explicit(&file->room, memory_order_relaxed);

	while (known < end &&
	       !atomic_compare_exchange_weak_explicit(&file->room, &known, end,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

/* Errors for "no room"; any other error says that this filesystem cannot tell. */
static bool has_no_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EFBIG || error == -EPERM;
}

/*
 * No block is taken of a gap between the end and a page far behind: a hole (K6); and none beyond
 * RLIMIT_FSIZE, where tmpfs sends SIGXFSZ (6.18, mm/shmem.c:shmem_fallocate()).
 */
static int take_blocks(const struct sys_calls *sys, struct journal_file *file, uint64_t offset,
		       uint64_t end, uint64_t limit)
{
	const uint64_t room = atomic_load_explicit(&file->room, memory_order_relaxed);
	const uint64_t from = offset > room ? offset : room;
	const uint64_t wanted = (end + CHUNK - 1) / CHUNK * CHUNK;
	uint64_t to = wanted > INT64_MAX || wanted > limit ? end : wanted;
	int error;

	if (room >= end)
		return 0;
	error = sys->keep_blocks(file->fd, from, to - from);
	if (error && to != end) { /* the last chunk may be too much where the page is not */
		to = end;
		error = sys->keep_blocks(file->fd, from, to - from);
	}
	if (has_no_room(error))
		return error;
	note_room(file, to);
	return 0;
}

/*
 * Where nobody may wait: fallocate(2) waits for direct writes of the file that are on their way
 * (6.18, fs/ext4/extents.c, fs/xfs/xfs_file.c).  Up to the file's end blocks count as taken, as at
 * open.
 */
static int look_for_blocks(const struct sys_calls *sys, struct journal_file *file, uint64_t end)
{
	struct sys_statx stat;

	if (atomic_load_explicit(&file->room, memory_order_relaxed) >= end)
		return 0;
	if (sys_stat(sys, file->fd, SYS_STATX_BASIC, &stat))
		return 0; /* nobody can tell */
	if (stat.size < end)
		return -ENXIO;
	note_room(file, stat.size);
	return 0;
}

int journal_claim(struct atomicio_journal *journal, struct journal_file *file, uint64_t offset,
		  uint64_t length, uint64_t *size_limit, bool may_wait)
{
	const struct sys_calls *sys = journal->sys;
	const uint64_t end = offset + length;
	int error = 0;

	if (!file->grows)
		return 0;
	if (*size_limit < end)
		error = sys->file_size_limit(size_limit);
	if (error)
		return error;
	if (*size_limit < end)
		return -EFBIG;
	error = file->may_be_sealed ? check_seals(sys, file, end) : 0;
	if (error)
		return error;
	return may_wait ? take_blocks(sys, file, offset, end, *size_limit)
			: look_for_blocks(sys, file, end);
}
