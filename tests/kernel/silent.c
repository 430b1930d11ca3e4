/* SPDX-License-Identifier: MIT */
/*
 * Goal: what destroys data or tears silently in the kernel does not get through the library.
 *
 * Method: on XFS with reflink, set up each trap that Linux 6.18 is known to fall into with
 * RWF_ATOMIC (append with an unaligned end of file, a file size limit inside the range, pages
 * kept dirty through mmap), write through the library, and look at every byte of the file.
 */
#include "kernel_test.h"

#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define NAME "silent"

/* A40 */
static void append_with_an_unaligned_end_of_file_loses_nothing(void)
{
	int fd = kernel_file(NAME, 21000, O_RDWR | O_DIRECT | O_APPEND);
	struct atomicio_file *file = kernel_open(fd, NULL);

	CHECK_EQ(kernel_write(file, 2, 4096, 4096, 0), 0);
	CHECK_EQ(kernel_size(NAME), 21000);
	CHECK(kernel_holds(NAME, 0, 4096, 1));
	CHECK(kernel_holds(NAME, 4096, 4096, 2));
	CHECK(kernel_holds(NAME, 8192, 21000 - 8192, 1));
	CHECK_EQ(kernel_write(file, 3, 16 * KIB, 32 * KIB, ATOMICIO_DSYNC), 0);
	CHECK_EQ(kernel_size(NAME), 48 * KIB);
	CHECK(kernel_holds(NAME, 8192, 21000 - 8192, 1));
	CHECK(kernel_holds(NAME, 32 * KIB, 16 * KIB, 3));
	atomicio_close(file);
	close(fd);
}

static void a_plain_fallback_under_append_keeps_its_offset(void)
{
	int fd = kernel_file(NAME, 21000, O_RDWR | O_APPEND);
	struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);

	CHECK_EQ(kernel_write(file, 2, 4096, 4096, 0), 0);
	CHECK_EQ(kernel_stats(file).writes_plain, 1);
	CHECK_EQ(kernel_size(NAME), 21000);
	CHECK(kernel_holds(NAME, 4096, 4096, 2));
	CHECK(kernel_holds(NAME, 8192, 21000 - 8192, 1));
	atomicio_close(file);
	close(fd);
}

/* Set or clear an inode flag; the file must be plain again before it can be removed. */
static void inode_flag(int fd, int flag, int on)
{
	int flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = on ? flags | flag : flags & ~flag;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

/* A40 */
static void an_append_only_file_is_refused(void)
{
	int fd = kernel_file(NAME, 21000, O_RDWR | O_DIRECT | O_APPEND);
	struct kernel_policy policy = {.answer = ATOMICIO_FAIL};
	struct atomicio_file *file;
	uint64_t reasons;
	int opened, error;

	inode_flag(fd, FS_APPEND_FL, 1);
	opened = atomicio_open(
		fd, &(struct atomicio_options){.policy = kernel_decide, .policy_context = &policy},
		sizeof(struct atomicio_options), &file);
	error = opened ? 0 : kernel_write(file, 2, 4096, 4096, 0);
	reasons = opened ? 0 : kernel_caps(file).reasons;
	inode_flag(fd, FS_APPEND_FL, 0);
	CHECK_EQ(opened, 0);
	CHECK_EQ(error, -EOPNOTSUPP);
	CHECK(reasons & ATOMICIO_REASON_APPEND_ONLY);
	CHECK(kernel_holds(NAME, 0, 21000, 1));
	CHECK_EQ(kernel_size(NAME), 21000);
	atomicio_close(file);
	close(fd);
}

static void an_immutable_file_does_not_open(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = NULL;
	int error;

	inode_flag(fd, FS_IMMUTABLE_FL, 1);
	error = atomicio_open(fd, NULL, 0, &file);
	inode_flag(fd, FS_IMMUTABLE_FL, 0);
	CHECK_EQ(error, -EPERM);
	CHECK(!file);
	close(fd);
}

static void a_read_only_descriptor_does_not_open(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDONLY | O_DIRECT);
	struct atomicio_file *file = NULL;
	struct atomicio_caps caps;

	CHECK_EQ(atomicio_open(fd, NULL, 0, &file), -EBADF);
	CHECK(!file);
	CHECK_EQ(atomicio_probe(fd, &caps, sizeof(caps)), 0);
	CHECK(caps.reasons & ATOMICIO_REASON_UNCONFIRMED);
	CHECK(caps.reasons & ATOMICIO_REASON_READ_ONLY);
	close(fd);
}

