/* SPDX-License-Identifier: MIT */
/* Shared by the files of the ways (matrix.h). */
#ifndef MATRIX_WAYS_H
#define MATRIX_WAYS_H

#include "matrix.h"

/* ways_ring.c: pages first to first + count - 1 through a ring of the caller's own. */
void ring_write(struct atomicio_file *file, int fd, struct atomicio_journal *journal,
		uint32_t first, uint32_t count, const uint8_t *pages, uint32_t flags);

#endif /* MATRIX_WAYS_H */
