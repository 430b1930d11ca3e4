/* SPDX-License-Identifier: MIT */
/*
 * Lay out a journal in a file.
 *
 * Flow: once in a journal's life; journal.c opens the result.
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "abi.h"
#include "abi_first.h"
#include "sys_cancel.h"
#include "sys_refused.h"

/* Create writes its zeroes in pieces of this size. */
#define ZERO_PIECE (1u << 20)

#define INODE_NOCOW 0x00800000u /* FS_NOCOW_FL */

static int sync_all(const struct sys_calls *sys, int fd)
{
	int error = 0;

	for (uint32_t i = 0; i < JOURNAL_EINTR_MAX; i++) {
		error = sys->fdatasync(fd);
		if (error != -EINTR)
			break;
	}
	return error;
}

/* Write one of the two header blocks, durably on every filesystem (K9). */
static int put_block(const struct sys_calls *sys, int fd, const uint8_t *block, uint32_t index)
{
	const int error = journal_write_all(sys, fd, SYS_RWF_DSYNC, block, JOURNAL_BLOCK,
					    (uint64_t)index * JOURNAL_BLOCK);

	return error || sys_keeps_dsync(sys, fd) ? error : sync_all(sys, fd);
}

/*
 * End the file's old journal, if any.  The older header goes first, or a crash could leave the
 * older one alone, with frames retired long ago.  Before that the newer header is written again,
 * because it need not be durable yet (see journal_settle_header()).
 */
static int end_old(const struct sys_calls *sys, int fd, uint8_t *block)
{
	struct journal_header headers[2] = {{.generation = 0}};
	uint32_t newer;
	int error = 0;

	for (uint32_t i = 0; i < 2 && !error; i++) {
		error = journal_read_all(sys, fd, block, JOURNAL_BLOCK,
					 (uint64_t)i * JOURNAL_BLOCK);
		if (!error && journal_decode_header(block, &headers[i]))
			headers[i].generation = 0;
	}
	if (error == -ERANGE) /* shorter than two headers */
		return 0;
	newer = headers[1].generation > headers[0].generation;
	if (!error && headers[newer].generation) {
		journal_encode_header(block, &headers[newer]);
		error = put_block(sys, fd, block, newer);
	}
	memset(block, 0, JOURNAL_BLOCK);
	if (!error && headers[newer].generation)
		error = put_block(sys, fd, block, !newer);
	if (!error && headers[newer].generation)
		error = put_block(sys, fd, block, newer);
	return error;
}

/* Fill the file with zeroes, then write the first header: a crash before leaves no journal. */
static int lay_out(const struct sys_calls *sys, int fd, const struct journal_header *header)
{
	uint8_t *piece = sys->allocate(JOURNAL_BLOCK, ZERO_PIECE);
	uint64_t offset = 0;
	int error = piece ? end_old(sys, fd, piece) : -ENOMEM;

	while (!error && offset < header->size) {
		const uint64_t left = header->size - offset;
		const uint64_t length = left < ZERO_PIECE ? left : ZERO_PIECE;

		error = journal_write_all(sys, fd, 0, piece, length, offset);
		offset += length;
	}
	if (!error)
		error = sync_all(sys, fd);
	if (!error) {
		journal_encode_header(piece, header);
		error = put_block(sys, fd, piece, 0);
	}
	if (!error)
		error = put_block(sys, fd, piece, 1);
	if (piece)
		sys->release_memory(piece);
	return error;
}

/* A torn header with nothing but its checksum? */
static bool is_last_part(const uint8_t *block)
{
	for (uint32_t i = 0; i < JOURNAL_BLOCK - 4; i++)
		if (block[i])
			return false;
	return true;
}

/*
 * Is nothing there to lose?  A file of zeroes, no longer than the journal will be, is empty, too: a
 * process killed in lay_out() leaves zeroes, and a program that reserved the space.  A power cut in
 * lay_out() may tear the header, the only block with a byte not zero.
 */
static int check_empty(const struct sys_calls *sys, int fd, uint64_t wanted)
{
	struct journal_header torn;
	uint8_t *piece;
	uint64_t size, offset = 0;
	uint32_t mode;
	int error = journal_check_fd(sys, fd, &mode, &size);

	if (error || size == 0)
		return error;
	if (mode != S_IFREG || size > wanted)
		return -EEXIST;
	piece = sys->allocate(JOURNAL_BLOCK, ZERO_PIECE);
	if (!piece)
		return -ENOMEM;
	while (!error && offset < size) {
		const ssize_t length = sys->pread(fd, piece, ZERO_PIECE, offset);

		/* No end before the size: somebody is cutting the file short. */
		error = length > 0 ? 0 : length < 0 ? (int)length : -EEXIST;
		if (offset == 0 && length >= (ssize_t)JOURNAL_BLOCK &&
		    (journal_decode_header(piece, &torn) == -EBADMSG || is_last_part(piece)))
			memset(piece, 0, JOURNAL_BLOCK);
		for (ssize_t i = 0; i < length && !error; i++)
			if (piece[i])
				error = -EEXIST;
		offset += error ? 0 : (uint64_t)length;
	}
	sys->release_memory(piece);
	return error;
}

