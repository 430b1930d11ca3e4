/* SPDX-License-Identifier: MIT */
/*
 * A file whose writes may go through a journal: a part of its handle.
 *
 * Flow: the write family fills in the first half and attaches it; the rest is the journal's.
 *
 * Live frames are of two generations: those framed before the retirement that is under way, and
 * those framed since (O3).  [0] and [1] are generations by parity.
 */
#ifndef LIBATOMICIO_JOURNAL_FILE_H
#define LIBATOMICIO_JOURNAL_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "journal_format.h"
#include "loss.h"

/*
 * A file that may not be attached: its handle was closed while frames of it had to stay live (K7),
 * or recovery did not finish it, or one that shares a group with it.
 */
struct journal_rest {
	struct journal_rest *next;
	uint64_t file_id;
	uint64_t inode; /* 0: not known */
	uint32_t device_major;
	uint32_t device_minor;
	struct journal_identity identity; /* what frames say of it; of a closed one nothing */
	bool is_home;			  /* its own pages are: nothing is to be carried */
};

struct journal_file {
	struct journal_file *next;
	int fd;		   /* home writes go here */
	int rwf;	   /* with these flags: RWF_NOAPPEND where the kernel has it */
	bool own_fd;	   /* fd is a description of our own: no fcntl of the caller's reaches it */
	bool checks_flags; /* it is not, and O_APPEND would move its writes: look each time */
	bool may_be_sealed; /* a memfd: its seals are looked at before each frame */
	bool direct;	    /* fd is; set by journal_attach() */
	bool grows;	    /* a file with an end that writes move: see journal_room.c */
	uint64_t file_id;
	uint64_t inode;
	uint32_t device_major;
	uint32_t device_minor;
	uint8_t tag[16];	    /* the caller's, zero: none (K4) */
	uint8_t row[64];	    /* what frames say of it; set by journal_attach() */
	struct loss *loss;	    /* syncs it, and knows whether a page of it was lost */
	_Atomic uint32_t *poisoned; /* the handle's: set to 1 when the file fails */

	_Atomic int32_t failed; /* K7: why it is written no more, a negative errno; 0: it is */
	_Atomic uint64_t room;	/* up to here there are blocks, as far as can be known (S3) */
	struct journal_rest *rest;

	/* Under the journal's lock. */
	uint64_t first[2];   /* oldest number of a live frame's pages of it; 0: none */
	bool synced[2];	     /* these pages are home and durable */
	uint32_t homes[2];   /* ranges of it on their way home */
	uint32_t generation; /* home writes of an older one count for this one (S2) */
	bool syncing;	     /* a thread syncs it */
};

#endif /* LIBATOMICIO_JOURNAL_FILE_H */