/* A write of [32 KiB, 48 KiB) against a file size limit, which ends the test's own limit. */
static void limited(uint64_t limit, int wanted, uint32_t fallback)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct kernel_policy policy = {
		.answer = fallback == ATOMICIO_FALLBACK_PLAIN ? ATOMICIO_FALLBACK : ATOMICIO_FAIL};
	struct atomicio_file *file = NULL;
	struct rlimit before, now;
	_Alignas(4096) static const uint8_t page[1];
	int opened, error = 0, nothing = 0;

	MUST(getrlimit(RLIMIT_FSIZE, &before));
	now = before;
	now.rlim_cur = limit;
	MUST(setrlimit(RLIMIT_FSIZE, &now));
	opened = atomicio_open(fd,
			       &(struct atomicio_options){.policy = kernel_decide,
							  .policy_context = &policy,
							  .fallback = fallback},
			       sizeof(struct atomicio_options), &file);
	if (!opened)
		error = kernel_write(file, 2, 16 * KIB, 32 * KIB, 0);
	if (!opened)
		nothing = atomicio_write(file, page, 0, 0, 0);
	MUST(setrlimit(RLIMIT_FSIZE, &before));
	CHECK_EQ(opened, 0);
	CHECK_EQ(error, wanted);
	CHECK_EQ(nothing, -EINVAL);
	CHECK_EQ(kernel_size(NAME), 64 * KIB);
	CHECK(kernel_holds(NAME, 0, 32 * KIB, 1));
	CHECK(kernel_holds(NAME, 32 * KIB, 16 * KIB, wanted ? 1 : 2));
	CHECK(kernel_holds(NAME, 48 * KIB, 16 * KIB, 1));
	if (wanted) {
		CHECK_EQ(policy.seen, 1);
		CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
		CHECK_EQ(policy.last.allowed, ATOMICIO_FAIL);
		CHECK(policy.last.reasons & ATOMICIO_REASON_FILE_SIZE_LIMIT);
	}
	atomicio_close(file);
	close(fd);
}

/* A41 */
static void a_file_size_limit_inside_the_range_loses_nothing(void)
{
	limited(40 * KIB, -EFBIG, ATOMICIO_FALLBACK_NONE);	 /* block-aligned */
	limited(40 * KIB + 512, -EFBIG, ATOMICIO_FALLBACK_NONE); /* sector-aligned only */
	limited(40 * KIB + 3, -EFBIG, ATOMICIO_FALLBACK_NONE);
	limited(48 * KIB - 1, -EFBIG, ATOMICIO_FALLBACK_NONE);
	limited(32 * KIB, -EFBIG, ATOMICIO_FALLBACK_NONE); /* no SIGXFSZ either */
	limited(48 * KIB, 0, ATOMICIO_FALLBACK_NONE);
}

/* A41 */
static void a_plain_fallback_does_not_evade_the_file_size_limit(void)
{
	limited(40 * KIB, -EFBIG, ATOMICIO_FALLBACK_PLAIN);
	limited(40 * KIB + 512, -EFBIG, ATOMICIO_FALLBACK_PLAIN);
}

static atomic_int dirtier_stop;

