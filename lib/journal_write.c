/* SPDX-License-Identifier: MIT */
/*
 * Write all bytes, or give an error; and all writes of the journal to its own file.
 *
 * Flow: below home writes (journal_home.c, journal_aio.c), frames and headers.
 */
#include "journal_internal.h"

#include <errno.h>

#include "sys_refused.h"

int journal_write_rest(const struct sys_calls *sys, int fd, int rwf, const struct iovec *vector,
		       uint32_t count, uint64_t offset, uint64_t done)
{
	uint32_t interrupted = 0;

	for (;;) {
		struct iovec part;
		ssize_t result;

		for (; count && done >= vector->iov_len; vector++, count--) {
			done -= vector->iov_len;
			offset += vector->iov_len;
		}
		if (!count)
			return 0;
		/* The rest of a piece is written alone: the vector is the caller's. */
		part = (struct iovec){.iov_base = (uint8_t *)vector->iov_base + done,
				      .iov_len = vector->iov_len - done};
		result = sys_write_at(sys, fd, done ? &part : vector, done ? 1 : (int)count,
				      offset + done, rwf);
		if (result == -EINTR && ++interrupted < JOURNAL_EINTR_MAX)
			continue;
		if (result <= 0)
			return result < 0 ? (int)result : -EIO;
		done += (uint64_t)result;
	}
}

int journal_write_all(const struct sys_calls *sys, int fd, int rwf, const uint8_t *data,
		      uint64_t length, uint64_t offset)
{
	const struct iovec vector = {
		.iov_base = (void *)(uintptr_t)data, /* only read; iovec has no const */
		.iov_len = length,
	};

	return journal_write_vector(sys, fd, rwf, &vector, 1, offset);
}

int journal_sync_own(const struct atomicio_journal *journal)
{
	int error = 0;

	for (uint32_t i = 0; i < JOURNAL_EINTR_MAX; i++) {
		error = journal->sys->fdatasync(journal->fd);
		if (error != -EINTR)
			break;
	}
	return error;
}

/* RWF_NOAPPEND (6.9) holds, too, when O_APPEND comes between the look and the write. */
int journal_write_own(const struct atomicio_journal *journal, int rwf, const uint8_t *data,
		      uint64_t length, uint64_t offset)
{
	int error = journal_check_append(journal);

	if (error)
		return error;
	if (journal->noappend) {
		error = journal_write_all(journal->sys, journal->fd, rwf | SYS_RWF_NOAPPEND, data,
					  length, offset);
		if (error != -EOPNOTSUPP)
			return error;
	}
	return journal_write_all(journal->sys, journal->fd, rwf, data, length, offset);
}

/* K9: a filesystem that only passes RWF_DSYNC on may lose the flag. */
int journal_write_durable(const struct atomicio_journal *journal, const uint8_t *data,
			  uint64_t length, uint64_t offset)
{
	const int error = journal_write_own(journal, SYS_RWF_DSYNC, data, length, offset);

	return error || !journal->delegates ? error : journal_sync_own(journal);
}
