/* SPDX-License-Identifier: MIT */
/*
 * A ring in memory, and disks in memory.  See fake_ring.h.
 *
 * Flow: the ring below write_flight.c in tests/unit and tests/fault.
 */
#define _GNU_SOURCE
#include "fake_ring.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define ENTRIES_MAX 4096

struct ring {
	uint32_t entries;
	uint32_t staged, flying, ready;
	struct io_uring_sqe sq[ENTRIES_MAX], flight[ENTRIES_MAX];
	uint32_t numbers[ENTRIES_MAX]; /* of flight */
	struct sys_completion cq[2 * ENTRIES_MAX + 8];
	uint32_t random;
	uint64_t echo; /* user_data of a completion to repeat */
	bool has_echo;
	bool lost;
	bool live;
};

struct fake_ring_system fake_ring;
uint8_t fake_disk_bytes[FAKE_DISKS][FAKE_DISK_SIZE];
struct sys_calls fake_ring_sys;

/* The library's ring memory holds this pointer's target only by name: one ring at a time. */
static struct ring the_ring;
static bool disk_written[FAKE_DISKS];

static void to_disk(int fd, const void *bytes, uint64_t length, uint64_t offset)
{
	const uint32_t disk = (uint32_t)(fd - FAKE_FD);

	ck_assert_uint_lt(disk, FAKE_DISKS);
	ck_assert_uint_le(offset + length, FAKE_DISK_SIZE);
	memcpy(&fake_disk_bytes[disk][offset], bytes, length);
	disk_written[disk] = true;
}

/* The result of an entry; the bytes land if the result is the length. */
static int64_t perform(const struct io_uring_sqe *entry, uint32_t number)
{
	const int64_t result = fake_ring.result ? fake_ring.result(entry, number) : entry->len;

	if (result == entry->len)
		to_disk(entry->fd, (const void *)(uintptr_t)entry->addr, entry->len, entry->off);
	return result;
}

static void look_at(int rwf)
{
	if ((rwf & (SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND)) != (SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND))
		fake_ring.without_flag++;
	if (rwf & SYS_RWF_DSYNC)
		fake_ring.with_dsync++;
}

static int ring_create(void *ring, uint32_t depth)
{
	(void)ring;
	if (fake_ring.create_result)
		return fake_ring.create_result;
	the_ring.entries = fake_ring.entries ? fake_ring.entries : depth;
	the_ring.staged = the_ring.flying = the_ring.ready = 0;
	the_ring.random = fake_ring.seed;
	the_ring.lost = the_ring.has_echo = false;
	the_ring.live = true;
	fake_ring.created++;
	return 0;
}

static void ring_destroy(void *ring)
{
	(void)ring;
	ck_assert(the_ring.live);
	the_ring.live = false;
	fake_ring.destroyed++;
}

static struct io_uring_sqe *ring_next(void *ring)
{
	(void)ring;
	ck_assert(the_ring.live);
	if (the_ring.staged == the_ring.entries)
		return NULL;
	/* Stale bytes of an earlier use. */
	memset(&the_ring.sq[the_ring.staged], 0xa5, sizeof(the_ring.sq[0]));
	return &the_ring.sq[the_ring.staged++];
}

static void post(uint64_t user_data, int32_t result)
{
	the_ring.cq[the_ring.ready++] =
		(struct sys_completion){.user_data = user_data, .result = result};
}

/* Complete one of the entries in flight. */
static void complete_one(void)
{
	uint32_t pick = 0;
	struct io_uring_sqe entry;
	int32_t result;

	if (fake_ring.seed) {
		the_ring.random = the_ring.random * 1664525u + 1013904223u;
		pick = (the_ring.random >> 8) % the_ring.flying;
	}
	entry = the_ring.flight[pick];
	result = (int32_t)perform(&entry, the_ring.numbers[pick]);
	the_ring.flying--;
	for (uint32_t i = pick; i < the_ring.flying; i++) {
		the_ring.flight[i] = the_ring.flight[i + 1];
		the_ring.numbers[i] = the_ring.numbers[i + 1];
	}
	fake_ring.in_flight--;
	fake_ring.completed++;
	if (fake_ring.completed == fake_ring.drop_at) {
		the_ring.lost = true;
		return;
	}
	post(entry.user_data, result);
	if (fake_ring.completed == fake_ring.duplicate_at) {
		the_ring.echo = entry.user_data;
		the_ring.has_echo = true;
	}
	if (fake_ring.completed == fake_ring.stray_at)
		post(UINT64_MAX, -EIO);
}

static bool may_complete(void)
{
	return the_ring.flying &&
	       !(fake_ring.late_from && fake_ring.completed + 1 >= fake_ring.late_from &&
		 fake_ring.sleeps < fake_ring.late_sleeps);
}

static void consume(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct io_uring_sqe *entry = &the_ring.sq[i];

		ck_assert_uint_eq(entry->opcode, IORING_OP_WRITE);
		ck_assert_uint_eq(entry->flags, 0);
		ck_assert_uint_eq(entry->buf_index, 0);
		look_at(entry->rw_flags);
		fake_ring.last = *entry;
		the_ring.numbers[the_ring.flying] = ++fake_ring.numbered;
		the_ring.flight[the_ring.flying++] = *entry;
	}
	the_ring.staged -= count;
	memmove(the_ring.sq, the_ring.sq + count, the_ring.staged * sizeof(the_ring.sq[0]));
	fake_ring.consumed += count;
	fake_ring.in_flight += count;
	if (fake_ring.in_flight > fake_ring.in_flight_max)
		fake_ring.in_flight_max = fake_ring.in_flight;
}

