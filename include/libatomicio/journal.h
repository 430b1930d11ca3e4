/* SPDX-License-Identifier: MIT */
/*
 * libatomicio: the double-write journal.
 *
 * Where neither the disk nor the filesystem makes a write untorn, a journal does, on any file,
 * direct or buffered.  A journal is a log area with frames: after the end the next frame goes to
 * the start.  Each write, or a whole batch over several files, is first made durable in one frame,
 * with one flush, and then written home, to its file.  A group longer than a frame takes a chain of
 * frames, and still one flush.  A frame is live until a checkpoint has synced its files.  After a
 * crash, recovery writes every live frame home again.  A page is therefore never torn, a group is
 * never half there, and the caller pays one flush, as for an unprotected durable write.
 *
 *	create	once: atomicio_journal_create() lays the journal out in an empty file.
 *	open	at each start: atomicio_journal_open(); if frames are live, recover first.
 *	attach	give the journal and a file_id to atomicio_open(): the handle's writes may then fall
 *		back to the journal, or always use the journal.
 *
 * Every write through the journal is durable on return, with or without ATOMICIO_DSYNC, and its
 * pages are in their files.  A reader through another descriptor, another process or a mapping sees
 * the new pages; of pages left behind (ATOMICIO_BEHIND) when they were waited for.  You may
 * therefore read through any descriptor, direct or not, attached or not.
 * Only recovery needs the frames, and atomicio_journal_read() for a failed file.
 *
 * A batch with ATOMICIO_ALL_OR_NONE goes through the journal whatever `path` says, because nothing
 * else can keep several pages together.  When a group fails, the group is whole or absent, and
 * recovery says which: examples/group.c shows how to go on.
 *
 * Programs without knowledge of the journal (backup, copy, an editor, another engine) see the files
 * alone.  After a crash the files are good only after recovery.  Let nothing else open the files
 * before.  Copy the files together with the journal, and never put a copy of a file beside the
 * journal of another time.  Recovery refuses a file whose identity differs from its frames.
 *
 * How large?  Frames are retired (a checkpoint) from half of the log area on, which costs a sync of
 * each file that they name and two headers.  Syncs and headers are AIO requests without a waiter:
 * writers go on in the other half, and stop only when the log area is full.  Where AIO is refused,
 * or a file has no witness, a writer syncs a file or writes a header by call, after its own page.
 * The library makes no thread.  The journal should hold the writes of your load in some seconds,
 * and at least eight of its largest groups; 64 MiB suits most.  A larger journal makes checkpoints
 * rarer and the reading after a crash longer, about a second for one or two GiB.
 *
 * The pages of a batch go home together, sorted, neighbours in one write.  Pages of direct files go
 * through the kernel's AIO: the exit of a killed process waits for AIO writes, and no page of a
 * dead process lands after its locks are free (io_uring gives no such guarantee).  Where AIO is
 * refused, and beyond fs.aio-max-nr, the pages go one by one, only slower.
 *
 * A home write is complete, and seen through other descriptors, when the call returns, unless the
 * file failed.  A durable frame is a commit: a write whose home write fails returns 0.  The file
 * has then failed.  Later calls for the file give -ENOTRECOVERABLE with the reason HOME_FAILED, and
 * atomicio_journal_read() has the newest bytes.  The pages of the file stay in live frames until
 * the journal is opened again and recovered.  Where the log area needs the place of these frames,
 * the pages are carried: framed again.  Other files go on, as long as the pages of failed files
 * take no more than a quarter of the log area, and the log area holds six of the largest frames.
 * Beyond this limit writes give -ENOSPC with the reason JOURNAL_FULL, before anything is written.
 * The pages of a file whose disk only hangs are carried, too, and writers of other files need not
 * wait.  Beyond the limit all writers wait.
 *
 * Before the frame is written, the library looks for obstacles of the home write: room beyond the
 * end of a file, where blocks are taken a MiB at a time (fallocate(2), FALLOC_FL_KEEP_SIZE), the
 * largest size for filesystem and RLIMIT_FSIZE, the seals of a memfd.  A refusal has the kind SPACE
 * and leaves the old page on disk.  A handle with the reason NO_WITNESS and without
 * ATOMICIO_OPEN_REOPEN_DIRECT cannot ask for the filesystem's largest size: a page across that size
 * fails its file.
 *
 * Four rules are yours to keep, because the library cannot see a breach:
 *
 * 1. While a file has live frames, write to the file only through handles with this journal.
 *    Recovery may undo any other write, by bringing the frame's page back.
 * 2. Before a file is truncated, deleted, replaced, or its file_id given to another file, call
 *    atomicio_journal_forget(), or close its handle, with the same effect.
 * 3. A file_id names one file for as long as the journal lives, over restarts.
 * 4. Sync a file with live frames by atomicio_sync(), not by fsync(2) on its descriptor: the kernel
 *    reports a lost write to each descriptor once, and the journal must receive the report.
 *
 * Rules for all calls, on returns, sizes of structs and threads, are in atomicio.h.
 */
