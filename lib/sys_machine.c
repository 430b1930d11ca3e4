/* SPDX-License-Identifier: MIT */
/* The process and the machine.  See sys_machine.h. */
#define _GNU_SOURCE
#include "sys_machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <linux/posix_types.h>

#include "sys_result.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Of x86 and, with pages of 4 KiB, of ARM. */
#define HUGE_PAGE ((size_t)2 << 20)

int sys_machine_release(char *buffer, size_t size)
{
	struct utsname name;
	const int result = SYS_RESULT(int, uname(&name));
	size_t length;

	if (result < 0)
		return result;
	length = strnlen(name.release, size - 1);
	memcpy(buffer, name.release, length);
	buffer[length] = '\0';
	return 0;
}

int sys_machine_file_size_limit(uint64_t *limit)
{
	struct rlimit value;
	const int result = SYS_RESULT(int, getrlimit(RLIMIT_FSIZE, &value));

	if (result == 0)
		*limit = value.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (uint64_t)value.rlim_cur;
	return result;
}

/* madvise() wants whole pages; a length of 0 asks whether the kernel knows the advice. */
int sys_machine_populate(const void *start, size_t length)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t from = (uintptr_t)start & ~(page - 1);
	const uintptr_t to = length ? ((uintptr_t)start + length + page - 1) & ~(page - 1) : from;

	return SYS_RESULT(int, madvise((void *)from, to - from, MADV_POPULATE_READ));
}

/*
 * The raw call takes two longs, also where the C library's time_t is longer (32-bit, musl, or
 * _TIME_BITS=64): its struct timespec would be read as seconds 0, nanoseconds 0.  A machine younger
 * than the longer type has only the second call.
 */
void sys_machine_sleep_us(uint32_t microseconds)
{
#ifdef SYS_nanosleep
	const struct {
		__kernel_long_t seconds, nanoseconds;
	} time = {.seconds = (__kernel_long_t)(microseconds / 1000000),
		  .nanoseconds = (__kernel_long_t)(microseconds % 1000000 * 1000)};

	(void)SYS_RESULT(int, syscall(SYS_nanosleep, &time, NULL));
#else
	const struct {
		int64_t seconds, nanoseconds;
	} time = {.seconds = microseconds / 1000000, .nanoseconds = microseconds % 1000000 * 1000};

	(void)SYS_RESULT(int, syscall(SYS_clock_nanosleep_time64, CLOCK_MONOTONIC, 0, &time, NULL));
#endif
}

int sys_machine_random(void *buffer, size_t length)
{
	const ssize_t result = SYS_RESULT(ssize_t, syscall(SYS_getrandom, buffer, length, 0));

	if (result < 0)
		return (int)result;
	return (size_t)result == length ? 0 : -EIO;
}

/*
 * Frames are written from long memory.  Memory in huge pages is a few pieces for the disk instead
 * of a piece for each 4 KiB.  A request holds only some hundred pieces (max_segments in
 * /sys/block), and each write costs less work.  The call touches all of the memory, and takes
 * nothing that would stay unused.  Without huge pages the memory is only slower.
 */
static void *allocate_long(size_t alignment, size_t length)
{
	const size_t rounded = (length + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	void *memory = alignment > HUGE_PAGE || rounded < length
			       ? NULL
			       : aligned_alloc(HUGE_PAGE, rounded);

	if (memory)
		(void)madvise(memory, length & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
	return memory;
}

void *sys_machine_allocate(size_t alignment, size_t size)
{
	const int saved = errno;
	const size_t rounded = (size + alignment - 1) & ~(alignment - 1);
	void *memory = NULL;

	if (rounded >= HUGE_PAGE)
		memory = allocate_long(alignment, rounded);
	if (!memory && rounded >= size)
		memory = aligned_alloc(alignment, rounded);
	if (memory)
		memset(memory, 0, rounded);
	errno = saved;
	return memory;
}

void sys_machine_release_memory(void *memory)
{
	free(memory);
}
