/* SPDX-License-Identifier: MIT */
/*
 * The journal family, as the write family sees it.
 *
 * Flow: write calls journal, and journal never calls write.  journal_internal.h has the rest, and
 * the rules.
 */
#ifndef LIBATOMICIO_JOURNAL_PRIVATE_H
#define LIBATOMICIO_JOURNAL_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "journal_file.h"
#include "libatomicio/journal.h"

/* No longer page fits any frame of any journal. */
#define JOURNAL_PAGE_LIMIT (64u << 20)

/* One page of a write, as the caller of journal_commit() describes the page. */
struct journal_page {
	struct journal_file *file;
	const void *buffer;
	uint64_t offset;
	uint32_t length;
};

/* Give page `index` of a group: the write family shows its ops without an array. */
typedef void journal_page_at(const void *pages, uint32_t index, struct journal_page *page);

/*
 * Attach a file before its first write: 0; -EEXIST: the id names another file, or the file has
 * another id; -ENOTRECOVERABLE: the file has failed, and its pages are live until recovery;
 * -ENOMEM.
 */
int journal_attach(struct atomicio_journal *journal, struct journal_file *file);
/* Retire the file's frames and forget the file (J10), which is detached in any case. */
int journal_detach(struct atomicio_journal *journal, struct journal_file *file);

/* Does one frame hold `count` pages of `room` bytes, the sum of journal_room()? */
bool journal_fits(const struct atomicio_journal *journal, uint64_t count, uint64_t room);
uint64_t journal_room(uint64_t length);

/*
 * Make a group durable in one frame, or a chain of frames (K5), then write its pages home.
 *
 * 0: durable (E1), and home unless a file failed.  With nothing written: -EMSGSIZE, too long;
 * -EINVAL, two pages overlap; -EBUSY, no turn; -EUCLEAN, -ENOTRECOVERABLE, see the state and the
 * files; -ENOSPC, -EFBIG, no room in the journal; -ENOMEM; -EINTR; any error that leaves the
 * journal unpoisoned: its header could not be written.  Any other error: the journal is poisoned,
 * and recovery decides: old or new, whole.
 */
int journal_commit(struct atomicio_journal *journal, const void *pages, journal_page_at *page_at,
		   uint32_t count);

/* May a live frame cover a part of this range (J3)?  Errs on the side of yes; no lock. */
bool journal_may_cover(const struct atomicio_journal *journal, uint64_t file_id, uint64_t offset,
		       uint64_t length);
/* Retire all live frames: of all files but the failed, or of one. */
int journal_checkpoint(struct atomicio_journal *journal);
int journal_retire_id(struct atomicio_journal *journal, uint64_t file_id);

/*
 * Have blocks and permission for a home write before its frame (K6).  0, or the error of such a
 * write: -ENOSPC, -EDQUOT, -EFBIG or -EPERM.  Best effort (S3).
 */
int journal_claim(struct atomicio_journal *journal, struct journal_file *file, uint64_t offset,
		  uint64_t length);

/* Is it shared with other processes, and this one not in a turn? */
bool journal_has_no_turn(const struct atomicio_journal *journal);
bool journal_is_poisoned(const struct atomicio_journal *journal);
/* A page of this file was lost (loss.h).  With live frames, the file has now failed (K7). */
void journal_file_lost(struct atomicio_journal *journal, const struct journal_file *file);

#endif /* LIBATOMICIO_JOURNAL_PRIVATE_H */
