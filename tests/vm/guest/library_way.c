/* SPDX-License-Identifier: MIT */
/*
 * One write, or several at once, through the library by one of its ways.
 *
 * Flow: from the commands.  The policy of the handle notes each failure and then answers as the
 * default policy does, or is stubborn.
 */
#define _GNU_SOURCE
#include "library.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX 16U
#define AGAIN_MAX 10000U

bool library_way(const char *text, enum way *way)
{
	static const char *const names[WAYS] = {"sync", "ring", "queue", "raw"};

	for (uint32_t i = 0; i < WAYS; i++) {
		if (strcmp(text, names[i]) == 0) {
			*way = (enum way)i;
			return true;
		}
	}
	return false;
}

/* The text behind KEY=, or NULL. */
const char *library_number(const char *text, const char *key)
{
	size_t length = strlen(key);

	return strncmp(text, key, length) == 0 && text[length] == '=' ? text + length + 1 : NULL;
}

static uint32_t note(void *context, const struct atomicio_failure *failure)
{
	struct library *library = context;

	library->kinds_seen |= UINT64_C(1) << failure->kind;
	library->last = *failure;
	return library->stubborn ? ATOMICIO_RETRY : atomicio_policy_default(NULL, failure);
}

int library_open(struct library *library, int fd)
{
	int error = 0;

	library->fd = fd;
	library->options.policy = note;
	library->options.policy_context = library;
	if (library->way == WAY_QUEUE && !library->queue)
		error = atomicio_queue_create(BATCH_MAX, &library->queue);
	return error ? error
		     : atomicio_open(fd, &library->options, sizeof(library->options),
				     &library->file);
}

void library_close(struct library *library)
{
	if (library->file)
		atomicio_close(library->file);
	atomicio_queue_destroy(library->queue);
	atomicio_journal_close(library->journal);
	library->file = NULL;
	library->queue = NULL;
	library->journal = NULL;
}

static int32_t write_by_ring(struct library *library, char *page, uint64_t offset, uint64_t length)
{
	struct atomicio_request request = {0};
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	int error = io_uring_queue_init(4, &ring, 0);

	if (error)
		return error;
	for (uint32_t i = 0; i < AGAIN_MAX; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		error = atomicio_uring_prep(&request, library->file, sqe, page, length, offset,
					    library->flags);
		sqe->user_data = 1;
		if (io_uring_submit(&ring) != 1 || io_uring_wait_cqe(&ring, &cqe) != 0) {
			error = -ENODATA;
			break;
		}
		if (!error)
			error = atomicio_uring_done(&request, cqe->res);
		io_uring_cqe_seen(&ring, cqe);
		if (error != ATOMICIO_AGAIN_SQE)
			break;
		library->again++;
	}
	io_uring_queue_exit(&ring);
	return error;
}

static int32_t write_raw(const struct library *library, char *page, uint64_t offset,
			 uint64_t length)
{
	const struct iovec vector = {page, length};
	ssize_t result = pwritev2(library->fd, &vector, 1, (off_t)offset, RAW_RWF_ATOMIC);

	if (result < 0)
		return -errno;
	return (uint64_t)result == length ? 0 : -ERANGE;
}

int32_t library_write(struct library *library, char *page, uint64_t offset, uint64_t length)
{
	int32_t result = -ENODATA;

	library_write_many(library, &page, &offset, length, &result, 1);
	return result;
}

static void write_by_queue(struct library *library, char *const *pages, const uint64_t *offsets,
			   uint64_t length, int32_t *results, uint32_t count)
{
	struct atomicio_op ops[BATCH_MAX] = {0};
	int error;

	for (uint32_t i = 0; i < count; i++) {
		ops[i].file = library->file;
		ops[i].buffer = pages[i];
		ops[i].offset = offsets[i];
		ops[i].length = length;
		ops[i].result = -ENODATA;
	}
	error = atomicio_write_batch(library->queue, ops, count, library->flags);
	for (uint32_t i = 0; i < count; i++)
		results[i] = error && ops[i].result == -ENODATA ? error : ops[i].result;
}

void library_write_many(struct library *library, char *const *pages, const uint64_t *offsets,
			uint64_t length, int32_t *results, uint32_t count)
{
	if (count > BATCH_MAX)
		abort();
	if (library->way == WAY_QUEUE) {
		write_by_queue(library, pages, offsets, length, results, count);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (library->way == WAY_RING)
			results[i] = write_by_ring(library, pages[i], offsets[i], length);
		else if (library->way == WAY_RAW)
			results[i] = write_raw(library, pages[i], offsets[i], length);
		else
			results[i] = atomicio_write(library->file, pages[i], length, offsets[i],
						    library->flags);
	}
}
