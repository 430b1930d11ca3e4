/* SPDX-License-Identifier: MIT */
/*
 * An engine like InnoDB, without a double-write buffer: one thread, one io_uring, transactions of
 * four pages, thousands of pages in flight, and no wait except for the ring.
 *
 * Flow: engine_ring FILE JOURNAL COMMITS.  The pages of a transaction are gathered into the open
 * frame.  While one frame is being written the next one fills.  When a frame is durable, its
 * transactions are acknowledged and its pages go home.  Kill the program, and run it again: the
 * program recovers, and prints the number of torn or lost transactions.
 */
#define _GNU_SOURCE /* O_DIRECT, syncfs */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <libatomicio/journal.h>
#include <libatomicio/uring.h>

enum { GROUP = 4, PAGE = 4096, SLOTS = 1024, DEPTH = 4096, FRAMES = 16, FILE_ID = 7 };

/* The pages of slot n are pages 4n to 4n + 3 of the file, full of the transaction's number. */
static struct slot {
	struct atomicio_request requests[GROUP];
	uint64_t number;     /* of the transaction */
	int left;	     /* pages not yet home; 0: the slot is free */
	struct slot *follow; /* the next slot of the frame */
} slots[SLOTS];

static _Alignas(4096) uint64_t page[PAGE / 8];
static uint64_t *acknowledged; /* number by slot, in memory that survives the process */
static struct atomicio_journal *journal;
static struct atomicio_file *file;
static struct io_uring ring;
static struct slot *gathered;
static int event_fd;
static unsigned int in_flight; /* entries */

static int find(void *context, uint64_t file_id)
{
	return file_id == FILE_ID ? *(int *)context : -ENOENT;
}

static uint64_t offset_of(const struct slot *slot, int i)
{
	return ((uint64_t)(slot - slots) * GROUP + (uint64_t)i) * PAGE;
}

static struct io_uring_sqe *entry(void *data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) { /* the queue is full of entries not yet submitted */
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	sqe->user_data = (uintptr_t)data;
	in_flight++;
	return sqe;
}

/* Put a transaction into the open frame.  -EAGAIN, -EBUSY, -ENOBUFS: not now. */
static int gather(struct slot *slot, uint64_t number)
{
	struct atomicio_op ops[GROUP];
	int error;

	for (size_t i = 0; i < PAGE / 8; i++)
		page[i] = number;
	for (int i = 0; i < GROUP; i++)
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = page, /* the page is copied */
					      .length = PAGE,
					      .offset = offset_of(slot, i)};
	error = atomicio_uring_gather_group(slot->requests, ops, GROUP);
	if (error)
		return error;
	slot->number = number;
	slot->left = GROUP;
	slot->follow = gathered;
	gathered = slot;
	return 0;
}

static struct slot *slot_of(const struct atomicio_request *request)
{
	return &slots[(size_t)((const char *)request - (const char *)slots) / sizeof(slots[0])];
}

/* The next entry of a write: the home write, or a repeat. */
static int next(struct atomicio_request *request)
{
	const struct slot *slot = slot_of(request);

	return atomicio_uring_prep(request, file, entry(request), page, PAGE,
				   offset_of(slot, (int)(request - slot->requests)), 0);
}

/* Close the open frame: its entry belongs to the last slot's first request. */
static int commit(void)
{
	struct atomicio_request *request = &gathered->requests[0];
	const int error = atomicio_uring_commit(request);

	if (error)
		return error;
	gathered = NULL;
	return next(request);
}

/* A frame is durable, with all its transactions. */
static int acknowledge(struct slot *slot)
{
	int error = 0;

	for (; slot && !error; slot = slot->follow) {
		acknowledged[slot - slots] = slot->number;
		for (int i = 0; i < GROUP && !error; i++)
			error = next(&slot->requests[i]);
	}
	return error;
}

static int complete(struct atomicio_request *request, int res)
{
	const int result = atomicio_uring_done(request, res);

	if (result == ATOMICIO_DURABLE)
		return acknowledge(slot_of(request));
	if (result == ATOMICIO_AGAIN_SQE)
		return next(request);
	slot_of(request)->left -= result == 0;
	return result;
}

/* Wait for one completion at least, or for the journal's event. */
static int turn(void)
{
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0;
	int error = io_uring_submit_and_wait(&ring, 1);

	error = error == -EINTR || error > 0 ? 0 : error;
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		count++;
		in_flight--;
		if (cqe->user_data == (uintptr_t)&event_fd) {
			eventfd_t value;

			eventfd_read(event_fd, &value);
			io_uring_prep_poll_add(entry(&event_fd), event_fd, POLLIN);
		} else if (!error) {
			error = complete((struct atomicio_request *)(uintptr_t)cqe->user_data,
					 cqe->res);
		}
	}
	io_uring_cq_advance(&ring, count);
	return error;
}