static int ring_enter(void *ring, uint32_t wait)
{
	const uint32_t all = the_ring.staged;
	uint32_t count = all;

	(void)ring;
	ck_assert(the_ring.live);
	fake_ring.enters++;
	if (fake_ring.on_enter)
		fake_ring.on_enter();
	if (fake_ring.enter_fail_at && fake_ring.enters >= fake_ring.enter_fail_at &&
	    fake_ring.enters < fake_ring.enter_fail_at + fake_ring.enter_fail_times) {
		if (fake_ring.enter_fails_late)
			consume(all);
		return fake_ring.enter_error;
	}
	if (fake_ring.idle)
		return 0;
	if (fake_ring.consume_max && count > fake_ring.consume_max)
		count = fake_ring.consume_max;
	consume(count);
	if (the_ring.has_echo)
		post(the_ring.echo, -EIO);
	the_ring.has_echo = false;
	if (count < all)
		return (int)count;
	while (the_ring.ready < wait && may_complete())
		complete_one();
	if (the_ring.ready < wait && count == 0 && the_ring.lost)
		return -EBADR; /* FR3 */
	return (int)count;
}

static uint32_t ring_left(void *ring)
{
	(void)ring;
	ck_assert(the_ring.live);
	return the_ring.staged;
}

static uint32_t ring_reap(void *ring, struct sys_completion *done, uint32_t max)
{
	uint32_t count;

	(void)ring;
	ck_assert(the_ring.live);
	/* Completions come without a call too. */
	if (fake_ring.late_from && fake_ring.sleeps >= fake_ring.late_sleeps)
		while (the_ring.flying)
			complete_one();
	count = the_ring.ready < max ? the_ring.ready : max;
	memcpy(done, the_ring.cq, count * sizeof(*done));
	the_ring.ready -= count;
	memmove(the_ring.cq, the_ring.cq + count, the_ring.ready * sizeof(*done));
	return count;
}

const struct sys_ring_calls fake_ring_calls = {
	.size = 16,
	.create = ring_create,
	.destroy = ring_destroy,
	.next = ring_next,
	.enter = ring_enter,
	.left = ring_left,
	.reap = ring_reap,
};

static ssize_t disk_pwritev2(int fd, const struct iovec *vector, int count, uint64_t offset,
			     int flags)
{
	const struct io_uring_sqe entry = {.fd = fd,
					   .addr = (uintptr_t)vector->iov_base,
					   .len = (uint32_t)vector->iov_len,
					   .off = offset,
					   .rw_flags = flags};

	if (count == 0)
		return 0; /* pwritev2 exists */
	ck_assert_int_eq(count, 1);
	if (!vector->iov_base)
		return -EINVAL; /* the probe's confirming call */
	if (flags & SYS_RWF_DSYNC)
		fake_ring.with_dsync++;
	fake_ring.plain_calls++;
	fake_ring.last = entry;
	return (ssize_t)perform(&entry, ++fake_ring.numbered);
}

static int disk_fdatasync(int fd)
{
	(void)fd;
	return ++fake_ring.fdatasyncs == fake_ring.fdatasync_at ? fake_ring.fdatasync_error : 0;
}

static int disk_write_back(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)offset;
	(void)length;
	fake_ring.write_backs++;
	return 0;
}

static int disk_start_write_back(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)offset;
	(void)length;
	fake_ring.started_write_backs++;
	return 0;
}

static int disk_drop_cache(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)offset;
	(void)length;
	fake_ring.drops++;
	return 0;
}

static int disk_cachestat(int fd, uint64_t offset, uint64_t length, struct sys_cachestat *out)
{
	(void)fd;
	(void)offset;
	(void)length;
	*out = (struct sys_cachestat){.cache = fake_ring.cached_for ? 1 : 0,
				      .dirty = fake_ring.cached_for && fake_ring.dirty};
	if (fake_ring.cached_for)
		fake_ring.cached_for--;
	return 0;
}

static void disk_sleep_us(uint32_t microseconds)
{
	(void)microseconds;
	fake_ring.sleeps++;
}

void fake_ring_reset(void)
{
	const struct fake_queue queue = {.unit_min = 4096,
					 .unit_max = 16384,
					 .max = 16384,
					 .logical = 512,
					 .physical = 4096};

	fake_reset();
	fake_claim(4096, 16384, 16384);
	fake_disk("/sys/devices/pci0/block/sda", "8:0", &queue);
	fake_ring = (struct fake_ring_system){0};
	fake_ring_sys = fake_sys;
	fake_ring_sys.pwritev2 = disk_pwritev2;
	fake_ring_sys.fdatasync = disk_fdatasync;
	fake_ring_sys.write_back = disk_write_back;
	fake_ring_sys.start_write_back = disk_start_write_back;
	fake_ring_sys.drop_cache = disk_drop_cache;
	fake_ring_sys.cachestat = disk_cachestat;
	fake_ring_sys.sleep_us = disk_sleep_us;
	for (uint32_t i = 0; i < FAKE_DISKS; i++) {
		if (disk_written[i])
			memset(fake_disk_bytes[i], 0, FAKE_DISK_SIZE);
		disk_written[i] = false;
	}
	the_ring.live = false;
}

struct atomicio_file *fake_ring_open(uint32_t disk, const struct atomicio_options *options)
{
	struct atomicio_file *file = NULL;

	ck_assert_int_eq(
		write_open(&fake_ring_sys, FAKE_FD + (int)disk, options, sizeof(*options), &file),
		0);
	return file;
}

void fake_disk_write(uint32_t disk, uint64_t offset, uint64_t length, uint32_t seed)
{
	to_disk(FAKE_FD + (int)disk, fake_page(seed), length, offset);
}
