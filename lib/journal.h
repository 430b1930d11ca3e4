/* SPDX-License-Identifier: MIT */
/*
 * The journal family, as the write family sees it.
 *
 * Flow: write calls this one; this one never calls write.  journal_internal.h has the rest, and
 * the rules.
 */
#ifndef LIBATOMICIO_JOURNAL_PRIVATE_H
#define LIBATOMICIO_JOURNAL_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "libatomicio/journal.h"
#include "loss.h"

/* No page that is longer fits any frame of any journal. */
#define JOURNAL_PAGE_LIMIT (64u << 20)

/* A file whose writes may go through the journal; part of its handle. */
struct journal_file {
	struct journal_file *next;
	int fd;	 /* home writes go here */
	int rwf; /* with these flags: RWF_NOAPPEND where the kernel has it */
	uint64_t file_id;
	uint64_t inode;
	uint32_t device_major;
	uint32_t device_minor;
	struct loss *loss; /* syncs it, and knows whether a page of it was lost */
	bool dirty;	   /* home writes since its last sync: frames of it may be live */
	uint8_t tag[16];   /* the caller's, zero: none (K4) */
	uint8_t row[64];   /* what frames say of it; set by journal_attach() */
};

/* One page of a write, as the caller of journal_commit() describes it. */
struct journal_page {
	struct journal_file *file;
	const void *buffer;
	uint64_t offset;
	uint32_t length;
};

/* Give page `index` of a group: how the write family shows its ops without an array. */
typedef void journal_page_at(const void *pages, uint32_t index, struct journal_page *page);

/* Attach a file before its first write: 0; -EEXIST: its id names another file, or it has another.
 */
int journal_attach(struct atomicio_journal *journal, struct journal_file *file);
/* Retire its frames and forget it (J10).  The file is detached in any case. */
int journal_detach(struct atomicio_journal *journal, struct journal_file *file);

/* Does one frame hold `count` pages that take `room` bytes, the sum of journal_room()? */
bool journal_fits(const struct atomicio_journal *journal, uint64_t count, uint64_t room);
uint64_t journal_room(uint64_t length);

/*
 * A page of this file was lost (loss.h).  A checkpoint would fail at its next sync of the file:
 * poison the journal now, if it has live frames of the file.
 */
void journal_file_lost(struct atomicio_journal *journal, const struct journal_file *file);

/* Has the journal failed for good?  No lock of the caller's may be one that a checkpoint takes. */
bool journal_is_poisoned(struct atomicio_journal *journal);

/*
 * Make a group durable in one frame, then write it home.  0: done; -EMSGSIZE: it does not fit
 * the largest frame; -EUCLEAN, -ENOTRECOVERABLE: see the state; all these with nothing
 * written.  Any other error: the journal is poisoned, and recovery decides: old or new, whole.
 */
int journal_commit(struct atomicio_journal *journal, const void *pages, journal_page_at *page_at,
		   uint32_t count);

/* May a live frame cover a part of this range (J3)?  Errs on the side of yes; no lock. */
bool journal_may_cover(const struct atomicio_journal *journal, uint64_t file_id, uint64_t offset,
		       uint64_t length);
/* Retire all live frames. */
int journal_checkpoint(struct atomicio_journal *journal);

#endif /* LIBATOMICIO_JOURNAL_PRIVATE_H */
