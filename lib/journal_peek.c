/* SPDX-License-Identifier: MIT */
/*
 * Questions that open nothing: is anything live in this journal, and does a group fit?
 *
 * Flow: called by the application, the first question before it opens a journal.
 *
 * A peek opens and closes no descriptor of the journal's file, because closing one drops all POSIX
 * record locks of the process on the file.  A peek takes no lock either: for a journal open
 * elsewhere the answer is of a moment.
 */
#include "journal_internal.h"

#include <errno.h>

#include "abi.h"
#include "abi_first.h"
#include "sys_cancel.h"

/* Read the header, and the ring unless the header says that nothing is live (K3). */
static int look(struct atomicio_journal *journal, uint64_t size)
{
	int error;

	journal->header_block = journal->sys->allocate(JOURNAL_BLOCK, JOURNAL_BLOCK);
	if (!journal->header_block)
		return -ENOMEM;
	error = journal_read_header(journal);
	if (!error && size < journal->header.size)
		error = -ERANGE;
	return error ? error : journal_scan_ring(journal);
}

int journal_peek(const struct sys_calls *sys, int fd, struct atomicio_journal_info *info)
{
	struct atomicio_journal *journal;
	uint32_t mode;
	uint64_t size;
	int error = journal_size_of(sys, fd, &mode, &size);

	if (error)
		return error;
	journal = sys->allocate(64, sizeof(*journal));
	if (!journal)
		return -ENOMEM;
	journal->sys = sys;
	journal->fd = journal->caller_fd = fd;
	error = look(journal, size);
	if (!error)
		journal_fill_info(journal, info);
	journal_forget_scan(journal);
	if (journal->scan.bad)
		sys->release_memory(journal->scan.bad);
	if (journal->header_block)
		sys->release_memory(journal->header_block);
	sys->release_memory(journal);
	if (error)
		return error;
	/* Known in an open journal alone. */
	info->notes &=
		~(uint32_t)(ATOMICIO_JOURNAL_NOTE_BUFFERED | ATOMICIO_JOURNAL_NOTE_UNSETTLED);
	return info->state != ATOMICIO_JOURNAL_READY;
}

ATOMICIO_EXPORT int atomicio_journal_peek(int fd, struct atomicio_journal_info *info,
					  size_t info_size)
{
	SYS_NO_CANCEL;
	struct atomicio_journal_info ours;
	int result = info ? abi_check(info, info_size, ABI_FIRST_JOURNAL_INFO) : 0;

	if (!result)
		result = journal_peek(&sys_linux, fd, &ours);
	if (result >= 0 && info)
		abi_write(info, info_size, &ours, sizeof(ours));
	return result;
}

/* Whole pages in each member of a chain. */
static uint64_t chain_length(const struct atomicio_journal *journal, uint64_t count, uint64_t room,
			     uint64_t files)
{
	const uint64_t frame_max = journal->header.frame_max;
	uint64_t each = frame_max / room;

	/* Members may need a row for each of their pages, with many files. */
	while (each &&
	       journal_header_length(files < each ? files : each, each) + each * room > frame_max)
		each--;
	if (!each)
		return UINT64_MAX;
	return (count + each - 1) / each *
	       (journal_header_length(files < each ? files : each, each) + each * room);
}

ATOMICIO_EXPORT int64_t atomicio_group_length(const struct atomicio_journal *journal,
					      uint64_t count, uint64_t length, uint64_t files)
{
	uint64_t bytes;

	if (!journal || !count || !length || !files || files > count)
		return -EINVAL;
	/* No journal holds more, and nothing below overflows. */
	if (count > JOURNAL_SIZE_LIMIT / JOURNAL_BLOCK || length > JOURNAL_PAGE_LIMIT ||
	    count > JOURNAL_SIZE_LIMIT / length)
		return -EMSGSIZE;
	bytes = journal_header_length(files, count) + count * journal_padded(length);
	if (bytes <= journal->frame_room)
		return (int64_t)bytes;
	bytes = chain_length(journal, count, journal_padded(length), files);
	return bytes > journal_chain_limit(&journal->header) ? -EMSGSIZE : (int64_t)bytes;
}