#ifndef LIBATOMICIO_JOURNAL_H
#define LIBATOMICIO_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "atomicio.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Flag of atomicio_journal_create(): lay the journal out even if the file is not empty, or is a
 * block device.  The old contents are lost.
 */
#define ATOMICIO_JOURNAL_OVERWRITE 0x1u

/* How a journal is laid out.  Zero is the default of every field. */
struct atomicio_journal_options {
	uint64_t size;	    /* of the journal, 0: 64 MiB; from 32 KiB to 1 TiB, rounded up to a
			     * multiple of 4096 */
	uint32_t frame_max; /* the largest frame, headers included, 0: what 256 pages of 16 KiB
			     * need (4 MiB and 32 KiB), less where the log area is below eight of
			     * these; from 4 KiB and a byte to 64 MiB, rounded up to a multiple of
			     * 4096, at most half the log area, which is size - 16384.  info
			     * says what
			     * both became */
	uint32_t flags;	    /* ATOMICIO_JOURNAL_* */
};

/*
 * Lay out a journal in the file behind fd.  The space is written, not just reserved, and later
 * frames change no metadata.  options may be NULL for the defaults.  The journal is durable on
 * return, except the file's name: sync the directory if you made the file.  A file of nothing but
 * zeroes, no longer than the journal, counts as empty, because an interrupted create leaves zeroes
 * (and perhaps a torn header, which counts as zeroes).  At each start call create, and after 0 or
 * -EEXIST open.
 *
 * Returns 0 or:
 *	-EBADF		fd is not open for reading and writing
 *	-EEXIST		the file is not empty and OVERWRITE is not set
 *	-EINVAL		size, frame_max or a flag is out of range (never unaligned); neither a
 *			regular file nor a block device
 *	-EBUSY		the journal is open elsewhere; the device is mounted or in use
 *	-EOPNOTSUPP	fd has O_APPEND, and cannot be opened once more without O_APPEND
 *			(no /proc, or no right to)
 *	-EFBIG		RLIMIT_FSIZE is less
 *	-ENOSPC, others	from the filesystem; an empty file is made empty again
 */
int atomicio_journal_create(int fd, const struct atomicio_journal_options *options,
			    size_t options_size);

/* Flag of atomicio_journal_open(): several processes use the journal in turns: turns.h. */
#define ATOMICIO_JOURNAL_OPEN_SHARED 0x1u

/* How a journal is opened.  Zero is the default of every field. */
struct atomicio_journal_open_options {
	uint32_t flags;	   /* ATOMICIO_JOURNAL_OPEN_* */
	uint32_t reserved; /* zero */
	uint64_t memory;   /* for frames, in bytes, 0: two of the largest frames; from 16 KiB on */
};

