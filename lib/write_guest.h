/* SPDX-License-Identifier: MIT */
/*
 * A guest: a write in the caller's ring.  Its request and the request's states.
 *
 * Flow: write_uring.c has the calls of uring.h and the writes of the kernel's path;
 * write_uring_journal.c has the writes that go to the journal.
 *
 * States of a request; -prep()- fills an entry, and -done()- has its completion:
 *
 *	IDLE -prep()-> IN_FLIGHT -done()-> IDLE, or AGAIN -prep()-> IN_FLIGHT
 *	IDLE -prep()-> SETTLED or REFUSED: the result is known -done()-> IDLE
 *
 *	IDLE -gather()-> GATHERED, in a frame with others
 *	IDLE -prep()-> FRAME: the frame's entry is this request's
 *	GATHERED -commit()-> FRAME_DUE -prep()-> FRAME -done()-> DURABLE, or FRAME_DUE again
 *	GATHERED -result(), prep()-> DURABLE, once the frame is
 *	DURABLE -prep()-> HOME: the entry of its home write -done()-> IDLE, or DURABLE again
 */
#ifndef LIBATOMICIO_WRITE_GUEST_H
#define LIBATOMICIO_WRITE_GUEST_H

#include "write_entry.h"

enum guest_state {
	GUEST_IDLE, /* zeroed memory is a request that was never used */
	GUEST_IN_FLIGHT,
	GUEST_AGAIN,
	GUEST_SETTLED, /* a no-op is in the ring */
	GUEST_REFUSED, /* an entry that will fail may be in the ring */
	GUEST_GATHERED,
	GUEST_FRAME,
	GUEST_FRAME_DUE,
	GUEST_DURABLE,
	GUEST_HOME,
};

/* The library's view of the caller's struct atomicio_request. */
struct guest {
	struct write_request write;
	uint32_t state;
	int32_t result;
	struct journal_guest_place place; /* in the journal */
} __attribute__((may_alias));

/* write_uring_journal.c */

/* Fill an entry that fails, and breaks its link like a failed write. */
void write_guest_fill_failing(struct io_uring_sqe *sqe);
/* The write has ended with `error`.  The entry fails as well. */
int write_guest_refuse(struct guest *guest, struct io_uring_sqe *sqe, int error);

/* Does the file's journal accept writes in rings? */
bool write_guest_may_join(const struct atomicio_file *file);
/*
 * Put a write on the journal's path into the open frame or a new one, close the frame, and fill its
 * entry.  An errno of JG5: come later, nothing is changed.  GUEST_OTHER_PATH: the policy has chosen
 * another path.
 */
#define GUEST_OTHER_PATH 1
int write_guest_begin_frame(struct guest *guest, struct io_uring_sqe *sqe);
/* Fill the next entry of a write that has a frame. */
int write_guest_next(struct guest *guest, struct io_uring_sqe *sqe);
/* Take the completion of a write's entry, after write_guest_next() or write_guest_begin_frame(). */
int write_guest_done(struct guest *guest, int32_t res);

static inline bool guest_has_frame(const struct guest *guest)
{
	return guest->state >= GUEST_GATHERED && guest->state <= GUEST_HOME;
}

#endif /* LIBATOMICIO_WRITE_GUEST_H */
