/* SPDX-License-Identifier: MIT */
/*
 * A file with writes through a journal: a part of its handle.
 *
 * Flow: the write family fills in the first half and attaches the file; the rest is the journal's.
 *
 * Live frames are of two generations: framed before the retirement under way, or later (O3).  [0]
 * and [1] are generations by parity.
 */
#ifndef LIBATOMICIO_JOURNAL_FILE_H
#define LIBATOMICIO_JOURNAL_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "journal_format.h"
#include "loss.h"

/*
 * A rest: a file that may not be attached.  Either a handle was closed while the frames had to stay
 * live (K7), or recovery did not finish the file, or another file of its group.
 */
struct journal_rest {
	struct journal_rest *next;
	uint64_t file_id;
	uint64_t inode; /* 0: not known */
	uint32_t device_major;
	uint32_t device_minor;
	struct journal_identity identity; /* as the frames say; empty for a closed file */
	bool is_home;			  /* its own pages are home: nothing to carry */
};

/* A part of a file that has pages; end 0: none. */
struct journal_span {
	uint64_t start, end;
};

struct journal_file {
	struct journal_file *next;
	int fd;		    /* home writes go here */
	int rwf;	    /* flags of the calls: RWF_NOAPPEND where the kernel has it */
	bool own_fd;	    /* fd is a description of our own, out of reach of the caller's fcntl */
	bool checks_flags;  /* fd is the caller's: look for O_APPEND before each write */
	bool may_be_sealed; /* a memfd: its seals are looked at before each frame */
	bool two_ways;	    /* with another handle, whose fd is what this one is not (BH4) */
	bool direct;	    /* fd is direct; set by journal_attach() */
	bool grows;	    /* writes may move the file's end: see journal_claim.c */
	uint64_t file_id;
	uint64_t inode;
	uint32_t device_major;
	uint32_t device_minor;
	uint8_t tag[16];	    /* the caller's, zero: none (K4) */
	uint8_t row[64];	    /* the row of the file in frames; set by journal_attach() */
	struct loss *loss;	    /* syncs the file, and knows of lost pages */
	_Atomic uint32_t *poisoned; /* the handle's: set to 1 when the file fails */

	_Atomic int32_t failed; /* K7: the negative errno that failed the file; or 0 */
	_Atomic uint64_t room;	/* blocks exist up to here, as far as can be known (K6) */
	struct journal_rest *rest;

	/* Under the journal's lock. */
	uint64_t first[2];   /* number of the oldest live frame with pages of the file; 0: none */
	bool synced[2];	     /* the pages of these frames are home and durable */
	uint32_t homes[2];   /* ranges of the file on their way home */
	uint32_t generation; /* home writes of an older generation count for this generation (C2) */
	uint64_t since;	     /* shared: frames from this number on are vouched for (O4) */
	bool again;	     /* live pages are being written home once more (O4) */
	struct journal_span span[2]; /* the pages of these frames (R5) */
	struct journal_span pass;    /* what the present pass is over */
	uint32_t pieces;	     /* of the old span, whose write-back has begun */
	bool spreading;		     /* a thread begins one */
	bool syncing;		     /* a thread syncs the file, or a sync is on its way */
	bool flying;		     /* a sync is on its way */
	bool by_call;		     /* the sync could not be sent, in the step of this number */
	uint64_t step;
	uint32_t sync_generation; /* the generation for which the sync counts */
};

/* Have live frames pages of the file?  With the journal's lock. */
static inline bool journal_file_is_live(const struct journal_file *file)
{
	return file->first[0] || file->first[1];
}

/*
 * The parity of the generation for which a home write counts, framed in `generation`.  With the
 * journal's lock.
 */
static inline uint32_t journal_file_parity(const struct journal_file *file, uint32_t generation)
{
	const bool carried = (int32_t)(file->generation - generation) > 0; /* C2 */

	return (carried ? file->generation : generation) & 1;
}

#endif /* LIBATOMICIO_JOURNAL_FILE_H */
