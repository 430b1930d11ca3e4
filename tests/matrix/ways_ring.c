/* SPDX-License-Identifier: MIT */
/*
 * The way of a guest: the caller's own ring (matrix.h).
 *
 * Flow: ways.c calls ring_write().
 *
 * Each call has a ring of its own, so that threads of a fault need no lock of the test's.
 */
#define _GNU_SOURCE
#include "ways.h"

#include <errno.h>
#include <liburing.h>
#include <string.h>

#define PREPS_MAX 1000u /* of one page: AGAIN_SQE without end is a hang */

struct guest {
	struct io_uring ring;
	struct atomicio_request requests[PAGES];
	struct atomicio_file *file;
	const uint8_t *pages;
	uint32_t first, flags, preps[PAGES];
};

/* Prepare page i: true: a completion of it will come. */
static bool prep(struct guest *guest, uint32_t i)
{
	struct outcome *outcome = &cell->pages[guest->first + i];
	struct io_uring_sqe *sqe = io_uring_get_sqe(&guest->ring);
	int error;

	outcome->was_tried = true;
	outcome->result = -EINPROGRESS;
	if (!sqe || guest->preps[i]++ == PREPS_MAX)
		return false;
	error = atomicio_uring_prep(&guest->requests[i], guest->file, sqe,
				    guest->pages + (size_t)i * LENGTH, LENGTH,
				    (uint64_t)(guest->first + i) * LENGTH, guest->flags);
	/* The completion of a refused entry is nobody's. */
	io_uring_sqe_set_data64(sqe, error ? PAGES : i);
	if (error)
		outcome->result = error;
	return error == 0;
}

/* Take one completion: false: nothing of a page is on its way any more, or nothing can be had. */
static uint32_t take(struct guest *guest)
{
	struct io_uring_cqe *cqe;
	uint32_t ended = 0, i;
	int result;

	while (io_uring_peek_cqe(&guest->ring, &cqe) == 0) {
		i = (uint32_t)io_uring_cqe_get_data64(cqe);
		result = cqe->res;
		io_uring_cqe_seen(&guest->ring, cqe);
		if (i >= PAGES)
			continue;
		result = atomicio_uring_done(&guest->requests[i], result);
		if (result == ATOMICIO_AGAIN_SQE) {
			ended += !prep(guest, i);
			continue;
		}
		cell->pages[guest->first + i].result = result;
		ended++;
	}
	return ended;
}

void ring_write(struct atomicio_file *file, uint32_t first, uint32_t count, const uint8_t *pages,
		uint32_t flags)
{
	struct guest guest = {.file = file, .pages = pages, .first = first, .flags = flags};
	uint32_t under_way = 0;
	int error = io_uring_queue_init(2 * PAGES, &guest.ring, 0);

	for (uint32_t i = 0; i < count; i++) {
		cell->pages[first + i].was_tried = true;
		cell->pages[first + i].result = error;
		if (!error)
			under_way += prep(&guest, i);
	}
	if (error)
		return;
	while (under_way) {
		error = io_uring_submit_and_wait(&guest.ring, 1);
		if (error < 0 && error != -EINTR && error != -EAGAIN)
			break; /* nothing was submitted: the pages are as they were */
		under_way -= take(&guest);
	}
	for (uint32_t i = 0; i < count && under_way; i++)
		if (cell->pages[first + i].result == -EINPROGRESS)
			cell->pages[first + i].result = error;
	io_uring_queue_exit(&guest.ring);
}
