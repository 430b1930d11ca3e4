/* SPDX-License-Identifier: MIT */
/*
 * A file with writes through a journal: a part of its handle.
 *
 * Flow: the write family fills in the first half and attaches the file; the rest is the journal's.
 *
 * Live frames are of two generations: framed before the retirement under way, or since (O3).  [0]
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
 * A file that may not be attached: its handle was closed while its frames had to stay live (K7), or
 * recovery did not finish the file, or a file of the same group.
 */
struct journal_rest {
	struct journal_rest *next;
	uint64_t file_id;
	uint64_t inode; /* 0: not known */
	uint32_t device_major;
	uint32_t device_minor;
	struct journal_identity identity; /* the frames' word; of a closed file nothing */
	bool is_home;			  /* its own pages are home: nothing to carry */
};

struct journal_file {
	struct journal_file *next;
	int fd;		    /* home writes go here */
	int rwf;	    /* flags of the calls: RWF_NOAPPEND where the kernel has it */
	bool own_fd;	    /* fd is a description of our own, out of reach of the caller's fcntl */
	bool checks_flags;  /* fd is the caller's: look for O_APPEND before each write */
	bool may_be_sealed; /* a memfd: its seals are looked at before each frame */
	bool direct;	    /* fd is; set by journal_attach() */
	bool grows;	    /* a file with an end that writes move: see journal_room.c */
	uint64_t file_id;
	uint64_t inode;
	uint32_t device_major;
	uint32_t device_minor;
	uint8_t tag[16];	    /* the caller's, zero: none (K4) */
	uint8_t row[64];	    /* the frames' word; set by journal_attach() */
	struct loss *loss;	    /* syncs the file, and knows of lost pages */
	_Atomic uint32_t *poisoned; /* the handle's: set to 1 when the file fails */

	_Atomic int32_t failed; /* K7: why it is written no more, a negative errno; or 0 */
	_Atomic uint64_t room;	/* blocks exist up to here, as far as can be known (S3) */
	struct journal_rest *rest;

	/* Under the journal's lock. */
	uint64_t first[2];   /* oldest number of a live frame's pages of it; 0: none */
	bool synced[2];	     /* these pages are home and durable */
	uint32_t homes[2];   /* ranges of it on their way home */
	uint32_t generation; /* home writes of an older one count for this one (S2) */
	uint64_t since;	     /* shared: frames from this number on are vouched for (O4) */
	bool again;	     /* live pages are being written home once more (O4) */
	bool syncing;	     /* a thread syncs it, or a sync is on its way */
	bool flying;	     /* the second */
	bool by_call;	     /* it could not be sent, in the step of that number */
	uint64_t step;
	uint32_t sync_generation; /* what that sync counts for */
};

/* Have live frames pages of it?  With the journal's lock, as the next one. */
static inline bool journal_file_is_live(const struct journal_file *file)
{
	return file->first[0] || file->first[1];
}

/* The parity of the generation that a home write of it counts for, which was framed in this one. */
static inline uint32_t journal_file_parity(const struct journal_file *file, uint32_t generation)
{
	const bool carried = (int32_t)(file->generation - generation) > 0; /* S2 */

	return (carried ? file->generation : generation) & 1;
}

#endif /* LIBATOMICIO_JOURNAL_FILE_H */
