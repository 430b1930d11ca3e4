/* SPDX-License-Identifier: MIT */
/*
 * Untorn writes in a ring of your own: 16 pages in flight, each retried as the policy says.
 *
 * Flow: uring FILE.  The program overwrites the first 256 KiB, or makes them.  Submit, wait, hand
 * each completion to atomicio_uring_done(), and prepare again on a positive result.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>

#include <libatomicio/uring.h>

#define PAGES 16
#define PAGE 16384

static _Alignas(PAGE) char pages[PAGES][PAGE];
static struct atomicio_request requests[PAGES]; /* zeroed before their first use */

/* One page into the next entry of the ring; the entry is valid even if the write is refused. */
static int submit(struct io_uring *ring, struct atomicio_file *file, unsigned int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	int error;

	if (!sqe)
		return -EBUSY;
	error = atomicio_uring_prep(&requests[i], file, sqe, pages[i], PAGE, (uint64_t)i * PAGE,
				    ATOMICIO_DSYNC);
	sqe->user_data = i;
	return error;
}

int main(int argc, char **argv)
{
	const int fd =
		argc == 2 ? open(argv[1], O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644) : -1;
	struct atomicio_file *file;
	struct io_uring ring;
	unsigned int left = PAGES;
	int error, failed = 0;

	error = fd < 0 ? -EINVAL : atomicio_open(fd, NULL, 0, &file);
	if (!error)
		error = io_uring_queue_init(PAGES, &ring, 0);
	for (unsigned int i = 0; !error && i < PAGES; i++) {
		memset(pages[i], 'a' + (int)i, PAGE);
		error = submit(&ring, file, i);
	}
	while (!error && left > 0) {
		struct io_uring_cqe *cqe;
		int result;

		io_uring_submit_and_wait(&ring, 1);
		if (io_uring_peek_cqe(&ring, &cqe))
			continue; /* a signal */
		result = atomicio_uring_done(&requests[cqe->user_data], cqe->res);
		if (result == ATOMICIO_AGAIN_SQE)
			error = submit(&ring, file, (unsigned int)cqe->user_data);
		else
			left--;
		if (result < 0) {
			printf("page %llu: %s\n", cqe->user_data, strerror(-result));
			failed = 1;
		}
		io_uring_cqe_seen(&ring, cqe);
	}
	if (error) {
		fprintf(stderr, "uring FILE: %s\n", strerror(-error));
		return 1; /* the process ends, with its writes in flight */
	}
	io_uring_queue_exit(&ring);
	printf("%d pages, untorn and durable\n", PAGES);
	return atomicio_close(file) || failed;
}
