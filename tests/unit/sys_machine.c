/* SPDX-License-Identifier: MIT */
/*
 * Goal: memory of any length is zero and aligned, and long memory lies in huge pages where the
 * kernel has them: a disk then needs fewer pieces.
 * Method: the real call; /proc/self/smaps shows the advice for a range.
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check_run.h"
#include "sys.h"

#define MIB ((size_t)1 << 20)

/* Sanitizers end a program that asks for too much memory, except with an option. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static bool is_zero(const uint8_t *memory, size_t length)
{
	return memory[0] == 0 && memcmp(memory, memory + 1, length - 1) == 0;
}

/* Is the range of this address marked for huge pages?  -1: unknown. */
static int is_marked(const void *memory)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	unsigned long from = 0, to = 0;
	char line[512];
	int marked = -1;

	while (maps && marked < 0 && fgets(line, sizeof(line), maps)) {
		if (strncmp(line, "VmFlags:", 8) != 0) {
			(void)sscanf(line, "%lx-%lx ", &from, &to);
			continue;
		}
		if ((uintptr_t)memory >= from && (uintptr_t)memory < to)
			marked = strstr(line, " hg") != NULL;
	}
	if (maps)
		fclose(maps);
	return marked;
}

START_TEST(memory_of_any_length_is_zero_and_aligned)
{
	static const size_t lengths[] = {1,	  4096,	       65537,		2 * MIB - 1,
					 2 * MIB, 2 * MIB + 1, 4 * MIB + 32768, 9 * MIB + 512};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (size_t align = 16; align <= 4 * MIB; align *= 16) {
			uint8_t *memory = sys_linux.allocate(align, lengths[i]);

			ck_assert(memory);
			ck_assert_uint_eq((uintptr_t)memory % align, 0);
			ck_assert(is_zero(memory, lengths[i]));
			memset(memory, 7, lengths[i]);
			sys_linux.release_memory(memory);
		}
	}
	ck_assert(!sys_linux.allocate(4096, SIZE_MAX - 100));
	ck_assert(!sys_linux.allocate(4096, SIZE_MAX / 2));
}
END_TEST

/* Does a range that was marked look marked?  Not below qemu-user. */
static bool can_be_told(void)
{
	uint8_t *memory =
		mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool told;

	ck_assert(memory != MAP_FAILED);
	told = madvise(memory, 4 * MIB, MADV_HUGEPAGE) == 0 && is_marked(memory) == 1;
	munmap(memory, 4 * MIB);
	return told;
}

START_TEST(long_memory_is_marked_for_huge_pages_and_short_memory_is_not)
{
	uint8_t *frame = sys_linux.allocate(4096, 4 * MIB + 32768);
	uint8_t *page = sys_linux.allocate(4096, 65536);

	ck_assert(frame && page);
	if (can_be_told()) {
		ck_assert_int_eq(is_marked(frame), 1);
		ck_assert_int_eq(is_marked(frame + 4 * MIB - 1), 1);
		ck_assert_int_eq(is_marked(page), 0);
	}
	sys_linux.release_memory(frame);
	sys_linux.release_memory(page);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		memory_of_any_length_is_zero_and_aligned,
		long_memory_is_marked_for_huge_pages_and_short_memory_is_not,
	};

	return check_run("sys_machine", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
