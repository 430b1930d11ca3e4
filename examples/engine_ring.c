/* SPDX-License-Identifier: MIT */
/*
 * An engine like InnoDB: direct pages of 16 KiB in its own io_uring, 64 at a time, one sync a
 * batch, and no double-write buffer: the disk or the filesystem keeps pages whole, or else the
 * journal.
 *
 * Flow: engine_ring FILE JOURNAL BATCHES.  Where FILE has no untorn writes, prep() refuses each
 * page, and the policy's fallback, the journal, makes it before done() returns.
 */
#define _GNU_SOURCE /* O_DIRECT, syncfs */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libatomicio/journal.h>
#include <libatomicio/uring.h>

enum { BATCH = 64, PAGE = 16384, FILE_ID = 7 };
static _Alignas(4096) char pages[BATCH][PAGE];
static struct atomicio_request requests[BATCH];

static int find(void *context, uint64_t file_id)
{
	return file_id == FILE_ID ? *(int *)context : -ENOENT;
}

static int submit(struct io_uring *ring, struct atomicio_file *file, unsigned int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	const int error =
		atomicio_uring_prep(&requests[i], file, sqe, pages[i], PAGE, (uint64_t)i * PAGE, 0);

	sqe->user_data = i;
	return error; /* of misuse only: a write that cannot be is told by done() */
}

/* The page cleaner: 0 when all pages of the batch are on disk, whole and durable. */
static int write_out(struct io_uring *ring, struct atomicio_file *file)
{
	unsigned int left = BATCH;
	int error = 0;

	for (unsigned int i = 0; i < BATCH && !error; i++)
		error = submit(ring, file, i);
	while (!error && left > 0) {
		struct io_uring_cqe *cqe;
		int result;

		io_uring_submit_and_wait(ring, 1);
		if (io_uring_peek_cqe(ring, &cqe))
			continue; /* a signal */
		result = atomicio_uring_done(&requests[cqe->user_data], cqe->res);
		if (result == ATOMICIO_AGAIN_SQE)
			error = submit(ring, file, (unsigned int)cqe->user_data);
		else
			left--;
		io_uring_cqe_seen(ring, cqe);
		error = result < 0 ? result : error;
	}
	return error ? error : atomicio_sync(file);
}

int main(int argc, char **argv)
{
	const int flags = O_RDWR | O_CREAT | O_CLOEXEC;
	int fd = argc == 4 ? open(argv[1], flags | O_DIRECT, 0600) : -1;
	int journal_fd = argc == 4 ? open(argv[2], flags, 0600) : -1;
	struct atomicio_options options = {.file_id = FILE_ID, .path = ATOMICIO_PATH_KERNEL};
	struct atomicio_stats stats = {0};
	struct atomicio_file *file = NULL;
	struct io_uring ring;
	int error = atomicio_journal_create(journal_fd, NULL, 0);

	if (!error)
		error = syncfs(journal_fd) ? -errno : 0; /* a new journal's name, too */
	if (!error || error == -EEXIST)
		error = atomicio_journal_open(journal_fd, NULL, 0, &options.journal);
	if (!error)
		error = atomicio_journal_recover(options.journal, find, &fd, NULL, 0, NULL, 0);
	if (!error)
		error = atomicio_open(fd, &options, sizeof(options), &file);
	if (!error)
		error = io_uring_queue_init(BATCH, &ring, 0);
	for (long i = 0; !error && i < strtol(argv[3], NULL, 10); i++) {
		memset(pages, 'a' + (int)(i % 26), sizeof(pages));
		error = write_out(&ring, file);
	}
	if (!error)
		error = atomicio_file_get_stats(file, &stats, sizeof(stats)) | atomicio_close(file);
	if (error)
		return fprintf(stderr, "engine_ring FILE JOURNAL BATCHES: %s\n", strerror(-error)),
		       2;
	printf("%" PRIu64 " pages without, %" PRIu64 " with the journal\n",
	       stats.writes_hardware + stats.writes_filesystem, stats.writes_journal);
	atomicio_journal_close(options.journal);
	return 0;
}