/*
 * Open a journal, and lock out every other opener.  Of a journal closed in order only the two
 * headers are read; else the log area is read once, for live frames.  Nothing is written, so open
 * works on a full filesystem, too.  A call that relies on the bytes read, like atomicio_open() with
 * this journal, first makes the bytes durable.  fd stays the caller's and must stay open.  Where
 * /proc allows, an O_DIRECT description of the library's own is used.  Where not, never give fd
 * O_APPEND: a write then gives -EOPNOTSUPP, and writes nothing.  All memory for writes is taken
 * here: two frames, and an index; info says how much.  A smaller `memory` limits frames to half of
 * `memory`: a batch then takes more frames.  A page or a group longer than such a frame takes
 * extra memory during the write.  options may be NULL for the defaults (options_size is then
 * ignored).
 *
 * If frames are live, info says so, and writes through the journal give -EUCLEAN until
 * atomicio_journal_recover() has run.
 *
 * A single damaged or unreadable header is harmless, because the second header has the same
 * contents.  Info names the damaged header, and the next write of headers mends it.
 *
 * Returns 0 or:
 *	-EBADF		fd is not open for reading and writing
 *	-ENODATA	no journal is in this file
 *	-EPROTONOSUPPORT  another version of the format
 *	-EBADMSG	both headers are damaged
 *	-ERANGE		the file is shorter than the journal
 *	-EBUSY		open already, in this process or another; a device that is mounted or
 *			open with O_EXCL
 *	-EOPNOTSUPP	fd has O_APPEND and cannot be opened anew
 *	-ENOMEM, -EINVAL
 *	others		from reading
 */
int atomicio_journal_open(int fd, const struct atomicio_journal_open_options *options,
			  size_t options_size, struct atomicio_journal **journal);

/* One page of a live frame. */
struct atomicio_live_page {
	uint64_t file_id;
	uint64_t offset;      /* in the file */
	uint64_t length;      /* of the page */
	const void *page;     /* the new bytes, good until the call returns */
	const void *home;     /* the file's present bytes; NULL in a walk */
	uint64_t home_length; /* less than length where the file ends before */
	uint64_t sequence;    /* number of the frame: larger in a later frame */
	uint8_t tag[16];      /* the caller's, from atomicio_options.file_tag */
};

/* Look at a page: 0 to go on; anything else ends the walk. */
typedef int atomicio_walk(void *context, const struct atomicio_live_page *page);

/*
 * Show every page of every live frame, in recovery's order.  Nothing is written.  Of use between
 * open and recovery; afterwards no frame is live.
 *
 * Returns 0, the answer of visit if not 0, or:
 *	-EBADMSG	a frame is damaged
 *	-ENOMEM
 *	others		from reading
 */
int atomicio_journal_walk(struct atomicio_journal *journal, atomicio_walk *visit, void *context);

/*
 * Find the file of this id.  Answer a descriptor open for reading and writing, which stays the
 * caller's and must stay open until recovery returns; -ENOENT: the file is gone, skip its pages;
 * any other negative errno: the file is out of reach now, its frames stay.  Called once an id.
 * Calls for this journal from inside the callback return -EDEADLK.
 */
typedef int atomicio_resolve(void *context, uint64_t file_id);

/* Answers of atomicio_choose. */
#define ATOMICIO_CHOOSE_REPLAY 0
#define ATOMICIO_CHOOSE_SKIP 1 /* leave the file's bytes */

/*
 * Shall this page overwrite the file's bytes?  Asked for each page, with old and new bytes: an
 * engine whose pages hold a sequence number keeps the newer page.  Answer ATOMICIO_CHOOSE_REPLAY,
 * _SKIP, or a negative errno, which ends the recovery.
 */
typedef int atomicio_choose(void *context, const struct atomicio_live_page *page);

/* How the present file differs from the file that the frame was written for. */
#define ATOMICIO_DIFFERS_FILESYSTEM 0x1u
#define ATOMICIO_DIFFERS_INODE 0x2u
#define ATOMICIO_DIFFERS_BIRTH 0x4u
#define ATOMICIO_DIFFERS_UNKNOWN 0x100u /* nothing could be compared */

/* The result for one file. */
struct atomicio_recovered_file {
	uint64_t file_id;
	uint64_t pages;		/* home, older versions of them counted */
	uint64_t pages_skipped; /* file gone, or skipped by choose */
	int32_t result;	     /* 0: all durable at home; -ESTALE: another file; else frames stay */
	uint32_t differs;    /* ATOMICIO_DIFFERS_* */
	uint32_t unverified; /* 1: the disk could not be asked for the pages */
	uint32_t linked;     /* 1: a group is shared with a file not done */
};

