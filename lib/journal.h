/* SPDX-License-Identifier: MIT */
/*
 * The journal family, as the write family sees it.
 *
 * Flow: write calls journal, and journal never calls write.  journal_internal.h has the rest, and
 * the rules.
 */
#ifndef LIBATOMICIO_JOURNAL_PRIVATE_H
#define LIBATOMICIO_JOURNAL_PRIVATE_H

#include <errno.h>
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

/*
 * Attach a file before its first write: 0; -EEXIST: the id names another file, or the file has
 * another id; -ENOTRECOVERABLE: the file has failed, and its pages are live until recovery;
 * -ENOMEM.
 */
int journal_attach(struct atomicio_journal *journal, struct journal_file *file);
/* Is this the file, or the device, of the journal itself?  No description is opened. */
bool journal_is_own_file(const struct atomicio_journal *journal, const struct sys_statx *stat);
/* Are pages of the file in frames or entries of guests (journal_guest.h)?  If so, do not detach. */
bool journal_guest_uses(struct atomicio_journal *journal, const struct journal_file *file);
/* Retire the file's frames and forget the file (J10), which is detached in any case. */
int journal_detach(struct atomicio_journal *journal, struct journal_file *file);

/* Does one frame hold `count` pages of `room` bytes, the sum of journal_room()? */
bool journal_fits(const struct atomicio_journal *journal, uint64_t count, uint64_t room);
static inline uint64_t journal_room(uint64_t length)
{
	return journal_padded(length);
}

/*
 * Make a group durable in one frame, or a chain of frames (K5), then write its pages home.
 *
 * 0: durable (K11), and home unless a file failed.  With nothing written: -EMSGSIZE, too long;
 * -EINVAL, two pages overlap; -EUCLEAN, -ENOTRECOVERABLE, see the state and the files; -ENOSPC,
 * -EFBIG, no room in the journal; -EBUSY, a guest's entry has to complete first (JG1), or no turn;
 * -ENOMEM; -EINTR; any error that leaves the journal unpoisoned: its header could not be written.
 * Any other error: the journal is poisoned, and recovery leaves each page old or new, whole.
 */
int journal_commit(struct atomicio_journal *journal, const struct journal_page *pages,
		   uint32_t count, bool behind);
/*
 * Wait until no page of the range is on its way home.  0, or the error of the home write that has
 * failed the file.
 */
int journal_await_homes(struct atomicio_journal *journal, struct journal_file *file,
			uint64_t offset, uint64_t end);

/* May a live frame cover a part of this range (J3)?  Errs on the side of yes; no lock. */
bool journal_may_cover(const struct atomicio_journal *journal, uint64_t file_id, uint64_t offset,
		       uint64_t length);
/* Retire all live frames: of all files except failed files, or of one file. */
int journal_checkpoint(struct atomicio_journal *journal);
int journal_retire_id(struct atomicio_journal *journal, uint64_t file_id);
/* The same for a guest, without waiting: 0, no frame of the id is live, or JG5. */
int journal_guest_retire_id(struct atomicio_journal *journal, uint64_t file_id);

/*
 * Have blocks and permission for a home write before its frame (K6).  0, or the error that the home
 * write would give: -ENOSPC, -EDQUOT, -EFBIG or -EPERM.  Best effort (K6).  Without `may_wait` no
 * block is taken, and -ENXIO says that new blocks are needed.  *size_limit is RLIMIT_FSIZE as asked
 * in this call of the application, 0: not yet.
 */
int journal_claim(struct atomicio_journal *journal, struct journal_file *file, uint64_t offset,
		  uint64_t length, uint64_t *size_limit, bool may_wait);

/* Is the journal shared with other processes, and this process not in a turn? */
bool journal_has_no_turn(const struct atomicio_journal *journal);
bool journal_is_poisoned(const struct atomicio_journal *journal);
/* A page of this file was lost (loss.h).  With live frames, the file has now failed (K7). */
void journal_file_lost(struct atomicio_journal *journal, const struct journal_file *file);

/*
 * Guests: pages whose frame and home are entries of the caller's ring.  journal_guest.h has the
 * rules, and the states of a frame.
 */

/* JG5: the call is not possible now, and changed nothing. */
static inline bool journal_is_later(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -ENOBUFS || error == -ENOSPC ||
	       error == -ENXIO;
}

/* The contents of an entry. */
struct journal_guest_io {
	int fd;
	int rwf;
	const void *bytes;
	uint64_t length;
	uint64_t offset;
	bool sync;    /* an fdatasync of fd instead */
	bool nothing; /* a no-op */
};

/* The place of a gathered page. */
struct journal_guest_place {
	uint64_t serial;
	uint32_t page;
};

/*
 * Take memory for `frames` frames, and write the header that the first frame needs (H1); waits.
 * -EBUSY: called before; -EINVAL; -ENOMEM; or as journal_commit().
 */
int journal_guests_begin(struct atomicio_journal *journal, uint32_t frames, int event);
bool journal_has_guests(const struct atomicio_journal *journal);
/* A file was synced: a retirement that had to wait for the sync can go on. */
void journal_guest_synced(struct atomicio_journal *journal);

/*
 * Put pages into the open frame, all or none, in three steps; *place is the first page's, and the
 * other pages follow.  A begin that gives 0 is ended, with the error of the first put that failed:
 * then no page was put.  With `io` the frame is closed at the end, and *io is its entry, or no page
 * was put.  JG5; -EINVAL: two pages overlap; -EMSGSIZE: no frame holds the pages; or as
 * journal_commit() with nothing written.
 */
int journal_gather_begin(struct atomicio_journal *journal, struct journal_guest_place *place);
int journal_gather_put(struct atomicio_journal *journal, const struct journal_guest_place *place,
		       const struct journal_page *page);
int journal_gather_end(struct atomicio_journal *journal, const struct journal_guest_place *place,
		       struct journal_guest_io *io, int error);
/*
 * Close the frame of a gathered page; the frame's entry is due. -EALREADY: the frame is not open.
 */
int journal_gather_close(struct atomicio_journal *journal, uint64_t serial);
/* Forget the open frame with all its pages. */
int journal_gather_drop(struct atomicio_journal *journal, uint64_t serial);

/* The due entry, of a closed frame or after -EAGAIN. -EINVAL: no entry is due. */
int journal_guest_next(struct atomicio_journal *journal, uint64_t serial,
		       struct journal_guest_io *io);
/* 0: durable; -EAGAIN: ask for the next entry; or an error, as of journal_commit(). */
int journal_guest_framed(struct atomicio_journal *journal, uint64_t serial, int64_t result);
/* The due entry will never be asked for.  -ECANCELED; or -EIO: the journal is poisoned (J9). */
int journal_guest_give_up(struct atomicio_journal *journal, uint64_t serial);
/* 0: durable; -EINPROGRESS; -ECANCELED; or the error of a frame that poisoned the journal. */
int journal_guest_look(struct atomicio_journal *journal, uint64_t serial);
/* The home entry of a page in a durable frame. */
int journal_guest_home(struct atomicio_journal *journal, const struct journal_guest_place *place,
		       struct journal_guest_io *io);
/* 0: the page is home, or its file has failed; -EAGAIN: ask for the entry again. */
int journal_guest_homed(struct atomicio_journal *journal, const struct journal_guest_place *place,
			int64_t result);

#endif /* LIBATOMICIO_JOURNAL_PRIVATE_H */
