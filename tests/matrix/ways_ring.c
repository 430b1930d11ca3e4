/* SPDX-License-Identifier: MIT */
/*
 * The way of a guest: the caller's own io_uring (matrix.h).
 *
 * Flow: ways.c calls ring_write().  Where the journal serves guests (the way `entries`), a page is
 * two entries: the frame and the home write.
 *
 * Each call has an io_uring of its own: threads of a fault need no lock of the test's.
 */
#define _GNU_SOURCE
#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#define PREPS_MAX 1000u /* of one page: AGAIN_SQE without end is a hang */

struct guest {
	struct io_uring ring;
	struct atomicio_request requests[PAGES];
	struct atomicio_file *file;
	int fd;				  /* of the file */
	struct atomicio_journal *journal; /* NULL: accepts no guests */
	const uint8_t *pages;
	uint32_t first, flags, preps[PAGES];
};

static int prep_once(struct guest *guest, uint32_t i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&guest->ring);
	int error;

	if (!sqe) {
		io_uring_submit(&guest->ring);
		sqe = io_uring_get_sqe(&guest->ring);
	}
	if (!sqe || guest->preps[i]++ == PREPS_MAX)
		return -EINPROGRESS;
	error = atomicio_uring_prep(&guest->requests[i], guest->file, sqe,
				    guest->pages + (size_t)i * LENGTH, LENGTH,
				    (uint64_t)(guest->first + i) * LENGTH, guest->flags);
	/* The completion of a refused entry is nobody's. */
	io_uring_sqe_set_data64(sqe, error ? PAGES : i);
	return error;
}

/* Prepare page i, again after each "later"; true: its completion will come. */
static bool prep(struct guest *guest, uint32_t i)
{
	struct outcome *outcome = &cell->pages[guest->first + i];
	int error;

	outcome->was_tried = true;
	outcome->result = -EINPROGRESS;
	while ((error = prep_once(guest, i)) == -EAGAIN && guest->journal)
		usleep(1000);
	if (error == -ENOSPC && guest->journal && !atomicio_journal_checkpoint(guest->journal))
		error = prep_once(guest, i);
	if (error == -ENXIO) { /* the file is too short */
		error = -posix_fallocate(guest->fd, (off_t)(guest->first + i) * LENGTH, LENGTH);
		error = error ? error : prep_once(guest, i);
	}
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
		if (result == ATOMICIO_AGAIN_SQE || result == ATOMICIO_DURABLE) {
			ended += !prep(guest, i);
			if (result == ATOMICIO_DURABLE) /* with or without its home write */
				cell->pages[guest->first + i].result = 0;
			continue;
		}
		cell->pages[guest->first + i].result = result;
		ended++;
	}
	return ended;
}

void ring_write(struct atomicio_file *file, int fd, struct atomicio_journal *journal,
		uint32_t first, uint32_t count, const uint8_t *pages, uint32_t flags)
{
	struct guest guest = {.file = file,
			      .fd = fd,
			      .journal = journal,
			      .pages = pages,
			      .first = first,
			      .flags = flags};
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
