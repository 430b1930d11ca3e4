/* SPDX-License-Identifier: MIT */
/*
 * A small harness for test programs that run on a real filesystem.
 *
 * Flow: tests/kernel/NAME.sh mounts something and runs the program NAME with the directory;
 * the program runs its table of tests and prints one TAP line for each.
 *
 * Rules: a failed check ends its test, not the program.  Checks belong to the main thread;
 * other threads hand their findings over.
 */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libatomicio/atomicio.h"

#define KIB 1024u
#define MIB (1024u * 1024u)

struct kernel_test {
	const char *name;
	void (*run)(void);
};
#define TEST(function)                                                                             \
	{                                                                                          \
#function, function                                                                \
	}

static const char *kernel_directory;
static jmp_buf kernel_failed;

/* Compare two integers; print both values if different. */
#define CHECK_EQ(left, right)                                                                      \
	do {                                                                                       \
		const long long left_ = (long long)(left), right_ = (long long)(right);            \
		if (left_ != right_) {                                                             \
			printf("# %s:%d: %s is %lld, not %s (%lld)\n", __FILE__, __LINE__, #left,  \
			       left_, #right, right_);                                             \
			longjmp(kernel_failed, 1);                                                 \
		}                                                                                  \
	} while (0)

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #condition);         \
			longjmp(kernel_failed, 1);                                                 \
		}                                                                                  \
	} while (0)

/* A system call of the test's own that must work. */
#define MUST(call)                                                                                 \
	do {                                                                                       \
		if ((call) < 0) {                                                                  \
			printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, #call, strerror(errno));   \
			longjmp(kernel_failed, 1);                                                 \
		}                                                                                  \
	} while (0)

/* Page-aligned, zeroed memory, kept until the program ends. */
static inline uint8_t *kernel_memory(size_t size)
{
	void *memory = NULL;

	if (posix_memalign(&memory, 64 * KIB, size))
		abort();
	memset(memory, 0, size);
	return memory;
}

/* Bytes that name their place and their write: a torn page shows. */
static inline void kernel_fill(uint8_t *buffer, size_t length, uint64_t offset, uint32_t seed)
{
	for (size_t i = 0; i < length; i++) {
		const uint64_t word = (offset + i) / 8 * UINT64_C(0x9E3779B97F4A7C15) + seed;

		buffer[i] = (uint8_t)(word >> ((offset + i) % 8 * 8));
	}
}

/* A file of `size` bytes of seed 1 in the test's directory, opened with `flags`. */
static inline int kernel_file(const char *name, size_t size, int flags)
{
	char path[4096];
	uint8_t *bytes = kernel_memory(size ? size : 1);
	int fd;

	snprintf(path, sizeof(path), "%s/%s", kernel_directory, name);
	unlink(path);
	kernel_fill(bytes, size, 0, 1);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(fd);
	for (size_t done = 0; done < size;) {
		const ssize_t n = pwrite(fd, bytes + done, size - done, (off_t)done);

		MUST(n);
		done += (size_t)n;
	}
	MUST(fsync(fd));
	close(fd);
	free(bytes);
	fd = open(path, flags | O_CLOEXEC);
	MUST(fd);
	return fd;
}

/* True if [offset, offset + length) of the named file holds `seed`, read afresh. */
static inline int kernel_holds(const char *name, uint64_t offset, size_t length, uint32_t seed)
{
	char path[4096];
	uint8_t *found = kernel_memory(length + 1), *wanted = kernel_memory(length + 1);
	int same, fd;

	snprintf(path, sizeof(path), "%s/%s", kernel_directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	MUST(fd);
	same = pread(fd, found, length, (off_t)offset) == (ssize_t)length;
	close(fd);
	kernel_fill(wanted, length, offset, seed);
	same = same && !memcmp(found, wanted, length);
	free(found);
	free(wanted);
	return same;
}

static inline uint64_t kernel_size(const char *name)
{
	char path[4096];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s", kernel_directory, name);
	MUST(stat(path, &status));
	return (uint64_t)status.st_size;
}

/* A policy that records each failure and gives a fixed answer. */
struct kernel_policy {
	uint32_t answer;
	uint32_t seen;
	struct atomicio_failure last;
};

static inline uint32_t kernel_decide(void *context, const struct atomicio_failure *failure)
{
	struct kernel_policy *policy = context;

	policy->seen++;
	policy->last = *failure;
	return policy->answer;
}

/* Open a handle; `options` NULL: all defaults. */
static inline struct atomicio_file *kernel_open(int fd, const struct atomicio_options *options)
{
	struct atomicio_file *file = NULL;

	CHECK_EQ(atomicio_open(fd, options, sizeof(*options), &file), 0);
	CHECK(file);
	return file;
}

/* Open a handle whose failures go to `policy`. */
static inline struct atomicio_file *kernel_open_with(int fd, struct kernel_policy *policy,
						     uint32_t fallback)
{
	const struct atomicio_options options = {
		.policy = kernel_decide, .policy_context = policy, .fallback = fallback};

	return kernel_open(fd, &options);
}

static inline struct atomicio_stats kernel_stats(const struct atomicio_file *file)
{
	struct atomicio_stats stats;

	CHECK_EQ(atomicio_file_get_stats(file, &stats, sizeof(stats)), 0);
	return stats;
}

static inline struct atomicio_caps kernel_caps(const struct atomicio_file *file)
{
	struct atomicio_caps caps;

	CHECK_EQ(atomicio_file_get_caps(file, &caps, sizeof(caps)), 0);
	return caps;
}

/* Fill a page of `seed` for `offset` and write it. */
static inline int kernel_write(struct atomicio_file *file, uint32_t seed, size_t length,
			       uint64_t offset, uint32_t flags)
{
	uint8_t *page = kernel_memory(length);
	int error;

	kernel_fill(page, length, offset, seed);
	error = atomicio_write(file, page, length, offset, flags);
	free(page);
	return error;
}

/* Run `PROGRAM DIRECTORY [TEST...]`; the exit status is 1 if a test failed. */
static inline int kernel_main(int argc, char **argv, const struct kernel_test *tests, size_t count)
{
	volatile int failures = 0, ran = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s DIRECTORY [TEST...]\n", argv[0]);
		return 2;
	}
	kernel_directory = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (volatile size_t i = 0; i < count; i++) {
		int wanted = argc == 2;

		for (int j = 2; j < argc; j++)
			wanted |= !strcmp(argv[j], tests[i].name);
		if (!wanted)
			continue;
		ran = ran + 1;
		if (!setjmp(kernel_failed)) {
			tests[i].run();
			printf("ok - %s\n", tests[i].name);
		} else {
			failures = failures + 1;
			printf("not ok - %s\n", tests[i].name);
		}
	}
	if (!ran)
		fprintf(stderr, "%s: no such test\n", argv[0]);
	return failures || !ran;
}

#endif /* KERNEL_TEST_H */
