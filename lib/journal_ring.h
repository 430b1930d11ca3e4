/* SPDX-License-Identifier: MIT */
/*
 * All reading of the ring: the scan at open, the verdict, frames, and the identity of files.
 *
 * Flow: a part of journal_internal.h, which includes this file.
 */
#ifndef LIBATOMICIO_JOURNAL_RING_H
#define LIBATOMICIO_JOURNAL_RING_H

#include "journal_internal.h"

/* journal.c: `memory` for frames, 0: for two of the largest. */
int journal_open_with(const struct sys_calls *sys, int fd,
		      const struct atomicio_journal_open_options *options,
		      struct atomicio_journal **journal);
static inline int journal_open(const struct sys_calls *sys, int fd,
			       struct atomicio_journal **journal)
{
	static const struct atomicio_journal_open_options none;

	return journal_open_with(sys, fd, &none, journal);
}

/* journal_peek.c: 1: frames are live, 0, or an error; no lock, and no call but reads. */
int journal_peek(const struct sys_calls *sys, int fd, struct atomicio_journal_info *info);

/* journal_live.c: read the live frame of this number, which lies at `offset` or at the start. */
int journal_read_live(const struct atomicio_journal *journal, uint8_t *bytes, uint64_t offset,
		      uint64_t sequence, struct journal_frame *frame);

/*
 * All live frames, oldest first: the frames found at open, then our own.  The tail has to stay in
 * place (readers); begin has the lock.
 */
struct journal_cursor {
	uint32_t index; /* in scan.found */
	uint64_t offset, sequence;
	/* Of our own: numbers that have no durable frame (journal_guest.h). */
	struct journal_hole {
		uint64_t sequence, end;
	} holes[JOURNAL_HOLES + JOURNAL_GUEST_FRAMES_LIMIT];
	uint32_t hole_count;
};

void journal_cursor_begin(const struct atomicio_journal *journal, struct journal_cursor *cursor);
/* 1: a frame was read, its pages unescaped; 0: no frame is below number `end`; or an error. */
int journal_cursor_next(const struct atomicio_journal *journal, struct journal_cursor *cursor,
			uint64_t end, uint8_t *bytes, struct journal_frame *frame);

/* journal_index.c */

/* A live frame of the present generation covers these bytes. */
void journal_cover(struct atomicio_journal *journal, uint64_t file_id, uint64_t offset,
		   uint64_t length);
void journal_uncover(struct atomicio_journal *journal, uint32_t parity);
/* Live frames of an earlier run may cover anything. */
void journal_cover_all(struct atomicio_journal *journal);
void journal_uncover_all(struct atomicio_journal *journal);

/* journal_scan.c: find the live frames; called by open, before any other thread. */
int journal_scan_ring(struct atomicio_journal *journal);
/* Scan once more, before another recovery of this process. */
int journal_scan_again(struct atomicio_journal *journal);

/* journal_found.c: the lists of the scan's findings. */
int journal_add_found(struct atomicio_journal *journal, const struct journal_frame *frame);
/* Add the files of a frame's rows, each once. */
int journal_add_rows(struct atomicio_journal *journal, const uint8_t *bytes,
		     const struct journal_frame *frame);
void journal_forget_scan(struct atomicio_journal *journal);

/* journal_judge.c: the verdict on the frames found. */
void journal_judge(struct atomicio_journal *journal);
/* Is a number below `below` missing and not named as void? */
bool journal_has_gap(const struct atomicio_journal *journal, uint64_t below);
/* The tail has moved, and nothing else: count the live frames found at open. */
void journal_count_found(struct atomicio_journal *journal);

/* journal_window.c */

/* Read exactly `length` bytes; -ERANGE: the file ends before them; -EIO: unreadable. */
int journal_read_all(const struct sys_calls *sys, int fd, uint8_t *buffer, uint64_t length,
		     uint64_t offset);

/* Bytes read around the present frame. */
struct journal_window {
	uint8_t *bytes;
	uint64_t room;
	uint64_t offset, length;
};

int journal_window_open(const struct atomicio_journal *journal, struct journal_window *window);
void journal_window_close(const struct atomicio_journal *journal, struct journal_window *window);
/*
 * Have `length` bytes from `offset` on in the window, reading on as far as `end`; *bytes is good
 * until the next call.  With `scan`, unreadable blocks are noted in it, and read as zero.
 */
int journal_window_at(const struct atomicio_journal *journal, struct journal_window *window,
		      struct journal_scan *scan, uint64_t offset, uint64_t length, uint64_t end,
		      uint8_t **bytes);
/* Is the frame in the window, and so all that was read before it? */
bool journal_window_holds(const struct journal_window *window, const struct journal_found *found);
/* Read a frame found before, its pages escaped (K1); -EIO: the frame has changed. */
int journal_window_frame(const struct atomicio_journal *journal, struct journal_window *window,
			 const struct journal_found *found, uint8_t **bytes,
			 struct journal_frame *frame);

/* journal_target.c: the descriptors left open by ATOMICIO_RECOVER_KEEP_OPEN. */
void journal_close_kept(struct atomicio_journal *journal);
/* The file's pages in frames below the returned number are home (H3). */
uint64_t journal_done_up_to(const struct journal_header *header, uint64_t file_id);

/* journal_identity.c: marks of the file behind fd, to know the file again (K4). */
void journal_identify(const struct sys_calls *sys, int fd, struct journal_identity *identity);
/* Marks known on both sides and different: ATOMICIO_DIFFERS_*. */
uint32_t journal_differences(const struct journal_identity *then,
			     const struct journal_identity *now);
/* Is nothing of this file's filesystem left after a power cut? */
bool journal_is_volatile(const struct sys_calls *sys, int fd);

/*
 * journal_info.c: around callbacks, with the role and the lock.  A public call from inside a
 * callback would wait for the role of its own thread: journal_is_callback() is asked first, and the
 * call returns -EDEADLK.
 */
void journal_begin_callbacks(struct atomicio_journal *journal);
static inline void journal_end_callbacks(struct atomicio_journal *journal)
{
	atomic_store_explicit(&journal->in_callback, false, memory_order_release);
}
static inline bool journal_is_callback(const struct atomicio_journal *journal)
{
	return atomic_load_explicit(&journal->in_callback, memory_order_acquire) &&
	       pthread_equal(journal->caller, pthread_self());
}

#endif /* LIBATOMICIO_JOURNAL_RING_H */
