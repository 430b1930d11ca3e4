/* SPDX-License-Identifier: MIT */
/*
 * Goal: a write that the library calls untorn really carried RWF_ATOMIC, and cost one call.
 *
 * Method: each write stands between two getppid() calls, which trace.sh finds in the output of
 * strace; the program prints the expected flags, one line per write:
 *
 *	= FLAGS COUNT	all bits of pwritev2's flags, and its result; no other call was made
 *	~ FLAGS COUNT	the same, but other calls may stand around the pwritev2
 */
#include "kernel_test.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#define NAME "trace"
#define DSYNC 0x2
#define NOAPPEND 0x20
#define ATOMIC 0x40

static void one(struct atomicio_file *file, size_t length, uint64_t offset, uint32_t flags,
		int expected)
{
	uint8_t *page = kernel_memory(length);
	int error;

	kernel_fill(page, length, offset, 2);
	syscall(SYS_getppid);
	error = atomicio_write(file, page, length, offset, flags);
	syscall(SYS_getppid);
	CHECK_EQ(error, 0);
	printf("= %#x %#zx\n", (unsigned)expected, length);
	free(page);
}

static void every_untorn_write_is_one_call_with_the_flag(void)
{
	int fd = kernel_file(NAME, 4 * MIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);
	const uint32_t limit = kernel_caps(file).direct.unit_max;
	uint32_t count = 0;

	for (size_t size = 4 * KIB; size <= limit && size <= 2 * MIB; size *= 2) {
		one(file, size, size, 0, ATOMIC | NOAPPEND);
		one(file, size, 0, ATOMICIO_DSYNC, ATOMIC | NOAPPEND | DSYNC);
		count += 2;
	}
	CHECK(count >= 10);
	CHECK_EQ(kernel_stats(file).writes_filesystem, count);
	atomicio_close(file);
	close(fd);
}

/* A40 */
static void an_untorn_write_on_an_append_descriptor_has_noappend(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT | O_APPEND);
	struct atomicio_file *file = kernel_open(fd, NULL);

	one(file, 16 * KIB, 0, 0, ATOMIC | NOAPPEND);
	atomicio_close(file);
	close(fd);
}

static void an_untorn_write_of_a_reopened_descriptor_has_the_flag(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR);
	struct atomicio_file *file =
		kernel_open(fd, &(struct atomicio_options){.flags = ATOMICIO_OPEN_REOPEN_DIRECT});

	one(file, 16 * KIB, 0, ATOMICIO_DSYNC, ATOMIC | NOAPPEND | DSYNC);
	atomicio_close(file);
	close(fd);
}

static void a_bounced_write_has_the_flag(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file =
		kernel_open(fd, &(struct atomicio_options){.bounce_max = 16 * KIB});
	uint8_t *page = kernel_memory(16 * KIB + 4);
	int error;

	syscall(SYS_getppid);
	error = atomicio_write(file, page + 4, 16 * KIB, 0, ATOMICIO_DSYNC);
	syscall(SYS_getppid);
	CHECK_EQ(error, 0);
	CHECK_EQ(kernel_stats(file).bounces, 1);
	/* First the buffer is tested, which is not aligned to the block. */
	printf("~ %#x %#x\n", ATOMIC | NOAPPEND | DSYNC, 16 * KIB);
	atomicio_close(file);
	free(page);
	close(fd);
}

static void a_write_below_a_file_size_limit_has_the_flag(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	uint8_t *page = kernel_memory(16 * KIB);
	struct atomicio_file *file = NULL;
	struct rlimit before, now;
	int opened, error = 0;

	MUST(getrlimit(RLIMIT_FSIZE, &before));
	now = before;
	now.rlim_cur = MIB;
	MUST(setrlimit(RLIMIT_FSIZE, &now));
	opened = atomicio_open(fd, NULL, 0, &file);
	syscall(SYS_getppid);
	if (!opened)
		error = atomicio_write(file, page, 16 * KIB, 0, ATOMICIO_DSYNC);
	syscall(SYS_getppid);
	MUST(setrlimit(RLIMIT_FSIZE, &before));
	CHECK_EQ(opened, 0);
	CHECK_EQ(error, 0);
	printf("~ %#x %#x\n", ATOMIC | NOAPPEND | DSYNC, 16 * KIB);
	atomicio_close(file);
	free(page);
	close(fd);
}

/* Each write of a batch is one call; the markers stand around one op at a time. */
static void a_batch_of_one_has_the_flag(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);
	uint8_t *page = kernel_memory(16 * KIB);
	struct atomicio_op op = {file, page, 0, 16 * KIB, 1, 0};
	int error;

	syscall(SYS_getppid);
	error = atomicio_write_batch(NULL, &op, 1, 0);
	syscall(SYS_getppid);
	CHECK_EQ(error, 0);
	printf("= %#x %#x\n", ATOMIC | NOAPPEND, 16 * KIB);
	atomicio_close(file);
	free(page);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(every_untorn_write_is_one_call_with_the_flag),
		TEST(an_untorn_write_on_an_append_descriptor_has_noappend),
		TEST(an_untorn_write_of_a_reopened_descriptor_has_the_flag),
		TEST(a_bounced_write_has_the_flag),
		TEST(a_write_below_a_file_size_limit_has_the_flag),
		TEST(a_batch_of_one_has_the_flag),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