/* A success, and nothing is there. */
/* A41 */
static void xfs_makes_nothing_of_a_part_of_its_last_block(void)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	const uint64_t last = (uint64_t)INT64_MAX - 4095;
	struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);
	uint8_t *page = kernel_memory(4 * KIB);

	CHECK_EQ(pwrite(fd, page, 512, (off_t)last), 512);
	CHECK_EQ(kernel_size(NAME), 64 * KIB);
	CHECK_EQ(pread(fd, page, 512, (off_t)last), 0);
	CHECK_EQ(kernel_write(file, 2, 512, last, ATOMICIO_DSYNC), -EFBIG);
	CHECK_EQ(policy.last.kind, ATOMICIO_KIND_SPACE);
	CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
	CHECK_EQ(kernel_size(NAME), 64 * KIB);
	atomicio_close(file);
	close(fd);
	free(page);
}

static void *keep_dirty(void *context)
{
	volatile uint8_t *pages = context;

	while (!atomic_load_explicit(&dirtier_stop, memory_order_relaxed))
		for (int i = 0; i < 4; i++)
			pages[i * 4096] = (uint8_t)(pages[i * 4096] + 1);
	return NULL;
}

/* Write while another thread keeps the pages dirty, until the policy has seen BUSY. */
/* A37 */
static void pages_kept_dirty_reach_the_policy_as_busy(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT), done = 0, again = 0, other = 0;
	struct kernel_policy policy = {.answer = ATOMICIO_FAIL};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_NONE);
	void *pages = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pthread_t thread;

	CHECK(pages != MAP_FAILED);
	dirtier_stop = 0;
	CHECK_EQ(pthread_create(&thread, NULL, keep_dirty, pages), 0);
	for (int i = 0; i < 5000 && (!again || i < 100); i++) {
		const int error = kernel_write(file, 2, 16 * KIB, 0, 0);

		*(error == -EAGAIN ? &again : error ? &other : &done) += 1;
	}
	atomic_store(&dirtier_stop, 1);
	pthread_join(thread, NULL);
	munmap(pages, 64 * KIB);
	printf("# %d written, %d busy, %d other\n", done, again, other);
	CHECK_EQ(other, 0);
	CHECK(again > 0);
	CHECK_EQ(policy.seen, again);
	CHECK_EQ(policy.last.kind, ATOMICIO_KIND_BUSY);
	CHECK_EQ(policy.last.error, -EAGAIN);
	CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
	CHECK_EQ(policy.last.allowed, ATOMICIO_RETRY | ATOMICIO_FAIL);
	CHECK_EQ(kernel_stats(file).failures[ATOMICIO_KIND_BUSY], again);
	CHECK_EQ(kernel_stats(file).writes_filesystem, done);
	CHECK_EQ(kernel_write(file, 3, 16 * KIB, 0, 0), 0); /* the dirtier is gone */
	CHECK(kernel_holds(NAME, 0, 16 * KIB, 3));
	CHECK(kernel_holds(NAME, 16 * KIB, 48 * KIB, 1));
	atomicio_close(file);
	close(fd);
}

/* A43 */
static void nowait_on_the_software_path_does_not_spin(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);
	struct kernel_policy policy = {.answer = ATOMICIO_RETRY};

	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 0, ATOMICIO_NOWAIT), -EAGAIN);
	CHECK_EQ(kernel_stats(file).retries, 0);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	atomicio_close(file);

	file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_NONE);
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 0, ATOMICIO_NOWAIT), -EAGAIN);
	CHECK(policy.last.reasons & ATOMICIO_REASON_NOWAIT_NEVER);
	CHECK(policy.seen <= 9); /* retries_max is 8 by default */
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 0, 0), 0);
	atomicio_close(file);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(append_with_an_unaligned_end_of_file_loses_nothing),
		TEST(a_plain_fallback_under_append_keeps_its_offset),
		TEST(an_append_only_file_is_refused),
		TEST(an_immutable_file_does_not_open),
		TEST(a_read_only_descriptor_does_not_open),
		TEST(a_file_size_limit_inside_the_range_loses_nothing),
		TEST(a_plain_fallback_does_not_evade_the_file_size_limit),
		TEST(xfs_makes_nothing_of_a_part_of_its_last_block),
		TEST(pages_kept_dirty_reach_the_policy_as_busy),
		TEST(nowait_on_the_software_path_does_not_spin),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
