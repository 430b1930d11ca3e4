/* SPDX-License-Identifier: MIT */
/*
 * own_machine.h, with requests and the entries that they fill: the test plays the kernel, and says
 * when an entry is carried out, and with which result.
 *
 * Flow: included by the tests of guests that go to the journal; uring_setup() first.
 */
#ifndef URING_MACHINE_H
#define URING_MACHINE_H

#include "journal_guest.h"
#include "libatomicio/uring.h"
#include "own_machine.h"
#include "write_entry.h"

#define REQUESTS 64u
#define FRAMES 4u

static struct atomicio_request requests[REQUESTS];
static struct io_uring_sqe entry;
static uint8_t bytes[REQUESTS][PAGE];
/* Calls that wait for a disk, or may; requests for memory; and events. */
static uint32_t waits, allocations, events;
/*
 * Handles of dead processes: never freed, and no leak is reported.  volatile: else a compiler may
 * leave out a variable that is only written, and the handles look leaked.
 */
static struct atomicio_file *volatile dead[16];
static uint32_t dead_count;

static inline ssize_t counted_write(int fd, const struct iovec *vector, int count, uint64_t offset,
				    int flags)
{
	waits += count != 0;
	return own_write(fd, vector, count, offset, flags);
}

static inline int counted_sync(int fd)
{
	waits++;
	return interrupted_sync(fd);
}

static inline void *counted_allocate(size_t alignment, size_t size)
{
	allocations++;
	return sys_linux.allocate(alignment, size);
}

static inline int count_event(int event)
{
	ck_assert_int_eq(event, 77);
	events++;
	return 0;
}

static inline void uring_setup(void)
{
	own_setup();
	calls.pwritev2 = counted_write;
	calls.fdatasync = counted_sync;
	calls.allocate = counted_allocate;
	calls.signal = count_event;
	memset(requests, 0, sizeof(requests));
	end_process();
	own.magic = SYS_MAGIC_EXT4; /* RWF_DSYNC is trusted */
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	open_files();
	ck_assert_int_eq(atomicio_uring_begin(journal, FRAMES, 77), 0);
	waits = allocations = events = 0;
}

static inline int prep_at(uint32_t request, int file, uint32_t at, int value)
{
	memset(bytes[request], value, PAGE);
	memset(&entry, 0xa5, sizeof(entry));
	return atomicio_uring_prep(&requests[request], files[file], &entry, bytes[request], PAGE,
				   (uint64_t)at * PAGE, 0);
}

/* Once more, for what comes next. */
static inline int prep_next(uint32_t request, int file, uint32_t at)
{
	memset(&entry, 0xa5, sizeof(entry));
	return atomicio_uring_prep(&requests[request], files[file], &entry, bytes[request], PAGE,
				   (uint64_t)at * PAGE, 0);
}

static inline int gather_at(uint32_t request, int file, uint32_t at, int value)
{
	memset(bytes[request], value, PAGE);
	return atomicio_uring_gather(&requests[request], files[file], bytes[request], PAGE,
				     (uint64_t)at * PAGE, 0);
}

/* Close the frame, and have its entry: `file` and `at` are the request's. */
static inline int commit_with(uint32_t request, int file, uint32_t at)
{
	const int error = atomicio_uring_commit(&requests[request]);

	return error ? error : prep_next(request, file, at);
}

/* The kernel's work on an entry. */
static inline int carry_out(const struct io_uring_sqe *sqe)
{
	const struct iovec vector = {.iov_base = (void *)(uintptr_t)sqe->addr, .iov_len = sqe->len};
	int result;

	if (sqe->opcode == IORING_OP_NOP)
		return 0;
	if (sqe->opcode == IORING_OP_FSYNC)
		return sys_linux.fdatasync(sqe->fd);
	ck_assert_uint_eq(sqe->opcode, IORING_OP_WRITE);
	result = (int)sys_linux.pwritev2(sqe->fd, &vector, 1, sqe->off, (int)sqe->rw_flags);
	if (result != -ENOSYS)
		return result;
	/* qemu-user has no pwritev2(2). */
	return (int)pwrite(sqe->fd, vector.iov_base, vector.iov_len, (off_t)sqe->off);
}

/* The entry's file is the journal's. */
static inline bool is_frame(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_WRITE && is_journal(sqe->fd);
}

static inline int done_with(uint32_t request, int result)
{
	return atomicio_uring_done(&requests[request], result);
}

/* From the durable frame to the end. */
static inline void bring_home(uint32_t request, int file, uint32_t at)
{
	ck_assert_int_eq(prep_next(request, file, at), 0);
	ck_assert(!is_frame(&entry));
	ck_assert_int_eq(done_with(request, carry_out(&entry)), 0);
}

/* All of it. */
static inline void write_by_ring(uint32_t request, int file, uint32_t at, int value)
{
	ck_assert_int_eq(prep_at(request, file, at, value), 0);
	ck_assert_int_eq(done_with(request, carry_out(&entry)), ATOMICIO_DURABLE);
	bring_home(request, file, at);
}

/* As if the process died now: only the files are left. */
static inline void die(void)
{
	static uint8_t image[JOURNAL_RING_START + 8 * FRAME];
	static uint8_t homes[2][FILE_SIZE];

	ck_assert_int_eq(pread(journal_fd, image, sizeof(image), 0), sizeof(image));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pread(fds[i], homes[i], FILE_SIZE, 0), FILE_SIZE);
	/* Its handles cannot be closed in good order. */
	for (int i = 0; i < 2; i++)
		dead[dead_count++] = files[i];
	journal->files = NULL;
	sys_linux.unlock(journal->fd);
	(void)atomicio_journal_close(journal);
	ck_assert_int_eq(pwrite(journal_fd, image, sizeof(image), 0), sizeof(image));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pwrite(fds[i], homes[i], FILE_SIZE, 0), FILE_SIZE);
	memset(requests, 0, sizeof(requests));
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
}

static inline int recover(void)
{
	const int error = atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0);

	if (!error)
		open_files();
	return error;
}

#endif /* URING_MACHINE_H */
