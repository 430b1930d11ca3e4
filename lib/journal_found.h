/* SPDX-License-Identifier: MIT */
/*
 * The findings of a scan: frames, their files, and unreadable places.
 *
 * Flow: a part of journal_internal.h, which includes this file; journal_found.c fills the lists.
 */
#ifndef LIBATOMICIO_JOURNAL_FOUND_H
#define LIBATOMICIO_JOURNAL_FOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "journal_format.h"

/* Ranges of void numbers that are told apart. */
#define JOURNAL_VOIDS 64u

/* A part of the ring, or of the sequence numbers. */
struct journal_range {
	uint64_t offset;
	uint64_t length;
};

/* A live frame found at open. */
struct journal_found {
	uint64_t sequence;
	uint64_t offset;
	uint64_t durable_to;
	uint64_t chain_first;
	uint32_t chain_index;
	uint32_t flags;
	uint32_t length;
	bool aborted; /* of a broken chain: not replayed (N2) */
};

/* A live frame's word about a file, each kept once or a few times. */
struct journal_row {
	struct journal_identity identity;
	uint64_t last; /* number of the last frame with it */
};

/* The findings of a scan of an unclean ring. */
struct journal_scan {
	struct journal_found *found; /* in the order of the ring, and of the numbers */
	uint32_t count, room;
	uint32_t live; /* count of frames for replay */
	struct journal_row *rows;
	uint32_t row_count, row_room;
	struct journal_range *bad; /* unreadable ranges (H4) */
	uint32_t bad_count, bad_room;
	struct journal_range voids[JOURNAL_VOIDS]; /* numbers named as void by frames (N1) */
	uint32_t void_count;
	uint64_t durable_to; /* the highest of all frames */
	uint64_t torn_max;   /* the highest number of a torn frame, 0: none */
	uint64_t checked;    /* bytes */
	bool disordered;     /* numbers impossible in a journal of ours */
};

#endif /* LIBATOMICIO_JOURNAL_FOUND_H */