typedef void atomicio_report(void *context, const struct atomicio_recovered_file *file);

/* Flags of a recovery. */
#define ATOMICIO_RECOVER_ANY_FILE 0x1u	 /* write files even if they are not the frames' own */
#define ATOMICIO_RECOVER_UNREADABLE 0x2u /* go on without unreadable frames */
#define ATOMICIO_RECOVER_LOCK                                                                      \
	0x4u /* flock(2) each file, exclusively; -EWOULDBLOCK fails the file */
/* Let a finished file accept writes even if one of its groups is not whole in another file. */
#define ATOMICIO_RECOVER_LINKED 0x8u
/*
 * Keep recovery's own descriptors open until atomicio_journal_close(): a close would drop the
 * process's POSIX record locks on the file.
 */
#define ATOMICIO_RECOVER_KEEP_OPEN 0x10u

/* How to recover.  Zero is the default of every field. */
struct atomicio_recover_options {
	atomicio_choose *choose; /* NULL: replay every page */
	atomicio_report *report; /* NULL: no report for each file */
	uint32_t flags;		 /* ATOMICIO_RECOVER_* */
	uint32_t reserved;	 /* zero */
};

/* The result of a recovery. */
struct atomicio_recovery {
	uint64_t frames;	   /* replayed, all of them whole */
	uint64_t pages;		   /* home, older versions of them counted */
	uint64_t bytes;		   /* in these pages */
	uint64_t pages_skipped;	   /* of files gone, or skipped by choose */
	uint64_t files;		   /* written to, synced, and done */
	uint64_t files_gone;	   /* with the answer -ENOENT of resolve */
	uint64_t bytes_scanned;	   /* of the log area */
	uint64_t files_failed;	   /* their frames stay: see report */
	uint64_t files_unverified; /* of finished files: see report */
	uint32_t tail_torn;	   /* 1: a frame that never became durable was dropped */
	uint32_t unreadable;	   /* 1: a part of the log area that may have held a frame */
};

/*
 * Write the pages of all live frames home, the newest version of each page last, make the pages
 * durable, check the pages on the disk, and retire the frames.  May be killed at any point and run
 * again.  Without live frames recovery makes this state durable, once.  Nothing else may use the
 * journal meanwhile, and no file of the journal may be open through the library.
 *
 * The page cache is not believed: after a failed write-back the cache holds bytes that the disk
 * does not.  Pages are written through an O_DIRECT description where possible, else the cache is
 * dropped first.  The pages are read back before the frames are retired.
 *
 * A file whose identity differs from the frames' (a restored backup, the wrong name) is left alone,
 * like a file whose writes fail.  All other files are finished, and `report` is called for each
 * file.  The frames of the rest stay: call recover again, here or after the next open, when the
 * cause is gone, or answer -ENOENT to give them up.  Until then atomicio_open() gives
 * -ENOTRECOVERABLE for a file left alone, and for a file that shares a group with it (see
 * ATOMICIO_RECOVER_LINKED), because the group is whole only when both files are.  The state is
 * READY, and all other files accept writes.  The state stays, and writes of all files give
 * -EUCLEAN, where the pages left take more than a quarter of the log area, where they belong to
 * more than 240 files, or where a part of the log area cannot be read.
 *
 * options may be NULL for the defaults (options_size is then ignored).  *recovery is filled, if not
 * NULL, also where files are left.
 *
 * Returns 0 or:
 *	-ESTALE, others	the error of the first file left alone; -ESTALE: another file
 *	-EBUSY		a file is attached, also where an earlier recovery left another
 *	-EBADMSG	a frame is damaged and a later frame is not: an acknowledged write is
 *			lost.  Nothing was written, info has the place
 *	-EIO		a place that may hold a frame cannot be read (see
 *			ATOMICIO_RECOVER_UNREADABLE): nothing was written
 *	-EDEADLK	called by one of its own callbacks
 *	-EINVAL, -ENOMEM
 *	others		from choose; from reading or writing the journal
 */
