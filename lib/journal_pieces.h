/* SPDX-License-Identifier: MIT */
/*
 * Pieces of live frames to be carried.
 *
 * Flow: between journal_carry.c and journal_pieces.c.
 */
#ifndef LIBATOMICIO_JOURNAL_PIECES_H
#define LIBATOMICIO_JOURNAL_PIECES_H

#include "journal_internal.h"

/* Bytes of one file in one live frame. */
struct journal_piece {
	uint64_t file_id;
	uint64_t offset; /* in the file, up to `end` */
	uint64_t end;
	uint64_t sequence; /* of the frame */
	uint64_t frame;	   /* place of the frame in the ring */
	uint64_t data;	   /* place of the bytes in the frame */
	uint32_t row;	   /* index of the file row in the frame */
	/* The tail can stand here when all older pieces are carried: not inside a chain (N2). */
	uint64_t tail_offset;
	uint64_t tail_sequence;
};

struct journal_pieces {
	struct journal_piece *list;
	uint32_t count, room;
};

int journal_add_piece(const struct sys_calls *sys, struct journal_pieces *pieces,
		      const struct journal_piece *piece);
void journal_free_pieces(const struct sys_calls *sys, struct journal_pieces *pieces);

/* Leave of all pieces the bytes not covered by a later frame, oldest frame first. */
int journal_drop_covered(const struct sys_calls *sys, struct journal_pieces *pieces);

#endif /* LIBATOMICIO_JOURNAL_PIECES_H */