static int is_later(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -ENOBUFS || error == -ENOSPC;
}

static int run(uint64_t first, uint64_t count)
{
	uint64_t number = first;
	int error = 0;

	while (!error && (number < first + count || gathered || in_flight > 1)) {
		struct slot *slot = &slots[number % SLOTS];

		while (number < first + count && !slot->left && !(error = gather(slot, number)))
			slot = &slots[++number % SLOTS];
		if (gathered && (!error || is_later(error)))
			error = commit();
		if (error == -ENOSPC && in_flight == 1) /* the poll: nothing else can make room */
			error = atomicio_journal_checkpoint(journal);
		else if (!error || is_later(error))
			error = turn();
	}
	return error;
}

/* Check that every transaction is whole, and that no acknowledged transaction is missing. */
static uint64_t check(int fd, uint64_t *newest)
{
	uint64_t bad = 0, number = 0;

	for (size_t i = 0; i < SLOTS; i++) {
		for (int k = 0; k < GROUP; k++) {
			if (pread(fd, page, PAGE, (off_t)offset_of(&slots[i], k)) != PAGE)
				memset(page, 0, PAGE);
			number = k ? number : page[0];
			for (size_t w = 0; w < PAGE / 8; w++)
				bad += page[w] != number;
		}
		bad += number < acknowledged[i];
		*newest = number > *newest ? number : *newest;
	}
	return bad;
}

static void *remember(const char *name)
{
	char path[4096];
	int fd;
	void *memory;

	snprintf(path, sizeof(path), "%s.acknowledged", name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, SLOTS * sizeof(uint64_t)))
		return NULL;
	memory = mmap(NULL, SLOTS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

/* A killed process keeps its locks until its last entry has ended: some milliseconds. */
static int is_locked(int error)
{
	static int tries;

	return (error == -EBUSY || error == -EWOULDBLOCK) && tries++ < 1000 && !usleep(10000);
}

/* Recovery waits for the dead process's home writes, which would land over newer pages. */
static int start(int journal_fd, int fd)
{
	const struct atomicio_recover_options lock = {.flags = ATOMICIO_RECOVER_LOCK};
	int error;

	do
		error = atomicio_journal_create(journal_fd, NULL, 0);
	while (is_locked(error));
	if (!error)
		error = syncfs(journal_fd) ? -errno : 0; /* a new journal's name, too */
	if (error && error != -EEXIST)
		return error;
	do
		error = atomicio_journal_open(journal_fd, NULL, 0, &journal);
	while (is_locked(error));
	while (!error || is_locked(error)) {
		error = atomicio_journal_recover(journal, find, &fd, &lock, sizeof(lock), NULL, 0);
		if (!error)
			break;
	}
	return error;
}

int main(int argc, char **argv)
{
	const int flags = O_RDWR | O_CREAT | O_CLOEXEC;
	int fd = argc == 4 ? open(argv[1], flags | O_DIRECT, 0600) : -1;
	int journal_fd = argc == 4 ? open(argv[2], flags, 0600) : -1;
	struct atomicio_options options = {
		.file_id = FILE_ID, .path = ATOMICIO_PATH_JOURNAL, .flags = ATOMICIO_OPEN_LOCK};
	struct atomicio_stats stats = {0};
	uint64_t newest = 0, bad = 0;
	int error = start(journal_fd, fd);

	options.journal = journal;
	if (!error && !(acknowledged = remember(argv[1])))
		error = -errno;
	if (!error && (bad = check(fd, &newest)))
		error = -EUCLEAN;
	if (!error) /* no page of a ring makes a file longer: the call would wait */
		error = -posix_fallocate(fd, 0, (off_t)SLOTS * GROUP * PAGE);
	if (!error)
		error = atomicio_open(fd, &options, sizeof(options), &file);
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!error)
		error = atomicio_uring_begin(journal, FRAMES, event_fd);
	if (!error)
		error = io_uring_queue_init(DEPTH, &ring, 0);
	if (!error) {
		io_uring_prep_poll_add(entry(&event_fd), event_fd, POLLIN);
		error = run(newest + 1, strtoull(argv[3], NULL, 10));
	}
	if (!error)
		error = atomicio_file_get_stats(file, &stats, sizeof(stats)) | atomicio_close(file);
	if (error)
		return fprintf(stderr, "engine_ring FILE JOURNAL COMMITS: %s, %" PRIu64 " bad\n",
			       strerror(-error), bad),
		       2;
	printf("%" PRIu64 " transactions before, %" PRIu64 " pages written\n", newest,
	       stats.writes_journal);
	return atomicio_journal_close(options.journal) != 0;
}