int atomicio_journal_recover(struct atomicio_journal *journal, atomicio_resolve *resolve,
			     void *context, const struct atomicio_recover_options *options,
			     size_t options_size, struct atomicio_recovery *recovery,
			     size_t recovery_size);

/*
 * Sync every file with live frames and retire the frames live at the call.  Runs automatically when
 * the log area is full; call it to choose the moment.  Other threads write meanwhile.
 *
 * Returns 0 or:
 *	-EUCLEAN	recover first
 *	-ENOTRECOVERABLE  the journal is poisoned; or a file has failed, and the frames of all
 *			other files are retired
 *	-EINTR		call again
 *	others		from a sync, which fails its file; from writing the journal
 */
int atomicio_journal_checkpoint(struct atomicio_journal *journal);

/*
 * Make sure that no frame of this file is ever replayed: call it before the file is truncated,
 * deleted, replaced or renamed to another id.  No write to the file may be on its way.
 *
 * Returns as atomicio_journal_checkpoint(), for this file alone, and at once without a live frame.
 * A failed file, or a file left by recovery, gives -ENOTRECOVERABLE: its pages were acknowledged
 * and are nowhere else.  To give them up, close the file and the journal, open the journal, and
 * answer -ENOENT for this id in a recovery.
 */
int atomicio_journal_forget(struct atomicio_journal *journal, uint64_t file_id);

/*
 * Lay the newest bytes of a file that live frames hold over a buffer.  The buffer has `length`
 * bytes of the file from `offset` on, or nothing yet.  Bytes without a live frame stay as they are.
 *
 * For a failed file: a write through the journal returned 0, its page is durable in a frame, but
 * the page could not be written to the file, or the file's sync failed.  Read the file, if a read
 * still works, then call this.  No write to the range may be on its way.  The call reads the
 * journal and takes memory for one frame; other threads may write meanwhile.
 *
 * Returns the number of bytes laid over (bytes of several frames count once per frame), or:
 *	-EUCLEAN	the journal is corrupt
 *	-EINVAL, -ENOMEM
 *	others		from reading the journal
 */
int64_t atomicio_journal_read(struct atomicio_journal *journal, uint64_t file_id, void *buffer,
			      size_t length, uint64_t offset);

/* State of a journal (struct atomicio_journal_info, state). */
#define ATOMICIO_JOURNAL_READY 1   /* takes writes */
#define ATOMICIO_JOURNAL_UNCLEAN 2 /* has live frames of an earlier run: recover */
#define ATOMICIO_JOURNAL_CORRUPT 3 /* a damaged frame before a whole one: see corrupt_offset */
/* A frame could not be written: close, open, recover. */
#define ATOMICIO_JOURNAL_POISONED 4
/* A place that may hold an acknowledged frame cannot be read: see corrupt_offset. */
#define ATOMICIO_JOURNAL_TAIL_UNREADABLE 5

/* Warnings (struct atomicio_journal_info, notes). */
#define ATOMICIO_JOURNAL_NOTE_DAMAGED_1 0x1u  /* open found the first header damaged */
#define ATOMICIO_JOURNAL_NOTE_DAMAGED_2 0x2u  /* or the second: the sound header was used */
#define ATOMICIO_JOURNAL_NOTE_UNREADABLE 0x4u /* a part of the log area cannot be read */
#define ATOMICIO_JOURNAL_NOTE_UNSETTLED 0x8u  /* the bytes read are not yet known to be durable */
#define ATOMICIO_JOURNAL_NOTE_BUFFERED 0x10u  /* the journal's file could not be opened direct */
#define ATOMICIO_JOURNAL_NOTE_VOLATILE 0x20u  /* its filesystem does not outlive the machine */
#define ATOMICIO_JOURNAL_NOTE_DELEGATED 0x40u /* durable if the server of its filesystem is */
#define ATOMICIO_JOURNAL_NOTE_SMALL 0x80u     /* fewer than six frames: no room for failed files */