/*
 * On btrfs each frame would be written to a new place, and need room that a full disk does not
 * have.  NOCOW can be given to an empty file alone (btrfs/ioctl.c, 6.18); without NOCOW the journal
 * works nevertheless.
 */
static void keep_in_place(const struct sys_calls *sys, int fd)
{
	uint32_t magic, flags;

	if (sys->set_inode_flags && sys->fs_magic(fd, &magic) == 0 && magic == SYS_MAGIC_BTRFS &&
	    sys->inode_flags(fd, &flags) == 0)
		(void)sys->set_inode_flags(fd, flags | INODE_NOCOW);
}

static uint64_t round_up(uint64_t value)
{
	return (value + JOURNAL_BLOCK - 1) & ~(uint64_t)(JOURNAL_BLOCK - 1);
}

/*
 * Fill in defaults: 0 or -EINVAL.  Sizes are rounded up: -EINVAL could not say which of them it
 * means.
 */
static int plan(struct atomicio_journal_options *options, struct journal_header *header)
{
	const uint64_t wished = options->size ? options->size : JOURNAL_SIZE_DEFAULT;
	const uint64_t size = round_up(wished);
	uint32_t frame_max = options->frame_max;
	uint64_t half;

	if (options->flags & ~ATOMICIO_JOURNAL_OVERWRITE || wished < JOURNAL_RING_START ||
	    wished > JOURNAL_SIZE_LIMIT || frame_max > JOURNAL_FRAME_LIMIT)
		return -EINVAL;
	half = (size - JOURNAL_RING_START) / 2;
	if (frame_max) {
		frame_max = (uint32_t)round_up(frame_max);
		/* What fits stays what fits. */
		if (frame_max > half && options->frame_max <= half)
			frame_max = (uint32_t)half & ~(JOURNAL_BLOCK - 1);
	} else {
		uint64_t wanted = half < JOURNAL_FRAME_SMALL ? half : JOURNAL_FRAME_SMALL;

		if (wanted < half / 4)
			wanted = half / 4;
		if (wanted > JOURNAL_FRAME_DEFAULT)
			wanted = JOURNAL_FRAME_DEFAULT;
		frame_max = (uint32_t)wanted & ~(JOURNAL_BLOCK - 1);
	}
	*header = (struct journal_header){
		.size = size,
		.generation = 1,
		.tail_offset = JOURNAL_RING_START,
		.tail_sequence = 1,
		.head_offset = JOURNAL_RING_START,
		.head_sequence = 1,
		.flags = JOURNAL_CLEAN,
		.frame_max = frame_max,
	};
	return journal_check_geometry(size, frame_max);
}

/* May a journal with this header be made of fd?  Its mode and size. */
static int check_file(const struct sys_calls *sys, int fd, bool overwrite,
		      const struct journal_header *header, uint32_t *mode, uint64_t *size)
{
	uint64_t limit;
	int error = journal_check_fd(sys, fd, mode, size);

	if (!error)
		error = journal_share_check(sys, fd);
	if (!error && *size && !overwrite)
		error = check_empty(sys, fd, header->size);
	if (!error && *mode == S_IFBLK && *size < header->size)
		error = -ENOSPC;
	if (!error && *mode == S_IFREG && sys->file_size_limit(&limit) == 0 && header->size > limit)
		error = -EFBIG; /* a write would be a SIGXFSZ */
	return error;
}

int journal_create(const struct sys_calls *sys, int fd,
		   const struct atomicio_journal_options *options, size_t options_size)
{
	struct atomicio_journal_options ours = {.size = 0};
	struct journal_header header = {.size = 0};
	uint32_t mode = 0;
	uint64_t size = 0;
	int own, error = 0;
	bool direct, overwrite;

	if (options)
		error = abi_read(&ours, sizeof(ours), options, options_size,
				 ABI_FIRST_JOURNAL_OPTIONS);
	overwrite = ours.flags & ATOMICIO_JOURNAL_OVERWRITE;
	if (!error)
		error = plan(&ours, &header);
	if (!error)
		error = check_file(sys, fd, overwrite, &header, &mode, &size);
	if (!error)
		error = sys_random_bytes(sys, header.id, sizeof(header.id));
	if (error)
		return error;
	own = journal_open_own(sys, fd, &direct);
	if (own < 0)
		return own;
	error = sys->lock(own);
	if (error) {
		if (own != fd)
			sys->close(own);
		return error == -EWOULDBLOCK ? -EBUSY : error;
	}
	/* Somebody may have made a journal between the look and the lock. */
	if (!overwrite)
		error = check_empty(sys, own, header.size);
	if (!error && mode == S_IFREG && size == 0)
		keep_in_place(sys, own);
	if (!error) {
		error = lay_out(sys, own, &header);
		if (error && size == 0)
			(void)sys->truncate(fd, 0); /* the first error counts */
	}
	journal_close_own(sys, own, fd);
	return error;
}

ATOMICIO_EXPORT int atomicio_journal_create(int fd, const struct atomicio_journal_options *options,
					    size_t options_size)
{
	SYS_NO_CANCEL;
	return journal_create(&sys_linux, fd, options, options_size);
}
