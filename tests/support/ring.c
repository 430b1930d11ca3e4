/* SPDX-License-Identifier: MIT */
/* See ring.h. */
#define _GNU_SOURCE
#include "ring.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_crc.h"

struct ring ring;
struct sys_calls ring_sys;

static bool is_journal(int fd)
{
	struct stat one, other;

	return fstat(fd, &one) == 0 && fstat(ring.fd, &other) == 0 && one.st_ino == other.st_ino;
}

static ssize_t ring_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	if (is_journal(fd)) {
		ring.reads++;
		if (offset < ring.bad_end && offset + length > ring.bad_start)
			return -EIO;
	}
	return sys_linux.pread(fd, buffer, length, offset);
}

static ssize_t ring_pwritev2(int fd, const struct iovec *vector, int count, uint64_t offset,
			     int flags)
{
	struct stat one, other;
	ssize_t written;

	if (count && offset == ring.bad_home_offset && !is_journal(fd) && fstat(fd, &one) == 0 &&
	    fstat(ring.homes[2], &other) == 0 && one.st_ino == other.st_ino) {
		ring.writes++;
		return -ENOSPC;
	}
	written = sys_linux.pwritev2(fd, vector, count, offset, flags);
	ring.writes += count && written != -ENOSYS;
	return written;
}

/* Of a system without pwritev2. */
static ssize_t ring_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	ring.writes++;
	return sys_linux.pwrite(fd, buffer, length, offset);
}

void ring_make(uint64_t tail)
{
	ring_make_of(tail, RING_SIZE);
}

void ring_make_of(uint64_t tail, uint64_t size)
{
	struct journal_header header = {
		.size = size,
		.frame_max = RING_FRAME_MAX,
		.generation = 9,
		.tail_offset = JOURNAL_RING_START,
		.tail_sequence = tail,
		.head_offset = JOURNAL_RING_START,
		.head_sequence = tail,
	};
	static uint8_t block[JOURNAL_BLOCK], home[64u << 10];

	ring = (struct ring){.bad_home_offset = UINT64_MAX};
	memset(ring.id, 0x5e, sizeof(ring.id));
	memcpy(header.id, ring.id, sizeof(header.id));
	ring_sys = sys_linux;
	ring_sys.pread = ring_pread;
	ring_sys.pwritev2 = ring_pwritev2;
	ring_sys.pwrite = ring_pwrite;
	ring.fd = memfd_create("journal", 0);
	ck_assert_int_ge(ring.fd, 0);
	ck_assert_int_eq(ftruncate(ring.fd, (off_t)size), 0);
	journal_encode_header(block, &header);
	ring_poke(0, block, sizeof(block));
	ring_poke(JOURNAL_BLOCK, block, sizeof(block));
	memset(home, 0x11, sizeof(home));
	for (uint64_t i = 1; i <= RING_HOMES; i++) {
		ring.homes[i] = memfd_create("home", 0);
		ck_assert_int_eq(pwrite(ring.homes[i], home, sizeof(home), 0), sizeof(home));
		ring.now[i].file_id = i;
		journal_identify(&sys_linux, ring.homes[i], &ring.now[i]);
	}
}

void ring_free(void)
{
	close(ring.fd);
	for (uint32_t i = 1; i <= RING_HOMES; i++)
		close(ring.homes[i]);
}

void ring_poke(uint64_t offset, const void *bytes, size_t length)
{
	ck_assert_int_eq(pwrite(ring.fd, bytes, length, (off_t)offset), (ssize_t)length);
}

struct journal_frame ring_frame(uint64_t sequence, uint64_t offset)
{
	return (struct journal_frame){
		.sequence = sequence,
		.offset = offset,
		.durable_to = sequence,
		.chain_first = sequence,
		.files = 1,
		.count = 1,
		.header_length = JOURNAL_BLOCK,
		.length = RING_FRAME_LENGTH,
	};
}

void ring_put(struct journal_frame frame, uint64_t file_id, uint64_t home_offset, uint8_t fill)
{
	static uint8_t bytes[RING_FRAME_LENGTH];
	uint8_t row[JOURNAL_FILE_SIZE];
	struct journal_entry entry = {.offset = home_offset, .length = JOURNAL_BLOCK};

	memset(bytes + JOURNAL_BLOCK, fill, JOURNAL_BLOCK);
	entry.crc = journal_crc32c(0, bytes + JOURNAL_BLOCK, JOURNAL_BLOCK);
	journal_encode_file(row, &ring.now[file_id]);
	journal_put_row(bytes, 0, row);
	journal_put_entry(bytes, 1, 0, &entry);
	journal_encode_frame(bytes, ring.id, &frame);
	ring_poke(frame.offset, bytes, sizeof(bytes));
}

struct atomicio_journal *ring_open(void)
{
	struct atomicio_journal *journal = NULL;

	ck_assert_int_eq(journal_open(&ring_sys, ring.fd, &journal), 0);
	return journal;
}

struct atomicio_journal_info ring_info(const struct atomicio_journal *journal)
{
	struct atomicio_journal_info info;

	ck_assert_int_eq(atomicio_journal_get_info(journal, &info, sizeof(info)), 0);
	return info;
}

bool ring_home_is(uint64_t file_id, uint64_t offset, uint8_t fill)
{
	uint8_t page[JOURNAL_BLOCK];

	if (pread(ring.homes[file_id], page, sizeof(page), (off_t)offset) != sizeof(page))
		return false;
	for (size_t i = 0; i < sizeof(page); i++)
		if (page[i] != fill)
			return false;
	return true;
}

int ring_resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id <= RING_HOMES ? ring.homes[file_id] : -ENOENT;
}