/* State and counters of an open journal. */
struct atomicio_journal_info {
	uint32_t version;	 /* of the format: 2 */
	uint32_t state;		 /* ATOMICIO_JOURNAL_* */
	uint8_t id[16];		 /* random, from create */
	uint64_t size;		 /* of the journal */
	uint32_t block_size;	 /* frames are multiples of it: 4096 */
	uint32_t frame_max;	 /* the largest frame */
	uint64_t tail_offset;	 /* where the oldest live frame starts, in the file */
	uint64_t tail_sequence;	 /* and the tail's sequence number */
	uint64_t head_offset;	 /* where the next frame will go */
	uint64_t head_sequence;	 /* and the head's sequence number */
	uint64_t live_frames;	 /* for recovery to replay; numbers may be missing */
	uint64_t live_bytes;	 /* of the log area in use */
	uint64_t corrupt_offset; /* of the damaged or unreadable place, else 0 */
	uint32_t notes;		 /* ATOMICIO_JOURNAL_NOTE_* */
	uint32_t unreadable;	 /* blocks of the log area unreadable at open */
	/* Counters. */
	uint64_t frames;	/* written */
	uint64_t pages;		/* in them */
	uint64_t bytes;		/* of these pages */
	uint64_t bytes_written; /* to the journal in all */
	uint64_t flushes;	/* durable writes of the journal and syncs of files */
	uint64_t checkpoints;
	uint64_t group_max; /* most writers in one frame */
	uint64_t recoveries;
	uint64_t writers;	 /* calls served by these frames; writers / frames is the mean */
	uint64_t group_sizes[6]; /* frames with 1, 2, 3-4, 5-8, 9-16, more writers */
	uint64_t files_failed;	 /* handles whose file failed: see below */
	uint64_t pages_carried;	 /* framed again, for the retirement of their frame */
	uint64_t memory;	 /* taken for writes, in bytes */
};

/*
 * Has this journal live frames?  If so, its files are good only after a recovery.  No lock is
 * taken, nothing is written, and no descriptor is opened or closed; fd may be open for reading
 * only.  The call reads two blocks of a clean journal, and the whole log area of any other.  While
 * the journal is open anywhere, the answer holds for a moment only, and a live frame may be home
 * already.
 *
 * info may be NULL (info_size is then ignored); else it is filled as by
 * atomicio_journal_get_info(), without counters, where the return is 0 or 1.
 *
 * Returns 0: nothing is live; 1: frames are live, or the state says that frames may be lost; or:
 *	-ENODATA	no journal is in this file
 *	-EPROTONOSUPPORT, -EBADMSG, -ERANGE  as from atomicio_journal_open()
 *	-EBADF		fd is not open for reading
 *	-EINVAL, -ENOMEM
 *	others		from reading
 */
int atomicio_journal_peek(int fd, struct atomicio_journal_info *info, size_t info_size);

/*
 * How much of the log area does a group take at most: `count` pages, none longer than `length`, in
 * `files` runs of pages of one file (1: all are of one file)?  For callers that gather pages and
 * must know, before the group is complete, whether ATOMICIO_ALL_OR_NONE will accept the group.  No
 * system call, no lock, any thread.
 *
 * Returns the bytes, headers included, or:
 *	-EMSGSIZE	the group is too large even for an empty journal (atomicio_write_batch())
 *	-EINVAL
 */
int64_t atomicio_group_length(const struct atomicio_journal *journal, uint64_t count,
			      uint64_t length, uint64_t files);

/* Read a journal's state and counters.  Returns 0, -EFAULT or -EINVAL. */
int atomicio_journal_get_info(const struct atomicio_journal *journal,
			      struct atomicio_journal_info *info, size_t info_size);

/*
 * Free a journal and its lock.  All files attached to it must be closed before.  A journal without
 * live frames is marked clean, and the next open need not read the log area.  Live frames stay live
 * for the next open.  NULL is fine.  Where batches went to direct files, close waits some
 * hundredths of a second for the kernel to end its AIO.
 *
 * Returns 0 or:
 *	-EBUSY		a file is attached: nothing was freed
 *	others		from marking the journal clean: nothing is lost, and the journal is closed
 */
int atomicio_journal_close(struct atomicio_journal *journal);

#ifdef __cplusplus
}
#endif

#endif /* LIBATOMICIO_JOURNAL_H */
